"""Multiple imputation: Rubin's rules, and what complete cases get wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from small_study import ols, study, table, target

from analysis.models.estimates import Estimate
from analysis.robustness.imputation import _completed, imputation, pooled
from analysis.robustness.targets import Target

ADJUSTED: dict[str, Any] = {"main": {"label": "M", "design": "lpm", "formula": "improved ~ counted + age"}}


def test_the_rules_by_hand() -> None:
    # Within 0.04, between 0.01, m = 4: total 0.0525. The share added is 0.0125 / 0.0525, so that Rubin's degrees of
    # freedom are 3 (0.0525 / 0.0125)^2 = 52.92; those of the observed data 21/23 x 20 x (1 - 0.238095) = 13.9130.
    estimates = 1.0 + 0.1 * np.array([-1, -1, 1, 1]) * np.sqrt(0.75)
    estimate, error, df = pooled(estimates, np.full(4, 0.2), 20)
    assert estimate == pytest.approx(1.0)
    assert error == pytest.approx(np.sqrt(0.0525))
    observed = 21 / 23 * 20 * (1 - 0.0125 / 0.0525)
    assert df == pytest.approx(1 / (1 / 52.92 + 1 / observed))
    assert df == pytest.approx(11.017, abs=5e-4)


def test_without_missing_values_only_barnard_and_rubins_factor_is_left() -> None:
    assert pooled(np.full(5, 2.0), np.full(5, 0.3), 20) == pytest.approx((2.0, 0.3, 20 * 21 / 23))
    assert pooled(np.array([1.0, 1.2, 0.8]), np.full(3, 0.3), np.inf)[2] == pytest.approx(
        2 * (0.09 + 4 / 3 * 0.04) ** 2 / (4 / 3 * 0.04) ** 2
    )


def confounded(seed: int, n: int = 400) -> pd.DataFrame:
    """A confounder that is known for most units without a count, and for those with one only where they improved."""
    rows = table(n=n, seed=seed)
    rng = np.random.default_rng(seed)
    age = rng.normal(size=n)
    counted = (rng.random(n) < 1 / (1 + np.exp(-age))).astype(float)
    improved = (rng.random(n) < np.clip(0.4 + 0.15 * age + 0.1 * counted, 0.02, 0.98)).astype(float)
    lost = rng.random(n) < np.where((counted == 1) & (improved == 0), 0.6, 0.05)
    whole = pd.DataFrame({"age": np.where(lost, np.nan, age), "full_age": age, "counted": counted})
    both = pd.concat([whole, whole], ignore_index=True)
    rows = rows.assign(**{name: both[name] for name in both})
    rows.loc[rows["outcome"] == "improved", "value"] = improved
    return rows


def one(rows: pd.DataFrame, **models: Any) -> tuple[Target, Estimate]:
    found = target(study(models=models or ADJUSTED), rows)
    (row,) = imputation(found, seed=1)
    return found, row


def test_what_complete_cases_miss_is_recovered() -> None:
    imputed, complete, whole = [], [], []
    for seed in range(6):
        rows = confounded(seed)
        found, row = one(rows)
        known = found.rows
        whole.append(ols(known["improved"].to_numpy(), known[["counted", "full_age"]].to_numpy(), None).params[1])
        complete.append(ols(found.y, found.x, None).params[1 + found.focal])
        imputed.append(row.estimate)
    assert np.mean(complete) - np.mean(whole) > 0.08, "the complete cases are biased, or this test would show nothing"
    assert np.mean(imputed) == pytest.approx(np.mean(whole), abs=0.04)


def test_the_row_says_what_was_imputed_and_how_certain_it_is() -> None:
    found, row = one(confounded(3))
    missing = int(found.rows["age"].isna().sum())
    assert row.model == "main:imputation"
    assert (row.term, row.n_obs) == ("counted", 400)
    assert row.note.startswith(f"imputed: {missing} of age, in 400 rows; 20 imputations, ")
    assert f"the complete cases are {400 - missing}" in row.note
    df = float(row.note.split("imputations, ")[1].split()[0])
    assert df < 397 * 398 / 400, "imputed values are not taken for known"
    assert row.p_value == pytest.approx(2 * stats.t.sf(abs(row.statistic), df), rel=1e-3)
    assert row.ci_low < row.estimate < row.ci_high


def test_seed_rows_and_the_global_state_of_numpy_decide_nothing_else() -> None:
    rows = confounded(3)
    _, first = one(rows)
    np.random.seed(12)  # noqa: NPY002
    _, again = one(rows.sample(frac=1, random_state=4))
    assert (again.estimate, again.std_error) == pytest.approx((first.estimate, first.std_error), rel=1e-9)
    (other,) = imputation(target(study(models=ADJUSTED), rows), seed=2)
    assert other.estimate != first.estimate


def test_nothing_is_made_of_what_is_complete_or_missing_by_design() -> None:
    rows = table()
    model = {"label": "M", "design": "lpm", "formula": "improved ~ counted + kind"}
    assert imputation(target(study(models={"main": model}), rows), 1) == []
    late = {**study().model_dump()["exposures"]["counted"], "landmark_days": 90}
    made = study(exposures={"counted": late}, models={"main": model})
    at_risk = rows.assign(counted=rows["counted"].where(rows["age"] > -1), counted_naive=rows["counted"])
    assert imputation(target(made, at_risk), 1) == []


def test_values_are_imputed_from_the_outcome_too() -> None:
    # Imputed from the count alone, age would be unrelated to the outcome in the rows that lack it, two in five.
    rows = confounded(5, n=900)
    gone = np.tile(np.random.default_rng(2).random(900) < 0.4, 2)
    hypothesis = study().model_dump(mode="json")["hypotheses"]["works"]
    by_age = study(models=ADJUSTED, hypotheses={"works": hypothesis | {"decided_by": {"model": "main", "term": "age"}}})
    found = target(by_age, rows.assign(age=rows["full_age"].mask(gone)))
    (row,) = imputation(found, seed=1)
    known = found.rows
    whole = ols(known["improved"].to_numpy(), known[["counted", "full_age"]].to_numpy(), None).params[2]
    assert row.estimate == pytest.approx(whole, rel=0.15)
    drawn = list(_completed(found, known, ["age", "counted"], ["age"], seed=1))
    imputed = np.array([table_.loc[gone[:900], "age"] for table_ in drawn])
    assert imputed.std() == pytest.approx(known["age"].std(), rel=0.1), "imputed values vary as observed ones do"
    assert imputed.std(axis=0).mean() > 0.7, "and from one imputation to the next"
    assert all(table_["age"][~gone[:900]].equals(known["age"][~gone[:900]]) for table_ in drawn)


@pytest.mark.parametrize(("lost", "told"), [(0.7, "too many to impute"), (0.2, "imputed: ")])
def test_an_analysis_does_not_rest_on_imputation(lost: float, told: str) -> None:
    rows = confounded(1)
    rng = np.random.default_rng(1)
    gone = np.tile(rng.random(400) < lost, 2)
    (row,) = imputation(target(study(models=ADJUSTED), rows.assign(age=rows["full_age"].mask(gone))), 1)
    assert told in row.note
    assert np.isnan(row.estimate) == (lost > 0.5)
