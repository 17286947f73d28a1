"""Country codes: what maps, what is refused, and what names no state."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.sources.countrycodes import NOT_STATES, RECODES, country_names, iso3, not_states


def codes(values: list[object], scheme: str) -> list[object]:
    return iso3(pd.Series(values, name="country"), scheme, "file.csv").tolist()  # type: ignore[arg-type]


def test_one_country_has_one_code_in_every_scheme() -> None:
    assert codes(["Côte d'Ivoire", "Cote d'Ivoire", "Ivory Coast"], "name") == ["CIV"] * 3
    assert (
        codes(["CIV"], "iso3")
        == codes(["CI"], "iso2")
        == codes([437], "cow")
        == codes([437.0], "gw")
        == codes(["CIV"], "vdem")
        == ["CIV"]
    )


def test_namibia_is_not_missing() -> None:
    """Its ISO code of two letters is NA, which tables of codes lose."""
    assert codes(["NA"], "iso2") == codes(["Namibia"], "name") == codes([565], "cow") == ["NAM"]


def test_numbers_that_differ_between_correlates_of_war_and_gleditsch_and_ward() -> None:
    """Correlates of War (State System Membership) and Gleditsch and Ward (1999) number these differently."""
    cow = {255: "DEU", 345: "SRB", 679: "YEM", 816: "VNM", 946: "KIR", 947: "TUV", 955: "TON", 970: "NRU"}
    gw = {260: "DEU", 340: "SRB", 678: "YEM", 816: "VNM", 970: "KIR", 973: "TUV", 972: "TON", 971: "NRU"}
    assert dict(zip(cow, codes(list(cow), "cow"), strict=True)) == cow
    assert dict(zip(gw, codes(list(gw), "gw"), strict=True)) == gw
    with pytest.raises(InputError, match="971"):
        codes([971], "cow")


def test_predecessors_have_the_code_of_the_state_that_goes_on() -> None:
    assert codes(["Soviet Union", "Yugoslavia", "Serbia and Montenegro", "West Germany", "Burma"], "name") == [
        "RUS", "SRB", "SRB", "DEU", "MMR",
    ]  # fmt: skip


def test_what_is_no_state_is_missing_and_listed() -> None:
    names = pd.Series(["Germany East", "Germany", "Zanzibar", "Germany East"])
    found = iso3(names, "name", "file.csv")
    assert found.isna().tolist() == [True, False, True, True]
    assert not_states(names, "name") == ["Germany East", "Zanzibar"]


def test_everything_unknown_is_refused_at_once_with_the_file() -> None:
    with pytest.raises(InputError) as caught:
        codes(["Atlantis", "France", None, "El Dorado"], "name")
    told = str(caught.value)
    assert "3 problems" in told
    assert "file.csv, country: 'Atlantis'" in told
    assert "'El Dorado'" in told
    assert "France" not in told


def test_a_name_of_two_countries_is_refused() -> None:
    with pytest.raises(InputError, match="Ukraine"):
        codes(["Russia-Occupied Areas (Ukraine)"], "name")


def test_an_unknown_scheme_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'iso3'"):
        codes(["FRA"], "iso33")


def test_no_value_is_both_a_state_and_none() -> None:
    for scheme, recodes in RECODES.items():
        assert not set(recodes) & NOT_STATES[scheme]


def test_names_are_those_of_the_codes() -> None:
    assert country_names(["XKX", "NAM"]) == ["Kosovo", "Namibia"]


@settings(max_examples=10)
@given(st.permutations(["France", "Peru", "Zanzibar", "Namibia", "Kosovo", "Peru"]))
def test_order_and_index_change_nothing(names: list[str]) -> None:
    index = [f"row {i}" for i in range(len(names))]
    found = iso3(pd.Series(names, index=index), "name", "file.csv")
    assert found.index.tolist() == index
    alone = {name: iso3(pd.Series([name]), "name", "file.csv").iloc[0] for name in set(names)}
    assert all(found.iloc[i] == alone[name] or name == "Zanzibar" for i, name in enumerate(names))
