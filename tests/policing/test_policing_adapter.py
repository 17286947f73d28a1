"""The studies policing and bodycams, against recounts of the raw files that share no code with the adapter."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.change import change
from analysis.engagement import engagement
from analysis.link import analysis_table, link
from analysis.models.design_matrix import sample
from analysis.models.stacked import stacked
from analysis.sources import policing
from analysis.study import read_study
from analysis.study.spec import Study
from analysis.tables import CanonicalTables

ROOT = Path(__file__).parents[2]
FOLDER = (
    "raw.githubusercontent.com/tcampbell3/Black-Lives-Matter-Lethal-Force/281d79edb4d494639c6ed477abfaabbd2fc3a1c9/Data"
)
NEW_JERSEY = "34"


@pytest.fixture(scope="module")
def root(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    (root / "data/raw/policing").mkdir(parents=True)
    for file in (mirror / FOLDER).iterdir():
        shutil.copy(file, root / "data/raw/policing" / file.name)
    return root


def unzipped(root: Path, name: str) -> pd.DataFrame:
    with zipfile.ZipFile(root / f"data/raw/policing/{name}.zip") as archive:
        return pd.read_stata(io.BytesIO(archive.read(f"{name}.dta")), convert_categoricals=False)


@pytest.fixture(scope="module")
def stack(root: Path) -> pd.DataFrame:
    raw = unzipped(root, "Stacked").astype(dict.fromkeys(["event", "time", "fips", "pop_c"], "int64"))
    return raw.assign(unit_id=raw["fips"].map("{:07d}".format))


@pytest.fixture(scope="module")
def agency_stack(root: Path) -> pd.DataFrame:
    return unzipped(root, "Agency_panel_bodycam")


@pytest.fixture(scope="module")
def study() -> Study:
    return read_study(ROOT / "studies/policing.yml")


@pytest.fixture(scope="module")
def places(root: Path, study: Study) -> CanonicalTables:
    options = policing.Options.model_validate(study.source.options)
    return policing.load(root, options, 1).validated(study.unit.attributes, "policing")


@pytest.fixture(scope="module")
def agencies(root: Path) -> CanonicalTables:
    declared = read_study(ROOT / "studies/bodycams.yml")
    options = policing.Options.model_validate(declared.source.options)
    return policing.load(root, options, 1).validated(declared.unit.attributes, "policing")


def total(table: pd.DataFrame, indicator: str) -> float:
    return float(table.loc[table["indicator"] == indicator, "value"].sum())


def test_every_place_quarter_is_there_once(stack: pd.DataFrame, places: CanonicalTables) -> None:
    once = stack.drop_duplicates(["unit_id", "qtr"])
    assert (len(stack), len(once), once["unit_id"].nunique()) == (151_320, 45_747, 1_076)
    population = places.context[places.context["variable"] == "population"]
    assert len(population) == len(once)
    assert population["value"].sum() == once["popestimate"].sum()
    assert total(places.outcomes, "police_killing") == once["homicides"].sum() == 5_809
    assert total(places.process, "protests") == once["protests"].sum() == 1_371
    assert total(places.process, "participants") == pytest.approx(once["participants"].sum())


def test_the_second_source_has_no_value_before_it_began(stack: pd.DataFrame, places: CanonicalTables) -> None:
    once = stack.drop_duplicates(["unit_id", "qtr"])
    counted = places.outcomes[places.outcomes["indicator"] == "killings_mpv"]
    assert counted["time"].min() == "2013-Q1"
    assert once.loc[once["qtr"] < 20131, "homicides_mpv"].sum() == 0
    assert len(counted) == (once["qtr"] >= 20131).sum()
    assert counted["value"].sum() == once["homicides_mpv"].sum()


def test_protests_are_those_of_the_daily_list(root: Path, places: CanonicalTables) -> None:
    daily = pd.read_stata(root / "data/raw/policing/protest_daily.dta")
    daily["time"] = daily["date"].dt.year.astype(str) + "-Q" + daily["date"].dt.quarter.astype(str)
    listed = daily.groupby(["fips", "time"]).agg(value=("protests", "sum"), counted=("participants", "count"))
    mine = places.process[places.process["indicator"] == "protests"].set_index(["unit_id", "time"])["value"]
    assert (listed["value"].reindex(mine.index) == mine).all()
    people = places.process[places.process["indicator"] == "participants"].set_index(["unit_id", "time"])
    complete = (listed["value"] == listed["counted"]).reindex(people.index)
    assert (complete == (people["value_type"] == "rounded")).all()
    first = daily.groupby("fips")["date"].min()
    later = places.units[places.units["first_protest"] == "later"]
    assert (first[later["unit_id"]].to_numpy() > later["launched_end"].to_numpy()).all()
    assert set(places.units["unit_id"]) <= set(daily["fips"])


def test_protests_elsewhere_leave_out_the_place_itself(root: Path, places: CanonicalTables) -> None:
    daily = pd.read_stata(root / "data/raw/policing/protest_daily.dta")
    illinois = daily[(daily["stabb"] == "IL") & (daily["qtr"] == 20144)]
    elsewhere = places.process[places.process["indicator"] == "protests_elsewhere"].set_index(["unit_id", "time"])
    chicago = elsewhere.loc[("1714000", "2014-Q4"), "value"]
    assert chicago == len(illinois) - (illinois["fips"] == "1714000").sum()


def test_a_year_of_tweets_is_known_on_its_last_day(root: Path, places: CanonicalTables) -> None:
    raw = unzipped(root, "Twitter_stack").drop_duplicates(["fips", "year"])
    mine = places.process[places.process["indicator"] == "tweets"]
    assert set(mine["time"].str[4:]) == {"-12-31"}
    assert mine["unit_id"].nunique() == len(set(raw["fips"]) & set(places.units["unit_id"])) == 733
    here = raw[raw["fips"].isin(places.units["unit_id"])]
    assert mine["value"].sum() == here["sub_tweet_counts"].sum()


def test_decrees_are_the_first_of_each_place_and_not_those_of_a_state(
    stack: pd.DataFrame, places: CanonicalTables
) -> None:
    once = stack.drop_duplicates(["unit_id", "qtr"]).sort_values(["unit_id", "qtr"])
    decreed = once[once["consent_decree3"] == 1]
    expected = decreed[~(decreed["unit_id"].str.startswith(NEW_JERSEY) & (decreed["qtr"] < 20101))]
    first = expected.groupby("unit_id")["qtr"].min().map(lambda qtr: f"{qtr // 10}-Q{qtr % 10}")
    mine = places.outcomes[places.outcomes["indicator"] == "consent_decree"].set_index("unit_id")["time"]
    assert mine.to_dict() == first.to_dict()
    assert mine["3451000"] == "2016-Q2"
    steps = places.outcomes[places.outcomes["indicator"].isin(["investigation", "finding"])]
    own_decree = steps["unit_id"].map(mine)
    assert (steps["time"] < own_decree.fillna("9999")).all()
    launched = steps["unit_id"].map(places.units.set_index("unit_id")["launched"])
    assert (steps["time"] > launched).all()


def test_agencies_have_the_cameras_of_the_survey(agency_stack: pd.DataFrame, agencies: CanonicalTables) -> None:
    once = agency_stack.drop_duplicates(["ori9", "qtr"])
    assert (len(agency_stack), len(once), len(agencies.units)) == (190_366, 27_241, 921)
    got = once[once["ag_bodycam"] == 1].groupby("ori9")["qtr"].min()
    mine = agencies.outcomes[agencies.outcomes["indicator"] == "body_cameras"]["time"]
    assert sorted(mine) == sorted(got.map(lambda qtr: f"{qtr // 10}-Q{qtr % 10}"))
    assert agencies.units["unit_id"].str.fullmatch("[A-Z]{2}[A-Z0-9]{7}").all()
    assert total(agencies.process, "protests") == once["protests"].sum()
    weights = agencies.context[agencies.context["variable"] == "survey_weight"]["value"]
    assert weights.sum() == pytest.approx(once["weight"].sum())


@pytest.fixture(scope="module")
def analysed(study: Study, places: CanonicalTables) -> tuple[Study, pd.DataFrame]:
    exposures = {"protested_by_now": study.exposures["protested_by_now"]}
    models = {name: model for name, model in study.models.items() if model.design == "stacked"}
    part = study.model_copy(
        update={"exposures": exposures, "outcomes": {"killings": study.outcomes["killings"]}, "models": models}
    )
    changed = change(places.outcomes, places.units, part.outcomes, "quarter")
    linked = link(engagement(places.process), changed, places.units, exposures, "naive", "quarter")
    nothing = linked.iloc[:0]
    return part, analysis_table(part, places.units, changed, places.context, {"strict": nothing, "naive": linked})


def test_the_published_estimate_comes_out_of_the_unstacked_table(
    stack: pd.DataFrame, analysed: tuple[Study, pd.DataFrame]
) -> None:
    """Campbell (2024), abstract: 10% to 15% fewer, around 200 deaths; and the authors' code run on the authors' stack.

    The do-files "Tables - Estimator" and "Tables - Cumulative protests" regress killings on `treatment` with effects of
    event and place, event and time, and of tenths of population and population within them, by event, weighted by
    `_wt_unit`, clustered by place, and divide by the mean of treated places in the four quarters before.
    """
    study, table = analysed
    found = {
        name: {row.term: row for row in stacked(study, model, sample(study, model, table, None, "strict"), name)}
        for name, model in study.models.items()
    }
    used = stack[stack["_wt_unit"] > 0]
    assert found["published"]["share"].n_obs == len(used) == 139_640
    assert found["published_plain"]["share"].n_obs == len(stack)
    before = stack[stack["time"].between(-4, -1) & (stack["treated"] == 1)]
    assert found["published"]["baseline"].estimate == pytest.approx(before["homicides"].mean())
    assert found["published"]["exposed"].estimate == (stack["treatment"] == 1).sum() == 3_280
    for name, rows in found.items():
        assert -0.15 <= rows["share"].estimate <= -0.10, name
        assert rows["share"].p_value < 0.05
    assert found["published"]["total"].estimate == pytest.approx(-200, abs=20)
    plain = two_way(stack, np.ones(len(stack)))
    assert found["published_plain"]["protested_by_now"].estimate == pytest.approx(plain, abs=1e-9)


def two_way(stack: pd.DataFrame, weights: np.ndarray) -> float:
    """Regress killings on treatment with effects of event and place, and event and time, by alternating projections."""
    groups = [
        pd.factorize(stack["event"] * 10_000_000 + stack["fips"])[0],
        pd.factorize(stack["event"] * 100 + stack["time"])[0],
    ]
    left = [stack[c].to_numpy("float64").copy() for c in ("homicides", "treatment")]
    for column in left:
        for _ in range(50):
            for group in groups:
                column -= (np.bincount(group, weights * column) / np.bincount(group, weights))[group]
    y, x = left
    return float((weights * x * y).sum() / (weights * x**2).sum())


@pytest.mark.slow
def test_the_published_specification_equals_one_with_dummies(
    stack: pd.DataFrame, analysed: tuple[Study, pd.DataFrame]
) -> None:
    """The weighted specification with curves in population, by least squares on dummies of the raw stack."""
    study, table = analysed
    model = study.models["published"]
    rows = {row.term: row for row in stacked(study, model, sample(study, model, table, None, "strict"), "published")}
    used = stack[stack["_wt_unit"] > 0].reset_index(drop=True)
    weights = used["_wt_unit"].to_numpy("float64")
    place = pd.factorize(used["event"] * 10_000_000 + used["fips"])[0]
    time = pd.get_dummies(used["event"] * 100 + used["time"]).to_numpy("float64")
    tenth = pd.get_dummies(used["event"] * 100 + used["pop_c"]).to_numpy("float64")
    size = used["popestimate"].to_numpy("float64") / 1e6
    both = used[["homicides", "treatment"]].to_numpy("float64")
    columns = np.column_stack([both, time, tenth, tenth * size[:, None]])
    for j in range(columns.shape[1]):
        columns[:, j] -= (np.bincount(place, weights * columns[:, j]) / np.bincount(place, weights))[place]
    root = np.sqrt(weights)[:, None]
    z = columns[:, 2:] * root
    z = z / np.maximum(np.sqrt((z**2).sum(axis=0)), 1e-12)
    values, vectors = np.linalg.eigh(z.T @ z)
    basis = z @ (vectors[:, values > 1e-10] / np.sqrt(values[values > 1e-10]))
    y, x = (columns[:, :2] * root - basis @ (basis.T @ (columns[:, :2] * root))).T
    effect = (x @ y) / (x @ x)
    scores = np.bincount(pd.factorize(used["fips"])[0], x * (y - x * effect))
    assert rows["protested_by_now"].estimate == pytest.approx(effect, abs=1e-8)
    assert rows["protested_by_now"].std_error == pytest.approx(np.sqrt((scores**2).sum()) / (x @ x), rel=0.01)
