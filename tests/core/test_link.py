"""An exposure comes surely before the outcome that it is to explain."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from derived import Derived, derive, shuffled, small_tables
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from analysis.change import change
from analysis.dates import intervals
from analysis.engagement import engagement
from analysis.errors import InputError
from analysis.link import analysis_table, link, time_ordered
from analysis.study.spec import Covariate, Exposure, Outcome, Study
from analysis.tables import CanonicalTables

Row = dict[str, Any]
NOTHING: Row = {"indicator": "none_observed", "time": "", "stage": 0, "direction": 0}
EXPOSURES = {
    "posts": Exposure(label="posts", indicators=["posts"], aggregate="max"),
    "early": Exposure(label="early posts", indicators=["posts"], aggregate="last", landmark_days=90),
    "any": Exposure(label="any", indicators=["posts"], transform="present", aggregate="max", absent="zero"),
    "any_early": Exposure(
        label="any early", indicators=["posts"], transform="present", aggregate="max", absent="zero", landmark_days=90
    ),
}
OUTCOMES = {
    "improved": Outcome(label="improved", type="binary"),
    "policy": Outcome(label="policy", type="binary", min_stage=4),
}

DAYS = pd.date_range("2013-10-01", "2015-03-31").strftime("%Y-%m-%d").to_numpy()
seeds = st.integers(0, 2**32 - 1)
DRAWN = settings(deadline=None, phases=[Phase.generate])  # a smaller seed is not a simpler case


def some_dates(random: np.random.Generator, n: int, lengths: list[int]) -> list[str]:
    return [day[:k] for day, k in zip(random.choice(DAYS, n), random.choice(lengths, n), strict=True)]


def random_tables(seed: int, lengths: list[int]) -> tuple[dict[str, str], list[Row], list[Row]]:
    """Draw launches, values and outcomes of 40 units, 30 of them followed, with dates of the given lengths."""
    random = np.random.default_rng(seed)
    units = [f"u{i:02d}" for i in range(40)]
    process: list[Row] = [
        {"unit_id": unit, "time": time, "value": int(value)}
        for unit, time, value in zip(
            random.choice(units, 120), some_dates(random, 120, lengths), random.integers(0, 10**6, 120), strict=True
        )
    ]
    outcomes: list[Row] = [
        {"unit_id": unit, "time": time, "stage": int(stage), "indicator": f"code{stage}", "observed_until": "2016"}
        for unit, time, stage in zip(
            units[:20], some_dates(random, 20, lengths), random.integers(1, 6, 20), strict=True
        )
    ]
    nothing = [{**NOTHING, "unit_id": u, "observed_until": t} for u, t in zip(units[20:30], DAYS[::53], strict=False)]
    return dict(zip(units, some_dates(random, 40, lengths), strict=True)), process, outcomes + nothing


def linked(canonical: CanonicalTables, order: Any) -> pd.DataFrame:
    changed = change(canonical.outcomes, canonical.units, OUTCOMES)
    return link(engagement(canonical.process), changed, canonical.units, EXPOSURES, order)


def bare(campaigns: Study) -> Study:
    """Take the study's rules for a made-up source without attributes."""
    unit = campaigns.unit.model_copy(update={"attributes": [], "frame": None})
    return campaigns.model_copy(update={"unit": unit, "covariates": {}, "outcomes": OUTCOMES, "exposures": EXPOSURES})


def cells(rows: pd.DataFrame) -> set[tuple[str, str, str]]:
    return set(rows[["outcome", "exposure", "unit_id"]].itertuples(index=False, name=None))


@given(seeds)
@settings(DRAWN, max_examples=3)
def test_no_value_is_kept_that_may_not_come_before_the_event(seed: int) -> None:
    canonical = small_tables(*random_tables(seed, [0, 4, 7, 10]))
    changed = change(canonical.outcomes, canonical.units, OUTCOMES)
    for _, rows in changed.groupby("outcome"):
        kept = time_ordered(canonical.process, rows)
        limits = rows.set_index("unit_id").to_dict("index")
        expected = []
        for index, value in canonical.process.dropna(subset="start").iterrows():
            limit = limits.get(value["unit_id"])
            if (
                limit is None
                or (limit["event"] and value["end"] < limit["event_start"])
                or (not limit["event"] and value["end"] <= limit["observed_end"])
            ):
                expected.append(index)
        assert kept.index.tolist() == expected
        assert 0 < len(kept) < len(canonical.process)


