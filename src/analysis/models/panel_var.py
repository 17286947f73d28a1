"""Vector autoregressions of a panel by least squares, from the cross-products of each cluster.

Every unit has its own mean (fixed effect) and all share the coefficients. What is estimated depends on the data only
through cross-products, and these add up over clusters: a bootstrap draw, a subset of units and a smaller number of lags
are sums and cuts of the same small matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.models.design_matrix import NotEstimableError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.intp]

SINGULAR = 1e-12
"""Smallest ratio of eigenvalues of scaled cross-products at which lags can still be told apart."""


@dataclass(frozen=True)
class Lagged:
    """The rows of a panel vector autoregression in which a unit's present and all its lags are observed.

    Attributes
    ----------
    y : (n, k) present values.
    x : (n, k * lags) values of the periods before, the latest first.
    unit, period : (n,) codes.
    """

    y: Floats
    x: Floats
    unit: Codes
    period: Codes

    def where(self, kept: Flags) -> Lagged:
        """Keep the rows that a mask marks."""
        return Lagged(self.y[kept], self.x[kept], self.unit[kept], self.period[kept])

    def demeaned(self, periods: bool) -> Lagged:
        """Take off the means of each unit and, if asked, of each period, alternately until both are gone."""
        values = np.hstack([self.y, self.x])
        groups = [self.unit, self.period] if periods else [self.unit]
        for _ in range(1000):
            largest = 0.0
            for group in groups:
                means = _sums(values, group) / np.bincount(group, minlength=int(group.max()) + 1)[:, None].clip(1)
                values = values - means[group]
                largest = max(largest, float(np.abs(means).max()))
            if len(groups) == 1 or largest < 1e-13:
                break
        k = self.y.shape[1]
        return Lagged(values[:, :k], values[:, k:], self.unit, self.period)


@dataclass(frozen=True)
class Moments:
    """Cross-products of g clusters.

    Attributes
    ----------
    xx, xy, yy : (g, k * lags, k * lags), (g, k * lags, k) and (g, k, k).
    n : (g,) rows.
    effects : means taken off beforehand, in all clusters together.
    """

    xx: Floats
    xy: Floats
    yy: Floats
    n: Floats
    effects: int

    @property
    def lags(self) -> int:
        """The number of lags."""
        return int(self.xx.shape[1] // self.yy.shape[1])

    def shortened(self, lags: int) -> Moments:
        """Keep the first so many lags, in the same rows."""
        kept = lags * self.yy.shape[1]
        return Moments(self.xx[:, :kept, :kept], self.xy[:, :kept], self.yy, self.n, self.effects)

    def total(self, weights: Floats | None = None) -> tuple[Floats, Floats, Floats]:
        """Add the clusters up, each as often as `weights`, (draws, g), says; without weights each once, as one draw."""
        counts = np.ones((1, len(self.n))) if weights is None else weights
        sums = [np.tensordot(counts, products, axes=(1, 0)) for products in (self.xx, self.xy, self.yy)]
        return sums[0], sums[1], sums[2]


@dataclass(frozen=True)
class Fit:
    """Least squares of a panel vector autoregression, once or in each of d draws.

    Attributes
    ----------
    coefficients : (d, k * lags, k) of the lags (rows) in each equation (columns).
    residuals : (d, k, k) residual covariance, over n − k * lags − effects.
    """

    coefficients: Floats
    residuals: Floats

    @property
    def companion(self) -> Floats:
        """The companion matrices, (d, k * lags, k * lags)."""
        d, width, k = self.coefficients.shape
        lower = np.broadcast_to(np.eye(width - k, width), (d, width - k, width))
        return np.concatenate([self.coefficients.transpose(0, 2, 1), lower], axis=1)

    @property
    def largest_root(self) -> Floats:
        """The largest modulus of the companion matrices' eigenvalues, (d,); below 1 an impulse dies out."""
        return np.asarray(np.abs(np.linalg.eigvals(self.companion)).max(axis=1))


