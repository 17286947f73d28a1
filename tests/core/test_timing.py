"""Whether a count comes before a success is said only where both dates allow it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from derived import Derived, small_tables

from analysis.change import change
from analysis.engagement import engagement, measurement
from analysis.study.spec import Outcome, Study
from analysis.tables import CanonicalTables
from analysis.timing import counts_follow_success, exposed, timing

IMPROVED = {"improved": Outcome(label="improved", type="binary")}
VALUES = [
    ("2014-05-08", "before", -2), ("2014-05-10", "order uncertain", np.nan), ("2014-05", "order uncertain", np.nan),
    ("2014", "order uncertain", np.nan), ("2014-04", "before", -10), ("2013", "before", -130),
    ("2014-05-13", "after", 1), ("2014-06", "after", 20), ("", "undated", np.nan),
]  # fmt: skip


@pytest.fixture
def canonical() -> CanonicalTables:
    process = [{"unit_id": "a", "time": time, "value": 5} for time, _, _ in VALUES]
    outcomes = [
        {"unit_id": "a", "time": "2014-05-10", "observed_until": "2015"},
        {
            "unit_id": "b",
            "time": "",
            "stage": 0,
            "direction": 0,
            "indicator": "none_observed",
            "observed_until": "2015",
        },
    ]
    process.append({"unit_id": "b", "time": "2014", "value": 5})
    return small_tables({"a": "2013", "b": "2013"}, process, outcomes)


def test_the_order_of_a_value_and_the_first_improvement(canonical: CanonicalTables) -> None:
    changed = change(canonical.outcomes, canonical.units, IMPROVED)
    changed["event_end"] += pd.to_timedelta([2, 0], unit="D")
    rows = timing(engagement(canonical.process), changed).set_index(["unit_id", "time"])
    for time, order, days in VALUES:
        assert rows.loc[("a", time), "order"] == order, time
        np.testing.assert_equal(rows.loc[("a", time), "days_after"], days)
    assert rows.loc[("b", "2014"), "order"] == "no improvement"


def test_the_shares_of_orders_add_up_and_units_count_once(canonical: CanonicalTables) -> None:
    changed = change(canonical.outcomes, canonical.units, IMPROVED)
    frame = pd.Series("all", index=pd.Index(["a", "b"], name="unit_id"))
    rows = {row.term: row for row in counts_follow_success(engagement(canonical.process), changed, frame)}
    orders = ["before", "order_uncertain", "after", "undated", "no_improvement"]
    assert sum(rows[order].estimate for order in orders) == pytest.approx(1)
    assert (rows["units_before"].estimate, rows["units_before"].n_obs) == (1.0, 1)
    assert (rows["improved_if_counted"].estimate, rows["improved_if_counted"].n_obs) == (0.5, 2)
    assert np.isnan(rows["improved_if_uncounted"].estimate)
    assert rows["improved_if_uncounted"].note == "not estimable: no rows"
    assert "empty" in rows["improved_difference"].note


def test_measurement_says_how_well_values_are_dated(canonical: CanonicalTables, derived: Derived) -> None:
    reported = engagement(canonical.process)
    a = reported[reported["unit_id"] == "a"].set_index("time")
    assert a.loc["2014-05-08", "uncertain_days"] == 0
    assert a.loc["2014-05", "uncertain_days"] == 30
    assert a.loc["2014", "uncertain_days"] == 364
    assert np.isnan(a.loc["", "uncertain_days"])
    assert not a.loc["", "dated"]
    frame = pd.Series("all", index=pd.Index(["a", "b"], name="unit_id"))
    rows = {(row.outcome, row.term): row for row in measurement(reported, frame)}
    assert rows["all", "values"].estimate == 10
    assert rows["all", "units"].estimate == 2
    assert rows["posts", "dated"].estimate == 0.9
    assert rows["posts", "dated_to_day"].estimate == 0.3
    assert ("all", "median") not in rows
    positive = derived.reported["value"] > 0
    np.testing.assert_allclose(
        10 ** derived.reported.loc[positive, "magnitude"], derived.reported.loc[positive, "value"]
    )


def test_the_share_exposed_leaves_out_units_that_are_not_in_the_risk_set(campaigns: Study) -> None:
    units = ["a", "b", "c", "d"]
    table = pd.DataFrame({"unit_id": units, "outcome": "improved", "excluded": ["", "", "", "no outcome row"]})
    table = table.assign(counted=[1.0, 0.0, 0.0, 1.0], counted_early=[1.0, 0.0, None, 1.0])
    rows = {row.term: row for row in exposed(campaigns, table, pd.Series("w4r", index=units))}
    assert rows["counted"].estimate == pytest.approx(1 / 3)
    assert (rows["counted_early"].estimate, rows["counted_early"].n_obs) == (0.5, 2)
