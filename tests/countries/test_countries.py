"""The countries study, against recounts of the raw files that share no code with the adapter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.sources.countries import Options
from analysis.tables import CanonicalTables

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scores(project: Path) -> pd.DataFrame:
    return pd.read_csv(project / Options().protection)


def levels(tables: CanonicalTables, indicator: str) -> pd.DataFrame:
    return tables.outcomes[tables.outcomes["indicator"] == indicator]


def test_174_countries_have_both_scores(society: pd.DataFrame, country_tables: CanonicalTables) -> None:
    without = {"HKG", "PSE", "PSG", "SML", "ZZB"}  # territories that the protection scores do not have
    assert society["country_text_id"].nunique() == 179
    assert set(country_tables.units["unit_id"]) == set(society["country_text_id"]) - without
    assert len(country_tables.units) == 174


def test_nineteen_years_less_those_before_three_new_states(
    scores: pd.DataFrame, country_tables: CanonicalTables
) -> None:
    found = levels(country_tables, "protection")
    assert sorted(found["time"].unique()) == [str(year) for year in range(2001, 2020)]
    per_country = found.groupby("unit_id").size()
    assert per_country[per_country < 19].to_dict() == {"MNE": 14, "SRB": 18, "SSD": 9, "XKX": 12}
    assert len(found) == 174 * 19 - 23 == 3283
    small = [31, 54, 55, 56, 57, 58, 60, 80, 221, 223, 232, 331, 835, 946, 947, 955, 970, 983, 986, 987, 990]
    kept = scores[scores["YEAR"].between(2001, 2019) & ~scores["COW"].isin(small) & scores["theta_mean"].notna()]
    assert len(kept) == len(found)
    assert kept["theta_mean"].sum() == pytest.approx(found["value"].sum())


def test_the_score_of_organising_hardly_moves_and_its_error_is_large(
    society: pd.DataFrame, country_tables: CanonicalTables
) -> None:
    states = society[~society["country_text_id"].isin(["HKG", "PSE", "PSG", "SML", "ZZB"])]
    states = states.sort_values(["country_text_id", "year"])
    by_country = states.groupby("country_text_id")["v2smorgavgact"]
    change = by_country.diff().dropna()
    assert (change == 0).mean() == pytest.approx(0.837, abs=5e-4)
    assert (states["v2smorgavgact"] - by_country.transform("mean")).std() == pytest.approx(0.63, abs=5e-3)
    assert states["v2smorgavgact_sd"].mean() == pytest.approx(0.567, abs=5e-4)
    moved = levels(country_tables, "organising_changed")["value"]
    assert moved.mean() == pytest.approx((change[states["year"] > 2000] != 0).mean(), abs=2e-3)
    process = country_tables.process.set_index("indicator")
    bounded, published = process.loc["organising_bounded"], process.loc["organising"]
    assert (bounded["value"].to_numpy() == published["value"].to_numpy()).all()
    assert (bounded["std_error"] ** 2).mean() == pytest.approx((change**2).mean() / 2)


def test_reports_are_the_counts_of_the_file(scores: pd.DataFrame, country_tables: CanonicalTables) -> None:
    usa = scores[(scores["COW"] == 2) & scores["YEAR"].between(1997, 2019)].set_index("YEAR")["amnesty_report_count"]
    process = country_tables.process
    mine = process[(process["unit_id"] == "USA") & (process["indicator"] == "reports")].set_index("time")["value"]
    assert mine.to_dict() == {str(year): count for year, count in usa.dropna().items()}
    missing = levels(country_tables, "reports_missing")["value"]
    assert (missing.sum(), len(missing)) == (314, 3283)


def test_a_treaty_is_joined_once_and_not_by_being_a_new_state(project: Path, country_tables: CanonicalTables) -> None:
    raw = pd.read_csv(project / Options().ratifications)
    outcomes = country_tables.outcomes
    assert not outcomes.duplicated(["unit_id", "indicator", "time"]).any()
    peru = raw[raw["country_case"] == "Peru"].set_index("year")["cat_op"]
    first = peru[peru == 1].index.min()
    mine = outcomes[(outcomes["unit_id"] == "PER") & (outcomes["indicator"] == "civil_political_cat_op")]
    assert mine["time"].tolist() == [str(first)] == ["2006"]
    montenegro = outcomes[(outcomes["unit_id"] == "MNE") & (outcomes["time"] == "2006")]
    assert not montenegro["indicator"].str.startswith(("civil", "economic", "other")).any()


def test_protests_and_responses_add_up(mobilization: pd.DataFrame, country_tables: CanonicalTables) -> None:
    rows = mobilization.drop_duplicates()
    rows = rows[(rows["protest"] == 1) & rows["year"].between(2001, 2019)]
    process = country_tables.process
    mine = process[(process["indicator"] == "protests") & process["time"].between("2001", "2019")]
    assert mine["value"].sum() == len(rows)
    responses = rows[[f"stateresponse{i}" for i in range(1, 8)]]
    given_in = responses.eq("accomodation").any(axis=1)
    assert levels(country_tables, "accommodated")["value"].sum() == given_in.sum()
    coded = country_tables.units.set_index("unit_id")["protests_coded"]
    assert coded.value_counts().to_dict() == {"all": 157, "none": 14, "some": 3}
    assert coded["USA"] == "none"


def test_neighbours_leave_the_country_itself_out(country_tables: CanonicalTables) -> None:
    region = country_tables.units.set_index("unit_id")["region"]
    year = country_tables.process[country_tables.process["time"] == "2010"].set_index(["indicator", "unit_id"])["value"]
    others = [unit for unit in region.index[region == region["PER"]] if unit != "PER"]
    assert year["organising_neighbours", "PER"] == pytest.approx(np.mean([year["organising", u] for u in others]))


def test_reviews_are_known_to_2014_and_nothing_is_known_after(country_tables: CanonicalTables) -> None:
    rows = country_tables.process[country_tables.process["indicator"] == "recommendations"]
    assert rows["time"].max() == "2014"
    assert (rows.loc[rows["time"] < "2008", "value"] == 0).all()
    assert rows.groupby("unit_id")["value"].sum().gt(0).mean() > 0.98
