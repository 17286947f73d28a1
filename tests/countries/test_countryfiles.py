"""Readers of single files: what they refuse."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from analysis.errors import InputError
from analysis.sources import countryfiles


def written(folder: Path, text: str, encoding: str = "utf-8") -> str:
    (folder / "file.csv").write_bytes(text.encode(encoding))
    return "file.csv"


def test_cells_that_are_no_number_are_listed_with_their_lines(tmp_path: Path) -> None:
    file = written(tmp_path, "location,year,hits_mean\nFrance,2015,many\nPeru,2015,NA\nChad,20x5,1\n")
    with pytest.raises(InputError) as caught:
        countryfiles.searches(tmp_path, file)
    assert "file.csv, line 2, hits_mean: 'many': must be a number" in str(caught.value)
    assert "file.csv, line 4, year: '20x5'" in str(caught.value)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"file\.csv, hits_mean: the column is missing"):
        countryfiles.searches(tmp_path, written(tmp_path, "location,year\nFrance,2015\n"))


def test_two_rows_of_one_country_and_year_are_refused(tmp_path: Path) -> None:
    file = written(tmp_path, "location,year,hits_mean\nBurma,2015,1\nMyanmar,2015,2\n")
    with pytest.raises(InputError, match=r"MMR 2015.*more than one row"):
        countryfiles.searches(tmp_path, file)


def test_an_encoding_that_is_not_the_sources_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, "location,year,hits_mean\nCôte d'Ivoire,2015,1\n", "latin-1")
    with pytest.raises(InputError, match="cannot be read as a table"):
        countryfiles.searches(tmp_path, file)


def test_counts_between_two_surveys_of_organisations_are_not_used(tmp_path: Path) -> None:
    file = written(tmp_path, "country_text_id,year,hringo,hringo_inter\nPER,2000,3,3\nPER,2001,NA,4\nPER,2003,6,6\n")
    found = countryfiles.organisations(tmp_path, file)
    assert found.to_numpy().tolist() == [["PER", 2000, 3.0], ["PER", 2003, 6.0]]


def test_groups_of_countries_without_a_code_are_left_out(tmp_path: Path) -> None:
    share = "Individuals_using_the_Internet_per_of_population"
    file = written(
        tmp_path, f"Entity,Code,Year,{share}\nWorld,OWID_WRL,2001,8\nKosovo,OWID_KOS,2001,2\nIncome,,2001,1\n"
    )
    assert countryfiles.internet(tmp_path, file).to_numpy().tolist() == [["XKX", 2001, 2.0]]


def test_a_repeated_recommendation_counts_once_and_lines_may_end_as_on_old_macs(tmp_path: Path) -> None:
    rows = ["To,To-Rgrp,From,Text,Response,Action,Issue,Session", "Peru,x,Chile,Ratify,Accepted,3,Torture,14"]
    rows += [rows[1], "Peru,x,Chad,Ratify,Noted,3,Torture,14", "Côte d'Ivoire,x,Chad,Ratify,Noted,3,Torture,7"]
    file = written(tmp_path, "\r".join(rows) + "\r", "mac_roman")
    found = countryfiles.recommendations(tmp_path, [file])
    assert found.to_numpy().tolist() == [["CIV", 2010, 1], ["PER", 2012, 2]]


def test_sets_of_responses_have_one_spelling() -> None:
    found = countryfiles._sets(pd.DataFrame({"a": ["accomodation", None], "b": ["arrests", "ignore"]}))
    assert found.tolist() == [{"accommodation", "arrests"}, {"ignore"}]