@given(seeds)
@settings(DRAWN, max_examples=3)
def test_strict_exposures_are_a_part_of_the_naive_ones_and_dated_before_the_event(seed: int) -> None:
    canonical = small_tables(*random_tables(seed, [0, 4, 7, 10]))
    strict, naive = linked(canonical, "strict"), linked(canonical, "naive")
    assert cells(strict) < cells(naive)
    dated = strict.dropna(subset="outcome_date")
    assert not dated.empty
    assert (dated["exposure_as_of"] < dated["outcome_date"]).all()
    largest = strict[strict["exposure"] == "posts"].merge(naive, on=["outcome", "exposure", "unit_id"])
    assert (largest["value_x"] <= largest["value_y"]).all()


@given(seeds, st.sampled_from([4, 7]), st.sampled_from(["process", "outcomes", "both"]))
@settings(DRAWN, max_examples=3)
def test_knowing_dates_less_precisely_never_adds_a_strict_exposure(seed: int, length: int, which: str) -> None:
    launched, process, outcomes = random_tables(seed, [7, 10])
    random = np.random.default_rng(seed)

    def widened(rows: list[Row], name: str) -> list[Row]:
        if which not in (name, "both"):
            return rows
        return [{**row, "time": row["time"][:length]} if random.random() < 0.5 else row for row in rows]

    before = cells(linked(small_tables(launched, process, outcomes), "strict"))
    after = small_tables(launched, widened(process, "process"), widened(outcomes, "outcomes"))
    assert cells(linked(after, "strict")) <= before


def test_a_value_of_the_same_month_as_the_event_may_have_come_after_it() -> None:
    kept = {"2014-05-19": True, "2014-05-20": False, "2014-04": True, "2014-05": False, "2014": False, "": False}
    canonical = small_tables(
        {f"counted {time}": "2014-01-01" for time in kept},
        [{"unit_id": f"counted {time}", "time": time, "value": 5} for time in kept],
        [{"unit_id": f"counted {time}", "time": "2014-05-20", "observed_until": "2014-06"} for time in kept],
    )
    found = linked(canonical, "strict").query("outcome == 'improved' and exposure == 'posts'")
    assert set(found["unit_id"]) == {f"counted {time}" for time, is_kept in kept.items() if is_kept}


def test_units_not_surely_at_risk_at_the_landmark_have_no_early_exposure(campaigns: Study) -> None:
    landmark = date(2014, 1, 1) + timedelta(days=90)
    assert landmark == date(2014, 4, 1)
    event_times = ["", "2014-02-01", "2014-04-01", "2014-04-02", "2014-04", "2014-05", "2014", "2015"]
    last_days = ["2014-03-31", "2014-04-01", "2014-04-02", "2014-04", "2014", "2015"]
    cases = {f"{time or 'none'} {until}": (time, until) for time in event_times for until in last_days}
    units = {f"{case} {kind}": ends for case, ends in cases.items() for kind in ("counted", "uncounted")}
    canonical = small_tables(
        dict.fromkeys([*units, "unfollowed"], "2014-01-01"),
        [{"unit_id": unit, "time": "2014-01-15", "value": 5} for unit in units if unit.endswith(" counted")],
        [
            {**({"time": time} if time else NOTHING), "unit_id": unit, "observed_until": until}
            for unit, (time, until) in units.items()
        ],
    )
    early = derive(bare(campaigns), canonical).analysis.set_index(["outcome", "unit_id"]).loc["improved"]
    for unit, (time, until) in units.items():
        surely_later = date.fromisoformat(((time or until) + "-01-01")[:10]) > landmark
        counted = unit.endswith(" counted")
        row = early.loc[unit, ["early", "any_early"]].tolist()
        expected = [5.0 if counted else np.nan, float(counted)] if surely_later else [np.nan, np.nan]
        np.testing.assert_equal(row, expected, err_msg=unit)
        np.testing.assert_equal(early.loc[unit, "early_naive"], 5.0 if counted else np.nan)


def test_values_after_the_landmark_are_not_early() -> None:
    event = [{"unit_id": "a", "time": "2015-01-01", "observed_until": "2015-01-01"}]
    process = [
        {"unit_id": "a", "time": "2014-04-01", "value": 5},
        {"unit_id": "a", "time": "2014-04-02", "value": 50},
        {"unit_id": "a", "time": "2014-04", "value": 500},
    ]
    rows = linked(small_tables({"a": "2014-01-01"}, process, event), "strict").set_index(["outcome", "exposure"])
    assert rows.loc[("improved", "early"), "value"] == 5
    assert rows.loc[("improved", "posts"), "value"] == 500


