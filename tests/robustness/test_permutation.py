"""Randomisation inference is exact where it can be, and rejects a true null as often as it says."""

from __future__ import annotations

from itertools import permutations as orders

import numpy as np
import pytest
from small_study import ols, study, table, target, with_outcome

from analysis.models.design_matrix import NotEstimableError
from analysis.robustness.permutation import all_permutations, exchangeable, permutations, randomisation
from analysis.robustness.targets import Target


def tiny() -> Target:
    rows = table(seed=5, n=9, effect=0.6, clusters=9)
    small = rows.assign(
        age=np.tile([0.3, -1.2, 0.8, 1.7, -0.4, 0.1, -0.9, 2.2, -1.5], 2),
        counted=np.tile([1.0, 0, 1, 1, 0, 0, 1, 0, 0], 2),
        value=np.tile([1.0, 0, 1, 1, 0, 1, 0, 0, 1], 2),
    )
    made = study(models={"main": {"label": "m", "design": "lpm", "formula": "improved ~ counted + age"}})
    return target(made, small)


def test_a_tiny_sample_has_the_p_value_of_full_enumeration() -> None:
    found = tiny()
    counted, age = found.x.T

    def statistic(exposure: np.ndarray) -> float:
        return abs(ols(found.y, np.column_stack([exposure, age]), None).tvalues[1])

    assignments = {tuple(counted[list(order)]) for order in orders(range(9))}
    every = np.array([statistic(np.array(a)) for a in assignments])
    result = randomisation(found, draws=1000, seed=1)
    assert result.p_value == np.mean(every >= statistic(counted) * (1 - 1e-9))
    assert f"all {len(assignments)} permutations" in result.note


def test_random_permutations_approach_full_enumeration_and_never_give_zero() -> None:
    found = tiny()
    exact = randomisation(found, draws=1000, seed=1).p_value
    drawn = randomisation(found, draws=20, seed=1)
    assert drawn.note.startswith("20 permutations")
    assert drawn.p_value * 21 == pytest.approx(round(drawn.p_value * 21)), "one is added above and below"
    assert drawn.p_value >= 1 / 21
    many = [randomisation(found, draws=20, seed=seed).p_value for seed in range(60)]
    assert np.mean(many) == pytest.approx((1 + 20 * exact) / 21, abs=4 * np.sqrt(exact * (1 - exact) / 20 / 60))


def test_a_true_null_is_rejected_as_often_as_the_level_says() -> None:
    # Age causes both exposure and outcome, so that permuting the exposure alone breaks a dependence that is there.
    found = target(rows=table(n=90, clusters=35))
    chance = 0.5 + 0.3 * np.tanh(found.rows["age"].fillna(0.0).to_numpy())
    rng = np.random.default_rng(1)
    worlds = [with_outcome(found, (rng.random(len(chance)) < chance).astype(float)) for _ in range(300)]
    p_values = np.array([randomisation(world, 99, seed).p_value for seed, world in enumerate(worlds)])
    for level in (0.05, 0.2):
        assert np.mean(p_values <= level) == pytest.approx(level, abs=3 * np.sqrt(level * (1 - level) / 300))


def test_exposures_stay_within_strata_and_clusters_stay_whole() -> None:
    strata = np.array([0, 0, 0, 1, 1, 1, 1, 1])
    (block,) = permutations(np.random.default_rng(1), strata, np.arange(8), 200)
    assert (strata[block] == strata[:, None]).all()
    assert all(sorted(column) == list(range(8)) for column in block.T)
    assert len(np.unique(block, axis=1).T) > 100
    clusters = np.array([0, 0, 0, 1, 2, 2, 3, 3])
    exposure = np.array([1.0, 1, 1, 0, 0, 0, 1, 1])
    (block,) = permutations(np.random.default_rng(1), np.zeros(8, int), clusters, 200)
    for column in block.T:
        per_cluster = [set(exposure[column][clusters == g]) for g in range(4)]
        assert all(len(values) == 1 for values in per_cluster)
        assert sum(values == {1.0} for values in per_cluster) == 2
    every = all_permutations(exposure, np.zeros(8, int), clusters, 100)
    assert every is not None
    assert len(np.unique(exposure[every], axis=1).T) == 6


def test_whole_clusters_are_refused_where_the_exposure_varies_within_them() -> None:
    made = study(robustness={"main": {"permute": "clusters"}})
    with pytest.raises(NotEstimableError, match="counted varies within a country"):
        randomisation(target(made), 99, 1)
    rows = table()
    between = rows.assign(counted=rows["country"].str[-1].isin(list("13579")).astype(float))
    result = randomisation(target(made, between), 99, 1)
    assert "whole clusters of country" in result.note
    assert result.p_value > 1 / 100


def test_a_level_is_exchanged_with_the_reference_only() -> None:
    decided = {
        "works": study().hypotheses["works"].model_dump() | {"decided_by": {"model": "main", "term": "kind[T.b]"}}
    }
    found = target(study(hypotheses=decided))
    assert found.compared == ("b", "a")
    strata, _ = exchangeable(found, found.complete, ["kind"])
    exchanged = {frozenset(found.complete["kind"][strata == s]) for s in np.unique(strata)}
    assert exchanged == {frozenset("ab"), frozenset("c")}
