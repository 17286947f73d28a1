"""All checks of a study's deciding estimates (notebook 09)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from analysis.errors import InputError, Problem, nearest
from analysis.models.batched import one_thread
from analysis.models.design_matrix import NotEstimableError
from analysis.models.estimates import Estimate
from analysis.robustness.adoption_dates import adoption_checks
from analysis.robustness.counts import count_checks
from analysis.robustness.hidden import hidden_confounding
from analysis.robustness.imputation import imputation
from analysis.robustness.influence import influence
from analysis.robustness.leave_one_out import leave_one_out
from analysis.robustness.permutation import randomisation
from analysis.robustness.placebo import placebos
from analysis.robustness.placebo_dates import placebo_dates
from analysis.robustness.romano_wolf import romano_wolf
from analysis.robustness.sources import leave_one_source_out
from analysis.robustness.specification import specification_curve
from analysis.robustness.targets import Target, targets
from analysis.study.spec import Study

DRAWS = {"quick": 499, "full": 9_999}
"""Random draws of each profile."""

CURVES = 5
"""The joint test of a specification curve, which estimates a whole curve per draw, makes do with this fraction."""


@dataclass
class Checks:
    """What the checks of a study found.

    Attributes
    ----------
    estimates : rows of the estimates table, with design `robustness`.
    curves : specification curve of each target, by ``model:term``.
    left_out : estimates without each unit and cluster of each target, by ``model:term``.
    """

    estimates: list[Estimate] = field(default_factory=list)
    curves: dict[str, pd.DataFrame] = field(default_factory=dict)
    left_out: dict[str, pd.DataFrame] = field(default_factory=dict)


def robustness_checks(
    study: Study, table: pd.DataFrame, draws: int, seed: int, parts: Mapping[str, pd.DataFrame] | None = None
) -> Checks:
    """Probe every estimate that decides a hypothesis, and those that the study names beside them.

    Parameters
    ----------
    table : the analysis table.
    draws : permutations of each randomisation test; a specification curve takes a fifth as many.
    seed : of all draws. The numbers depend on nothing else: not on the order of rows, nor on the number of threads.
    parts : the tables that the analysis table was built from (`PARTS`); without them no source is left out.
    """
    found = Checks()
    with one_thread():
        probed = list(targets(study, table))
        for target in probed:
            if isinstance(target, Estimate):
                found.estimates.append(target)
                continue
            _check(target, table, draws, seed, found)
            if parts is not None:
                found.estimates += leave_one_source_out(target, parts)
        found.estimates += romano_wolf(study, probed, draws, seed)
        found.estimates += [*count_checks(study, table, draws, seed), *adoption_checks(study, table, draws, seed)]
    return found


def _check(target: Target, table: pd.DataFrame, draws: int, seed: int, found: Checks) -> None:
    name = f"{target.model_id}:{target.term}"
    try:
        rows, found.curves[name] = specification_curve(target, draws // CURVES, seed)
        found.estimates += [*rows, randomisation(target, draws, seed)]
    except NotEstimableError as error:
        found.estimates.append(target.estimate("randomisation", "", "", f"not estimable: {error}"))
    rows, found.left_out[name] = leave_one_out(target)
    found.estimates += [*rows, *influence(target, found.left_out[name]), *placebos(target, table)]
    found.estimates += [*placebo_dates(target), *imputation(target, seed), *hidden_confounding(target)]


def number_of_draws(profile: str, draws: int | None) -> int:
    """Return the number of draws of a profile, or the one that is asked for.

    Raises
    ------
    InputError : there is no such profile, or less than one draw is asked for.
    """
    if profile not in DRAWS:
        raise InputError([Problem("parameters", 0, "profile", profile, f"no such profile; {nearest(profile, DRAWS)}")])
    if draws is not None and draws < 1:
        raise InputError([Problem("parameters", 0, "draws", str(draws), "must be at least 1")])
    return DRAWS[profile] if draws is None else draws


def of_check(estimates: pd.DataFrame, *checks: str) -> pd.DataFrame:
    """Take the rows of some checks, such as ``randomisation``, from the estimates table."""
    return estimates[estimates["model"].str.rsplit(":", n=1).str[-1].isin(checks)]
