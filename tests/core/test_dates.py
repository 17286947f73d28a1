"""Dates of reduced precision stand for exactly the days that they may mean."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.dates import intervals, is_date, precision

WRITTEN = {"year": 4, "month": 7, "day": 10}
days = st.dates(date(1900, 1, 1), date(2199, 12, 31))


@given(days, st.sampled_from(list(WRITTEN)))
@settings(max_examples=50, deadline=None)
def test_an_interval_holds_the_days_whose_iso_date_begins_so_and_no_other(day: date, how: str) -> None:
    text = day.isoformat()[: WRITTEN[how]]
    (start,), (end,) = intervals(pd.Series([text], dtype="str"))
    first, last = start.date(), end.date()
    assert is_date(text)
    assert precision(text) == how
    assert first <= day <= last
    assert first.isoformat().startswith(text)
    assert last.isoformat().startswith(text)
    assert not (first - timedelta(days=1)).isoformat().startswith(text)
    assert not (last + timedelta(days=1)).isoformat().startswith(text)


@pytest.mark.parametrize(
    "text",
    [
        "2014-02-30", "2015-02-29", "2014-13", "2014-00", "2014-04-31", "2014-2", "14-02-03", "2014/02/03",
        "2014-02-03 ", "2014-02-03T00:00", "03-02-2014", "May 2014", "٢٠١٤", "２０１４", "", "nan", "-2014",
        "0214", "1518-12", "9999",
    ],
)  # fmt: skip
def test_what_is_no_calendar_date_of_our_time_is_refused(text: str) -> None:
    assert not is_date(text)


@pytest.mark.parametrize("text", ["1678", "1900-02-28", "2000-02-29", "2261-12-31"])
def test_every_accepted_date_has_an_interval(text: str) -> None:
    assert is_date(text)
    start, end = intervals(pd.Series([text]))
    assert start[0] <= end[0]


def test_an_empty_date_is_missing_and_the_index_is_kept() -> None:
    times = pd.Series(["2014", "", "2014-05-06", "2014-05"], index=[7, 7, 3, 0], dtype="str")
    start, end = intervals(times)
    assert list(start.index) == list(end.index) == [7, 7, 3, 0]
    assert [None if pd.isna(d) else str(d.date()) for d in start] == ["2014-01-01", None, "2014-05-06", "2014-05-01"]
    assert [None if pd.isna(d) else str(d.date()) for d in end] == ["2014-12-31", None, "2014-05-06", "2014-05-31"]
    assert str(start.dtype) == str(end.dtype) == "datetime64[ns]"


def test_no_dates_have_no_intervals() -> None:
    start, end = intervals(pd.Series([], dtype="str"))
    assert start.empty
    assert end.empty
