"""The estimator of Callaway and Sant'Anna without covariates, from sums over cohorts, for any dates of adoption.

It is a weighted sum of differences between the mean changes of cohorts, so that other dates, or fewer units, take other
sums and no more. `analysis.models.staggered` has the library's estimator, which this one must equal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.models.staggered import Rules

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


@dataclass(frozen=True)
class _Cells:
    """What an effect averages, each (cohorts, periods): shares, effects, and mean changes and sizes of both sides."""

    shares: Floats
    effects: Floats
    treated: Floats
    compared: Floats
    n_treated: Floats
    n_compared: Floats


class CohortMeans:
    """Outcomes of units over all periods, as sums that cohorts can be made from.

    Parameters
    ----------
    y : (units, periods), NaN where a unit is not observed.
    weights : (units,).
    cohorts : (units,) position of the first exposed period, as many as there are periods where never.
    rules : how cohorts are compared.
    """

    def __init__(self, y: Floats, weights: Floats, cohorts: Codes, rules: Rules) -> None:
        self.cohorts, self.rules, self.periods = cohorts, rules, y.shape[1]
        adopted = np.unique(cohorts[cohorts < self.periods])
        self.adopted = adopted[adopted + rules.reference >= 0]
        # Of each unit and reference period: its changes since then, where both periods are observed.
        changes = y[:, None, :] - y[:, self.adopted + rules.reference][:, :, None]
        seen = np.where(np.isnan(changes), 0.0, weights[:, None, None])
        parts = np.stack([np.where(np.isnan(changes), 0.0, changes) * seen, seen], axis=1)
        self._parts = np.hstack([parts.reshape(len(y), -1), weights[:, None]])

    def totals(self, cohorts: Codes, units: NDArray[np.bool_] | None = None) -> Floats:
        """Sum what is known of units by cohort, (periods + 1, k): of all, or of some."""
        chosen = np.arange(len(cohorts)) if units is None else np.flatnonzero(units)
        member = np.zeros((self.periods + 1, len(chosen)))
        member[cohorts[chosen], np.arange(len(chosen))] = 1.0
        return np.asarray(member @ self._parts[chosen])

    def effect(self, term: str, totals: Floats) -> float:
        """Return `average` or `overall`, NaN where a part of it has nothing to compare with."""
        cells = self._cells(term, totals)
        return float((cells.shares * np.where(cells.shares > 0, cells.effects, 0.0)).sum())

    def statistic(self, term: str, cohorts: Codes, clusters: Codes) -> float:
        """Return the effect for some dates of adoption over its clustered error, shares of cohorts taken as known."""
        cells = self._cells(term, self.totals(cohorts))
        used = cells.shares > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            treated = np.where(used, cells.shares / cells.n_treated, 0.0)
            compared = np.where(used, cells.shares / cells.n_compared, 0.0)
        # By cohort of a unit: what its change in each cell, less the cell's mean, adds to the estimate.
        within = (np.arange(self.periods + 1)[:, None, None] == self.adopted[:, None]) * treated
        against = (np.arange(self.periods + 1)[:, None, None] >= self._controls()) * compared
        slope = (within - against).reshape(self.periods + 1, -1)
        means = within * np.where(used, cells.treated, 0.0) - against * np.where(used, cells.compared, 0.0)
        means = means.reshape(slope.shape)
        size = slope.shape[1]
        influence = (self._parts[:, :size] * slope[cohorts]).sum(axis=1)
        influence -= (self._parts[:, size : 2 * size] * means[cohorts]).sum(axis=1)
        error = float(np.sqrt((np.bincount(clusters, influence) ** 2).sum()))
        value = float((cells.shares * np.where(used, cells.effects, 0.0)).sum())
        return value / error if error > 0 else np.nan

    def _controls(self) -> Codes:
        """Return the first cohort that may be compared with in each period, (periods,)."""
        if self.rules.comparison == "never_treated":
            return np.full(self.periods, self.periods)
        return np.minimum(np.arange(self.periods) + self.rules.anticipation + 1, self.periods)

    def _cells(self, term: str, totals: Floats) -> _Cells:
        sizes = totals[self.adopted, -1]
        sums, seen = np.moveaxis(totals[:, :-1].reshape(self.periods + 1, 2, len(self.adopted), self.periods), 1, 0)
        # Units that adopt in a period or later, or never.
        later, left = (np.cumsum(part[::-1], axis=0)[::-1] for part in (sums, seen))
        when, own, controls = np.arange(self.periods), np.arange(len(self.adopted)), self._controls()
        n_treated, n_compared = seen[self.adopted, own], left[controls, :, when].T
        with np.errstate(divide="ignore", invalid="ignore"):
            treated, compared = sums[self.adopted, own] / n_treated, later[controls, :, when].T / n_compared
        since = when - self.adopted[:, None]
        known = (since >= -self.rules.anticipation) & ~np.isnan(treated - compared)
        shares = np.where(known, sizes[:, None], 0.0)
        # Each group of cells counts the same: all cells, or those at one event time.
        groups = [known] if term == "overall" else [known & (since == e) for e in range(self.rules.lags + 1)]
        totals_of = np.array([shares[group].sum() for group in groups])
        if not totals_of.all():
            shares = np.full(shares.shape, np.nan)
        else:
            shares = np.sum([group * shares / total for group, total in zip(groups, totals_of, strict=True)], axis=0)
            shares /= len(groups)
        return _Cells(shares, treated - compared, treated, compared, n_treated, n_compared)
