"""Worst-case bounds for outcomes that nobody reported."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import norm

from analysis.models.design_matrix import NotEstimableError
from analysis.models.estimates import Estimate


def manski_bounds(rows: pd.DataFrame, exposure: str, model: str, outcome: str) -> list[Estimate]:
    """Bound the difference in the probability of an outcome between exposed and unexposed units.

    Every missing outcome is set, in turn, to the value that makes the difference smallest and largest. Nothing is
    assumed about why outcomes are missing.

    Parameters
    ----------
    rows : (n, k) with `exposure` (0 or 1) and `outcome` (0, 1 or missing).
    exposure, outcome : column names.

    Returns
    -------
    Two estimates: terms ``<exposure>:lower`` with `ci_low`, and ``<exposure>:upper`` with `ci_high`; together the
    identified interval and the 95% interval for the difference.

    References
    ----------
    Manski (1990), Nonparametric bounds on treatment effects. Imbens and Manski (2004), Confidence intervals for
    partially identified parameters, eq. 6 and 7.
    """
    known = rows.dropna(subset=exposure)
    groups = {value: known.loc[known[exposure] == value, outcome] for value in (0, 1)}
    if any(group.empty for group in groups.values()):
        raise NotEstimableError(f"no variation: {exposure} is the same in all {len(known)} rows")
    exposed, unexposed = groups[1], groups[0]
    lower = exposed.fillna(0).mean() - unexposed.fillna(1).mean()
    upper = exposed.fillna(1).mean() - unexposed.fillna(0).mean()
    lower_error = _error(exposed.fillna(0), unexposed.fillna(1))
    upper_error = _error(exposed.fillna(1), unexposed.fillna(0))
    critical = imbens_manski(upper - lower, max(lower_error, upper_error))
    missing = int(known[outcome].isna().sum())
    shared = Estimate(
        model,
        "manski_bounds",
        outcome,
        exposure,
        "difference in probability",
        n_obs=len(known),
        n_units=int(known["unit_id"].nunique()),
        vcov="Imbens–Manski",
        note=f"{missing} of {len(known)} outcomes are missing and set to the worst case",
    )
    reach_low, reach_high = lower - critical * lower_error, upper + critical * upper_error
    return [
        replace(shared, term=f"{exposure}:lower", estimate=lower, std_error=lower_error, ci_low=reach_low),
        replace(shared, term=f"{exposure}:upper", estimate=upper, std_error=upper_error, ci_high=reach_high),
    ]


def imbens_manski(width: float, error: float) -> float:
    """Return how many standard errors beyond the bounds a 95% interval for the parameter between them reaches.

    Parameters
    ----------
    width : upper less lower bound.
    error : the larger standard error of the two.
    """
    if not error > 0:
        return float(norm.ppf(0.975))
    return float(brentq(lambda c: norm.cdf(c + width / error) - norm.cdf(-c) - 0.95, 0.5, 3))


def _error(first: pd.Series, second: pd.Series) -> float:
    return float(np.sqrt(first.var(ddof=0) / len(first) + second.var(ddof=0) / len(second)))
