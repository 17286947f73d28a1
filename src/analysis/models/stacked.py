"""Stacked difference in differences: each cohort of first exposure beside units that are not exposed in its window.

A unit that serves several cohorts as comparison stands in the stack once for each, with effects of its own in each, so
that no cohort that is exposed already is ever a comparison (Goodman-Bacon 2021 on what goes wrong where it is).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.dates import numbered
from analysis.models.design_matrix import NotEstimableError
from analysis.models.estimates import Estimate
from analysis.models.formulas import INTERCEPT, columns_of, outcome_of, parsed, regressors_of
from analysis.models.vcov import cluster_meat
from analysis.study.spec import Model, Stacked, Study

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.intp]

_RANK = 1e-9
"""A regressor that keeps a smaller share of its length than this is determined by the others and the effects."""


@dataclass(frozen=True)
class Comparison:
    """One cohort and its comparison units over the cohort's window: a balanced panel, sorted by unit and period.

    Attributes
    ----------
    rows : (units * periods, k) of the analysis table, with `number`, the period's.
    start : number of the cohort's first exposed period.
    periods : of the window.
    weights : (units * periods,) constant within units, above 0.
    own : (units * periods,) flags the rows of the cohort.
    exposed : (units * periods,) flags those from its first exposed period on.
    """

    rows: pd.DataFrame
    start: int
    periods: int
    weights: Floats
    own: Flags
    exposed: Flags

    def within(self, columns: Floats) -> Floats:
        """Take unit and period effects out of columns, (n, k); in closed form, as the panel is balanced."""
        cube = columns.reshape(-1, self.periods, columns.shape[1])
        share = (self.weights / self.weights.sum() * self.periods).reshape(-1, self.periods, 1)
        by_period = (cube * share).sum(axis=0, keepdims=True)
        by_unit = cube.mean(axis=1, keepdims=True)
        overall = by_period.mean(axis=1, keepdims=True)
        return np.asarray((cube - by_unit - by_period + overall).reshape(columns.shape))


def stacked(study: Study, model: Model, rows: pd.DataFrame, title: str) -> list[Estimate]:
    """Fit one effect of exposure to all cohorts, with effects of units and periods apart in each.

    The estimand is the mean difference between exposed units and their comparisons, from before to after first
    exposure, over cohorts, weighted by regression. It is causal only if both would have changed alike.

    Parameters
    ----------
    rows : of the analysis table, as `sample` gives them. The formula's one exposure is 0 until it is 1 for good; its
        covariates get coefficients apart in each cohort. A weight is read in the first exposed period of each cohort,
        and may differ between cohorts.

    Returns
    -------
    The exposure (in the outcome's unit per period), `share` (of `baseline`, the mean of exposed units in the
    `reference` periods before, taken as known), `total` (times `exposed`, the exposed unit-periods), `baseline`,
    `exposed`, `cohorts`, and the `published` values that the study declares. Errors are clustered (CRV1) as the model
    says, by unit where it does not.

    Raises
    ------
    NotEstimableError : the exposure comes and goes, or no cohort is observed over its whole window.

    References
    ----------
    Cengiz, Dube, Lindner and Zipperer (2019), The effect of minimum wages on low-wage jobs, Quarterly Journal of
    Economics 134(3), appendix D.
    """
    spec = model.stacked or Stacked()
    outcome, variables = outcome_of(model.formula), regressors_of(model.formula)
    (exposure,) = [name for name in variables if name in study.exposures]
    covariates = [name for name in variables if name != exposure]
    at_risk = rows[rows["excluded"] == ""]
    at_risk = at_risk.assign(number=numbered(at_risk["period"])).sort_values(["unit_id", "number"], kind="stable")
    known = at_risk.dropna(subset=[outcome, exposure, *covariates])
    comparisons = _comparisons(known, exposure, spec, model.weights)
    controls = [str(term) for term in parsed(model.formula).rhs if str(term) not in (exposure, "1")]
    left = [_without_controls(comparison, outcome, controls) for comparison in comparisons]
    y, x = (np.concatenate([part[0][:, j] for part in left]) for j in (0, 1))
    weights = np.concatenate([comparison.weights for comparison in comparisons])
    cluster = model.cluster[0] if model.cluster else "unit_id"
    codes = pd.factorize(pd.concat([c.rows[cluster] for c in comparisons]), sort=True)[0].astype(np.intp)
    bread = 1 / (weights * x**2).sum()
    effect = float(bread * (weights * x * y).sum())
    n, groups = len(y), int(codes.max()) + 1
    used = 1 + sum(rank for _, rank in left) + sum(comparison.periods for comparison in comparisons)
    meat = cluster_meat(x[:, None], weights * (y - x * effect), codes)[0, 0]
    error = float(np.sqrt(bread**2 * meat * groups / (groups - 1) * (n - 1) / (n - used)))
    exposed = np.concatenate([c.exposed for c in comparisons])
    baseline = _baseline(comparisons, outcome, spec.reference)
    lost = len(at_risk) - len(known)
    counts = {
        "n_obs": n,
        "n_units": pd.concat([c.rows["unit_id"] for c in comparisons]).nunique(),
        "n_clusters": groups,
    }
    note = f"{lost} of {len(at_risk)} unit-periods lack a value, and their units are left out" if lost else ""

    critical = stats.t.ppf(0.975, groups - 1)

    def row(term: str, estimand: str, scale: float) -> Estimate:
        value, deviation = effect * scale, error * abs(scale)
        return Estimate(
            title, "stacked", outcome, term, estimand, estimate=value, std_error=deviation, statistic=value / deviation,
            p_value=float(2 * stats.t.sf(abs(value / deviation), groups - 1)), ci_low=value - critical * deviation,
            ci_high=value + critical * deviation, vcov=f"CRV1({cluster})", note=note, **counts,
        )  # fmt: skip

    def number(term: str, estimand: str, value: float) -> Estimate:
        told = "" if np.isfinite(value) else "not estimable: the baseline is 0"
        return Estimate(title, "stacked", outcome, term, estimand, estimate=value, note=told)

    relative = "effect as a share of the baseline, taken as known"
    return [
        row(exposure, f"difference in {outcome} per unit and period", 1.0),
        row("share", relative, 1 / baseline) if baseline else number("share", relative, np.nan),
        row("total", f"difference in {outcome} over all exposed unit-periods", float(exposed.sum())),
        number("baseline", f"mean {outcome} of exposed units in the {spec.reference} periods before", baseline),
        number("exposed", "exposed unit-periods", float(exposed.sum())),
        number("cohorts", "cohorts of first exposure", float(len(comparisons))),
        *(number(f"published:{name}", "published by the source", value) for name, value in spec.published.items()),
    ]


def _comparisons(known: pd.DataFrame, exposure: str, spec: Stacked, weights: str | None) -> list[Comparison]:
    """Build the stack: every cohort with units that are observed over its whole window, exposed and not."""
    unit, units = pd.factorize(known["unit_id"], sort=True)
    number, value = known["number"].to_numpy("int64"), known[exposure].to_numpy("float64")
    earliest, latest = int(number.min()), int(number.max())
    wide = np.full((len(units), latest - earliest + 1), np.nan)
    wide[unit, number - earliest] = value
    once = np.maximum.accumulate(np.nan_to_num(wide), axis=1)
    if (wide < once).any() or not ((value == 0) | (value == 1)).all():
        raise NotEstimableError(f"{exposure} must be 0 until it is 1 for good; use `transform: present`, `window: all`")
    seen = (~np.isnan(wide)).argmax(axis=1)
    first = np.where((wide == 1).any(axis=1), earliest + (wide == 1).argmax(axis=1), latest + 1)
    found = []
    for start in np.unique(first[(first <= latest) & (first > earliest + seen)]):
        last = latest if spec.after is None else int(start) + spec.after - 1
        if start - spec.before < earliest or last > latest:
            continue
        window = slice(start - spec.before - earliest, last + 1 - earliest)
        complete = ~np.isnan(wide[:, window]).any(axis=1)
        chosen = (complete & ((first == start) | (first > last)))[unit]
        chosen &= (number >= start - spec.before) & (number <= last)
        weight = _weights(known, unit, number == start, weights, len(units))[unit]
        chosen &= weight > 0
        own = first[unit[chosen]] == start
        if own.any() and not own.all():
            rows, exposed = known[chosen].reset_index(drop=True), own & (number[chosen] >= start)
            found.append(
                Comparison(rows, int(start), last + 1 - int(start) + spec.before, weight[chosen], own, exposed)
            )
    if not found:
        told = f"{spec.before} periods before and {spec.after or 'all'} after first exposure"
        raise NotEstimableError(f"no cohort is observed over its whole window ({told}) with units to compare it with")
    return found


def _weights(known: pd.DataFrame, unit: Codes, at_start: Flags, weights: str | None, units: int) -> Floats:
    """Weigh each unit, (units,), as in the cohort's first exposed period; a unit without a weight has none."""
    if weights is None:
        return np.ones(units)
    found = np.zeros(units)
    found[unit[at_start]] = known.loc[at_start, weights].fillna(0.0).to_numpy("float64")
    return found


