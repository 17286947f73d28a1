"""How numbers read."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.report.formats import count, interval, number, p_value, percent, points, sentence


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (number(-0.0434), "−0.043"),
        (number(0.0), "0.000"),
        (number(-0.0000421), "−4.2×10^−5^"),
        (number(123456.7), "123\u202f457"),
        (number(float("nan")), "not estimable"),
        (number(float("inf")), "∞"),
        (points(-0.1234), "−12.3\u00a0percentage points"),
        (points(-0.0001), "0.0\u00a0percentage points"),
        (percent(0.0862), "8.6%"),
        (percent(None), "not estimable"),
        (count(1234567), "1\u202f234\u202f567"),
        (count(pd.NA), "not estimable"),
        (p_value(0.0004), "*p*\u00a0<\u00a00.001"),
        (p_value(0.0341), "*p*\u00a0=\u00a00.034"),
        (interval(-0.1, 0.2, points), "−10.0 to 20.0\u00a0percentage points"),
        (interval(float("nan"), 0.2), "up to 0.200"),
        (interval(0.1, 0.2, percent), "10.0 to 20.0%"),
        (sentence("the interval is wide"), "The interval is wide."),
    ],
)
def test_number_is_written(written, expected):
    assert written.replace("\\", "") == expected
