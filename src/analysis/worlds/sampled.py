"""Worlds in which exposure is drawn at random, but not all campaigns are as likely to be collected, or to be seen."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.worlds.world import Floats, Scenario, Target, World, names, study_of, table_of

LARGE = 0.3
"""Share of all campaigns that are large."""

COLLECTED = 0.6
"""Share of those collected that are large."""

EFFECT = {0: 0.2, 1: 0.8}
"""Effect of the exposure on the reach of small and of large campaigns, in standard deviations of what else moves it."""

MEAN = (1 - LARGE) * EFFECT[0] + LARGE * EFFECT[1]
"""Its mean over all campaigns."""

ALWAYS, EXPOSED = 0.5, 0.75
"""Share of campaigns whose reach is seen without, and with, the exposure."""


def _exposed(rng: np.random.Generator, n: int) -> Floats:
    return rng.permutation(np.arange(n) % 2).astype(np.float64)


def _draw(rng: np.random.Generator, n: int) -> World:
    exposed, large = _exposed(rng, n), rng.random(n) < COLLECTED
    effect = np.where(large, EFFECT[1], EFFECT[0])
    weight = np.where(large, LARGE / COLLECTED, (1 - LARGE) / (1 - COLLECTED))
    reach = 0.5 * large + effect * exposed + rng.standard_normal(n) * np.where(large, 1.5, 1.0)
    country = names("country", rng.permutation(np.arange(n) % (n // 10)))
    collected = {"exposed": exposed, "weight": weight, "country": country}
    # Campaigns that would reach many are seen anyway; of the others exposure makes some more seen.
    latent = rng.standard_normal(n)
    rank = latent.argsort().argsort() / n
    seen = rank >= 1 - np.where(exposed == 1, EXPOSED, ALWAYS)
    own = {"exposed": exposed, "weight": np.ones(n), "country": country}
    hidden = table_of("seen", np.where(seen, latent + MEAN * exposed, np.nan), own)
    return World(pd.concat([table_of("reach", reach, collected), hidden], ignore_index=True))


_REACH = {"design": "ols", "formula": "reach ~ exposed"}

SAMPLED = Scenario(
    "Large campaigns are collected more often, and exposure makes some seen that nobody would have seen",
    study_of(
        {
            "weighted": {**_REACH, "weights": "weight"},
            "clustered": {**_REACH, "weights": "weight", "cluster": "country"},
            "unweighted": _REACH,
            "lee": {"design": "lee_bounds", "formula": "seen ~ exposed"},
            "complete": {"design": "ols", "formula": "seen ~ exposed"},
        },
        {"reach": "continuous", "seen": "continuous"}, ["exposed"], ["weight"], ["country"],
    ),
    _draw,
    400,
    (
        Target("weighted", "weighted", "exposed", MEAN),
        Target("weighted_clustered", "clustered", "exposed", MEAN),
        Target("unweighted", "unweighted", "exposed", MEAN, "large campaigns are collected more often"),
        Target("lee_bounds", "lee", "exposed", MEAN, kind="bounds"),
        Target("complete_cases", "complete", "exposed", MEAN, "exposure makes more seen"),
    ),
)  # fmt: skip
