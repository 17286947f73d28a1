"""What was read of the Universal Periodic Review and what was lost, and how well the text was coded."""

from __future__ import annotations

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from analysis.models.descriptive import Description
from analysis.models.estimates import Estimate
from analysis.sources.reviewfiles import FOLLOWED, STRATA, asked
from analysis.sources.treatynames import TREATIES


def reading(recommended: pd.DataFrame, cells: pd.DataFrame) -> list[Estimate]:
    """Count recommendations and cells of review and treaty, from the first to those analysed.

    Returns
    -------
    Model `reading`, outcome `recommendations` or `cells`; every loss is a term of its own.
    """
    rows: list[Estimate] = []
    read = Description("reading", "recommendations", rows)
    repeated = recommended.attrs["repeated"]
    read.quantity("rows", len(recommended) + repeated, "rows of the source")
    read.quantity("repeated", repeated, "rows that repeat another word for word")
    read.quantity("recommendations", len(recommended), "recommendations")
    read.share("accepted", recommended["accepted"], "share of recommendations accepted")
    read.quantity("sender_unknown", recommended["sender"].isna().sum(), "recommendations of an unknown sender")
    read.quantity("coded", (recommended["stratum"] == "coded").sum(), "recommendations to ratify a named core treaty")
    pairs = asked(recommended)
    status = pairs.merge(cells[["iso3", "session", "treaty", "status"]], on=["iso3", "session", "treaty"], how="left")
    read.quantity("pairs", len(pairs), "recommendations, once for each treaty that they name")
    for reason in ("party", "not adopted", "not a state", "same year", "at risk"):
        read.quantity(reason.replace(" ", "_"), (status["status"] == reason).sum(), f"of these, to a state: {reason}")
    told = Description("reading", "cells", rows)
    reviewed = cells.drop_duplicates(["iso3", "session"])
    told.quantity("states", reviewed["iso3"].nunique(), "states reviewed")
    told.quantity("reviews", len(reviewed), "reviews")
    told.quantity("once", (reviewed.groupby("iso3").size() == 1).sum(), "states whose second review the source lacks")
    told.quantity("treaties", len(TREATIES), "treaties and optional protocols")
    told.quantity("cells", len(cells), "reviews, once for each treaty")
    for reason in ("not a state", "not adopted", "party", "same year", "at risk"):
        told.quantity(reason.replace(" ", "_"), (cells["status"] == reason).sum(), f"cells: {reason}")
    return rows


def coding(recommended: pd.DataFrame, sample: pd.DataFrame) -> list[Estimate]:
    """Compare the rule with the hand: precision and recall of naming a treaty in a recommendation.

    Parameters
    ----------
    recommended : all recommendations, with the stratum that each was drawn from.
    sample : those coded by hand, as `coded_by_hand` returns them.

    Returns
    -------
    Model `coding`. `precision`: of the treaties that the rule names, the share that the hand names too (Wilson).
    `exact`: of the coded recommendations, the share coded alike in all treaties. `missed_names`, `missed_neither`: of
    the recommendations that the rule leaves out, the share that do ask. `recall`: of the treaties asked for in all
    recommendations, the share that the rule names, the strata weighted by their sizes. Its interval is conservative: it
    joins the Wilson limits of all strata at their worst, and at their best.
    """
    rows: list[Estimate] = []
    told = Description("coding", "treaties", rows)
    told.quantity("sample", len(sample), "recommendations coded by hand")
    of = {stratum: sample[sample["stratum"] == stratum] for stratum in STRATA}
    coded = of["coded"]
    named = pd.Series([treaty in hand for hand, rule in _both(coded) for treaty in sorted(rule)], dtype="bool")
    told.share("precision", named, "share of treaties named by the rule that the hand names too")
    alike = pd.Series([hand == rule for hand, rule in _both(coded)], dtype="bool")
    told.share("exact", alike, "share of recommendations coded by the rule that the hand codes alike in all treaties")
    for stratum in STRATA[1:]:
        asks = pd.Series([bool(hand) for hand, _ in _both(of[stratum])], dtype="bool")
        told.share(f"missed_{stratum}", asks, "share of recommendations left out by the rule that ask to ratify")
    sizes = recommended["stratum"].value_counts()
    rows.append(_recall(of, {stratum: float(sizes[stratum]) for stratum in STRATA}))
    return rows


def _both(sample: pd.DataFrame) -> list[tuple[frozenset[str], frozenset[str]]]:
    return list(zip(sample["by_hand"], sample["by_rule"], strict=True))


def _recall(of: dict[str, pd.DataFrame], sizes: dict[str, float]) -> Estimate:
    found = sum(len(hand & rule) for hand, rule in _both(of["coded"]))
    lost = {stratum: sum(len(hand - rule) for hand, rule in _both(rows)) for stratum, rows in of.items()}
    n = {"coded": found + lost["coded"]} | {stratum: len(of[stratum]) for stratum in STRATA[1:]}
    per_text = found / len(of["coded"])

    def recall(share: dict[str, float]) -> float:
        named = sizes["coded"] * per_text
        missed = named * share["coded"] / (1 - share["coded"])
        return named / (named + missed + sum(sizes[s] * share[s] for s in STRATA[1:]))

    limits = {s: proportion_confint(min(lost[s], n[s]), n[s], method="wilson") for s in STRATA}
    return Estimate(
        "coding", "descriptive", "treaties", "recall", "share of treaties asked for that the rule names",
        estimate=recall({s: lost[s] / n[s] for s in STRATA}),
        ci_low=recall({s: float(limits[s][1]) for s in STRATA}),
        ci_high=recall({s: float(limits[s][0]) for s in STRATA}),
        n_obs=sum(len(rows) for rows in of.values()), vcov="Wilson, all strata at once",
    )  # fmt: skip


