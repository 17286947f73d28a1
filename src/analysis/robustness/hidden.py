"""Sensitivity of a target to hidden confounding, in rows of the estimates table."""

from __future__ import annotations

import re

import numpy as np
import statsmodels.api as sm

from analysis.models.batched import Floats, fit_exposures
from analysis.models.estimates import Estimate
from analysis.robustness.sensitivity import (
    benchmark_bound,
    e_value,
    e_value_of_limit,
    oster_delta,
    partial_r2,
    robustness_value,
)
from analysis.robustness.targets import Target

R2_GAIN = 1.3
"""Oster's (2019, sec. 4) rule of thumb: unobserved covariates raise R² to at most this multiple of what is observed."""


def hidden_confounding(target: Target) -> list[Estimate]:
    """Say how strong a hidden confounder would have to be to explain a target's estimate.

    Returns
    -------
    Rows: the exposure's partial R² with the outcome, the robustness values for the whole estimate and for its
    significance at 5%, the estimate that a confounder as strong as each benchmark covariate would leave, the E-values
    of estimate and limit, and Oster's delta.
    """
    y, within, used = partialled(target)
    x = sm.add_constant(within, has_constant="add")
    fit = sm.OLS(y, x).fit(method="qr")
    df = float(fit.df_resid) - used
    estimate, error = float(fit.params[1 + target.focal]), float(fit.bse[1 + target.focal] * np.sqrt(fit.df_resid / df))
    statistic = estimate / error
    rows = [
        target.estimate("sensitivity", what, estimand, estimate=value)
        for what, estimand, value in (
            ("partial_r2", "share of the outcome's residual variance", partial_r2(statistic, df)),
            (
                "robustness_value",
                "share of residual variance of exposure and outcome that explains away the estimate",
                robustness_value(statistic, df),
            ),
            (
                "robustness_value_5pct",
                "share of residual variance of exposure and outcome that makes the estimate insignificant at 5%",
                robustness_value(statistic, df, alpha=0.05),
            ),
        )
    ]
    rows += [_beside(target, name, columns, estimate, error, df) for name, columns in _benchmarks(target).items()]
    return [*rows, *_e_values(target), *_delta(target, float(fit.rsquared))]


def partialled(target: Target) -> tuple[Floats, Floats, int]:
    """Return outcome, (n,), and regressors, (n, k), less what the effects explain, and the parameters of the effects.

    Beside effects, every share of variance below is a share of the variance within them.
    """
    if target.absorb is None:
        return target.y, target.x, 0
    y = target.absorb.remove(target.y[:, None])[:, 0]
    return y, target.absorb.remove(target.x), target.absorb.parameters() - 1


def _benchmarks(target: Target) -> dict[str, list[int]]:
    """Return the positions of each benchmark covariate's columns among the regressors."""
    names = [re.sub(r"\[[^\]]*\]", "", c).removeprefix("C(").removesuffix(")") for c in target.regressors]
    wanted = target.choices.benchmarks or [n for n in dict.fromkeys(names) if ":" not in n]
    found = {w: [i for i, name in enumerate(names) if name == w] for w in wanted if w != target.variable}
    return {name: columns for name, columns in found.items() if columns}


def _beside(target: Target, name: str, columns: list[int], estimate: float, error: float, df: float) -> Estimate:
    y, x, _ = partialled(target)
    others = [i for i in range(x.shape[1]) if i != target.focal]
    rest = [i for i in others if i not in columns]
    r2_exposure = _group_r2(x[:, target.focal], x[:, others], x[:, rest])
    r2_outcome = _group_r2(y, x, x[:, [target.focal, *rest]])
    bound = benchmark_bound(estimate, error, df, r2_exposure, r2_outcome)
    told = f"partial R² of {name}: {r2_exposure:.3f} with the exposure, {r2_outcome:.3f} with the outcome"
    if np.isnan(bound.estimate):
        told = f"not estimable: no confounder can be as strong as {name}; {told}"
    return target.estimate(
        "sensitivity",
        f"beside_{name}",
        f"{target.unit} that a confounder as strong as {name} would leave at least",
        told,
        estimate=bound.estimate,
        std_error=bound.std_error,
        statistic=bound.statistic,
        vcov="classical",
    )


def _group_r2(y: Floats, x: Floats, without: Floats) -> float:
    full, reduced = (_residual(y, columns) for columns in (x, without))
    return 1 - full / reduced


def _residual(y: Floats, x: Floats) -> float:
    return float(sm.OLS(y, sm.add_constant(x, has_constant="add")).fit(method="qr").ssr)


def _e_values(target: Target) -> list[Estimate]:
    """Return the E-values of the risk ratio that the linear model predicts; none where the outcome is no risk."""
    if target.model.design == "ols":
        return []
    exposure = target.x[:, target.focal]
    covariates = np.delete(target.x, target.focal, axis=1)
    fit = fit_exposures(exposure[:, None], target.y, covariates, target.clusters, target.absorb)
    binary = set(np.unique(exposure)) <= {0.0, 1.0}
    slope = float(fit.estimate[0])
    base = float(target.y.mean() - slope * exposure.mean()) if binary else float(target.y.mean())
    where = "without the exposure" if binary else "at the mean exposure"
    low, high = (float(limit[0]) for limit in fit.interval())
    ratio, low, high = ((base + value) / base if base > 0 else np.nan for value in (slope, low, high))
    told = f"risk ratio {ratio:.2f} [{low:.2f}, {high:.2f}], from a probability of {base:.2f} {where}"
    estimand = "risk ratio of a confounder with exposure and outcome that explains away "
    rows = []
    for what, of, value in (
        ("e_value", "the estimate", e_value(ratio)),
        ("e_value_limit", "the nearer 95% limit", e_value_of_limit(low, high)),
    ):
        note = told if np.isfinite(value) else f"not estimable: the risk ratio is not positive; {told}"
        rows.append(target.estimate("sensitivity", what, estimand + of, note, estimate=value))
    return rows


def _delta(target: Target, r2: float) -> list[Estimate]:
    y, x, _ = partialled(target)
    covariates = np.delete(x, target.focal, axis=1)
    if not covariates.shape[1]:
        return []
    r2_max = min(R2_GAIN * r2, 1.0)
    value = oster_delta(y, x[:, target.focal], covariates, r2_max)
    return [
        target.estimate(
            "sensitivity",
            "delta",
            "selection on the unobserved, relative to the observed, that explains away the estimate",
            f"R²{' within the fixed effects' if target.absorb is not None else ''} at most {r2_max:.3f}, {R2_GAIN} "
            "times the observed",
            estimate=value,
        )
    ]
