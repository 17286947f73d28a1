"""Each limitation stands under its threat, beside the estimates that measure it, and a wrong name stops the report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from made_up_study import HOSTILE

from analysis.errors import InputError
from analysis.models.estimates import COLUMNS
from analysis.report import pandoc
from analysis.report.exhibits import Exhibits
from analysis.report.limitations import TITLES, threats
from analysis.report.provenance import Provenance
from analysis.report.results import Results
from analysis.study.limitations import THREATS, Limitation, limitation
from analysis.study.spec import Study

Told = Callable[[list[Any]], str]
COUNTED = {"model": "counted[w4r]", "term": "counted"}


@pytest.fixture
def told(study: Study, estimates: pd.DataFrame, provenance: Provenance) -> Told:
    numbers = ["estimate", "std_error", "statistic", "p_value", "ci_low", "ci_high"]
    blank: dict[str, Any] = dict.fromkeys(COLUMNS, "") | dict.fromkeys(numbers, float("nan"))
    blank |= {"study": "sample", "n_obs": None, "n_units": None, "n_clusters": None, "seed": None}
    bounds = blank | {"model": "bounds", "term": "honest", "estimand": "effect", "ci_low": -0.5, "ci_high": 0.25}
    ratio = blank | {"model": "cox", "term": "x", "estimand": "log hazard ratio", "estimate": 0.0}
    rows = pd.concat([estimates, pd.DataFrame([bounds, ratio])[COLUMNS].astype(estimates.dtypes)])

    def render(entries: list[Any]) -> str:
        block = [Limitation.model_validate(limitation(entry)) for entry in entries]
        changed = study.model_copy(update={"limitations": block})
        return str(threats(Exhibits(changed, Results(rows), pd.DataFrame(), {}, provenance)))

    return render


def text(markdown: str) -> str:
    """Return what a reader sees."""
    page = pandoc.html(
        f"---\ntitle: t\n---\n{markdown}", reader=pandoc.MARKDOWN, filters=["exhibits.lua"], citations=False, toc=False
    )
    body = BeautifulSoup(page, "html.parser").find("main") or BeautifulSoup(page, "html.parser")
    return " ".join(body.get_text().split())


def measured(threat: str, *measures: dict[str, str], says: str = "It may be so.") -> dict[str, Any]:
    return {"threat": threat, "says": says, "measured_by": [{"as": "number", **measure} for measure in measures]}


def test_threats_stand_in_one_order_whatever_the_study_file_has(told: Told) -> None:
    entries = [measured(threat, COUNTED) for threat in THREATS if threat != "other"]
    page = text(told(["Plain.", *entries[::-1]]))
    places = [page.index(TITLES[threat]) for threat in THREATS]
    assert places == sorted(places)


def test_a_measure_has_its_value_interval_number_of_rows_and_estimand(told: Told) -> None:
    page = text(told([measured("selection", {**COUNTED, "as": "points"})]))
    assert "Counted beforehand; difference in probability of improvement: −4.3 percentage points" in page
    assert "95% CI −14.3 to 5.7 percentage points; n = 1 310" in page


def test_a_measure_links_to_its_notebook(told: Told) -> None:
    assert "](notebooks/05_regressions.html)" in told([measured("selection", COUNTED)])


def test_a_naive_estimate_says_that_it_is(told: Told) -> None:
    page = text(told([measured("reverse_order", {"model": "counted[w4r]@naive", "term": "counted"})]))
    assert "Counted beforehand, exposures of any date; difference" in page


@pytest.mark.parametrize(
    ("measure", "shown"),
    [
        ({"model": "timing[w4r]", "term": "share_before_improvement", "as": "percent"}, "share dated before: 8.6%"),
        ({"model": "flow[w4r]", "term": "units", "as": "count"}, "units: 2 210"),
        ({"model": "counted[purposive]", "term": "counted", "as": "p_value"}, "p = 0.520"),
        ({"model": "dose[w4r]", "term": "signatures"}, "not estimable: no variation"),
        ({"model": "bounds", "term": "honest"}, "effect: 95% CI −0.500 to 0.250"),
        ({"model": "cox", "term": "x", "as": "ratio"}, "hazard ratio: 1.000"),
    ],
)
def test_each_kind_of_number_is_written_as_asked_for(told: Told, measure: dict[str, str], shown: str) -> None:
    page = text(told([measured("lags", measure)]))
    assert shown in page
    assert "log hazard" not in page


def test_what_is_not_measured_is_said(told: Told) -> None:
    entry = {"threat": "inflated_counts", "says": "Bots exist.", "not_measured": "bots, which nobody counted"}
    assert "Not measured here: bots, which nobody counted." in text(told([entry]))


def test_sentences_alone_have_no_headings(told: Told) -> None:
    markdown = told(["One.", "Two."])
    assert "#" not in markdown
    assert text(markdown).endswith("One. Two.")


def test_hostile_text_is_shown_as_it_is(told: Told) -> None:
    page = text(told([measured("scope", COUNTED, says=HOSTILE)]))
    assert "<script>alert(1)</script> *bold*" in page


def test_every_wrong_name_is_listed_with_its_place_and_the_nearest(told: Told) -> None:
    wrong = [
        measured("lags", {"model": "counted[w4]", "term": "counted"}),
        measured("selection", COUNTED, {**COUNTED, "term": "cuonted"}, {**COUNTED, "outcome": "freed"}),
    ]
    with pytest.raises(InputError) as refused:
        told(wrong)
    found = [(p.file, p.column) for p in refused.value.problems]
    assert found == [
        ("studies/sample.yml", "limitations[0].measured_by[0]"),
        ("studies/sample.yml", "limitations[1].measured_by[1]"),
        ("studies/sample.yml", "limitations[1].measured_by[2]"),
    ]
    said = str(refused.value)
    assert "did you mean 'counted[w4r]'?" in said
    assert "did you mean 'counted'?" in said
    assert "improved" in said


def test_every_threat_has_a_title() -> None:
    assert list(TITLES) == list(THREATS)
