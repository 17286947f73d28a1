"""Worlds in which countries are observed year by year: a score, a count, and engagement that follows the country."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.worlds.world import Floats, Scenario, Target, World, names, study_of, table_of

PERIODS = 12
FIRST_YEAR = 2001
EFFECT = 0.1
"""Difference in the score with one standard deviation of engagement, in standard deviations of the score's shocks."""

PERSISTENCE = 0.5
"""Autocorrelation of engagement and of the score's shocks."""

FEEDBACK = 0.8
"""What a shock of one adds to the next year's engagement, where engagement follows success."""

LOG_RATE = 0.2

BETWEEN = "countries differ otherwise"


def years(units: int) -> tuple[np.ndarray, np.ndarray]:
    """Number the unit and the period of each row, (units · PERIODS,), unit by unit."""
    return np.repeat(np.arange(units), PERIODS), np.tile(np.arange(PERIODS), units)


def keys(unit: np.ndarray, period: np.ndarray, count: int = PERIODS) -> tuple[dict[str, object], object]:
    """Name the units and the years of rows."""
    year = np.array([str(FIRST_YEAR + k) for k in range(count)])[period]
    return {"unit_id": names("country", unit)}, year


def autocorrelated(rng: np.random.Generator, units: int, periods: int = PERIODS) -> Floats:
    """Draw stationary first-order autoregressions of variance 1, (units, periods)."""
    series = rng.standard_normal((units, periods))
    for t in range(1, periods):
        series[:, t] = PERSISTENCE * series[:, t - 1] + np.sqrt(1 - PERSISTENCE**2) * series[:, t]
    return series


def _score(rng: np.random.Generator, units: int) -> World:
    unit, period = years(units)
    level, common = rng.standard_normal(units), rng.standard_normal(PERIODS)
    shock = autocorrelated(rng, units)
    before = np.roll(shock, 1, axis=1)
    before[:, 0] = rng.standard_normal(units)
    free = {name: (0.7 * level[:, None] + autocorrelated(rng, units)) for name in ("engagement", "views")}
    led = 0.7 * level[:, None] + FEEDBACK * before + autocorrelated(rng, units)
    score = level[:, None] + common + EFFECT * free["engagement"] + shock
    led_score = level[:, None] + common + shock
    own, year = keys(unit, period)
    x = {name: values.ravel() for name, values in free.items()}
    tables = [
        table_of("score", score.ravel(), {**own, **x, "following": led.ravel()}, year),
        table_of("score_led", led_score.ravel(), {**own, **x, "following": led.ravel()}, year),
    ]
    return World(pd.concat(tables, ignore_index=True))


SCORE = Scenario(
    "Countries differ in engagement and in their score, and shocks last",
    study_of(
        {
            "within": {
                "design": "ols", "formula": "score ~ engagement + views", "absorb": ["unit_id", "period"],
                "cluster": "unit_id",
            },
            "unclustered": {"design": "ols", "formula": "score ~ engagement + views", "absorb": ["unit_id", "period"]},
            "pooled": {"design": "ols", "formula": "score ~ engagement + views", "cluster": "unit_id"},
            "led": {
                "design": "ols", "formula": "score_led ~ following", "absorb": ["unit_id", "period"],
                "cluster": "unit_id",
            },
        },
        {"score": "continuous", "score_led": "continuous"}, ["engagement", "views", "following"], grain="year",
    ),
    _score,
    60,
    (
        Target("fixed_effects", "within", "engagement", EFFECT),
        Target("fixed_effects_null", "within", "views", 0.0),
        Target("fixed_effects_not_clustered", "unclustered", "engagement", EFFECT, "shocks last"),
        Target("fixed_effects_not_clustered_null", "unclustered", "views", 0.0, "shocks last"),
        Target("pooled", "pooled", "engagement", EFFECT, BETWEEN),
        Target("pooled_null", "pooled", "views", 0.0, BETWEEN),
        Target("fixed_effects_feedback_null", "led", "following", 0.0, "engagement follows success"),
    ),
)  # fmt: skip


def _events(rng: np.random.Generator, units: int) -> World:
    unit, period = years(units)
    level, common = 0.6 * rng.standard_normal(units), 0.3 * rng.standard_normal(PERIODS)
    x = {name: (level[:, None] + autocorrelated(rng, units)).ravel() for name in ("engagement", "views")}
    spread = rng.gamma(4, 0.25, len(unit))
    mean = np.exp(0.3 + level[unit] + common[period] + LOG_RATE * x["engagement"])
    own, year = keys(unit, period)
    return World(table_of("events", rng.poisson(mean * spread).astype(np.float64), {**own, **x}, year))


EVENTS = Scenario(
    "Countries differ in engagement and in how many events they see",
    study_of(
        {
            "within": {
                "design": "poisson", "formula": "events ~ engagement + views", "absorb": ["unit_id", "period"],
                "cluster": "unit_id",
            },
            "pooled": {"design": "poisson", "formula": "events ~ engagement + views", "cluster": "unit_id"},
        },
        {"events": "count"}, ["engagement", "views"], grain="year",
    ),
    _events,
    60,
    (
        Target("poisson_fixed_effects", "within", "engagement", LOG_RATE),
        Target("poisson_fixed_effects_null", "within", "views", 0.0),
        Target("poisson_pooled", "pooled", "engagement", LOG_RATE, BETWEEN),
        Target("poisson_pooled_null", "pooled", "views", 0.0, BETWEEN),
    ),
)  # fmt: skip
