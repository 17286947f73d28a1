"""One regressor that is not as good as random, and instruments that move the outcome only through it.

Coefficients are those of linearmodels; errors those of `analysis.models.vcov`. What instruments need beyond a
coefficient, and no library has for clusters and fixed effects alike, is here: the effective first-stage F, and an
interval that keeps its level however weak the instruments are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, stats

from analysis.models.design_matrix import DesignMatrix, NotEstimableError
from analysis.models.estimates import NAN, NO_NUMBERS, Estimate
from analysis.models.linear import enough_rows
from analysis.models.usable_rows import Floats, UsableRows, usable_rows
from analysis.models.vcov import Fit, least_squares, robust

WEAK = 10.0
"""Instruments with a smaller effective F are called weak (Staiger and Stock, 1997)."""

_LEVEL = 0.05
_GRID = np.tan(np.linspace(-np.pi / 2, np.pi / 2, 4_003)[1:-1])


def iv(data: DesignMatrix, model: str, outcome: str) -> list[Estimate]:
    """Fit a linear model by two-stage least squares.

    Parameters
    ----------
    data : with `instruments`, (n, m), excluded from the outcome's equation, of the regressor `endogenous`.

    Returns
    -------
    One estimate per regressor. And, of the endogenous one, ``<term>:anderson_rubin``: the values that the
    Anderson–Rubin test does not reject, an interval that holds with weak instruments too (a limit is missing, and the
    note says so, where it has none); ``<term>:first_stage_f``: the effective F; ``<term>:ols``: least squares beside
    it; with more instruments than one ``<term>:overidentification``: Sargan's statistic of how far they contradict
    each other.

    Raises
    ------
    NotEstimableError : no instrument, instruments that are collinear with the regressors or that the effects determine.

    References
    ----------
    Anderson and Rubin (1949), Estimation of the parameters of a single equation. Montiel Olea and Pflueger (2013), A
    robust test for weak instruments, eq. 7. Andrews, Stock and Sun (2019), Weak instruments in instrumental variables
    regression, sec. 4 and 5.
    """
    from linearmodels.iv import IV2SLS

    rows = usable_rows(data)
    if data.instruments is None or data.instruments.shape[1] == 0 or data.endogenous not in rows.names:
        raise NotEstimableError("no instruments; the design iv needs a block `instruments`")
    x = rows.weighted(rows.regressors())
    y = rows.weighted(rows.remove(rows.y[:, None])[:, 0])
    at = rows.names.index(data.endogenous)
    stage = _first_stage(rows, x, at)
    enough_rows(rows, x.shape[1] + stage.z.shape[1] - 1)
    others = np.delete(x, at, axis=1)
    fit = IV2SLS(y, others if others.shape[1] else None, x[:, [at]], rows.weighted(stage.raw)).fit(
        cov_type="unadjusted"
    )
    beta = np.insert(np.asarray(fit.params)[:-1], at, np.asarray(fit.params)[-1])
    projected = x.copy()
    projected[:, at] = x[:, at] - stage.residuals
    bread = least_squares(y, projected)[1].bread
    variance = robust(Fit(projected, y - x @ beta, bread, rows.effects, rows.weights), rows.data.clusters)
    weak = f"instruments are weak (effective F {stage.effective_f:.1f}): read the Anderson–Rubin interval"
    notes = [*rows.notes, *variance.notes, *([weak] if stage.effective_f < WEAK else [])]
    shared = Estimate(
        model, "iv", outcome, "", f"difference in {outcome}", n_obs=len(y), n_units=rows.data.n_units,
        n_clusters=variance.n_clusters, vcov=variance.name, note="; ".join(notes),
    )  # fmt: skip
    numbers = variance.inference(beta)
    found = [
        replace(shared, term=term, estimate=float(value), **some)
        for term, value, some in zip(rows.names, beta, numbers, strict=True)
    ]
    return [*found, *_diagnostics(rows, stage, x, y, at, found[at])]


@dataclass(frozen=True)
class _FirstStage:
    """The regression of the endogenous regressor on the instruments.

    Attributes
    ----------
    raw : (n, m) instruments less what the effects explain, not weighted.
    z : (n, m) in weighted rows, less what the other regressors explain too.
    endogenous : (n,) the endogenous regressor in such rows.
    residuals : (n,) what the instruments do not explain of it.
    effective_f, df : of the instruments; degrees of freedom of its denominator.
    """

    raw: Floats
    z: Floats
    endogenous: Floats
    residuals: Floats
    effective_f: float
    df: float


def _first_stage(rows: UsableRows, x: Floats, at: int) -> _FirstStage:
    instruments = rows.data.instruments
    assert instruments is not None  # noqa: S101
    given = instruments.to_numpy(np.float64)
    raw = rows.remove(given)
    others = np.linalg.qr(np.delete(x, at, axis=1))[0]
    weighted = rows.weighted(raw)
    z = weighted - others @ (others.T @ weighted)
    left = np.abs(np.diag(np.linalg.qr(z, mode="r"))) if len(z) > z.shape[1] else np.zeros(z.shape[1])
    spread = np.sqrt(((given - given.mean(axis=0)) ** 2).sum(axis=0))
    determined = [str(n) for n, own, all_ in zip(instruments.columns, left, spread, strict=True) if own <= 1e-9 * all_]
    if determined:
        raise NotEstimableError(
            f"the regressors, fixed effects or other instruments determine {', '.join(determined)}: it is no instrument"
        )
    endogenous = x[:, at] - others @ (others.T @ x[:, at])
    slopes, fit = least_squares(endogenous, z)
    variance = robust(_given(rows, fit, x.shape[1] - 1), rows.data.clusters)
    gram = z.T @ z
    f = float(slopes @ gram @ slopes / np.trace(variance.matrix @ gram))
    return _FirstStage(raw, z, endogenous, fit.residuals, f, float(variance.df[0]))


def _given(rows: UsableRows, fit: Fit, partialled: int = 0) -> Fit:
    return replace(fit, effects=rows.effects, weights=rows.weights, partialled=partialled)


def _diagnostics(rows: UsableRows, stage: _FirstStage, x: Floats, y: Floats, at: int, row: Estimate) -> list[Estimate]:
    slope, plain = least_squares(y, x)
    beside = robust(_given(rows, plain), rows.data.clusters).inference(slope)[at]
    m = stage.z.shape[1]
    others = np.linalg.qr(np.delete(x, at, axis=1))[0]
    outcome = y - others @ (others.T @ y)
    test = _AndersonRubin.of(rows, stage, outcome, x.shape[1] - 1)
    low, high, told = test.interval(row.estimate, row.std_error)
    empty = replace(row, **NO_NUMBERS)
    found = [
        replace(
            empty, term=f"{row.term}:anderson_rubin", p_value=float(test.p_value(0.0)), ci_low=low, ci_high=high,
            vcov=f"Anderson–Rubin, {row.vcov}",
            note="; ".join(filter(None, ("an interval without an estimate", row.note, told))),
        ),
        replace(
            empty, term=f"{row.term}:first_stage_f", estimand="effective F statistic of the instruments",
            estimate=stage.effective_f, p_value=float(stats.f.sf(stage.effective_f, m, stage.df)) if m == 1 else NAN,
        ),
        replace(
            row, term=f"{row.term}:ols", estimand=f"{row.estimand}, by least squares", estimate=float(slope[at]),
            **beside,
        ),
    ]  # fmt: skip
    if m > 1:
        left = outcome - row.estimate * stage.endogenous
        sargan = float(len(left) * ((np.linalg.qr(stage.z)[0].T @ left) ** 2).sum() / (left @ left))
        found.append(
            replace(
                empty, term=f"{row.term}:overidentification", estimand="Sargan's statistic", estimate=sargan,
                p_value=float(stats.chi2.sf(sargan, m - 1)), vcov="classical",
            )
        )  # fmt: skip
    return found


@dataclass(frozen=True)
class _AndersonRubin:
    """The test that instruments do not move what a coefficient leaves of the outcome, for any value of it at once.

    Slopes of the instruments are linear in the value, and their variance is quadratic.

    Attributes
    ----------
    outcome, endogenous : (m,) slopes of the instruments.
    constant, linear, square : (m, m) parts of the variance.
    df : degrees of freedom of the denominator.
    """

    outcome: Floats
    endogenous: Floats
    constant: Floats
    linear: Floats
    square: Floats
    df: float

    @classmethod
    def of(cls, rows: UsableRows, stage: _FirstStage, outcome: Floats, partialled: int) -> _AndersonRubin:
        """Prepare the test; columns are weighted, less what effects and other regressors explain."""
        slopes, variances = [], []
        for column in (outcome, stage.endogenous, outcome + stage.endogenous):
            slope, fit = least_squares(column, stage.z)
            variance = robust(_given(rows, fit, partialled), rows.data.clusters)
            slopes.append(slope)
            variances.append(variance.matrix)
        constant, square, both = variances
        return cls(slopes[0], slopes[1], constant, both - constant - square, square, float(variance.df[0]))

    def p_value(self, value: float | Floats) -> Floats:
        """Return the p-value of each value, with an F distribution."""
        at = np.atleast_1d(value)[:, None]
        slopes = self.outcome - at * self.endogenous
        matrix = self.constant - at[:, None] * self.linear + at[:, None] ** 2 * self.square
        wald = (slopes * np.linalg.solve(matrix, slopes[:, :, None])[:, :, 0]).sum(axis=1)
        found = stats.f.sf(wald / len(self.outcome), len(self.outcome), self.df)
        return np.asarray(found[0] if np.isscalar(value) else found)

    def interval(self, centre: float, unit: float) -> tuple[float, float, str]:
        """Return the limits of the values that are not rejected at 5%, and what a reader must know of them."""
        grid = centre + unit * _GRID
        inside = self.p_value(grid) >= _LEVEL
        if not inside.any():
            return NAN, NAN, "every value is rejected: the instruments contradict each other"
        if inside.all():
            return NAN, NAN, "no value is rejected: the instruments say nothing"
        edges = [
            float(optimize.brentq(lambda value: self.p_value(float(value)) - _LEVEL, grid[i], grid[i + 1]))
            for i in np.flatnonzero(np.diff(inside))
        ]
        if inside[0] and inside[-1]:
            return NAN, NAN, f"unbounded: all values are kept but those from {edges[0]:.4g} to {edges[-1]:.4g}"
        if inside[0]:
            return NAN, edges[-1], "unbounded below"
        if inside[-1]:
            return edges[0], NAN, "unbounded above"
        return edges[0], edges[-1], "values inside the interval are rejected too" if len(edges) > 2 else ""
