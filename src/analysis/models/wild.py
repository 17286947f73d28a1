"""The wild cluster bootstrap of one coefficient, for clusters too few for any approximation to hold.

The bootstrap with the null imposed, CRV1 errors and one weight per cluster and draw is linear in the weights: what each
cluster adds to a draw's coefficient and to its error is a product of one (clusters × clusters) matrix with the weights.
All draws are two matrix products, and no draw touches the rows. The library `wildboottest` has the same p-values for
the same weights, in many times the time and without fixed effects; see `analysis.bench.estimators`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

DRAWS = 9_999
SEED = 20110125

RADEMACHER_FROM = 12
"""With fewer clusters two-point weights have too few distinct draws; those of Webb have six points."""

_WEBB = np.sqrt([0.5, 1.0, 1.5])
_TIE = 1e-9
_LEVEL = 0.05
_WIDEST = 200.0
_STEPS = 40


@dataclass(frozen=True)
class WildBootstrap:
    """One coefficient's bootstrap, ready to test any value of it.

    Attributes
    ----------
    own, exposed : (g,) products of each cluster's focal regressor with the outcome and with itself.
    of_outcome, of_exposure : (g, g) what cluster h's part of the outcome, or of the focal regressor, adds to cluster
        g's score once everything but the focal regressor has been taken out.
    weights : (g, draws).
    """

    own: Floats
    exposed: Floats
    of_outcome: Floats
    of_exposure: Floats
    weights: Floats

    def statistics(self, null: float) -> tuple[float, Floats]:
        """Return the t statistic against a value, and those of the draws, (draws,), up to one factor of all."""
        further = null - self.estimate
        coefficients, per_unit, squares, products, squares_per_unit = self._parts
        error = squares - 2 * further * products + further**2 * squares_per_unit
        with np.errstate(divide="ignore", invalid="ignore"):
            found = (coefficients - further * per_unit) / np.sqrt(np.maximum(error, 0.0))
        return float(found[0]), found[1:]

    @cached_property
    def estimate(self) -> float:
        """The coefficient."""
        return float(self.own.sum() / self.exposed.sum())

    @cached_property
    def _parts(self) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Products with the weights at the estimate, and how they change with the null, (1 + draws,) each.

        Coefficients are linear in the null, and their squared errors quadratic, so that all nulls share five vectors.
        """
        weights = np.column_stack([np.ones(len(self.own)), self.weights])
        products, share = self.own - self.estimate * self.exposed, self.exposed / self.exposed.sum()
        scores = self.of_outcome - self.estimate * self.of_exposure - np.outer(share, products)
        at, slope = scores @ weights, (self.of_exposure - np.outer(share, self.exposed)) @ weights
        squares = (np.einsum("gd,gd->d", *pair) for pair in ((at, at), (at, slope), (slope, slope)))
        first, mixed, second = map(np.asarray, squares)
        return products @ weights, self.exposed @ weights, first, mixed, second

    def p_value(self, null: float = 0.0) -> float:
        """Return the symmetric p-value, (1 + as extreme) / (1 + draws)."""
        observed, drawn = self.statistics(null)
        as_extreme = int((~(np.abs(drawn) < abs(observed) * (1 - _TIE))).sum())
        return (1 + as_extreme) / (1 + len(drawn))

    def interval(self, estimate: float, std_error: float) -> tuple[float, float]:
        """Return the values that are not rejected at 5%; NaN for a limit beyond 200 standard errors."""
        return self._limit(estimate, -std_error), self._limit(estimate, std_error)

    def _limit(self, estimate: float, step: float) -> float:
        inside, outside = 0.0, 2.0
        while self.p_value(estimate + outside * step) >= _LEVEL:
            inside, outside = outside, 2 * outside
            if outside > _WIDEST:
                return float("nan")
        for _ in range(_STEPS):
            middle = (inside + outside) / 2
            if self.p_value(estimate + middle * step) >= _LEVEL:
                inside = middle
            else:
                outside = middle
            if outside - inside < 1e-4:
                break
        return estimate + (inside + outside) / 2 * step


def wild_bootstrap(
    focal: Floats, y: Floats, remove: Callable[[Floats], Floats], codes: Codes, draws: int = DRAWS, seed: int = SEED
) -> WildBootstrap:
    """Prepare the bootstrap of a focal coefficient.

    Parameters
    ----------
    focal, y : (n,) focal regressor and outcome, less what the other regressors and the effects explain.
    remove : takes out of (n, m) columns what the other regressors and the effects explain.
    codes : (n,) cluster of each row, counted from 0.
    seed : of the draws; nothing else changes them.

    References
    ----------
    Cameron, Gelbach and Miller (2008), Bootstrap-based improvements for inference with clustered errors. Roodman et al.
    (2019), Fast and wild, sec. 5, for the algebra. Webb (2023), Reworking wild bootstrap-based inference for clustered
    errors, for the weights of few clusters.
    """
    g = int(codes.max()) + 1
    rows = np.arange(len(y))
    own, exposed = _sums(codes, focal * y, g), _sums(codes, focal * focal, g)
    parts = []
    for column in (y, focal):
        apart = np.zeros((len(y), g))
        apart[rows, codes] = column
        left = remove(apart) * focal[:, None]
        parts.append(np.column_stack([_sums(codes, one, g) for one in left.T]))
    return WildBootstrap(own, exposed, parts[0], parts[1], cluster_weights(g, draws, np.random.default_rng(seed)))


def cluster_weights(clusters: int, draws: int, rng: np.random.Generator) -> Floats:
    """Draw (clusters, draws) weights of mean 0 and variance 1."""
    signs = rng.choice([-1.0, 1.0], size=(clusters, draws))
    return signs if clusters >= RADEMACHER_FROM else signs * rng.choice(_WEBB, size=(clusters, draws))


def _sums(codes: Codes, values: Floats, clusters: int) -> Floats:
    return np.asarray(np.bincount(codes, values, clusters), dtype=np.float64)
