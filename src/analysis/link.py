"""Linking exposures to outcomes under the time-order rule (notebook 04)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from analysis.errors import InputError, Problem
from analysis.study.spec import Covariate, Exposure, Study

TimeOrder = Literal["strict", "naive"]
NAIVE = "_naive"
"""Ends the name of an exposure column that ignores the time-order rule."""


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
    limits = outcomes.set_index("unit_id")
    event = process["unit_id"].map(limits["event"]).eq(True)
    before_event = process["end"] < process["unit_id"].map(limits["event_start"])
    observed_end = process["unit_id"].map(limits["observed_end"])
    while_observed = (process["end"] <= observed_end) | observed_end.isna()
    return process[process["start"].notna() & np.where(event, before_event, while_observed)]


def link(
    reported: pd.DataFrame,
    changed: pd.DataFrame,
    units: pd.DataFrame,
    exposures: Mapping[str, Exposure],
    order: TimeOrder,
) -> pd.DataFrame:
    """Give every unit its exposures, for every outcome.

    Parameters
    ----------
    reported : table `ENGAGEMENT`.
    changed : table `CHANGE`.
    units : canonical table; every unit appears in the result, followed or not.
    exposures : the study's declared exposures.
    order : `strict` uses only values dated before the outcome (`time_ordered`); `naive` uses all, whatever their date.

    Returns
    -------
    One row per outcome, exposure and unit with a usable value: `value` (aggregated and transformed), `exposure_as_of`
    (last day that the values' dates may mean), `outcome_date` (first day that the event's date may mean) and
    `n_values`. With a landmark, units whose event may precede it, or who were not observed beyond it, have no row.
    """
    reported = reported.sort_values(["unit_id", "end", "value"], na_position="first", kind="stable")
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
            found["outcome_date"] = found["unit_id"].map(dates)
            rows.append(found)
    return pd.concat(rows, ignore_index=True)


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
    if spec.aggregate == "sum" and (values["counting"] == "cumulative").any():
        rule = "adds up cumulative values; use `last` or `max`, or an indicator that counts a flow"
        raise InputError([Problem("study", 0, f"exposures.{name}.aggregate", "sum", rule)])
    by_unit = values.groupby("unit_id")
    found = pd.DataFrame(
        {
            "value": by_unit["value"].agg(spec.aggregate),
            "exposure_as_of": by_unit["end"].max(),
            "n_values": by_unit.size(),
        }
    ).reset_index()
    return found.assign(value=transformed(found["value"], spec.transform)).dropna(subset="value")


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
    One row per outcome and unit, of all units: `outcome`, `unit_id`, `excluded` (empty, `no outcome row` or `outcome
    before launch`), `value` (missing where excluded), `event_start`, `event_end`, each exposure under its declared time
    order, each again as ``<exposure>_naive``, each covariate, each attribute.

    Raises
    ------
    InputError : an outcome dated before launch where the study refuses them, or an attribute value in no recode level.
    """
    grid = pd.MultiIndex.from_product([list(study.outcomes), units["unit_id"]], names=["outcome", "unit_id"])
    table = changed.set_index(["outcome", "unit_id"])[["value", "event", "event_start", "event_end", "before_launch"]]
    table = table.reindex(grid).reset_index()
    early = table.pop("before_launch").eq(True)
    if study.unit.before_launch == "refuse" and early.any():
        problems = [
            Problem("outcomes", 0, "time", unit, "has an outcome dated before its launch; correct it, or set "
                    "`unit.before_launch: exclude`") for unit in sorted(set(table.loc[early, "unit_id"]))
        ]  # fmt: skip
        raise InputError(problems)
    table.insert(
        2, "excluded", np.select([table["value"].isna(), early], ["no outcome row", "outcome before launch"], "")
    )
    table["value"] = table["value"].mask(early)
    table["event"] = table["event"].eq(True)
    for name, spec in study.exposures.items():
        table[name] = _exposure_column(table, linked[spec.time_order], name, spec)
        if spec.landmark_days:
            table[name] = table[name].where(_in_risk_set(table, changed, units, spec.landmark_days))
        table[name + NAIVE] = _exposure_column(table, linked["naive"], name, spec)
    by_unit = units.set_index("unit_id")
    for name, covariate in study.covariates.items():
        table[name] = table["unit_id"].map(_covariate(name, covariate, by_unit, context))
    for name in study.unit.attributes:
        if name not in table:
            table[name] = table["unit_id"].map(by_unit[name])
    return table.sort_values(["outcome", "unit_id"], kind="stable", ignore_index=True)


def _in_risk_set(table: pd.DataFrame, changed: pd.DataFrame, units: pd.DataFrame, days: int) -> pd.Series:
    risk = pd.concat({outcome: _at_risk(rows, units, days) for outcome, rows in changed.groupby("outcome")})
    found = risk.reindex(pd.MultiIndex.from_frame(table[["outcome", "unit_id"]]))
    return pd.Series(found.to_numpy(), index=table.index)


def _exposure_column(table: pd.DataFrame, links: pd.DataFrame, name: str, spec: Exposure) -> pd.Series:
    values = links[links["exposure"] == name][["outcome", "unit_id", "value"]]
    found = table[["outcome", "unit_id"]].merge(values, how="left", on=["outcome", "unit_id"], validate="one_to_one")
    return found["value"].fillna(0.0) if spec.absent == "zero" else found["value"]


def _covariate(name: str, spec: Covariate, units: pd.DataFrame, context: pd.DataFrame) -> pd.Series:
    if spec.context is not None:
        return context[context["variable"] == spec.context].groupby("unit_id")["value"].mean()
    values = units[str(spec.attribute)]
    if spec.recode is None:
        return values
    levels = {value: level for level, held in spec.recode.items() for value in held}
    unknown = sorted(set(values) - set(levels))
    if unknown:
        rule = f"is a value of `{spec.attribute}` that no level of the recode holds; add it to one"
        raise InputError(Problem("study", 0, f"covariates.{name}.recode", value, rule) for value in unknown)
    return values.map(levels)
