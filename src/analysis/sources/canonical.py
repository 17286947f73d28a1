"""Canonical tables from a source's columns, for adapters: what is the same in every row is said once.

Times are texts in ISO 8601 of any precision (``2014``, ``2014-05``, ``2014-05-17``), or empty where none is known.
"""

from __future__ import annotations

import pandas as pd

from analysis.dates import intervals
from analysis.tables import CONTEXT, OUTCOMES, PROCESS

Column = pd.Series | str | float
"""One value per row, or one for all rows."""


def units(unit_id: pd.Series, name: pd.Series, launched: pd.Series, **attributes: Column) -> pd.DataFrame:
    """Make the table `units`, (n, 5 + attributes); attributes are kept as text."""
    start, end = intervals(launched)
    table = pd.DataFrame({"unit_id": unit_id, "name": name, "launched": launched})
    return table.assign(launched_start=start, launched_end=end, **attributes).reset_index(drop=True)


def process(
    unit_id: pd.Series, *, indicator: Column, time: pd.Series, value: pd.Series, source: Column, counting: Column,
    std_error: Column = float("nan"), value_type: Column = "exact", scope: Column = "country", grade: Column = "A",
) -> pd.DataFrame:  # fmt: skip
    """Make the table `process`, (n, 12).

    Parameters
    ----------
    counting : `cumulative`, `flow` or `level`.
    std_error : of the value's measurement, where known.
    """
    start, end = intervals(time)
    table = pd.DataFrame({"unit_id": unit_id, "time": time, "value": value.astype("float64")}).assign(
        indicator=indicator, source=source, start=start, end=end, std_error=std_error, value_type=value_type,
        counting=counting, scope=scope, grade=grade,
    )  # fmt: skip
    return table[list(PROCESS.columns)].reset_index(drop=True)


def outcomes(
    unit_id: pd.Series, *, indicator: Column, time: pd.Series, stage: Column, direction: Column, source: Column,
    observed_until: pd.Series, value: Column = 1.0, grade: Column = "A",
) -> pd.DataFrame:  # fmt: skip
    """Make the table `outcomes`, (n, 13).

    Parameters
    ----------
    indicator : `none_observed` where a unit was followed without an event; its stage and direction are 0.
    observed_until : last time that the source speaks for.
    """
    start, end = intervals(time)
    observed_start, observed_end = intervals(observed_until)
    table = pd.DataFrame({"unit_id": unit_id, "time": time, "observed_until": observed_until}).assign(
        indicator=indicator, start=start, end=end, value=value, stage=stage, direction=direction,
        observed_start=observed_start, observed_end=observed_end, grade=grade, source=source,
    )  # fmt: skip
    return table[list(OUTCOMES.columns)].reset_index(drop=True)


def context(unit_id: pd.Series, *, time: pd.Series, variable: Column, value: Column) -> pd.DataFrame:
    """Make the table `context`, (n, 6)."""
    start, end = intervals(time)
    table = pd.DataFrame({"unit_id": unit_id, "time": time}).assign(
        variable=variable, start=start, end=end, value=value
    )
    return table[list(CONTEXT.columns)].reset_index(drop=True)


def no_context() -> pd.DataFrame:
    """Make the table `context` of a source that has none, (0, 6)."""
    return pd.DataFrame(columns=list(CONTEXT.columns))
