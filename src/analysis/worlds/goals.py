"""What a design whose assumptions hold has to reach, and how a number from finitely many worlds is judged by it."""

from __future__ import annotations

import pandas as pd

DESIGN = "worlds"
BROKEN = "broken: "
"""Begins the note of what was estimated although an assumption does not hold, and says what breaks it."""

COVERAGE = (0.935, 0.965)
"""Share of 95% intervals that hold the truth."""

FALSE_POSITIVES = 0.05
"""Largest share of planted nulls that a test at 5% rejects."""

GOALS = MET, UNDECIDED, MISSED = "met", "undecided", "missed"


def coverage_goal(share: float, low: float, high: float, bounds: bool = False) -> str:
    """Judge a coverage by its Monte Carlo interval.

    Parameters
    ----------
    bounds : more is not worse: bounds that assume little hold the truth too often.

    Returns
    -------
    `MET` inside the goal, `MISSED` where the whole Monte Carlo interval is outside, otherwise `UNDECIDED`.
    """
    most = 1.0 if bounds else COVERAGE[1]
    if COVERAGE[0] <= share <= most:
        return MET
    return MISSED if high < COVERAGE[0] or low > most else UNDECIDED


def false_positives_goal(share: float, low: float) -> str:
    """Judge a rate of false positives by the lower end of its Monte Carlo interval, as `coverage_goal` does."""
    if share <= FALSE_POSITIVES:
        return MET
    return MISSED if low > FALSE_POSITIVES else UNDECIDED


def judged(estimates: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Take one measure of every target from the estimates table, judged by its goal.

    Parameters
    ----------
    estimates : the estimates table, with rows of `analysis.worlds.performance.performance`.
    measure : `coverage`, `false_positives` or `bias`, which has no goal.

    Returns
    -------
    scenario, target, kind, broken (what breaks an assumption, or empty), planted, estimate, ci_low, ci_high, n_obs
    (worlds) and goal, in the table's order. Targets for which the measure has no number are left out.
    """
    rows = estimates[(estimates["design"] == DESIGN) & estimates["model"].str.contains("[", regex=False)]
    named = rows["term"].str.rsplit(":", n=1)
    rows = rows.assign(
        scenario=rows["model"].str.removeprefix("worlds[").str.removesuffix("]"),
        target=named.str[0], measure=named.str[1], kind=rows["outcome"],
        broken=rows["note"].where(rows["note"].str.startswith(BROKEN), "").str.removeprefix(BROKEN),
    )  # fmt: skip
    planted = rows[rows["measure"] == "planted"].set_index(["scenario", "target"])["estimate"]
    rows["planted"] = planted.reindex(pd.MultiIndex.from_frame(rows[["scenario", "target"]])).to_numpy()
    if measure == "false_positives":
        true_assumption = (rows["kind"] == "test") & (rows["broken"] == "")
        rows = rows[(rows["measure"] == "rejected") & ((rows["planted"] == 0) | true_assumption)]
        goals = [false_positives_goal(*pair) for pair in zip(rows["estimate"], rows["ci_low"], strict=True)]
    else:
        rows = rows[rows["measure"] == measure]
        given = zip(rows["estimate"], rows["ci_low"], rows["ci_high"], rows["kind"] == "bounds", strict=True)
        goals = [coverage_goal(*numbers) if measure == "coverage" else "" for numbers in given]
    columns = ["scenario", "target", "kind", "broken", "planted", "estimate", "ci_low", "ci_high", "n_obs"]
    found = rows[columns].assign(goal=goals).dropna(subset="estimate")
    return found.reset_index(drop=True)
