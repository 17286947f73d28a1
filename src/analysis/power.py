"""What effects a study could have seen: detectable ones, equivalence, errors of sign and magnitude (notebook 10)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.models.batched import EXACT, Codes, Fits, Floats, codes, fit_outcomes, one_thread
from analysis.models.cr2 import MOST_COLUMNS, adjusted_influence
from analysis.models.design_matrix import NotEstimableError, design_matrix, sample
from analysis.models.estimates import NAN, Estimate
from analysis.models.fit import ESTIMATORS
from analysis.models.linear import fitted
from analysis.models.usable_rows import usable_rows
from analysis.models.vcov import Fit
from analysis.robustness.targets import Target, targets
from analysis.study.grammar import Formula, ModelId
from analysis.study.spec import Hypothesis, Study

LEVEL = 0.05
POWER = 0.8
_NO_NUMBERS: dict[str, Any] = dict.fromkeys(("estimate", "std_error", "statistic", "p_value", "ci_low", "ci_high"), NAN)
TERMS = (
    "mde_80",
    "mde_80_closed_form",
    "false_positives",
    "power_at_smallest_effect",
    "type_s",
    "type_m",
    "tost_p",
    "power_of_equivalence",
)


@dataclass(frozen=True)
class DesignError:
    """What significance at 5% would have been worth, had the true effect been of a given size.

    Attributes
    ----------
    power : probability of significance.
    type_s : probability that a significant estimate has the wrong sign.
    type_m : factor by which a significant estimate exaggerates the effect, on average.
    """

    power: float
    type_s: float
    type_m: float


@dataclass
class Power:
    """Rows of the estimates table, with design `power`, and what is drawn.

    Attributes
    ----------
    curves : by hypothesis: effect (in the estimate's unit), power.
    """

    estimates: list[Estimate] = field(default_factory=list)
    curves: dict[str, pd.DataFrame] = field(default_factory=dict)


def power_of_study(study: Study, table: pd.DataFrame, draws: int, seed: int) -> Power:
    """Say for every hypothesis what its design could have seen.

    A linear model is simulated: regressors, fixed effects, clusters and sample stay as they are, errors are drawn anew
    by the wild (cluster) bootstrap, effects are planted and estimated with the errors that the model itself uses. Other
    designs, and linear models with weights or errors clustered in two ways, have the closed form from their standard
    error, where their model is fitted from the analysis table alone.

    Parameters
    ----------
    table : the analysis table.
    draws : simulated samples per hypothesis.
    seed : of the draws.

    Returns
    -------
    Per hypothesis a model ``<deciding model>:power`` with terms ``<deciding term>:…``: `mde_80` (the smallest effect
    that is detected with 80% power), `mde_80_closed_form`, `false_positives` (of a test at 5%, in simulated samples),
    `power_at_smallest_effect`, `type_s`, `type_m` and `tost_p` (at the smallest effect of interest), and
    `power_of_equivalence` (of the equivalence test where there is no effect).

    References
    ----------
    Bloom (1995), Minimum detectable effects. Wu (1986), Jackknife, bootstrap and other resampling methods, and Cameron,
    Gelbach and Miller (2008), Bootstrap-based improvements for inference with clustered errors, for the draws.
    """
    linear = {t.hypothesis: t for t in targets(study, table) if isinstance(t, Target) and _is_simulated(t)}
    found = Power()
    with one_thread():
        for name, hypothesis in study.hypotheses.items():
            row = _deciding(study, hypothesis, table)
            if np.isnan(row.std_error):
                found.estimates += closed_form(hypothesis, row)
            else:
                rows, found.curves[name] = _hypothesis(hypothesis, row, linear.get(name), draws, seed)
                found.estimates += rows
    return found


def summary(study: Study, estimates: pd.DataFrame) -> pd.DataFrame:
    """Set the numbers of each hypothesis side by side.

    Parameters
    ----------
    estimates : rows of `power_of_study`, as an estimates table.

    Returns
    -------
    One row per hypothesis that has any, indexed by its name: n_obs, smallest_effect, and the terms of `power_of_study`
    as columns, missing where there is none.
    """
    parts = estimates.assign(
        registered=estimates["term"].str.rsplit(":", n=1).str[0], what=estimates["term"].str.rsplit(":", n=1).str[1]
    )
    rows = {}
    for name, hypothesis in study.hypotheses.items():
        own = parts[
            (parts["model"] == f"{hypothesis.decided_by.model}:power")
            & (parts["registered"] == hypothesis.decided_by.term)
        ]
        if not own.empty:
            numbers = dict(zip(own["what"], own["estimate"], strict=True))
            rows[name] = {"n_obs": own["n_obs"].iloc[0], "smallest_effect": hypothesis.smallest_effect, **numbers}
    return pd.DataFrame.from_dict(rows, orient="index").reindex(columns=["n_obs", "smallest_effect", *TERMS])


def closed_form(hypothesis: Hypothesis, row: Estimate, df: float = np.inf) -> list[Estimate]:
    """Say what a deciding estimate could have shown, from its standard error alone.

    Parameters
    ----------
    row : the deciding estimate.
    df : degrees of freedom of its t distribution.

    Returns
    -------
    The rows of `power_of_study`; one row with the reason where the estimate has no standard error.
    """
    shared = replace(
        row, model=f"{row.model}:power", design="power", note="closed form from the standard error", **_NO_NUMBERS
    )
    if not row.std_error > 0:
        why = row.note.removeprefix("not estimable: ") or "the deciding estimate has no standard error"
        return [replace(shared, term=f"{row.term}:mde_80", note=f"not estimable: {why}")]
    error, smallest = row.std_error, hypothesis.smallest_effect
    design = design_error(smallest, error, df)
    of = f"of an effect of {smallest:g} {row.estimand}"
    tost_p = equivalence_p(row.estimate, error, smallest, df)
    numbers = {
        "mde_80": (row.estimand, minimum_detectable_effect(error, df)),
        "power_at_smallest_effect": (f"probability of significance at 5% {of}", design.power),
        "type_s": (f"probability of the wrong sign, given significance, {of}", design.type_s),
        "type_m": (f"exaggeration, given significance, {of}", design.type_m),
        "tost_p": (f"p-value of the equivalence test within ±{smallest:g} {row.estimand}", tost_p),
        "power_of_equivalence": (
            f"probability that an absent effect is found equivalent to zero within ±{smallest:g}",
            power_of_equivalence(error, smallest, df),
        ),
    }
    rows = [
        replace(shared, term=f"{row.term}:{what}", estimand=estimand, estimate=value)
        for what, (estimand, value) in numbers.items()
    ]
    return [replace(r, p_value=r.estimate) if r.term.endswith(":tost_p") else r for r in rows]


def minimum_detectable_effect(std_error: float, df: float = np.inf) -> float:
    """Return the effect that a two-sided test at 5% detects with a power of 80%.

    References
    ----------
    Bloom (1995), Minimum detectable effects, eq. 1.
    """
    return float((stats.t.ppf(1 - LEVEL / 2, df) + stats.t.ppf(POWER, df)) * std_error)


def design_error(effect: float, std_error: float, df: float = np.inf) -> DesignError:
    """Return power and errors of sign and magnitude of a two-sided test at 5%.

    Parameters
    ----------
    effect : the true effect, not 0.
    std_error, df : of the estimate, whose distribution about the effect is t.

    References
    ----------
    Gelman and Carlin (2014), Beyond power calculations: assessing type S (sign) and type M (magnitude) errors. What
    they simulate is integrated here.
    """
    size = abs(effect)
    critical = stats.t.ppf(1 - LEVEL / 2, df)
    above, below = critical - size / std_error, -critical - size / std_error
    right, wrong = stats.t.sf(above, df), stats.t.cdf(below, df)
    power = right + wrong
    magnitude = size * (right - wrong) + std_error * (_tail_mean(above, df) + _tail_mean(below, df))
    return DesignError(float(power), float(wrong / power), float(magnitude / power / size))


def power_of_equivalence(std_error: float, bound: float, df: float = np.inf) -> float:
    """Return the probability that two one-sided tests at 5% find an absent effect within ± `bound`."""
    reach = bound / std_error - stats.t.ppf(1 - LEVEL, df)
    return float(max(0.0, 2 * stats.t.cdf(reach, df) - 1))


def equivalence_p(estimate: float, std_error: float, bound: float, df: float = np.inf) -> float:
    """Return the p-value of two one-sided tests that an effect lies outside ± `bound`.

    References
    ----------
    Schuirmann (1987), A comparison of the two one-sided tests procedure and the power approach. Lakens (2017),
    Equivalence tests.
    """
    return float(max(stats.t.sf((estimate + bound) / std_error, df), stats.t.cdf((estimate - bound) / std_error, df)))


def simulated_estimates(target: Target, draws: int, rng: np.random.Generator) -> Fits:
    """Estimate a target's model in simulated samples without an effect.

    An effect planted in such a sample moves the estimate by as much and leaves its error as it is, so that one set of
    draws serves all effects.

    Returns
    -------
    (draws,) fits of outcomes that are the model's residuals, with signs drawn at random for each cluster, or each row
    where errors are not clustered, and scaled so that their variance is that of the errors. Their own errors are HC3
    (HC1 with fixed effects), CRV1, or with fewer clusters than `MANY_CLUSTERS` CR2.
    """
    rows = usable_rows(target.data)
    _, fit, variance = fitted(rows)
    clusters = None if target.data.cluster is None else codes(target.data.cluster)
    n, residuals = len(fit.residuals), fit.residuals
    used = fit.parameters([] if clusters is None else [clusters])
    if clusters is not None:
        g = clusters.max() + 1
        residuals = residuals * np.sqrt(g / (g - 1) * (n - 1) / (n - used))
    elif target.absorb is not None:
        residuals = residuals * np.sqrt(n / (n - used))
    else:
        leverage = ((fit.x @ fit.bread) * fit.x).sum(axis=1)
        residuals = np.where(leverage > EXACT, 0.0, residuals / np.sqrt(np.maximum(1 - leverage, 1 - EXACT)))
    units = np.arange(n) if clusters is None else clusters
    signs = rng.choice([-1.0, 1.0], size=(draws, units.max() + 1))
    outcomes = residuals[:, None] * signs.T[units]
    if clusters is None or not variance.name.startswith("CR2"):
        return fit_outcomes(outcomes, target.x, target.focal, clusters, target.absorb)
    return _bias_reduced(target, fit, clusters, outcomes, rows.names.index(target.term))


def _bias_reduced(target: Target, fit: Fit, clusters: Codes, outcomes: Floats, position: int) -> Fits:
    """Fit many outcomes, (n, m), on the same regressors, with CR2 errors."""
    basis = np.empty((len(fit.x), 0))
    if target.absorb is not None:
        found = target.absorb.unnested_basis(clusters, np.ones(len(fit.x)), MOST_COLUMNS)
        basis = basis if found is None else found
        outcomes = target.absorb.within(outcomes)
    adjusted, df = adjusted_influence(fit.x, fit.bread, basis, clusters)
    coefficients = fit.bread @ (fit.x.T @ outcomes)
    residuals = outcomes - fit.x @ coefficients
    products = adjusted[:, [position]] * residuals
    scores = np.column_stack([np.bincount(clusters, column) for column in products.T])
    errors = np.sqrt((scores**2).sum(axis=0))
    return Fits(coefficients[position], errors, np.full(len(errors), df[position]))


def _is_simulated(target: Target) -> bool:
    return target.model.design in ("lpm", "ols") and len(target.model.cluster) < 2


def _deciding(study: Study, hypothesis: Hypothesis, table: pd.DataFrame) -> Estimate:
    """Fit the model that decides a hypothesis; without numbers where it cannot be fitted from the analysis table."""
    decided = hypothesis.decided_by
    wanted = ModelId.parse(decided.model)
    model = study.models[wanted.model]
    outcome = Formula.parse(model.formula).outcome
    missing = Estimate(decided.model, model.design, outcome, decided.term, "")
    if model.design not in ESTIMATORS:
        return replace(missing, note=f"not estimable: {model.design} is fitted in a notebook of its own")
    rows = sample(study, model, table, wanted.value, "naive" if wanted.naive else "strict")
    try:
        data = design_matrix(study, model, rows)
    except NotEstimableError as error:
        return replace(missing, note=f"not estimable: {error}")
    fitted = {row.term: row for row in ESTIMATORS[model.design](data, decided.model, outcome)}
    return fitted.get(decided.term, replace(missing, note=f"not estimable: no {decided.term} in the model"))


def _hypothesis(
    hypothesis: Hypothesis, row: Estimate, target: Target | None, draws: int, seed: int
) -> tuple[list[Estimate], pd.DataFrame]:
    smallest, error = hypothesis.smallest_effect, row.std_error
    if target is None:
        rows = closed_form(hypothesis, row)
        effects = _effects(smallest, minimum_detectable_effect(error))
        return rows, pd.DataFrame({"effect": effects, "power": [design_error(e, error).power for e in effects]})
    drawn = simulated_estimates(target, draws, target.rng(seed, "power"))
    df = float(drawn.df[0])
    reach = stats.t.ppf(1 - LEVEL / 2, df) * drawn.std_error
    mde = float(np.quantile(reach - drawn.estimate, POWER, method="inverted_cdf"))
    simulated = {
        "mde_80": mde,
        "false_positives": _power(0, drawn.estimate, reach),
        "power_at_smallest_effect": _power(smallest, drawn.estimate, reach),
    }
    rows = list(_with_simulated(closed_form(hypothesis, row, df), simulated, f"{draws:,} simulated samples", seed))
    effects = _effects(smallest, mde)
    return rows, pd.DataFrame({"effect": effects, "power": [_power(e, drawn.estimate, reach) for e in effects]})


def _with_simulated(rows: list[Estimate], simulated: dict[str, float], note: str, seed: int) -> Iterator[Estimate]:
    """Put simulated numbers in the place of closed forms, and that of the detectable effect beside its own."""
    for row in rows:
        what = row.term.rsplit(":", 1)[1]
        if what not in simulated:
            yield row
            continue
        drawn = replace(row, estimate=simulated[what], seed=seed, note=note)
        yield drawn
        if what == "mde_80":
            yield replace(row, term=f"{row.term}_closed_form")
            yield replace(
                drawn,
                term=row.term.replace(what, "false_positives"),
                estimand="probability of significance at 5% where there is no effect",
                estimate=simulated["false_positives"],
            )


def _power(effect: float, estimates: Floats, reach: Floats) -> float:
    return float((np.abs(estimates + effect) > reach).mean())


def _effects(smallest: float, mde: float) -> Floats:
    return np.linspace(0, 1.6 * max(smallest, mde), 81)[1:]


def _tail_mean(edge: float, df: float) -> float:
    """Integrate t times its density from an edge to infinity, which by symmetry is -t's from -infinity to the edge."""
    if np.isinf(df):
        return float(stats.norm.pdf(edge))
    return float(stats.t.pdf(edge, df) * (df + edge**2) / (df - 1))
