"""Fitting every design of a scenario to hundreds of its worlds, on all cores or on a cluster."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np
from joblib import delayed  # type: ignore[import-untyped]

from analysis.errors import InputError, Problem, nearest
from analysis.models.batched import one_thread
from analysis.models.duration import NOTEBOOK, durations_of
from analysis.models.estimates import Estimate
from analysis.models.fit import estimates_of
from analysis.run.sweep import sweep
from analysis.study.pipeline import FITTED_IN
from analysis.worlds.scenarios import SCENARIOS
from analysis.worlds.world import Floats, Scenario, Target, World

FOUND = ("estimate", "std_error", "ci_low", "ci_high", "p_value")

WORLDS = {"quick": 20, "full": 200}
"""Worlds of each scenario in each profile."""

_BLOCK = 5
"""Worlds that a worker draws and fits at once."""


def fitted(scenario: Scenario, world: World) -> list[Estimate]:
    """Fit the scenario's models to one world, by the functions that the notebooks call.

    Returns
    -------
    Rows of the estimates table.
    """
    notebooks = dict.fromkeys(FITTED_IN.get(m.design, "05_regressions") for m in scenario.study.models.values())
    rows: list[Estimate] = []
    for notebook in notebooks:
        if notebook == NOTEBOOK:
            assert world.durations is not None  # noqa: S101
            rows += durations_of(scenario.study, world.durations)
        else:
            rows += estimates_of(scenario.study, world.table, notebook)
    return rows


def found(estimates: Iterable[Estimate], targets: Iterable[Target]) -> Floats:
    """Take the targets' numbers from the estimates of one world.

    Returns
    -------
    (targets, 5) numbers of `FOUND`; NaN where a target is not estimable.
    """
    numbers = {(row.model, row.term): np.array([getattr(row, name) for name in FOUND]) for row in estimates}
    none = np.full(len(FOUND), np.nan)
    taken = []
    for target in targets:
        if target.kind == "bounds":
            lower, upper = (numbers.get((target.model, f"{target.term}:{end}"), none) for end in ("lower", "upper"))
            taken.append(np.array([np.nan, np.nan, lower[2], upper[3], np.nan]))
        else:
            taken.append(numbers.get((target.model, target.term), none))
    return np.array(taken)


def generator(name: str, world: int, seed: int) -> np.random.Generator:
    """Return the stream of one world, which depends on no other world, nor on how many there are."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(zlib.crc32(name.encode()), world)))


def trial(name: str, worlds: Iterable[int], seed: int) -> Floats:
    """Draw some worlds of a scenario and fit its designs.

    Returns
    -------
    (worlds, targets, 5) numbers of `FOUND`.
    """
    scenario = SCENARIOS[name]
    drawn = []
    with one_thread():
        for world in worlds:
            estimates = fitted(scenario, scenario.draw(generator(name, world, seed), scenario.units))
            drawn.append(found(estimates, scenario.targets))
    return np.array(drawn)


def run_worlds(worlds: int, seed: int, names: Iterable[str] | None = None, workers: int = -1) -> dict[str, Floats]:
    """Run every scenario's worlds, on all cores, or on the cluster that the run was given (`analysis.run.sweep`).

    Parameters
    ----------
    worlds : of each scenario. Those of a smaller number are among those of a larger one.
    seed : of all worlds. The numbers depend on nothing else: not on the order of scenarios, nor on where they run.
    names : scenarios; all where absent.
    workers : processes; one runs everything in this one, -1 takes all cores.

    Returns
    -------
    Scenario to its numbers, as `trial` returns them.
    """
    chosen = list(SCENARIOS if names is None else names)
    starts = range(0, worlds, _BLOCK)
    blocks = [(name, range(start, min(start + _BLOCK, worlds))) for start in starts for name in chosen]
    with sweep(workers) as parallel:
        parts = parallel(delayed(trial)(name, block, seed) for name, block in blocks)
    of = {name: [part for (owner, _), part in zip(blocks, parts, strict=True) if owner == name] for name in chosen}
    return {name: np.concatenate(found) for name, found in of.items()}


def number_of_worlds(profile: str, worlds: int | None) -> int:
    """Return the number of worlds of a profile, or the one that is asked for.

    Raises
    ------
    InputError : there is no such profile, or fewer than two worlds are asked for.
    """
    if profile not in WORLDS:
        raise InputError([Problem("parameters", 0, "profile", profile, f"no such profile; {nearest(profile, WORLDS)}")])
    if worlds is not None and worlds < 2:
        raise InputError([Problem("parameters", 0, "worlds", str(worlds), "must be at least 2")])
    return WORLDS[profile] if worlds is None else worlds
