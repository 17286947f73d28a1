"""Worlds in which campaigns reach countries in different years and stay: effects alike, unlike, and growing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from analysis.worlds.panels import autocorrelated, keys
from analysis.worlds.world import Floats, Scenario, Target, World, study_of, table_of

PERIODS = 8
COHORTS = (2, 5)
"""Periods, from 0, in which a third of the countries each is first reached; the others never are."""

EFFECT = 0.5
TREND = 0.1
"""By how much more the score of countries that are reached rises each year, where trends differ."""

OTHERS = ("sun_abraham", "imputation")
LEADS, LAGS = 2, 1

Effect = Callable[[Floats, Floats], Floats]
"""Effect on countries first reached in a period, so many periods after it."""


def _alike(cohort: Floats, since: Floats) -> Floats:
    return np.full(np.broadcast(cohort, since).shape, EFFECT)


def _unlike(cohort: Floats, since: Floats) -> Floats:
    """Return a larger effect on those who are reached first."""
    return np.asarray(EFFECT * (2.2 - 0.7 * (cohort - COHORTS[0])) + 0 * since)


def _growing(cohort: Floats, since: Floats) -> Floats:
    return np.asarray(0.5 * EFFECT * (since + 1) + 0 * cohort)


def _mean(effect: Effect) -> float:
    """Return the mean effect on the exposed country-years."""
    cells = [(g, t - g) for g in COHORTS for t in range(g, PERIODS)]
    return float(np.mean([effect(np.array(float(g)), np.array(float(e))) for g, e in cells]))


def _scores(
    rng: np.random.Generator, units: int, effect: Effect, trend: float, name: str = "score", **fixed: Floats
) -> pd.DataFrame:
    cohort = np.array([*COHORTS, PERIODS])[np.arange(units) % (len(COHORTS) + 1)]
    unit, period = np.repeat(np.arange(units), PERIODS), np.tile(np.arange(PERIODS), units)
    since = (np.arange(PERIODS) - cohort[:, None]).astype(np.float64)
    reached = since >= 0
    ever = (cohort < PERIODS)[:, None]
    score = rng.standard_normal((units, 1)) + 0.5 * ever + 0.2 * rng.standard_normal(PERIODS).cumsum()
    score = score + trend * ever * np.arange(PERIODS) + np.where(reached, effect(cohort[:, None], since), 0.0)
    score = score + autocorrelated(rng, units, PERIODS)
    own, year = keys(unit, period, PERIODS)
    x = {"reached": reached.ravel().astype(np.float64), **{key: value[unit] for key, value in fixed.items()}}
    return table_of(name, score.ravel(), {**own, **x}, year)


def _panel(rng: np.random.Generator, units: int, effect: Effect, trend: float) -> World:
    return World(_scores(rng, units, effect, trend))


STUDY = study_of(
    {
        "adoption": {
            "design": "event_study", "formula": "score ~ reached",
            "event_study": {
                "leads": LEADS, "lags": LAGS, "comparison": "not_yet_treated",
                "estimators": ["callaway_santanna", *OTHERS],
            },
        }
    },
    {"score": "continuous"}, ["reached"], grain="year",
)  # fmt: skip


def _scenario(label: str, effect: Effect, two_way: str, trend: float = 0.0, unlike: str = "") -> Scenario:
    """Make a scenario.

    Parameters
    ----------
    two_way : what breaks an assumption of two-way fixed effects, if anything does.
    trend : by how much more the score of the reached rises each year.
    unlike : what breaks an assumption of all designs, if anything does.
    """
    truth = _mean(effect)
    terms = {"callaway_santanna": "overall", **{name: f"overall:{name}" for name in OTHERS}}
    return Scenario(
        label,
        STUDY,
        partial(_panel, effect=effect, trend=trend),
        60,
        (
            *(Target(name, "adoption", term, truth, unlike) for name, term in terms.items()),
            Target("two_way_fixed_effects", "adoption", "twfe", truth, unlike or two_way),
            Target("pretrend_test", "adoption", "pretrend", 0.0, unlike, kind="test"),
        ),
    )


ALIKE = _scenario("Campaigns arrive in different years, with one effect for all", _alike, "")
UNLIKE = _scenario("The effect is larger where campaigns arrive first", _unlike, "effects differ")
GROWING = _scenario("The effect grows with the years since arrival", _growing, "effects grow")
NONE = _scenario("Campaigns arrive, and nothing comes of it", lambda g, e: 0 * (g + e), "")
TRENDS = _scenario("Campaigns arrive where the score rises anyway", _alike, "", TREND, "trends differ")


AFTER = 3
"""Periods from the first in which a country is reached, in the window of a stack."""

STACKS: dict[str, tuple[Effect, float]] = {
    "score": (_alike, 0.0), "growing": (_growing, 0.0), "rising": (_alike, TREND),
    "calm": (lambda g, e: 0 * (g + e), 0.0),
}  # fmt: skip
"""Outcomes: the effect on each, and its trend where countries are reached."""


def _stacks(rng: np.random.Generator, units: int) -> World:
    size = rng.uniform(0.2, 2.0, units)
    tables = [_scores(rng, units, *how, name=outcome, size=size) for outcome, how in STACKS.items()]
    return World(pd.concat(tables, ignore_index=True))


def _stack(outcome: str, **options: str) -> dict[str, object]:
    window = {"before": COHORTS[0], "after": AFTER, "reference": COHORTS[0]}
    return {"design": "stacked", "formula": f"{outcome} ~ reached", "cluster": "unit_id", "stacked": window, **options}


STACKED = Scenario(
    "Each cohort that campaigns reach is set beside countries not reached in its window",
    study_of(
        {"weighted": _stack("score", weights="size"), **{outcome: _stack(outcome) for outcome in STACKS}},
        dict.fromkeys(STACKS, "continuous"), ["reached"], ["size"], grain="year",
    ),
    _stacks,
    60,
    (
        Target("stacked", "score", "reached", EFFECT),
        Target("stacked_weighted", "weighted", "reached", EFFECT),
        Target("stacked_growing", "growing", "reached", float(np.mean([_growing(np.array(0.0), np.array(float(e)))
                                                                       for e in range(AFTER)]))),
        Target("stacked_null", "calm", "reached", 0.0),
        Target("stacked_trends", "rising", "reached", EFFECT, "trends differ"),
    ),
)  # fmt: skip
