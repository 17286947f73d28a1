"""One reader for each raw file on countries: from the source's own codes to one row per country and year.

Every reader returns `unit_id` (ISO 3166 alpha-3), `year` and the source's columns under the names used here. Rows whose
country is no state of its own are left out; `analysis.sources.countrycodes.not_states` lists what those may be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.errors import InputError, Problem
from analysis.sources.countrycodes import Scheme, iso3
from analysis.sources.rfile import read_r

KEY = ["unit_id", "year"]
CORE_TREATIES = {
    "civil_political": ["iccpr", "iccpr_op", "iccpr_op2", "cat", "cat_op", "disap"],
    "economic_social": ["icescr", "icescr_op", "migrant"],
    "other_core": ["cerd", "cedaw", "cedaw_op", "crc", "crc_op1", "crc_op2", "crc_op3", "disability", "disab_op"],
}
"""The nine core human rights treaties of the United Nations and their optional protocols, by whether they protect civil
and political rights only, economic, social and cultural rights first of all, or both."""

RESPONSES = {"accomodation": "accommodation"}  # misspelled in the source
FORCE = ["crowd dispersal", "arrests", "beatings", "shootings", "killings"]

UPR_YEARS = {
    **dict.fromkeys([1, 2, 3], 2008), **dict.fromkeys([4, 5, 6], 2009), **dict.fromkeys([7, 8, 9], 2010),
    **dict.fromkeys([10, 11, 12], 2011), **dict.fromkeys([13, 14], 2012), **dict.fromkeys([15, 16, 17], 2013),
    **dict.fromkeys([18, 19, 20], 2014),
}  # fmt: skip
"""Year in which each session of the working group of the Universal Periodic Review met."""


def read_text(root: Path, file: str, columns: list[str], encoding: str = "utf-8") -> pd.DataFrame:
    """Read columns of a CSV file as text, with ``NA`` and empty cells missing.

    Raises
    ------
    InputError : the file cannot be decoded, or lacks a column.
    """
    try:
        with (root / file).open(encoding=encoding) as lines:
            table = pd.read_csv(lines, dtype="str", keep_default_na=False, na_values=[], index_col=False)
    except (UnicodeDecodeError, pd.errors.ParserError) as error:
        raise InputError([Problem(file, 0, "", "", f"cannot be read as a table ({error})")]) from None
    return _columns(table, file, columns).replace({"": None, "NA": None})


def numbers(table: pd.DataFrame, file: str, columns: list[str]) -> pd.DataFrame:
    """Turn columns of text into numbers.

    Raises
    ------
    InputError : cells that are no number, with their lines, all together.
    """
    converted = table.assign(**{c: pd.to_numeric(table[c], errors="coerce") for c in columns})
    line = pd.Series(np.arange(len(table)) + 2, index=table.index)
    problems = [
        Problem(file, int(line[row]), column, str(table[column][row]), "must be a number, or NA")
        for column in columns
        for row in table.index[converted[column].isna() & table[column].notna()]
    ]
    if problems:
        raise InputError(problems)
    return converted.astype(dict.fromkeys(columns, "float64"))


def _columns(table: pd.DataFrame, file: str, columns: list[str]) -> pd.DataFrame:
    missing = [column for column in columns if column not in table]
    if missing:
        raise InputError(Problem(file, 0, column, "", "the column is missing") for column in missing)
    return table[columns].copy()


def _keyed(table: pd.DataFrame, file: str, country: str, scheme: Scheme, year: str) -> pd.DataFrame:
    """Name country and year alike in all sources, and require that no country has two rows in one year."""
    keyed = table.assign(unit_id=iso3(table[country], scheme, file)).dropna(subset="unit_id")
    keyed = keyed.assign(year=keyed[year].astype("int64"))
    twice = keyed[keyed.duplicated(KEY)]
    if len(twice):
        rule = "the country has more than one row in this year; see RECODES in analysis/sources/countrycodes.py"
        raise InputError(Problem(file, 0, country, f"{u} {y}", rule) for u, y in twice[KEY].itertuples(index=False))
    return keyed.reset_index(drop=True)


def _r_table(root: Path, file: str, table: str, columns: Mapping[str, str]) -> pd.DataFrame:
    return _columns(read_r(root, file, table), file, list(columns)).rename(columns=columns)


def organising(root: Path, file: str) -> pd.DataFrame:
    """Read the Digital Society Project: people's use of social media to organise offline action of any kind.

    Returns
    -------
    `organising`, a score of the measurement model (0 is the mean of all country-years), and its `std_error`.
    """
    columns = {
        "country_text_id": "code", "year": "year", "v2smorgavgact": "organising", "v2smorgavgact_sd": "std_error",
    }  # fmt: skip
    keyed = _keyed(_r_table(root, file, "DSP_Dataset_v1", columns), file, "code", "vdem", "year")
    return keyed[[*KEY, "organising", "std_error"]]


def conditions(root: Path, file: str) -> pd.DataFrame:
    """Read V-Dem: `polyarchy` (0 to 1), `regime` (0 to 3), `gdp` per head and `population` (logs), `region`."""
    columns = {
        "country_text_id": "code", "year": "year", "v2x_polyarchy": "polyarchy", "v2x_regime": "regime",
        "e_gdppc": "gdp", "e_wb_pop": "population", "e_regionpol_6C": "region",
    }  # fmt: skip
    found = _r_table(root, file, "vdemlite", columns)
    found = _keyed(found[found["year"] >= 1990], file, "code", "vdem", "year")
    logs = {name: np.log(found[name].where(found[name] > 0)) for name in ("gdp", "population")}
    return found.assign(**logs)[[*KEY, "polyarchy", "regime", "gdp", "population", "region"]]


def protection(root: Path, file: str) -> pd.DataFrame:
    """Read the human rights protection scores.

    Returns
    -------
    `protection` (higher is better) with its `std_error`, and `reports`, the number of reports that Amnesty
    International published about the country, missing where the source has no count.
    """
    columns = {
        "COW": "code", "YEAR": "written", "theta_mean": "protection", "theta_sd": "std_error",
        "amnesty_report_count": "reports",
    }  # fmt: skip
    raw = read_text(root, file, list(columns)).rename(columns=columns)
    raw = numbers(raw, file, ["written", "protection", "std_error", "reports"])
    keyed = _keyed(raw[raw["written"] > 1990], file, "code", "cow", "written")  # two Germanies and Yemens in 1990
    return keyed[[*KEY, "protection", "std_error", "reports"]]


def ratifications(root: Path, file: str) -> pd.DataFrame:
    """Read which of the core treaties each country is bound by at the end of each year: 1, 0, or missing where it is
    not open yet.
    """
    treaties = [treaty for group in CORE_TREATIES.values() for treaty in group]
    raw = numbers(read_text(root, file, ["country", "year", *treaties]), file, ["year", *treaties])
    return _keyed(raw, file, "country", "name", "year")[[*KEY, *treaties]]


def organisations(root: Path, file: str) -> pd.DataFrame:
    """Read the number of international rights organisations with members in the country, in years of a survey only.

    The source fills the years between two surveys by a line through both, which uses the later one; they are not used.
    """
    raw = numbers(read_text(root, file, ["country_text_id", "year", "hringo"]), file, ["year", "hringo"])
    keyed = _keyed(raw, file, "country_text_id", "vdem", "year")
    return keyed[[*KEY, "hringo"]].rename(columns={"hringo": "organisations"}).dropna()


def searches(root: Path, file: str) -> pd.DataFrame:
    """Read the year's mean weekly Google searches for "human rights", 0 to 100, comparable between countries."""
    raw = numbers(read_text(root, file, ["location", "year", "hits_mean"]), file, ["year", "hits_mean"])
    return _keyed(raw, file, "location", "name", "year")[[*KEY, "hits_mean"]].rename(columns={"hits_mean": "searches"})


