"""Reading the raw files on reviews: who is at risk, how the coding is judged, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.errors import InputError
from analysis.sources.reviewchecks import coding
from analysis.sources.reviewfiles import coded_by_hand, recommendations, reviews, risk_set
from analysis.sources.treatynames import TREATIES


def _texts(**counts: int) -> pd.DataFrame:
    return pd.DataFrame({"stratum": [name for name, n in counts.items() for _ in range(n)]})


def test_recall_weighs_each_stratum_by_its_size() -> None:
    cat, none = frozenset({"cat"}), frozenset()
    sample = pd.DataFrame(
        [("coded", cat, cat)] * 10
        + [("names", cat, none)]
        + [("names", none, none)] * 9
        + [("neither", none, none)] * 10,
        columns=["stratum", "by_hand", "by_rule"],
    )
    rows = {row.term: row for row in coding(_texts(coded=100, names=200, neither=700), sample)}
    assert rows["recall"].estimate == pytest.approx(100 / (100 + 200 * 0.1))
    assert rows["precision"].estimate == 1
    assert rows["missed_names"].estimate == pytest.approx(0.1)


def test_denounced_adopted_and_new_states_are_told_apart() -> None:
    reviewed = reviews(pd.DataFrame({"iso3": ["AAA", "SSD"], "region": "Africa", "session": [5, 11]}))
    years = list(range(2004, 2016))
    parties = pd.DataFrame(0.0, index=pd.MultiIndex.from_product([["AAA", "SSD"], TREATIES]), columns=years)
    parties.index.names = ["iso3", "treaty"]
    parties.loc[("AAA", "cat"), 2006:] = 1.0
    parties.loc[("AAA", "cerd"), 2009:] = 1.0
    parties.loc[("AAA", "crc"), 2012:] = 1.0
    parties.loc[("AAA", "crc_op3"), :2010] = np.nan
    cells = risk_set(reviewed, parties, "file.csv").set_index(["iso3", "treaty"])
    status = cells.loc["AAA", "status"]
    assert status[["cat", "cerd", "crc", "crc_op3", "cedaw"]].tolist() == [
        "party", "same year", "at risk", "not adopted", "at risk",
    ]  # fmt: skip
    assert cells.loc[("AAA", "crc"), "ratified"] == 2012
    assert cells.loc[("AAA", "cerd"), "ratified"] == 2010
    assert np.isnan(cells.loc[("AAA", "cedaw"), "ratified"])
    assert (cells.loc["SSD", "status"] == "not a state").all()


def test_a_state_that_the_ratifications_lack_is_refused() -> None:
    reviewed = reviews(pd.DataFrame({"iso3": ["AAA"], "region": "Africa", "session": [5]}))
    parties = pd.DataFrame(0.0, index=pd.MultiIndex.from_product([["BBB"], TREATIES]), columns=range(2004, 2016))
    parties.index.names = ["iso3", "treaty"]
    with pytest.raises(InputError, match=r"file\.csv, country: 'AAA': was reviewed and is not in this file"):
        risk_set(reviewed, parties, "file.csv")


HEADER = "To,To-Rgrp,To-Org,Text,From,From-Rgrp,From-Org,Response,Action,Issue,Session"


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("Chad,Africa,AU,Ratify CAT,Spain,WEOG,EU,Maybe,5,Torture,5", r"'Maybe': must be one of Accepted, Noted"),
        ("Chad,Africa,AU,Ratify CAT,Spain,WEOG,EU,Noted,6,Torture,5", r"'6': must be one of 1, 2, 3, 4, 5"),
        ("Chad,Africa,AU,Ratify CAT,Spain,WEOG,EU,Noted,5,Torture,99", r"'99': must be one of 1, 2"),
        ("Chad,Africa,AU,,Spain,WEOG,EU,Noted,5,Torture,5", r"Text: must not be empty"),
        ("Atlantis,Africa,AU,Ratify CAT,Spain,WEOG,EU,Noted,5,Torture,5", r"'Atlantis': is no country that is known"),
    ],
)
def test_a_bad_row_is_refused_with_its_place(tmp_path: Path, row: str, problem: str) -> None:
    (tmp_path / "bad.csv").write_bytes(f"{HEADER}\r{row}\r".encode("mac_roman"))
    with pytest.raises(InputError, match=problem):
        recommendations(tmp_path, ("bad.csv",))


def test_a_sample_of_unknown_rows_or_treaties_is_refused(tmp_path: Path) -> None:
    known = pd.DataFrame({"file": ["1-5"], "row": [2], "treaties": [frozenset({"cat"})]})
    (tmp_path / "sample.csv").write_text(
        "file,row,stratum,by_hand,by_rule\n1-5,2,coded,cot,cat\n1-5,3,coded,cat,cat\n", encoding="utf-8"
    )
    with pytest.raises(InputError) as refused:
        coded_by_hand(tmp_path, "sample.csv", known)
    assert "line 2, by_hand: 'cot': names no treaty: cot" in str(refused.value)
    assert "line 3, row: '3': is no recommendation of this file" in str(refused.value)
