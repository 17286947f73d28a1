"""Worlds in which success takes time: engagement comes when it comes, observation ends, and some successes are lost."""

from __future__ import annotations

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

LAUNCHED = np.datetime64("2012-01-01", "D")
ADJUSTED = "engagement + views + salience"
IMMORTAL = "the engaged are immortal until then"
LOSING = "successes of the engaged are lost"


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
    unit_id = names("unit", np.arange(n))
    tables, changed = [], []
    for outcome, end in ends.items():
        event = success <= end
        last = np.where(event, success, end)
        x = {name: (day < last).astype(np.float64) for name, day in arrives.items()}
        own = {**x, "salience": salience, "event": event}
        tables.append(table_of(outcome, event.astype(np.float64), {"unit_id": unit_id, **own}))
        when = pd.Series(_date(success)).where(event)
        changed.append(
            pd.DataFrame(
                {
                    "unit_id": unit_id, "outcome": outcome, "event": event, "event_start": when, "event_end": when,
                    "observed_start": _date(end), "observed_end": _date(end), "before_launch": False,
                }
            )
        )  # fmt: skip
    reported = pd.concat(
        [
            pd.DataFrame(
                {
                    "unit_id": unit_id, "indicator": name, "start": _date(day), "end": _date(day), "value": 1.0,
                    "counting": "flow", "dated": True, "uncertain_days": 0.0,
                }
            )
            for name, day in arrives.items()
        ],
        ignore_index=True,
    )  # fmt: skip
    launched = np.full(n, LAUNCHED.astype(DAY))
    units = pd.DataFrame({"unit_id": unit_id, "launched_start": launched, "launched_end": launched})
    table = pd.concat(tables, ignore_index=True)
    return World(table, DurationData(table, pd.concat(changed, ignore_index=True), reported, units))


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
