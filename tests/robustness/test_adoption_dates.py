"""Exchanging dates of adoption, and leaving units and cohorts out, is what fitting the event study again would give."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.models.estimates import Estimate
from analysis.models.event_study import event_study
from analysis.models.staggered import Rules
from analysis.robustness.adoption_dates import adoption_checks
from analysis.robustness.cohort_means import CohortMeans
from analysis.study.spec import Study

sys.path.insert(0, str(Path(__file__).parents[1] / "event_study"))
from adoption_study import panel, study, table


def refitted(rows: pd.DataFrame, term: str = "overall", **rules: Any) -> float:
    made = study(rules)
    found = event_study(made, made.models["main"], table(rows).rename(columns={"value": "force"}), "main")
    return next(row.estimate for row in found if row.term == term)


def checked(rows: pd.DataFrame, draws: int = 19, seed: int = 1, **changes: Any) -> dict[str, Estimate]:
    made = study(changes.pop("rules", None), **changes)
    found = adoption_checks(made, table(rows), draws, seed)
    return {f"{row.model.removeprefix('main:')} {row.term}": row for row in found}


def holes(rows: pd.DataFrame) -> pd.DataFrame:
    """Drop a tenth of the unit-periods."""
    return rows[np.random.default_rng(3).random(len(rows)) > 0.1]


@pytest.mark.parametrize(
    "rules",
    [{}, {"comparison": "never_treated"}, {"anticipation": 1}],
    ids=["not yet", "never", "anticipation"],
)
def test_without_a_unit_or_a_cohort_it_is_the_event_study_of_the_others(rules: dict[str, Any]) -> None:
    rows = holes(panel(n=40))
    # A town that is not observed in the year of its protest counts as reached in the next.
    reached = rows["period"].where((rows["cohort"] > 0) & (rows["period"] >= rows["cohort"]))
    rows = rows.assign(cohort=reached.groupby(rows["unit"]).transform("min").fillna(0).astype(int))
    found = checked(rows, rules=rules)
    for what, left_out in (("unit", "unit"), ("cohort", "cohort")):
        for end in ("min", "max"):
            row = found[f"leave_one_out overall:{end}_without_{what}"]
            name = row.note.removeprefix(f"without {what} ").split(";")[0]
            others = rows[rows[left_out].astype("str") != name]
            assert row.estimate == pytest.approx(refitted(others, **rules), abs=1e-9)
    low, high = (found[f"leave_one_out overall:{end}_without_unit"].estimate for end in ("min", "max"))
    assert low < found["randomisation overall"].estimate < high


def test_the_statistic_is_nearly_that_of_the_event_study() -> None:
    # Where effects are alike, so that it does not matter that the shares of cohorts are estimated too.
    rows = holes(panel(n=200))
    rows = rows.assign(y=rows["y"] - rows["effect"])
    made = study()
    own = next(
        r for r in event_study(made, made.models["main"], table(rows).rename(columns={"value": "force"}), "main")
        if r.term == "overall"
    )  # fmt: skip
    assert checked(rows)["randomisation overall"].statistic == pytest.approx(own.statistic, rel=0.02)


def test_an_effect_is_told_from_chance_and_a_sharp_null_as_often_as_the_level_says() -> None:
    assert checked(panel(), draws=99)["randomisation overall"].p_value == 0.01
    rng = np.random.default_rng(20110125)
    units, periods, draws, rejected = 24, 6, 39, 0
    worlds = 200
    for _ in range(worlds):
        y = rng.normal(size=(units, 1)) + rng.normal(size=(units, periods)).cumsum(axis=1)
        cohorts = rng.permutation(np.repeat([2, 4, periods], units // 3)).astype(np.intp)
        means = CohortMeans(y, np.ones(units), cohorts, Rules(lags=1, leads=1))
        clusters = np.arange(units)
        drawn = [abs(means.statistic("overall", rng.permutation(cohorts), clusters)) for _ in range(draws)]
        observed = abs(means.statistic("overall", cohorts, clusters))
        rejected += (1 + sum(d >= observed for d in drawn)) / (1 + draws) <= 0.05
    assert 1 <= rejected <= 20, "5% of 200, within four standard errors"


def test_dates_stay_within_strata_and_the_order_of_rows_changes_nothing() -> None:
    rows = panel(n=60)
    # Where each stratum is one town, nothing can be exchanged.
    alone = rows.assign(cluster=rows["unit"])
    content = study().model_dump(mode="json", exclude_unset=True) | {"robustness": {"main": {"strata": ["region"]}}}
    made = Study.model_validate(content)
    row = next(iter(adoption_checks(made, table(alone), 19, 1)))
    assert row.p_value == 1.0
    assert "60 of 60 units have none to exchange with" in row.note
    shuffled = table(rows).sample(frac=1, random_state=1)
    first, again = (list(adoption_checks(study(), t, 29, 5)) for t in (table(rows), shuffled))
    assert [(r.term, r.estimate, r.p_value) for r in first] == [(r.term, r.estimate, r.p_value) for r in again]


def test_units_keep_their_names() -> None:
    notes = [row.note for key, row in checked(panel(n=40)).items() if key.endswith("_without_unit")]
    assert all(note.startswith("without unit town-") for note in notes), notes


def test_another_estimator_is_not_fitted_again_and_says_so() -> None:
    found = checked(panel(n=40), rules={"estimators": ["imputation"]})
    assert list(found) == ["randomisation overall"]
    assert found["randomisation overall"].note.startswith("not estimable: only the estimator of Callaway")
