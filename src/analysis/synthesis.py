"""One verdict per hypothesis, by a rule in code (notebook 11)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import norm

from analysis.errors import InputError, Problem
from analysis.models.estimates import COLUMNS
from analysis.multiplicity import adjusted
from analysis.study.spec import Hypothesis, Study

LEVEL = 0.05


def verdicts(study: Study, estimates: pd.DataFrame) -> pd.DataFrame:
    """Judge every hypothesis by its registered estimate alone.

    The p-value is adjusted within the hypothesis's family by the family's method (`analysis.multiplicity`). An estimate
    is *equivalent to zero* where its 90% interval lies within the smallest effect of interest on both sides (two
    one-sided tests at 5%). An estimate that differs from zero decides nothing where it fails a check of its own design
    (`failed_checks`).

    Returns
    -------
    One row per hypothesis in the study's order: hypothesis, statement, origin, expects, family, model, term, the
    estimate with interval and n, smallest_effect, p_adjusted and how (`adjustment`), status (`as registered`, `logged`
    or `exploratory`), verdict (`supported`, `contradicted`, `equivalent to zero` or `too imprecise to say`) and reason.

    Raises
    ------
    InputError : a deciding estimate does not exist.

    References
    ----------
    Lakens (2017), Equivalence tests.
    """
    table = estimates.set_index(["model", "term"])
    rows = []
    missing = []
    for name, hypothesis in study.hypotheses.items():
        key = (hypothesis.decided_by.model, hypothesis.decided_by.term)
        found = _deciding_row(table, key)
        if found is None:
            terms = sorted({t for m, t in table.index if m == key[0]})
            place = f"hypotheses.{name}.decided_by"
            rule = f"no such estimate; the model's terms are {', '.join(terms) or 'none'}"
            missing.append(Problem(f"studies/{study.name}.yml", 0, place, ":".join(key), rule))
            continue
        rows.append(
            {
                "hypothesis": name,
                "statement": hypothesis.statement,
                "origin": ", ".join(hypothesis.origin),
                "expects": hypothesis.expects,
                "family": hypothesis.family,
                "model": key[0],
                "term": key[1],
                **found[["estimand", "estimate", "std_error", "ci_low", "ci_high", "p_value", "n_obs", "vcov", "note"]],
                "smallest_effect": hypothesis.smallest_effect,
            }
        )
    if missing:
        raise InputError(missing)
    judged = pd.DataFrame(rows)
    judged["p_adjusted"], judged["adjustment"] = adjusted(judged, study.families, estimates)
    judged["status"] = [status(study, str(name)) for name in judged["hypothesis"]]
    said = [
        _judge(study.hypotheses[str(row["hypothesis"])], row, failed_checks(estimates, row["model"], row["term"]))
        for _, row in judged.iterrows()
    ]
    judged["verdict"], judged["reason"] = zip(*said, strict=True)
    return judged


def _deciding_row(table: pd.DataFrame, key: tuple[str, str]) -> pd.Series | None:
    for term in (key[1], key[1].split("[T.")[0]):
        if (key[0], term) in table.index:
            return table.loc[[(key[0], term)]].iloc[0]
    return None


def status(study: Study, hypothesis: str) -> str:
    """Say whether a hypothesis is as it was registered, has a logged deviation, or one made after results were seen."""
    logged = [deviation for deviation in study.deviations if deviation.hypothesis == hypothesis]
    if not logged:
        return "as registered"
    return "exploratory" if any(deviation.after_results for deviation in logged) else "logged"


def failed_checks(estimates: pd.DataFrame, model: str, term: str) -> list[str]:
    """Name the checks of its own design that an estimate fails at 5%.

    Parameters
    ----------
    estimates : of the whole study; checks that were not made cannot fail.
    model, term : the estimate.

    Returns
    -------
    Clauses that complete the sentence "differs from zero, but …".
    """
    known = estimates.dropna(subset="p_value")
    of_model = known["model"].str.removeprefix(model)
    low = known["p_value"] < LEVEL
    same_term = known["term"] == term
    checks = {
        "permuted exposures do as well": (of_model == ":randomisation") & same_term & ~low,
        "so it does where it cannot": (of_model == ":negative_control") & same_term & low,
        "a placebo in its place does too": (of_model == ":placebo_exposure") & low,
        "it is there before the exposure is": (of_model == ":placebo_shift")
        & known["term"].str.startswith(f"{term}:")
        & low,
        "trends differed before exposure": (of_model == "") & (known["term"] == "pretrend") & low,
        "units may sort across the cut-off": (of_model == "") & known["term"].isin(["density", "balance"]) & low,
    }
    return [clause for clause, failed in checks.items() if failed.any()]


def _judge(hypothesis: Hypothesis, row: pd.Series, failed: list[str]) -> tuple[str, str]:
    if np.isnan(row["estimate"]):
        return "too imprecise to say", str(row["note"])
    reach = norm.ppf(1 - LEVEL) * row["std_error"]
    within = abs(row["estimate"]) + reach < hypothesis.smallest_effect
    significant = row["p_adjusted"] < LEVEL
    positive = row["estimate"] > 0
    if hypothesis.expects == "zero":
        if within:
            return "supported", "the 90% interval lies within the smallest effect of interest"
        if significant:
            return "contradicted", "differs from zero after adjustment for its family"
        return "too imprecise to say", "neither different from zero nor within the smallest effect of interest"
    if significant and failed:
        return "too imprecise to say", f"differs from zero, but {' and '.join(failed)}"
    if significant:
        expected = positive == (hypothesis.expects == "positive")
        return ("supported" if expected else "contradicted"), "differs from zero after adjustment for its family"
    if within:
        return "equivalent to zero", "the 90% interval lies within the smallest effect of interest"
    return "too imprecise to say", "neither different from zero nor within the smallest effect of interest"


def gap(estimates: pd.DataFrame) -> pd.DataFrame:
    """Set each estimate under the time-order rule beside the same estimate with naive time order.

    Returns
    -------
    One row per model and term fitted both ways: estimate, interval and n under each, and the difference, which is the
    part of the naive association that the order of dates does not support.
    """
    both = estimates.loc[estimates["design"] != "descriptive", COLUMNS]
    naive = both[both["model"].str.endswith("@naive")]
    naive = naive.assign(model=naive["model"].str.removesuffix("@naive"))
    columns = ["model", "outcome", "term", "estimand", "estimate", "ci_low", "ci_high", "n_obs", "note"]
    pairs = both[columns].merge(
        naive[columns].drop(columns="estimand"), on=["model", "outcome", "term"], suffixes=("", "_naive"),
        validate="one_to_one",
    )  # fmt: skip
    return pairs.assign(difference=pairs["estimate_naive"] - pairs["estimate"])
