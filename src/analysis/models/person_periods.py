"""Risk time: who was at risk from when to when, exposed to what, and when the event can have happened.

Time is counted in days from launch and the launch day is day 1, so that a unit with an event on the day of its launch
was at risk for one day. A stretch of risk time is an interval ``(start, stop]`` in which nothing changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.errors import InputError, Problem
from analysis.link import transformed
from analysis.study.spec import Exposure

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Moments = NDArray[np.datetime64]

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
    followed = first_change[~first_change["before_launch"]]
    event = followed["event"].to_numpy("bool")

    def since_launch(if_event: str) -> Floats:
        seen = followed["observed_end" if dates == "late" else "observed_start"].to_numpy()
        day = np.where(event, followed[if_event].to_numpy(), seen)
        return _days_since_launch(day, followed["unit_id"], units, dates)

    stop = since_launch("event_start" if dates == "early" else "event_end") + 1
    clear = np.where(event, since_launch("event_end" if dates == "late" else "event_start"), stop)
    rows = pd.DataFrame({"unit_id": followed["unit_id"], "event": event, "clear": clear, "stop": stop})
    return rows[~np.isnan(clear) & ~np.isnan(stop)].reset_index(drop=True)


def _days_since_launch(day: Moments, unit_id: pd.Series, units: pd.DataFrame, dates: Dates) -> Floats:
    """Count whole days, (n,), 0 before launch; NaN where the day or the launch is not known."""
    launched = units["launched_start" if dates == "late" else "launched_end"].to_numpy()
    of = pd.Index(units["unit_id"]).get_indexer(unit_id)
    days = np.floor((day - launched[of]) / np.timedelta64(1, "D"))
    return np.where((of < 0) | np.isnan(days), np.nan, np.maximum(days, 0.0))


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
    # The day of launch is day 1; what was published before it counts from day 0.
    after = np.asarray(values["start" if dates == "late" else "end"] + pd.Timedelta(days=1), dtype="datetime64[ns]")
    day = _days_since_launch(after, values["unit_id"], units, dates)
    of = pd.factorize(values["unit_id"], sort=True)[0]
    order = np.lexsort((values["value"].to_numpy(), day, of))
    order = order[~np.isnan(day[order])]
    steps = values.iloc[order][["unit_id", "value"]].assign(day=day[order])
    so_far = steps.groupby(of[order])["value"]
    if exposure.aggregate == "first":
        running = so_far.transform("first")
    elif exposure.aggregate == "last":
        running = steps["value"]
    else:
        running = so_far.cummax() if exposure.aggregate == "max" else so_far.cumsum()
    steps[name] = transformed(running, exposure.transform)
    known = steps[name].notna().to_numpy()
    of, day, steps = of[order][known], day[order][known], steps[known]
    last = np.append((of[1:] != of[:-1]) | (day[1:] != day[:-1]), True)[: len(of)]
    return steps[["unit_id", "day", name]][last].reset_index(drop=True)


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
    units = at_risk.sort_values("unit_id", ignore_index=True)
    names = pd.Index(units["unit_id"])
    clear, stop, event = (units[column].to_numpy() for column in ("clear", "stop", "event"))
    entry = units["entry"].to_numpy() if "entry" in units else np.zeros(len(units))
    everyone = np.arange(len(units))
    changes = {name: (names.get_indexer(table["unit_id"]), table["day"].to_numpy()) for name, table in steps.items()}
    pairs = [(of[of >= 0], day[of >= 0]) for of, day in changes.values()]
    pairs += [(everyone, day) for day in (entry, clear, stop, *(np.full(len(units), float(cut)) for cut in cuts))]
    of, day = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    inside = (day >= entry[of]) & (day <= stop[of])
    of, day = of[inside], day[inside]
    order = np.lexsort((day, of))
    of, day = of[order], day[order]
    follows = (of[1:] == of[:-1]) & (day[1:] > day[:-1])
    of, start, day = of[1:][follows], day[:-1][follows], day[1:][follows]
    rows = pd.DataFrame(
        {
            "unit_id": units["unit_id"].take(of).reset_index(drop=True), "start": start, "stop": day,
            "window": event[of] & (start >= clear[of]), "event": event[of] & (day == stop[of]),
        }
    )  # fmt: skip
    for name, table in steps.items():
        values = _latest(*changes[name], table[name].to_numpy("float64"), of, start)
        rows[name] = np.where(np.isnan(values), absent.get(name, np.nan), values)
    return rows


def _latest(of: Codes, day: Floats, values: Floats, wanted: Codes, by: Floats) -> Floats:
    """Return the value that each wanted unit had last by a day, (m,); NaN before its first.

    Parameters
    ----------
    of, day, values : (n,) unit, -1 for one that nobody wants, and the day from which it has the value.
    """
    if not len(of):
        return np.full(len(wanted), np.nan)
    days = np.unique(np.concatenate([day, by]))
    key, at = (unit * len(days) + np.searchsorted(days, when) for unit, when in ((of, day), (wanted, by)))
    order = np.argsort(key, kind="stable")
    before = np.searchsorted(key[order], at, side="right") - 1
    found = order[np.maximum(before, 0)]
    return np.where((before >= 0) & (of[found] == wanted), values[found], np.nan)
