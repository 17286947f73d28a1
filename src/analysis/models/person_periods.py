"""Risk time: who was at risk from when to when, exposed to what, and when the event can have happened.

Time is counted in days from launch and the launch day is day 1, so that a unit with an event on the day of its launch
was at risk for one day. A stretch of risk time is an interval ``(start, stop]`` in which nothing changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from analysis.errors import InputError, Problem
from analysis.link import transformed
from analysis.study.spec import Exposure

Dates = Literal["window", "early", "late"]
"""What is made of a date of month or year precision, or of no date.

`window` keeps the event anywhere in its interval and counts an exposure from the end of its own, as the rule of time
order demands. `early` puts the event on the first possible day, which leaves exposures least time to come first; `late`
puts it on the last and counts launch and exposures from their first.
"""


def risk_time(first_change: pd.DataFrame, units: pd.DataFrame, dates: Dates) -> pd.DataFrame:
    """Say of every followed unit how long it was at risk and when its event can have happened.

    Parameters
    ----------
    first_change : rows of table `CHANGE` of one outcome.
    units : canonical table.
    dates : how imprecise dates are read.

    Returns
    -------
    One row per unit that was followed from a known launch: `unit_id`, `event`, `clear` (day up to which it was surely
    without an event), `stop` (day by which it had one, or the last day observed). For an event of known day,
    ``stop = clear + 1``. Units whose event lies before launch are left out.
    """
    launched = units.set_index("unit_id")["launched_start" if dates == "late" else "launched_end"]
    followed = first_change[~first_change["before_launch"]]
    origin = followed["unit_id"].map(launched)
    first = followed["event_end"] if dates == "late" else followed["event_start"]
    last = followed["event_start"] if dates == "early" else followed["event_end"]
    seen = followed["observed_end"] if dates == "late" else followed["observed_start"]
    clear = (first.where(followed["event"], seen) - origin).dt.days.clip(lower=0)
    stop = (last.where(followed["event"], seen) - origin).dt.days.clip(lower=0) + 1
    rows = pd.DataFrame({"unit_id": followed["unit_id"], "event": followed["event"], "clear": clear, "stop": stop})
    rows.loc[~rows["event"], "clear"] = rows["stop"]
    return rows.dropna().astype({"clear": "float64", "stop": "float64"}).reset_index(drop=True)


def exposure_steps(
    reported: pd.DataFrame, units: pd.DataFrame, exposure: Exposure, name: str, dates: Dates
) -> pd.DataFrame:
    """Say what each unit's exposure was from which day on.

    Parameters
    ----------
    reported : table `ENGAGEMENT`.
    units : canonical table.
    exposure : its indicators, aggregation and transformation, applied to all values published so far.
    dates : `late` counts a value from the first day that its date may mean, otherwise from the last.

    Returns
    -------
    `unit_id`, `day`, and the exposure under `name`, sorted; a value holds after its day. Undated values are not used:
    nothing shows when they were published.

    Raises
    ------
    InputError : the exposure adds up cumulative values.
    """
    values = reported[reported["indicator"].isin(exposure.indicators) & reported["dated"]]
    if exposure.aggregate == "sum" and (values["counting"] == "cumulative").any():
        rule = "adds up cumulative values; use `last` or `max`, or an indicator that counts a flow"
        raise InputError([Problem("study", 0, f"exposures.{name}.aggregate", "sum", rule)])
    launched = units.set_index("unit_id")["launched_start" if dates == "late" else "launched_end"]
    since = (values["start" if dates == "late" else "end"] - values["unit_id"].map(launched)).dt.days + 1
    steps = values[["unit_id", "value"]].assign(day=since.astype("float64").clip(lower=0)).dropna(subset="day")
    steps = steps.sort_values(["unit_id", "day", "value"], kind="stable")
    so_far = steps.groupby("unit_id")["value"]
    if exposure.aggregate == "first":
        running = so_far.transform("first")
    elif exposure.aggregate == "last":
        running = steps["value"]
    else:
        running = so_far.cummax() if exposure.aggregate == "max" else so_far.cumsum()
    steps[name] = transformed(running, exposure.transform)
    steps = steps.dropna(subset=name).drop_duplicates(["unit_id", "day"], keep="last")
    return steps[["unit_id", "day", name]].reset_index(drop=True)


def person_periods(
    at_risk: pd.DataFrame,
    steps: Mapping[str, pd.DataFrame],
    absent: Mapping[str, float],
    cuts: tuple[float, ...] = (),
) -> pd.DataFrame:
    """Cut every unit's risk time into stretches in which no exposure changes, so that no unit is immortal.

    A unit counts as unexposed until its exposure begins. To count it as exposed from launch because it will be exposed
    one day gives the exposed the time in which they could not yet have had the event as exposed (immortal time).

    Parameters
    ----------
    at_risk : as `risk_time` returns it; a column `entry`, the day from which a unit is observed at risk (left
        truncation), is 0 where it is not there.
    steps : of each exposure, as `exposure_steps` returns them.
    absent : value of each exposure before its first step.
    cuts : days at which to cut besides, such as the ends of periods.

    Returns
    -------
    One row per stretch, sorted by unit and `start`: `unit_id`, `start`, `stop`, `window` (whether the unit's event lies
    somewhere in its stretches so marked), `event` (whether the stretch ends with the event), each exposure. Units at
    risk for no time, because they enter after their event or last day, have no row.

    References
    ----------
    Suissa (2008), Immortal time bias in pharmacoepidemiology. Therneau and Grambsch (2000), Modeling Survival Data,
    sec. 3.7 (counting process).
    """
    units = at_risk if "entry" in at_risk else at_risk.assign(entry=0.0)
    changes = [table[["unit_id", "day"]] for table in steps.values()]
    changes += [units[["unit_id"]].assign(day=units[column]) for column in ("entry", "clear", "stop")]
    changes += [units[["unit_id"]].assign(day=float(cut)) for cut in cuts]
    days = pd.concat(changes).merge(units, on="unit_id", how="inner", validate="many_to_one")
    days = days[(days["day"] >= days["entry"]) & (days["day"] <= days["stop"])]
    days = days.drop_duplicates(["unit_id", "day"]).sort_values(["unit_id", "day"], kind="stable")
    rows = days.assign(start=days.groupby("unit_id")["day"].shift()).dropna(subset="start")
    rows["window"] = rows["event"] & (rows["start"] >= rows["clear"])
    rows["event"] &= rows["day"] == rows["stop"]
    rows = rows.drop(columns="stop").rename(columns={"day": "stop"})[["unit_id", "start", "stop", "window", "event"]]
    for name, table in steps.items():
        rows = pd.merge_asof(
            rows.sort_values("start", kind="stable"), table.sort_values("day", kind="stable"),
            left_on="start", right_on="day", by="unit_id",
        ).drop(columns="day")  # fmt: skip
        rows[name] = rows[name].fillna(absent.get(name, np.nan))
    return rows.sort_values(["unit_id", "start"], kind="stable", ignore_index=True)