def internet(root: Path, file: str) -> pd.DataFrame:
    """Read the share of people who use the internet, in percent; rows without a code are groups of countries."""
    share = "Individuals_using_the_Internet_per_of_population"
    raw = read_text(root, file, ["Code", "Year", share]).dropna(subset="Code")
    keyed = _keyed(numbers(raw, file, ["Year", share]), file, "Code", "iso3", "Year")
    return keyed[[*KEY, share]].rename(columns={share: "internet"})


def conflict(root: Path, file: str) -> pd.DataFrame:
    """Read which governments fought in an armed conflict of 25 battle deaths a year or more on their own territory.

    Interstate and colonial wars are left out.
    """
    columns = {"gwno_a": "code", "year": "year", "type_of_conflict": "type"}
    raw = _r_table(root, file, "ucdp_acd", columns)
    fought = raw[raw["type"].isin(["intrastate", "II"])].drop_duplicates(["code", "year"])
    return _keyed(fought, file, "code", "gw", "year")[KEY].assign(conflict=1.0)


def recommendations(root: Path, files: Sequence[str]) -> pd.DataFrame:
    """Count the recommendations each state under review got in the Universal Periodic Review, by year of its session.

    Returns
    -------
    One row per country and year with a review; a row that the source repeats counts once.
    """
    columns = ["To", "From", "Text", "Response", "Action", "Issue", "Session"]
    raw = pd.concat([read_text(root, file, columns, "mac_roman") for file in files], ignore_index=True)
    raw = numbers(raw.drop_duplicates(), files[-1], ["Session"])
    reviewed = raw.assign(unit_id=iso3(raw["To"], "name", files[0]), year=raw["Session"].map(UPR_YEARS))
    counted = reviewed.groupby(KEY).size().rename("recommendations").reset_index()
    return counted.astype({"year": "int64"})


def protests(root: Path, file: str) -> pd.DataFrame:
    """Read Mass Mobilization: one row per protest, and one for each country and year without any.

    Returns
    -------
    The source's rows, without exact duplicates and without the row that has no year: `unit_id`, `year`, `protest` (0
    or 1), the demands and responses as sets in `demands` and `responses`, dates, and participants as written.
    """
    raw = read_r(root, file, "mmALL_073120_csv").drop_duplicates().dropna(subset="year")
    demands = [f"protesterdemand{i}" for i in range(1, 5)]
    responses = [f"stateresponse{i}" for i in range(1, 8)]
    raw = _columns(raw, file, ["id", "country", "year", "protest", "startday", "startmonth", "startyear", "endday",
                               "endmonth", "endyear", "protesterviolence", "participants_category", "participants",
                               *demands, *responses])  # fmt: skip
    return raw.assign(
        unit_id=iso3(raw["country"], "name", file),
        year=raw["year"].astype("int64"),
        demands=_sets(raw[demands]),
        responses=_sets(raw[responses]),
    ).drop(columns=[*demands, *responses])


def _sets(columns: pd.DataFrame) -> pd.Series:
    rows = columns.astype("object").to_numpy()
    sets = [frozenset(RESPONSES.get(cell, cell) for cell in row if isinstance(cell, str)) for row in rows]
    return pd.Series(sets, index=columns.index, dtype="object")
