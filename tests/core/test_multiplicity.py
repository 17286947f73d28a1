"""P-values are adjusted within their family by the family's method, and what is lost makes no test easier."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from analysis.models.estimates import Estimate, tidy
from analysis.multiplicity import adjusted

NOTHING = tidy([], "s")


def judged(p_values: list[float], families: list[str] | None = None) -> pd.DataFrame:
    names = [f"m{i}" for i in range(len(p_values))]
    return pd.DataFrame(
        {"family": families or ["f"] * len(names), "model": names, "term": "x", "p_value": p_values}
    ).set_index(pd.Index(range(10, 10 + len(names))))


@pytest.mark.parametrize(("method", "name"), [("holm", "holm"), ("bh", "fdr_bh")])
def test_methods_are_those_of_statsmodels(method: str, name: str) -> None:
    rng = np.random.default_rng(1)
    for size in (1, 2, 5, 8):
        p_values = [*rng.beta(0.3, 1, size), 0.0, 1.0]
        found, _ = adjusted(judged(p_values), {"f": method}, NOTHING)
        np.testing.assert_allclose(found, multipletests(p_values, method=name)[1])


def test_benjamini_and_hochberg_by_hand() -> None:
    # 0.01 x 4 / 1, 0.02 x 4 / 2, 0.03 x 4 / 3, 0.5 x 4 / 4, each at most the next.
    found, told = adjusted(judged([0.02, 0.01, 0.5, 0.03]), {"f": "bh"}, NOTHING)
    assert found.tolist() == pytest.approx([0.04, 0.04, 0.5, 0.04])
    assert told.iloc[0] == "Benjamini and Hochberg (false discovery rate), 4 in the family"


@pytest.mark.parametrize(("method", "expected"), [("holm", [0.03, 0.08]), ("bh", [0.03, 0.06])])
def test_what_is_not_estimable_counts_as_one_and_says_so(method: str, expected: list[float]) -> None:
    found, told = adjusted(judged([0.01, 0.04, np.nan]), {"f": method}, NOTHING)
    assert found.iloc[:2].tolist() == pytest.approx(expected)
    assert np.isnan(found.iloc[2])
    assert told.str.contains("3 in the family, of which 1 not estimable and counted as p = 1").all()


def test_families_are_apart_and_holm_unless_said_otherwise() -> None:
    found, told = adjusted(judged([0.01, 0.04, 0.04], ["a", "b", "a"]), {"b": "bh"}, NOTHING)
    assert found.tolist() == pytest.approx([0.02, 0.04, 0.04])
    assert told.tolist() == [
        "Holm, 2 in the family", "Benjamini and Hochberg (false discovery rate), 1 in the family",
        "Holm, 2 in the family",
    ]  # fmt: skip


def resampled(*p_values: float, note: str = "") -> pd.DataFrame:
    return tidy(
        [
            Estimate(f"m{i}:romano_wolf", "robustness", "o", "x", "", estimate=1.0, p_value=p, note=note)
            for i, p in enumerate(p_values)
        ],
        "s",
    )


def test_romano_wolf_is_read_from_its_rows() -> None:
    found, told = adjusted(judged([0.01, 0.04]), {"f": "romano_wolf"}, resampled(0.013, 0.041))
    assert found.tolist() == [0.013, 0.041]
    assert told.iloc[0] == "Romano and Wolf, 2 in the family"


@pytest.mark.parametrize(
    ("p_values", "rows", "why"),
    [
        ([0.01, 0.04], resampled(0.013), "m1:x was not resampled"),
        ([0.01, 0.04], resampled(0.013, np.nan, note="not estimable: it is a hazard"), "it is a hazard"),
        ([0.01, np.nan], resampled(0.013, 0.5), "m1:x is not estimable"),
    ],
)
def test_where_a_member_cannot_be_resampled_holm_takes_over_and_says_why(
    p_values: list[float], rows: pd.DataFrame, why: str
) -> None:
    found, told = adjusted(judged(p_values), {"f": "romano_wolf"}, rows)
    assert found.iloc[0] == pytest.approx(0.02)
    assert told.str.startswith("Holm, 2 in the family").all()
    assert told.str.endswith(f"; Romano and Wolf was not possible: {why}").all()
