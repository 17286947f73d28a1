"""From an analysis table to the rows and columns that one fit uses, with every row lost accounted for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.link import ERROR, NAIVE, TimeOrder
from analysis.models.formulas import INTERCEPT, columns_of, outcome_of, parsed
from analysis.study.spec import Covariate, Model, Study


class NotEstimableError(ValueError):
    """The data cannot tell a model's coefficients apart; the message says why."""


@dataclass(frozen=True)
class DesignMatrix:
    """What an estimator needs.

    Attributes
    ----------
    y : (n,) outcome.
    x : (n, k) regressors, the intercept first; no intercept where effects are absorbed.
    clusters : (n, 1 or 2) cluster of each row, a column for each way of clustering, or None.
    n_units : distinct units.
    note : rows lost to missing values, by column.
    absorb : (n, e) level of each fixed effect, from 0, a column for each effect; or None.
    weights : (n,) or None.
    errors : (n, j) standard errors of the regressors that are measured with error, by their names, or None.
    instruments : (n, m) excluded instruments of the regressor `endogenous`, or None.
    units : (n,) unit of each row, or None.
    """

    y: pd.Series
    x: pd.DataFrame
    clusters: pd.DataFrame | None
    n_units: int
    note: str
    absorb: pd.DataFrame | None = None
    weights: pd.Series | None = None
    errors: pd.DataFrame | None = None
    instruments: pd.DataFrame | None = None
    endogenous: str = ""
    units: pd.Series | None = None

    @property
    def cluster(self) -> pd.Series | None:
        """The first cluster of each row, (n,), or None."""
        return None if self.clusters is None else self.clusters.iloc[:, 0]


def sample(study: Study, model: Model, table: pd.DataFrame, value: str | None, order: TimeOrder) -> pd.DataFrame:
    """Take a model's rows from the analysis table and give its columns the names that its formula uses.

    Parameters
    ----------
    table : the analysis table of all outcomes.
    value : of the attribute `model.each`; None for all.
    order : `naive` puts every exposure's naive column in its place.

    Returns
    -------
    The rows of the formula's outcome, excluded units included, with the outcome under its own name, sorted by unit and
    period, so that nothing that is made of them depends on the table's order.
    """
    outcome = outcome_of(model.formula)
    rows = _where(table, table["outcome"] == outcome).rename(columns={"value": outcome})
    if model.each is not None and value is not None:
        rows = rows[rows[model.each] == value]
    for column, kept in model.sample.items():
        rows = rows[rows[column].isin(kept)]
    if order == "naive":
        rows = rows.assign(**{name: rows[name + NAIVE] for name in study.exposures})
    return _sorted(rows)


def _sorted(rows: pd.DataFrame) -> pd.DataFrame:
    """Sort rows by unit and period, without copying those that are; labels that repeat are numbered anew."""
    unit = rows["unit_id"].to_numpy("str")
    period = rows["period"].to_numpy("str") if "period" in rows else np.full(len(rows), "")
    later = (unit[1:] > unit[:-1]) | ((unit[1:] == unit[:-1]) & (period[1:] >= period[:-1]))
    if not later.all():
        rows = rows.iloc[np.lexsort((period, unit))]
    return rows if rows.index.is_unique else rows.reset_index(drop=True)


def design_matrix(study: Study, model: Model, rows: pd.DataFrame) -> DesignMatrix:
    """Build outcome and regressors from the complete rows.

    Raises
    ------
    NotEstimableError : no rows, an outcome or regressor that does not vary, or regressors that are collinear.
    """
    outcome = outcome_of(model.formula)
    at_risk = _where(rows, rows["excluded"] == "")
    variables = sorted(map(str, parsed(model.formula).required_variables))
    instruments = model.instruments.excluded if model.instruments else []
    used = list(dict.fromkeys([*variables, *instruments, *([model.weights] if model.weights else [])]))
    missing = {name: at_risk[name].isna().to_numpy() for name in used}
    complete = _where(at_risk, ~np.any([*missing.values()], axis=0))
    losses = [f"{int(lost.sum())} without {name}" for name, lost in missing.items() if lost.any()]
    note = f"{len(at_risk) - len(complete)} of {len(at_risk)} rows left out: {', '.join(losses)}" if losses else ""
    if complete.empty:
        raise NotEstimableError(
            f"no complete rows among {len(at_risk)}" + (f" ({', '.join(losses)})" if losses else "")
        )
    constant = [c for c in [*variables, *instruments] if (complete[c] == complete[c].iloc[0]).all()]
    if constant:
        told = ", ".join(f"{c} is {complete[c].iloc[0]} in all {len(complete)} rows" for c in constant)
        raise NotEstimableError(f"no variation: {told}")
    named = [*variables, *instruments]
    levels = {n: _categorical(complete[n], study.covariates[n]) for n in named if _is_categorical(study, complete, n)}
    coded = complete.assign(**levels) if levels else complete
    x = columns_of(model.formula, coded)
    values = x.to_numpy(dtype=np.float64)
    length = np.sqrt((values**2).sum(axis=0))
    if len(x) <= x.shape[1] or np.linalg.matrix_rank(values / np.where(length > 0, length, 1.0)) < x.shape[1]:
        raise NotEstimableError(f"{x.shape[1]} regressors are collinear in {len(x)} rows")
    if model.absorb:
        x = x.drop(columns=INTERCEPT, errors="ignore")
    measured = {str(c): complete[f"{c}{ERROR}"] for c in x.columns if f"{c}{ERROR}" in complete}
    return DesignMatrix(
        complete[outcome],
        x,
        complete[model.cluster].astype("str") if model.cluster else None,
        complete["unit_id"].nunique(),
        note,
        pd.DataFrame({e: effect_codes(complete, e) for e in model.absorb}) if model.absorb else None,
        complete[model.weights] if model.weights else None,
        pd.DataFrame(measured) if measured else None,
        columns_of(" + ".join(instruments), coded).drop(columns=INTERCEPT) if instruments else None,
        model.instruments.endogenous if model.instruments else "",
        complete["unit_id"],
    )


def effect_codes(rows: pd.DataFrame, effect: str) -> pd.Series:
    """Number the levels of a fixed effect, such as ``unit_id`` or ``region^period``, from 0 in their names' order."""
    return rows.groupby(effect.split("^"), sort=True, dropna=False).ngroup()


def _where(rows: pd.DataFrame, kept: pd.Series | NDArray[np.bool_]) -> pd.DataFrame:
    """Take the rows that a mask marks, (n,), without copying them where that is all."""
    return rows if kept.all() else rows[kept]


def _is_categorical(study: Study, rows: pd.DataFrame, name: str) -> bool:
    return name in study.covariates and not pd.api.types.is_numeric_dtype(rows[name])


def _categorical(values: pd.Series, spec: Covariate) -> pd.Categorical:
    present = sorted(values.unique())
    if spec.reference in present:
        present = [spec.reference, *(level for level in present if level != spec.reference)]
    return pd.Categorical(values, categories=present)
