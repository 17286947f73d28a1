"""Worst-case bounds and their interval, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import bisect
from scipy.stats import norm

from analysis.models.bounds import manski_bounds
from analysis.models.design_matrix import NotEstimableError
from analysis.models.estimates import Estimate


def table(exposed: tuple[int, int, int], unexposed: tuple[int, int, int]) -> pd.DataFrame:
    """Build rows of units: numbers of ones, zeros and missing outcomes in each group."""
    rows = [
        (exposure, value)
        for exposure, counts in ((1.0, exposed), (0.0, unexposed))
        for value, count in zip((1.0, 0.0, np.nan), counts, strict=True)
        for _ in range(count)
    ]
    return pd.DataFrame(rows, columns=["counted", "improved"]).assign(unit_id=[f"u{i}" for i in range(len(rows))])


def bounds(rows: pd.DataFrame) -> dict[str, Estimate]:
    return {row.term: row for row in manski_bounds(rows, "counted", "m", "improved")}


def test_missing_outcomes_are_set_to_the_worst_case_in_turn() -> None:
    found = bounds(table((6, 2, 2), (3, 6, 1)))
    lower, upper = found["counted:lower"], found["counted:upper"]
    assert lower.estimate == pytest.approx(6 / 10 - 4 / 10)
    assert upper.estimate == pytest.approx(8 / 10 - 3 / 10)
    lower_error = math.sqrt(0.6 * 0.4 / 10 + 0.4 * 0.6 / 10)
    upper_error = math.sqrt(0.8 * 0.2 / 10 + 0.3 * 0.7 / 10)
    assert (lower.std_error, upper.std_error) == pytest.approx((lower_error, upper_error))
    # Imbens and Manski (2004), eq. 7: the quantile c with Phi(c + width / larger error) - Phi(-c) = 0.95.
    width = 0.3 / max(lower_error, upper_error)
    critical = bisect(lambda c: norm.cdf(c + width) - norm.cdf(-c) - 0.95, 1, 3)
    assert lower.ci_low == pytest.approx(0.2 - critical * lower_error)
    assert upper.ci_high == pytest.approx(0.5 + critical * upper_error)
    assert np.isnan([lower.ci_high, upper.ci_low]).all()
    assert lower.note == "3 of 20 outcomes are missing and set to the worst case"
    assert (lower.n_obs, lower.n_units, lower.vcov) == (20, 20, "Imbens–Manski")


@pytest.mark.parametrize(("missing", "quantile"), [(0, 0.975), (10_000, 0.95)])
def test_the_interval_is_two_sided_without_and_one_sided_with_many_missing_outcomes(
    missing: int, quantile: float
) -> None:
    found = bounds(table((60, 40, missing), (30, 70, missing)))
    lower, upper = found["counted:lower"], found["counted:upper"]
    assert bool(lower.estimate == upper.estimate) is (missing == 0)
    assert (lower.estimate - lower.ci_low) / lower.std_error == pytest.approx(norm.ppf(quantile), abs=1e-6)


def test_the_bounds_hold_whatever_the_missing_outcomes_were() -> None:
    rows = table((6, 2, 4), (3, 6, 4))
    found = bounds(rows)
    random = np.random.default_rng(3)
    for _ in range(50):
        filled = rows["improved"].where(rows["improved"].notna(), random.integers(0, 2, len(rows)))
        by_group = filled.groupby(rows["counted"]).mean()
        difference = by_group[1.0] - by_group[0.0]
        assert found["counted:lower"].estimate - 1e-12 <= difference <= found["counted:upper"].estimate + 1e-12


def test_the_order_of_rows_changes_no_bound() -> None:
    rows = table((6, 2, 4), (3, 6, 4))
    mixed = bounds(rows.sample(frac=1, random_state=1).set_axis([0] * len(rows)))
    for term, row in bounds(rows).items():
        assert (mixed[term].estimate, mixed[term].std_error) == pytest.approx((row.estimate, row.std_error))


def test_certain_outcomes_have_no_error() -> None:
    found = bounds(table((5, 0, 0), (0, 5, 0)))
    assert found["counted:lower"].ci_low == found["counted:upper"].ci_high == 1.0


@pytest.mark.parametrize("rows", [table((5, 5, 0), (0, 0, 0)), table((0, 0, 0), (0, 0, 0))])
def test_without_both_groups_there_is_nothing_to_compare(rows: pd.DataFrame) -> None:
    with pytest.raises(NotEstimableError, match=f"counted is the same in all {len(rows)} rows"):
        manski_bounds(rows, "counted", "m", "improved")
