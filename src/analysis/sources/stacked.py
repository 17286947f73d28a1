"""Undoing the stacking of a panel by cohort, which repeats a unit for every cohort that it is compared with."""

from __future__ import annotations

import pandas as pd

from analysis.dates import period_numbers
from analysis.errors import InputError, Problem

QUARTER = ["unit_id", "qtr"]


def quarter_numbers(written: pd.Series) -> pd.Series:
    """Number quarters that are written 20143 for the third of 2014, (n,) int64, as `analysis.dates` does."""
    month = (written % 10 * 3).astype("str").str.zfill(2)
    day = pd.to_datetime((written // 10).astype("str") + "-" + month + "-01")
    return period_numbers(day, day, "quarter").astype("int64")


def unstacked(stack: pd.DataFrame, name: str) -> pd.DataFrame:
    """Reduce a panel that is stacked by cohort to one row per unit and quarter.

    Parameters
    ----------
    stack : (n, k) with `unit_id`, `qtr` (written 20143) and `event`, the cohort whose comparison a row belongs to.
    name : of the file, for errors.

    Returns
    -------
    (m, k) with the number `quarter` in place of `event`, sorted by unit and quarter.

    Raises
    ------
    InputError : repeated rows differ in any column but `event`, a row is there twice, or a unit has a gap.
    """
    values = [column for column in stack if column not in ("event", *QUARTER)]
    ranked = stack.sort_values([*QUARTER, "event"], kind="stable", ignore_index=True)
    first = ranked.groupby(QUARTER, sort=False)[values].transform("first")
    same = (ranked[values] == first) | (ranked[values].isna() & first.isna())
    twice = ranked.duplicated([*QUARTER, "event"])
    panel = ranked.drop(columns="event").drop_duplicates(QUARTER, ignore_index=True)
    panel["quarter"] = quarter_numbers(panel["qtr"])
    gap = panel.groupby("unit_id")["quarter"].diff().gt(1)
    wrong = [
        *((column, ranked[~same[column]], "differs between the cohorts that repeat this quarter") for column in values),
        ("event", ranked[twice], "holds this quarter twice"),
        ("qtr", panel[gap], "does not follow the unit's quarter before it"),
    ]
    problems = [
        Problem(name, 0, str(column), f"{row.unit_id} {row.qtr}", rule)
        for column, rows, rule in wrong
        for row in rows[QUARTER].drop_duplicates().itertuples()
    ]
    if problems:
        raise InputError(problems)
    return panel
