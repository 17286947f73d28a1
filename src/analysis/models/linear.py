"""Linear models by least squares: the linear probability model, and a linear model of a score, a share or a count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import linalg

from analysis.models.design_matrix import DesignMatrix, NotEstimableError
from analysis.models.estimates import NO_ERROR, Estimate
from analysis.models.formulas import INTERCEPT
from analysis.models.usable_rows import Floats, UsableRows, usable_rows
from analysis.models.vcov import MANY_CLUSTERS, Fit, Variance, crv1, least_squares, linear
from analysis.models.wild import DRAWS, RADEMACHER_FROM, SEED, wild_bootstrap

FEW_EFFECTIVE_CLUSTERS = 10
"""Below this number of effective clusters (Satterthwaite's degrees of freedom and one) the wild bootstrap is added."""

_EXACT = 1 - 1e-9


def lpm(data: DesignMatrix, model: str, outcome: str) -> list[Estimate]:
    """Fit a linear probability model by ordinary least squares.

    The estimand of each coefficient is a difference in the probability of the outcome between units that differ by one
    in the regressor and are alike in the others, and in whatever the fixed effects hold constant; it is causal only if
    nothing else differs.

    Parameters
    ----------
    data : outcome 0 or 1.

    Returns
    -------
    One estimate per regressor, in probability, with the errors that `analysis.models.vcov` chooses. Where these rest on
    fewer than `FEW_EFFECTIVE_CLUSTERS` effective clusters, a term ``<term>:wild`` holds the p-value and the interval of
    the wild cluster bootstrap. A coefficient that rests on one row, or one cluster, alone has no error.

    Raises
    ------
    NotEstimableError : collinear regressors, or ones that the effects determine, all rows in one cluster, bad weights.
    """
    return _estimates(data, model, "lpm", outcome, "difference in probability")


def ols(data: DesignMatrix, model: str, outcome: str) -> list[Estimate]:
    """Fit a continuous outcome or a count by ordinary least squares; as `lpm`, in the outcome's unit."""
    return _estimates(data, model, "ols", outcome, f"difference in {outcome}")


def fitted(rows: UsableRows) -> tuple[Floats, Fit, Variance]:
    """Fit outcome on regressors, with what the effects explain taken out of both: coefficients, (k,), and errors.

    Raises
    ------
    NotEstimableError : as in `lpm`.
    """
    x = rows.weighted(rows.regressors())
    y = rows.weighted(rows.remove(rows.y[:, None])[:, 0])
    enough_rows(rows, x.shape[1])
    coefficients, fit = least_squares(y, x, rows.effects, rows.weights)
    return coefficients, fit, linear(fit, rows.names, rows.data.clusters)


def enough_rows(rows: UsableRows, regressors: int) -> None:
    """Refuse a fit without residual degrees of freedom, where its raw outcome or what is left of it does not vary."""
    n, effects = len(rows.y), 0 if rows.effects is None else rows.effects.parameters()
    if n <= regressors + effects:
        raise NotEstimableError(
            f"{regressors} regressors{f' and {effects} fixed effects' if effects else ''} leave no degrees of freedom "
            f"in {n} rows"
        )
    if rows.y.min() == rows.y.max():
        raise NotEstimableError(f"no variation: {rows.data.y.name} is {rows.y[0]} in all {n} rows that are left")


def _estimates(data: DesignMatrix, model: str, design: str, outcome: str, estimand: str) -> list[Estimate]:
    rows = usable_rows(data)
    coefficients, fit, variance = fitted(rows)
    notes = [*rows.notes, *variance.notes]
    unreplicated = _resting_on_one_row(fit, rows.names) if rows.effects is None else []
    if unreplicated:
        notes.append(f"no error for {', '.join(unreplicated)}: the coefficient rests on one row alone")
    shared = Estimate(
        model, design, outcome, "", estimand, n_obs=len(rows.y), n_units=rows.data.n_units,
        n_clusters=variance.n_clusters, vcov=variance.name, note="; ".join(notes),
    )  # fmt: skip
    found = []
    numbers = zip(rows.names, coefficients, variance.inference(coefficients), strict=True)
    for position, (term, coefficient, inference) in enumerate(numbers):
        row = replace(shared, term=term, estimate=float(coefficient), **inference)
        found.append(replace(row, **NO_ERROR) if term in unreplicated else row)
        if term != INTERCEPT and term not in unreplicated:
            found += _wild(rows, fit, variance, position, row)
    return found


def _wild(rows: UsableRows, fit: Fit, variance: Variance, position: int, row: Estimate) -> Iterator[Estimate]:
    """Add the wild cluster bootstrap of a coefficient whose errors rest on few effective clusters."""
    clusters, df = rows.data.clusters, variance.df[position]
    count = variance.n_clusters
    if clusters is None or count is None or clusters.shape[1] > 1 or count >= MANY_CLUSTERS:
        return
    if not df + 1 < FEW_EFFECTIVE_CLUSTERS:
        return
    name, codes = str(clusters.columns[0]), np.asarray(pd.factorize(clusters.iloc[:, 0], sort=True)[0], dtype=np.intp)
    others = np.linalg.qr(np.delete(fit.x, position, axis=1))[0]
    root = rows.weighted(np.ones(len(codes)))[:, None]

    def remove(columns: Floats) -> Floats:
        left = columns if rows.effects is None else rows.remove(columns / root) * root
        return left - others @ (others.T @ left)

    focal, y = remove(fit.x[:, [position]])[:, 0], remove(rows.weighted(rows.y)[:, None])[:, 0]
    bootstrap = wild_bootstrap(focal, y, remove, codes)
    error = float(crv1(fit, name, codes).std_error[position])
    low, high = bootstrap.interval(row.estimate, error)
    kind = "Rademacher" if count >= RADEMACHER_FROM else "Webb"
    unbounded = "unbounded" if np.isnan([low, high]).any() else ""
    effective = f"{df + 1:.1f} effective clusters"
    yield replace(
        row, term=f"{row.term}:wild", std_error=error, statistic=row.estimate / error, p_value=bootstrap.p_value(),
        ci_low=low, ci_high=high, vcov=f"wild cluster bootstrap({name}), {DRAWS:,} {kind} draws", seed=SEED,
        note="; ".join(filter(None, (row.note, effective, unbounded and "a limit of the interval is unbounded"))),
    )  # fmt: skip


def _resting_on_one_row(fit: Fit, names: list[str]) -> list[str]:
    q, r = np.linalg.qr(fit.x)
    exactly_fitted = (q**2).sum(axis=1) > _EXACT
    if not exactly_fitted.any():
        return []
    influence = np.abs(linalg.solve_triangular(r, q[exactly_fitted].T)) * np.sqrt((fit.x**2).sum(axis=0))[:, None]
    return [name for name, rests in zip(names, (influence > 1e-9).any(axis=1), strict=True) if rests]
