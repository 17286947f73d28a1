"""ISO 8601 dates of reduced precision, as the interval of days that they stand for.

A source that says "May 2014" dates an event to one of 31 days. Keeping the interval, and comparing intervals, avoids
the made-up first or fifteenth of the month.
"""

from __future__ import annotations

import re
from datetime import date

import pandas as pd

PATTERN = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")
_FREQUENCY = {4: "Y", 7: "M", 10: "D"}
PRECISION = {4: "year", 7: "month", 10: "day", 0: ""}


def is_date(text: str) -> bool:
    """Say whether a text is a calendar date written YYYY, YYYY-MM or YYYY-MM-DD, of the years 1678 to 2261.

    These are the whole years that nanoseconds can count, and a date outside them is a slip of the keyboard.
    """
    if not PATTERN.fullmatch(text):
        return False
    try:
        first_day = date.fromisoformat((text + "-01-01")[:10])
    except ValueError:
        return False
    return pd.Timestamp.min.year < first_day.year < pd.Timestamp.max.year


def precision(text: str) -> str:
    """Name the precision of a date that `is_date` accepts: day, month or year; empty for an empty text."""
    return PRECISION[len(text)]


def intervals(times: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return the first and the last day that each date may mean.

    Parameters
    ----------
    times : (n,) texts that `is_date` accepts, or empty.

    Returns
    -------
    start, end : (n,) datetime64[ns], missing where the text is empty; equal where the precision is a day.
    """
    start = pd.Series(pd.NaT, index=times.index, dtype="datetime64[ns]")
    end = start.copy()
    for length, frequency in _FREQUENCY.items():
        rows = times.str.len() == length
        periods = pd.PeriodIndex(times[rows], freq=frequency)
        start[rows] = periods.start_time.as_unit("ns")
        end[rows] = periods.end_time.normalize().as_unit("ns")
    return start, end


_CODES = {"day": "D", "month": "M", "quarter": "Q", "year": "Y"}
_WRITTEN = {"day": "%Y-%m-%d", "month": "%Y-%m", "quarter": "%Y-Q%q", "year": "%Y"}


def period_numbers(start: pd.Series, end: pd.Series, grain: str) -> pd.Series:
    """Return the number of the period that wholly contains each interval of days.

    Parameters
    ----------
    start, end : (n,) first and last day; missing where there is no date.
    grain : day, month, quarter or year.

    Returns
    -------
    (n,) Int64, consecutive in time; missing where the interval is, or spans several periods.
    """
    first, last = (pd.PeriodIndex(day, freq=_CODES[grain]) for day in (start, end))
    inside = (first == last) & start.notna().to_numpy()
    return pd.Series(first.asi8, index=start.index, dtype="Int64").where(pd.Series(inside, index=start.index))


def period_names(numbers: pd.Series, grain: str) -> pd.Series:
    """Write periods as 2014, 2014-Q3, 2014-05 or 2014-05-17, so that texts sort in time.

    Parameters
    ----------
    numbers : (n,) as `period_numbers` gives them, none missing.
    """
    each = numbers.drop_duplicates().astype("int64")
    written = _periods(each, grain).strftime(_WRITTEN[grain])
    return numbers.astype("int64").map(dict(zip(each, written, strict=True))).astype("str")


def _periods(numbers: pd.Series, grain: str) -> pd.PeriodIndex:
    found: pd.PeriodIndex = pd.PeriodIndex.from_ordinals(numbers.to_numpy("int64"), freq=_CODES[grain])  # type: ignore[attr-defined]
    return found


def period_bounds(numbers: pd.Series, grain: str) -> tuple[pd.Series, pd.Series]:
    """Return the first and the last day of periods given by `period_numbers`, (n,) datetime64[ns] each."""
    periods = _periods(numbers, grain)
    first, last = periods.start_time.as_unit("ns"), periods.end_time.normalize().as_unit("ns")
    return pd.Series(first, index=numbers.index), pd.Series(last, index=numbers.index)


def numbered(periods: pd.Series) -> pd.Series:
    """Count periods written by `period_names`: consecutive whole numbers in calendar time, (n,) int64."""
    grain = {4: "year", 7: "month", 10: "day"}[len(periods.iloc[0])]
    grain = "quarter" if "Q" in periods.iloc[0] else grain
    each = periods.drop_duplicates()
    found = pd.PeriodIndex(each.str.replace("-Q", "Q"), freq=_CODES[grain]).asi8
    return periods.map(dict(zip(each, found, strict=True))).astype("int64")
