"""How large are the threats that every study has: delays that hide change, and engagement that reaches others? (04)"""

from __future__ import annotations

import pandas as pd

from analysis.models.descriptive import Description
from analysis.models.estimates import Estimate
from analysis.study.spec import Study

NEAR_DAYS = 30
"""Units of one group that begin within so many days of each other may be parts of one wave."""


def delay(study: Study, reported: pd.DataFrame, changed: pd.DataFrame, frame: pd.Series) -> list[Estimate]:
    """Describe how long change took, and how many units were lost from sight before any.

    Where units are observed over time, of the outcomes that stay once they are reached: only these have a delay.

    Parameters
    ----------
    reported, changed : tables `ENGAGEMENT` and `CHANGE`.
    frame : (units,) sampling frame of each unit, indexed by `unit_id`.

    Returns
    -------
    Estimates with model `delay[frame]` and a binary outcome. Terms: `censored`, share of followed units without the
    event; `days_to_change`, median days from launch to the event of those with one; `days_followed`, median days that
    those without one were followed; `days_from_engagement`, median days from the first dated value above zero to the
    event, negative where the value comes later. The middle stands for a date that is not to the day. Medians leave out
    whom nothing happened to: they say how fast change was where it came, not how fast it comes.
    """
    over_time = study.unit.grain is not None
    seen = reported[reported["dated"] & (reported["value"] > 0) & (reported["counting"] != "level")]
    first_seen = _middle(seen["start"], seen["end"]).groupby(seen["unit_id"]).min()
    rows: list[Estimate] = []
    for outcome, spec in study.outcomes.items():
        if spec.type != "binary" or (over_time and not spec.persists):
            continue
        of_outcome = changed[(changed["outcome"] == outcome) & ~changed["before_launch"]]
        first = of_outcome.sort_values(["event", "event_end"], ascending=[False, True], kind="stable")
        first = first.drop_duplicates("unit_id").sort_values("unit_id")
        for name, units in first.groupby(first["unit_id"].map(frame)):
            described = Description(f"delay[{name}]", outcome, rows)
            event = units["event"]
            described.share("censored", ~event, f"share of followed units never seen to reach it: {spec.label}")
            if not over_time:
                days = (units["min_days"] + units["max_days"]) / 2
                described.median("days_to_change", days[event], f"median days from launch to it: {spec.label}")
                described.median("days_followed", days[~event], f"median days followed without it: {spec.label}")
            since = _middle(units["event_start"], units["event_end"]) - units["unit_id"].map(first_seen)
            estimand = f"median days from the first dated engagement to it: {spec.label}"
            described.median("days_from_engagement", since.dt.total_seconds()[event] / 86400, estimand)
    return rows


def interference(study: Study, units: pd.DataFrame, table: pd.DataFrame, frame: pd.Series) -> list[Estimate]:
    """Describe how many units have a neighbour, another of the same group, and how many an exposed one.

    Where neighbours' engagement acts too, exposed units are not what one exposed unit alone would be, and unexposed
    ones with an exposed neighbour are not unexposed.

    Parameters
    ----------
    units : canonical table.
    table : the analysis table; of the study's first outcome.
    frame : (units,) sampling frame of each unit, indexed by `unit_id`.

    Returns
    -------
    Estimates with model `interference[frame]`, for every attribute that a model clusters by, or has fixed effects of by
    period, and every exposure that is 0 or 1. Terms: `<exposure>:<attribute>:exposed` and
    `<exposure>:<attribute>:unexposed`, the share of exposed and of unexposed units with an exposed neighbour (over
    time: of unit-periods, in the same period, without an interval, as a unit's are no independent draws). Where units
    are observed once, `<attribute>:launched_near`, the share of units with a neighbour launched on the same day or in
    the thirty days before.

    References
    ----------
    Hudgens and Halloran (2008), Toward causal inference with interference.
    """
    outcome = next(iter(study.outcomes))
    analysed = table[(table["excluded"] == "") & (table["outcome"] == outcome)]
    over_time = study.unit.grain is not None
    rows: list[Estimate] = []
    launched = units.set_index("unit_id")["launched_start"]
    for name, in_frame in analysed.groupby(analysed["unit_id"].map(frame)):
        described = Description(f"interference[{name}]", outcome, rows)
        for attribute in _groups(study, in_frame):
            if not over_time:
                near = _launched_near(in_frame[attribute], in_frame["unit_id"].map(launched))
                estimand = (
                    f"share of units with a neighbour of the same {attribute} begun up to {NEAR_DAYS} days before"
                )
                described.share(f"{attribute}:launched_near", near, estimand)
            for exposure, spec in study.exposures.items():
                known = in_frame.dropna(subset=[exposure])
                if spec.transform != "present" or known.empty:
                    continue
                exposed = known[exposure] == 1
                others = exposed.groupby([known[attribute], known["period"]]).transform("sum") - exposed
                for side, chosen in (("exposed", exposed), ("unexposed", ~exposed)):
                    estimand = (
                        f"share of {side} {'unit-periods' if over_time else 'units'} with an exposed neighbour of the "
                        f"same {attribute}; exposed: {spec.label}"
                    )
                    term = f"{exposure}:{attribute}:{side}"
                    if over_time and chosen.any():
                        described.quantity(term, float((others[chosen] > 0).mean()), estimand, int(chosen.sum()))
                    else:
                        described.share(term, others[chosen] > 0, estimand)
    return rows


def _groups(study: Study, units: pd.DataFrame) -> list[str]:
    """Return the attributes whose groups share errors, or are compared within each period."""
    named = {name for model in study.models.values() for name in model.cluster}
    by_period = [set(effect.split("^")) for model in study.models.values() for effect in model.absorb]
    named |= {name for effect in by_period if "period" in effect for name in effect}
    candidates = [name for name in study.unit.attributes if name in named]
    return [name for name in candidates if 1 < units[name].nunique() < units["unit_id"].nunique()]


def _launched_near(group: pd.Series, launched: pd.Series) -> pd.Series:
    """Say of each unit of known launch, (n,), whether another of its group began shortly before, or that very day."""
    known = pd.DataFrame({"group": group, "launched": launched}).dropna().sort_values(["group", "launched"])
    by_group = known.groupby("group")["launched"]
    since, until = (by_group.diff(lag).abs().dt.days for lag in (1, -1))
    near: pd.Series = (since <= NEAR_DAYS) | (until == 0)
    return near


def _middle(start: pd.Series, end: pd.Series) -> pd.Series:
    return start + (end - start) / 2
