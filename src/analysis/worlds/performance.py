"""How well each design did over the worlds of a scenario: rows of the estimates table (notebook 10_worlds)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from analysis.models.estimates import Estimate, tidy
from analysis.worlds.goals import BROKEN, COVERAGE, DESIGN, FALSE_POSITIVES, GOALS, MISSED, judged
from analysis.worlds.world import Floats, Scenario, Target

LEVEL = 0.05
_NORMAL = 1.959963984540054


def performance(found: Mapping[str, Floats], scenarios: Mapping[str, Scenario], seed: int) -> list[Estimate]:
    """Say how far, how often and how surely each target's estimates are right.

    Parameters
    ----------
    found : of each scenario, (worlds, targets, 5): estimate, std_error, ci_low, ci_high, p_value. All are missing where
        a target was not estimable; a limit alone is missing where the interval has none.

    Returns
    -------
    Under the model ``worlds[<scenario>]`` the terms ``<target>:<measure>``: `planted` (the truth), `bias` (mean error,
    with its Monte Carlo error and interval), `rmse`, `coverage` (share of 95% intervals that hold the truth),
    `rejected` (share of tests at 5% that reject 0: power, or false positives where 0 was planted) and `not_estimable`.
    Shares have Wilson's interval; `n_obs` counts worlds. The note says what breaks an assumption. And first, under the
    model ``worlds``, the counts of `summary`.

    References
    ----------
    Morris, White and Crowther (2019), Using simulation studies to evaluate statistical methods, table 6. Wilson (1927).
    """
    rows = [
        row
        for name, numbers in found.items()
        for position, target in enumerate(scenarios[name].targets)
        for row in _target(name, target, numbers[:, position], seed)
    ]
    return [*summary(tidy(rows, "")), *rows]


def _target(scenario: str, target: Target, numbers: Floats, seed: int) -> Iterator[Estimate]:
    estimate, _, low, high, p_value = numbers.T
    known = np.asarray(~np.isnan(numbers).all(axis=1))
    note = f"{BROKEN}{target.broken}" if target.broken else ""
    blank = Estimate(f"worlds[{scenario}]", DESIGN, target.kind, "", "", seed=seed, note=note)

    def named(measure: str, estimand: str) -> Estimate:
        return replace(blank, term=f"{target.name}:{measure}", estimand=estimand)

    yield _share(named("not_estimable", "share of worlds in which it was not estimable"), ~known)
    rejects = np.where(np.isnan(p_value), (low > 0) | (high < 0), p_value < LEVEL)[known]
    if target.kind == "test":
        yield _share(named("rejected", "share of worlds in which the assumption is rejected at 5%"), rejects)
        return
    yield replace(named("planted", "the planted truth"), estimate=target.truth)
    told = "planted effects" if target.truth else "planted nulls"
    yield _share(named("rejected", f"share of {told} that a test at 5% tells from zero"), rejects)
    if target.kind == "p_value":
        return
    covers = np.asarray(~(low > target.truth) & ~(high < target.truth))
    yield _share(named("coverage", "share of 95% intervals that hold the planted truth"), covers[known])
    error = (estimate - target.truth)[~np.isnan(estimate)]
    if len(error) > 1:
        bias, monte_carlo = float(error.mean()), float(error.std(ddof=1) / np.sqrt(len(error)))
        yield replace(
            named("bias", "mean error of the estimates"), estimate=bias, std_error=monte_carlo,
            ci_low=bias - _NORMAL * monte_carlo, ci_high=bias + _NORMAL * monte_carlo, n_obs=len(error),
        )  # fmt: skip
        rmse = float(np.sqrt((error**2).mean()))
        yield replace(named("rmse", "root mean square error of the estimates"), estimate=rmse, n_obs=len(error))


def _share(row: Estimate, flags: np.ndarray) -> Estimate:
    """Write the share of worlds, with Wilson's interval."""
    n = len(flags)
    if n == 0:
        note = "; ".join(filter(None, [row.note, "not estimable: in no world"]))
        return replace(row, n_obs=0, note=note)
    low, high = proportion_confint(int(flags.sum()), n, method="wilson")
    return replace(row, estimate=float(flags.mean()), ci_low=float(low), ci_high=float(high), n_obs=n, vcov="Wilson")


def summary(estimates: pd.DataFrame) -> list[Estimate]:
    """Count how many designs met the goals, where assumptions hold and where they are broken.

    Parameters
    ----------
    estimates : rows of `performance`, as an estimates table.

    Returns
    -------
    Of the model ``worlds``: `scenarios`, `worlds` (of each, the fewest), the goals; of designs whose assumptions hold
    `coverages`, `coverages_met`, `coverages_undecided`, `coverages_missed` and `coverages_worst`, and of nulls that
    were planted in their worlds `nulls` and so on; of those with a broken assumption `broken`, and `broken_missed`,
    which miss a goal beyond Monte Carlo error. Of a hundred goals that are truly met, a few seem missed by chance.
    """
    tables = {"coverages": judged(estimates, "coverage"), "nulls": judged(estimates, "false_positives")}
    both = pd.concat(tables.values())
    numbers: list[tuple[str, float, str]] = [
        ("scenarios", both["scenario"].nunique(), "scenarios"),
        ("goal_coverage_low", COVERAGE[0], "goal: least share of 95% intervals that hold the truth"),
        ("goal_coverage_high", COVERAGE[1], "goal: largest share of them"),
        ("goal_false_positives", FALSE_POSITIVES, "goal: largest share of planted nulls that a test at 5% rejects"),
        ("worlds", both["n_obs"].min(), "simulated worlds of each scenario in which a design was estimable, at least"),
    ]
    for name, rows in tables.items():
        sound = rows[rows["broken"] == ""]
        what = "coverages" if name == "coverages" else "rates of false positives"
        numbers.append((name, len(sound), f"{what} of designs whose assumptions hold"))
        numbers += [(f"{name}_{goal}", (sound["goal"] == goal).sum(), f"of these, goal {goal}") for goal in GOALS]
        worst = sound["estimate"].min() if name == "coverages" else sound["estimate"].max()
        numbers.append((f"{name}_worst", worst, f"the worst of the {what}"))
    broken = both[both["broken"] != ""].groupby(["scenario", "target"])["goal"].agg(lambda goals: MISSED in set(goals))
    numbers.append(("broken", len(broken), "designs with a broken assumption"))
    numbers.append(("broken_missed", broken.sum(), "of these, a goal missed"))
    return [Estimate("worlds", DESIGN, "", term, estimand, estimate=float(value)) for term, value, estimand in numbers]
