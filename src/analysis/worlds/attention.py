"""Worlds in which the public's attention moves the legislators', and not the other way round."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.worlds.panels import keys
from analysis.worlds.world import Floats, Scenario, Target, World, study_of, table_of

PERIODS = {"long": 100, "short": 8, "driven": 60}
FOLLOWS, LASTS, PUBLIC_LASTS = 0.2, 0.3, 0.4
"""What one more of the public's attention adds to the legislators' in the next period, and what is left of the
legislators' and of the public's own attention one period later."""

DRIVEN = 0.8
"""What one more of a common cause adds to the public's attention at once, and to the legislators' a period later."""

HORIZON = 5
RESPONSE = FOLLOWS * (1 - LASTS**HORIZON) / (1 - LASTS)
"""By how much the legislators' attention is higher then, while the public's is held one higher."""

BURNT = 20
SHORT = "the panel is short"


def _series(
    rng: np.random.Generator, topics: int, periods: int, follows: float, driven: float
) -> tuple[Floats, Floats]:
    total = periods + BURNT
    shocks = rng.standard_normal((3, topics, total))
    mean = rng.standard_normal((2, topics))
    public, legislators, cause = (np.zeros((topics, total)) for _ in range(3))
    for t in range(1, total):
        cause[:, t] = 0.5 * cause[:, t - 1] + shocks[2, :, t]
        public[:, t] = mean[0] + PUBLIC_LASTS * public[:, t - 1] + driven * cause[:, t] + shocks[0, :, t]
        own = mean[1] + LASTS * legislators[:, t - 1] + follows * public[:, t - 1] + shocks[1, :, t]
        legislators[:, t] = own + driven * cause[:, t - 1]
    return public[:, BURNT:], legislators[:, BURNT:]


def _draw(rng: np.random.Generator, topics: int) -> World:
    tables = []
    for name, periods in PERIODS.items():
        follows, driven = (0.0, DRIVEN) if name == "driven" else (FOLLOWS, 0.0)
        public, legislators = _series(rng, topics, periods, follows, driven)
        own, year = keys(np.repeat(np.arange(topics), periods), np.tile(np.arange(periods), topics), periods)
        series = {"public_naive": public.ravel(), "legislators_naive": legislators.ravel()}
        tables.append(table_of(name, legislators.ravel(), {**own, **series}, year))
    return World(pd.concat(tables, ignore_index=True))


ATTENTION = Scenario(
    "The public's attention moves the legislators', which does not move it",
    study_of(
        {
            name: {
                "design": "lead_lag", "formula": f"{name} ~ public + legislators", "absorb": ["unit_id"],
                "cluster": "unit_id",
                "lead_lag": {
                    "lags": 1, "compared_lags": 2, "horizon": HORIZON, "draws": 199,
                    "pairs": ["public>legislators", "legislators>public"],
                    "contrasts": {"order": ["public>legislators", "legislators>public"]},
                },
            }
            for name in PERIODS
        },
        dict.fromkeys(PERIODS, "continuous"), ["public", "legislators"], grain="year",
    ),
    _draw,
    40,
    (
        Target("lead_lag", "long", "sustained:public>legislators", RESPONSE),
        Target("lead_lag_null", "long", "sustained:legislators>public", 0.0),
        Target("half_panel", "long:half_panel", "public>legislators", RESPONSE),
        Target("half_panel_null", "long:half_panel", "legislators>public", 0.0),
        Target("lead_lag_short", "short", "sustained:public>legislators", RESPONSE, SHORT),
        Target("lead_lag_short_null", "short", "sustained:legislators>public", 0.0, SHORT),
        Target("half_panel_short", "short:half_panel", "public>legislators", RESPONSE, SHORT),
        Target("lead_lag_driven_null", "driven", "sustained:public>legislators", 0.0, "a common cause moves one first"),
    ),
)  # fmt: skip
