"""Studies of the duration designs, and the data that they are fitted to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_up_times import outcomes, reported, units

from analysis.change import change
from analysis.link import analysis_table, link
from analysis.models.duration import DurationData
from analysis.study.spec import Study
from analysis.tables import CONTEXT

MODELS: dict[str, dict[str, Any]] = {
    "curve": {"design": "kaplan_meier", "formula": "improved ~ 1"},
    "first": {"design": "cumulative_incidence", "formula": "improved ~ 1", "competing": "backlash"},
    "hazard": {"design": "hazard", "formula": "improved ~ counted", "cluster": "country"},
    "hazard_ever": {"design": "hazard", "formula": "improved ~ counted", "exposed_from": "launch"},
    "cox": {"design": "cox", "formula": "improved ~ counted", "contrast_time_order": True},
    "cox_ever": {"design": "cox", "formula": "improved ~ counted", "exposed_from": "launch"},
    "fine_gray": {"design": "fine_gray", "formula": "improved ~ kind", "competing": "backlash"},
}


def make_study(models: dict[str, dict[str, Any]]) -> Study:
    counted = {"label": "a count", "indicators": ["posts"], "transform": "present", "aggregate": "max"}
    return Study.model_validate(
        {
            "name": "small", "title": "Small", "question": "When?", "summary": "Made up.",
            "source": {"adapter": "registry"},
            "unit": {"noun": "unit", "plural": "units", "attributes": ["country", "kind"], "before_launch": "exclude"},
            "exposures": {
                "counted": {**counted, "absent": "zero"},
                "early": {**counted, "absent": "zero", "landmark_days": 30},
                "posts": {"label": "posts", "indicators": ["posts"], "transform": "log10", "aggregate": "max"},
            },
            "outcomes": {
                "improved": {"label": "improvement", "type": "binary"},
                "backlash": {"label": "backlash", "type": "binary", "direction": -1},
            },
            "covariates": {"kind": {"label": "kind", "attribute": "kind", "reference": "plain"}},
            "models": {name: {"label": name, **model} for name, model in models.items()},
            "hypotheses": {
                "h": {
                    "statement": "s", "origin": ["o"], "expects": "zero", "smallest_effect": 1.0,
                    "decided_by": {"model": next(iter(models)), "term": "counted"},
                }
            },
            "optional_notebooks": ["08_duration"],
        }
    )  # fmt: skip


def make_data(
    study: Study, launched: dict[str, str], counts: list[tuple], events: list[tuple], against: list[tuple] = (),
    **attributes: dict[str, str],
) -> DurationData:  # fmt: skip
    fixed = {name: dict.fromkeys(launched, "plain") for name in ("country", "kind")}
    table = units(launched, **{**fixed, **attributes})
    values = reported(*counts)
    happened = pd.concat([outcomes(*events), outcomes(*against, direction=-1)], ignore_index=True)
    changed = change(happened, table, study.outcomes)
    linked = {order: link(values, changed, table, study.exposures, order) for order in ("strict", "naive")}
    context = pd.DataFrame(columns=list(CONTEXT.columns))
    return DurationData(analysis_table(study, table, changed, context, linked), changed, values, table)


@pytest.fixture(scope="session")
def study() -> Study:
    return make_study(MODELS)


@pytest.fixture(scope="session")
def planted(study: Study) -> Callable[..., DurationData]:
    """Units counted on a random day, whose hazard of improving then changes by a planted factor."""

    def draw(log_ratio: float, n: int = 600, seed: int = 11, precision: int = 10) -> DurationData:
        rng = np.random.default_rng(seed)
        counted = rng.exponential(200, n)
        kind = np.where(rng.random(n) < 0.5, "plain", "bold")
        need, rate = rng.exponential(1, n), 0.004
        before = need / rate
        improved = np.where(before <= counted, before, counted + (need - rate * counted) / (rate * np.exp(log_ratio)))
        struck = rng.exponential(np.where(kind == "bold", 200, 2000))
        names = [f"u{i:04d}" for i in range(n)]
        start = np.datetime64("2020-01-01")
        day = lambda values: (start + np.floor(values).astype("timedelta64[D]")).astype(str)  # noqa: E731
        last = "2020-12-31"
        events = [
            (u, when[:precision] if when < last else "-", last) for u, when in zip(names, day(improved), strict=True)
        ]
        against = [(u, when, last) for u, when in zip(names, day(struck), strict=True) if when < last]
        counts = [(u, when, 5.0) for u, when in zip(names, day(counted), strict=True) if when < last]
        country = {u: f"c{i % 40}" for i, u in enumerate(names)}
        launched = dict.fromkeys(names, "2020-01-01")
        return make_data(
            study, launched, counts, events, against, country=country, kind=dict(zip(names, kind.tolist(), strict=True))
        )

    return draw