def lagged(values: Floats, lags: int) -> Lagged:
    """Set each value of a panel beside those of the periods before.

    Parameters
    ----------
    values : (units, periods, k), periods without gaps; NaN where a unit is not observed.

    Raises
    ------
    NotEstimableError : no unit is observed in enough periods in a row.
    """
    periods, k = values.shape[1:]
    if periods <= lags:
        raise NotEstimableError(f"{periods} periods are too few for {lags} lags")
    y = values[:, lags:]
    x = np.concatenate([values[:, lags - lag : periods - lag] for lag in range(1, lags + 1)], axis=2)
    complete = np.isfinite(y).all(axis=2) & np.isfinite(x).all(axis=2)
    unit, period = np.nonzero(complete)
    if not len(unit):
        raise NotEstimableError(f"no unit is observed in {lags + 1} periods in a row")
    return Lagged(y[complete].reshape(-1, k), x[complete].reshape(-1, k * lags), unit, period)


def moments(rows: Lagged, clusters: Codes, periods: bool) -> Moments:
    """Take fixed effects off and add up the cross-products of each cluster.

    Parameters
    ----------
    clusters : (n,) code of each row's cluster, from 0.
    periods : take off the mean of each period too.

    Raises
    ------
    NotEstimableError : the lags cannot be told apart.
    """
    found = _products(rows, clusters, periods)
    total = found.xx.sum(axis=0)
    if not _told_apart(total[None])[0]:
        raise NotEstimableError(f"the {len(total)} lagged values are collinear in {len(rows.y)} rows")
    return found


def _products(rows: Lagged, clusters: Codes, periods: bool) -> Moments:
    within = rows.demeaned(periods)
    order = np.argsort(clusters, kind="stable")
    bounds = np.flatnonzero(np.diff(clusters[order], prepend=-1, append=-1))[:-1]
    blocks = [(within.x[part], within.y[part]) for part in np.split(order, bounds[1:])]
    effects = len(np.unique(rows.unit)) + (len(np.unique(rows.period)) - 1 if periods else 0)
    return Moments(
        np.stack([x.T @ x for x, _ in blocks]),
        np.stack([x.T @ y for x, y in blocks]),
        np.stack([y.T @ y for _, y in blocks]),
        np.array([float(len(x)) for x, _ in blocks]),
        effects,
    )


def _told_apart(xx: Floats) -> Flags:
    """Say of each matrix of cross-products, (d, k * lags, k * lags), whether its lags are not collinear."""
    scale = np.sqrt(np.diagonal(xx, axis1=1, axis2=2))
    varying = np.asarray((scale > 0).all(axis=1))
    scaled = xx[varying] / (scale[varying, :, None] * scale[varying, None])
    varying[varying] = np.linalg.eigvalsh(scaled)[:, 0] >= SINGULAR
    return varying


def fit(data: Moments, weights: Floats | None = None) -> Fit:
    """Estimate by least squares, equation by equation.

    Parameters
    ----------
    weights : (draws, g) how often each cluster is drawn; one fit with each cluster once where absent.

    References
    ----------
    Lütkepohl (2005), New Introduction to Multiple Time Series Analysis, sec. 3.2.
    """
    xx, xy, yy = data.total(weights)
    coefficients = np.linalg.solve(xx, xy)
    squares = yy - coefficients.transpose(0, 2, 1) @ xy
    n = data.n.sum() if weights is None else weights @ data.n
    df: Floats = np.atleast_1d(n) - xx.shape[1] - data.effects
    residuals = (squares + squares.transpose(0, 2, 1)) / 2 / df[:, None, None]
    return Fit(np.asarray(coefficients, dtype=np.float64), residuals)


