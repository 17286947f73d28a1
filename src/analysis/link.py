"""Linking exposures to outcomes under the time-order rule (notebook 04)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from analysis.dates import numbered, period_bounds, period_names, period_numbers
from analysis.errors import InputError, Problem
from analysis.panel import exposure_by_period, within_sd
from analysis.study.spec import Covariate, Exposure, Grain, Study

TimeOrder = Literal["strict", "naive"]
NAIVE = "_naive"
"""Ends the name of an exposure column that ignores the time-order rule."""
ERROR = "_se"
"""Ends the name of a column that holds the standard error of an exposure's measurement."""
CELL = ["outcome", "unit_id", "period"]


def time_ordered(process: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Keep the process values dated before the outcome they are to explain.

    Parameters
    ----------
    process : (n, k) long table, one value per row, with the interval `start` to `end` that its date stands for.
    outcomes : (m, j) one row per unit: `event`, `event_start`, `observed_end`. A unit without an event is censored at
        `observed_end`; a unit that nobody followed (not in this table, or without `observed_end`) keeps its
        dated values.

    Returns
    -------
    The rows of `process` whose whole period of uncertainty ends before the outcome's begins, or, without an event, no
    later than the last day observed. An undated value cannot be shown to come first and is not kept.

    References
    ----------
    Hernán and Robins (2020), Causal Inference: What If, ch. 3 and 22 (time zero).
    """
    return process[process["start"].notna() & _comes_first(process, outcomes)]


def _comes_first(values: pd.DataFrame, outcomes: pd.DataFrame) -> pd.Series:
    """Say of each dated value, (n,), whether it ends before its unit's event, or while the unit is observed."""
    limits = outcomes.set_index("unit_id")
    event = values["unit_id"].map(limits["event"]).eq(True)
    before_event = values["end"] < values["unit_id"].map(limits["event_start"])
    observed_end = values["unit_id"].map(limits["observed_end"])
    while_observed = (values["end"] <= observed_end) | observed_end.isna()
    return before_event.where(event, while_observed)


def link(
    reported: pd.DataFrame,
    changed: pd.DataFrame,
    units: pd.DataFrame,
    exposures: Mapping[str, Exposure],
    order: TimeOrder,
    grain: Grain | None = None,
) -> pd.DataFrame:
    """Give every unit its exposures, for every outcome, and for every period where units are observed over time.

    Parameters
    ----------
    reported : table `ENGAGEMENT`.
    changed : table `CHANGE`.
    units : canonical table; every unit appears in the result, followed or not.
    exposures : the study's declared exposures.
    order : `strict` uses only values dated before the outcome (`time_ordered`); `naive` uses all, whatever their date.
        By period, `strict` ends each exposure's window `lag` periods before the outcome's, and `naive` with the
        outcome's own period; an exposure that is declared naive keeps its lag and has no strict value.
    grain : length of a period, None where units are observed once.

    Returns
    -------
    One row per outcome, exposure, unit and period with a usable value: `value` (aggregated and transformed),
    `std_error` (of its measurement, if known), `exposure_as_of` (last day that the values' dates may mean),
    `outcome_date` (first day that the event's date may mean, or of the period) and `n_values`. `period` is empty where
    units are observed once. With a landmark, units whose event may precede it, or who were not observed beyond it, have
    no row.
    """
    reported = reported.sort_values(["unit_id", "end", "value"], na_position="first", kind="stable")
    if grain is not None:
        return _link_by_period(reported, changed, units, exposures, order, grain)
    rows = []
    for outcome, of_outcome in changed.groupby("outcome"):
        usable = time_ordered(reported, of_outcome) if order == "strict" else reported
        dates = of_outcome.set_index("unit_id")["event_start"]
        for name, spec in exposures.items():
            values = usable[usable["indicator"].isin(spec.indicators)]
            if spec.landmark_days and order == "strict":
                at_risk = _at_risk(of_outcome, units, spec.landmark_days)
                landmark = values["unit_id"].map(_landmark(units, spec.landmark_days).where(at_risk))
                values = values[values["end"] <= landmark]
            found = _aggregate(values, spec, name)
            found.insert(0, "outcome", outcome)
            found.insert(1, "exposure", name)
            found.insert(3, "period", "")
            found["outcome_date"] = found["unit_id"].map(dates)
            rows.append(found)
    return pd.concat(rows, ignore_index=True)


def _link_by_period(
    reported: pd.DataFrame,
    changed: pd.DataFrame,
    units: pd.DataFrame,
    exposures: Mapping[str, Exposure],
    order: TimeOrder,
    grain: Grain,
) -> pd.DataFrame:
    ids = pd.Index(sorted(units["unit_id"]))
    calendars = {outcome: _calendar(of_outcome) for outcome, of_outcome in changed.groupby("outcome")}
    whole = _calendar(changed)
    rows = []
    for name, spec in exposures.items():
        if order == "strict" and spec.time_order == "naive":
            continue
        _refuse_sum(reported[reported["indicator"].isin(spec.indicators)], spec, name)
        lag = 0 if order == "naive" and spec.time_order == "strict" else spec.lag
        scale = _within_sd(reported, ids, name, spec, grain) if spec.scale == "within_sd" else 1.0
        found = exposure_by_period(reported, ids, whole, spec, lag, grain)
        start, _ = period_bounds(found["number"], grain)
        _, as_of = period_bounds(found.pop("as_of"), grain)
        found = found.assign(
            exposure=name, period=period_names(found["number"], grain), exposure_as_of=as_of, outcome_date=start,
            value=transformed(found["value"], spec.transform) / scale, std_error=found["std_error"] / scale,
        ).dropna(subset="value")  # fmt: skip
        for outcome, calendar in calendars.items():
            rows.append(found[found["number"].between(calendar[0], calendar[-1])].assign(outcome=outcome))
    columns = ["outcome", "exposure", "unit_id", "period", "value", "std_error", "exposure_as_of", "n_values"]
    empty = pd.DataFrame(columns=[*columns, "outcome_date"])
    return pd.concat(rows, ignore_index=True)[[*columns, "outcome_date"]] if rows else empty


def _within_sd(reported: pd.DataFrame, ids: pd.Index, name: str, spec: Exposure, grain: Grain) -> float:
    """Measure how much an exposure varies within units, over all periods with a value, whatever they explain."""
    values = reported[reported["indicator"].isin(spec.indicators)]
    number = period_numbers(values["start"], values["end"], grain).dropna().astype("int64")
    periods = np.arange(number.min(), number.max() + 1) if len(number) else np.arange(1)
    own = exposure_by_period(reported, ids, periods, spec.model_copy(update={"window": 1}), 0, grain)
    own = own.assign(value=transformed(own["value"], spec.transform)).dropna(subset="value")
    found = within_sd(own["value"], own["unit_id"], own["number"])
    if not found > 0:
        rule = "cannot be given in standard deviations: nothing varies beyond units and periods; use `scale: value`"
        raise InputError([Problem("study", 0, f"exposures.{name}.scale", spec.scale, rule)])
    return found


def _calendar(of_outcome: pd.DataFrame) -> np.ndarray:
    """Number all periods from the first to the last in which an outcome is observed."""
    numbers = numbered(of_outcome["period"])
    return np.arange(numbers.min(), numbers.max() + 1)


def _landmark(units: pd.DataFrame, days: int) -> pd.Series:
    return units.set_index("unit_id")["launched_end"] + pd.Timedelta(days=days)


def _at_risk(of_outcome: pd.DataFrame, units: pd.DataFrame, days: int) -> pd.Series:
    """Say of every unit whether it was surely observed to the landmark and had no event by then."""
    landmark = _landmark(units, days)
    limits = of_outcome.set_index("unit_id").reindex(landmark.index)
    followed = limits["event"].notna()
    event = limits["event"].eq(True)
    later = (limits["event_start"] > landmark) | (~event & (limits["observed_start"] > landmark))
    return landmark.notna() & (later | ~followed)


def _aggregate(values: pd.DataFrame, spec: Exposure, name: str) -> pd.DataFrame:
    _refuse_sum(values, spec, name)
    by_unit = values.groupby("unit_id")
    squares = (values["std_error"] ** 2).groupby(values["unit_id"]).sum(min_count=1)
    known = (by_unit.size() == 1) | (spec.aggregate == "mean")
    found = pd.DataFrame(
        {
            "value": by_unit["value"].agg(spec.aggregate),
            "std_error": (np.sqrt(squares) / by_unit.size()).where(known),
            "exposure_as_of": by_unit["end"].max(),
            "n_values": by_unit.size(),
        }
    ).reset_index()
    return found.assign(value=transformed(found["value"], spec.transform)).dropna(subset="value")


def _refuse_sum(values: pd.DataFrame, spec: Exposure, name: str) -> None:
    if spec.aggregate == "sum" and (values["counting"] != "flow").any():
        rule = "adds up cumulative values or levels; use `last`, `mean` or `max`, or an indicator that counts a flow"
        raise InputError([Problem("study", 0, f"exposures.{name}.aggregate", "sum", rule)])


def transformed(value: pd.Series, how: str) -> pd.Series:
    """Apply an exposure's transform to its aggregated values; the log10 of 0 is missing."""
    if how == "present":
        return pd.Series(1.0, index=value.index)
    if how == "log10":
        return pd.Series(np.log10(value.where(value > 0)), index=value.index)
    if how == "log1p":
        return pd.Series(np.log1p(value), index=value.index)
    return value


def analysis_table(
    study: Study,
    units: pd.DataFrame,
    changed: pd.DataFrame,
    context: pd.DataFrame,
    linked: Mapping[TimeOrder, pd.DataFrame],
) -> pd.DataFrame:
    """Put outcome, exposures, covariates and attributes of every unit side by side.

    Parameters
    ----------
    linked : result of `link` for each time order.

    Returns
    -------
    One row per outcome, unit and period, of all units and of all periods from the first to the last observed:
    `outcome`, `unit_id`, `period` (empty where units are observed once), `excluded` (empty, `no outcome row` or
    `outcome before launch`), `value` (missing where excluded), `event_start`, `event_end`, each exposure under its
    declared time order, each again as ``<exposure>_naive``, the standard error of its measurement as
    ``<exposure>_se`` where one is known, each covariate, each attribute.

    Raises
    ------
    InputError : an outcome dated before launch where the study refuses them, or an attribute value in no recode level.
    """
    grid = _grid(study, units, changed)
    table = changed.set_index(CELL)[["value", "event", "event_start", "event_end", "before_launch"]]
    table = table.reindex(grid).reset_index()
    early = table.pop("before_launch").eq(True)
    if study.unit.before_launch == "refuse" and early.any():
        problems = [
            Problem("outcomes", 0, "time", unit, "has an outcome dated before its launch; correct it, or set "
                    "`unit.before_launch: exclude`") for unit in sorted(set(table.loc[early, "unit_id"]))
        ]  # fmt: skip
        raise InputError(problems)
    table.insert(
        3, "excluded", np.select([table["value"].isna(), early], ["no outcome row", "outcome before launch"], "")
    )
    table["value"] = table["value"].mask(early)
    table["event"] = table["event"].eq(True)
    for name, spec in study.exposures.items():
        links = linked[spec.time_order]
        table[name] = _exposure_column(table, links, name, spec)
        errors = links.loc[links["exposure"] == name, [*CELL, "std_error"]]
        if errors["std_error"].notna().any():
            table[name + ERROR] = table[CELL].merge(errors, how="left", on=CELL, validate="one_to_one")["std_error"]
        if spec.landmark_days:
            table[name] = table[name].where(_in_risk_set(table, changed, units, spec.landmark_days))
        table[name + NAIVE] = _exposure_column(table, linked["naive"], name, spec)
    by_unit = units.set_index("unit_id")
    for name, covariate in study.covariates.items():
        if covariate.context is None:
            table[name] = table["unit_id"].map(_attribute(name, covariate, by_unit))
        elif study.unit.grain:
            table[name] = _context_by_period(table, context, covariate, study.unit.grain)
        else:
            table[name] = _context_before_outcome(table, context, covariate, changed, by_unit)
    for name in study.unit.attributes:
        if name not in table:
            table[name] = table["unit_id"].map(by_unit[name])
    return table.sort_values(CELL, kind="stable", ignore_index=True)


def _grid(study: Study, units: pd.DataFrame, changed: pd.DataFrame) -> pd.MultiIndex:
    ids = units["unit_id"]
    if study.unit.grain is None:
        return pd.MultiIndex.from_product([list(study.outcomes), ids, [""]], names=CELL)
    grids = []
    for outcome, rows in changed.groupby("outcome"):
        periods = period_names(pd.Series(_calendar(rows)), study.unit.grain)
        grids.append(pd.MultiIndex.from_product([[outcome], ids, periods], names=CELL))
    return grids[0].append(grids[1:])


def _context_by_period(table: pd.DataFrame, context: pd.DataFrame, spec: Covariate, grain: Grain) -> pd.Series:
    """Take a context variable of the period, or of `lag` periods before; without a date it holds for all."""
    of_variable = context[context["variable"] == spec.context]
    fixed = of_variable.loc[of_variable["start"].isna()].groupby("unit_id")["value"].mean()
    number = period_numbers(of_variable["start"], of_variable["end"], grain) + spec.lag
    dated = of_variable.assign(number=number).dropna(subset="number").astype({"number": "int64"})
    by_cell = dated.groupby(["unit_id", "number"])["value"].mean()
    cells = pd.MultiIndex.from_arrays([table["unit_id"], numbered(table["period"])])
    found = pd.Series(by_cell.reindex(cells).to_numpy(), index=table.index)
    return found.fillna(table["unit_id"].map(fixed))


def _in_risk_set(table: pd.DataFrame, changed: pd.DataFrame, units: pd.DataFrame, days: int) -> pd.Series:
    risk = pd.concat({outcome: _at_risk(rows, units, days) for outcome, rows in changed.groupby("outcome")})
    found = risk.reindex(pd.MultiIndex.from_frame(table[["outcome", "unit_id"]]))
    return pd.Series(found.to_numpy(), index=table.index)


def _exposure_column(table: pd.DataFrame, links: pd.DataFrame, name: str, spec: Exposure) -> pd.Series:
    values = links.loc[links["exposure"] == name, [*CELL, "value"]]
    found = table[CELL].merge(values, how="left", on=CELL, validate="one_to_one")
    return found["value"].fillna(0.0) if spec.absent == "zero" else found["value"]


def _context_before_outcome(
    table: pd.DataFrame, context: pd.DataFrame, spec: Covariate, changed: pd.DataFrame, units: pd.DataFrame
) -> pd.Series:
    """Average a context variable over the values known before each outcome: undated, dated to launch, or before it.

    What is measured after an outcome may follow from it, and adjusting for it would then hide the effect.
    """
    rows = context[context["variable"] == spec.context]
    baseline = rows["start"].isna() | (rows["end"] <= rows["unit_id"].map(units["launched_start"]))
    known = {
        outcome: rows[baseline | _comes_first(rows, of_outcome)].groupby("unit_id")["value"].mean()
        for outcome, of_outcome in changed.groupby("outcome")
    }
    found = pd.concat(known).reindex(pd.MultiIndex.from_frame(table[["outcome", "unit_id"]]))
    return pd.Series(found.to_numpy(), index=table.index)


def _attribute(name: str, spec: Covariate, units: pd.DataFrame) -> pd.Series:
    values = units[str(spec.attribute)]
    if spec.recode is None:
        return values
    levels = {value: level for level, held in spec.recode.items() for value in held}
    unknown = sorted(set(values) - set(levels))
    if unknown:
        rule = f"is a value of `{spec.attribute}` that no level of the recode holds; add it to one"
        raise InputError(Problem("study", 0, f"covariates.{name}.recode", value, rule) for value in unknown)
    return values.map(levels)