def associations(cells: pd.DataFrame, pairs: pd.DataFrame) -> list[Estimate]:
    """Describe who is asked and who ratifies, among those at risk.

    Returns
    -------
    Model `raw`, outcome `ratified`: share ratified of those asked and not asked, their difference, and the same by the
    state's answer. Model `selection[region]`: share of the cells at risk that were asked.
    """
    rows: list[Estimate] = []
    at_risk = cells[cells["status"] == "at risk"]
    keys = pd.MultiIndex.from_frame(at_risk[["iso3", "session", "treaty"]])
    answers = pairs.groupby(["iso3", "session", "treaty"])["accepted"].any().reindex(keys)
    was_asked = pd.Series(answers.notna().to_numpy(), index=at_risk.index)
    accepted = pd.Series((answers == True).to_numpy(), index=at_risk.index)  # noqa: E712
    ratified = at_risk["ratified"] <= at_risk["year"] + FOLLOWED
    raw = Description("raw", "ratified", rows)
    raw.share("asked", was_asked, "share of cells at risk with a recommendation to ratify")
    raw.share("ratified", ratified, "share of cells at risk ratified within four years")
    raw.share("if_asked", ratified[was_asked], "share ratified within four years, if asked")
    raw.share("if_not_asked", ratified[~was_asked], "share ratified within four years, if not asked")
    raw.difference("difference", ratified[was_asked], ratified[~was_asked], "difference in the share ratified")
    raw.share("accepts", accepted[was_asked], "share of those asked whose state accepted a recommendation")
    raw.share("if_accepted", ratified[accepted], "share ratified within four years, if accepted")
    raw.share("if_noted", ratified[was_asked & ~accepted], "share ratified within four years, if asked and noted")
    for region, of_region in at_risk.groupby("region"):
        described = Description(f"selection[{region}]", "asked", rows)
        described.share("asked", was_asked[of_region.index], "share of cells at risk with a recommendation to ratify")
    return rows


def lags(cells: pd.DataFrame) -> list[Estimate]:
    """Describe when those at risk ratified, and so how much four years cut off.

    Returns
    -------
    Model `lags`: `year_1` to `year_8`, ratifications so many calendar years after the review's among cells at risk;
    `later`, the share of all ratifications in the file that come after the fourth; `same_year`, those in the review's
    own year; `last_year`, the last with any.
    """
    rows: list[Estimate] = []
    told = Description("lags", "ratified", rows)
    at_risk = cells[cells["status"] == "at risk"]
    years = (at_risk["ratified"] - at_risk["year"]).dropna()
    for year in range(1, 9):
        told.quantity(f"year_{year}", (years == year).sum(), f"ratified in calendar year {year} after the review's")
    told.share("later", years > FOLLOWED, "share of later ratifications that come after the fourth year")
    told.quantity("same_year", (cells["status"] == "same year").sum(), "ratified in the year of the review itself")
    recent = at_risk[at_risk["ratified"].notna()].groupby("ratified").size()
    told.quantity("last_year", recent.index.max(), "last year with a ratification by a state at risk")
    return rows


def reliability(cells: pd.DataFrame, scores: pd.DataFrame) -> list[Estimate]:
    """Describe how well the score of organising is measured among the reviews at risk.

    Returns
    -------
    Model `reliability`, outcome `organising`: `known` (share of cells at risk with a score), `sd`, `error` (root mean
    squared standard error), and `ratio`, 1 − error² / sd², which is the share by which a coefficient of the score alone
    would be weakened.

    References
    ----------
    Fuller (1987), Measurement error models, sec. 1.1.
    """
    rows: list[Estimate] = []
    told = Description("reliability", "organising", rows)
    at_risk = cells[cells["status"] == "at risk"]
    before = at_risk[["iso3", "session"]].assign(year=at_risk["year"] - 1)
    found = before.merge(scores.rename(columns={"unit_id": "iso3"}), on=["iso3", "year"], how="left")
    told.share("known", found["organising"].notna(), "share of cells at risk whose state has a score")
    by_review = found.dropna(subset="organising").drop_duplicates(["iso3", "session"])
    spread, error = by_review["organising"].var(), (by_review["std_error"] ** 2).mean()
    told.quantity("reviews", len(by_review), "reviews with a score")
    told.quantity("sd", float(np.sqrt(spread)), "standard deviation of the score over reviews")
    told.quantity("error", float(np.sqrt(error)), "root mean squared measurement error of the score")
    told.quantity("ratio", float(1 - error / spread), "reliability of the score over reviews")
    return rows
