"""What `make bench` prints is computed from what it measured, and both ways that it compares have the same numbers."""

from __future__ import annotations

import pytest

from analysis.bench.__main__ import page
from analysis.bench.estimators import bootstrap, fixed_effects
from analysis.bench.ratio import Ratio
from analysis.bench.runs import FORKED, OURS


def test_a_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_medians() -> None:
    times = {"papermill": [40.0, 30.0, 80.0], FORKED: [5.0, 10.0, 20.0], OURS: [10.0, 10.0, 10.0]}
    text = page(
        times,
        [(30.0, 20.0), (30.0, 25.0), (30.0, 30.0)],
        {"nothing": 0.25},
        [Ratio("fits", "a loop", "s", 1, 4, 1e-12, 0.5)],
    )
    assert "| papermill | 40.00 | 4.00 |" in text
    assert f"| {FORKED} | 10.00 | 1.00 |" in text
    assert f"This run takes 1.00 times the {FORKED}." in text
    assert "| `make` | 30.0 | 1.20 |" in text
    assert "| nothing | 0.25 |" in text
    assert "| fits | a loop | 1.00 s | 4.00 s | 0.25 | 0.5 | 1e-12 |" in text


@pytest.mark.slow
def test_both_ways_have_the_same_numbers() -> None:
    for ratio in (bootstrap(), *fixed_effects(20_000)):
        assert ratio.difference < 0.01 if "bootstrap" in ratio.what else ratio.difference < 1e-7, ratio
        assert ratio.ours > 0
