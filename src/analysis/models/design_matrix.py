"""From an analysis table to the rows and columns that one fit uses, with every row lost accounted for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from formulaic import Formula, model_matrix

from analysis.link import ERROR, NAIVE, TimeOrder
from analysis.study.spec import Covariate, Model, Study

INTERCEPT = "Intercept"


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
    The rows of the formula's outcome, excluded units included, with the outcome under its own name.
    """
    outcome = str(Formula(model.formula).lhs).strip()
    rows = table[table["outcome"] == outcome].rename(columns={"value": outcome})
    if model.each is not None and value is not None:
        rows = rows[rows[model.each] == value]
    for column, kept in model.sample.items():
        rows = rows[rows[column].isin(kept)]
    if order == "naive":
        rows = rows.assign(**{name: rows[name + NAIVE] for name in study.exposures})
    return rows


def design_matrix(study: Study, model: Model, rows: pd.DataFrame) -> DesignMatrix:
    """Build outcome and regressors from the complete rows.

    Raises
    ------
    NotEstimableError : no rows, an outcome or regressor that does not vary, or regressors that are collinear.
    """
    formula = Formula(model.formula)
    outcome = str(formula.lhs).strip()
    at_risk = rows[rows["excluded"] == ""]
    variables = sorted(formula.required_variables)
    instruments = model.instruments.excluded if model.instruments else []
    used = list(dict.fromkeys([*variables, *instruments, *([model.weights] if model.weights else [])]))
    complete = at_risk.dropna(subset=used)
    losses = [f"{int(at_risk[c].isna().sum())} without {c}" for c in used if at_risk[c].isna().any()]
    note = f"{len(at_risk) - len(complete)} of {len(at_risk)} rows left out: {', '.join(losses)}" if losses else ""
    if complete.empty:
        raise NotEstimableError(
            f"no complete rows among {len(at_risk)}" + (f" ({', '.join(losses)})" if losses else "")
        )
    constant = [c for c in [*variables, *instruments] if complete[c].nunique() < 2]
    if constant:
        told = ", ".join(f"{c} is {complete[c].iloc[0]} in all {len(complete)} rows" for c in constant)
        raise NotEstimableError(f"no variation: {told}")
    named = [*variables, *instruments]
    levels = {n: _categorical(complete[n], study.covariates[n]) for n in named if _is_categorical(study, complete, n)}
    x = pd.DataFrame(model_matrix(formula.rhs, complete.assign(**levels), na_action="raise"))
    scaled = x / np.sqrt((x**2).sum()).replace(0.0, 1.0)
    if len(x) <= x.shape[1] or np.linalg.matrix_rank(scaled) < x.shape[1]:
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
        _instruments(complete.assign(**levels), instruments) if instruments else None,
        model.instruments.endogenous if model.instruments else "",
        complete["unit_id"],
    )


def _instruments(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Take instruments as they are, or one dummy for each level but the first, (n, m)."""
    x = pd.DataFrame(model_matrix(" + ".join(names), rows, na_action="raise"))
    return x.drop(columns=INTERCEPT)


def effect_codes(rows: pd.DataFrame, effect: str) -> pd.Series:
    """Number the levels of a fixed effect, such as ``unit_id`` or ``region^period``, from 0 in their names' order."""
    return rows.groupby(effect.split("^"), sort=True, dropna=False).ngroup()


def _is_categorical(study: Study, rows: pd.DataFrame, name: str) -> bool:
    return name in study.covariates and not pd.api.types.is_numeric_dtype(rows[name])


def _categorical(values: pd.Series, spec: Covariate) -> pd.Categorical:
    present = sorted(values.unique())
    if spec.reference in present:
        present = [spec.reference, *(level for level in present if level != spec.reference)]
    return pd.Categorical(values, categories=present)
