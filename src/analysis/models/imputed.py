"""The imputation estimator of Borusyak, Jaravel and Spiess, on any panel.

It equals diff-diff's, and so R's didimputation, to ten digits, as the tests hold, and solves for all effects and their
errors at once, where diff-diff takes one horizon at a time, and many times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from analysis.models.design_matrix import NotEstimableError
from analysis.models.estimates import NAN
from analysis.models.fixed_effects import ABSORBED, Effects
from analysis.models.staggered import Found, Rules
from analysis.models.staggered_panel import NEVER, Panel
from analysis.models.vcov import crv1, least_squares

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.intp]


def imputation(panel: Panel, rules: Rules) -> Found:
    """Impute what exposed unit-periods would have been from unit and period effects of the unexposed ones.

    Leads are coefficients of a regression among unexposed unit-periods. Errors are conservative: within a cohort and
    event time, effects that differ count as noise.

    References
    ----------
    Borusyak, Jaravel and Spiess (2024), Review of Economic Studies 91(6), theorem 2, eq. 8, sec. 4.3 and 4.4.
    """
    rows = _Rows.of(panel, rules.anticipation)
    tau, solve, left = _effects(rows)
    known, since = ~np.isnan(tau), rows.since[rows.exposed]
    if not known.any():
        raise NotEstimableError("no exposed unit-period has unexposed ones of its unit and of its period")
    widest = max(rules.leads, rules.lags)
    times = [int(e) for e in np.unique(since) if abs(e) <= widest and e != rules.reference]
    chosen = np.column_stack([known, *(known & (since == e) for e in times)])
    with np.errstate(invalid="ignore"):
        share = chosen * rows.weight[rows.exposed, None] / (chosen * rows.weight[rows.exposed, None]).sum(axis=0)
    estimate = share.T @ np.where(known, tau, 0.0)
    error = _conservative_errors(rows, np.where(known, tau, 0.0), share, solve(share), left)
    events = pd.DataFrame({"estimate": estimate[1:], "std_error": error[1:]}, index=times)
    before = _leads(rows, [e for e in range(-widest, rules.reference) if (rows.since[~rows.exposed] == e).any()])
    found = pd.concat([before, pd.DataFrame({"estimate": 0.0, "std_error": NAN}, index=[rules.reference]), events])
    return Found(float(estimate[0]), float(error[0]), found.rename_axis("event_time").sort_index().assign(cohorts=NAN))


@dataclass(frozen=True)
class _Rows:
    """A panel as arrays, (n,) each: `since` counts periods since exposure, NaN for units that are never exposed."""

    y: Floats
    unit: Codes
    period: Codes
    cohort: Codes
    cluster: Codes
    weight: Floats
    weighted: bool
    since: Floats
    exposed: Flags

    @classmethod
    def of(cls, panel: Panel, anticipation: int) -> _Rows:
        rows = panel.rows
        cohort, period = rows["cohort"].to_numpy(np.intp), rows["period"].to_numpy(np.intp)
        since = np.where(cohort == NEVER, np.nan, period - cohort)
        unit, cluster = (rows[name].to_numpy(np.intp) for name in ("unit", "cluster"))
        weight = rows["weight"].to_numpy(np.float64) if panel.weighted else np.ones(len(rows))
        exposed = since >= -anticipation
        y = rows["y"].to_numpy(np.float64)
        return cls(y, unit, period - period.min(), cohort, cluster, weight, panel.weighted, since, exposed)

    def variance(self, scores: Floats) -> Floats:
        """Add up squares of the clusters' sums of scores, (n, m): (m, m).

        With weights they are centred and multiplied by G/(G − 1), as is usual for weighted samples.
        """
        groups = int(self.cluster.max()) + 1
        sums = sparse.csr_array((np.ones(len(scores)), (self.cluster, np.arange(len(scores))))) @ scores
        if self.weighted:
            sums = (sums - sums.mean(axis=0)) * np.sqrt(groups / (groups - 1))
        return np.asarray(sums.T @ sums)


def _effects(rows: _Rows) -> tuple[Floats, Callable[[Floats], Floats], Floats]:
    """Fit unit and period effects to the unexposed rows.

    Returns
    -------
    Effect of exposure in each exposed row, NaN where its unit and period are not connected by unexposed rows; what
    gives the unexposed rows' influence on means of these, from their shares, (exposed rows, m); and the residuals of
    the unexposed rows.
    """
    units, periods = int(rows.unit.max()) + 1, int(rows.period.max()) + 1
    free = ~rows.exposed
    edges = (np.ones(int(free.sum())), (rows.unit[free], units + rows.period[free]))
    part = connected_components(sparse.csr_array(edges, shape=(units + periods,) * 2), directed=False)[1]
    _, first = np.unique(part[units:], return_index=True)
    kept = np.ones(units + periods, dtype=np.bool_)
    kept[units + first] = False
    ones, at = np.ones(2 * len(rows.y)), np.arange(len(rows.y))
    dummies = sparse.csr_array((ones, (np.tile(at, 2), np.r_[rows.unit, units + rows.period])))[:, np.flatnonzero(kept)]
    own, weight = dummies[free], rows.weight[free]
    scaled = (own * weight[:, None]).tocsr() if rows.weighted else own
    factors = splu((scaled.T @ own).tocsc())
    effects = factors.solve(scaled.T @ rows.y[free])
    known = part[rows.unit[rows.exposed]] == part[units + rows.period[rows.exposed]]
    tau = np.where(known, rows.y[rows.exposed] - dummies[rows.exposed] @ effects, np.nan)

    def influence(share: Floats) -> Floats:
        return np.asarray(-(scaled @ factors.solve(dummies[rows.exposed].T @ share)))

    return tau, influence, rows.y[free] - own @ effects


def _conservative_errors(rows: _Rows, tau: Floats, share: Floats, influence: Floats, left: Floats) -> Floats:
    """Return standard errors of means of effects, (m,), by eq. 8.

    Parameters
    ----------
    tau : (exposed rows,) effects; 0 where not known.
    share : (exposed rows, m) of each effect in each mean.
    influence : (unexposed rows, m) on each mean.
    left : (unexposed rows,) residuals.
    """
    cells = np.column_stack([rows.cohort, rows.period])[rows.exposed]
    cell = np.unique(cells, axis=0, return_inverse=True)[1].ravel()
    inside = sparse.csr_array((np.ones(len(cell)), (cell, np.arange(len(cell)))))
    square = share**2
    total = inside @ square
    mean = (inside @ (square * tau[:, None])) / np.where(total > 0, total, 1.0)
    scores = np.empty((len(rows.y), share.shape[1]))
    scores[rows.exposed] = share * (tau[:, None] - mean[cell])
    scores[~rows.exposed] = influence * left[:, None]
    return np.sqrt(np.diag(rows.variance(scores)))


def _leads(rows: _Rows, times: list[int]) -> pd.DataFrame:
    """Regress the outcome of the unexposed rows on event times, beside unit and period effects; CRV1 errors."""
    found = pd.DataFrame(np.nan, index=times, columns=["estimate", "std_error"])
    free = ~rows.exposed
    weight, root = rows.weight[free], np.sqrt(rows.weight[free])[:, None]
    effects = Effects.of(pd.DataFrame({"unit": rows.unit[free], "period": rows.period[free]}))
    dummies = (rows.since[free, None] == np.array(times)).astype(np.float64)
    left = root * effects.remove(np.column_stack([rows.y[free], dummies]), weight)
    told = _told_apart(left[:, 1:], root * dummies)
    if not told.any():
        return found
    x = left[:, 1:][:, told]
    beta, fit = least_squares(left[:, 0], x, effects, weight)
    if rows.weighted:
        scores = np.zeros((len(rows.y), x.shape[1]))
        scores[free] = x * fit.residuals[:, None]
        error = np.sqrt(np.diag(fit.bread @ rows.variance(scores) @ fit.bread))
    else:
        error = crv1(fit, "cluster", np.unique(rows.cluster[free], return_inverse=True)[1]).std_error
    found.loc[np.array(times)[told]] = np.column_stack([beta, error])
    return found


def _told_apart(x: Floats, given: Floats) -> Flags:
    """Flag the columns, (k,), that neither the effects nor the columns before them determine."""
    size = (given**2).sum(axis=0)
    told = np.asarray((x**2).sum(axis=0) > ABSORBED * size)
    if told.any():
        own = np.abs(np.diag(np.linalg.qr(x[:, told], mode="r"))) ** 2
        told[told] = own > ABSORBED * size[told]
    return told
