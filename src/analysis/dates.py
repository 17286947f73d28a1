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
