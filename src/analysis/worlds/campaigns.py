"""Worlds in which every campaign is observed once: engagement, whether it won, and salience, which moves both.

The probability of winning is linear, so that the coefficients of a linear probability model are the planted effects.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.worlds.world import Floats, Scenario, Target, World, names, study_of, table_of

EFFECT = 0.08
"""Change in the probability of winning with ten times as much engagement."""

SALIENCE = 0.1
"""The same with one more of salience, the confounder."""

SURGE = 0.5
"""log10 of the factor by which counts grow after a success: about three."""

BOTS = 0.8
"""Mean, and standard deviation, of what bots add to log10 of a count; it is exponentially distributed."""

SILENT = 0.4
"""Share of campaigns, or of failed ones, of which nobody reports the outcome."""

SILENT_EXPOSED = 0.4
"""What being exposed adds to that share, where failures go unreported."""

ARRIVED = 0.2
"""Effect of a randomised exposure."""

COMPLIANCE = {"encouraged": 0.6, "encouraged_weakly": 0.08}
"""What an encouragement that is drawn at random adds to log10 of engagement; where it is weak, engagement has no effect
and `HIDDEN` adds to what salience does."""

HIDDEN = 0.15

COUNTRIES = {"few": 12, "many": 60}
COUNTRY = 0.15
"""Half the range of what a country adds to the probability of winning."""

ADJUSTED = "engagement + views + salience"
CONFOUNDED = "a confounder is left out"
FOLLOWING = "counts follow success"


def engagement(rng: np.random.Generator, n: int) -> dict[str, Floats]:
    """Draw salience, and log10 of engagement and of views, (n,) each; both follow salience, and views cause nothing."""
    salience = rng.uniform(-1.5, 1.5, n)
    return {
        "salience": salience,
        "engagement": 0.5 * salience + rng.uniform(-1.5, 1.5, n),
        "views": 0.7 * salience + rng.uniform(-1, 1, n),
    }


def _won(rng: np.random.Generator, x: Mapping[str, Floats], more: Floats | float = 0.0) -> Floats:
    chance = 0.4 + EFFECT * x["engagement"] + SALIENCE * x["salience"] + more
    return (rng.random(len(chance)) < chance).astype(np.float64)


def _probability(rng: np.random.Generator, n: int) -> World:
    x = engagement(rng, n)
    won = _won(rng, x)
    late = {f"{name}_naive": x[name] + SURGE * won for name in ("engagement", "views")}
    return World(table_of("won", won, {**x, **late}))


PROBABILITY = Scenario(
    "Salience moves engagement and success, and counts grow after a success",
    study_of(
        {
            "adjusted": {"design": "lpm", "formula": f"won ~ {ADJUSTED}", "contrast_time_order": True},
            "unadjusted": {"design": "lpm", "formula": "won ~ engagement"},
            "views": {"design": "lpm", "formula": "won ~ views"},
        },
        {"won": "binary"}, ["engagement", "views"], ["salience"],
    ),
    _probability,
    400,
    (
        Target("lpm", "adjusted", "engagement", EFFECT),
        Target("lpm_null", "adjusted", "views", 0.0),
        Target("lpm_unadjusted", "unadjusted", "engagement", EFFECT, CONFOUNDED),
        Target("lpm_unadjusted_null", "views", "views", 0.0, CONFOUNDED),
        Target("lpm_naive", "adjusted@naive", "engagement", EFFECT, FOLLOWING),
        Target("lpm_naive_null", "adjusted@naive", "views", 0.0, FOLLOWING),
    ),
)  # fmt: skip


def _bots(rng: np.random.Generator, n: int) -> World:
    x = engagement(rng, n)
    seen = {"engagement": x["engagement"] + rng.exponential(BOTS, n), "engagement_se": np.full(n, BOTS)}
    return World(table_of("won", _won(rng, x), {**x, **seen}))


BOTS_INFLATE = Scenario(
    "Bots inflate each count by a factor of its own, whose spread is known",
    study_of(
        {"corrected": {"design": "errors_in_variables", "formula": f"won ~ {ADJUSTED}"}},
        {"won": "binary"}, ["engagement", "views"], ["salience"],
    ),
    _bots,
    800,
    (
        Target("errors_in_variables", "corrected", "engagement", EFFECT),
        Target("errors_in_variables_null", "corrected", "views", 0.0),
        Target("simex", "corrected", "engagement:simex", EFFECT, "what bots add is not normal"),
        Target("least_squares", "corrected", "engagement:naive", EFFECT, "bots count as engagement"),
    ),
)  # fmt: skip


def _unreported(rng: np.random.Generator, n: int) -> World:
    exposed = rng.permutation(np.arange(n) % 2).astype(np.float64)
    won = (rng.random(n) < 0.3 + ARRIVED * exposed).astype(np.float64)
    by_chance = rng.random(n) < SILENT
    where_lost = (won == 0) & (rng.random(n) < SILENT + SILENT_EXPOSED * exposed)
    tables = [
        table_of(name, np.where(silent, np.nan, won), {"exposed": exposed})
        for name, silent in (("by_chance", by_chance), ("where_lost", where_lost))
    ]
    return World(pd.concat(tables, ignore_index=True))


UNREPORTED = Scenario(
    "Exposure is drawn at random, and many outcomes go unreported",
    study_of(
        {
            "complete": {"design": "lpm", "formula": "by_chance ~ exposed"},
            "bounded": {"design": "manski_bounds", "formula": "by_chance ~ exposed"},
            "complete_won": {"design": "lpm", "formula": "where_lost ~ exposed"},
            "bounded_won": {"design": "manski_bounds", "formula": "where_lost ~ exposed"},
        },
        {"by_chance": "binary", "where_lost": "binary"}, ["exposed"],
    ),
    _unreported,
    600,
    (
        Target("lpm_missing_by_chance", "complete", "exposed", ARRIVED),
        Target("manski_bounds_missing_by_chance", "bounded", "exposed", ARRIVED, kind="bounds"),
        Target("lpm_missing_where_lost", "complete_won", "exposed", ARRIVED, "failures go unreported"),
        Target("manski_bounds_missing_where_lost", "bounded_won", "exposed", ARRIVED, kind="bounds"),
    ),
)  # fmt: skip


def _encouraged(rng: np.random.Generator, n: int) -> World:
    x = engagement(rng, n)
    tables = []
    for name, moved in COMPLIANCE.items():
        drawn = rng.permutation(np.arange(n) % 2).astype(np.float64)
        own = {**x, "engagement": x["engagement"] + moved * drawn, **dict.fromkeys(COMPLIANCE, drawn)}
        none = HIDDEN * x["salience"] - EFFECT * own["engagement"] if name == "encouraged_weakly" else 0.0
        tables.append(table_of(f"won_{name}", _won(rng, own, none), own))
    return World(pd.concat(tables, ignore_index=True))


ENCOURAGED = Scenario(
    "An encouragement drawn at random moves engagement, and salience is not observed",
    study_of(
        {
            name: {
                "design": "iv", "formula": f"won_{name} ~ engagement",
                "instruments": {"endogenous": "engagement", "excluded": [name]},
            }
            for name in COMPLIANCE
        },
        {f"won_{name}": "binary" for name in COMPLIANCE}, ["engagement"], [*COMPLIANCE],
    ),
    _encouraged,
    1000,
    (
        Target("iv", "encouraged", "engagement", EFFECT),
        Target("anderson_rubin", "encouraged", "engagement:anderson_rubin", EFFECT),
        Target("least_squares", "encouraged", "engagement:ols", EFFECT, CONFOUNDED),
        Target("least_squares_null", "encouraged_weakly", "engagement:ols", 0.0, CONFOUNDED),
        Target("iv_weak_null", "encouraged_weakly", "engagement", 0.0, "the instrument is weak"),
        Target("anderson_rubin_weak_null", "encouraged_weakly", "engagement:anderson_rubin", 0.0, kind="p_value"),
    ),
)  # fmt: skip


def _clustered(rng: np.random.Generator, n: int) -> World:
    tables = []
    for name, count in COUNTRIES.items():
        country = rng.permutation(np.arange(n) % count)
        x = {part: rng.uniform(-1, 1, count)[country] + 0.2 * rng.uniform(-1, 1, n) for part in ("engagement", "views")}
        shock = rng.uniform(-COUNTRY, COUNTRY, count)[country]
        won = _won(rng, {**x, "salience": np.zeros(n)}, shock)
        tables.append(table_of(f"won_{name}", won, {**x, "country": names("country", country)}))
    return World(pd.concat(tables, ignore_index=True))


CLUSTERED = Scenario(
    "Campaigns of one country share engagement and luck",
    study_of(
        {
            **{
                name: {"design": "lpm", "formula": f"won_{name} ~ engagement + views", "cluster": "country"}
                for name in COUNTRIES
            },
            "unclustered": {"design": "lpm", "formula": "won_few ~ engagement + views"},
        },
        {f"won_{name}": "binary" for name in COUNTRIES}, ["engagement", "views"], attributes=["country"],
    ),
    _clustered,
    480,
    (
        Target("lpm_many_clusters", "many", "engagement", EFFECT),
        Target("lpm_many_clusters_null", "many", "views", 0.0),
        Target("lpm_few_clusters", "few", "engagement", EFFECT),
        Target("lpm_few_clusters_null", "few", "views", 0.0),
        Target("wild_bootstrap_few_clusters", "few", "engagement:wild", EFFECT),
        Target("wild_bootstrap_few_clusters_null", "few", "views:wild", 0.0),
        Target("lpm_not_clustered", "unclustered", "engagement", EFFECT, "campaigns of a country are alike"),
        Target("lpm_not_clustered_null", "unclustered", "views", 0.0, "campaigns of a country are alike"),
    ),
)  # fmt: skip
