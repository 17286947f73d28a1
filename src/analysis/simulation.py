r"""Simulated campaigns whose causal effects are known: the data-generating process behind the benchmark study.

Campaign i addresses country r(i), has a rights category c(i), a modality m(i) and a latent salience S_i, and is
described by three process indicators k over weeks w = 1, 2, … from launch. With TN a standard normal truncated at ±2
and every other letter a constant of this module or an option of `Design`:

1. Salience, the confounder::

       S_i ~ TN                          media_salience_i = S_i + salience_error · N(0, 1)

2. Weekly flow of engagement, log-normal, decaying, larger for salient campaigns::

       log10 F_ikw = log10 median_k + x_ik + log10 g_w + 0.1 · z_ikw
       x_ik = loading_k · S_i + [organised_k] · (a_c + b_m + h_r) + spread_k · u_ik
       g_w  = exp(-w / 8) / Σ_{v ≤ 4} exp(-v / 8)          z, u ~ TN          h ~ U(-0.1, 0.1)

   `signatures` and `views` are published as running totals, `posts` week by week. Views follow salience and
   chance alone, and cause nothing unless an effect is planted: a negative control.

3. Publication: a week's figure is published with probability ``published + published_salience · S_i``, exactly,
   rounded to two digits, or as a lower bound of two digits.

4. Engagement at the landmark (day 28), as the public could see it: E_ik is log10 of the last running total published
   by then, or of the sum of the weekly flows published by then; where nothing was published, of what would have been.

5. Outcomes, one per rung j, after the landmark and before the end of follow-up, on a day drawn uniformly::

       P(Y_ij = 1) = base_j + Σ_k effect_jk · (E_ik - log10 median_k) + salience_j · S_i + d_c + v_r

       v ~ U(-0.05, 0.05)                 effect_jk = 0 outside the rights categories of only_in_j

   The probability is linear, so that the coefficient of E_k in a linear probability model that adjusts for S and c is
   the planted effect: the change in probability with ten times as much engagement.

6. Counts follow success: from the day after each success, counts are `surge` times as large; weekly figures are then
   published with probability `published_after_success`; and within a week of it organisers announce the running
   totals. Whoever ignores dates explains success by its own consequence.

7. Missing outcomes: with probability ``missing_outcome · (1 - 0.2 · S_i)`` nobody followed the campaign.

References
----------
Hernán and Robins (2020), Causal Inference: What If, ch. 3 and 7 (time zero, confounding).
Keck and Sikkink (1998), Activists Beyond Borders, ch. 1 (the rungs of the outcome ladder).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.special import ndtr, ndtri

from analysis.study.spec import Strict
from analysis.tables import VALUE_TYPES

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Days = NDArray[np.datetime64]
Flags = NDArray[np.bool_]

Probability = Annotated[float, Field(ge=0, le=1)]
RightsCategory = Literal["CP", "ESC", "both"]
Rung = Literal["agenda", "discursive", "procedure", "policy", "behaviour", "backlash"]


@dataclass(frozen=True)
class Indicator:
    """How one process indicator grows.

    Parameters
    ----------
    counting : published as a running total (`cumulative`) or week by week (`flow`).
    median : count at the landmark of a campaign of average salience.
    loading : log10 counts per unit of salience.
    spread : log10 counts per unit of the campaign's own noise.
    organised : whether rights category, modality and country shift it too.
    """

    counting: Literal["cumulative", "flow"]
    median: float
    loading: float
    spread: float
    organised: bool


INDICATORS = {
    "signatures": Indicator("cumulative", 20_000, 0.35, 0.6, True),
    "posts": Indicator("flow", 10_000, 0.30, 0.6, True),
    "views": Indicator("cumulative", 500_000, 0.50, 0.5, False),
}
RUNGS: dict[Rung, tuple[int, int]] = {
    "agenda": (1, 1),
    "discursive": (2, 1),
    "procedure": (3, 1),
    "policy": (4, 1),
    "behaviour": (5, 1),
    "backlash": (4, -1),
}
"""Stage and direction of each outcome. Backlash is a policy against the demand."""

CATEGORIES: dict[RightsCategory, tuple[float, float]] = {"CP": (0.1, 0.03), "ESC": (-0.1, -0.03), "both": (0.0, 0.0)}
"""Rights category: its shift of log10 engagement (a) and of every outcome's probability (d)."""

MODALITIES = {"social_media": 0.1, "advocacy_network": -0.1, "mixed": 0.0}
"""Modality: its shift of log10 engagement (b)."""

