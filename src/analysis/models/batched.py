"""Many ordinary least-squares regressions at once, with the standard errors that one at a time would have.

Every regression here has an intercept and one focal regressor, whose coefficient is wanted. What varies is the set of
covariates (`fit_subsets`), the focal regressor (`fit_exposures`), the outcome (`fit_outcomes`) or the rows
(`leave_groups_out`). Errors are those of `analysis.models.vcov` without bias reduction: CRV1 where clusters are given,
otherwise HC3, or HC1 in a regression that fits a row exactly, where HC3 is not defined. A coefficient that rests on
such a row has no error.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import linalg, sparse, stats
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from analysis.models.design_matrix import NotEstimableError
from analysis.models.fixed_effects import Effects

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Flags = NDArray[np.bool_]

COLLINEAR = 1e10
"""A regressor whose variance is inflated more than this by the others cannot be told apart from them."""

EXACT = 1 - 1e-9
"""A row of higher leverage is fitted exactly."""

MOST_COLUMNS = 400
"""More columns for the levels of effects would cost more than fitting anew."""

_LIMITED = ContextVar("limited", default=False)

_CELLS = 1 << 19
"""Numbers in one block of work: 4 MB, which stays in a processor's cache."""


@dataclass(frozen=True)
class Fits:
    """The focal coefficient of m regressions; NaN where it is not estimable.

    Attributes
    ----------
    estimate, std_error : (m,) in the outcome's unit per unit of the focal regressor.
    df : (m,) degrees of freedom of the t distribution: clusters − 1, or rows − regressors.
    """

    estimate: Floats
    std_error: Floats
    df: Floats

    @property
    def statistic(self) -> Floats:
        """The t statistics, (m,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.estimate / self.std_error)

    @property
    def p_value(self) -> Floats:
        """Two-sided p-values, (m,)."""
        return np.asarray(2 * stats.t.sf(np.abs(self.statistic), self.df))

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Confidence limits, (m,) each."""
        reach = stats.t.ppf((1 + level) / 2, self.df) * self.std_error
        return self.estimate - reach, self.estimate + reach


def fit_subsets(
    x: Floats, y: Floats, subsets: Flags, focal: int, clusters: Codes | None = None, absorb: Effects | None = None
) -> Fits:
    """Regress one outcome on many subsets of the same columns.

    The normal equations of all subsets are cut out of one Gram matrix, and the clustered variance out of one Gram
    matrix per cluster, so that no regression touches the rows again. Columns are centred and scaled first, without
    which the normal equations would lose digits.

    Parameters
    ----------
    x : (n, k) regressors without intercept.
    y : (n,) outcome.
    subsets : (m, k) the columns of each regression; the focal one is in all.
    focal : position of the focal column.
    clusters : (n,) cluster of each row, counted from 0, or None for HC3.
    absorb : fixed effects of the rows, taken out of all columns; HC1 then takes the place of HC3.

    Returns
    -------
    m fits; NaN where a subset is collinear or has as many columns as rows.

    References
    ----------
    Cameron and Miller (2015), A practitioner's guide to cluster-robust inference, eq. 11 and 12.
    MacKinnon and White (1985), for HC3.
    """
    n, used = len(y), _used(absorb, clusters)
    x, y = _within(absorb, x), _within(absorb, y[:, None])[:, 0]
    z, scale = _standardised(x)
    centred = y - y.mean()
    grams = _cluster_grams(z, centred, clusters) if clusters is not None else None
    gram, moment = z.T @ z, z.T @ centred
    per_fit = z.shape[1] * (len(grams[0]) if grams else n)
    parts = [
        _fit_block(z, centred, gram, moment, subsets[rows], focal, grams, used)
        for rows in _blocks(len(subsets), per_fit + z.shape[1] ** 2)
    ]
    estimate, variance = (np.concatenate(part) for part in zip(*parts, strict=True))
    estimate, variance = estimate / scale[focal], variance / scale[focal] ** 2
    regressors = subsets.sum(axis=1) + 1 + (used or 0)
    short = n <= regressors
    return _fits(np.where(short, np.nan, estimate), variance, n, regressors, clusters)