def test_a_unit_without_a_launch_date_has_no_landmark() -> None:
    event = [{"unit_id": "a", "time": "2015-01-01", "observed_until": "2015-01-01"}]
    rows = linked(small_tables({"a": ""}, [{"unit_id": "a", "time": "2014-01-01", "value": 5}], event), "strict")
    assert set(rows["exposure"]) == {"posts", "any"}


@pytest.mark.parametrize(("aggregate", "value"), [("first", 9.0), ("last", 6.0), ("max", 9.0), ("sum", 16.0)])
def test_values_are_aggregated_in_the_order_of_their_dates(aggregate: Any, value: float) -> None:
    exposures = {"posts": Exposure(label="posts", indicators=["posts"], aggregate=aggregate)}
    process = [
        {"unit_id": "a", "time": "2014", "value": 6, "counting": "flow"},
        {"unit_id": "a", "time": "2014-01-01", "value": 9, "counting": "flow"},
        {"unit_id": "a", "time": "2014-02", "value": 1, "counting": "flow"},
    ]
    event = [{"unit_id": "a", "time": "2015", "observed_until": "2015"}]
    canonical = small_tables({"a": "2013"}, process, event)
    changed = change(canonical.outcomes, canonical.units, OUTCOMES)
    rows = link(engagement(canonical.process).iloc[::-1], changed, canonical.units, exposures, "strict")
    assert rows["value"].tolist() == [value, value]
    assert rows["n_values"].tolist() == [3, 3]


def test_cumulative_counts_are_not_added_up() -> None:
    exposures = {"posts": Exposure(label="posts", indicators=["posts"], aggregate="sum")}
    event = [{"unit_id": "a", "time": "2015", "observed_until": "2015"}]
    canonical = small_tables({"a": "2013"}, [{"unit_id": "a", "time": "2014", "value": 6}], event)
    changed = change(canonical.outcomes, canonical.units, OUTCOMES)
    with pytest.raises(InputError, match=r"exposures\.posts\.aggregate: 'sum': adds up cumulative values"):
        link(engagement(canonical.process), changed, canonical.units, exposures, "strict")


def test_the_logarithm_of_nothing_is_not_a_value() -> None:
    exposures = {"posts": Exposure(label="posts", indicators=["posts"], transform="log10")}
    process = [{"unit_id": "a", "time": "2014", "value": 0}, {"unit_id": "b", "time": "2014", "value": 1000}]
    event = [{"unit_id": unit, "time": "2015", "observed_until": "2015"} for unit in "ab"]
    canonical = small_tables({"a": "2013", "b": "2013"}, process, event)
    changed = change(canonical.outcomes, canonical.units, OUTCOMES)
    rows = link(engagement(canonical.process), changed, canonical.units, exposures, "strict")
    assert rows[["unit_id", "value"]].drop_duplicates().to_numpy().tolist() == [["b", 3.0]]


def test_every_unit_has_a_row_for_every_outcome(campaigns: Study, registry: CanonicalTables, derived: Derived) -> None:
    assert len(derived.analysis) == len(campaigns.outcomes) * len(registry.units)
    assert not derived.analysis.duplicated(["outcome", "unit_id"]).any()
    unmeasured = derived.analysis["excluded"] != ""
    assert (derived.analysis["value"].isna() == unmeasured).all()


def test_an_outcome_before_launch_is_refused_where_the_study_says_so(
    campaigns: Study, registry: CanonicalTables, derived: Derived
) -> None:
    unit = campaigns.unit.model_copy(update={"before_launch": "refuse"})
    study = campaigns.model_copy(update={"unit": unit})
    both: Any = {"strict": derived.strict, "naive": derived.naive}
    with pytest.raises(InputError) as refused:
        analysis_table(study, registry.units, derived.changed, registry.context, both)
    assert [p.value for p in refused.value.problems] == [
        "w4r-2013-yorm-bopha",
        "w4r-2014-paraskevi-kokoni",
        "w4r-2019-ibrahim-ezz-el-din",
    ]