LANDMARK_WEEKS = 4
LANDMARK_DAYS = 7 * LANDMARK_WEEKS
TRUNCATION = 2.0
DECAY_WEEKS = 8.0
WEEKLY_NOISE = 0.1
COUNTRY_ENGAGEMENT = 0.1
COUNTRY_OUTCOME = 0.05
MISSING_SALIENCE = 0.2
ROUNDING = 0.05
"""Most that rounding to two digits can move a log10 count."""

VALUE_TYPE_SHARES = {"exact": 0.80, "rounded": 0.15, "lower_bound": 0.05}
FIRST_LAUNCH = np.datetime64("2012-01-01", "D")
LAUNCH_DAYS = 2557

STREAMS = (
    "launch",
    "country",
    "category",
    "modality",
    "salience",
    "measurement",
    "country_engagement",
    "engagement",
    "weekly",
    "publication",
    "value_type",
    "country_outcome",
    "occurrence",
    "timing",
    "announcement",
    "missing",
)
"""What draws at random, each from its own stream; a new one is added at the end."""


class Planted(Strict):
    """The cause of one outcome: where its probability starts, and what moves it."""

    base: Probability = Field(description="probability at average salience and median engagement")
    signatures: float = Field(default=0.0, description="change in probability with ten times as many signatures")
    posts: float = Field(default=0.0, description="change in probability with ten times as many posts")
    views: float = Field(default=0.0, description="change in probability with ten times as many views")
    salience: float = Field(default=0.0, description="change in probability per unit of salience: the confounding")
    only_in: list[RightsCategory] = Field(default=[], description="categories where engagement acts; all if empty")

    def effect(self, indicator: str, category: RightsCategory | None = None) -> float:
        """Return the planted effect of one indicator, in one rights category or where it acts."""
        acts = category is None or not self.only_in or category in self.only_in
        return float(getattr(self, indicator)) if acts else 0.0

    def probabilities(self) -> tuple[float, float]:
        """Return the lowest and highest probability that any campaign could have."""
        low = high = self.base
        for name in INDICATORS:
            ends = sorted(self.effect(name) * end for end in engagement_range(name))
            low, high = low + min(ends[0], 0.0), high + max(ends[1], 0.0)
        shifts = [shift for _, shift in CATEGORIES.values()]
        reach = abs(self.salience) * TRUNCATION + COUNTRY_OUTCOME
        return low - reach + min(shifts), high + reach + max(shifts)


class Design(Strict):
    """One world to simulate: its size, its planted effects, and how badly it is observed."""

    campaigns: int = Field(default=4000, ge=1, le=99_999, description="number of campaigns")
    countries: int = Field(default=40, ge=1, le=999, description="number of countries whose authorities are addressed")
    weeks: int = Field(default=26, ge=LANDMARK_WEEKS, le=104, description="weeks of process counts from launch")
    follow_up_weeks: int = Field(default=52, gt=LANDMARK_WEEKS, description="weeks until an outcome is censored")
    outcomes: dict[Rung, Planted] = Field(min_length=1, description="planted effects, per outcome")
    published: Probability = Field(default=0.6, description="share of weekly figures published at average salience")
    published_salience: float = Field(default=0.1, description="change of that share per unit of salience")
    published_after_success: Probability = Field(default=0.9, description="share of figures published after a success")
    surge: float = Field(default=2.0, ge=1, description="factor by which counts grow after each success")
    missing_outcome: float = Field(default=0.05, ge=0, le=0.5, description="share of campaigns that nobody followed")
    salience_error: float = Field(default=0.0, ge=0, description="standard deviation of error in `media_salience`")

    @model_validator(mode="after")
    def _keep_probabilities(self) -> Design:
        wrong = []
        for name, planted in self.outcomes.items():
            low, high = planted.probabilities()
            if low <= 0 or high >= 1:
                wrong.append(
                    f"outcomes.{name}: a campaign's probability could reach {low if low <= 0 else high:.3f}; "
                    "smaller effects, or a `base` nearer the middle, keep it inside 0 and 1"
                )
        reach = abs(self.published_salience) * TRUNCATION
        if self.published - reach < 0 or self.published + reach > 1:
            wrong.append(
                f"published: {self.published} ± {reach:g} for salience leaves 0 to 1; lower `published_salience`"
            )
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


