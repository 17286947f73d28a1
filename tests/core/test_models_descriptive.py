"""Shares, their intervals and their adjustment equal what was published."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.errors import InputError
from analysis.models.descriptive import Description
from analysis.models.estimates import Estimate, tidy


def successes(count: int, n: int) -> pd.Series:
    return pd.Series([True] * count + [False] * (n - count))


# Newcombe (1998), Two-sided confidence intervals for the single proportion, table I, method 3 (Wilson).
@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_of_a_share_as_published(count: int, n: int, low: float, high: float) -> None:
    described = Description("m", "o")
    described.share("t", successes(count, n), "share")
    (row,) = described.rows
    assert (row.estimate, row.n_obs, row.vcov) == (count / n, n, "Wilson")
    assert (row.ci_low, row.ci_high) == pytest.approx((low, high), abs=5e-5)


# Newcombe (1998), Interval estimation for the difference between independent proportions, table II, method 10.
@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 20), 0.6791, 1.0000),
        ((5, 56), (0, 29), -0.0381, 0.1926),
    ],
)
def test_newcombe_interval_of_a_difference_as_published(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    described = Description("m", "o")
    described.difference("t", successes(*first), successes(*second), "difference")
    (row,) = described.rows
    assert row.estimate == pytest.approx(first[0] / first[1] - second[0] / second[1])
    assert (row.n_obs, row.vcov) == (first[1] + second[1], "Newcombe")
    assert (row.ci_low, row.ci_high) == pytest.approx((low, high), abs=5e-5)


def test_a_quantity_that_is_estimated_twice_or_out_of_range_is_refused() -> None:
    row = Estimate("m", "lpm", "o", "t", "difference", estimate=1.0)
    with pytest.raises(InputError):
        tidy([row, row], "made_up")
    with pytest.raises(InputError, match="p_value"):
        tidy([Estimate("m", "lpm", "o", "t", "difference", p_value=1.5)], "made_up")


def test_the_estimates_table_names_the_hypothesis_that_a_row_decides() -> None:
    rows = [Estimate("m", "lpm", "o", term, "difference", n_obs=5) for term in ("t", "u")]
    table = tidy(rows, "made_up", {("m", "u"): "h"})
    assert table["hypothesis"].tolist() == ["", "h"]
    assert table["study"].tolist() == ["made_up", "made_up"]
    assert table["n_clusters"].isna().all()
