"""Country names and codes of any source, as ISO 3166 alpha-3 codes. Every study of countries maps them here."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

import country_converter  # type: ignore[import-untyped]
import pandas as pd

from analysis.errors import InputError, Problem, nearest

Scheme = Literal["name", "iso3", "iso2", "cow", "gw", "vdem"]
"""How a source names countries: in words, by ISO 3166, by Correlates of War, by Gleditsch and Ward, or by V-Dem."""

RECODES: dict[str, dict[str, str]] = {
    "name": {
        "Congo (Rep. of the)": "COG",
        "German Federal Republic": "DEU",
        "Germany West": "DEU",
        "North Vietnam": "VNM",
        "Serbia & Montenegro": "SRB",
        "Serbia and Montenegro": "SRB",
        "Soviet Union": "RUS",
        "USSR": "RUS",
        "West Germany": "DEU",
        "Yugoslavia": "SRB",
        "Yugoslavia FR": "SRB",
        "Yugoslavia SFR": "SRB",
    },
    "iso3": {"OWID_KOS": "XKX"},
    "iso2": {"UK": "GBR", "EL": "GRC", "GB": "GBR", "GR": "GRC"},
    "cow": {
        "255": "DEU", "260": "DEU", "315": "CZE", "316": "CZE", "345": "SRB", "678": "YEM", "679": "YEM", "816": "VNM",
        "946": "KIR", "947": "TUV", "955": "TON", "970": "NRU",
    },
    "gw": {"315": "CZE", "316": "CZE", "345": "SRB", "678": "YEM", "816": "VNM"},
    "vdem": {},
}  # fmt: skip
"""Values that the library does not know, or takes for another country. A predecessor state has the code of the state
that continues its membership of the United Nations or, like Serbia for Yugoslavia, its series in V-Dem."""

NOT_STATES: dict[str, set[str]] = {
    "name": {
        "(Unknown)", "Ascension", "Crimea", "East Germany", "European Union", "German Democratic Republic",
        "Germany East", "Neth. Antilles", "Republic of Vietnam", "South Vietnam", "South Yemen",
        "Yemen People's Republic", "Zanzibar",
    },
    "iso3": {
        "AFE", "AFW", "ARB", "CEB", "CHI", "CSS", "EAP", "EAR", "EAS", "ECA", "ECS", "EMU", "EUU", "FCS", "HIC", "HPC",
        "IBD", "IBT", "IDA", "IDB", "IDX", "LAC", "LCN", "LDC", "LIC", "LMC", "LMY", "LTE", "MEA", "MIC", "MNA", "NAC",
        "OED", "OSS", "OWID_WRL", "PRE", "PSS", "PST", "SAS", "SSA", "SSF", "SST", "TEA", "TEC", "TLA", "TMN", "TSA",
        "TSS", "UMC", "WLD",
    },
    "iso2": set(),
    "cow": {"265", "511", "680", "817"},
    "gw": {"265", "511", "680", "751", "817"},
    "vdem": {"DDR", "PSG", "SML", "VDR", "YMD", "ZZB"},
}  # fmt: skip
"""Values that name no state of their own: aggregates of countries, parts that a source codes apart, and states that
ended without a successor of their own, such as East Germany."""

_NO_MATCH = "?"
_NOT_COW = {"260", "970", "971", "972", "973"}


def iso3(names: pd.Series, scheme: Scheme, file: str) -> pd.Series:
    """Map a source's countries to ISO 3166 alpha-3 codes, Kosovo to XKX.

    Parameters
    ----------
    names : (n,) names, or codes as text or whole numbers (700 and 700.0 are the same).
    scheme : how they are written; see `Scheme`.
    file : path as shown in errors.

    Returns
    -------
    (n,) codes on the same index, missing where the value is one of `NOT_STATES`; `not_states` lists those.

    Raises
    ------
    InputError : values that map to no country or to several, all of them together.
    """
    if scheme not in get_args(Scheme):
        raise ValueError(f"{scheme!r} is no scheme of country codes; {nearest(scheme, get_args(Scheme))}")
    written = _written(names)
    codes = _mapped(tuple(sorted(set(written))), scheme)
    refused = [
        Problem(file, 0, str(names.name or ""), value, "is no country that is known here; " + _remedy(scheme))
        for value, code in codes.items()
        if code is None and value not in NOT_STATES[scheme]
    ]
    if refused:
        raise InputError(refused)
    return written.map(codes).astype("str").where(written.map(codes).notna())


def not_states(names: pd.Series, scheme: Scheme) -> list[str]:
    """List the values that `iso3` leaves missing because they name no state, sorted."""
    return sorted(set(_written(names)) & NOT_STATES[scheme])


def _written(names: pd.Series) -> pd.Series:
    whole = names.map(lambda value: str(int(value)) if isinstance(value, float) and value.is_integer() else str(value))
    return whole.mask(names.isna(), "").str.strip()


def _remedy(scheme: str) -> str:
    return f"add it to RECODES or NOT_STATES of the scheme {scheme!r} in analysis/sources/countrycodes.py"


def _mapped(values: tuple[str, ...], scheme: str) -> dict[str, str | None]:
    """Map distinct values, to None where none or several countries are meant."""
    known = {**_table(scheme), **RECODES[scheme]}
    unknown = [value for value in values if value not in known and value not in NOT_STATES[scheme]]
    found: dict[str, str | None] = {value: known.get(value) for value in values}
    if scheme == "name" and unknown:
        matches = _converter().convert(unknown, src="regex", to="ISO3", not_found=_NO_MATCH, enforce_list=True)
        found |= {
            value: match[0] if len(match) == 1 and match[0] != _NO_MATCH else None
            for value, match in zip(unknown, matches, strict=True)
        }
    return found


@cache
def _table(scheme: str) -> dict[str, str]:
    """Return the library's codes of one scheme, as a table; names are matched by its patterns instead."""
    if scheme == "name":
        return {}
    column = {"iso3": "ISO3", "vdem": "ISO3", "iso2": "ISO2", "cow": "GWcode", "gw": "GWcode"}[scheme]
    countries = _converter().data
    table = {code: iso for code, iso in zip(countries[column], countries["ISO3"], strict=True) if code and iso}
    # The library has one column of numbers, those of Gleditsch and Ward, with a few codes of states that are no more.
    wrong = {"cow": _NOT_COW | NOT_STATES["cow"], "gw": NOT_STATES["gw"]}.get(scheme, set())
    return {code: iso for code, iso in table.items() if code not in wrong}


@cache
def _converter() -> country_converter.CountryConverter:
    """Load the library's table as text: its own loader takes Namibia's ISO code NA for missing, and fails."""
    logging.getLogger("country_converter").setLevel(logging.ERROR)
    path = files(country_converter) / "country_data.tsv"
    with path.open(encoding="utf-8") as file:
        countries = pd.read_csv(file, sep="\t", dtype="str", keep_default_na=False)
    for column in ("obsolete", "UNmember"):
        countries[column] = pd.to_numeric(countries[column], errors="coerce").astype("Int64")
    return country_converter.CountryConverter(country_data=countries)


def country_names(codes: Iterable[str]) -> list[str]:
    """Return the short English name of each ISO 3166 alpha-3 code.

    Raises
    ------
    KeyError : a code of no country.
    """
    by_code = _converter().data.set_index("ISO3")["name_short"].to_dict()
    return [str(by_code[code]) for code in codes]
