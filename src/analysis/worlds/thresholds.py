"""Worlds in which a threshold promises something to whoever crosses it, and units can sort across it, or not."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.worlds.world import Floats, Scenario, Target, World, study_of, table_of

JUMP = 0.25
"""What crossing adds to the probability of a response."""

QUALITY = 0.25
"""What a campaign of high quality adds to it."""

NEAR = 0.2
"""Distance to the threshold from which a campaign of high quality can still cross it."""

SORTED = "units sort across the threshold"


def _response(rng: np.random.Generator, distance: Floats, good: np.ndarray, jump: float) -> Floats:
    chance = 0.3 + 0.08 * np.tanh(distance) + jump * (distance >= 0) + QUALITY * good
    return (rng.random(len(chance)) < chance).astype(np.float64)


def _draw(rng: np.random.Generator, n: int) -> World:
    distance = rng.normal(-0.2, 0.6, n)
    good = rng.random(n) < 0.5
    crosses = good & (distance < 0) & (distance > -NEAR) & (rng.random(n) < 0.7)
    sorted_to = np.where(crosses, rng.uniform(0, NEAR / 2, n), distance)
    tables = [
        table_of(name, _response(rng, at, good, jump), {"signatures": at})
        for name, at, jump in (("response", distance, JUMP), ("other", distance, 0.0), ("sorted", sorted_to, JUMP))
    ]
    return World(pd.concat(tables, ignore_index=True))


_SPEC = {"cutoff": 0.0, "bandwidths": [], "heaps": []}

THRESHOLD = Scenario(
    "Crossing a threshold raises the chance of a response",
    study_of(
        {
            name: {"design": "threshold", "formula": f"{name} ~ signatures", "threshold": _SPEC}
            for name in ("response", "other", "sorted")
        },
        {"response": "binary", "other": "binary", "sorted": "binary"}, ["signatures"],
    ),
    _draw,
    1000,
    (
        Target("threshold", "response", "jump", JUMP),
        Target("threshold_null", "other", "jump", 0.0),
        Target("threshold_conventional", "response", "jump:conventional", JUMP, "its bias is not corrected"),
        Target("threshold_sorted", "sorted", "jump", JUMP, SORTED),
        Target("density_test", "response", "density", 0.0, kind="test"),
        Target("density_test_sorted", "sorted", "density", 0.0, SORTED, kind="test"),
    ),
)  # fmt: skip
