"""Outcome indicators: what changed, on which rung of the ladder, and when (notebook 03)."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analysis.errors import InputError, Problem
from analysis.models.descriptive import Description
from analysis.models.estimates import Estimate
from analysis.panel import one_outcome_by_period
from analysis.study.spec import Grain, Outcome
from analysis.tables import STAGES, checked


def change(
    outcomes: pd.DataFrame, units: pd.DataFrame, declared: Mapping[str, Outcome], grain: Grain | None = None
) -> pd.DataFrame:
    """Reduce coded outcomes to one value per unit and declared outcome, with the interval of its first event.

    A unit without any outcome row is missing here, which is not the same as no change. An event that its source does
    not date happened between launch and the last date the source speaks for.

    Parameters
    ----------
    outcomes, units : canonical tables.
    declared : name and definition of the study's outcomes.
    grain : length of a period where units are observed over time; then there is one value per period.

    Returns
    -------
    Table `CHANGE`. `value` is 0 or 1 (binary), the highest stage reached (ordinal), the number of events (count), or
    the mean of the measured levels (continuous). `min_days` and `max_days` bound the days from launch to the first
    event or, without one, to the last day observed. By period, see `analysis.panel.one_outcome_by_period`.

    Raises
    ------
    InputError : no unit has an outcome row.
    """
    if outcomes.empty:
        rule = "no unit has an outcome row; enter `none_observed` for units that were followed without an event"
        raise InputError([Problem("outcomes", 0, "", "", rule)])
    followed = outcomes.merge(
        units[["unit_id", "launched_start", "launched_end"]], on="unit_id", validate="many_to_one"
    )
    followed["start"] = followed["start"].fillna(followed["launched_start"])
    followed["end"] = followed["end"].fillna(followed["observed_end"])
    if grain is None:
        found = [_one_outcome(followed, name, spec) for name, spec in declared.items()]
    else:
        found = [one_outcome_by_period(followed, name, spec, grain) for name, spec in declared.items()]
    return checked(pd.concat(found), "change")


def _one_outcome(followed: pd.DataFrame, name: str, spec: Outcome) -> pd.DataFrame:
    if spec.type == "continuous":
        of_outcome = spec.indicators or followed["indicator"].unique()
        followed = followed[followed["indicator"].isin(of_outcome)]
    by_unit = followed.groupby("unit_id")
    rows = by_unit[["launched_start", "launched_end"]].first()
    rows[["observed_start", "observed_end"]] = by_unit[["observed_start", "observed_end"]].max()

    counts = (followed["direction"] == spec.direction) & (followed["stage"] >= spec.min_stage)
    if spec.indicators is not None:
        counts &= followed["indicator"].isin(spec.indicators)
    events = followed[counts].groupby("unit_id")
    rows["stage"] = events["stage"].max().reindex(rows.index, fill_value=0)
    rows["event"] = rows["stage"] > 0
    first_start, first_end = events["start"].min(), events["end"].min()
    undated = rows.index.isin(followed.loc[counts & followed["start"].isna(), "unit_id"])
    rows["event_start"] = first_start.reindex(rows.index).mask(undated)
    rows["event_end"] = first_end.reindex(rows.index)

    values = {
        "binary": rows["event"],
        "ordinal": rows["stage"],
        "count": events.size().reindex(rows.index, fill_value=0),
        "continuous": by_unit["value"].mean(),
    }
    rows["value"] = values[spec.type].astype("float64")
    ended_start = rows["event_start"].where(rows["event"], rows["observed_start"])
    ended_end = rows["event_end"].where(rows["event"], rows["observed_end"])
    rows["min_days"] = (ended_start - rows["launched_end"]).dt.days.clip(lower=0)
    rows["max_days"] = (ended_end - rows["launched_start"]).dt.days
    rows["before_launch"] = rows["event_end"] < rows["launched_start"]
    rows.loc[rows["before_launch"], ["min_days", "max_days"]] = float("nan")
    columns = ["value", "event", "stage", "event_start", "event_end", "observed_start", "observed_end"]
    rows = rows[[*columns, "min_days", "max_days", "before_launch"]].reset_index()
    rows.insert(1, "outcome", name)
    rows.insert(2, "period", "")
    return rows


def ladder(outcomes: pd.DataFrame, units: pd.DataFrame, frame: pd.Series) -> list[Estimate]:
    """Count, by sampling frame, the units that reached each rung, moved against the demand, or were not followed.

    Parameters
    ----------
    outcomes, units : canonical tables.
    frame : (units,) name of each unit's sampling frame, indexed by `unit_id`.

    Returns
    -------
    Estimates with model `ladder[frame]`: terms `stage_1` to `stage_5` (share of followed units with an event of that
    stage towards the demand), `highest_1` to `highest_5` and `highest_0` (highest stage), `measured_1` to `measured_5`
    (a level of that stage, such as a score, where there is one), `against` (any event against the demand), `followed`,
    `missing` (no outcome row) and `units`.

    References
    ----------
    Keck and Sikkink (1998), Activists beyond Borders, ch. 1.
    """
    rows: list[Estimate] = []
    for name, ids in frame.groupby(frame).groups.items():
        described = Description(f"ladder[{name}]", "stage", rows)
        in_frame = outcomes[outcomes["unit_id"].isin(ids)]
        towards = in_frame[in_frame["direction"] == 1]
        all_units = units.loc[units["unit_id"].isin(ids), "unit_id"]
        followed = pd.Series(in_frame["unit_id"].unique())
        highest = followed.map(towards.groupby("unit_id")["stage"].max()).fillna(0)
        for stage, label in STAGES.items():
            at_stage = followed.isin(towards.loc[towards["stage"] == stage, "unit_id"])
            described.share(
                f"stage_{stage}", at_stage, f"share of followed units with an event of stage {stage}, {label}"
            )
            estimand = f"share of followed units whose highest stage is {stage}, {label}"
            described.share(f"highest_{stage}", highest == stage, estimand)
        described.share("highest_0", highest == 0, "share of followed units without progress")
        for stage, label in STAGES.items():
            measured = followed.isin(
                in_frame.loc[(in_frame["stage"] == stage) & (in_frame["direction"] == 0), "unit_id"]
            )
            if measured.any():
                estimand = f"share of followed units with a measured level of stage {stage}, {label}"
                described.share(f"measured_{stage}", measured, estimand)
        against = followed.isin(in_frame.loc[in_frame["direction"] == -1, "unit_id"])
        described.share("against", against, "share of followed units with an event against the demand")
        described.quantity("units", len(all_units), "units")
        described.share("followed", all_units.isin(followed), "share of units with an outcome row")
        described.share("missing", ~all_units.isin(followed), "share of units without an outcome row")
    return rows
