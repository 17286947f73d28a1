"""Worlds whose outcomes are not linear in what moves them: rare successes, counts of events, and ordered stages."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from analysis.worlds.campaigns import ADJUSTED, CONFOUNDED, engagement
from analysis.worlds.world import Scenario, Target, World, names, study_of, table_of

LOG_ODDS = 0.8
LOG_RATE = 0.25
LOG_STAGE = 0.5
"""Effects of ten times as much engagement: log odds of success, log rate of events, log odds of a higher stage."""

DISPERSION = 0.8
"""Variance of the rate of events among campaigns that are alike otherwise, in squared means."""

RATES = 12
"""Countries, where these are few."""


def _rare(rng: np.random.Generator, n: int) -> World:
    x = engagement(rng, n)
    chance = expit(-2.6 + LOG_ODDS * x["engagement"] + 0.6 * x["salience"])
    return World(table_of("won", (rng.random(n) < chance).astype(np.float64), x))


RARE = Scenario(
    "Successes are rare, and their log odds are linear",
    study_of(
        {
            "penalised": {"design": "firth", "formula": f"won ~ {ADJUSTED}"},
            "unadjusted": {"design": "firth", "formula": "won ~ engagement + views"},
            "likelihood": {"design": "logit", "formula": f"won ~ {ADJUSTED}"},
        },
        {"won": "binary"}, ["engagement", "views"], ["salience"],
    ),
    _rare,
    200,
    (
        Target("firth", "penalised", "engagement", LOG_ODDS),
        Target("firth_null", "penalised", "views", 0.0),
        Target("logit", "likelihood", "engagement:log_odds", LOG_ODDS, "successes are few"),
        Target("logit_null", "likelihood", "views:log_odds", 0.0, "successes are few"),
        Target("firth_unadjusted", "unadjusted", "engagement", LOG_ODDS, CONFOUNDED),
        Target("firth_unadjusted_null", "unadjusted", "views", 0.0, CONFOUNDED),
    ),
)  # fmt: skip


def _counts(rng: np.random.Generator, n: int) -> World:
    x = engagement(rng, n)
    country = rng.permutation(np.arange(n) % RATES)
    spread = rng.gamma(1 / DISPERSION, DISPERSION, n)
    mean = np.exp(0.8 + LOG_RATE * x["engagement"] + 0.3 * x["salience"])
    events = rng.poisson(mean * spread).astype(np.float64)
    return World(table_of("events", events, {**x, "country": names("country", country)}))


COUNTS = Scenario(
    "Events are counted, and vary more than by chance alone",
    study_of(
        {
            "poisson": {"design": "poisson", "formula": f"events ~ {ADJUSTED}"},
            "negative_binomial": {"design": "negative_binomial", "formula": f"events ~ {ADJUSTED}"},
            "few": {"design": "poisson", "formula": f"events ~ {ADJUSTED}", "cluster": "country"},
            "unadjusted": {"design": "poisson", "formula": "events ~ engagement + views"},
        },
        {"events": "count"}, ["engagement", "views"], ["salience"], ["country"],
    ),
    _counts,
    400,
    (
        Target("poisson", "poisson", "engagement", LOG_RATE),
        Target("poisson_null", "poisson", "views", 0.0),
        Target("negative_binomial", "negative_binomial", "engagement", LOG_RATE),
        Target("negative_binomial_null", "negative_binomial", "views", 0.0),
        Target("poisson_few_clusters", "few", "engagement", LOG_RATE),
        Target("poisson_few_clusters_null", "few", "views", 0.0),
        Target("poisson_unadjusted", "unadjusted", "engagement", LOG_RATE, CONFOUNDED),
        Target("poisson_unadjusted_null", "unadjusted", "views", 0.0, CONFOUNDED),
    ),
)  # fmt: skip


def _stages(rng: np.random.Generator, n: int) -> World:
    x = engagement(rng, n)
    latent = LOG_STAGE * x["engagement"] + 0.5 * x["salience"] + rng.logistic(size=n)
    return World(table_of("stage", np.digitize(latent, [-0.3, 0.8, 2.0]).astype(np.float64), x))


STAGES = Scenario(
    "Campaigns reach stages of a ladder, whose log odds are proportional",
    study_of(
        {
            "ordered": {"design": "ordered_logit", "formula": f"stage ~ {ADJUSTED}"},
            "unadjusted": {"design": "ordered_logit", "formula": "stage ~ engagement + views"},
        },
        {"stage": "ordinal"}, ["engagement", "views"], ["salience"],
    ),
    _stages,
    250,
    (
        Target("ordered_logit", "ordered", "engagement", LOG_STAGE),
        Target("ordered_logit_null", "ordered", "views", 0.0),
        Target("ordered_logit_unadjusted", "unadjusted", "engagement", LOG_STAGE, CONFOUNDED),
        Target("ordered_logit_unadjusted_null", "unadjusted", "views", 0.0, CONFOUNDED),
    ),
)  # fmt: skip
