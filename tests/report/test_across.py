"""The page over all studies says what each report found, from manifests and study files alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup

from analysis.project import Project
from analysis.report.across import Across, render
from analysis.report.across_claims import claims, strength
from analysis.study import read_study
from analysis.study.spec import Study

ROOT = Path(__file__).parents[2]


@pytest.fixture
def campaigns() -> Study:
    return read_study(ROOT / "studies/campaigns.yml", root=ROOT)


def checkout(root: Path, **verdicts: list[dict[str, Any]]) -> Project:
    """Make a folder with the study files of the named studies, and reports that came to the given verdicts."""
    shutil.copytree(ROOT / "studies", root / "studies")
    for study, found in verdicts.items():
        folder = root / "reports" / study
        folder.mkdir(parents=True)
        manifest = {"study": study, "estimates": [], "verdicts": found}
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return Project(root, root)


def verdict(study: Study, name: str, estimate: float | None, low: float | None, high: float | None) -> dict[str, Any]:
    decided = study.hypotheses[name].decided_by
    return {
        "hypothesis": name, "model": decided.model, "term": decided.term, "estimate": estimate, "ci_low": low,
        "ci_high": high, "verdict": "supported", "reason": "differs from zero",
    }  # fmt: skip


def test_the_page_names_each_hypothesis_with_its_verdict_and_leaves_out_what_is_simulated(
    tmp_path: Path, campaigns: Study
) -> None:
    simulated = read_study(ROOT / "studies/benchmark.yml", root=ROOT)
    name, planted = next(iter(campaigns.hypotheses)), next(iter(simulated.hypotheses))
    project = checkout(
        tmp_path, campaigns=[verdict(campaigns, name, 0.5, 0.1, 0.9)], benchmark=[verdict(simulated, planted, 1, 1, 1)]
    )
    render(project)
    page = BeautifulSoup((tmp_path / "reports/index.html").read_text("utf-8"), "html.parser")
    table = page.find(id="table-verdicts") or page
    assert campaigns.hypotheses[name].statement in table.get_text()
    assert "supported" in table.get_text()
    assert simulated.hypotheses[planted].statement not in page.get_text()
    assert all(image["src"].startswith("data:") and image["alt"] for image in page.find_all("img"))
    assert (tmp_path / "reports/paper.pdf").read_bytes().startswith(b"%PDF")


def test_the_same_reports_give_the_same_bytes(tmp_path: Path, campaigns: Study) -> None:
    name = next(iter(campaigns.hypotheses))
    project = checkout(tmp_path, campaigns=[verdict(campaigns, name, 0.5, 0.1, 0.9)])
    files = ["index.html", "paper.pdf", "figures/across.svg"]
    render(project)
    before = [(tmp_path / "reports" / file).read_bytes() for file in files]
    render(project)
    assert [(tmp_path / "reports" / file).read_bytes() for file in files] == before


def test_effects_are_in_units_of_the_smallest_of_interest_and_positive_as_expected(
    tmp_path: Path, campaigns: Study
) -> None:
    expects = {name: hypothesis.expects for name, hypothesis in campaigns.hypotheses.items()}
    found = [verdict(campaigns, name, 0.8, 0.4, 1.2) for name in expects]
    project = checkout(tmp_path, campaigns=found)
    for claim in claims(project.root):
        unit = campaigns.hypotheses[claim.name].smallest_effect
        wanted = {
            "positive": (0.8 / unit, 0.4 / unit, 1.2 / unit),
            "negative": (-0.8 / unit, -1.2 / unit, -0.4 / unit),
            "zero": None,
        }[expects[claim.name]]
        assert claim.scaled == (pytest.approx(wanted) if wanted else None)


def test_what_could_not_be_estimated_is_told_and_not_drawn(tmp_path: Path, campaigns: Study) -> None:
    name = next(iter(campaigns.hypotheses))
    project = checkout(tmp_path, campaigns=[verdict(campaigns, name, None, None, None)])
    (claim,) = claims(project.root)
    assert claim.scaled is None
    assert "–" in Across([claim]).verdict_table()


def test_absorbing_units_is_stronger_than_comparing_them(campaigns: Study) -> None:
    model = next(model for model in campaigns.models.values() if model.design == "lpm")
    assert strength(model) == 1
    assert strength(model.model_copy(update={"absorb": ["unit_id", "period"]})) == 3


def test_the_committed_page_is_that_of_the_committed_reports(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "studies", tmp_path / "studies")
    for manifest in (ROOT / "reports").glob("*/manifest.json"):
        (tmp_path / "reports" / manifest.parent.name).mkdir(parents=True)
        shutil.copy(manifest, tmp_path / "reports" / manifest.parent.name)
    render(Project(tmp_path, tmp_path))
    fresh = (tmp_path / "reports/index.html").read_text("utf-8")
    assert fresh == (ROOT / "reports/index.html").read_text("utf-8"), "run `make` and commit reports/"
