"""Simulated worlds: the same wherever they run, true to what they plant, judged by measures that can be checked."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.models import fit
from analysis.models.design_matrix import DesignMatrix
from analysis.models.estimates import Estimate, tidy
from analysis.models.linear import lpm
from analysis.worlds.goals import COVERAGE, MET, MISSED, UNDECIDED, coverage_goal, false_positives_goal, judged
from analysis.worlds.performance import performance
from analysis.worlds.scenarios import SCENARIOS
from analysis.worlds.trials import WORLDS, fitted, found, generator, number_of_worlds, run_worlds, trial
from analysis.worlds.world import Scenario, Target

SEED = 20110125
FAST = ["probability", "unreported"]
NAN = float("nan")

HOLDING = [
    (name, target)
    for name, scenario in SCENARIOS.items()
    for target in scenario.targets
    if not target.broken and target.kind == "interval"
]


def digest(results: dict[str, np.ndarray]) -> str:
    return hashlib.sha256(b"".join(results[name].tobytes() for name in sorted(results))).hexdigest()


def test_the_numbers_do_not_depend_on_the_number_of_workers_nor_on_the_order_of_scenarios() -> None:
    alone = run_worlds(6, SEED, FAST, workers=1)
    together = run_worlds(6, SEED, FAST[::-1], workers=2)
    assert digest(alone) == digest(together)
    assert all(numbers.shape == (6, len(SCENARIOS[name].targets), 5) for name, numbers in alone.items())


def test_fewer_worlds_are_the_first_of_more() -> None:
    few, more = (run_worlds(count, SEED, ["probability"], workers=1)["probability"] for count in (2, 3))
    np.testing.assert_array_equal(few, more[:2])


def test_another_seed_or_world_draws_other_numbers() -> None:
    one, other = (trial("probability", [0, 1], seed)[:, 0, 0] for seed in (1, 2))
    assert len({*one, *other}) == 4


@pytest.mark.parametrize("name", [*SCENARIOS])
def test_every_target_is_an_estimate_of_its_scenario(name: str) -> None:
    scenario = SCENARIOS[name]
    estimates = fitted(scenario, scenario.draw(generator(name, 0, SEED), scenario.units))
    numbers = found(estimates, scenario.targets)
    assert not np.isnan(numbers).all(axis=1).any()
    assert len({target.name for target in scenario.targets}) == len(scenario.targets)
    nulls = {target.name for target in scenario.targets if target.kind != "test" and target.truth == 0}
    assert name == "adoption_null" or all(target.endswith("_null") for target in nulls)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({name for name, _ in HOLDING}))
def test_in_a_large_world_what_was_planted_is_found(name: str) -> None:
    scenario = SCENARIOS[name]
    larger = 4 if name in {"duration", "attention"} else 8
    worlds = [
        found(fitted(scenario, scenario.draw(generator(name, world, 7), scenario.units * larger)), scenario.targets)
        for world in range(2)
    ]
    for position, target in enumerate(scenario.targets):
        if target.broken or target.kind != "interval" or target.name.startswith(("lpm_few", "wild")):
            continue
        estimate, error = np.array(worlds)[:, position, :2].T
        if np.isnan(estimate).any():
            continue
        mean, spread = estimate.mean(), np.sqrt((error**2).sum()) / len(error)
        assert abs(mean - target.truth) < 4 * spread, target.name


TARGETS = (
    Target("sound", "m", "x", 1.0),
    Target("null", "m", "z", 0.0, "a confounder is left out"),
    Target("bounds", "m", "b", 0.5, kind="bounds"),
    Target("test", "m", "t", 0.0, kind="test"),
)


@pytest.fixture
def toy() -> tuple[dict[str, np.ndarray], dict[str, Scenario]]:
    """Four worlds, four targets; estimate, std_error, ci_low, ci_high, p_value."""
    worlds = [
        [[1.5, 0.5, 0.5, 2.5, 0.01], [0.3, 0.1, 0.1, 0.5, 0.02], [NAN, NAN, 0.0, 1.0, NAN], [NAN, NAN, NAN, NAN, 0.5]],
        [
            [0.5, 0.5, -0.5, 1.5, 0.30],
            [0.1, 0.1, -0.1, 0.3, 0.30],
            [NAN, NAN, 0.6, 1.0, NAN],
            [NAN, NAN, NAN, NAN, 0.01],
        ],
        [[2.5, 0.5, 1.5, 3.5, 0.00], [0.2, 0.1, 0.0, 0.4, 0.06], [NAN, NAN, 0.1, 0.9, NAN], [NAN] * 5],
        [[NAN] * 5, [0.4, 0.1, 0.2, 0.6, 0.01], [NAN, NAN, -0.1, 0.4, NAN], [NAN, NAN, NAN, NAN, 0.9]],
    ]
    scenario = replace(SCENARIOS["probability"], targets=TARGETS)
    return {"toy": np.array(worlds)}, {"toy": scenario}


def test_measures_equal_those_computed_by_hand(toy: tuple[dict[str, np.ndarray], dict[str, Scenario]]) -> None:
    rows = {(row.model, row.term): row for row in performance(*toy, seed=1)}

    def of(term: str) -> Estimate:
        return rows["worlds[toy]", term]

    assert of("sound:not_estimable").estimate == 1 / 4
    # Errors 0.5, -0.5, 1.5: mean 0.5, standard deviation 1, root mean square √(2.75/3).
    assert of("sound:bias").estimate == pytest.approx(0.5)
    assert of("sound:bias").std_error == pytest.approx(1 / np.sqrt(3))
    assert of("sound:rmse").estimate == pytest.approx(np.sqrt(2.75 / 3))
    assert of("sound:coverage").estimate == pytest.approx(2 / 3)
    assert of("sound:rejected").estimate == pytest.approx(2 / 3)
    assert of("sound:planted").estimate == 1.0
    assert of("sound:coverage").n_obs == 3
    # Limits that touch the truth hold it.
    assert of("null:coverage").estimate == pytest.approx(2 / 4)
    assert of("null:rejected").estimate == pytest.approx(2 / 4)
    assert of("null:rejected").note == "broken: a confounder is left out"
    assert of("bounds:coverage").estimate == pytest.approx(2 / 4)
    assert of("bounds:rejected").estimate == pytest.approx(2 / 4)
    assert of("test:rejected").estimate == pytest.approx(1 / 3)
    assert ("worlds[toy]", "test:coverage") not in rows
    # Wilson (1927) for 2 of 4: centre 1/2, half-width 1.96 √(1/16 + 1.96²/64) / (1 + 1.96²/4).
    z = 1.959964
    half = z * np.sqrt(0.25 / 4 + z**2 / (4 * 16)) / (1 + z**2 / 4)
    assert (of("null:coverage").ci_low, of("null:coverage").ci_high) == pytest.approx(
        (0.5 - half, 0.5 + half), abs=1e-6
    )


def test_an_interval_without_a_limit_reaches_as_far_as_the_truth() -> None:
    scenario = replace(SCENARIOS["probability"], targets=TARGETS[:1])
    worlds = np.array([[[1.5, 0.5, NAN, 2.5, 0.01]], [[1.5, 0.5, 1.2, NAN, 0.01]], [[1.5, 0.5, NAN, NAN, 0.2]]])
    rows = {row.term: row for row in performance({"toy": worlds}, {"toy": scenario}, seed=1)}
    assert rows["sound:coverage"].estimate == pytest.approx(2 / 3)


def test_the_summary_counts_what_is_judged(toy: tuple[dict[str, np.ndarray], dict[str, Scenario]]) -> None:
    estimates = tidy(performance(*toy, seed=1), "toy")
    told = estimates[estimates["model"] == "worlds"].set_index("term")["estimate"]
    assert told["coverages"] == 2
    assert told["nulls"] == 1
    assert told["broken"] == 1
    assert told["worlds"] == 3
    for name in ("coverages", "nulls"):
        assert told[[f"{name}_{goal}" for goal in (MET, UNDECIDED, MISSED)]].sum() == told[name]
    covered = judged(estimates, "coverage").set_index("target")
    assert list(covered.index) == ["sound", "null", "bounds"]
    assert covered.loc["null", "broken"] == "a confounder is left out"


@pytest.mark.parametrize(
    ("share", "low", "high", "goal"),
    [
        (0.95, 0.90, 0.98, MET),
        (0.92, 0.90, 0.94, UNDECIDED),
        (0.92, 0.90, 0.93, MISSED),
        (0.98, 0.96, 0.99, UNDECIDED),
        (0.99, 0.97, 1.00, MISSED),
    ],
)
def test_a_coverage_is_missed_only_beyond_monte_carlo_error(share: float, low: float, high: float, goal: str) -> None:
    assert coverage_goal(share, low, high) == goal
    assert coverage_goal(share, low, high, bounds=True) == (MET if share >= COVERAGE[0] else goal)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_what_is_missed_can_only_get_worse(share: float, below: float, worse: float) -> None:
    low = share * below
    if false_positives_goal(share, low) == MISSED:
        higher = share + (1 - share) * worse
        assert false_positives_goal(higher, low + (higher - share)) == MISSED


def overconfident(data: DesignMatrix, model: str, outcome: str) -> list[Estimate]:
    """Least squares with errors of half their size."""
    rows = lpm(data, model, outcome)
    half = [(row.ci_high - row.ci_low) / 4 for row in rows]
    return [replace(row, ci_low=row.estimate - h, ci_high=row.estimate + h) for row, h in zip(rows, half, strict=True)]


@pytest.fixture(scope="module")
def covered() -> pd.Series:
    """Whether each design met its goal of coverage, by scenario and target."""
    estimates = tidy(performance(run_worlds(20, SEED, FAST, workers=1), SCENARIOS, SEED), "benchmark")
    return judged(estimates, "coverage").set_index(["scenario", "target"])["goal"]


def test_a_broken_estimator_is_caught(covered: pd.Series, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fit.ESTIMATORS, "lpm", overconfident)
    wrong = tidy(performance(run_worlds(20, SEED, ["probability"], workers=1), SCENARIOS, SEED), "benchmark")
    assert covered["probability", "lpm"] != MISSED
    assert judged(wrong, "coverage").set_index("target").loc["lpm", "goal"] == MISSED


def test_a_scenario_shows_what_its_broken_assumption_does(covered: pd.Series) -> None:
    assert covered["probability", "lpm_naive"] == MISSED
    assert covered["probability", "lpm_unadjusted_null"] == MISSED
    assert covered["unreported", "lpm_missing_where_lost"] == MISSED
    assert covered["unreported", "manski_bounds_missing_where_lost"] == MET


def test_profiles_and_refusals() -> None:
    assert number_of_worlds("quick", None) == WORLDS["quick"] < WORLDS["full"] == number_of_worlds("full", None)
    assert number_of_worlds("full", 3) == 3
    with pytest.raises(InputError, match=r"fulll.*no such profile.*full"):
        number_of_worlds("fulll", None)
    with pytest.raises(InputError, match="at least 2"):
        number_of_worlds("quick", 1)
