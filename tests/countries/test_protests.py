"""The protests study, against a recount of the raw file that shares no code with the adapter."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.sources.protests import participants
from analysis.tables import CanonicalTables

RESPONSES = [f"stateresponse{i}" for i in range(1, 8)]


@pytest.mark.parametrize(
    ("text", "band", "number", "kind"),
    [
        ("300", None, 300, "exact"),
        ("1,500", "1000-1999", 1500, "exact"),
        ("about 200 people", None, 200, "exact"),
        (">1000", None, 1000, "lower_bound"),
        ("50+", "50-99", 50, "lower_bound"),
        ("100s", None, 100, "lower_bound"),
        ("200-300", None, 200, "lower_bound"),
        ("tens of thousands", ">10000", 10_000, "lower_bound"),
        ("several hundred", None, 100, "lower_bound"),
        ("dozens", None, 50, "lower_bound"),
        ("Millions", None, 1_000_000, "lower_bound"),
        ("1.4 million", None, 1_400_000, "lower_bound"),
        ("164 arrested", "100-999", 100, "lower_bound"),
        ("widespread", "2000-4999", 2000, "lower_bound"),
        (None, ">10000", 10_000, "lower_bound"),
        (pd.NA, "50-99", 50, "lower_bound"),
    ],
)
def test_participants_are_read_as_the_least_that_is_meant(text: object, band: object, number: float, kind: str) -> None:
    assert participants(text, band) == (number, kind)


def test_no_number_and_no_band_is_missing() -> None:
    assert math.isnan(participants("widespread", None)[0])


@given(st.integers(1, 10**7))
def test_a_plain_number_is_itself(number: int) -> None:
    assert participants(str(number), None) == participants(f"{number:,}", ">10000") == (number, "exact")


@pytest.fixture(scope="module")
def raw(mobilization: pd.DataFrame) -> pd.DataFrame:
    rows = mobilization[(mobilization["protest"] == 1) & mobilization["year"].notna()]
    return rows[~rows.duplicated()].set_index("id")


@pytest.mark.slow
def test_every_protest_is_kept_once(
    mobilization: pd.DataFrame, raw: pd.DataFrame, protest_tables: CanonicalTables
) -> None:
    assert mobilization.duplicated().sum() == 17
    assert mobilization["year"].isna().sum() == 1
    assert len(protest_tables.units) == len(raw) == 15_239
    assert set(protest_tables.units["unit_id"]) == {str(int(key)) for key in raw.index}


@pytest.mark.slow
def test_the_shares_of_responses_are_those_of_the_file(raw: pd.DataFrame, protest_tables: CanonicalTables) -> None:
    def share(*words: str) -> float:
        return float(raw[RESPONSES].isin(words).any(axis=1).sum())

    mine = protest_tables.outcomes.groupby("indicator").size()
    assert mine["accommodated"] == share("accomodation")
    assert mine["killed"] == share("killings")
    assert mine["violence"] == share("arrests", "beatings", "shootings", "killings")
    assert mine["repressed"] == share("crowd dispersal", "arrests", "beatings", "shootings", "killings")
    known = [mine["accommodated"] / len(raw), share("arrests") / len(raw), share("crowd dispersal") / len(raw)]
    assert known == pytest.approx([0.100, 0.141, 0.313], abs=5e-4)
    assert share("ignore") / len(raw) == pytest.approx(0.544, abs=5e-4)


@pytest.mark.slow
def test_a_protest_without_a_coded_response_is_not_followed(raw: pd.DataFrame, protest_tables: CanonicalTables) -> None:
    without = {str(int(key)) for key in raw.index[raw[RESPONSES].isna().all(axis=1)]}
    assert len(without) == 29
    assert not set(protest_tables.outcomes["unit_id"]) & without


@pytest.mark.slow
def test_the_demand_that_challenges_most_names_the_protest(raw: pd.DataFrame, protest_tables: CanonicalTables) -> None:
    demands = raw[[f"protesterdemand{i}" for i in range(1, 5)]]
    challenge = demands.isin(["political behavior, process", "removal of politician"]).any(axis=1)
    police = demands.eq("police brutality").any(axis=1) & ~challenge
    mine = protest_tables.units["demand"].value_counts()
    assert (mine["challenge"], mine["police"], mine["none"]) == (challenge.sum(), police.sum(), 1)


@pytest.mark.slow
def test_organising_is_that_of_the_year_before_under_the_strict_order(protest_tables: CanonicalTables) -> None:
    process, units = protest_tables.process, protest_tables.units.set_index("unit_id")
    rows = process[process["indicator"] == "organising"]
    began = rows["unit_id"].map(units["launched_start"])
    before = rows[rows["end"] < began]
    assert (before["time"].astype("int64") == began[before.index].dt.year - 1).all()
    assert before["unit_id"].is_unique
    later = process[process["indicator"] == "organising_later"]
    assert (later["start"] > later["unit_id"].map(units["launched_start"])).all()
