"""Checks of a Poisson model's estimate: chance, single units, and hidden confounding.

The specification curve, the placebos and Oster's delta rest on a linear form, which a rate ratio does not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.models.batched import Codes, Flags, Floats, codes
from analysis.models.counts import CountFit, fit_counts, poisson
from analysis.models.design_matrix import NotEstimableError, design_matrix
from analysis.models.estimates import Estimate
from analysis.robustness.permutation import TIE, exchanged, permutations
from analysis.robustness.sensitivity import e_value, e_value_of_limit
from analysis.robustness.targets import Probe, Target, probes, refuse_unknown
from analysis.study.spec import Study

DESIGN = "poisson"


@dataclass(frozen=True)
class _Count:
    """A target with its fit, and the estimate that is probed."""

    target: Target
    fit: CountFit
    own: Estimate

    @property
    def focal(self) -> int:
        return self.fit.rows.names.index(self.target.term)

    def row(self, check: str, what: str, estimand: str, note: str = "", **numbers: object) -> Estimate:
        return self.target.estimate(check, what, estimand, note, **numbers)


def count_checks(study: Study, table: pd.DataFrame, draws: int, seed: int) -> Iterator[Estimate]:
    """Probe the estimates of Poisson models that decide hypotheses, and those that the study names beside them.

    Parameters
    ----------
    table : the analysis table.
    draws : permutations.
    seed : of the draws.

    Returns
    -------
    Rows ``<model>:randomisation``, ``:leave_one_out`` and ``:sensitivity``; where a model cannot be fitted, or a term
    cannot be exchanged, one row that says why.
    """
    for probe in probes(study, table, (DESIGN,)):
        try:
            count = _count(probe)
            yield _randomisation(count, draws, seed)
        except NotEstimableError as error:
            yield probe.without_numbers(error)
            continue
        yield from _without_one(count)
        yield from _e_values(count)


def _count(probe: Probe) -> _Count:
    data = design_matrix(probe.study, probe.model, probe.rows)
    refuse_unknown(probe.term, data)
    if ":" in probe.term:
        raise NotEstimableError("of a product, one factor cannot be exchanged without the other")
    outcome = str(data.y.name)
    fit = fit_counts(data, outcome)
    own = next(row for row in poisson(data, probe.model_id, outcome) if row.term == probe.term)
    return _Count(probe.target(fit.rows.data, fit.rows.effects), fit, own)


def _randomisation(count: _Count, draws: int, seed: int) -> Estimate:
    """Test the sharp null that the exposure changes no count, by permuting it.

    The statistic is the score of the exposure at a coefficient of 0, over its robust error: the model is fitted once,
    without the exposure, and each permutation takes one projection.

    References
    ----------
    Boos (1992), On generalized score tests, eq. 6. DiCiccio and Romano (2017), as in `permutation.randomisation`.
    """
    target, rows = count.target, count.fit.rows
    mean = count.fit.without(target.term)
    residual = rows.y - mean
    exposure = rows.x[:, count.focal]
    others = rows.remove(np.delete(rows.x, count.focal, axis=1), mean)
    basis = np.linalg.qr(others * np.sqrt(mean)[:, None])[0]
    groups = target.clusters if target.clusters is not None else np.arange(len(residual))

    def statistic(exposures: Floats) -> Floats:
        """Return the robust score statistic of each column, (b,)."""
        left = rows.remove(exposures, mean) * np.sqrt(mean)[:, None]
        left = left - basis @ (basis.T @ left)
        scores = left * (residual / np.sqrt(mean))[:, None]
        summed = _sums(scores, groups)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(summed.sum(axis=0) / np.sqrt((summed**2).sum(axis=0)))

    observed = float(statistic(exposure[:, None])[0])
    exchange = exchanged(target)
    as_extreme = taken = 0
    for block in permutations(
        target.rng(seed, "randomisation"), exchange.strata, exchange.units, draws, exchange.slots
    ):
        drawn = np.abs(statistic(exposure[block]))
        # A permutation that cannot be estimated counts as extreme, which can only weaken the evidence.
        as_extreme += int((~(drawn < abs(observed) * (1 - TIE))).sum())
        taken += block.shape[1]
    note = f"{taken:,} permutations of {exchange.told}; statistic: |score| over its robust error"
    return count.row(
        "randomisation", "", count.own.estimand, "; ".join(filter(None, (note, exchange.kept))),
        estimate=count.own.estimate, std_error=count.own.std_error, statistic=observed,
        p_value=(1 + as_extreme) / (1 + taken), vcov="permutation", seed=seed,
    )  # fmt: skip


def _sums(scores: Floats, groups: Codes) -> Floats:
    """Sum the rows of each group, (groups, b)."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    return np.asarray(np.add.reduceat(scores[order], starts, axis=0))


def _without_one(count: _Count) -> Iterator[Estimate]:
    """Fit again without the unit, and the cluster, that by one Newton step lowers or raises the estimate most.

    References
    ----------
    Pregibon (1981), Logistic regression diagnostics, sec. 4: the one-step change.
    """
    target, step = count.target, count.fit.step
    groupings = {"unit": target.complete["unit_id"]}
    if target.cluster not in (None, "unit_id"):
        groupings[str(target.cluster)] = target.complete[str(target.cluster)]
    influence = step.x * step.residuals[:, None] @ step.bread[:, count.focal]
    for kind, labels in groupings.items():
        names = np.unique(labels.astype("str").to_numpy(dtype="str"))
        change = -_sums(influence[:, None], codes(labels.astype("str")))[:, 0]
        what = "unit" if kind == "unit" else "cluster"
        for name, position in (("min", int(change.argmin())), ("max", int(change.argmax()))):
            kept: Flags = (labels.astype("str") != names[position]).to_numpy()
            yield _again(count, f"{name}_without_{what}", kept, f"without {kind} {names[position]}, chosen by one step")


def _again(count: _Count, what: str, kept: Flags, note: str) -> Estimate:
    target = count.target
    estimand = count.own.estimand
    try:
        found = poisson(count.fit.rows.keep(kept, "").data, target.model_id, target.outcome)
        row = next(row for row in found if row.term == target.term)
    except (NotEstimableError, StopIteration) as error:
        return count.row("leave_one_out", what, estimand, f"not estimable: {error}; {note}")
    return count.row(
        "leave_one_out", what, estimand, note, estimate=row.estimate, std_error=row.std_error,
        statistic=row.statistic, p_value=row.p_value, ci_low=row.ci_low, ci_high=row.ci_high, n_obs=row.n_obs,
        n_units=row.n_units, n_clusters=row.n_clusters, vcov=row.vcov,
    )  # fmt: skip


def _e_values(count: _Count) -> Iterator[Estimate]:
    """Say how strong a confounder would have to be, as a rate ratio with exposure and outcome.

    References
    ----------
    VanderWeele and Ding (2017), table 2: a rate ratio takes the place of a risk ratio.
    """
    estimate, low, high = (float(np.exp(value)) for value in (count.own.estimate, count.own.ci_low, count.own.ci_high))
    told = f"rate ratio {estimate:.2f} [{low:.2f}, {high:.2f}] between exposures that differ by one"
    estimand = "rate ratio of a confounder with exposure and outcome that explains away "
    yield count.row("sensitivity", "e_value", f"{estimand}the estimate", told, estimate=e_value(estimate))
    limit = e_value_of_limit(low, high)
    yield count.row("sensitivity", "e_value_limit", f"{estimand}the nearer 95% limit", told, estimate=limit)
