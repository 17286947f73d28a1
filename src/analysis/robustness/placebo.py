"""Placebo exposures and negative-control outcomes: where there can be no effect, an estimate shows confounding."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd

from analysis.models.design_matrix import NotEstimableError, design_matrix, sample
from analysis.models.estimates import Estimate
from analysis.models.fit import ESTIMATORS
from analysis.robustness.targets import Target
from analysis.study.grammar import ModelId
from analysis.study.spec import Model


def placebos(target: Target, table: pd.DataFrame) -> list[Estimate]:
    """Fit a target's model with placebo exposures in the exposure's, and negative controls in the outcome's place.

    Parameters
    ----------
    table : the analysis table.

    Returns
    -------
    One row each, from the model's own design; a difference from zero is evidence of confounding that the covariates
    leave.

    References
    ----------
    Lipsitch, Tchetgen Tchetgen and Cohen (2010), Negative controls: a tool for detecting confounding and bias in
    observational studies.
    """
    rows = []
    for exposure in target.choices.placebo_exposures:
        formula = re.sub(rf"\b{target.variable}\b", exposure, target.model.formula)
        term = target.term.replace(target.variable, exposure, 1)
        rows.append(_fit(target, table, formula, term, target.outcome, "placebo_exposure"))
    for outcome in target.choices.negative_control_outcomes:
        formula = re.sub(rf"^\s*{target.outcome}\b", outcome, target.model.formula)
        rows.append(_fit(target, table, formula, target.term, outcome, "negative_control"))
    return rows


def _fit(target: Target, table: pd.DataFrame, formula: str, term: str, outcome: str, check: str) -> Estimate:
    model: Model = target.model.model_copy(update={"formula": formula})
    wanted = ModelId.parse(target.model_id)
    name = f"{target.model_id}:{check}"
    rows = sample(target.study, model, table, wanted.value, "naive" if wanted.naive else "strict")
    try:
        order = [c for c in ("unit_id", "period") if c in rows]
        data = design_matrix(target.study, model, rows.sort_values(order, kind="stable"))
        fitted = {row.term: row for row in ESTIMATORS[model.design](data, name, outcome)}
    except NotEstimableError as error:
        return Estimate(name, "robustness", outcome, term, "", n_obs=0, note=f"not estimable: {error}")
    if term not in fitted:
        return Estimate(name, "robustness", outcome, term, "", n_obs=0, note=f"not estimable: no {term} in the model")
    return replace(fitted[term], design="robustness")
