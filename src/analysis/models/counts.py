"""Models of counts: Poisson, with fixed effects where they are asked for, and the negative binomial.

A Poisson model with fixed effects is fitted by iterated least squares, each step less what the effects explain
(Correia, Guimarães and Zylkin, 2020, sec. 2). Its only kept implementation in Python is pyfixest's, of which
`analysis.models.fixed_effects` uses the kernel and says why not the rest; the tests compare with it, and with
statsmodels on dummies.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
import statsmodels.api as sm
from scipy import linalg

from analysis.models.design_matrix import DesignMatrix, NotEstimableError
from analysis.models.estimates import Estimate
from analysis.models.linear import enough_rows
from analysis.models.usable_rows import Flags, Floats, UsableRows, usable_rows
from analysis.models.vcov import Fit, Variance, by_scores, inverse, least_squares, likelihood

RATE_RATIO = "log rate ratio"
_STEPS = 200
_CONVERGED = 1e-12


def poisson(data: DesignMatrix, model: str, outcome: str) -> list[Estimate]:
    """Fit a count, or anything that is not negative, by Poisson pseudo-maximum likelihood.

    The estimates are consistent wherever the mean is right, whatever the distribution about it; hence the errors, which
    are robust, as `analysis.models.vcov` chooses, and not those of a Poisson distribution.

    Parameters
    ----------
    data : outcome 0 or more.

    Returns
    -------
    One estimate per regressor, the log of the ratio of expected counts between rows that differ by one in it. Rows of a
    level in which every count is 0 tell nothing, and are left out and counted.

    Raises
    ------
    NotEstimableError : negative or all-zero counts, a regressor that separates them, collinear regressors, no
        convergence.

    References
    ----------
    Santos Silva and Tenreyro (2006), The log of gravity. Correia, Guimarães and Zylkin (2019), Verifying the existence
    of maximum likelihood estimates for generalized linear models, algorithm 1; (2020), Fast Poisson estimation with
    high-dimensional fixed effects.
    """
    rows = _informative(usable_rows(data), outcome)
    beta, fit = _poisson(rows)
    variance = likelihood(fit, rows.names, rows.data.clusters)
    return _estimates(rows, rows.names, beta, variance, Estimate(model, "poisson", outcome, "", RATE_RATIO))


@dataclass(frozen=True)
class CountFit:
    """A Poisson fit, as checks of it need it.

    Attributes
    ----------
    rows : that the fit rests on, (n,), less those that tell nothing.
    beta : (k,) coefficients.
    mean : (n,) expected counts.
    step : the last step of the iteration, whose scores and bread make the errors.
    """

    rows: UsableRows
    beta: Floats
    mean: Floats
    step: Fit

    def without(self, term: str) -> Floats:
        """Return the expected counts, (n,), of the same rows where the coefficient of one regressor is 0.

        Raises
        ------
        NotEstimableError : the model without it does not converge.
        """
        data = replace(self.rows.data, x=self.rows.data.x.drop(columns=term))
        return _expected(_poisson(UsableRows(data, self.rows.effects, self.rows.notes))[1])


def fit_counts(data: DesignMatrix, outcome: str) -> CountFit:
    """Fit a Poisson model without weights as `poisson` does.

    Raises
    ------
    NotEstimableError : as in `poisson`; weights.
    """
    if data.weights is not None:
        raise NotEstimableError("the checks do not weigh rows, and would be of another model")
    rows = _informative(usable_rows(data), outcome)
    beta, step = _poisson(rows)
    return CountFit(rows, beta, _expected(step), step)


def _expected(step: Fit) -> Floats:
    """Return the expected counts, which without weights of the rows are those of the last step."""
    assert step.weights is not None  # noqa: S101
    return step.weights


def negative_binomial(data: DesignMatrix, model: str, outcome: str) -> list[Estimate]:
    """Fit a count by maximum likelihood with a variance that grows with the square of the mean (NB2).

    Returns
    -------
    One estimate per regressor, as in `poisson`, and the term `alpha`, how much the variance exceeds the mean, in
    squared means. Errors are HC1, or CRV1 with clusters.

    Raises
    ------
    NotEstimableError : as in `poisson`; a count that is not more dispersed than a Poisson's; fixed effects.

    References
    ----------
    Cameron and Trivedi (2013), Regression analysis of count data, sec. 3.3.
    """
    rows = _informative(usable_rows(data), outcome)
    if rows.effects is not None or rows.weights is not None:
        raise NotEstimableError("negative_binomial takes neither `absorb` nor `weights`; use the design poisson")
    x = rows.regressors()
    enough_rows(rows, x.shape[1] + 1)
    start, _ = _poisson(rows)
    mean = np.exp(x @ start)
    # At alpha = 0 the likelihood's slope has the sign of this sum.
    if ((rows.y - mean) ** 2 - rows.y).sum() <= 0:
        raise NotEstimableError(f"{outcome} is not more dispersed than a Poisson count; use the design poisson")
    excess = float((((rows.y - mean) ** 2 - rows.y) / mean**2).mean())
    # Columns of unit length at right angles, or the search for the maximum would depend on the regressors' units.
    turned = np.linalg.qr(x, mode="r") / np.sqrt(len(x))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        unit = sm.NegativeBinomial(rows.y, np.linalg.solve(turned.T, x.T).T, loglike_method="nb2")
        fit = unit.fit(
            start_params=np.r_[turned @ start, max(excess, 0.1)], method="bfgs", maxiter=1_000, gtol=1e-7, disp=False
        )
        fit = unit.fit(start_params=fit.params, method="newton", maxiter=100, tol=1e-12, disp=False)
    if not fit.mle_retvals["converged"] or not np.isfinite(fit.params).all():
        told = "; ".join(sorted({str(w.message) for w in caught}))
        raise NotEstimableError(f"did not converge in {len(x)} rows ({told}); use the design poisson")
    scores = Fit(unit.score_obs(fit.params), np.ones(len(x)), inverse(-unit.hessian(fit.params)))
    variance = by_scores(scores, rows.data.clusters)
    back = linalg.block_diag(inverse(turned), 1.0)
    variance = replace(variance, matrix=back @ variance.matrix @ back.T)
    shared = Estimate(model, "negative_binomial", outcome, "", RATE_RATIO)
    found = _estimates(rows, [*rows.names, "alpha"], back @ fit.params, variance, shared)
    last = replace(found[-1], estimand="variance beyond the mean, in squared means", statistic=np.nan, p_value=np.nan)
    return [*found[:-1], last]


def _estimates(
    rows: UsableRows, names: list[str], beta: Floats, variance: Variance, shared: Estimate
) -> list[Estimate]:
    shared = replace(
        shared, n_obs=len(rows.y), n_units=rows.data.n_units, n_clusters=variance.n_clusters, vcov=variance.name,
        note="; ".join([*rows.notes, *variance.notes]),
    )  # fmt: skip
    return [
        replace(shared, term=term, estimate=float(value), **numbers)
        for term, value, numbers in zip(names, beta, variance.inference(beta), strict=True)
    ]


def _informative(rows: UsableRows, outcome: str) -> UsableRows:
    """Check the counts, and leave out rows that fit exactly at an infinite effect; refuse an infinite coefficient."""
    if not np.isfinite(rows.y).all() or (rows.y < 0).any():
        raise NotEstimableError(f"{int((rows.y < 0).sum())} values of {outcome} are negative; a count is 0 or more")
    if not (rows.y > 0).any():
        raise NotEstimableError(f"{outcome} is 0 in all {len(rows.y)} rows")
    while (empty := _all_zero(rows)).any():
        names = ", ".join(rows.effects.names) if rows.effects is not None else ""
        rows = rows.keep(~empty, f"{int(empty.sum())} rows left out at levels of {names} where every {outcome} is 0")
    if rows.y.min() == rows.y.max():
        raise NotEstimableError(f"no variation: {outcome} is {rows.y[0]} in all {len(rows.y)} rows that are left")
    rows.regressors()
    separated = _separated(rows)
    if separated.any():
        told = f"in {int(separated.sum())} rows every {outcome} is 0 along a regressor, whose coefficient is infinite"
        try:
            rows.keep(~separated, "").regressors()
        except NotEstimableError as error:
            raise NotEstimableError(f"{told}: without these rows {error}") from None
        raise NotEstimableError(told)
    return rows


def _all_zero(rows: UsableRows) -> Flags:
    empty = np.zeros(len(rows.y), dtype=np.bool_)
    if rows.effects is not None:
        for level in rows.effects.levels.T.astype(np.intp):
            empty |= np.bincount(level, rows.y)[level] == 0
    return empty


def _separated(rows: UsableRows) -> Flags:
    """Flag rows, (n,), whose count is 0 and whose expected count would go to 0 along some combination of regressors.

    The iterative rectifier: rows with positive counts are held at 0 by large weights, while what remains positive among
    the others is fitted again and again, until it is fitted exactly.
    """
    zero: Flags = rows.y == 0
    if not zero.any():
        return zero
    large = 1e3 * np.sqrt(len(zero))
    weights = np.where(zero, 1.0, large**2)
    x = rows.remove(rows.x, weights) * np.sqrt(weights)[:, None]
    q = np.linalg.qr(x)[0]
    target = zero.astype(np.float64)
    for _ in range(_STEPS):
        left = rows.remove(target[:, None], weights)[:, 0] * np.sqrt(weights)
        left = (left - q @ (q.T @ left)) / np.sqrt(weights)
        fitted = target - left
        fitted[np.abs(fitted) < 1e-6] = 0.0
        if np.abs(left[zero]).max() < 1e-6 * max(np.abs(target).max(), 1e-3):
            found: Flags = zero & (fitted > 0)
            return found
        target = np.where(zero, np.maximum(fitted, 0.0), 0.0)
        if not target.any():
            break
    return np.zeros(len(zero), dtype=np.bool_)


def _poisson(rows: UsableRows) -> tuple[Floats, Fit]:
    """Fit coefficients, (k,), by statsmodels where no effects are absorbed; and the last step, for the errors."""
    enough_rows(rows, rows.x.shape[1])
    own = np.ones(len(rows.y)) if rows.weights is None else rows.weights
    if rows.effects is None:
        fit = sm.GLM(rows.y, rows.x, family=sm.families.Poisson(), var_weights=own).fit(maxiter=_STEPS, tol=_CONVERGED)
        if not fit.converged:
            raise NotEstimableError(f"did not converge in {_STEPS} steps and {len(rows.y)} rows; use fewer regressors")
        beta, mean = np.asarray(fit.params), np.asarray(fit.fittedvalues)
    else:
        beta, mean = _absorbing_poisson(rows, own)
    root = np.sqrt(own * mean)
    x = rows.regressors(own * mean) * root[:, None]
    return beta, Fit(x, (rows.y - mean) * np.sqrt(own / mean), inverse(x.T @ x), rows.effects, own * mean)


def _absorbing_poisson(rows: UsableRows, own: Floats) -> tuple[Floats, Floats]:
    """Iterate least squares less what the effects explain: coefficients, (k,), and expected counts, (n,)."""
    y = rows.y
    mean = (y + np.average(y, weights=own)) / 2
    linear, before = np.log(mean), np.inf
    beta = np.zeros(rows.x.shape[1])
    for _ in range(_STEPS):
        weights = own * mean
        root = np.sqrt(weights)
        working = linear + (y - mean) / mean
        x = rows.regressors(weights)
        target = rows.remove(working[:, None], weights)[:, 0]
        found, _ = least_squares(target * root, x * root[:, None])
        # What the effects explain is the rest of the working outcome.
        linear = working - (target - x @ found)
        mean = np.exp(np.clip(linear, -500, 500))
        deviance = 2 * float((own * (np.where(y > 0, y * np.log(np.where(y > 0, y, 1) / mean), 0) - (y - mean))).sum())
        still = abs(before - deviance) <= _CONVERGED * max(abs(deviance), 0.1)
        moved = float(np.abs(found - beta).max(initial=0.0)) > 1e-9 * max(float(np.abs(found).max(initial=0.0)), 1e-9)
        beta, before = found, deviance
        if still and not moved:
            return beta, mean
    raise NotEstimableError(f"did not converge in {_STEPS} steps and {len(y)} rows; use fewer regressors or effects")
