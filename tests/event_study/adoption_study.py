"""A small made-up panel study in which an exposure arrives at different times, and its analysis table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.study.spec import Study

FIRST, LAST = 2008, 2019


def study(event_study: dict[str, Any] | None = None, **model: Any) -> Study:
    """A yearly panel of towns with one model of the design event_study, whose block and keys may be changed."""
    content: dict[str, Any] = {
        "name": "towns",
        "title": "Towns",
        "question": "Do cameras change anything?",
        "summary": "Made up.",
        "source": {"adapter": "registry"},
        "unit": {"noun": "town", "plural": "towns", "attributes": ["region"], "grain": "year"},
        "exposures": {
            "protested": {
                "label": "protested",
                "indicators": ["protests"],
                "transform": "present",
                "window": "all",
                "absent": "zero",
            }
        },
        "outcomes": {"force": {"label": "force", "type": "continuous"}},
        "covariates": {
            "size": {"label": "size", "context": "size"},
            "people": {"label": "people", "context": "people"},
            "region": {"label": "region", "attribute": "region"},
        },
        "models": {
            "main": {
                "label": "force, after protests",
                "design": "event_study",
                "formula": "force ~ protested",
                "event_study": {"leads": 4, "lags": 3} | (event_study or {}),
            }
            | model
        },
        "hypotheses": {
            "works": {
                "statement": "It works.",
                "origin": ["keck-sikkink"],
                "expects": "negative",
                "decided_by": {"model": "main", "term": "overall"},
                "smallest_effect": 0.1,
            }
        },
        "optional_notebooks": ["06_event_study"],
    }
    return Study.model_validate(content)


def panel(
    seed: int = 1, n: int = 90, noise: float = 1.0, trend: float = 0.0, first: int = FIRST, last: int = LAST
) -> pd.DataFrame:
    """Return unit, period, cohort, y, x, cluster and weight: effects start at 1 and grow by 0.5 a period.

    Parameters
    ----------
    trend : per period, of units that become exposed, beside the others.
    """
    rng = np.random.default_rng(seed)
    years = np.arange(first, last + 1)
    cohort = rng.choice([0, first + 4, first + 6, first + 7], n, p=[0.4, 0.25, 0.2, 0.15])
    unit, period = np.repeat(np.arange(n), len(years)), np.tile(years, n)
    since = np.where(cohort[unit] > 0, period - cohort[unit], -1)
    effect = np.where(since >= 0, 1 + 0.5 * since, 0.0)
    own, common = rng.normal(size=n), rng.normal(size=len(years))
    y = own[unit] + common[period - first] + trend * (cohort[unit] > 0) * (period - first) + effect
    return pd.DataFrame(
        {
            "unit": [f"town-{i:03d}" for i in unit],
            "period": period,
            "cohort": cohort[unit],
            "y": y + noise * rng.normal(size=len(unit)),
            "x": rng.normal(size=n)[unit],
            "cluster": [f"region-{i % 30:02d}" for i in unit],
            "weight": rng.uniform(0.5, 2.0, n)[unit],
            "effect": effect,
        }
    )


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """Write a panel as an analysis table."""
    exposed = ((rows["cohort"] > 0) & (rows["period"] >= rows["cohort"])).astype("float64")
    return pd.DataFrame(
        {
            "outcome": "force",
            "unit_id": rows["unit"],
            "period": rows["period"].astype("str"),
            "excluded": np.where(rows["y"].isna(), "no outcome row", ""),
            "value": rows["y"],
            "event": False,
            "protested": exposed,
            "protested_naive": exposed,
            "size": rows["x"],
            "people": rows["weight"],
            "region": rows["cluster"],
        }
    )
