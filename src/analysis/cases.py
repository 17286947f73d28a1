"""Single units that are told on their own, from their own rows (notebook 04_case)."""

from __future__ import annotations

import pandas as pd

from analysis.errors import InputError, Problem, nearest
from analysis.models.descriptive import Description
from analysis.models.estimates import Estimate
from analysis.study.spec import Study


def cases(study: Study, units: pd.DataFrame, reported: pd.DataFrame, changed: pd.DataFrame) -> list[Estimate]:
    """Describe the units that a study tells on their own, and where they stand among the others.

    Parameters
    ----------
    units, reported, changed : tables `UNITS`, `ENGAGEMENT` and `CHANGE`.

    Returns
    -------
    Estimates with model `case[unit_id]`. Outcome an indicator: `values`; `largest`; `before_change`, how many values
    are surely dated before the unit's first event of the study's first outcome; and `smaller`, the share of the other
    units with this indicator whose largest value is smaller. Outcome a declared outcome: `value`, and `min_days` and
    `max_days` from launch where there was an event.

    Raises
    ------
    InputError : a name is not that of a unit.
    """
    known = set(units["unit_id"])
    if unknown := [unit for unit in study.unit.cases if unit not in known]:
        raise InputError(Problem("study", 0, "unit.cases", unit, nearest(unit, known)) for unit in unknown)
    largest = reported.groupby(["indicator", "unit_id"])["value"].max()
    rows: list[Estimate] = []
    for unit in study.unit.cases:
        changes = changed[changed["unit_id"] == unit]
        first = changes.loc[changes["outcome"] == next(iter(study.outcomes)), "event_start"].min()
        for indicator, values in reported[reported["unit_id"] == unit].groupby("indicator"):
            described = Description(f"case[{unit}]", str(indicator), rows)
            described.quantity("values", len(values), "values reported")
            described.quantity("largest", values["value"].max(), "largest value reported")
            if not pd.isna(first):
                before = int((values["end"] < first).sum())
                described.quantity("before_change", before, "values surely dated before the first change")
            others = largest[indicator].drop(unit)
            if len(others):
                below = (others < values["value"].max()).mean()
                described.quantity("smaller", below, f"share of {len(others)} others with smaller largest value")
        for _, change in changes.iterrows():
            described = Description(f"case[{unit}]", str(change["outcome"]), rows)
            described.quantity("value", change["value"], "value of the outcome")
            if change["event"]:
                described.quantity("min_days", change["min_days"], "fewest days from launch to the event")
                described.quantity("max_days", change["max_days"], "most days from launch to the event")
    return rows


def dossier(study: Study, unit: str, units: pd.DataFrame) -> pd.DataFrame:
    """Return what is coded of a unit, one attribute a row; what is empty is left out.

    Parameters
    ----------
    units : table `UNITS`.
    """
    row = units[units["unit_id"] == unit].iloc[0].drop(["unit_id", "launched_start", "launched_end"])
    known = {str(name): value for name, value in row.items() if not pd.isna(value) and value != ""}
    return pd.DataFrame({f"{study.unit.noun} {unit}": known})


def chronicle(unit: str, process: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """List what was counted of a unit and what changed for it, in the order of the first day that each may mean.

    Parameters
    ----------
    process, outcomes : the canonical tables.

    Returns
    -------
    start, end (days), time as written, what, value, value_type (of a count) or stage and direction (of a change),
    source, grade. What has no date comes last.
    """
    counted = process[process["unit_id"] == unit].assign(kind="counted")
    changed = outcomes[outcomes["unit_id"] == unit].assign(kind="changed")
    together = pd.concat([counted, changed], ignore_index=True).rename(columns={"indicator": "what"})
    columns = ["start", "end", "time", "kind", "what", "value", "value_type", "stage", "direction", "source", "grade"]
    ordered: pd.DataFrame = together.sort_values(["start", "end", "kind", "what", "source"], kind="stable")[columns]
    return ordered.astype({"stage": "Int64", "direction": "Int64"}).reset_index(drop=True)