@dataclass(frozen=True)
class World:
    """One draw of a `Design`: n campaigns, K indicators, W weeks and J outcomes, in the order of the constants here.

    Attributes
    ----------
    launched : (n,) days.
    country, category, modality : (n,) positions among countries, `CATEGORIES` and `MODALITIES`.
    salience, media_salience : (n,) the confounder, and as it was measured.
    week_ends : (W,) day from launch that each week's figure is dated.
    counts : (n, K, W) figures as they would be published.
    value_types : (n, K, W) positions among `VALUE_TYPES`.
    published : (n, K, W) whether they were.
    engagement : (n, K) log10 of what was public at the landmark, less log10 of the median.
    occurred, days : (n, J) whether each outcome occurred, and the day from launch if so.
    announced, totals : (n, J) and (n, K, J) the day organisers announce that success, and the running totals then.
    followed : (n,) whether anybody looked for outcomes.
    """

    launched: Days
    country: Whole
    category: Whole
    modality: Whole
    salience: Floats
    media_salience: Floats
    week_ends: Whole
    counts: Floats
    value_types: Whole
    published: Flags
    engagement: Floats
    occurred: Flags
    days: Whole
    announced: Whole
    totals: Floats
    followed: Flags


def simulate(design: Design, seed: int) -> World:
    """Draw one world.

    Parameters
    ----------
    design : size, planted effects and observation.
    seed : not negative. Each component draws from its own stream, campaign by campaign, so that another effect,
        another share published or more campaigns leave all other draws as they are.
    """
    children = np.random.SeedSequence(seed).spawn(len(STREAMS))
    rng = dict(zip(STREAMS, map(np.random.default_rng, children), strict=True))
    n, weekly = design.campaigns, (design.campaigns, design.weeks, len(INDICATORS))
    country = rng["country"].integers(design.countries, size=n)
    category = rng["category"].integers(len(CATEGORIES), size=n)
    modality = rng["modality"].integers(len(MODALITIES), size=n)
    salience = _truncated_normal(rng["salience"], (n,))

    shifts = rng["country_engagement"].uniform(-COUNTRY_ENGAGEMENT, COUNTRY_ENGAGEMENT, design.countries)
    shift = _CATEGORY_ENGAGEMENT[category] + _MODALITY_ENGAGEMENT[modality] + shifts[country]
    flows = _flows(
        salience,
        shift,
        _truncated_normal(rng["engagement"], (n, len(INDICATORS))),
        _truncated_normal(rng["weekly"], weekly).transpose(0, 2, 1),
    )
    counts = np.where(_CUMULATIVE[:, None], flows.cumsum(axis=2), flows)
    types = rng["value_type"].choice(len(VALUE_TYPES), size=weekly, p=[VALUE_TYPE_SHARES[t] for t in VALUE_TYPES])
    types = types.transpose(0, 2, 1)
    chance = rng["publication"].random(weekly).transpose(0, 2, 1)
    usual = (design.published + design.published_salience * salience)[:, None, None]
    engagement = _engagement_at_landmark(as_published(counts, types), chance < usual)

    shifts = rng["country_outcome"].uniform(-COUNTRY_OUTCOME, COUNTRY_OUTCOME, (design.countries, len(RUNGS)))
    probability = _probabilities(design, engagement, salience, category) + shifts[country]
    occurred = rng["occurrence"].random((n, len(RUNGS))) < probability
    days = rng["timing"].integers(LANDMARK_DAYS + 1, 7 * design.follow_up_weeks, size=(n, len(RUNGS)))
    announced = days + rng["announcement"].integers(1, 8, size=(n, len(RUNGS)))

    week_ends = 7 * np.arange(1, design.weeks + 1) - 1
    successes = _successes_before(week_ends[None, :], occurred, days)[:, None, :]
    successes_then = _successes_before(announced, occurred, days)[:, None, :]
    week_then = np.minimum((announced + 1) // 7, design.weeks) - 1
    totals = np.take_along_axis(flows.cumsum(axis=2), week_then[:, None, :], axis=2) * design.surge**successes_then
    return World(
        launched=FIRST_LAUNCH + rng["launch"].integers(LAUNCH_DAYS, size=n),
        country=country,
        category=category,
        modality=modality,
        salience=salience,
        media_salience=salience + design.salience_error * rng["measurement"].standard_normal(n),
        week_ends=week_ends,
        counts=as_published(counts * design.surge**successes, types),
        value_types=types,
        published=chance < np.where(successes > 0, design.published_after_success, usual),
        engagement=engagement,
        occurred=occurred,
        days=days,
        announced=announced,
        totals=as_published(totals, np.array(VALUE_TYPES.index("rounded"))),
        followed=rng["missing"].random(n) >= design.missing_outcome * (1 - MISSING_SALIENCE * salience),
    )


def as_published(counts: Floats, value_types: Whole) -> Floats:
    """Round counts as their value type says: to a whole number, to two digits, or down to two digits."""
    exact = np.maximum(np.rint(counts), 1.0)
    unit = 10.0 ** np.maximum(np.floor(np.log10(exact)) - 1, 0)
    rounded, lower_bound = np.rint(exact / unit) * unit, np.floor(exact / unit) * unit
    return np.choose(value_types, [exact, rounded, lower_bound])


_CUMULATIVE = np.array([k.counting == "cumulative" for k in INDICATORS.values()])
_LOG_MEDIAN = np.log10([k.median for k in INDICATORS.values()])
_CATEGORY_ENGAGEMENT, _CATEGORY_OUTCOME = np.array(list(CATEGORIES.values())).T
_MODALITY_ENGAGEMENT = np.array(list(MODALITIES.values()))


def _truncated_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    edge = ndtr(TRUNCATION)
    return np.asarray(ndtri(1 - edge + (2 * edge - 1) * rng.random(shape)))


def _weekly_shares(weeks: int) -> Floats:
    decay = np.exp(-np.arange(1, weeks + 1) / DECAY_WEEKS)
    return np.asarray(decay / decay[:LANDMARK_WEEKS].sum())


def engagement_range(name: str) -> tuple[float, float]:
    """Return the least and the most that one indicator's centred log10 engagement at the landmark can be."""
    indicator = INDICATORS[name]
    reach = (indicator.loading + indicator.spread + WEEKLY_NOISE) * TRUNCATION + ROUNDING
    if indicator.organised:
        reach += np.abs(_CATEGORY_ENGAGEMENT).max() + np.abs(_MODALITY_ENGAGEMENT).max() + COUNTRY_ENGAGEMENT
    shares = _weekly_shares(LANDMARK_WEEKS)
    least = shares[0] if indicator.counting == "cumulative" else shares.min()
    return float(np.log10(least) - reach), float(reach)


def _flows(salience: Floats, shift: Floats, campaign_noise: Floats, weekly_noise: Floats) -> Floats:
    """Return weekly counts before any success, of shape (n, K, W)."""
    loading, spread, organised = np.array([(k.loading, k.spread, k.organised) for k in INDICATORS.values()]).T
    level = _LOG_MEDIAN + np.outer(salience, loading) + np.outer(shift, organised) + spread * campaign_noise
    growth = np.log10(_weekly_shares(weekly_noise.shape[2]))
    return np.asarray(10 ** (level[:, :, None] + growth + WEEKLY_NOISE * weekly_noise))


def _engagement_at_landmark(counts: Floats, published: Flags) -> Floats:
    early, seen = counts[:, :, :LANDMARK_WEEKS], published[:, :, :LANDMARK_WEEKS]
    seen = seen | ~seen.any(axis=2, keepdims=True)
    last = LANDMARK_WEEKS - 1 - seen[:, :, ::-1].argmax(axis=2)
    running = np.take_along_axis(early, last[:, :, None], axis=2)[:, :, 0]
    return np.asarray(np.log10(np.where(_CUMULATIVE, running, (early * seen).sum(axis=2))) - _LOG_MEDIAN)


def _probabilities(design: Design, engagement: Floats, salience: Floats, category: Whole) -> Floats:
    """Return each outcome's probability in a country of no effect of its own, of shape (n, J)."""
    probability = np.full((len(salience), len(RUNGS)), -np.inf)
    for column, rung in enumerate(RUNGS):
        if rung in design.outcomes:
            planted = design.outcomes[rung]
            effects = np.array([[planted.effect(k, c) for k in INDICATORS] for c in CATEGORIES])[category]
            caused = (effects * engagement).sum(axis=1) + planted.salience * salience
            probability[:, column] = planted.base + caused + _CATEGORY_OUTCOME[category]
    return probability


def _successes_before(when: Whole, occurred: Flags, days: Whole) -> Whole:
    """Count the outcomes towards the demand before the days `when`, of shape (1 or n, moments)."""
    counted = np.zeros((len(days), when.shape[1]), dtype=np.int64)
    for column, (_, direction) in enumerate(RUNGS.values()):
        if direction == 1:
            counted += occurred[:, [column]] & (days[:, [column]] < when)
    return counted
