"""Coded outcomes become one value per unit and declared outcome, with the interval of its first event."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest
from derived import small_tables

from analysis.change import change, ladder
from analysis.errors import InputError
from analysis.study.spec import Outcome

DECLARED = {
    "any": Outcome(label="any", type="binary"),
    "policy": Outcome(label="policy", type="binary", min_stage=4),
    "against": Outcome(label="against", type="binary", direction=-1),
    "stage": Outcome(label="stage", type="ordinal"),
    "events": Outcome(label="events", type="count"),
    "laws": Outcome(label="laws", type="binary", indicators=["law_passed"]),
}
NOTHING: dict[str, Any] = {"indicator": "none_observed", "time": "", "stage": 0, "direction": 0}


def of_one_unit(launched: str, *events: dict[str, Any], until: str = "2016-06-30") -> pd.DataFrame:
    outcomes = [{"unit_id": "a", "observed_until": until, **event} for event in events]
    canonical = small_tables({"a": launched, "unfollowed": launched}, [], outcomes)
    changed = change(canonical.outcomes, canonical.units, DECLARED)
    assert set(changed["unit_id"]) == {"a"}
    return changed.set_index("outcome")


def test_the_first_event_that_counts_gives_the_dates_and_the_highest_the_stage() -> None:
    rows = of_one_unit(
        "2014-01-10",
        {"time": "2015-03", "stage": 5, "indicator": "released"},
        {"time": "2014-02-09", "stage": 2, "indicator": "government_response"},
        {"time": "2014-01-20", "stage": 5, "direction": -1, "indicator": "repression"},
        {"time": "2014-01-15", "stage": 3, "direction": 0, "indicator": "debated"},
    )
    assert rows["value"].to_dict() == {"any": 1, "policy": 1, "against": 1, "stage": 5, "events": 2, "laws": 0}
    assert rows["event"].to_dict() == dict.fromkeys(DECLARED, True) | {"laws": False}
    starts = rows["event_start"].dt.strftime("%Y-%m-%d").to_dict()
    assert (starts["any"], starts["policy"], starts["against"]) == ("2014-02-09", "2015-03-01", "2014-01-20")
    assert rows.loc["any", ["min_days", "max_days"]].tolist() == [30, 30]
    assert rows.loc["policy", ["min_days", "max_days"]].tolist() == [415, 445]


def test_without_an_event_the_unit_is_censored_on_the_last_day_observed() -> None:
    rows = of_one_unit("2014-01", NOTHING, until="2014-03")
    assert not rows["event"].any()
    assert (rows["value"] == 0).all()
    assert rows.loc["any", ["min_days", "max_days"]].tolist() == [29, 89]
    assert rows["event_start"].isna().all()


def test_an_undated_event_happened_between_launch_and_the_last_day_observed() -> None:
    rows = of_one_unit("2014-01-10", {"time": "", "stage": 4}, until="2014-02-09")
    assert rows.loc["any", "event_start"] == pd.Timestamp("2014-01-10")
    assert rows.loc["any", "event_end"] == pd.Timestamp("2014-02-09")
    assert rows.loc["any", ["min_days", "max_days"]].tolist() == [0, 30]


def test_an_undated_event_of_an_undated_launch_may_have_come_at_any_time() -> None:
    rows = of_one_unit("", {"time": "", "stage": 4}, {"time": "2014-05-01", "stage": 5}, until="2015-01-01")
    assert rows.loc["any", "event"]
    assert pd.isna(rows.loc["any", "event_start"])
    assert rows.loc["any", "event_end"] == pd.Timestamp("2014-05-01")


@pytest.mark.parametrize(
    ("launched", "time", "before"),
    [("2014-02", "2014-01", True), ("2014-02", "2014", False), ("2014-02-10", "2014-02", False),
     ("2014", "2013-12-31", True), ("", "2013", False)],
)  # fmt: skip
def test_an_event_is_before_launch_only_where_that_is_sure(launched: str, time: str, before: bool) -> None:
    row = of_one_unit(launched, {"time": time, "stage": 4}).loc["any"]
    assert bool(row["before_launch"]) is before
    assert math.isnan(row["max_days"]) is (before or not launched)


def test_the_ladder_counts_followed_units_once_per_rung() -> None:
    outcomes = [
        {"unit_id": "a", "time": "2015-01", "stage": 4},
        {"unit_id": "a", "time": "2015-02", "stage": 4},
        {"unit_id": "a", "time": "2015-03", "stage": 2, "direction": -1},
        {"unit_id": "b", **NOTHING},
        {"unit_id": "c", "time": "2015", "stage": 5, "direction": 0},
    ]
    canonical = small_tables(dict.fromkeys("abcd", "2014"), [], [{**row, "observed_until": "2016"} for row in outcomes])
    frame = pd.Series("all", index=pd.Index(list("abcd"), name="unit_id"))
    rows = {row.term: row for row in ladder(canonical.outcomes, canonical.units, frame)}
    assert rows["stage_4"].estimate == pytest.approx(1 / 3)
    assert rows["stage_5"].estimate == 0
    assert [rows[f"highest_{s}"].estimate * 3 for s in range(6)] == pytest.approx([2, 0, 0, 0, 1, 0])
    assert rows["against"].estimate == pytest.approx(1 / 3)
    assert (rows["units"].estimate, rows["followed"].estimate, rows["missing"].estimate) == (4, 0.75, 0.25)


def test_outcomes_that_nobody_coded_are_refused() -> None:
    canonical = small_tables({"a": "2014"}, [], [{"unit_id": "a", "time": "2015", "observed_until": "2016"}])
    with pytest.raises(InputError, match="no unit has an outcome row"):
        change(canonical.outcomes[:0], canonical.units, {"improved": Outcome(label="improved", type="binary")})
