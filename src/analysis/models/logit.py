"""Logit models: of a binary outcome, with Firth's penalty where it separates, and of an ordered one."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import statsmodels.api as sm
from firthmodels import FirthLogisticRegression, detect_separation
from sklearn.exceptions import ConvergenceWarning
from statsmodels.miscmodels.ordinal_model import OrderedModel

from analysis.models.design_matrix import INTERCEPT, DesignMatrix, NotEstimableError
from analysis.models.estimates import NO_NUMBERS, Estimate
from analysis.models.margins import average_marginal_effects
from analysis.models.usable_rows import usable_rows
from analysis.models.vcov import FEWEST_CLUSTERS, Fit, Variance, inverse, likelihood

LOG_ODDS = "log_odds"
"""Ends the term of a logit's coefficient; the term itself is the average marginal effect."""


def logit(data: DesignMatrix, model: str, outcome: str) -> list[Estimate]:
    """Fit a logit by maximum likelihood.

    Parameters
    ----------
    data : outcome 0 or 1.

    Returns
    -------
    For every regressor that is not an interaction its average marginal effect: the mean, over rows, of the difference
    in probability that a difference of one makes, from 0 to 1 (or from the reference level) for a dummy, at the slope
    for other numbers; interactions move along. Errors by the delta method. And for every regressor, as
    ``<term>:log_odds``, its coefficient. Errors are from the information matrix; CRV1 with clusters, HC1 with weights.

    Raises
    ------
    NotEstimableError : the likelihood separates, so that a coefficient is infinite, or does not converge.

    References
    ----------
    Hosmer, Lemeshow and Sturdivant (2013), Applied logistic regression, ch. 1 and 4. Bartus (2005), Estimation of
    marginal effects using margeff, for the dummies of one factor.
    """
    rows = usable_rows(data)
    x = pd.DataFrame(rows.regressors(), columns=rows.names)
    if rows.y.min() == rows.y.max():
        raise NotEstimableError(f"no variation: {outcome} is {rows.y[0]} in all {len(x)} rows that are left")
    terms = [name for name in rows.names if name != INTERCEPT]
    scaled = x[terms] / x[terms].std().replace(0.0, 1.0)
    separation = detect_separation(scaled, rows.y.astype("int64"), fit_intercept=INTERCEPT in x)
    if separation.separation:
        infinite = [t for t, finite in zip(terms, separation.is_finite, strict=False) if not finite] or terms
        raise NotEstimableError(f"{', '.join(infinite)} separates {outcome}: infinite; use the design firth")
    fit = sm.GLM(rows.y, x, family=sm.families.Binomial(), var_weights=rows.weights).fit(maxiter=100, tol=1e-12)
    if not fit.converged:
        raise NotEstimableError(f"did not converge in {len(x)} rows; use the design firth or fewer regressors")
    beta = fit.params.to_numpy()
    chance = np.asarray(fit.fittedvalues)
    spread = np.sqrt(chance * (1 - chance))
    step_x = rows.weighted(x.to_numpy() * spread[:, None])
    bread = inverse(step_x.T @ step_x)
    if data.clusters is None and rows.weights is None:
        variance = Variance(bread, np.full(len(beta), np.inf), "information matrix")
    else:
        step = Fit(step_x, rows.weighted((rows.y - chance) / spread), bread, weights=rows.weights)
        variance = likelihood(step, rows.data.clusters)
    shared = Estimate(
        model, "logit", outcome, "", "", n_obs=len(x), n_units=rows.data.n_units, n_clusters=variance.n_clusters,
        vcov=variance.name, note="; ".join([*rows.notes, *variance.notes]),
    )  # fmt: skip
    found = []
    for effect in average_marginal_effects(x, beta, rows.weights):
        along = effect.gradient @ variance.matrix @ effect.gradient
        one = Variance(np.array([[along]]), variance.df[:1], variance.name)
        numbers = one.inference(np.array([effect.estimate]))[0]
        row = replace(shared, term=effect.term, estimate=effect.estimate, **numbers)
        found.append(replace(row, estimand="difference in probability, averaged over rows (delta method)"))
    for term, value, numbers in zip(rows.names, beta, variance.inference(beta), strict=True):
        row = replace(shared, term=f"{term}:{LOG_ODDS}", estimate=float(value), **numbers)
        found.append(replace(row, estimand="log odds ratio"))
    return found


def firth(data: DesignMatrix, model: str, outcome: str) -> list[Estimate]:
    """Fit a logit with Firth's penalty, which stays finite where cells are empty and the likelihood separates.

    Parameters
    ----------
    data : outcome 0 or 1.

    Returns
    -------
    One estimate per regressor, a log odds ratio, with the profile-likelihood interval and the penalised
    likelihood-ratio p-value. The note says where the ordinary logit would have separated.

    References
    ----------
    Firth (1993), Bias reduction of maximum likelihood estimates. Heinze and Schemper (2002), A solution to the problem
    of separation in logistic regression.
    """
    terms = [c for c in data.x.columns if c != INTERCEPT]
    x, y = data.x[terms], data.y.astype("int64")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        fit = FirthLogisticRegression(
            backend="numpy", max_iter=500, gtol=1e-6, xtol=1e-6, fit_intercept=INTERCEPT in data.x
        ).fit(x, y)
        fit.lrt()
        interval = fit.conf_int(method="pl", max_iter=500, tol=1e-6)
    notes = [data.note] if data.note else []
    if detect_separation(x, y).separation:
        notes.append("the ordinary logit separates")
    notes += sorted({str(w.message) for w in caught})
    order = [*terms, *(c for c in data.x.columns if c == INTERCEPT)]
    coefficients = [*fit.coef_, fit.intercept_]
    return [
        Estimate(
            model, "firth", outcome, term, "log odds ratio",
            estimate=float(coefficients[i]), std_error=float(fit.bse_[i]), p_value=float(fit.lrt_pvalues_[i]),
            ci_low=float(interval[i, 0]), ci_high=float(interval[i, 1]),
            n_obs=len(y), n_units=data.n_units, vcov="profile likelihood", note="; ".join(notes),
        )
        for i, term in sorted(enumerate(order), key=lambda item: list(data.x.columns).index(item[1]))
    ]  # fmt: skip


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
    # Towards infinity the likelihood is flat: the last digits of precision are out of reach there.
    gtol = 1e-6 if infinite else 1e-8
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = OrderedModel(y, data.x[terms], distr="logit").fit(
            method="bfgs", maxiter=2000, gtol=gtol, disp=False, **options
        )
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
