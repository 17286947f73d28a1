"""Small canonical tables for the duration designs."""

from __future__ import annotations

import pandas as pd

from analysis.change import change
from analysis.dates import intervals
from analysis.engagement import engagement
from analysis.study.spec import Exposure, Outcome
from analysis.tables import OUTCOMES, PROCESS

COUNTED = Exposure(label="a count", indicators=["posts"], transform="present", aggregate="max", absent="zero")
OUTCOME = {"improved": Outcome(label="improved", type="binary")}


def units(launched: dict[str, str], **attributes: dict[str, str]) -> pd.DataFrame:
    table = pd.DataFrame({"unit_id": list(launched), "name": list(launched), "launched": list(launched.values())})
    table["launched_start"], table["launched_end"] = intervals(table["launched"])
    return table.assign(**{name: table["unit_id"].map(values) for name, values in attributes.items()})


def reported(*rows: tuple[str, str, float], indicator: str = "posts", counting: str = "cumulative") -> pd.DataFrame:
    """Values as unit, date, value."""
    table = pd.DataFrame(rows, columns=["unit_id", "time", "value"]).astype({"unit_id": "str", "time": "str"})
    table["start"], table["end"] = intervals(table["time"])
    table = table.assign(
        indicator=indicator, source=[f"s{i}" for i in range(len(table))], value_type="exact", counting=counting,
        scope="global", grade="A",
    )  # fmt: skip
    return engagement(table.reindex(columns=list(PROCESS.columns)))


def outcomes(*rows: tuple[str, str, str], direction: int = 1) -> pd.DataFrame:
    """Outcomes as unit, date of the event (``-`` for none observed, empty for undated), date last observed."""
    table = pd.DataFrame(rows, columns=["unit_id", "time", "observed_until"]).astype("str")
    happened = table["time"] != "-"
    table["time"] = table["time"].where(happened, "")
    table["start"], table["end"] = intervals(table["time"])
    table["observed_start"], table["observed_end"] = intervals(table["observed_until"])
    table = table.assign(
        indicator=happened.map({True: "released", False: "none_observed"}), value=happened.astype(float),
        stage=happened * 5, direction=happened * direction, grade="A", source="s",
    )  # fmt: skip
    return table[list(OUTCOMES.columns)]


def first_change(units: pd.DataFrame, *rows: tuple[str, str, str]) -> pd.DataFrame:
    return change(outcomes(*rows), units, OUTCOME)