def fit_exposures(
    exposures: Floats, y: Floats, covariates: Floats, clusters: Codes | None = None, absorb: Effects | None = None
) -> Fits:
    """Regress one outcome on many focal regressors in turn, with the same covariates.

    Outcome and exposures are made orthogonal to the covariates once; what is left is one simple regression each
    (Frisch, Waugh and Lovell).

    Parameters
    ----------
    exposures : (n, m) one focal regressor per column, such as one permutation each.
    y : (n,) outcome.
    covariates : (n, k) without intercept; one that the others determine counts as none.
    clusters : (n,) cluster of each row, counted from 0, or None for HC3.
    absorb : as in `fit_subsets`.

    Returns
    -------
    m fits; NaN where an exposure is collinear with the covariates.

    References
    ----------
    Lovell (1963), Seasonal adjustment of economic time series and multiple regression analysis.
    """
    n, used = len(y), _used(absorb, clusters)
    basis = _basis(_within(absorb, covariates))
    y = _within(absorb, y[:, None])[:, 0]
    rest = y - basis @ (basis.T @ y)
    leverage = (basis**2).sum(axis=1)
    indicator = _indicator(clusters) if clusters is not None else None
    parts = [
        _fit_residuals(_within(absorb, exposures[:, columns]), rest, basis, leverage, indicator, used)
        for columns in _blocks(exposures.shape[1], n)
    ]
    estimate, variance = (np.concatenate(part) for part in zip(*parts, strict=True))
    return _fits(estimate, variance, n, np.full(len(estimate), basis.shape[1] + 1 + (used or 0)), clusters)


def fit_outcomes(
    outcomes: Floats, x: Floats, focal: int, clusters: Codes | None = None, absorb: Effects | None = None
) -> Fits:
    """Regress many outcomes on the same regressors.

    Parameters
    ----------
    outcomes : (n, m) one outcome per column, such as one simulated draw each.
    x : (n, k) regressors without intercept.
    focal : position of the focal column.
    clusters : (n,) cluster of each row, counted from 0, or None for HC3.
    absorb : as in `fit_subsets`.

    Raises
    ------
    NotEstimableError : the regressors are collinear.
    """
    n, used = len(outcomes), _used(absorb, clusters)
    k = x.shape[1] + 1 + (used or 0)
    x = _within(absorb, x)
    basis = _basis(np.delete(x, focal, axis=1))
    rest = x[:, focal] - basis @ (basis.T @ x[:, focal])
    size = rest @ rest
    if size <= (x[:, focal] @ x[:, focal]) / COLLINEAR:
        raise NotEstimableError(f"{k} regressors are collinear in {n} rows")
    leverage = (basis**2).sum(axis=1) + rest**2 / size
    estimates, variances = [], []
    for columns in _blocks(outcomes.shape[1], n):
        y = _within(absorb, outcomes[:, columns])
        estimate = rest @ y / size
        residuals = y - basis @ (basis.T @ y) - np.outer(rest, estimate)
        if clusters is None:
            scores = _robust_scores(rest[:, None], residuals, leverage[:, None], k, 0, used is not None)
        else:
            scores = _indicator(clusters) @ (rest[:, None] * residuals)
        estimates.append(estimate)
        variances.append((scores**2).sum(axis=0) / size**2)
    return _fits(np.concatenate(estimates), np.concatenate(variances), n, np.full(outcomes.shape[1], k), clusters)


