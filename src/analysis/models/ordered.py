"""A logit model of an ordered outcome, by statsmodels, which lacks only the derivatives of its likelihood."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
from firthmodels import detect_separation
from numpy.typing import NDArray
from scipy.special import expit
from statsmodels.miscmodels.ordinal_model import OrderedModel

from analysis.models.design_matrix import DesignMatrix
from analysis.models.estimates import NO_NUMBERS, Estimate
from analysis.models.formulas import INTERCEPT
from analysis.models.vcov import FEWEST_CLUSTERS

Floats = NDArray[np.float64]


def ordered_logit(data: DesignMatrix, model: str, outcome: str) -> list[Estimate]:
    """Fit a proportional-odds model of an ordered outcome.

    Parameters
    ----------
    data : outcome with ordered values, such as the highest stage reached; values that do not occur are skipped.

    Returns
    -------
    One estimate per regressor, the log odds ratio of a higher value (cut points are not returned), clustered as in
    `lpm` where clusters are many enough, otherwise from the information matrix. A regressor that separates the outcome
    has an infinite estimate, and a fit that does not converge has none: their rows are without numbers, and say so.

    References
    ----------
    McCullagh (1980), Regression models for ordinal data. Konis (2007), Linear programming algorithms for detecting
    separated data in binary logistic regression models, for the check, made on all cuts of the outcome at once.
    """
    terms = [c for c in data.x.columns if c != INTERCEPT]
    levels = np.sort(data.y.unique())
    y = pd.Series(pd.Categorical(data.y, categories=levels, ordered=True), index=data.y.index)
    clusters, notes = _clusters(data)
    options: dict[str, object] = {}
    vcov = "information matrix"
    if clusters is not None:
        options = {"cov_type": "cluster", "cov_kwds": {"groups": pd.factorize(clusters, sort=True)[0]}}
        vcov = f"CRV1({clusters.name})"
    infinite = _separating(data.x[terms], data.y)
    if infinite:
        notes.append(f"not estimable: {', '.join(infinite)} (infinite, as the outcome is separated)")
    ordered = OrderedLogit(y, data.x[terms], distr="logit")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = ordered.fit(method="bfgs", maxiter=2000, gtol=1e-6, disp=False, **options)
        if fit.mle_retvals["converged"] and not infinite:
            # Towards infinity the likelihood is flat: the last digits of precision are out of reach there.
            fit = ordered.fit(start_params=fit.params, method="newton", maxiter=50, tol=1e-12, disp=False, **options)
    if not fit.mle_retvals["converged"] or not np.isfinite(fit.bse[terms]).all():
        notes.append("not estimable: did not converge: " + "; ".join(sorted({str(w.message) for w in caught})))
        infinite = terms
    interval = fit.conf_int()
    rows = [
        Estimate(
            model, "ordered_logit", outcome, term, "log odds ratio of a higher stage",
            estimate=fit.params[term], std_error=fit.bse[term], statistic=fit.tvalues[term], p_value=fit.pvalues[term],
            ci_low=interval.loc[term, 0], ci_high=interval.loc[term, 1],
            n_obs=len(y), n_units=data.n_units, n_clusters=None if clusters is None else clusters.nunique(),
            vcov=vcov, note="; ".join(notes),
        )
        for term in terms
    ]  # fmt: skip
    return [replace(row, **NO_NUMBERS) if row.term in infinite else row for row in rows]


def _separating(x: pd.DataFrame, y: pd.Series) -> list[str]:
    """Name the regressors whose proportional-odds estimate is infinite."""
    cuts = np.sort(y.unique())[:-1]
    intercepts = np.repeat(np.eye(len(cuts))[:, 1:], len(y), axis=0)
    stacked = np.hstack([np.tile(x.to_numpy(dtype="float64"), (len(cuts), 1)), intercepts])
    above = np.concatenate([y > cut for cut in cuts]).astype("int64")
    finite = detect_separation(stacked, above).is_finite[: x.shape[1]]
    return [str(term) for term, is_finite in zip(x.columns, finite, strict=True) if not is_finite]


def _clusters(data: DesignMatrix) -> tuple[pd.Series | None, list[str]]:
    """Return the clusters where they are many enough to cluster errors by, and the notes so far."""
    notes = [data.note] if data.note else []
    if data.cluster is None or data.cluster.nunique() >= FEWEST_CLUSTERS:
        return data.cluster, notes
    found = f"{data.cluster.nunique()} of {data.cluster.name}, fewer than {FEWEST_CLUSTERS}"
    return None, [*notes, f"errors are not clustered: clusters are too few ({found})"]


class OrderedLogit(OrderedModel):  # type: ignore[misc]
    """The model of statsmodels with exact derivatives, which it takes by differences, in many times the time."""

    def cdf(self, x: Floats) -> Floats:
        """Return the logistic distribution function."""
        return np.asarray(expit(x))

    def pdf(self, x: Floats) -> Floats:
        """Return the logistic density."""
        return np.asarray(expit(x) * expit(-x))

    def score(self, params: Floats) -> Floats:
        """Return the derivatives of the log likelihood, (p,)."""
        return np.asarray(self.score_obs(params).sum(axis=0))

    def score_obs(self, params: Floats) -> Floats:
        """Return the derivatives of each row's log likelihood, (n, p)."""
        slopes, sides, _ = self._derivatives(params)
        return np.asarray(sum(slope[:, None] * side for slope, side in zip(slopes, sides, strict=True)))

    def hessian(self, params: Floats) -> Floats:
        """Return the second derivatives of the log likelihood, (p, p)."""
        slopes, sides, steps = self._derivatives(params)
        score = self.score_obs(params)
        found = -score.T @ score
        for slope, side, bound in zip(slopes, sides, self._bounds(params)[::-1], strict=True):
            found += (side * (slope * (1 - 2 * expit(bound)))[:, None]).T @ side
        # A later cut lies above an earlier one by the exponential of its parameter, which is its own derivative.
        found[steps, steps] += score[:, steps].sum(axis=0)
        return np.asarray(found)

    def _derivatives(self, params: Floats) -> tuple[list[Floats], list[Floats], NDArray[np.intp]]:
        """Return what moves a row's log likelihood with its upper and its lower bound, and these with the parameters.

        Returns
        -------
        Of both bounds (n,) slopes and (n, p) derivatives of the bound; and the places of the steps between cuts.
        """
        low, upp = self._bounds(params)
        chance = self.prob(low, upp) + 1e-20
        cuts = self.k_levels - 1
        jacobian = np.tril(np.ones((cuts, cuts)))
        jacobian[:, 1:] *= np.exp(params[-cuts + 1 :]) if cuts > 1 else 1.0
        padded = np.vstack([np.zeros(cuts), jacobian, np.zeros(cuts)])
        sides = [np.column_stack([-self.exog, padded[self.endog + side]]) for side in (1, 0)]
        steps = np.arange(len(params) - cuts + 1, len(params))
        return [self.pdf(upp) / chance, -self.pdf(low) / chance], sides, steps
