"""How strong hidden confounding would have to be: robustness values, benchmarks, E-values and Oster's delta."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.models.batched import Floats


@dataclass(frozen=True)
class Bound:
    """An estimate as it would be beside a confounder as strong as an observed covariate.

    Attributes
    ----------
    r2_exposure : share of the exposure's residual variance that the confounder would explain.
    r2_outcome : share of the outcome's residual variance that it would explain.
    estimate, std_error, statistic : after adjustment for it.
    """

    r2_exposure: float
    r2_outcome: float
    estimate: float
    std_error: float
    statistic: float


def partial_r2(statistic: float, df: float) -> float:
    """Return the share of the outcome's residual variance that a regressor explains, from its classical t statistic."""
    return statistic**2 / (statistic**2 + df)


def robustness_value(statistic: float, df: float, q: float = 1, alpha: float = 1) -> float:
    """Return the robustness value.

    A confounder must explain this share of the residual variance of both exposure and outcome to take away the share
    `q` of the estimate, or, with `alpha` below 1, to make what is left insignificant at that level.

    Parameters
    ----------
    statistic, df : classical t statistic and residual degrees of freedom.

    References
    ----------
    Cinelli and Hazlett (2020), Making sense of sensitivity, eq. 18 and 19, with the correction for a binding
    significance constraint as in their software sensemakr.
    """
    f = q * abs(statistic) / np.sqrt(df)
    critical = abs(stats.t.ppf(alpha / 2, df - 1)) / np.sqrt(df - 1)
    excess = f - critical
    if excess <= 0:
        return 0.0
    if critical > 0 and f > 1 / critical:
        return float((f**2 - critical**2) / (1 + f**2))
    return float((np.sqrt(excess**4 + 4 * excess**2) - excess**2) / 2)


def benchmark_bound(
    estimate: float, std_error: float, df: float, r2_exposure: float, r2_outcome: float, times: float = 1
) -> Bound:
    """Bound what a confounder as strong as an observed covariate would leave of an estimate.

    Parameters
    ----------
    estimate, std_error, df : of the exposure, classical.
    r2_exposure : partial R² of the covariate with the exposure, given the other covariates.
    r2_outcome : partial R² of the covariate with the outcome, given the exposure and the other covariates.
    times : how many times as strong as the covariate, in both.

    Returns
    -------
    The bound; without numbers where no confounder can be so strong.

    References
    ----------
    Cinelli and Hazlett (2020), sec. 4.4 and appendix B, for the bounds; eq. 6 and 7 for bias and error.
    """
    exposure = times * r2_exposure / (1 - r2_exposure)
    shared = times * r2_exposure**2 / ((1 - times * r2_exposure) * (1 - r2_exposure))
    if not 0 <= exposure < 1 or not 0 <= shared < 1 or not r2_outcome < 1:
        return Bound(np.nan, np.nan, np.nan, np.nan, np.nan)
    outcome = ((np.sqrt(times) + np.sqrt(shared)) / np.sqrt(1 - shared)) ** 2 * r2_outcome / (1 - r2_outcome)
    outcome = min(outcome, 1.0)
    bias = std_error * np.sqrt(df) * np.sqrt(outcome * exposure / (1 - exposure))
    left = np.sign(estimate) * (abs(estimate) - bias)
    error = std_error * np.sqrt((1 - outcome) / (1 - exposure)) * np.sqrt(df / (df - 1))
    return Bound(exposure, outcome, float(left), float(error), float(left / error) if error > 0 else np.nan)


def e_value(risk_ratio: float) -> float:
    """Return the E-value.

    A confounder must have at least this risk ratio with both exposure and outcome to explain away an observed one.

    References
    ----------
    VanderWeele and Ding (2017), Sensitivity analysis in observational research: introducing the E-value.
    """
    if not risk_ratio > 0:
        return float("nan")
    ratio = max(risk_ratio, 1 / risk_ratio)
    return float(ratio + np.sqrt(ratio * (ratio - 1)))


def e_value_of_limit(low: float, high: float) -> float:
    """Return the E-value of the confidence limit nearer to 1, which is 1 where the interval holds it."""
    if low <= 1 <= high:
        return 1.0
    return e_value(low if low > 1 else high)


def oster_delta(y: Floats, exposure: Floats, covariates: Floats, r2_max: float, beta: float = 0) -> float:
    """Return how much stronger selection on the unobserved must be than on the observed to leave an effect of `beta`.

    Parameters
    ----------
    y, exposure : (n,).
    covariates : (n, k) without intercept.
    r2_max : R² of a regression on exposure, observed and unobserved covariates.

    Returns
    -------
    Delta; 1 where both are equally strong. A negative one says that they would have to pull in opposite directions.

    References
    ----------
    Oster (2019), Unobservable selection and coefficient stability, proposition 3.
    """
    n = len(y)
    y, exposure = y - y.mean(), exposure - exposure.mean()
    covariates = covariates - covariates.mean(axis=0)
    variance_y, variance_x = y @ y / n, exposure @ exposure / n
    short = exposure @ y / (exposure @ exposure)
    r2_short = short**2 * variance_x / variance_y
    rest = exposure - covariates @ np.linalg.lstsq(covariates, exposure, rcond=None)[0]
    tau = rest @ rest / n
    full = np.column_stack([exposure, covariates])
    coefficients = np.linalg.lstsq(full, y, rcond=None)[0]
    residuals = y - full @ coefficients
    r2_full = 1 - residuals @ residuals / n / variance_y
    moved, left = short - coefficients[0], coefficients[0] - beta
    numerator = (
        left * (r2_full - r2_short) * variance_y * tau
        + left * variance_x * tau * moved**2
        + 2 * left**2 * tau * moved * variance_x
        + left**3 * (tau * variance_x - tau**2)
    )
    denominator = (
        (r2_max - r2_full) * variance_y * moved * variance_x
        + left * (r2_max - r2_full) * variance_y * (variance_x - tau)
        + left**2 * tau * moved * variance_x
        + left**3 * (tau * variance_x - tau**2)
    )
    return float(numerator / denominator) if denominator else float("nan")
