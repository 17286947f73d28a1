"""From an analysis table to the rows and columns that one fit uses, with every row lost accounted for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from formulaic import Formula, model_matrix

from analysis.link import NAIVE, TimeOrder
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
    x : (n, k) regressors, the intercept first.
    clusters : (n,) cluster of each row, or None.
    n_units : distinct units.
    note : rows lost to missing values, by column.
    """

    y: pd.Series
    x: pd.DataFrame
    clusters: pd.Series | None
    n_units: int
    note: str


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
    used = sorted(formula.required_variables)
    complete = at_risk.dropna(subset=used)
    losses = [f"{int(at_risk[c].isna().sum())} without {c}" for c in used if at_risk[c].isna().any()]
    note = f"{len(at_risk) - len(complete)} of {len(at_risk)} rows left out: {', '.join(losses)}" if losses else ""
    if complete.empty:
        raise NotEstimableError(
            f"no complete rows among {len(at_risk)}" + (f" ({', '.join(losses)})" if losses else "")
        )
    constant = [c for c in used if complete[c].nunique() < 2]
    if constant:
        told = ", ".join(f"{c} is {complete[c].iloc[0]} in all {len(complete)} rows" for c in constant)
        raise NotEstimableError(f"no variation: {told}")
    levels = {n: _categorical(complete[n], study.covariates[n]) for n in used if _is_categorical(study, complete, n)}
    x = pd.DataFrame(model_matrix(formula.rhs, complete.assign(**levels), na_action="raise"))
    scaled = x / np.sqrt((x**2).sum()).replace(0.0, 1.0)
    if len(x) <= x.shape[1] or np.linalg.matrix_rank(scaled) < x.shape[1]:
        raise NotEstimableError(f"{x.shape[1]} regressors are collinear in {len(x)} rows")
    clusters = complete[model.cluster] if model.cluster else None
    return DesignMatrix(complete[outcome], x, clusters, complete["unit_id"].nunique(), note)


def _is_categorical(study: Study, rows: pd.DataFrame, name: str) -> bool:
    return name in study.covariates and not pd.api.types.is_numeric_dtype(rows[name])


def _categorical(values: pd.Series, spec: Covariate) -> pd.Categorical:
    present = sorted(values.unique())
    if spec.reference in present:
        present = [spec.reference, *(level for level in present if level != spec.reference)]
    return pd.Categorical(values, categories=present)
