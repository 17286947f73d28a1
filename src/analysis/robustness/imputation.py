"""Missing covariates and exposures: multiple imputation beside the complete cases."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer

from analysis.models.batched import Floats
from analysis.models.design_matrix import NotEstimableError, design_matrix
from analysis.models.estimates import Estimate
from analysis.robustness.refit import linear_estimate
from analysis.robustness.targets import Target
from analysis.study.grammar import Formula

IMPUTATIONS = 20
CYCLES = 10
"""Cycles of the chained equations for each imputation; one is enough for one variable."""

MOST_MISSING = 0.5
"""Where more than this share of rows lacks a value, an analysis would rest on the imputation and not on data."""


def imputation(target: Target, seed: int) -> list[Estimate]:
    """Estimate a target with its missing covariates and exposures imputed.

    Numbers are drawn by chained equations from their normal predictive distribution given the outcome and all variables
    of the formula, and the linear form of the model is fitted in each completed table. It is assumed that, given these,
    what is missing is missing at random. Predictive mean matching is not used: with predictors of few values most
    predictions tie, and the matching of statsmodels then draws from the same few rows, so that errors are too small.
    Outcomes are not imputed; see `manski_bounds` and `lee_bounds` for these. Neither are attributes, nor an exposure
    with a landmark, which is missing where the unit is not at risk.

    Parameters
    ----------
    seed : of the draws.

    Returns
    -------
    One row ``<model>:imputation``, with Rubin's error and the degrees of freedom of Barnard and Rubin; none where
    nothing can be imputed.

    References
    ----------
    Rubin (1987), Multiple imputation for nonresponse in surveys, ch. 3. Barnard and Rubin (1999), Small-sample degrees
    of freedom with multiple imputation, eq. 3. van Buuren (2018), Flexible imputation of missing data, sec. 4.5.
    """
    variables = sorted(Formula.parse(target.model.formula).variables)
    rows = target.rows.dropna(subset=[target.outcome])
    numeric = [name for name in variables if _imputable(target, rows, name)]
    rows = rows.dropna(subset=[name for name in variables if name not in numeric])
    incomplete = [name for name in numeric if rows[name].isna().any()]
    if not incomplete:
        return []
    told = ", ".join(f"{int(rows[name].isna().sum())} of {name}" for name in incomplete)
    share = float(rows[incomplete].isna().any(axis=1).mean())
    if target.model.absorb:
        return [target.estimate("imputation", "", "", "not estimable: fixed effects are not part of the imputation")]
    if share > MOST_MISSING:
        why = f"not estimable: {share:.0%} of {len(rows)} rows lack a value ({told}), too many to impute"
        return [target.estimate("imputation", "", "", why)]
    try:
        fits = [
            linear_estimate(design_matrix(target.study, target.model, completed), target.term)
            for completed in _completed(target, rows, variables, incomplete, seed)
        ]
    except NotEstimableError as error:
        return [target.estimate("imputation", "", "", f"not estimable: {error}")]
    numbers, complete_df = fits[0]
    estimate, std_error, df = pooled(
        np.array([fit["estimate"] for fit, _ in fits]), np.array([fit["std_error"] for fit, _ in fits]), complete_df
    )
    reach = float(stats.t.ppf(0.975, df)) * std_error
    note = (
        f"imputed: {told}, in {len(rows)} rows; {IMPUTATIONS} imputations, {df:.1f} degrees of freedom; the complete "
        f"cases are {len(target.data.y)}"
    )
    own = {
        "estimate": estimate, "std_error": std_error, "statistic": estimate / std_error,
        "p_value": float(2 * stats.t.sf(abs(estimate / std_error), df)), "ci_low": estimate - reach,
        "ci_high": estimate + reach, "seed": seed,
    }  # fmt: skip
    return [target.estimate("imputation", "", target.unit, note, **(numbers | own))]


def pooled(estimates: Floats, errors: Floats, complete_df: float) -> tuple[float, float, float]:
    """Combine the estimates from completed tables by Rubin's rules.

    Parameters
    ----------
    estimates, errors : (m,) each.
    complete_df : degrees of freedom that the estimate would have without missing values; may be infinite.

    Returns
    -------
    Estimate, standard error and degrees of freedom.

    References
    ----------
    Barnard and Rubin (1999), eq. 3; Rubin (1987), eq. 3.1.6, where `complete_df` is infinite.
    """
    m = len(estimates)
    within, between = float((errors**2).mean()), float(estimates.var(ddof=1))
    added = (1 + 1 / m) * between
    total = within + added
    missing = added / total
    observed = complete_df if np.isinf(complete_df) else (complete_df + 1) / (complete_df + 3) * complete_df
    observed *= 1 - missing
    classical = (m - 1) / missing**2 if missing > 0 else np.inf
    df = 1 / (1 / classical + 1 / observed)
    return float(estimates.mean()), float(np.sqrt(total)), float(df)


def _imputable(target: Target, rows: pd.DataFrame, name: str) -> bool:
    exposure = target.study.exposures.get(name)
    return pd.api.types.is_numeric_dtype(rows[name]) and (exposure is None or exposure.landmark_days is None)


def _completed(
    target: Target, rows: pd.DataFrame, variables: list[str], incomplete: list[str], seed: int
) -> Iterator[pd.DataFrame]:
    """Yield the rows with their missing numbers filled in, once for each imputation."""
    # The order of rows must not matter.
    rows = rows.sort_values(["unit_id", "period"] if "period" in rows else "unit_id", kind="stable")
    known = pd.get_dummies(rows[[target.outcome, *variables]], drop_first=True, dtype="float64")
    known = known.loc[:, [name in incomplete or bool((known[name] != known[name].iloc[0]).any()) for name in known]]
    scale = known.std().replace(0.0, 1.0)
    standardised = (known - known.mean()) / scale
    rng = target.rng(seed, "imputation")
    for _ in range(IMPUTATIONS):
        chain = IterativeImputer(
            sample_posterior=True,
            max_iter=1 if len(incomplete) == 1 else CYCLES,
            tol=0.0,
            random_state=int(rng.integers(2**31)),
        )
        drawn = pd.DataFrame(chain.fit_transform(standardised), index=known.index, columns=known.columns)
        yield rows.assign(
            **{name: known[name].fillna(drawn[name] * scale[name] + known[name].mean()) for name in incomplete}
        )
