"""What must not matter does not, in any design: the order of rows, columns and effects, labels, hash seed, threads.

The scenarios of `analysis.worlds` hold nearly every design, with panels, clusters, weights, instruments and durations;
each is fitted to one world as it was drawn, and to the same world disordered.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.models.duration import DurationData
from analysis.models.estimates import Estimate
from analysis.study.spec import Model
from analysis.worlds.scenarios import SCENARIOS
from analysis.worlds.trials import fitted, generator
from analysis.worlds.world import World

SEED = 20110125
TEXT = ("estimand", "n_obs", "n_units", "n_clusters", "vcov", "seed", "note")
NUMBERS = ("estimate", "std_error", "statistic", "p_value", "ci_low", "ci_high")

NOT_IN_A_SCENARIO = {"kaplan_meier", "cumulative_incidence"}
"""Designs whose numbers tests/duration disorders; every other design is in a scenario."""


def drawn(name: str) -> World:
    return SCENARIOS[name].draw(generator(name, 0, SEED), SCENARIOS[name].units)


def by_term(rows: list[Estimate]) -> dict[tuple[str, str], Estimate]:
    return {(row.model, row.term): row for row in rows}


def assert_same(found: list[Estimate], expected: list[Estimate]) -> None:
    first, second = by_term(found), by_term(expected)
    assert list(first) == list(second)
    for key, row in second.items():
        assert [getattr(first[key], n) for n in TEXT] == [getattr(row, n) for n in TEXT], key
        mine, theirs = ([getattr(r, n) for n in NUMBERS] for r in (first[key], row))
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9, err_msg=str(key))


def disordered(table: pd.DataFrame, rng: np.random.Generator, labels: str) -> pd.DataFrame:
    """Shuffle rows and columns, and label rows by strings in no order, or all alike."""
    mixed = table.iloc[rng.permutation(len(table))][list(rng.permutation(table.columns))]
    names = [7] * len(table) if labels == "alike" else [f"row {k}" for k in rng.permutation(len(table))]
    return mixed.set_axis(names)


def turned(model: Model) -> Model:
    return model.model_copy(update={"absorb": model.absorb[::-1], "cluster": model.cluster[::-1]})


def test_every_design_is_in_a_scenario() -> None:
    tried = {model.design for scenario in SCENARIOS.values() for model in scenario.study.models.values()}
    declared = set(Model.model_fields["design"].annotation.__args__)
    assert declared - tried == NOT_IN_A_SCENARIO


@pytest.mark.parametrize(("name", "labels"), [(n, ("alike", "mixed")[k % 2]) for k, n in enumerate(SCENARIOS)])
def test_the_order_of_rows_columns_and_effects_and_their_labels_change_nothing(name: str, labels: str) -> None:
    scenario, world, rng = SCENARIOS[name], drawn(name), np.random.default_rng(5)
    expected = fitted(scenario, world)
    data = world.durations
    parts = None if data is None else (data.table, data.changed, data.reported, data.units)
    mixed = World(
        disordered(world.table, rng, labels),
        None if parts is None else DurationData(*(disordered(part, rng, labels) for part in parts)),
    )
    models = {key: turned(model) for key, model in scenario.study.models.items()}
    study = scenario.study.model_copy(update={"models": models})
    assert_same(fitted(replace(scenario, study=study), mixed), expected)


def test_a_number_that_depends_on_the_order_is_caught() -> None:
    scenario = SCENARIOS["probability"]
    rows = fitted(scenario, drawn("probability"))
    other = [replace(rows[0], estimate=rows[0].estimate * (1 + 1e-7)), *rows[1:]]
    with pytest.raises(AssertionError, match=rows[0].model):
        assert_same(other, rows)


def told(names: list[str]) -> str:
    """Write all numbers of one world each, with threads as the environment has them."""
    rows = {name: [astuple(row) for row in fitted(SCENARIOS[name], drawn(name))] for name in names}
    return json.dumps(rows)


@pytest.mark.slow
def test_hash_seed_and_number_of_threads_change_nothing() -> None:
    code = f"from test_invariance import told; print(told({list(SCENARIOS)!r}))"
    runs = []
    for seed, threads in (("1", "1"), ("77", "4")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parent)}
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), threads)
        ran = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code], env=environment, capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stderr
        runs.append(json.loads(ran.stdout))
    for name, rows in runs[0].items():
        assert_same([Estimate(*row) for row in runs[1][name]], [Estimate(*row) for row in rows])
