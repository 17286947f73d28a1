"""Linear models in which regressors are measured with a known standard error, such as scores from a measurement model.

Error in a regressor pulls its coefficient towards zero. Here it is pushed back: by the moments that would have been
observed without error, which for a linear model is regression calibration, and by simulation and extrapolation (SIMEX)
beside it. Errors are taken to be independent of everything else, of each other, and from row to row; scores of one
unit whose errors persist over time are corrected too much within fixed effects of units.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.models.cr2 import MOST_COLUMNS
from analysis.models.design_matrix import DesignMatrix, NotEstimableError
from analysis.models.estimates import NO_NUMBERS, Estimate
from analysis.models.linear import enough_rows
from analysis.models.usable_rows import Floats, UsableRows, usable_rows
from analysis.models.vcov import Fit, Variance, least_squares, robust
from analysis.models.vcov import inverse as invert

LOWEST_RELIABILITY = 0.1
"""With less signal than this share of a regressor's variance the correction is a division by almost nothing."""

SEED = 20110125
_ADDED = np.array([0.5, 1.0, 1.5, 2.0])
_DRAWS = 200
_DRAWS_OF_VARIANCE = 20


def errors_in_variables(data: DesignMatrix, model: str, outcome: str) -> list[Estimate]:
    """Fit a linear model whose regressors are measured with error.

    Parameters
    ----------
    data : with `errors`, the standard errors of the measurements, by the regressors' names.

    Returns
    -------
    One corrected estimate per regressor, with sandwich errors (HC1, or CRV1 with clusters) that count the correction.
    And of each regressor with error ``<term>:naive``, least squares as if there were none; ``<term>:reliability``, the
    share of its variance, beside the other regressors and within the effects, that is not error, by which a naive
    estimate is attenuated where no other regressor has error; ``<term>:simex``.

    Raises
    ------
    NotEstimableError : no regressor has known errors, or errors explain almost all that varies.

    References
    ----------
    Fuller (1987), Measurement error models, sec. 2.2 and 3.1. Carroll, Ruppert, Stefanski and Crainiceanu (2006),
    Measurement error in nonlinear models, ch. 3 to 5 and B.4. Cook and Stefanski (1994), Simulation-extrapolation
    estimation in parametric measurement error models.
    """
    rows = _measured(usable_rows(data))
    x, y = rows.weighted(rows.regressors()), rows.weighted(rows.remove(rows.y[:, None])[:, 0])
    enough_rows(rows, x.shape[1])
    assert rows.data.errors is not None  # noqa: S101
    noisy = [rows.names.index(str(name)) for name in rows.data.errors.columns]
    own = rows.weighted(rows.data.errors.to_numpy(np.float64))
    exact = np.delete(x, noisy, axis=1)
    apart = own**2 * (1 - _leverage(rows, exact))[:, None]
    reliability = _reliability(x, exact, noisy, apart)
    shares = zip(noisy, reliability, strict=True)
    unreliable = [f"{rows.names[j]} ({share:.2f})" for j, share in shares if share < LOWEST_RELIABILITY]
    if unreliable:
        raise NotEstimableError(
            f"measurement error explains almost all that varies of {', '.join(unreliable)}, the share of its variance "
            "that is not error: absorb less, or use the design ols and call it attenuated"
        )
    beta, variance = _corrected(rows, x, y, noisy, apart)
    naive, fit = least_squares(y, x)
    as_if_exact = robust(replace(fit, effects=rows.effects), rows.data.clusters)
    shared = Estimate(
        model, "errors_in_variables", outcome, "", f"difference in {outcome}", n_obs=len(y), n_units=rows.data.n_units,
        n_clusters=variance.n_clusters, vcov=variance.name, note="; ".join([*rows.notes, *variance.notes]),
    )  # fmt: skip
    found = [
        replace(shared, term=term, estimate=float(value), **numbers)
        for term, value, numbers in zip(rows.names, beta, variance.inference(beta), strict=True)
    ]
    extrapolated = _simex(rows, x, y, noisy, own)
    for position, (j, share) in enumerate(zip(noisy, reliability, strict=True)):
        row = found[j]
        attenuated = replace(row, term=f"{row.term}:naive", estimate=float(naive[j]), **as_if_exact.inference(naive)[j])
        found += [
            replace(attenuated, estimand=f"{row.estimand}, attenuated by measurement error"),
            replace(
                row, **{**NO_NUMBERS, "estimate": float(share)}, term=f"{row.term}:reliability", vcov="",
                estimand="share of variance, beside the other regressors, that is not measurement error",
            ),
            _simex_row(row, extrapolated[0][position], extrapolated[1][position], variance.df[:1]),
        ]  # fmt: skip
    return found


def _measured(rows: UsableRows) -> UsableRows:
    """Check the standard errors, and leave out rows without one."""
    errors = rows.data.errors
    if errors is None or errors.shape[1] == 0:
        raise NotEstimableError("no regressor has a measurement standard error; use the design ols")
    values = errors.to_numpy(np.float64)
    if (values < 0).any():
        raise NotEstimableError(f"{int((values < 0).sum())} measurement standard errors are negative")
    known = np.isfinite(values).all(axis=1)
    if known.all():
        return rows
    if not known.any():
        raise NotEstimableError("no row has a measurement standard error; use the design ols")
    return rows.keep(known, f"{int((~known).sum())} rows without a measurement standard error left out")


