"""The first four notebooks' steps, as functions of the tests."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from analysis.change import change
from analysis.dates import intervals
from analysis.engagement import engagement
from analysis.link import analysis_table, link
from analysis.study.spec import Study
from analysis.tables import CONTEXT, OUTCOMES, PROCESS, CanonicalTables


@dataclass(frozen=True)
class Derived:
    reported: pd.DataFrame
    changed: pd.DataFrame
    strict: pd.DataFrame
    naive: pd.DataFrame
    analysis: pd.DataFrame


def derive(study: Study, tables: CanonicalTables) -> Derived:
    reported = engagement(tables.process)
    changed = change(tables.outcomes, tables.units, study.outcomes)
    strict = link(reported, changed, tables.units, study.exposures, "strict")
    naive = link(reported, changed, tables.units, study.exposures, "naive")
    both = {"strict": strict, "naive": naive}
    return Derived(reported, changed, strict, naive, analysis_table(study, tables.units, changed, tables.context, both))


def shuffled(tables: CanonicalTables, seed: int) -> CanonicalTables:
    """Reorder the rows of every table and give them an index that means nothing."""
    random = np.random.default_rng(seed)
    out = {}
    for field in fields(tables):
        table = getattr(tables, field.name)
        order = random.permutation(len(table))
        out[field.name] = table.iloc[order].set_axis(random.integers(0, 5, len(table)), axis="index")
    return replace(tables, **out)


def small_tables(
    launched: dict[str, str], process: list[dict[str, object]], outcomes: list[dict[str, object]]
) -> CanonicalTables:
    """Build canonical tables from what matters in a test: launch dates, dated values and dated outcomes."""
    units = pd.DataFrame({"unit_id": list(launched), "name": "made up", "launched": list(launched.values())})
    units["launched_start"], units["launched_end"] = intervals(units["launched"].astype("str"))
    common = {"value_type": "exact", "counting": "cumulative", "scope": "global", "grade": "A", "indicator": "posts"}
    values = pd.DataFrame([{**common, "source": f"s{i}", **row} for i, row in enumerate(process)])
    values = values if len(values) else pd.DataFrame(columns=list(PROCESS.columns))
    values["start"], values["end"] = intervals(values["time"].astype("str"))
    coded = {"value": 1.0, "stage": 4, "direction": 1, "grade": "A", "source": "s", "indicator": "policy_changed"}
    events = pd.DataFrame([{**coded, **row} for row in outcomes])
    events["start"], events["end"] = intervals(events["time"].astype("str"))
    events["observed_start"], events["observed_end"] = intervals(events["observed_until"].astype("str"))
    return CanonicalTables(
        units,
        values.reindex(columns=list(PROCESS.columns)),
        events[list(OUTCOMES.columns)],
        pd.DataFrame(columns=list(CONTEXT.columns)),
    ).validated([], "made up")
