"""The simulated world: its planted effects are there to be found, its traps are there to fall into."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from pydantic import ValidationError
from ruamel.yaml import YAML

from analysis.simulation import INDICATORS, LANDMARK_DAYS, RUNGS, as_published, engagement_range, simulate
from analysis.sources.benchmark import Options, load
from analysis.study import Study, read_study
from analysis.tables import CanonicalTables

ROOT = Path(__file__).parents[2]
STUDY_FILE = ROOT / "studies" / "benchmark.yml"
OPTIONS: dict[str, Any] = YAML(typ="safe").load(STUDY_FILE)["source"]["options"]
TRUTH = {rung: OPTIONS["outcomes"][rung].get("signatures", 0.0) for rung in RUNGS}
WORLDS = 40
CAMPAIGNS = 600


def options(**changes: object) -> Options:
    return Options.model_validate({**OPTIONS, "campaigns": CAMPAIGNS, **changes})


def draw(seed: int, **changes: object) -> CanonicalTables:
    return load(ROOT, options(**changes), seed)


def days_from_launch(table: pd.DataFrame, units: pd.DataFrame) -> pd.Series:
    launched = table["unit_id"].map(units.set_index("unit_id")["launched_start"])
    return (table["start"] - launched).dt.days


def log_engagement(process: pd.DataFrame) -> pd.DataFrame:
    """Log10 of the last running total, and of the summed flow, per campaign."""
    ordered = process.astype({"unit_id": "category", "indicator": "category"}).sort_values(["start", "value"])
    found = {}
    for indicator, values in ordered.groupby("indicator", observed=True):
        by_unit = values.groupby("unit_id", observed=True)["value"]
        found[indicator] = np.log10(by_unit.sum() if (values["counting"] == "flow").all() else by_unit.last())
    return pd.DataFrame(found)


def side_by_side(world: CanonicalTables, naive: bool) -> pd.DataFrame:
    """One row per followed campaign: outcomes, engagement by the landmark or of any date, confounders."""
    age = days_from_launch(world.process, world.units)
    process = world.process if naive else world.process[age < LANDMARK_DAYS]
    happened = pd.crosstab(world.outcomes["unit_id"], world.outcomes["indicator"]).reindex(columns=[*RUNGS])
    salience = world.context.set_index("unit_id")["value"].rename("salience")
    units = world.units.set_index("unit_id")
    return happened.join([log_engagement(process), salience, units], how="left").dropna()


def slopes(table: pd.DataFrame, outcome: str, exposures: list[str], adjusted: bool) -> dict[str, float]:
    columns = table[exposures]
    if adjusted:
        categories = pd.get_dummies(table["rights_category"], drop_first=True, dtype=float)
        columns = pd.concat([columns, table["salience"], categories], axis=1)
    fit = sm.OLS(table[outcome].to_numpy(float), sm.add_constant(columns.to_numpy(float))).fit(method="qr")
    return dict(zip(exposures, fit.params[1:], strict=False))


def estimates_of(seed: int) -> dict[tuple[str, str, str], float]:
    world = draw(seed)
    strict, naive = side_by_side(world, naive=False), side_by_side(world, naive=True)
    found: dict[tuple[str, str, str], float] = {}
    for outcome in RUNGS:
        for term, value in slopes(strict, outcome, ["signatures", "views"], adjusted=True).items():
            found["adjusted", outcome, term] = value
        for term, value in slopes(naive, outcome, ["signatures", "views"], adjusted=True).items():
            found["naive", outcome, term] = value
        for term in ("signatures", "views"):
            found["unadjusted", outcome, term] = slopes(strict, outcome, [term], adjusted=False)[term]
    for name, rows in strict.groupby(strict["rights_category"] == "CP"):
        found["adjusted", "backlash", f"posts where {name}"] = slopes(rows, "backlash", ["posts"], adjusted=True)[
            "posts"
        ]
    return found


@pytest.fixture(scope="module")
def estimates() -> pd.DataFrame:
    """Estimates of plain least squares, one row per world."""
    return pd.DataFrame([estimates_of(seed) for seed in range(WORLDS)])


@pytest.fixture(scope="module")
def world() -> CanonicalTables:
    return draw(7)


@pytest.fixture(scope="module")
def study() -> Study:
    return read_study(STUDY_FILE, root=ROOT)


def monte_carlo(estimates: pd.DataFrame, model: str, outcome: str, term: str, truth: float) -> float:
    """Bias in Monte Carlo standard errors."""
    drawn = estimates[model, outcome, term]
    return float((drawn.mean() - truth) / (drawn.std(ddof=1) / np.sqrt(len(drawn))))


LADDER = [rung for rung in RUNGS if rung != "backlash"]


@pytest.mark.parametrize("outcome", LADDER)
def test_adjusted_and_time_ordered_regression_recovers_the_planted_effect(
    estimates: pd.DataFrame, outcome: str
) -> None:
    assert abs(monte_carlo(estimates, "adjusted", outcome, "signatures", TRUTH[outcome])) < 3


@pytest.mark.parametrize("outcome", LADDER)
def test_views_have_no_effect_once_salience_is_held_fixed(estimates: pd.DataFrame, outcome: str) -> None:
    assert abs(monte_carlo(estimates, "adjusted", outcome, "views", 0.0)) < 3


def test_backlash_is_found_where_it_was_planted_and_nowhere_else(estimates: pd.DataFrame) -> None:
    planted = OPTIONS["outcomes"]["backlash"]["posts"]
    assert abs(monte_carlo(estimates, "adjusted", "backlash", "posts where True", planted)) < 3
    assert abs(monte_carlo(estimates, "adjusted", "backlash", "posts where False", 0.0)) < 3


@pytest.mark.parametrize("outcome", LADDER)
def test_without_adjustment_salience_biases_upward(estimates: pd.DataFrame, outcome: str) -> None:
    assert monte_carlo(estimates, "unadjusted", outcome, "signatures", TRUTH[outcome]) > 4
    assert monte_carlo(estimates, "unadjusted", outcome, "views", 0.0) > 4


@pytest.mark.parametrize("outcome", LADDER)
def test_ignoring_dates_biases_upward_even_with_adjustment(estimates: pd.DataFrame, outcome: str) -> None:
    assert monte_carlo(estimates, "naive", outcome, "signatures", TRUTH[outcome]) > 4


def test_error_in_measured_salience_leaves_confounding_behind() -> None:
    drawn = [
        slopes(side_by_side(draw(seed, salience_error=2.0), naive=False), "behaviour", ["views"], adjusted=True)[
            "views"
        ]
        for seed in range(10)
    ]
    assert np.mean(drawn) > 4 * np.std(drawn, ddof=1) / np.sqrt(len(drawn))


def digest(tables: CanonicalTables) -> str:
    parts = [getattr(tables, name).to_csv(index=False) for name in ("units", "process", "outcomes", "context")]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def test_a_seed_decides_every_byte() -> None:
    first, again, other = (digest(draw(seed, campaigns=200)) for seed in (7, 7, 8))
    assert first == again != other


def test_changing_one_component_leaves_the_draws_of_others_alone() -> None:
    outcomes = {**OPTIONS["outcomes"], "agenda": {"base": 0.2}}
    before, after = simulate(options(), 3), simulate(options(outcomes=outcomes, missing_outcome=0.3), 3)
    for name in ("launched", "country", "salience", "engagement", "days"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    agenda = list(RUNGS).index("agenda")
    assert (after.occurred != before.occurred)[:, agenda].any()
    assert not np.delete(after.occurred != before.occurred, agenda, axis=1).any()


def test_more_campaigns_extend_a_world() -> None:
    few, many = simulate(options(campaigns=50), 3), simulate(options(campaigns=80), 3)
    for name in ("launched", "salience", "counts", "published", "occurred", "days", "announced", "followed"):
        np.testing.assert_array_equal(getattr(many, name)[:50], getattr(few, name))


def test_the_engagement_that_acts_is_what_was_public_by_the_landmark(world: CanonicalTables) -> None:
    early = world.process[days_from_launch(world.process, world.units) < LANDMARK_DAYS]
    public = log_engagement(early).reindex(world.units["unit_id"], columns=[*INDICATORS])
    acting = simulate(options(), 7).engagement + np.log10([indicator.median for indicator in INDICATORS.values()])
    published = public.notna().to_numpy()
    assert published.mean() > 0.9
    np.testing.assert_allclose(public.to_numpy()[published], acting[published], rtol=1e-12)


def test_the_tables_are_canonical(world: CanonicalTables, study: Study) -> None:
    world.validated(study.unit.attributes, "benchmark")


def test_outcomes_come_after_the_landmark_and_before_the_end_of_follow_up(world: CanonicalTables) -> None:
    events = world.outcomes[world.outcomes["time"] != ""]
    assert days_from_launch(events, world.units).between(LANDMARK_DAYS + 1, 7 * 52 - 1).all()
    assert (events["end"] < events["observed_start"]).all()


def test_figures_outside_the_window_are_announcements_of_a_success_just_before(world: CanonicalTables) -> None:
    process = world.process.assign(age=days_from_launch(world.process, world.units))
    assert process.loc[process["source"] == "platform", "age"].between(0, 7 * 26 - 1).all()
    announced = process[process["source"] != "platform"]
    assert set(announced["source"]) == {"victory_announcement"}
    # Announcements are of real successes; whether anybody recorded the outcome is another matter.
    successes = draw(7, missing_outcome=0.0).outcomes.query("direction == 1")
    pairs = announced.merge(successes[["unit_id", "start"]], on="unit_id", suffixes=("", "_of_success"))
    delay = (pairs["start"] - pairs["start_of_success"]).dt.days
    explained = pairs[delay.between(1, 7)].groupby(["unit_id", "indicator", "time"]).size()
    assert len(explained) == len(announced)


def test_counts_follow_success() -> None:
    calm, surging = simulate(options(surge=1.0), 5), simulate(options(), 5)
    success = surging.occurred & np.array([direction == 1 for _, direction in RUNGS.values()])
    first = np.where(success, surging.days, 10_000).min(axis=1)
    after = surging.week_ends[None, :] > first[:, None]
    ratio = surging.counts[:, 0] / calm.counts[:, 0]
    assert ratio[after].min() > 1.8
    assert (ratio[~after] == 1).all()
    assert surging.published[:, 0][after].mean() > 0.85 > 0.65 > surging.published[:, 0][~after].mean()


def test_a_campaign_is_followed_without_event_or_missing_but_never_both(world: CanonicalTables) -> None:
    without = world.outcomes["indicator"] == "none_observed"
    none = world.outcomes[without]
    assert len(none) > 0
    assert (none[["value", "stage", "direction"]] == 0).all(axis=None)
    assert none["start"].isna().all()
    assert not set(none["unit_id"]) & set(world.outcomes.loc[~without, "unit_id"])
    share_missing = 1 - world.outcomes["unit_id"].nunique() / CAMPAIGNS
    assert share_missing == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / CAMPAIGNS))


def test_salience_is_measured_before_launch(world: CanonicalTables) -> None:
    assert (days_from_launch(world.context, world.units) == -1).all()


@pytest.mark.parametrize(
    ("value_type", "published"), [(0, [1, 7, 1250, 19_999]), (1, [1, 7, 1200, 20_000]), (2, [1, 7, 1200, 19_000])]
)
def test_figures_are_published_exactly_rounded_or_as_lower_bounds(value_type: int, published: list[float]) -> None:
    counts = np.array([0.2, 7.4, 1249.9, 19_999.0])
    np.testing.assert_array_equal(as_published(counts, np.full(4, value_type)), published)


def test_planted_probabilities_bound_what_a_world_can_reach() -> None:
    for seed in range(5):
        world = simulate(options(campaigns=4000), seed)
        for name, engagement in zip(INDICATORS, world.engagement.T, strict=True):
            low, high = engagement_range(name)
            assert low < engagement.min() < engagement.max() < high


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"outcomes": {"agenda": {"base": 0.5, "signatures": 0.3}}},
            r"outcomes\.agenda: .*could reach -0\.472.*`base`",
        ),
        ({"outcomes": {"policy": {"base": 0.95, "salience": 0.05}}}, r"outcomes\.policy: .*could reach 1\.13"),
        ({"published": 0.9}, r"published: 0\.9 ± 0\.2 .*lower `published_salience`"),
    ],
)
def test_impossible_probabilities_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        options(**changes)


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ValidationError, match="campains"):
        options(campains=10)


def test_truth_in_the_study_is_what_its_options_plant(study: Study) -> None:
    planted = Options.model_validate(study.source.options).outcomes
    for estimate, value in study.truth.items():
        model_id, term = estimate.split(":")
        model = study.models[model_id.removesuffix("@naive")]
        kept = model.sample.get("rights_category", [None])
        outcome = study.outcomes[model.formula.split("~")[0].strip()]
        assert outcome.indicators is not None
        (rung,) = outcome.indicators
        assert {planted[rung].effect(term, category) for category in kept} == {value}, estimate


def test_truth_covers_every_exposure_of_every_linear_model_and_every_hypothesis(study: Study) -> None:
    linear = {name: model for name, model in study.models.items() if model.design == "lpm"}
    for name, model in linear.items():
        for term in set(study.exposures) & set(model.formula.split("~")[1].replace("+", " ").split()):
            assert f"{name}:{term}" in study.truth
            assert (f"{name}@naive:{term}" in study.truth) == model.contrast_time_order
    for hypothesis in study.hypotheses.values():
        value = study.truth[f"{hypothesis.decided_by.model}:{hypothesis.decided_by.term}"]
        assert {"positive": value > 0, "zero": value == 0, "negative": value < 0}[hypothesis.expects]


def test_the_landmark_of_the_study_is_that_of_the_world(study: Study) -> None:
    assert {exposure.landmark_days for exposure in study.exposures.values()} == {LANDMARK_DAYS}
