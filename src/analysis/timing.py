"""Do counts come before success, or does success bring the counts? (notebook 04)"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.models.descriptive import Description
from analysis.models.estimates import Estimate
from analysis.study.spec import Study

ORDERS = ["before", "order uncertain", "after", "undated", "no improvement"]


def timing(reported: pd.DataFrame, first_change: pd.DataFrame) -> pd.DataFrame:
    """Say of every reported value whether it is dated before the unit's first improvement.

    Parameters
    ----------
    reported : table `ENGAGEMENT`.
    first_change : rows of table `CHANGE` of one outcome.

    Returns
    -------
    `reported` with `order` (one of `ORDERS`) and `days_after` (shortest number of days from improvement to value in
    line with both dates; negative where the value comes first; missing where the order is not `before` or `after`).
    `before`: the value's whole period of uncertainty ends before the improvement's begins.
    """
    limits = first_change.set_index("unit_id")
    event = reported["unit_id"].map(limits["event"]).eq(True)
    event_start = reported["unit_id"].map(limits["event_start"])
    event_end = reported["unit_id"].map(limits["event_end"])
    before = reported["end"] < event_start
    after = reported["start"] > event_end
    order = np.select(
        [~event, ~reported["dated"], before, after],
        ["no improvement", "undated", "before", "after"],
        "order uncertain",
    )
    lead, lag = (reported["end"] - event_start).dt.days, (reported["start"] - event_end).dt.days
    return reported.assign(
        order=order, days_after=np.select([order == "before", order == "after"], [lead, lag], np.nan)
    )


def counts_follow_success(reported: pd.DataFrame, first_change: pd.DataFrame, frame: pd.Series) -> list[Estimate]:
    """Describe by sampling frame how reporting and improvement go together.

    Parameters
    ----------
    reported, first_change : as in `timing`.
    frame : (units,) name of each unit's sampling frame, indexed by `unit_id`.

    Returns
    -------
    Estimates with model `timing[frame]`. Of the reported values: `values`, and shares by order (`before`,
    `order_uncertain`, `after`, `undated`, `no_improvement`). Of the improved units with a value:
    `units_before` (share with a value surely before). Of the followed units: `improved_if_counted`,
    `improved_if_uncounted`, and their difference `improved_difference`.
    """
    ordered = timing(reported, first_change)
    rows: list[Estimate] = []
    for name, ids in frame.groupby(frame).groups.items():
        described = Description(f"timing[{name}]", str(first_change["outcome"].iloc[0]), rows)
        values = ordered[ordered["unit_id"].isin(ids)]
        described.quantity("values", len(values), "values reported")
        for order in ORDERS:
            described.share(order.replace(" ", "_"), values["order"] == order, f"share of reported values: {order}")
        followed = first_change[first_change["unit_id"].isin(ids)]
        counted = followed["unit_id"].isin(values["unit_id"])
        improved = followed["event"]
        before = followed["unit_id"].isin(values.loc[values["order"] == "before", "unit_id"])
        estimand = "share of improved units with a value, one of them surely before the improvement"
        described.share("units_before", before[counted & improved], estimand)
        described.share("improved_if_counted", improved[counted], "share improved, with a value")
        described.share("improved_if_uncounted", improved[~counted], "share improved, without a value")
        estimand = "difference in the share improved, with a value minus without"
        described.difference("improved_difference", improved[counted], improved[~counted], estimand)
    return rows


def sample_flow(table: pd.DataFrame, frame: pd.Series) -> list[Estimate]:
    """Count, by outcome and sampling frame, the rows from the first to those analysed, with the reason of each loss.

    A row is a unit or, where units are observed over time, a unit in a period.

    Parameters
    ----------
    table : the analysis table.
    frame : (units,) name of each unit's sampling frame, indexed by `unit_id`.

    Returns
    -------
    Estimates with model `flow[frame]`, terms `units`, `no_outcome_row`, `outcome_before_launch` and `at_risk`.
    """
    rows: list[Estimate] = []
    what = "unit-periods" if (table["period"] != "").any() else "units"
    for (name, outcome), units in table.groupby([table["unit_id"].map(frame), "outcome"]):
        described = Description(f"flow[{name}]", str(outcome), rows)
        described.quantity("units", len(units), what)
        for reason in ("no outcome row", "outcome before launch"):
            lost = units["excluded"] == reason
            described.quantity(reason.replace(" ", "_"), lost.sum(), f"{what} excluded: {reason}")
        described.quantity("at_risk", (units["excluded"] == "").sum(), f"{what} analysed")
    return rows


def exposed(study: Study, table: pd.DataFrame, frame: pd.Series) -> list[Estimate]:
    """Describe, by outcome and sampling frame, how many of the units that a model compares are exposed at all.

    Parameters
    ----------
    table : the analysis table.
    frame : (units,) sampling frame of each unit, indexed by `unit_id`.

    Returns
    -------
    Estimates with model `exposed[frame]` and the study's exposures that are 0 or 1 as terms: share exposed of the
    analysed units in the exposure's risk set, under its declared time order; where units are observed over time, share
    exposed in any period.
    """
    present = {name: spec for name, spec in study.exposures.items() if spec.transform == "present"}
    rows: list[Estimate] = []
    analysed = table[table["excluded"] == ""]
    for (name, outcome), units in analysed.groupby([analysed["unit_id"].map(frame), "outcome"]):
        described = Description(f"exposed[{name}]", str(outcome), rows)
        for exposure, spec in present.items():
            ever = units.groupby("unit_id")[exposure].max().dropna() == 1
            described.share(exposure, ever, f"share of units with {spec.label}")
    return rows
