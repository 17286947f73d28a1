"""Units observed over time: what is known of each period, and that no exposure comes from its own period or later."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.change import change
from analysis.dates import intervals, numbered, period_names, period_numbers
from analysis.engagement import engagement
from analysis.errors import InputError
from analysis.link import link
from analysis.panel import exposure_by_period
from analysis.study.spec import Exposure, Outcome
from analysis.tables import OUTCOMES, PROCESS, UNITS


def units(**launched: str) -> pd.DataFrame:
    start, end = intervals(pd.Series(list(launched.values())))
    table = pd.DataFrame({"unit_id": list(launched), "name": list(launched), "launched": list(launched.values())})
    return table.assign(launched_start=start, launched_end=end)[list(UNITS.columns)]


def process(*rows: tuple[str, str, float], std_error: float | None = None, counting: str = "flow") -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["unit_id", "time", "value"])
    start, end = intervals(table["time"])
    table = table.assign(
        indicator="posts", source=[f"s/{i}" for i in range(len(table))], start=start, end=end, std_error=std_error,
        value_type="exact", counting=counting, scope="country", grade="A",
    )  # fmt: skip
    return engagement(table[list(PROCESS.columns)])


def outcomes(*rows: tuple[str, str, float], until: str, direction: int = 1, stage: int = 4) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["unit_id", "time", "value"])
    start, end = intervals(table["time"])
    observed_start, observed_end = intervals(pd.Series([until] * len(table)))
    return table.assign(
        indicator="law", start=start, end=end, stage=stage, direction=direction, observed_until=until,
        observed_start=observed_start, observed_end=observed_end, grade="A", source="s",
    )[list(OUTCOMES.columns)]  # fmt: skip


def reached(table: pd.DataFrame, spec: Outcome, launched: pd.DataFrame) -> dict[tuple[str, str], float]:
    found = change(table, launched, {"law": spec}, "year")
    return dict(zip(zip(found["unit_id"], found["period"], strict=True), found["value"], strict=True))


BINARY = Outcome(label="a law", type="binary")


def test_a_unit_without_event_is_zero_while_it_is_observed_and_absent_before_and_after() -> None:
    table = outcomes(("a", "2012", 1.0), until="2013")
    assert reached(table, BINARY, units(a="2011")) == {("a", "2011"): 0, ("a", "2012"): 1, ("a", "2013"): 0}


def test_what_persists_stays_reached() -> None:
    table = outcomes(("a", "2012", 1.0), until="2013")
    lasting = BINARY.model_copy(update={"persists": True})
    assert reached(table, lasting, units(a="2011")) == {("a", "2011"): 0, ("a", "2012"): 1, ("a", "2013"): 1}


def test_counts_add_up_within_a_period() -> None:
    table = outcomes(("a", "2012-03", 2.0), ("a", "2012-05-01", 3.0), until="2012")
    assert reached(table, Outcome(label="laws", type="count"), units(a="2012")) == {("a", "2012"): 5}


def test_a_level_is_averaged_and_missing_where_it_was_not_measured() -> None:
    table = outcomes(("a", "2010", -1.5), ("a", "2012-01", 1.0), ("a", "2012-02", 2.0), until="2012", direction=0)
    spec = Outcome(label="score", type="continuous")
    assert reached(table, spec, units(a="2010")) == {("a", "2010"): -1.5, ("a", "2012"): 1.5}


def test_events_against_the_demand_do_not_count_as_progress() -> None:
    table = outcomes(("a", "2012", 1.0), until="2012", direction=-1)
    assert reached(table, BINARY, units(a="2012")) == {("a", "2012"): 0}
    against = BINARY.model_copy(update={"direction": -1})
    assert reached(table, against, units(a="2012")) == {("a", "2012"): 1}


@pytest.mark.parametrize(
    ("time", "said"), [("", "is dated to no single year"), ("2009", "comes before its unit is observed")]
)
def test_an_outcome_that_fits_no_period_is_refused(time: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        change(outcomes(("a", time, 1.0), until="2012"), units(a="2010"), {"law": BINARY}, "year")


def exposure(reported: pd.DataFrame, spec: Exposure, lag: int = 1, ids: str = "ab") -> dict[tuple[str, int], float]:
    rows = exposure_by_period(reported, pd.Index(list(ids)), np.arange(40, 46), spec, lag, "year")
    return dict(zip(zip(rows["unit_id"], rows["number"], strict=True), rows["value"], strict=True))


POSTS = Exposure(label="posts", indicators=["posts"], aggregate="sum")
VALUES = process(("a", "2010", 1.0), ("a", "2011", 2.0), ("a", "2013", 4.0), ("b", "2012", 8.0))


def test_the_default_exposure_is_the_value_of_the_period_before() -> None:
    assert exposure(VALUES, POSTS) == {("a", 41): 1, ("a", 42): 2, ("a", 44): 4, ("b", 43): 8}


def test_a_window_of_two_adds_the_two_periods_before() -> None:
    spec = POSTS.model_copy(update={"window": 2})
    assert exposure(VALUES, spec, ids="a") == {("a", 41): 1, ("a", 42): 3, ("a", 43): 2, ("a", 44): 4, ("a", 45): 4}


def test_a_window_of_all_carries_the_last_value_forward() -> None:
    spec = POSTS.model_copy(update={"window": "all", "aggregate": "last"})
    assert exposure(VALUES, spec, ids="a") == {("a", 41): 1, ("a", 42): 2, ("a", 43): 2, ("a", 44): 4, ("a", 45): 4}


def test_having_had_it_ever_before_never_ends_and_a_value_of_zero_does_not_start_it() -> None:
    spec = POSTS.model_copy(update={"window": "all", "transform": "present"})
    values = process(("a", "2010", 0.0), ("a", "2012", 7.0))
    assert exposure(values, spec, ids="a") == {("a", 43): 1, ("a", 44): 1, ("a", 45): 1}


def test_a_value_that_spans_several_periods_explains_nothing() -> None:
    reported = process(("a", "2010", 1.0)).assign(end=pd.Timestamp("2011-12-31"))
    assert exposure(reported, POSTS) == {}


def test_a_mean_of_independent_measurements_has_the_error_of_a_mean() -> None:
    reported = process(("a", "2010", 1.0), ("a", "2011", 3.0), std_error=0.6, counting="level")
    spec = POSTS.model_copy(update={"aggregate": "mean", "window": 2})
    rows = exposure_by_period(reported, pd.Index(["a"]), np.array([41, 42]), spec, 1, "year")
    assert rows["value"].tolist() == [1.0, 2.0]
    assert rows["std_error"].to_numpy() == pytest.approx([0.6, 0.6 / np.sqrt(2)])


def test_levels_are_not_added_up() -> None:
    reported = process(("a", "2010", 1.0), counting="level")
    with pytest.raises(InputError, match="adds up cumulative values or levels"):
        linked(reported, POSTS, "strict")


def linked(reported: pd.DataFrame, spec: Exposure, order: Any) -> pd.DataFrame:
    launched = units(a="2010", b="2010")
    changed = change(outcomes(("a", "2015", 1.0), ("b", "2015", 1.0), until="2015"), launched, {"law": BINARY}, "year")
    return link(reported, changed, launched, {"posts": spec}, order, "year")


def test_the_naive_order_uses_the_period_of_the_outcome_itself() -> None:
    found = linked(VALUES, POSTS, "naive").set_index(["unit_id", "period"])["value"].to_dict()
    assert found == {("a", "2010"): 1, ("a", "2011"): 2, ("a", "2013"): 4, ("b", "2012"): 8}


def test_a_lead_is_no_strict_exposure() -> None:
    lead = POSTS.model_copy(update={"time_order": "naive", "lag": -1})
    assert linked(VALUES, lead, "strict").empty
    found = linked(VALUES, lead, "naive").set_index(["unit_id", "period"])["value"].to_dict()
    assert found == {("a", "2010"): 2, ("a", "2012"): 4, ("b", "2011"): 8}


days = st.dates(pd.Timestamp("2010-01-01").date(), pd.Timestamp("2015-12-31").date())
texts = st.builds(lambda day, length: f"{day}"[:length], days, st.sampled_from([4, 7, 10]))


@given(
    st.lists(st.tuples(st.sampled_from("ab"), texts, st.floats(0, 9)), min_size=1, max_size=12),
    st.sampled_from([1, 2, 3]),
    st.sampled_from([1, 2, "all"]),
)
def test_every_strict_exposure_is_dated_before_its_period(
    values: list[tuple[str, str, float]], lag: int, window: Any
) -> None:
    spec = POSTS.model_copy(update={"lag": lag, "window": window})
    found = linked(process(*values), spec, "strict")
    assert (found["exposure_as_of"] < found["outcome_date"]).all()
    assert (found["n_values"] > 0).all()


@given(
    st.lists(st.tuples(st.sampled_from("ab"), texts, st.integers(0, 9).map(float)), min_size=1, max_size=12),
    st.sampled_from([1, 3, "all"]),
)
def test_sums_equal_those_of_a_loop_over_the_values(values: list[tuple[str, str, float]], window: Any) -> None:
    reported = process(*values)
    found = exposure(reported, POSTS.model_copy(update={"window": window}))
    years = reported["start"].dt.year - 1970
    for unit in "ab":
        for period in range(40, 46):
            first = -999 if window == "all" else period - window
            inside = (reported["unit_id"] == unit) & (years >= first) & (years <= period - 1)
            expected = reported.loc[inside, "value"].sum() if inside.any() else None
            assert found.get((unit, period)) == expected


@given(st.lists(days, min_size=1, max_size=5), st.sampled_from(["day", "month", "quarter", "year"]))
def test_names_of_periods_sort_in_time_and_can_be_read_back(chosen: list[Any], grain: str) -> None:
    day = pd.Series(pd.to_datetime(sorted(chosen)))
    numbers = period_numbers(day, day, grain)
    names = period_names(numbers, grain)
    assert list(names) == sorted(names)
    assert numbered(names).tolist() == numbers.tolist()