def test_an_attribute_that_no_level_of_a_recode_holds_is_refused(
    campaigns: Study, registry: CanonicalTables, derived: Derived
) -> None:
    spec = Covariate(label="mode", attribute="modality", recode={"one": ["social_media"]}, reference="one")
    study = campaigns.model_copy(update={"covariates": {"mode": spec}})
    both: Any = {"strict": derived.strict, "naive": derived.naive}
    with pytest.raises(InputError) as refused:
        analysis_table(study, registry.units, derived.changed, registry.context, both)
    assert [p.value for p in refused.value.problems] == ["advocacy_network", "epistemic_community", "mixed"]
    assert {p.column for p in refused.value.problems} == {"covariates.mode.recode"}


def test_the_order_of_rows_changes_no_derived_table(
    campaigns: Study, registry: CanonicalTables, derived: Derived
) -> None:
    again = derive(campaigns, shuffled(registry, seed=11))
    for name in ("reported", "changed", "analysis"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(derived, name))
    for name in ("strict", "naive"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(derived, name))


def test_the_order_of_derived_rows_changes_no_analysis_table(
    campaigns: Study, registry: CanonicalTables, derived: Derived
) -> None:
    def mixed(table: pd.DataFrame) -> pd.DataFrame:
        return table.sample(frac=1, random_state=5).set_axis([0] * len(table), axis="index")

    both: Any = {
        order: link(mixed(derived.reported), mixed(derived.changed), mixed(registry.units), campaigns.exposures, order)
        for order in ("strict", "naive")
    }
    both = {order: mixed(rows) for order, rows in both.items()}
    again = analysis_table(campaigns, mixed(registry.units), mixed(derived.changed), registry.context, both)
    pd.testing.assert_frame_equal(again, derived.analysis)


@pytest.mark.parametrize("index", [0, 7])
def test_the_context_is_averaged_over_what_was_known_before_the_outcome(campaigns: Study, index: int) -> None:
    canonical = small_tables(
        {"a": "2013", "b": "2013-05-02", "c": "2013", "d": "2013"},
        [],
        [
            {"unit_id": "a", "time": "2015", "observed_until": "2016"},
            {**NOTHING, "unit_id": "b", "observed_until": "2014"},
            {"unit_id": "c", "time": "2014", "stage": 1, "observed_until": "2016"},
        ],
    )
    dated = [
        ("a", "2012", "x", 1.0), ("a", "2014", "x", 2.0), ("a", "2013", "y", 9.0),
        ("a", "2015", "x", 100.0),  # may come after the outcome, as that year is all that is known of both
        ("a", "2016", "x", 100.0),
        ("b", "2014", "x", 3.0), ("b", "2015", "x", 100.0), ("b", "", "x", 8.0), ("b", "2013-05-02", "x", 7.0),
        ("c", "2014-03", "x", 4.0), ("c", "2013", "x", 6.0),
        ("d", "2020", "x", 8.0),  # nobody followed d, so that nothing is known to come after its outcome
    ]  # fmt: skip
    context = pd.DataFrame(dated, columns=["unit_id", "time", "variable", "value"], index=[index] * len(dated))
    context["start"], context["end"] = intervals(context["time"].astype("str"))
    study = bare(campaigns).model_copy(update={"covariates": {"x": Covariate(label="x", context="x")}})
    found = derive(study, replace(canonical, context=context)).analysis.set_index(["unit_id", "outcome"])["x"]
    assert found["a"].tolist() == [1.5, 1.5]
    assert found["b"].tolist() == [6.0, 6.0]
    assert found["c", "improved"] == 6.0
    assert found["c", "policy"] == 5.0, "c never reached policy, so that all that is known of it comes before"
    assert found["d"].tolist() == [8.0, 8.0]


def test_a_context_value_of_the_day_of_launch_is_known_before_an_outcome_of_that_day(campaigns: Study) -> None:
    canonical = small_tables(
        {"a": "2013-05-02"}, [], [{"unit_id": "a", "time": "2013-05-02", "observed_until": "2016"}]
    )
    context = pd.DataFrame(
        {"unit_id": ["a", "a"], "time": ["2013-05-02", "2013-05"], "variable": "x", "value": [1.0, 9.0]}
    )
    context["start"], context["end"] = intervals(context["time"].astype("str"))
    study = bare(campaigns).model_copy(update={"covariates": {"x": Covariate(label="x", context="x")}})
    assert derive(study, replace(canonical, context=context)).analysis["x"].tolist() == [1.0, 1.0]
