"""The rendered report, as a reader, a screen reader and a reviewer meet it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from made_up_study import HOSTILE, draw

from analysis.errors import InputError
from analysis.report.provenance import Provenance
from analysis.report.render import render_report


class Report:
    def __init__(self, folder: Path) -> None:
        self.html = folder / "index.html"
        self.pdf = folder / "paper.pdf"

    @property
    def page(self) -> BeautifulSoup:
        return BeautifulSoup(self.html.read_text("utf-8"), "html.parser")


@pytest.fixture(scope="session")
def make(tmp_path_factory, study, estimates, verdicts, figures_dir, provenance):
    def _make(**changed: object) -> Report:
        report = Report(tmp_path_factory.mktemp("report"))
        inputs: dict[str, object] = {
            "study": study, "estimates": estimates, "verdicts": verdicts, "figures_dir": figures_dir,
            "provenance": provenance, "html": report.html, "pdf": report.pdf,
        }  # fmt: skip
        render_report(**(inputs | changed))
        return report

    return _make


@pytest.fixture(scope="session")
def report(make) -> Report:
    return make()


def test_the_same_inputs_give_the_same_bytes(report, make, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    monkeypatch.setenv("LC_ALL", "C")
    again = make()
    assert report.html.read_bytes() == again.html.read_bytes()
    assert report.pdf.read_bytes() == again.pdf.read_bytes()


def test_text_from_data_is_shown_literally(report):
    page = report.page
    assert not page.find_all("script")
    shown = " ".join(page.main.get_text().split())
    assert shown.count(HOSTILE) == 3


def test_text_from_data_is_not_run_in_the_paper(make, estimates):
    """The text holds ``#panic()``, with which Typst would stop."""
    assert "#panic()" in HOSTILE
    hostile = estimates.assign(estimand=HOSTILE, note=HOSTILE)
    assert make(estimates=hostile).pdf.read_bytes().startswith(b"%PDF-")


def test_page_loads_nothing(report):
    page = report.page
    sources = [tag["src"] for tag in page.find_all(src=True)]
    assert sources and all(source.startswith("data:") for source in sources)
    assert not page.find_all(["link", "iframe", "object", "embed"])
    assert "url(" not in page.style.string and "@import" not in page.style.string
    outside = {a["href"] for a in page.find_all("a") if "://" in a["href"]}
    assert outside and all(href.startswith("https://doi.org/") for href in outside)


def test_every_figure_is_described(report):
    page = report.page
    described = [img.get("alt") for img in page.find_all("img")]
    assert described == ["A line that rises", f'"Quoted" {HOSTILE}']
    assert all(figure.figcaption.get_text(strip=True) for figure in page.find_all("figure"))


def test_figure_without_description_is_refused(make, tmp_path):
    draw(tmp_path / "mute.svg", source="04_link", description="")
    with pytest.raises(InputError, match=r"mute\.svg, dc:description.*'Description'"):
        make(figures_dir=tmp_path)


def test_every_exhibit_says_where_it_comes_from(report):
    page = report.page
    exhibits = [*page.find_all("figcaption"), *page.find_all("caption")]
    assert len(exhibits) > 5
    for exhibit in exhibits:
        links = [a["href"] for a in exhibit.find_all("a")]
        assert any(re.fullmatch(r"notebooks/\w+\.html", link) for link in links), exhibit
        assert "manifest.json" in links
        assert "1f2e3d4c" in exhibit.get_text() and "abcdef01" in exhibit.get_text()
    timing = page.find(id="figure-timing").figcaption
    assert "seed = 20110125" in timing.get_text()


def test_page_can_be_walked_by_a_screen_reader(report):
    page = report.page
    assert page.html["lang"] == "en"
    assert page.find("a", class_="skip")["href"] == "#main" and page.main["id"] == "main"
    assert page.header and page.nav["aria-label"]
    assert len(page.find_all("h1")) == 1
    for table in page.find_all("table"):
        assert table.caption.get_text(strip=True)
        assert all(th.get("scope") in {"col", "row"} for th in table.find_all("th"))
        assert all(row.find("th", scope="row") for row in table.tbody.find_all("tr"))
        assert table.parent["role"] == "region" and table.parent["tabindex"] == "0"
    anchors = [tag["id"] for tag in page.find_all(id=True)]
    assert len(anchors) == len(set(anchors))
    inner = {a["href"][1:] for a in page.find_all("a") if a["href"].startswith("#")}
    assert inner <= set(anchors)


def cells(page: BeautifulSoup, anchor: str) -> list[list[str]]:
    return [
        [c.get_text(" ", strip=True) for c in row.find_all(["th", "td"])] for row in page.find(id=anchor).find_all("tr")
    ]


def test_strict_and_naive_stand_side_by_side(report):
    head, *rows = cells(report.page, "table-time-order")
    assert head == ["Model", "Term", "Strict", "95% CI", "n", "Naive", "95% CI", "n"]
    assert rows[0][:6] == ["counted[w4r]", "counted", "−0.043", "−0.143 to 0.057", "1\u202f310", "0.184"]
    assert len(rows) == 1


def test_truth_stands_beside_its_estimate(report):
    _, row = cells(report.page, "table-truth")
    assert row[2:4] == ["0.250", "−0.043"] and row[-1] == "no"


def test_what_could_not_be_estimated_says_so_and_why(report):
    page = report.page
    assert cells(page, "table-dose")[1][1:] == ["not estimable", "–", "–", "–"]
    assert "not estimable: no variation" in page.get_text()


def test_sample_flow_counts_units_at_each_step(report):
    assert cells(report.page, "table-flow") == [
        ["Outcome", "Frame", "Units", "Units analysed"],
        ["Any improvement", "w4r", "2\u202f210", "2\u202f060"],
    ]


def test_study_without_figures_models_or_truth_still_has_a_report(make, study, estimates, verdicts, tmp_path):
    (tmp_path / "none").mkdir()
    bare = study.model_copy(update={"truth": {}, "limitations": []})
    page = make(study=bare, verdicts=verdicts, figures_dir=tmp_path / "none", provenance=Provenance("unknown")).page
    assert not page.find_all("img") and page.find(id="table-truth") is None
    assert "commit\u00a0unknown" in page.get_text()


def test_pdf_is_tagged_and_carries_no_time(report):
    content = report.pdf.read_bytes()
    assert content.startswith(b"%PDF-")
    assert b"/StructTreeRoot" in content or b"/MarkInfo" in content
    assert not re.search(rb"D:20[12]\d", content)
