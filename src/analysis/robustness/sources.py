"""Whether one source of process values carries an estimate: exposures built again without each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.link import TimeOrder, analysis_table, link
from analysis.models.design_matrix import DesignMatrix, NotEstimableError, design_matrix, sample
from analysis.models.estimates import Estimate
from analysis.robustness.refit import linear_estimate
from analysis.robustness.targets import Target
from analysis.study.grammar import Formula, ModelId
from analysis.study.spec import Study

PARTS = ("units", "engagement", "change", "context")
"""The tables that an analysis table is built from."""

FEWEST_UNITS = 2
"""A source that speaks for one unit alone is left out with that unit (`analysis.robustness.leave_one_out`)."""


def leave_one_source_out(target: Target, parts: Mapping[str, pd.DataFrame]) -> list[Estimate]:
    """Estimate a target without each source of its exposure's values in turn.

    The process values of the source are taken out, and exposures linked to outcomes again: another source's value, or
    none, takes the place of its.

    Parameters
    ----------
    parts : the tables `PARTS` of the study.

    Returns
    -------
    Rows ``<model>:leave_one_source_out`` for the smallest and the largest estimate so found, with errors, each with a
    note that names the source; none where the term is no exposure; one that says why where there are not two sources.
    """
    if target.variable not in target.study.exposures:
        return []
    check = "leave_one_source_out"
    reported = parts["engagement"]
    values = reported[reported["indicator"].isin(target.study.exposures[target.variable].indicators)]
    origin = values["source"].str.replace(r"/\d+$", "", regex=True)
    units = values["unit_id"].groupby(origin).nunique()
    names = sorted(units.index[units >= FEWEST_UNITS])
    if len(units) < 2 or not names:
        why = "all values have one source" if len(units) < 2 else "every source speaks for one unit alone"
        return [target.estimate(check, "min", "", f"not estimable: {why}")]
    found: dict[str, dict[str, Any]] = {}
    lost = []
    for name in names:
        try:
            found[name], _ = linear_estimate(_rebuilt(target, parts, values.index[origin == name]), target.term)
        except NotEstimableError:
            lost.append(name)
    if not found:
        return [target.estimate(check, "min", "", "not estimable: nothing is without any one of the sources")]
    counted = (
        f"one of {len(names)} sources of {FEWEST_UNITS} or more units, beside {len(units) - len(names)} of one unit"
    )
    also = f"; not estimable without {', '.join(lost)}" if lost else ""
    in_order = sorted(found, key=lambda name: float(found[name]["estimate"]))
    extremes = {"min": in_order[0], "max": in_order[-1]}
    return [
        target.estimate(check, what, target.unit, f"without source {name}, {counted}{also}", **found[name])
        for what, name in extremes.items()
    ]


def _rebuilt(target: Target, parts: Mapping[str, pd.DataFrame], without: pd.Index) -> DesignMatrix:
    """Link a target's exposures to its outcome again without some values."""
    wanted = ModelId.parse(target.model_id)
    study = _only(target)
    order: TimeOrder = "naive" if wanted.naive else "strict"
    units, changed = parts["units"], parts["change"]
    changed = changed[changed["outcome"] == target.outcome]
    left = parts["engagement"].drop(index=without)
    declared = {order, *(spec.time_order for spec in study.exposures.values())}
    found = {o: link(left, changed, units, study.exposures, o, study.unit.grain) for o in sorted(declared)}
    # The analysis table has columns of both orders; the model reads those of its own.
    linked: dict[TimeOrder, pd.DataFrame] = {"strict": found[order], "naive": found[order], **found}
    table = analysis_table(study, units, changed, parts["context"], linked)
    rows = sample(study, target.model, table, wanted.value, order)
    return design_matrix(study, target.model, rows.sort_values(["unit_id", "period"], kind="stable"))


def _only(target: Target) -> Study:
    """Keep what the target's model uses of its study."""
    study, formula = target.study, Formula.parse(target.model.formula)
    used = {*formula.variables, *target.model.sample, *target.model.cluster}
    used |= {part for effect in target.model.absorb for part in effect.split("^")}
    used |= {name for name in (target.model.each, target.model.weights) if name}
    return study.model_copy(
        update={
            "exposures": {name: spec for name, spec in study.exposures.items() if name in used},
            "outcomes": {target.outcome: study.outcomes[target.outcome]},
            "covariates": {n: c for n, c in study.covariates.items() if n in used},
        }
    )