def fit_apart(rows: Lagged) -> Fit:
    """Fit each unit by itself, once for every unit whose lags can be told apart."""
    each = _products(rows, np.asarray(np.unique(rows.unit, return_inverse=True)[1], dtype=np.intp), False)
    kept = _told_apart(each.xx)
    alone = Moments(each.xx[kept], each.xy[kept], each.yy[kept], each.n[kept], effects=1)
    return fit(alone, np.eye(int(kept.sum())))


def criteria(data: Moments) -> dict[str, Floats]:
    """Return Akaike's, Schwarz's and Hannan and Quinn's criterion of 1 to all lags, in the same rows, (lags,) each.

    References
    ----------
    Lütkepohl (2005), sec. 4.3.2.
    """
    n, k = float(data.n.sum()), data.yy.shape[1]
    found: dict[str, list[float]] = {"aic": [], "bic": [], "hqic": []}
    for lags in range(1, data.lags + 1):
        cut = data.shortened(lags)
        df = n - k * lags - data.effects
        log_determinant = float(np.linalg.slogdet(fit(cut).residuals[0] * df / n)[1])
        free = k * k * lags + k * data.effects
        for name, price in (("aic", 2.0), ("bic", np.log(n)), ("hqic", 2 * np.log(np.log(n)))):
            found[name].append(log_determinant + price * free / n)
    return {name: np.array(values) for name, values in found.items()}


@dataclass(frozen=True)
class JointTest:
    """Whether one set of series helps to predict another, given everything's past.

    Attributes
    ----------
    statistic, df, df_error, p_value : of the F test that all their coefficients are zero.
    """

    statistic: float
    df: int
    df_error: int
    p_value: float


def explained(data: Moments, leaders: list[int], followers: list[int]) -> float:
    """Return the share of the followers' residual variance that the leaders' lags remove, averaged over followers."""
    xx, xy, yy = (total[0] for total in data.total())
    k = data.yy.shape[1]
    rest = [column for column in range(len(xx)) if column % k not in leaders]
    without = yy - xy[rest].T @ np.linalg.solve(xx[np.ix_(rest, rest)], xy[rest])
    left = yy - xy.T @ np.linalg.solve(xx, xy)
    return float((1 - np.diag(left)[followers] / np.diag(without)[followers]).mean())


def granger(data: Moments, leaders: list[int], followers: list[int]) -> JointTest:
    """Test whether the leaders' lags are all zero in the followers' equations, with errors clustered as `data` is.

    Raises
    ------
    NotEstimableError : fewer than two clusters for each restriction, so that the clustered covariance says nothing.

    References
    ----------
    Granger (1969), Econometrica 37(3). Cameron and Miller (2015), sec. VII, for the F distribution with g − 1 degrees.
    """
    k, g = data.yy.shape[1], len(data.n)
    tested = [lag * k + leader for lag in range(data.lags) for leader in leaders]
    df = len(tested) * len(followers)
    if g < 2 * df:
        raise NotEstimableError(f"{df} coefficients cannot be tested jointly with {g} clusters")
    xx, xy, _ = (total[0] for total in data.total())
    inverse = np.linalg.inv(xx)
    coefficients = inverse @ xy
    scores = data.xy - data.xx @ coefficients
    width, n = len(xx), float(data.n.sum())
    parts = np.concatenate([scores[:, :, follower] @ inverse[:, tested] for follower in followers], axis=1)
    covariance = parts.T @ parts * (g / (g - 1)) * ((n - 1) / (n - width - data.effects))
    values = np.concatenate([coefficients[tested, follower] for follower in followers])
    statistic = float(values @ np.linalg.solve(covariance, values)) / df
    return JointTest(statistic, df, g - 1, float(stats.f.sf(statistic, df, g - 1)))


def _sums(values: Floats, group: Codes) -> Floats:
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    found = np.zeros((int(group.max()) + 1, values.shape[1]))
    found[group[order][starts]] = np.add.reduceat(values[order], starts, axis=0)
    return found