def leave_groups_out(x: Floats, y: Floats, focal: int, groups: Codes, absorb: Effects | None = None) -> Floats:
    """Estimate the focal coefficient without each group of rows in turn.

    Parameters
    ----------
    x : (n, k) regressors without intercept.
    y : (n,) outcome.
    groups : (n,) group of each row, counted from 0; each row its own for leave-one-out.
    absorb : fixed effects of the rows. Those nested in groups are taken out once, as no group has rows of another's;
        those that cross groups become columns.

    Returns
    -------
    (groups,) estimates; NaN where the coefficient is not estimable without the group, or where more columns would be
    needed than `MOST_COLUMNS`.
    """
    if absorb is not None:
        crossing = absorb.unnested_basis(groups, np.ones(len(y)), MOST_COLUMNS)
        if crossing is None:
            return np.full(int(groups.max()) + 1, np.nan)
        own = absorb.nested_in(groups)
        x, y = _within(own, x), _within(own, y[:, None])[:, 0]
        x = np.column_stack([x, _centred_basis(crossing)])
    z, scale = _standardised(x)
    z = np.column_stack([z, np.full(len(z), len(z) ** -0.5)])
    centred = y - y.mean()
    grams, moments = _cluster_grams(z, centred, groups)
    gram, moment = z.T @ z, z.T @ centred
    found = []
    for rows in _blocks(len(grams), z.shape[1] ** 2):
        inverse = _inverse(gram - grams[rows])
        solved = (inverse[:, focal] * (moment - moments[rows])).sum(axis=1)
        found.append(np.where(_collinear(inverse, np.ones((1, z.shape[1]), bool)), np.nan, solved))
    return np.asarray(np.concatenate(found) / scale[focal])


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep matrix products on one thread: split over several, their sums may differ in the last digit."""
    if _LIMITED.get():
        yield
        return
    token = _LIMITED.set(True)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        _LIMITED.reset(token)


def codes(labels: object) -> Codes:
    """Number distinct labels from 0, in their order."""
    return np.asarray(pd.factorize(np.asarray(labels), sort=True)[0], dtype=np.intp)


def _within(absorb: Effects | None, columns: Floats) -> Floats:
    return columns if absorb is None else absorb.within(columns)


def _used(absorb: Effects | None, clusters: Codes | None) -> int | None:
    """Count the parameters of the effects beside the intercept; None where there are no effects."""
    return None if absorb is None else absorb.parameters([] if clusters is None else [clusters]) - 1


def _centred_basis(columns: Floats) -> Floats:
    """Return an orthonormal basis of what columns span beside an intercept."""
    q, r, _ = linalg.qr(columns - columns.mean(axis=0), mode="economic", pivoting=True)
    return np.asarray(q[:, np.abs(np.diag(r)) > COLLINEAR**-0.5])


def _fits(estimate: Floats, variance: Floats, n: int, regressors: NDArray[np.int64], clusters: Codes | None) -> Fits:
    if clusters is None:
        factor, df = np.ones(len(estimate)), n - regressors
    else:
        g = int(clusters.max()) + 1
        with np.errstate(divide="ignore"):
            factor = g / (g - 1) * (n - 1) / (n - regressors) if g > 1 else np.full(len(estimate), np.nan)
        df = np.full(len(estimate), g - 1)
    error = np.sqrt(variance * factor)
    known = np.isfinite(estimate)
    return Fits(np.where(known, estimate, np.nan), np.where(known, error, np.nan), df.astype(np.float64))


def _standardised(x: Floats) -> tuple[Floats, Floats]:
    """Centre columns and scale them to unit length; a constant column becomes zero."""
    centred = x - x.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    constant = length <= 1e-12 * np.maximum(np.abs(x).max(axis=0), 1) * len(x) ** 0.5
    scale = np.where(constant, 1.0, length)
    return np.where(constant, 0.0, centred / scale), scale


def _cluster_grams(z: Floats, y: Floats, clusters: Codes) -> tuple[Floats, Floats]:
    """Return z'z and z'y of each cluster, of shapes (g, k, k) and (g, k)."""
    order = np.argsort(clusters, kind="stable")
    starts = np.flatnonzero(np.diff(clusters[order], prepend=-1))
    k = z.shape[1]
    z, y = z[order], y[order]
    products = np.empty((len(starts), k, k))
    for column in range(k):
        products[:, column] = np.add.reduceat(z[:, [column]] * z, starts, axis=0)
    return products, np.add.reduceat(z * y[:, None], starts, axis=0)


def _fit_block(
    z: Floats,
    y: Floats,
    gram: Floats,
    moment: Floats,
    subsets: Flags,
    focal: int,
    grams: tuple[Floats, Floats] | None,
    used: int | None,
) -> tuple[Floats, Floats]:
    """Return the focal coefficients and their uncorrected robust variances, in the scaled column's unit."""
    inside = subsets[:, :, None] & subsets[:, None, :]
    k = len(moment)
    inverse = _inverse(np.where(inside, gram, np.eye(k)))
    collinear = _collinear(inverse, subsets)
    inverse = np.where(inside & ~collinear[:, None, None], inverse, 0.0)
    coefficients = inverse @ moment
    weights = inverse[:, focal]
    if grams is None:
        leverage = ((z @ inverse) * z).sum(axis=2) + 1 / len(y)
        regressors = subsets.sum(axis=1, keepdims=True) + 1 + (used or 0)
        scores = _robust_scores(weights @ z.T, y - coefficients @ z.T, leverage, regressors, 1, used is not None)
    else:
        products, moments = grams
        sums = (weights @ products.transpose(1, 0, 2).reshape(k, -1)).reshape(len(weights), -1, k)
        scores = weights @ moments.T - (sums @ coefficients[:, :, None])[:, :, 0]
    estimate = np.where(collinear, np.nan, coefficients[:, focal])
    return estimate, (scores**2).sum(axis=1)


