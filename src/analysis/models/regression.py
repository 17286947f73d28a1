"""Linear probability, Firth logit and ordered logit models of one outcome."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from firthmodels import FirthLogisticRegression, detect_separation
from sklearn.exceptions import ConvergenceWarning
from statsmodels.miscmodels.ordinal_model import OrderedModel

from analysis.models.design_matrix import INTERCEPT, DesignMatrix
from analysis.models.estimates import NAN, Estimate

FEWEST_CLUSTERS = 30
"""Below this number of clusters the cluster-robust variance is too small; see Cameron and Miller (2015), sec. VI."""

NO_ERROR: dict[str, Any] = dict.fromkeys(["std_error", "statistic", "p_value", "ci_low", "ci_high"], NAN)
NO_NUMBERS: dict[str, Any] = {"estimate": NAN, **NO_ERROR}


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
    where there are `FEWEST_CLUSTERS` or more, otherwise robust to heteroskedasticity (HC3). A coefficient that rests
    on one row alone, such as that of a level which occurs once, has no error; where there is one, HC3 is not defined
    and the others have HC1.

    References
    ----------
    Cameron and Miller (2015), A practitioner's guide to cluster-robust inference, sec. II and VI.
    MacKinnon and White (1985), for HC3.
    """
    ols = sm.OLS(data.y, data.x)
    unreplicated = _resting_on_one_row(data.x)
    clusters, notes = _clusters(data)
    if clusters is not None:
        vcov = f"CRV1({clusters.name})"
        groups = pd.factorize(clusters, sort=True)[0]
        fit = ols.fit(method="qr", cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    else:
        vcov = "HC1" if unreplicated else "HC3"
        fit = ols.fit(method="qr", cov_type=vcov, use_t=True)
    if unreplicated:
        notes.append(f"no error for {', '.join(unreplicated)}: the coefficient rests on one row alone")
    interval = fit.conf_int()
    rows = [
        Estimate(
            model, "lpm", outcome, str(term), "difference in probability",
            estimate=fit.params[term], std_error=fit.bse[term], statistic=fit.tvalues[term], p_value=fit.pvalues[term],
            ci_low=interval.loc[term, 0], ci_high=interval.loc[term, 1],
            n_obs=len(data.y), n_units=data.n_units, n_clusters=None if clusters is None else clusters.nunique(),
            vcov=vcov, note="; ".join(notes),
        )
        for term in data.x.columns
    ]  # fmt: skip
    return [replace(row, **NO_ERROR) if row.term in unreplicated else row for row in rows]


def _clusters(data: DesignMatrix) -> tuple[pd.Series | None, list[str]]:
    """Return the clusters where they are many enough to cluster errors by, and the notes so far."""
    notes = [data.note] if data.note else []
    if data.clusters is None or data.clusters.nunique() >= FEWEST_CLUSTERS:
        return data.clusters, notes
    found = f"{data.clusters.nunique()} of {data.clusters.name}, fewer than {FEWEST_CLUSTERS}"
    return None, [*notes, f"errors are not clustered: clusters are too few ({found})"]


def _resting_on_one_row(x: pd.DataFrame) -> list[str]:
    q, r = np.linalg.qr(x.to_numpy(dtype="float64"))
    exactly_fitted = (q**2).sum(axis=1) > 1 - 1e-9
    influence = np.abs(np.linalg.solve(r, q[exactly_fitted].T)) * np.sqrt((x**2).sum()).to_numpy()[:, None]
    return [str(term) for term, rests in zip(x.columns, (influence > 1e-9).any(axis=1), strict=True) if rests]


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
