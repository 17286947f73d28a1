"""Units that are observed over time: outcomes, exposures and context by period (notebooks 03 and 04).

A period is a day, month, quarter or year. A value belongs to the period that wholly contains the interval of its date;
a value that spans several periods, or has no date, belongs to none and explains nothing.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.dates import period_bounds, period_names, period_numbers
from analysis.errors import InputError, Problem
from analysis.study.spec import Exposure, Grain, Outcome

Floats = NDArray[np.float64]


def one_outcome_by_period(followed: pd.DataFrame, name: str, spec: Outcome, grain: Grain) -> pd.DataFrame:
    """Reduce coded outcomes to one value per unit and period.

    Parameters
    ----------
    followed : table `outcomes`, with `launched_start` of each unit.
    name, spec : the declared outcome.

    Returns
    -------
    Rows of table `CHANGE`. A *continuous* outcome is the mean of the values measured in the period, and has no row in
    periods without one. A *count* is the sum of the values of the period's events and a *binary* outcome says whether
    there was any; both are 0 in periods in which the unit was observed, from its launch to the last day its source
    speaks for. One that `persists` stays 1 from its first event on.

    Raises
    ------
    InputError : an outcome's date spans several periods, or is missing, or comes before its unit is observed.
    """
    relevant = followed["indicator"].isin(spec.indicators) if spec.indicators else followed["stage"] > 0
    level = spec.type == "continuous"
    counts = relevant & (followed["stage"] >= spec.min_stage) & (level | (followed["direction"] == spec.direction))
    rows = followed[counts & followed["value"].notna()]
    number = period_numbers(rows["start"], rows["end"], grain)
    launched = period_numbers(rows["launched_start"], rows["launched_start"], grain)
    _refuse(rows, number.isna(), f"is dated to no single {grain}, the study's grain")
    _refuse(rows, (number < launched).fillna(False), "comes before its unit is observed; see `launched` in `units`")
    by_period = rows.assign(number=number.astype("int64")).groupby(["unit_id", "number"])
    if level:
        values = by_period["value"].mean()
    else:
        observed = _observed(followed, grain)
        values = by_period["value"].sum() if spec.type == "count" else (by_period.size() > 0).astype("float64")
        values = values.reindex(observed, fill_value=0.0).sort_index()
        if spec.persists:
            values = values.groupby(level="unit_id").cummax()
    stage = by_period["stage"].max().reindex(values.index, fill_value=0)
    found = values.rename("value").reset_index()
    found["stage"] = stage.to_numpy()
    found.insert(1, "outcome", name)
    found.insert(2, "period", period_names(found["number"], grain))
    start, end = period_bounds(found.pop("number"), grain)
    event = (found["value"] > 0) & (not level)
    return found.assign(
        event=event,
        event_start=start.where(event),
        event_end=end.where(event),
        observed_start=start,
        observed_end=end,
        min_days=np.nan,
        max_days=np.nan,
        before_launch=False,
    )[
        ["unit_id", "outcome", "period", "value", "event", "stage", "event_start", "event_end", "observed_start",
         "observed_end", "min_days", "max_days", "before_launch"]
    ]  # fmt: skip


def _refuse(rows: pd.DataFrame, wrong: pd.Series, rule: str) -> None:
    if wrong.any():
        raise InputError(
            Problem("outcomes", 0, "time", str(row["time"]), f"of {row['unit_id']}, {row['indicator']}: {rule}")
            for _, row in rows[wrong].iterrows()
        )


def _observed(followed: pd.DataFrame, grain: Grain) -> pd.MultiIndex:
    """List the periods in which each unit is observed."""
    limits = followed.groupby("unit_id")[["launched_start", "observed_end"]].agg(
        {"launched_start": "min", "observed_end": "max"}
    )
    first = period_numbers(limits["launched_start"], limits["launched_start"], grain).astype("int64")
    last = period_numbers(limits["observed_end"], limits["observed_end"], grain).astype("int64")
    length = (last - first + 1).clip(lower=0)
    offset = np.arange(length.sum()) - np.repeat(length.cumsum().to_numpy() - length.to_numpy(), length)
    units = np.repeat(limits.index.to_numpy(), length)
    return pd.MultiIndex.from_arrays([units, np.repeat(first.to_numpy(), length) + offset], names=["unit_id", "number"])


def exposure_by_period(
    reported: pd.DataFrame, units: pd.Index, periods: NDArray[np.int64], spec: Exposure, lag: int, grain: Grain
) -> pd.DataFrame:
    """Aggregate one exposure's values over the window of periods that ends `lag` before each period.

    Parameters
    ----------
    reported : table `ENGAGEMENT`, in the order of time.
    units : (n,) ids.
    periods : (m,) consecutive numbers of the periods whose outcomes are to be explained.
    lag : periods from the window's last one to the outcome; negative for a lead.

    Returns
    -------
    One row per unit and period with a usable value: unit_id, number, value (not transformed; 1 with ``transform:
    present`` where any value of the window is above 0), std_error (of a single value or of a mean of values measured
    independently; missing where it is not known), as_of (number of the last period with a value) and n_values.
    """
    values = reported[reported["indicator"].isin(spec.indicators) & reported["unit_id"].isin(units)]
    if spec.transform == "present":
        values = values[values["value"] > 0]
    values = values.assign(number=period_numbers(values["start"], values["end"], grain)).dropna(subset="number")
    last_used = max(periods[-1] - lag, periods[-1])
    values = values[values["number"] <= last_used]
    columns = np.arange(min([periods[0] - max(lag, 0), *values["number"]]), last_used + 1)
    cells = values.groupby(["unit_id", "number"])

    def wide(cell: pd.Series) -> Floats:
        found: Floats = np.full((len(columns), len(units)), np.nan)
        number = cell.index.get_level_values("number").to_numpy("int64")
        found[number - columns[0], units.get_indexer(cell.index.get_level_values("unit_id"))] = cell.astype("float64")
        return found

    width = len(columns) if spec.window == "all" else spec.window
    count = wide(cells.size())
    filled = np.where(np.isnan(count), np.nan, np.arange(len(columns), dtype="float64")[:, None])
    n, last = _rolled(count, width, "sum"), _rolled(filled, width, "max")
    squares = (values["std_error"] ** 2).groupby([values["unit_id"], values["number"]]).sum(min_count=1)
    error = np.sqrt(_rolled(wide(squares), width, "sum"))
    if spec.aggregate in ("sum", "mean", "max"):
        value = _rolled(wide(cells["value"].agg("max" if spec.aggregate == "max" else "sum")), width, spec.aggregate)
        value = value / n if spec.aggregate == "mean" else value
    else:
        held = wide(cells["value"].agg(spec.aggregate))
        at = last if spec.aggregate == "last" else _rolled(filled, width, "min")
        value = np.take_along_axis(held, np.nan_to_num(at).astype("int64"), axis=0)
    rows = periods - lag - columns[0]
    period, unit = np.nonzero(n[rows] > 0)
    place = (rows[period], unit)
    known = (n[place] == 1) | (spec.aggregate == "mean")
    return pd.DataFrame(
        {
            "unit_id": units[unit],
            "number": periods[period],
            "value": np.ones(len(unit)) if spec.transform == "present" else value[place],
            "std_error": np.where(known, error[place] / n[place], np.nan),
            "as_of": columns[last[place].astype("int64")],
            "n_values": n[place].astype("int64"),
        }
    )


def _rolled(cells: Floats, width: int, how: str) -> Floats:
    """Aggregate each cell with the `width` - 1 above it, (periods, units); missing where all of them are."""
    if width == 1:
        return cells
    rolling = pd.DataFrame(cells).rolling(width, min_periods=1)
    rolled: Floats = rolling.agg("sum" if how == "mean" else how).to_numpy("float64")
    return rolled


def within_sd(value: pd.Series, unit: pd.Series, period: pd.Series) -> float:
    """Return the standard deviation of what is left of a value without the means of units and of periods.

    It is what a change of one typical size within a unit means where models have fixed effects of both.

    Parameters
    ----------
    value, unit, period : (n,) one row per unit and period, in any order.

    Returns
    -------
    The root mean square of the residuals; 0 where nothing is left, NaN without rows.

    References
    ----------
    Mummolo and Peterson (2018), Improving the interpretation of fixed effects regression results.
    """
    groups = [pd.factorize(column, sort=True)[0] for column in (unit, period)]
    left = value.to_numpy("float64") - value.mean()
    spread = np.sqrt(np.mean(left**2)) if len(left) else np.nan
    for _ in range(10_000):
        before = left
        for group in groups:
            left = left - (np.bincount(group, left) / np.bincount(group))[group]
        if not np.abs(left - before).max(initial=0.0) > 1e-12 * spread:
            break
    residual = float(np.sqrt(np.mean(left**2))) if len(left) else float("nan")
    return 0.0 if residual < 1e-9 * spread else residual
