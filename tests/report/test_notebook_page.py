"""An executed notebook as a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from made_up_study import draw

from analysis.report.notebook_page import render

TABLE = """<style scoped>td {color: red}</style><table border="1" class="dataframe" onclick="alert(1)">
<thead><tr><th></th><th>n</th></tr></thead><tbody><tr><th>w4r</th><td>131</td></tr></tbody></table><script>alert(1)</script>
<img src="https://example.org/track.png">"""


@pytest.fixture
def page(tmp_path: Path) -> BeautifulSoup:
    draw(tmp_path / "timing.svg", source="04_link", description="A line & <rises>")

    def shown(data: dict[str, str]) -> dict[str, object]:
        return {"output_type": "display_data", "metadata": {}, "data": data}

    code = {"cell_type": "code", "execution_count": 1, "metadata": {}, "id": "b"}
    outputs = [
        shown({"text/html": TABLE, "text/plain": "plain"}),
        shown({"image/svg+xml": (tmp_path / "timing.svg").read_text(), "text/plain": "<Figure>"}),
        {"output_type": "stream", "name": "stdout", "text": "\x1b[31m<b>1 < 2</b>\x1b[0m\n"},
    ]
    text = (
        "# Does engagement come *before*?\n\n$x^2$ ![remote](https://example.org/a.png) [bad](javascript:alert(1)) "
        "<b onclick='x'>bold</b> <script>x</script>"
    )
    cells = [
        {"cell_type": "markdown", "metadata": {}, "id": "a", "source": text},
        code | {"source": "linked = link('<a>')", "outputs": outputs},
    ]
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    (tmp_path / "04_link.ipynb").write_text(json.dumps(notebook))
    render(tmp_path / "04_link.ipynb", tmp_path / "04_link.html")
    return BeautifulSoup((tmp_path / "04_link.html").read_text("utf-8"), "html.parser")


def test_title_is_the_question_and_leads_back(page):
    assert [h.get_text() for h in page.find_all("h1")] == ["Does engagement come before?"]
    assert page.title.get_text() == "Does engagement come before?"
    assert page.find("a", href="../index.html")


def test_tables_survive_with_their_headers(page):
    assert [c.get_text() for c in page.table.find_all(["th", "td"])] == ["", "n", "w4r", "131"]
    assert page.table.find("th", scope="row").get_text() == "w4r"


def test_figures_survive_with_their_description(page):
    image = page.find("img")
    assert image["src"].startswith("data:image/svg+xml;base64,") and image["alt"] == "A line & <rises>"
    assert len(page.find_all("img")) == 1


def test_code_and_text_output_are_literal(page):
    assert [pre.get_text().strip() for pre in page.find_all("pre")] == ["linked = link('<a>')", "<b>1 < 2</b>"]


def test_math_is_mathml(page):
    assert page.find("math")


def test_nothing_runs_and_nothing_is_fetched(page):
    assert not page.find_all("script") and "alert" not in str(page)
    assert "example.org" not in str(page) and "onclick" not in str(page)
