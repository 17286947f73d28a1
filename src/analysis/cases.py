"""Single units that a report tells on their own (notebook 04)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.errors import InputError, Problem, nearest
from analysis.models.descriptive import Description
from analysis.models.estimates import Estimate


def cases(told: Sequence[str], units: pd.DataFrame, reported: pd.DataFrame, changed: pd.DataFrame) -> list[Estimate]:
    """Describe chosen units, so that prose can name their numbers.

    Parameters
    ----------
    told : `unit_id` of each.
    units, reported, changed : tables `UNITS`, `ENGAGEMENT` and `CHANGE`.

    Returns
    -------
    Estimates with model `case[unit_id]`. Outcome an indicator: terms `values` and `largest`. Outcome a declared
    outcome: `value`, and `min_days` and `max_days` from launch where there was an event.

    Raises
    ------
    InputError : a name is not that of a unit.
    """
    known = set(units["unit_id"])
    if unknown := [unit for unit in told if unit not in known]:
        raise InputError(Problem("study", 0, "unit.cases", unit, nearest(unit, known)) for unit in unknown)
    rows: list[Estimate] = []
    for unit in told:
        for indicator, values in reported[reported["unit_id"] == unit].groupby("indicator"):
            described = Description(f"case[{unit}]", str(indicator), rows)
            described.quantity("values", len(values), "values reported")
            described.quantity("largest", values["value"].max(), "largest value reported")
        for _, change in changed[changed["unit_id"] == unit].iterrows():
            described = Description(f"case[{unit}]", str(change["outcome"]), rows)
            described.quantity("value", change["value"], "value of the outcome")
            if change["event"]:
                described.quantity("min_days", change["min_days"], "fewest days from launch to the event")
                described.quantity("max_days", change["max_days"], "most days from launch to the event")
    return rows
