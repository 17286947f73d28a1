"""Risk time: an exposure counts only once it is there, and a date counts only for what it says."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_times import COUNTED, first_change, reported, units

from analysis.errors import InputError
from analysis.models.person_periods import exposure_steps, person_periods, risk_time
from analysis.study.spec import Exposure

UNIT = units({"a": "2020-01-01"})


def stretches(rows, counts=(), dates="window", exposure=COUNTED, launched=UNIT, **options) -> pd.DataFrame:
    steps = {"counted": exposure_steps(reported(*counts), launched, exposure, "counted", dates)}
    absent = {"counted": 0.0} if exposure.absent == "zero" else {}
    return person_periods(risk_time(first_change(launched, *rows), launched, dates), steps, absent, **options)


def told(table: pd.DataFrame, *columns: str) -> list[tuple]:
    return list(table[list(columns)].itertuples(index=False, name=None))


def test_unit_is_at_risk_unexposed_until_its_count_is_published() -> None:
    table = stretches([("a", "2020-01-11", "2020-06-01")], [("a", "2020-01-05", 9.0)])
    assert told(table, "start", "stop", "event", "counted") == [
        (0.0, 5.0, False, 0.0),
        (5.0, 10.0, False, 1.0),
        (10.0, 11.0, True, 1.0),
    ]


def test_count_of_the_day_of_the_event_or_later_does_not_expose() -> None:
    for day in ("2020-01-11", "2020-01-12"):
        table = stretches([("a", "2020-01-11", "2020-06-01")], [("a", day, 9.0)])
        assert (table["counted"] == 0).all()
        assert table["stop"].max() == 11


def test_count_dated_to_a_month_exposes_from_its_end_and_at_the_late_extreme_from_its_start() -> None:
    rows, counts = [("a", "-", "2020-06-01")], [("a", "2020-02", 9.0)]
    assert stretches(rows, counts).query("counted == 1")["start"].min() == 60
    assert stretches(rows, counts, "late").query("counted == 1")["start"].min() == 32


def test_undated_count_exposes_nobody() -> None:
    assert (stretches([("a", "-", "2020-06-01")], [("a", "", 9.0)])["counted"] == 0).all()


def test_event_dated_to_a_month_may_be_anywhere_in_it() -> None:
    rows = [("a", "2020-03", "2020-06-01")]
    table = stretches(rows, [("a", "2020-03-10", 9.0)])
    assert told(table, "start", "stop", "window", "counted") == [
        (0.0, 60.0, False, 0.0),
        (60.0, 70.0, True, 0.0),
        (70.0, 91.0, True, 1.0),
    ]
    assert stretches(rows, dates="early")["stop"].max() == 61
    assert stretches(rows, dates="late")["stop"].max() == 91


def test_undated_event_may_be_anywhere_from_launch_to_the_last_day_observed() -> None:
    table = stretches([("a", "", "2020-01-31")])
    assert told(table, "start", "stop", "window") == [(0.0, 31.0, True)]


def test_unit_without_event_is_censored_on_the_last_day_observed() -> None:
    table = stretches([("a", "-", "2020-01-31")])
    assert told(table, "start", "stop", "window", "event") == [(0.0, 31.0, False, False)]


def test_launch_of_month_precision_counts_from_its_end_and_at_the_late_extreme_from_its_start() -> None:
    launched = units({"a": "2020-01"})
    assert stretches([("a", "2020-02-10", "2020-06-01")], launched=launched, dates="early")["stop"].max() == 11
    assert stretches([("a", "2020-02-10", "2020-06-01")], launched=launched, dates="late")["stop"].max() == 41


def test_event_before_launch_and_unknown_launch_leave_no_risk_time() -> None:
    launched = units({"a": "2020-01-01", "b": "", "c": "2020-01-01"})
    rows = [("a", "2019-12-01", "2020-06-01"), ("b", "2020-02-01", "2020-06-01"), ("c", "-", "2020-06-01")]
    assert set(risk_time(first_change(launched, *rows), launched, "window")["unit_id"]) == {"c"}


def test_left_truncated_unit_is_at_risk_from_its_entry_only() -> None:
    at_risk = risk_time(first_change(UNIT, ("a", "2020-01-11", "2020-06-01")), UNIT, "early")
    assert told(person_periods(at_risk.assign(entry=4.0), {}, {}), "start", "stop") == [(4.0, 10.0), (10.0, 11.0)]
    assert person_periods(at_risk.assign(entry=11.0), {}, {}).empty


def test_logged_count_is_the_largest_so_far_and_missing_before_the_first() -> None:
    logged = Exposure(label="log posts", indicators=["posts"], transform="log10", aggregate="max")
    counts = [("a", "2020-01-10", 100.0), ("a", "2020-01-20", 10.0), ("a", "2020-01-25", 1000.0)]
    table = stretches([("a", "-", "2020-01-31")], counts, exposure=logged)
    assert table["counted"].isna().tolist() == [True, False, False, False]
    assert table["counted"].dropna().tolist() == [2.0, 2.0, 3.0]


def test_adding_up_cumulative_counts_is_refused() -> None:
    summed = Exposure(label="sum", indicators=["posts"], aggregate="sum")
    with pytest.raises(InputError, match=r"exposures\.counted\.aggregate.*adds up cumulative values"):
        stretches([("a", "-", "2020-01-31")], [("a", "2020-01-10", 1.0)], exposure=summed)


DAY = st.integers(0, 400)
UNITS = st.lists(
    st.tuples(DAY, st.integers(0, 60), st.booleans(), st.lists(DAY, max_size=3), st.integers(0, 50)),
    min_size=1, max_size=6,
)  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(UNITS, st.randoms(use_true_random=False))
def test_risk_time_is_cut_without_loss_whatever_the_order_of_rows(drawn, random) -> None:
    at_risk = pd.DataFrame(
        [(f"u{i}", event, float(clear), float(clear + width + 1), float(entry))
         for i, (clear, width, event, _, entry) in enumerate(drawn)],
        columns=["unit_id", "event", "clear", "stop", "entry"],
    )  # fmt: skip
    at_risk["clear"] = at_risk["clear"].where(at_risk["event"], at_risk["stop"])
    steps = pd.DataFrame(
        [(f"u{i}", float(day), 1.0) for i, row in enumerate(drawn) for day in sorted(set(row[3]))],
        columns=["unit_id", "day", "on"],
    ).astype({"unit_id": at_risk["unit_id"].dtype, "day": "float64", "on": "float64"})  # fmt: skip
    table = person_periods(at_risk, {"on": steps}, {"on": 0.0}, cuts=(30.0, 90.0))
    observed = at_risk[at_risk["entry"] < at_risk["stop"]].set_index("unit_id")
    lengths = (table["stop"] - table["start"]).groupby(table["unit_id"]).sum()
    assert lengths.to_dict() == (observed["stop"] - observed["entry"]).to_dict()
    assert table.groupby("unit_id")["event"].sum().to_dict() == observed["event"].astype(int).to_dict()
    first = steps.groupby("unit_id")["day"].min()
    assert (table["on"] == (table["start"] >= table["unit_id"].map(first).astype("float64")).astype(float)).all()

    order = random.sample(range(len(at_risk)), len(at_risk))
    shuffled = at_risk.iloc[order].set_axis(range(100, 100 + len(order)))
    again = person_periods(shuffled, {"on": steps[::-1]}, {"on": 0.0}, cuts=(90.0, 30.0))
    pd.testing.assert_frame_equal(table, again)
