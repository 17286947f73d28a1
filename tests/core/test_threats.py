"""Delays, neighbours, heaps and reliability are what a count by hand gives, and no row order changes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import comb

import numpy as np
import pandas as pd
import pytest
from derived import Derived, derive, small_tables
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.dates import intervals
from analysis.engagement import engagement, measurement
from analysis.models.descriptive import Description
from analysis.models.estimates import Estimate
from analysis.study.spec import Study
from analysis.tables import PROCESS as PROCESS_TABLE
from analysis.tables import CanonicalTables
from analysis.threats import delay, interference

LAUNCHED = {"a": "2020-01-01", "b": "2020-01-21", "c": "2020-03-01", "d": "2020-03-01", "e": "2020-06-01"}
COUNTRY = {"a": "x", "b": "x", "c": "x", "d": "y", "e": "y"}
PROCESS = [
    {"unit_id": "a", "time": "2020-01-05", "value": 0},
    {"unit_id": "a", "time": "2020-01-11", "value": 3000},
    {"unit_id": "b", "time": "2020-03-01", "value": 1234},
    {"unit_id": "d", "time": "", "value": 4000},
]
NOTHING = {"stage": 0, "direction": 0, "indicator": "none_observed"}
OUTCOMES = [
    {"unit_id": "a", "time": "2020-02-10", "observed_until": "2020-12-31"},
    {"unit_id": "b", "time": "2020-02-10", "observed_until": "2020-12-31"},
    {"unit_id": "c", "time": "", **NOTHING, "observed_until": "2020-03-31"},
    {"unit_id": "d", "time": "2020-03-31", "observed_until": "2020-12-31"},
    {"unit_id": "e", "time": "", **NOTHING, "observed_until": "2020-06-21"},
]


@pytest.fixture(scope="module")
def study() -> Study:
    model = {"label": "m", "design": "lpm", "formula": "improved ~ counted", "cluster": "country"}
    return Study.model_validate(
        {
            "name": "small", "title": "Small", "question": "?", "summary": "Made up.",
            "source": {"adapter": "registry"},
            "unit": {"noun": "unit", "plural": "units", "attributes": ["country"]},
            "exposures": {
                "counted": {
                    "label": "a count", "indicators": ["posts"], "transform": "present", "aggregate": "max",
                    "absent": "zero", "time_order": "naive",
                }
            },
            "outcomes": {"improved": {"label": "improvement", "type": "binary"}},
            "models": {"m": model},
            "hypotheses": {
                "h": {
                    "statement": "s", "origin": ["o"], "expects": "zero", "smallest_effect": 1.0,
                    "decided_by": {"model": "m", "term": "counted"},
                }
            },
        }
    )  # fmt: skip


@pytest.fixture
def tables() -> CanonicalTables:
    made = small_tables(LAUNCHED, PROCESS, OUTCOMES)
    return replace(made, units=made.units.assign(country=made.units["unit_id"].map(COUNTRY)))


def described(study: Study, tables: CanonicalTables) -> dict[str, Estimate]:
    steps: Derived = derive(study, tables)
    frame = pd.Series("all", index=pd.Index(tables.units["unit_id"]))
    rows = delay(study, steps.reported, steps.changed, frame)
    rows += interference(study, tables.units, steps.analysis, frame)
    return {row.term: row for row in rows}


def test_delays_are_those_counted_by_hand(study: Study, tables: CanonicalTables) -> None:
    rows = described(study, tables)
    assert (rows["censored"].estimate, rows["censored"].n_obs) == (0.4, 5)
    # 40, 20 and 30 days to an event, 30 and 20 without one; 30 after a's first count above zero, and 20 before b's.
    assert (rows["days_to_change"].estimate, rows["days_to_change"].n_obs) == (30.0, 3)
    assert (rows["days_followed"].estimate, rows["days_followed"].n_obs) == (25.0, 2)
    assert (rows["days_from_engagement"].estimate, rows["days_from_engagement"].n_obs) == (5.0, 2)


def test_neighbours_are_those_counted_by_hand(study: Study, tables: CanonicalTables) -> None:
    rows = described(study, tables)
    # Counted are a, b and d. a and b are neighbours, d has none that is counted; c has a and b, and e has d.
    assert (rows["counted:country:exposed"].estimate, rows["counted:country:exposed"].n_obs) == (2 / 3, 3)
    assert (rows["counted:country:unexposed"].estimate, rows["counted:country:unexposed"].n_obs) == (1.0, 2)
    # b began 20 days after a; c 40 days after b; e 92 days after d.
    assert (rows["country:launched_near"].estimate, rows["country:launched_near"].n_obs) == (0.2, 5)


def test_over_time_a_neighbour_is_exposed_in_the_same_period(study: Study) -> None:
    unit = study.unit.model_copy(update={"grain": "year"})
    outcome = study.outcomes["improved"].model_copy(update={"persists": True})
    panel = study.model_copy(update={"unit": unit, "outcomes": {"improved": outcome}})
    cells = [("a", "2020", 1), ("a", "2021", 1), ("b", "2020", 0), ("b", "2021", 1), ("d", "2020", 1), ("d", "2021", 0)]
    table = pd.DataFrame(cells, columns=["unit_id", "period", "counted"])
    table = table.assign(outcome="improved", excluded="", country=table["unit_id"].map(COUNTRY))
    units = pd.DataFrame({"unit_id": ["a", "b", "d"], "launched_start": pd.NaT})
    frame = pd.Series("all", index=pd.Index(units["unit_id"]))
    rows = {row.term: row for row in interference(panel, units, table, frame)}
    assert set(rows) == {"counted:country:exposed", "counted:country:unexposed"}
    assert (rows["counted:country:exposed"].estimate, rows["counted:country:exposed"].n_obs) == (0.5, 4)
    assert (rows["counted:country:unexposed"].estimate, rows["counted:country:unexposed"].n_obs) == (0.5, 2)
    assert np.isnan(rows["counted:country:exposed"].ci_low)


def test_over_time_only_what_stays_has_a_delay(study: Study) -> None:
    outcomes = {
        "improved": study.outcomes["improved"].model_copy(update={"persists": True}),
        "again": study.outcomes["improved"],
    }
    unit = study.unit.model_copy(update={"grain": "year"})
    panel = study.model_copy(update={"unit": unit, "outcomes": outcomes})
    years = pd.to_datetime(["2020-01-01", "2021-01-01", "2020-01-01", "2021-01-01"])
    changed = pd.DataFrame(
        {
            "unit_id": ["a", "a", "b", "b"], "period": ["2020", "2021"] * 2, "event": [False, True, False, False],
            "event_start": years, "event_end": years, "before_launch": False,
        }
    )  # fmt: skip
    changed = pd.concat([changed.assign(outcome=name) for name in outcomes])
    reported = engagement(small_tables({"a": "2020"}, [{"unit_id": "a", "time": "2020-12-02", "value": 1}], [
        {"unit_id": "a", "time": "2021", "observed_until": "2021"},
    ]).process)  # fmt: skip
    frame = pd.Series("all", index=pd.Index(["a", "b"], name="unit_id"))
    rows = delay(panel, reported, changed, frame)
    assert [(row.outcome, row.term, row.estimate, row.n_obs) for row in rows] == [
        ("improved", "censored", 0.5, 2), ("improved", "days_from_engagement", 30.0, 1),
    ]  # fmt: skip


def test_units_that_begin_on_one_day_are_near_each_other(study: Study, tables: CanonicalTables) -> None:
    together = tables.units.assign(launched_start=pd.Timestamp("2020-01-01"), launched_end=pd.Timestamp("2020-01-01"))
    rows = described(study, replace(tables, units=together))
    assert rows["country:launched_near"].estimate == 1.0


@pytest.fixture(scope="module")
def steps(study: Study) -> tuple[CanonicalTables, Derived]:
    made = small_tables(LAUNCHED, PROCESS, OUTCOMES)
    made = replace(made, units=made.units.assign(country=made.units["unit_id"].map(COUNTRY)))
    return made, derive(study, made)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_and_index_of_rows_change_nothing(
    study: Study, steps: tuple[CanonicalTables, Derived], seed: int
) -> None:
    made, derived = steps

    def told(mixed: Callable[[pd.DataFrame], pd.DataFrame]) -> str:
        frame = pd.Series("all", index=pd.Index(mixed(made.units)["unit_id"]))
        rows = delay(study, mixed(derived.reported), mixed(derived.changed), frame)
        return str([*rows, *interference(study, mixed(made.units), mixed(derived.analysis), frame)])

    assert told(lambda table: table.sample(frac=1, random_state=seed).set_axis([7] * len(table))) == told(lambda t: t)


def test_whole_thousands_are_counted_among_exact_counts_of_a_thousand_and_more(tables: CanonicalTables) -> None:
    frame = pd.Series("all", index=pd.Index(tables.units["unit_id"]))
    rows = {(row.outcome, row.term): row for row in measurement(engagement(tables.process), frame)}
    assert (rows["posts", "heaped"].estimate, rows["posts", "heaped"].n_obs) == (2 / 3, 3)
    assert ("all", "heaped") not in rows
    assert (rows["posts", "unreported"].estimate, rows["posts", "unreported"].n_obs) == (0.4, 5)
    rounded = tables.process.assign(value_type="rounded")
    assert not any(row.term == "heaped" for row in measurement(engagement(rounded), frame))


UNITS = 2000


def scores(unit_sd: float, year_sd: float, error: float, years: int) -> list[Estimate]:
    random = np.random.default_rng(20110125)
    level = np.repeat(random.normal(0, unit_sd, UNITS), years) + random.normal(0, year_sd, UNITS * years)
    process = pd.DataFrame(
        {
            "unit_id": np.repeat([f"u{i:04d}" for i in range(UNITS)], years), "indicator": "score",
            "time": [str(2000 + i % years) for i in range(UNITS * years)], "source": "s",
            "value": level + random.normal(0, error, UNITS * years), "std_error": error, "value_type": "exact",
            "counting": "level", "scope": "country", "grade": "A",
        }
    )  # fmt: skip
    process["start"], process["end"] = intervals(process["time"])
    frame = pd.Series("all", index=pd.Index(process["unit_id"].unique()))
    return measurement(engagement(process[list(PROCESS_TABLE.columns)]), frame)


def test_planted_reliability_is_recovered() -> None:
    rows = {row.term: row for row in scores(1.0, 0.5, 0.6, 10) if row.outcome == "score"}
    assert rows["reliability"].estimate == pytest.approx(1.25 / (1.25 + 0.36), abs=0.025)
    assert rows["reliability_within"].estimate == pytest.approx(0.25 / (0.25 + 0.36), abs=0.025)
    assert rows["reliability"].n_obs == 10 * UNITS


def test_reliability_within_units_needs_several_values_of_each() -> None:
    terms = {row.term for row in scores(1.0, 0.5, 0.6, 2) if row.outcome == "score"}
    assert "reliability" in terms
    assert "reliability_within" not in terms


@pytest.mark.parametrize("n", [6, 7, 10, 25, 60, 101])
def test_the_interval_of_a_median_is_the_narrowest_of_its_kind_that_covers(n: int) -> None:
    told = Description("m", "o")
    told.median("t", pd.Series(range(1, n + 1)), "median")
    (row,) = told.rows
    low, high = int(row.ci_low), int(row.ci_high)
    assert low + high == n + 1
    below = [sum(comb(n, i) for i in range(rank)) / 2**n for rank in (low, low + 1)]
    assert 1 - 2 * below[0] >= 0.95 > 1 - 2 * below[1]
    assert (row.estimate, row.n_obs) == ((n + 1) / 2, n)


def test_a_median_of_few_values_has_no_interval_and_one_of_none_says_so() -> None:
    told = Description("m", "o")
    told.median("few", pd.Series([1.0, 2.0, np.nan, 4.0]), "median")
    told.median("none", pd.Series([np.nan]), "median")
    few, none = told.rows
    assert (few.estimate, few.n_obs) == (2.0, 3)
    assert np.isnan(few.ci_low)
    assert (none.n_obs, none.note) == (0, "not estimable: no rows")
