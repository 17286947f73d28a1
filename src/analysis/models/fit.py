"""Fitting the models that a study declares (notebook 05)."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pandas as pd

from analysis.link import TimeOrder
from analysis.models.bounds import manski_bounds
from analysis.models.counts import negative_binomial, poisson
from analysis.models.design_matrix import DesignMatrix, NotEstimableError, design_matrix, sample
from analysis.models.estimates import Estimate, tidy
from analysis.models.event_study import event_study
from analysis.models.formulas import outcome_of, regressors_of
from analysis.models.instruments import iv
from analysis.models.lead_lag import lead_lag
from analysis.models.lee import lee_bounds
from analysis.models.linear import lpm, ols
from analysis.models.logit import firth, logit
from analysis.models.mismeasured import errors_in_variables
from analysis.models.ordered import ordered_logit
from analysis.models.stacked import stacked
from analysis.models.threshold import JUMP, threshold
from analysis.study.lead_lag_rules import lead_lag_terms
from analysis.study.pipeline import models_of
from analysis.study.spec import Model, Study

ESTIMATORS: dict[str, Callable[[DesignMatrix, str, str], list[Estimate]]] = {
    "lpm": lpm,
    "ols": ols,
    "logit": logit,
    "firth": firth,
    "ordered_logit": ordered_logit,
    "poisson": poisson,
    "negative_binomial": negative_binomial,
    "iv": iv,
    "errors_in_variables": errors_in_variables,
}


FIRST_TERMS: dict[str, Callable[[Model], list[str]]] = {
    "threshold": lambda _: [JUMP],
    "event_study": lambda _: ["overall"],
    "lead_lag": lead_lag_terms,
}
"""The rows that say why a fit was not possible, in designs whose terms are not the variables of the formula."""


def fit_models(study: Study, table: pd.DataFrame, notebook: str = "05_regressions") -> pd.DataFrame:
    """Fit every model of a notebook, as `estimates_of` does, and return the estimates table."""
    return tidy(estimates_of(study, table, notebook), study.name, deciding(study))


def estimates_of(study: Study, table: pd.DataFrame, notebook: str = "05_regressions") -> list[Estimate]:
    """Fit every model of a notebook, apart in each value of its `each`, and under both time orders if it asks.

    Parameters
    ----------
    table : the analysis table.
    notebook : its models are fitted, and no others; see `analysis.study.pipeline.models_of`.

    Returns
    -------
    Rows of the estimates table. Models are named ``model``, ``model[value]`` and, with naive exposures, ``…@naive``.
    What cannot be estimated has a row for every variable of the formula, or for the design's own terms (`FIRST_TERMS`),
    without numbers and with the reason in `note`.
    """
    rows: list[Estimate] = []
    for name, model in models_of(study, notebook).items():
        values = sorted(table[model.each].unique()) if model.each else [None]
        orders = get_args(TimeOrder) if model.contrast_time_order else ("strict",)
        for value in values:
            for order in orders:
                title = name + (f"[{value}]" if value else "") + ("@naive" if order == "naive" else "")
                rows += _fit(study, model, title, sample(study, model, table, value, order))
    return rows


def deciding(study: Study) -> dict[tuple[str, str], str]:
    """Return the hypothesis that each model and term decides."""
    return {(h.decided_by.model, h.decided_by.term): name for name, h in study.hypotheses.items()}


def _fit(study: Study, model: Model, title: str, rows: pd.DataFrame) -> list[Estimate]:
    outcome, regressors = outcome_of(model.formula), regressors_of(model.formula)
    try:
        if model.design == "threshold":
            return threshold(study, model, rows, title)
        if model.design == "stacked":
            return stacked(study, model, rows, title)
        if model.design == "event_study":
            return event_study(study, model, rows, title)
        if model.design == "lead_lag":
            return lead_lag(study, model, rows, title)
        if model.design == "manski_bounds":
            at_risk = rows[rows["excluded"] != "outcome before launch"]
            return manski_bounds(at_risk, regressors[0], title, outcome)
        if model.design == "lee_bounds":
            at_risk = rows[rows["excluded"] != "outcome before launch"]
            return lee_bounds(at_risk, regressors[0], title, outcome, next(iter(model.cluster), None))
        return ESTIMATORS[model.design](design_matrix(study, model, rows), title, outcome)
    except NotEstimableError as error:
        own_terms = FIRST_TERMS.get(model.design)
        return [
            Estimate(title, model.design, outcome, name, "", n_obs=0, note=f"not estimable: {error}")
            for name in (own_terms(model) if own_terms else regressors)
        ]
