"""Logit models of a binary outcome, with Firth's penalty where it separates."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import statsmodels.api as sm
from firthmodels import FirthLogisticRegression, detect_separation
from sklearn.exceptions import ConvergenceWarning

from analysis.models.design_matrix import DesignMatrix, NotEstimableError
from analysis.models.estimates import Estimate
from analysis.models.formulas import INTERCEPT
from analysis.models.margins import average_marginal_effects
from analysis.models.usable_rows import usable_rows
from analysis.models.vcov import Fit, Variance, inverse, likelihood

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
    ``<term>:log_odds``, its coefficient. Errors are those that `analysis.models.vcov` chooses.

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
    effects = list(average_marginal_effects(x, beta, rows.weights))
    gradients = np.column_stack([np.eye(len(beta)), *(effect.gradient for effect in effects)])
    if data.clusters is None and rows.weights is None:
        df = np.full(gradients.shape[1], np.inf)
        variance = Variance(gradients.T @ bread @ gradients, df, "information matrix")
    else:
        step = Fit(step_x, rows.weighted((rows.y - chance) / spread), bread, weights=rows.weights)
        variance = likelihood(step, rows.names, rows.data.clusters, gradients[:, len(beta) :])
    shared = Estimate(
        model, "logit", outcome, "", "", n_obs=len(x), n_units=rows.data.n_units, n_clusters=variance.n_clusters,
        vcov=variance.name, note="; ".join([*rows.notes, *variance.notes]),
    )  # fmt: skip
    numbers = variance.inference(np.r_[beta, [effect.estimate for effect in effects]])
    marginal = "difference in probability, averaged over rows (delta method)"
    return [
        *(
            replace(shared, term=effect.term, estimand=marginal, estimate=effect.estimate, **some)
            for effect, some in zip(effects, numbers[len(beta) :], strict=True)
        ),
        *(
            replace(shared, term=f"{term}:{LOG_ODDS}", estimand="log odds ratio", estimate=float(value), **some)
            for term, value, some in zip(rows.names, beta, numbers[: len(beta)], strict=True)
        ),
    ]


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