def _without_controls(comparison: Comparison, outcome: str, controls: list[str]) -> tuple[Floats, int]:
    """Take effects and covariates out of outcome and exposure: (n, 2), and the number of coefficients that took."""
    both = np.column_stack([comparison.rows[outcome].to_numpy("float64"), comparison.exposed.astype("float64")])
    both = comparison.within(both)
    if not controls:
        return both, 0
    matrix = columns_of(" + ".join(controls), comparison.rows).drop(columns=INTERCEPT, errors="ignore")
    z = matrix.to_numpy("float64")
    length = np.sqrt((z**2).sum(axis=0))
    left = comparison.within(z / np.where(length > 0, length, 1.0))
    root = np.sqrt(comparison.weights)[:, None]
    u, size, _ = np.linalg.svd(left * root, full_matrices=False)
    basis = u[:, size > _RANK * max(1.0, float(size.max()))]
    return both - basis @ (basis.T @ (both * root)) / root, basis.shape[1]


def _baseline(comparisons: list[Comparison], outcome: str, reference: int) -> float:
    """Average the outcome of exposed units over the periods before their first exposure, by their weights."""
    total = weight = 0.0
    for comparison in comparisons:
        number = comparison.rows["number"].to_numpy()
        chosen = comparison.own & (number >= comparison.start - reference) & (number < comparison.start)
        total += float((comparison.rows.loc[chosen, outcome] * comparison.weights[chosen]).sum())
        weight += float(comparison.weights[chosen].sum())
    return total / weight
