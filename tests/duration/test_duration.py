"""The duration designs find what was planted, show what immortal time does, and refuse what cannot be estimated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import MODELS, make_data, make_study
from statsmodels.duration.survfunc import SurvfuncRight

from analysis.figures_duration import first_events_figure, hazard_ratio_figure
from analysis.models.curves import competing_risks, kaplan_meier
from analysis.models.duration import DurationData, first_events, fit_durations
from analysis.study.spec import Study

Planted = Callable[..., DurationData]


def rows_of(table: pd.DataFrame, model: str) -> pd.DataFrame:
    return table[table["model"] == model].set_index("term")


@pytest.fixture(scope="module")
def null(study: Study, planted: Planted) -> pd.DataFrame:
    return fit_durations(study, planted(0.0))


@pytest.mark.parametrize("model", ["hazard", "cox"])
def test_count_that_does_nothing_is_found_to_do_nothing(null: pd.DataFrame, model: str) -> None:
    row = rows_of(null, model).loc["counted"]
    assert abs(row["estimate"]) < 2 * row["std_error"]
    assert row["std_error"] < 0.15


@pytest.mark.parametrize("model", ["hazard_ever", "cox_ever"])
def test_immortal_time_makes_it_look_harmful(null: pd.DataFrame, model: str) -> None:
    assert rows_of(null, model).loc["counted", "ci_high"] < -0.5


@pytest.fixture(scope="module")
def helped(study: Study, planted: Planted) -> pd.DataFrame:
    return fit_durations(study, planted(0.7))


@pytest.mark.parametrize("model", ["hazard", "cox"])
def test_planted_effect_of_being_counted_is_recovered(helped: pd.DataFrame, model: str) -> None:
    fitted = rows_of(helped, model).loc["counted"]
    assert fitted["ci_low"] < 0.7 < fitted["ci_high"]
    assert fitted["ci_low"] > 0


def test_dates_of_month_precision_cost_little_and_their_extremes_bracket_the_estimate(
    helped: pd.DataFrame, planted: Planted
) -> None:
    exact = rows_of(helped, "hazard")
    coarse = rows_of(fit_durations(make_study({"hazard": MODELS["hazard"]}), planted(0.7, precision=7)), "hazard")
    assert "counted:early_dates" not in exact.index
    assert abs(coarse.loc["counted", "estimate"] - exact.loc["counted", "estimate"]) < exact.loc["counted", "std_error"]
    early, late = coarse.loc["counted:early_dates", "estimate"], coarse.loc["counted:late_dates", "estimate"]
    assert early < coarse.loc["counted", "estimate"] < late


def test_errors_are_clustered_where_clusters_are_enough(planted: Planted) -> None:
    study = make_study({"hazard": MODELS["hazard"]})
    data = planted(0.0, n=200)
    assert rows_of(fit_durations(study, data), "hazard").loc["counted", "vcov"] == "CRV1(country)"
    few = replace(data, table=data.table.assign(country=data.table["country"].str[:2]))
    row = rows_of(fit_durations(study, few), "hazard").loc["counted"]
    assert (row["vcov"], row["n_clusters"]) == ("information matrix", 10)


def test_copies_of_units_within_their_clusters_add_no_precision() -> None:
    study = make_study({"hazard": MODELS["hazard"]})
    rng = np.random.default_rng(4)
    days = (np.datetime64("2020-01-02") + rng.integers(0, 300, (40, 2))).astype(str)

    def fitted(copies: int) -> pd.Series:
        names = [f"u{i}-{copy}" for i in range(40) for copy in range(copies)]
        of = {name: int(name[1:].split("-")[0]) for name in names}
        counts = [(name, days[i, 0], 1.0) for name, i in of.items()]
        events = [(name, days[i, 1] if i % 4 else "-", "2020-12-31") for name, i in of.items()]
        country = {name: f"c{i}" for name, i in of.items()}
        data = make_data(study, dict.fromkeys(names, "2020-01-01"), counts, events, country=country)
        return rows_of(fit_durations(study, data), "hazard").loc["counted"]

    once, thrice = fitted(1), fitted(3)
    assert (thrice["n_units"], thrice["n_clusters"]) == (120, 40)
    assert thrice["estimate"] == pytest.approx(once["estimate"], abs=1e-8)
    assert thrice["std_error"] == pytest.approx(once["std_error"], rel=1e-8)


def test_first_of_two_outcomes_is_the_earlier_and_on_a_tie_the_outcome_itself() -> None:
    columns = ["unit_id", "event", "stop"]
    own = pd.DataFrame([("a", True, 5.0), ("b", True, 9.0), ("c", True, 7.0), ("d", False, 20.0)], columns=columns)
    other = pd.DataFrame([("a", False, 20.0), ("b", True, 4.0), ("c", True, 7.0), ("d", False, 20.0)], columns=columns)
    first = competing_risks(own, other).set_index("unit_id")
    assert first["days"].to_dict() == {"a": 5.0, "b": 4.0, "c": 7.0, "d": 20.0}
    assert first["status"].to_dict() == {"a": 1, "b": 2, "c": 1, "d": 0}
    assert first["tied"].to_dict() == {"a": False, "b": False, "c": True, "d": False}


def test_curves_add_up_and_the_competing_one_takes_its_share(null: pd.DataFrame) -> None:
    first, alone = rows_of(null, "first"), rows_of(null, "curve")
    for days in (91, 182):
        own, other = (first.loc[f"{name}_within_{days}:early_dates"] for name in ("improved", "backlash"))
        assert own["estimate"] + other["estimate"] < 1
        assert own["estimate"] < alone.loc[f"within_{days}:early_dates", "estimate"]
        assert own["ci_low"] < own["estimate"] < own["ci_high"]
    assert alone.loc["within_182:early_dates", "estimate"] == pytest.approx(1 - np.exp(-0.004 * 182), abs=0.04)
    assert "nobody was followed for 730 days" in alone.loc["within_730:early_dates", "note"]


def test_what_brings_backlash_lowers_the_share_that_improves_first(null: pd.DataFrame) -> None:
    row = rows_of(null, "fine_gray").loc["kind[T.bold]"]
    assert row["ci_high"] < 0
    assert row["vcov"] == "CRV1(unit_id), weights taken as known"


@pytest.mark.parametrize("seed", range(5))
def test_the_median_and_its_interval_are_those_of_statsmodels(seed: int) -> None:
    random = np.random.default_rng(seed)
    days, event = random.integers(1, 60, 80).astype(float), random.random(80) < 0.8
    reference = SurvfuncRight(days, event.astype(int))
    expected = [reference.quantile(0.5), *reference.quantile_ci(0.5, method="cloglog")]
    np.testing.assert_array_equal(kaplan_meier(pd.Series(days), pd.Series(event)).median(), expected)


def test_a_median_that_nobody_reached_has_no_number(null: pd.DataFrame) -> None:
    study = make_study(MODELS)
    dates = ["2020-01-20", "-", "-", "-", "-", "-", "-", "-"]
    events = [(u, day, "2020-12-31") for u, day in zip(LAUNCHED, dates, strict=True)]
    row = rows_of(fit_durations(study, make_data(study, LAUNCHED, COUNTS, events)), "curve").loc["median:early_dates"]
    assert np.isnan(row["estimate"])
    assert row["note"] == "not estimable: fewer than half had the event while they were followed"
    assert np.isfinite(rows_of(null, "curve").loc["median:early_dates", "estimate"])


def test_attributes_may_have_the_names_of_what_happened(planted: Planted, null: pd.DataFrame) -> None:
    data = planted(0.0)
    named = replace(data, table=data.table.assign(status="closed", days="many", tied="no"))
    again = fit_durations(make_study(MODELS), named)
    pd.testing.assert_frame_equal(rows_of(again, "fine_gray"), rows_of(null, "fine_gray"))


def test_without_a_dated_exposure_the_figure_is_of_what_units_are(planted: Planted) -> None:
    study = make_study({"kinds": {"design": "cox", "formula": "improved ~ kind"}})
    found = fit_durations(study, planted(0.0))
    ratio = rows_of(found, "kinds").loc["kind[T.bold]"]
    differ = int(not ratio["ci_low"] <= 0 <= ratio["ci_high"])
    label = str(hazard_ratio_figure(found, study).get_label())
    assert label.startswith(f"{differ} of 1 hazard ratios differ from one, by what the units are")


def test_changing_hazard_ratio_is_said_in_the_note() -> None:
    study = make_study({"cox": {"design": "cox", "formula": "improved ~ kind"}})
    rng = np.random.default_rng(2)
    bold = [f"b{i:03d}" for i in range(150)]
    plain = [f"p{i:03d}" for i in range(150)]
    days = [*rng.integers(1, 60, 75), *rng.integers(300, 360, 75), *rng.integers(60, 300, 150)]
    when = (np.datetime64("2020-01-01") + np.array(days)).astype(str)
    names = [*bold, *plain]
    events = [(u, day, "2020-12-31") for u, day in zip(names, when, strict=True)]
    data = make_data(study, dict.fromkeys(names, "2020-01-01"), [(names[0], "2021-01-01", 1.0)], events,
                     kind={**dict.fromkeys(bold, "bold"), **dict.fromkeys(plain, "plain")})  # fmt: skip
    fitted = rows_of(fit_durations(study, data), "cox")
    assert fitted.loc["proportional_hazards", "p_value"] < 0.001
    assert "hazards are not proportional" in fitted.loc["kind[T.bold]", "note"]


def test_results_do_not_depend_on_the_order_or_index_of_rows(study: Study, planted: Planted) -> None:
    data = planted(0.3, n=100, precision=7)
    rng = np.random.default_rng(0)

    def shuffled(table: pd.DataFrame) -> pd.DataFrame:
        return table.iloc[rng.permutation(len(table))].set_axis(rng.permutation(len(table)) + 7)

    again = DurationData(*(shuffled(table) for table in (data.table, data.changed, data.reported, data.units)))
    pd.testing.assert_frame_equal(fit_durations(study, data), fit_durations(study, again), rtol=1e-9)


def test_landmark_exposure_puts_units_at_risk_after_it(planted: Planted) -> None:
    study = make_study({"cox": {"design": "cox", "formula": "improved ~ early"}})
    row = rows_of(fit_durations(study, planted(0.0)), "cox").loc["early"]
    assert abs(row["estimate"]) < 2.5 * row["std_error"]
    assert row["n_units"] < 600
    assert "event or end of observation before day 31" in row["note"]


LAUNCHED = dict.fromkeys("abcdefgh", "2020-01-01")
NOTHING = [(u, "-", "2020-12-31") for u in LAUNCHED]
COUNTS = [(u, "2020-02-01", 5.0) for u in "abcd"]


@pytest.mark.parametrize("model", list(MODELS))
def test_all_censored_is_refused_in_the_note(model: str) -> None:
    study = make_study({model: MODELS[model]})
    table = fit_durations(study, make_data(study, LAUNCHED, COUNTS, NOTHING))
    assert table["estimate"].isna().all()
    assert table["note"].str.startswith("not estimable: all censored: none of 8 units had an event").all()


@pytest.mark.parametrize(
    ("counts", "events", "reason"),
    [
        ([("a", "2022-01-01", 1.0)], [(u, "2020-05-01", "2020-12-31") for u in LAUNCHED], "no variation: counted is 0"),
        (COUNTS, [(u, "2019-05-01", "2020-12-31") for u in LAUNCHED], "no units at risk"),
        (COUNTS, [(u, "2020-05-01" if u > "d" else "-", "2020-12-31") for u in LAUNCHED], "has no maximum"),
    ],
)
@pytest.mark.parametrize("model", ["hazard", "cox"])
def test_what_cannot_be_estimated_says_why(model: str, counts: list[Any], events: list[Any], reason: str) -> None:
    study = make_study({model: MODELS[model]})
    table = fit_durations(study, make_data(study, LAUNCHED, counts, events))
    row = rows_of(table, model).loc["counted"]
    assert np.isnan(row["estimate"])
    assert row["note"].startswith("not estimable: ")
    assert reason in row["note"]


def test_few_events_are_said_in_the_note() -> None:
    study = make_study({"cox": MODELS["cox"]})
    dates = ["2020-01-20", "2020-03-20", "2020-04-20", "-", "2020-02-20", "2020-05-20", "-", "-"]
    events = [(u, day, "2020-12-31") for u, day in zip(LAUNCHED, dates, strict=True)]
    row = rows_of(fit_durations(study, make_data(study, LAUNCHED, COUNTS, events)), "cox").loc["counted"]
    assert "only 5 events for 1 coefficients" in row["note"]


def test_figures_state_what_the_estimates_say(study: Study, planted: Planted, null: pd.DataFrame) -> None:
    label = str(hazard_ratio_figure(null, study).get_label())
    fair, ever = (np.exp(rows_of(null, model).loc["counted", "estimate"]) for model in ("hazard", "hazard_ever"))
    assert f"a count so far: {fair:.2f}" in label
    assert f"immortal time makes that {ever:.2f}" in label
    label = str(first_events_figure(first_events(study, planted(0.0)), study).get_label())
    share = rows_of(null, "first").loc["improved_within_91:early_dates", "n_units"]
    assert share == 600
    assert "Improvement: " in label
    assert "backlash: " in label