def _fit_residuals(
    exposures: Floats, y: Floats, basis: Floats, leverage: Floats, indicator: sparse.csr_array | None, used: int | None
) -> tuple[Floats, Floats]:
    rest = exposures - basis @ (basis.T @ exposures)
    squares = rest**2
    size = squares.sum(axis=0)
    total = (exposures**2).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = np.where(size > total / COLLINEAR, y @ rest / size, np.nan)
        if indicator is None:
            leverages = leverage[:, None] + squares / size
            regressors = basis.shape[1] + 1 + (used or 0)
            scores = _robust_scores(rest, y[:, None] - rest * estimate, leverages, regressors, 0, used is not None)
        else:
            scores = indicator @ (rest * y[:, None]) - (indicator @ squares) * estimate
        return estimate, (scores**2).sum(axis=0) / size**2


def _robust_scores(
    weights: Floats, residuals: Floats, leverage: Floats, regressors: object, axis: int, absorbed: bool
) -> Floats:
    """Return each row's part of the focal coefficient's error: by HC3, or HC1 where HC3 is not defined.

    That is in a fit with an exactly fitted row, or with absorbed effects, whose part of the leverage is not known.

    Parameters
    ----------
    weights : what the focal coefficient makes of each row's residual, up to a factor of the fit.
    axis : of the rows; the other is that of the fits.
    """
    n = residuals.shape[axis]
    exact = leverage > EXACT
    some = exact.any(axis=axis, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        if not absorbed:
            hc3: Floats = weights * residuals / (1 - leverage)
            if not some.any():
                return hc3
        hc1: Floats = weights * residuals * np.sqrt(n / (n - np.asarray(regressors, dtype=np.float64)))
        if absorbed:
            return hc1
    matters = np.abs(weights) > 1e-9 * np.abs(weights).max(axis=axis, keepdims=True)
    alone = (exact & matters).any(axis=axis, keepdims=True)
    return np.where(alone, np.nan, np.where(some, hc1, hc3))


def _basis(covariates: Floats) -> Floats:
    """Return an orthonormal basis of what intercept and covariates span."""
    z, _ = _standardised(covariates)
    q, r, _ = linalg.qr(z, mode="economic", pivoting=True)
    independent = np.abs(np.diag(r)) > COLLINEAR**-0.5
    return np.column_stack([np.full(len(z), len(z) ** -0.5), q[:, : len(independent)][:, independent]])


def _indicator(clusters: Codes) -> sparse.csr_array:
    n = len(clusters)
    return sparse.csr_array((np.ones(n), (clusters, np.arange(n))), shape=(int(clusters.max()) + 1, n))


def _inverse(matrices: Floats) -> Floats:
    """Invert each matrix; a singular one becomes infinite."""
    try:
        return np.asarray(np.linalg.inv(matrices))
    except np.linalg.LinAlgError:
        if len(matrices) == 1:
            return np.full_like(matrices, np.inf)
        half = len(matrices) // 2
        return np.concatenate([_inverse(matrices[:half]), _inverse(matrices[half:])])


def _collinear(inverse: Floats, subsets: Flags) -> Flags:
    """Say which have a regressor that the others determine, from the diagonal of the inverse (variance inflation)."""
    inflation = np.where(subsets, np.diagonal(inverse, axis1=1, axis2=2), 1.0)
    return np.asarray(~((inflation > 0) & (inflation < COLLINEAR)).all(axis=1))


def _blocks(count: int, cells_each: int) -> Iterator[slice]:
    step = max(1, _CELLS // max(cells_each, 1))
    for start in range(0, count, step):
        yield slice(start, start + step)
