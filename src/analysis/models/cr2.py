"""Bias-reduced clustered errors (CR2, CR3) with Satterthwaite's degrees of freedom, for few or unequal clusters.

No Python library has them. In R they are those of clubSandwich, whose published numbers the tests compare with. CR3 is
the jackknife that leaves out one cluster at a time, to one step: of least squares exactly that, which the tests hold.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

MOST_ROWS = 100_000
"""With more rows in few clusters the decomposition of a cluster's rows takes too long."""

MOST_COLUMNS = 400
"""With more levels of effects that cross clusters, too."""

_DROPPED = 1 - 1e-10
_ALONE = 1e-6


def bias_reduced(
    x: Floats, residuals: Floats, bread: Floats, basis: Floats, codes: Codes, *, jackknife: bool = False
) -> tuple[Floats, Floats]:
    """Return the CR2 variance of least-squares coefficients, or CR3's, and the degrees of freedom of each.

    Both are NaN for a coefficient that rests on one cluster alone: without that cluster it could not be estimated, and
    its error cannot be either. Parameters as in `adjusted_influence`.

    Parameters
    ----------
    residuals : (n,) of the fit, in rows multiplied by the root of their weight.

    Returns
    -------
    (k, k) variance and (k,) degrees of freedom.
    """
    adjusted, df = adjusted_influence(x, bread, basis, codes, jackknife=jackknife)
    scores = np.column_stack([np.bincount(codes, column * residuals) for column in adjusted.T])
    matrix = np.asarray(scores.T @ scores, dtype=np.float64)
    alone = np.isnan(df)
    matrix[alone], matrix[:, alone] = np.nan, np.nan
    return matrix, df


def adjusted_influence(
    x: Floats, bread: Floats, basis: Floats, codes: Codes, *, jackknife: bool = False
) -> tuple[Floats, Floats]:
    """Return what CR2, or CR3, makes of each row's influence on each coefficient, and the degrees of freedom.

    Residuals of a cluster with high leverage are too small; CR2 multiplies those of each cluster by the root of what
    they would be expected to be, were errors independent and alike (or, with weights, of variance inverse to them). CR3
    multiplies them by the square of that root, which makes them the residuals of a fit without the cluster.

    Parameters
    ----------
    x : (n, k) regressors less what the effects explain, in rows multiplied by the root of their weight.
    bread : (k, k) inverse of x'x; or (k, m), its product with m contrasts of the coefficients.
    basis : (n, b) orthonormal; what effects that cross clusters span beside those nested in clusters. Effects that are
        nested in clusters need no columns (Pustejovsky and Tipton, theorem 2).
    codes : (n,) cluster of each row, counted from 0.

    Returns
    -------
    (n, k) such that the variance is the sum over clusters of the squared products with the residuals; and (k,) degrees
    of freedom, NaN for a coefficient that rests on one cluster alone.

    References
    ----------
    Bell and McCaffrey (2002), Bias reduction in standard errors for linear regression with multi-stage samples.
    Pustejovsky and Tipton (2018), Small-sample methods for cluster-robust variance estimation and hypothesis testing in
    fixed effects models, eq. 5 and 11, theorem 2. MacKinnon, Nielsen and Webb (2023), Cluster-robust inference: A guide
    to empirical practice, for CR3 (CV3).
    """
    span = np.column_stack([np.linalg.qr(x)[0], basis])
    influence = x @ bread
    length = np.sqrt((influence**2).sum(axis=0))
    order = np.argsort(codes, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    found, sizes, loads = np.empty_like(influence), [], []
    alone = np.zeros(influence.shape[1], dtype=np.bool_)
    if jackknife:
        influence = influence * np.sqrt((len(groups) - 1) / len(groups))
    for rows in groups:
        left, singular, _ = np.linalg.svd(span[rows], full_matrices=False)
        dropped = singular**2 > _DROPPED
        with np.errstate(divide="ignore"):
            left_over = np.maximum(1 - singular**2, 1 - _DROPPED)
            stretch = np.where(dropped, 0.0, 1 / (left_over if jackknife else np.sqrt(left_over)))
        inside = left.T @ influence[rows]
        alone |= (np.abs(inside[dropped]) > _ALONE * length).any(axis=0)
        adjusted = influence[rows] + left @ ((stretch - 1)[:, None] * inside)
        found[rows] = adjusted
        sizes.append((adjusted**2).sum(axis=0))
        loads.append(span[rows].T @ adjusted)
    columns = range(influence.shape[1])
    df = np.array([_satterthwaite(np.array(sizes)[:, j], np.array(loads)[:, :, j]) for j in columns])
    df[alone] = np.nan
    return found, df


def _satterthwaite(sizes: Floats, loads: Floats) -> float:
    """Return the degrees of freedom from the quadratic form that the variance is, under independent errors.

    Parameters
    ----------
    sizes : (g,) squared length of each cluster's adjusted influence.
    loads : (g, b) its part in what the regressors span.
    """
    form = np.diag(sizes) - loads @ loads.T
    return float(np.trace(form) ** 2 / (form**2).sum())
