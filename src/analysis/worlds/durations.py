"""Worlds in which success takes time: engagement comes when it comes, observation ends, and some successes are lost."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.models.duration import DurationData
from analysis.tables import DAY
from analysis.worlds.world import Floats, Scenario, Target, World, names, study_of, table_of

LOG_HAZARD = 0.5
"""Log hazard ratio of success once a campaign is engaged."""

SALIENCE = 0.4
DAYS = 500.0
"""Mean days to success of a campaign of average salience without engagement."""

ARRIVES = 250.0
"""Mean days to engagement, and to views, which cause nothing."""

UNTIL = (365, 730)
"""Observation ends by chance between these days."""

LOST = 0.5
"""Share of the successes of engaged campaigns that end observation the day before, where they are lost."""

SHARE_WON = 0.5
"""Share of campaigns of average salience that win, sooner or later; all others are closed by the authorities."""

CLOSES_SOONER = 0.8
"""Log hazard ratio of being closed of campaigns that are larger by one, among those that will be closed."""

LAUNCHED = np.datetime64("2012-01-01", "D")
ADJUSTED = "engagement + views + salience"
IMMORTAL = "the engaged are immortal until then"
LOSING = "successes of the engaged are lost"
CLOSING = "closing counts as censoring"


def _first_success(rng: np.random.Generator, engaged: Floats, salience: Floats) -> Floats:
    """Draw the day of success, (n,), from a hazard that is constant up to the day of engagement, and after it."""
    needed = rng.exponential(1.0, len(engaged))
    before = np.exp(SALIENCE * salience) / DAYS
    after = before * np.exp(LOG_HAZARD)
    sooner = needed < before * engaged
    return np.ceil(np.where(sooner, needed / before, engaged + (needed - before * engaged) / after))


def _draw(rng: np.random.Generator, n: int) -> World:
    salience = rng.uniform(-1.5, 1.5, n)
    arrives = {name: np.ceil(rng.exponential(ARRIVES * np.exp(-0.3 * salience))) for name in ("engagement", "views")}
    success = _first_success(rng, arrives["engagement"], salience)
    until = rng.integers(*UNTIL, n).astype(np.float64)
    lost = (success > arrives["engagement"]) & (rng.random(n) < LOST)
    ends = {"won": until, "won_known": np.where(lost, np.minimum(until, success - 1), until)}
    return _world({outcome: (success, end) for outcome, end in ends.items()}, arrives, {"salience": salience})


def _world(
    outcomes: Mapping[str, tuple[Floats, Floats]], arrives: Mapping[str, Floats], fixed: Mapping[str, Floats]
) -> World:
    """Write a world as the duration designs find a study.

    Parameters
    ----------
    outcomes : day of the event, and last day observed, (n,) each, by name.
    arrives : day of each exposure.
    fixed : what is known at launch.
    """
    n = len(next(iter(outcomes.values()))[0])
    unit_id = names("unit", np.arange(n))
    tables, changed = [], []
    for outcome, (day, end) in outcomes.items():
        event = day <= end
        last = np.where(event, day, end)
        x = {name: (since < last).astype(np.float64) for name, since in arrives.items()}
        own = {**x, **fixed, "event": event}
        tables.append(table_of(outcome, event.astype(np.float64), {"unit_id": unit_id, **own}))
        when = pd.Series(_date(last)).where(event)
        changed.append(
            pd.DataFrame(
                {
                    "unit_id": unit_id, "outcome": outcome, "event": event, "event_start": when, "event_end": when,
                    "observed_start": _date(end), "observed_end": _date(end), "before_launch": False,
                }
            )
        )  # fmt: skip
    reported = [
        pd.DataFrame(
            {
                "unit_id": unit_id, "indicator": name, "start": _date(day), "end": _date(day), "value": 1.0,
                "counting": "flow", "dated": True, "uncertain_days": 0.0,
            }
        )
        for name, day in arrives.items()
    ]  # fmt: skip
    launched = np.full(n, LAUNCHED.astype(DAY))
    units = pd.DataFrame({"unit_id": unit_id, "launched_start": launched, "launched_end": launched})
    table, all_changed, all_reported = (pd.concat(parts, ignore_index=True) for parts in (tables, changed, reported))
    return World(table, DurationData(table, all_changed, all_reported, units))


def _date(day: Floats) -> np.ndarray:
    """Date a day, of which the day of launch is the first."""
    return np.asarray((LAUNCHED + (day - 1).astype("timedelta64[D]")).astype(DAY))


DURATION = Scenario(
    "Engagement comes at different times, and success later or never",
    study_of(
        {
            "cox": {"design": "cox", "formula": f"won ~ {ADJUSTED}"},
            "hazard": {"design": "hazard", "formula": f"won ~ {ADJUSTED}"},
            "immortal": {"design": "cox", "formula": f"won ~ {ADJUSTED}", "exposed_from": "launch"},
            "lost": {"design": "cox", "formula": f"won_known ~ {ADJUSTED}"},
        },
        {"won": "binary", "won_known": "binary"}, ["engagement", "views"], ["salience"],
    ),
    _draw,
    200,
    (
        Target("cox", "cox", "engagement", LOG_HAZARD),
        Target("cox_null", "cox", "views", 0.0),
        Target("hazard", "hazard", "engagement", LOG_HAZARD),
        Target("hazard_null", "hazard", "views", 0.0),
        Target("proportional_hazards_test", "cox", "proportional_hazards", 0.0, kind="test"),
        Target("cox_immortal", "immortal", "engagement", LOG_HAZARD, IMMORTAL),
        Target("cox_immortal_null", "immortal", "views", 0.0, IMMORTAL),
        Target("cox_lost", "lost", "engagement", LOG_HAZARD, LOSING),
    ),
)  # fmt: skip


def _closed(rng: np.random.Generator, n: int) -> World:
    """Draw which of two outcomes comes first, and when, so that the subdistribution hazard of winning is proportional.

    References
    ----------
    Fine and Gray (1999), A proportional hazards model for the subdistribution of a competing risk, sec. 5.
    """
    salience, size = rng.uniform(-1.5, 1.5, (2, n))
    ratio = np.exp(LOG_HAZARD * salience)
    ever = 1 - (1 - SHARE_WON) ** ratio
    wins = rng.random(n) < ever
    # The day of winning of those who ever win, by inversion of its distribution, and the day of closing of the others.
    reached = (1 - (1 - rng.random(n) * ever) ** (1 / ratio)) / SHARE_WON
    won = np.where(wins, -np.log1p(-reached), np.inf)
    closed = np.where(wins, np.inf, rng.exponential(np.exp(-CLOSES_SOONER * size)))
    until = rng.integers(*UNTIL, n).astype(np.float64)
    won, closed = np.ceil(DAYS * won), np.ceil(DAYS * closed)
    outcomes = {"won": (won, until), "closed": (closed, until), "won_open": (won, np.minimum(until, closed))}
    return _world(outcomes, {"engagement": np.full(n, 2.0 * UNTIL[1])}, {"salience": salience, "size": size})


COMPETING = Scenario(
    "Campaigns win, or are closed first, and then they never win",
    study_of(
        {
            "fine_gray": {"design": "fine_gray", "formula": "won ~ salience + size", "competing": "closed"},
            "cox": {"design": "cox", "formula": "won_open ~ salience + size"},
        },
        {"won": "binary", "closed": "binary", "won_open": "binary"}, ["engagement"], ["salience", "size"],
    ),
    _closed,
    300,
    (
        Target("fine_gray", "fine_gray", "salience", LOG_HAZARD),
        Target("fine_gray_null", "fine_gray", "size", 0.0),
        Target("cox_competing", "cox", "salience", LOG_HAZARD, CLOSING),
        Target("cox_competing_null", "cox", "size", 0.0, CLOSING),
    ),
)  # fmt: skip
