"""Linear probability, Firth logit and ordered logit models of one outcome."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import statsmodels.api as sm
from firthmodels import FirthLogisticRegression, detect_separation
from sklearn.exceptions import ConvergenceWarning
from statsmodels.miscmodels.ordinal_model import OrderedModel

from analysis.models.design_matrix import INTERCEPT, DesignMatrix
from analysis.models.estimates import Estimate

FEWEST_CLUSTERS = 30
"""Below this number of clusters the cluster-robust variance is too small; see Cameron and Miller (2015), sec. VI."""


def lpm(data: DesignMatrix, model: str, outcome: str) -> list[Estimate]:
    """Fit a linear probability model by ordinary least squares.

    The estimand of each coefficient is a difference in the probability of the outcome between units that differ by one
    in the regressor and are alike in the others; it is causal only if nothing else differs.

    Parameters
    ----------
    data : outcome 0 or 1.

    Returns
    -------
    One estimate per regressor, in probability. Errors are clustered (CRV1, t with clusters − 1 degrees of freedom)
    where there are `FEWEST_CLUSTERS` or more, otherwise robust to heteroskedasticity (HC3).

    References
    ----------
    Cameron and Miller (2015), A practitioner's guide to cluster-robust inference, sec. II and VI.
    MacKinnon and White (1985), for HC3.
    """
    n_clusters = data.clusters.nunique() if data.clusters is not None else 0
    ols = sm.OLS(data.y, data.x)
    if data.clusters is not None and n_clusters >= FEWEST_CLUSTERS:
        groups = pd.factorize(data.clusters, sort=True)[0]
        fit = ols.fit(method="qr", cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
        vcov = f"CRV1({data.clusters.name})"
    else:
        fit = ols.fit(method="qr", cov_type="HC3", use_t=True)
        vcov = "HC3"
    interval = fit.conf_int()
    return [
        Estimate(
            model, "lpm", outcome, str(term), "difference in probability",
            estimate=fit.params[term], std_error=fit.bse[term], statistic=fit.tvalues[term], p_value=fit.pvalues[term],
            ci_low=interval.loc[term, 0], ci_high=interval.loc[term, 1],
            n_obs=len(data.y), n_units=data.n_units, n_clusters=n_clusters or None, vcov=vcov, note=data.note,
        )
        for term in data.x.columns
    ]  # fmt: skip


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
        fit = FirthLogisticRegression(backend="numpy", max_iter=500, gtol=1e-6, xtol=1e-6).fit(x, y)
        fit.lrt()
        interval = fit.conf_int(method="pl", max_iter=500, tol=1e-6)
    notes = [data.note] if data.note else []
    if detect_separation(x, y).separation:
        notes.append("the ordinary logit separates")
    notes += sorted({str(w.message) for w in caught})
    order = [*terms, INTERCEPT]
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
    `lpm` where clusters are many enough, otherwise from the information matrix.

    References
    ----------
    McCullagh (1980), Regression models for ordinal data.
    """
    terms = [c for c in data.x.columns if c != INTERCEPT]
    levels = np.sort(data.y.unique())
    y = pd.Series(pd.Categorical(data.y, categories=levels, ordered=True), index=data.y.index)
    n_clusters = data.clusters.nunique() if data.clusters is not None else 0
    options: dict[str, object] = {}
    vcov = "information matrix"
    if data.clusters is not None and n_clusters >= FEWEST_CLUSTERS:
        options = {"cov_type": "cluster", "cov_kwds": {"groups": pd.factorize(data.clusters, sort=True)[0]}}
        vcov = f"CRV1({data.clusters.name})"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = OrderedModel(y, data.x[terms], distr="logit").fit(
            method="bfgs", maxiter=2000, gtol=1e-8, disp=False, **options
        )
    notes = [data.note] if data.note else []
    if not fit.mle_retvals["converged"]:
        notes.append("did not converge: " + "; ".join(sorted({str(w.message) for w in caught})))
    interval = fit.conf_int()
    return [
        Estimate(
            model, "ordered_logit", outcome, term, "log odds ratio of a higher stage",
            estimate=fit.params[term], std_error=fit.bse[term], statistic=fit.tvalues[term], p_value=fit.pvalues[term],
            ci_low=interval.loc[term, 0], ci_high=interval.loc[term, 1],
            n_obs=len(y), n_units=data.n_units, n_clusters=n_clusters or None, vcov=vcov, note="; ".join(notes),
        )
        for term in terms
    ]  # fmt: skip