def _leverage(rows: UsableRows, exact: Floats) -> Floats:
    """Return how much of each row, (n,), effects and exactly measured regressors fit, whatever its error."""
    of_exact = (np.linalg.qr(exact)[0] ** 2).sum(axis=1)
    if rows.effects is None:
        return np.asarray(of_exact)
    weights = np.ones(len(exact)) if rows.weights is None else rows.weights
    of_effects = rows.effects.leverage(weights, MOST_COLUMNS)
    if of_effects is None:
        raise NotEstimableError(
            f"more than {MOST_COLUMNS} levels of effects cross each other: the error that they leave cannot be told; "
            "absorb fewer effects"
        )
    return np.asarray(of_exact + of_effects)


def _reliability(x: Floats, exact: Floats, noisy: list[int], apart: Floats) -> Floats:
    """Return the share of each noisy regressor's variance beside the exact ones that is not error, (j,)."""
    basis = np.linalg.qr(exact)[0]
    left = x[:, noisy] - basis @ (basis.T @ x[:, noisy])
    return np.asarray(1 - apart.sum(axis=0) / (left**2).sum(axis=0))


def _corrected(rows: UsableRows, x: Floats, y: Floats, noisy: list[int], apart: Floats) -> tuple[Floats, Variance]:
    """Solve the normal equations less what error adds to them; errors from their scores, correction included.

    Parameters
    ----------
    apart : (n, j) variance of the error that is left of each row in each noisy regressor.
    """
    gram = x.T @ x
    gram[noisy, noisy] -= apart.sum(axis=0)
    scale = np.sqrt((x**2).sum(axis=0))
    if np.linalg.eigvalsh(gram / np.outer(scale, scale)).min() < 1e-6:
        names = ", ".join(rows.names[j] for j in noisy)
        raise NotEstimableError(f"without measurement error {names} would not vary beside each other; leave one out")
    inverse = invert(gram)
    beta = inverse @ (x.T @ y)
    scores = x * (y - x @ beta)[:, None]
    scores[:, noisy] += apart * beta[noisy]
    fit = Fit(scores, np.ones(len(y)), inverse, rows.effects, rows.weights)
    return beta, robust(fit, rows.data.clusters)


def _simex(rows: UsableRows, x: Floats, y: Floats, noisy: list[int], own: Floats) -> tuple[Floats, Floats]:
    """Add more and more error, and extrapolate to none.

    Parameters
    ----------
    own : (n, j) standard errors of the noisy regressors, weighted.

    Returns
    -------
    (j,) estimates and (j,) variances, both by a quadratic in the error added; the variance is that of one fit less that
    between simulations (Carroll et al., B.4.1).
    """
    rng = np.random.default_rng(SEED)
    drawn = rng.standard_normal((len(noisy), _DRAWS, len(y)))
    root = rows.weighted(np.ones(len(y)))[:, None]
    added = np.stack([rows.remove((z * scale).T / root) * root for z, scale in zip(drawn, own.T, strict=True)])
    # Normal equations of all draws at once: those without error, and what its products with x, itself and y add.
    crossed, squared = np.zeros((_DRAWS, x.shape[1], x.shape[1])), np.zeros((_DRAWS, x.shape[1], x.shape[1]))
    moved = np.zeros((_DRAWS, x.shape[1]))
    for i, own_column in enumerate(noisy):
        crossed[:, own_column] += (x.T @ added[i]).T
        moved[:, own_column] = y @ added[i]
        for j, other_column in enumerate(noisy):
            squared[:, own_column, other_column] = (added[i] * added[j]).sum(axis=0)
    crossed += crossed.transpose(0, 2, 1)
    means, variances = [], []
    for amount in np.r_[0.0, _ADDED]:
        gram = x.T @ x + np.sqrt(amount) * crossed + amount * squared
        beta = np.linalg.solve(gram, (x.T @ y + np.sqrt(amount) * moved)[:, :, None])[:, :, 0]
        slopes, within = beta[:, noisy], []
        for b in range(_DRAWS_OF_VARIANCE if amount else 1):
            noisier = x.copy()
            noisier[:, noisy] += np.sqrt(amount) * added[:, :, b].T
            fit = Fit(noisier, y - noisier @ beta[b], invert(gram[b]), rows.effects, rows.weights)
            within.append(np.diag(robust(fit, rows.data.clusters).matrix)[noisy])
        means.append(slopes.mean(axis=0))
        variances.append(np.mean(within, axis=0) - slopes.var(axis=0, ddof=1))
    at = np.vander(np.r_[0.0, _ADDED], 3)
    to_none = np.array([1.0, -1.0, 1.0]) @ np.linalg.pinv(at)
    return to_none @ np.array(means), to_none @ np.array(variances)


def _simex_row(row: Estimate, estimate: float, variance: float, df: Floats) -> Estimate:
    one = Variance(np.array([[variance if variance > 0 else np.nan]]), df, "")
    note = "; ".join(filter(None, (row.note, "" if variance > 0 else "the extrapolated variance is not positive")))
    return replace(
        row, term=f"{row.term}:simex", estimate=float(estimate), **one.inference(np.array([estimate]))[0],
        estimand=f"{row.estimand}, by SIMEX", vcov=f"SIMEX, quadratic, {_DRAWS} draws", seed=SEED, note=note,
    )  # fmt: skip
