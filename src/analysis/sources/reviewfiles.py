"""The raw files on the Universal Periodic Review: recommendations, the sample coded by hand, and who was at risk.

As described in ``docs/data/reviews.md``.
"""

from __future__ import annotations

import html
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from analysis.errors import InputError, Problem
from analysis.sources.countrycodes import iso3
from analysis.sources.countryfiles import ratifications, read_text
from analysis.sources.csvfile import CsvFile, count, filled, one_of, refuse_if_bad, text
from analysis.sources.recommendations import asked_to_ratify
from analysis.sources.treatynames import TREATIES

SESSIONS = {
    1: ("2008-04-07", "2008-04-18"), 2: ("2008-05-05", "2008-05-19"), 3: ("2008-12-01", "2008-12-15"),
    4: ("2009-02-02", "2009-02-13"), 5: ("2009-05-04", "2009-05-15"), 6: ("2009-11-30", "2009-12-11"),
    7: ("2010-02-08", "2010-02-19"), 8: ("2010-05-03", "2010-05-14"), 9: ("2010-11-01", "2010-11-12"),
    10: ("2011-01-24", "2011-02-04"), 11: ("2011-05-02", "2011-05-13"), 12: ("2011-10-03", "2011-10-14"),
    13: ("2012-05-21", "2012-06-04"), 14: ("2012-10-22", "2012-11-05"), 15: ("2013-01-21", "2013-02-01"),
    16: ("2013-04-22", "2013-05-03"), 17: ("2013-10-21", "2013-11-01"), 18: ("2014-01-27", "2014-02-07"),
    19: ("2014-04-28", "2014-05-09"), 20: ("2014-10-27", "2014-11-07"),
}  # fmt: skip
"""First and last day of each session of the working group, as the Human Rights Council announced them; the source has
only the session's number."""
LAST_OF_FIRST_CYCLE = 12
NOT_YET_STATES = {("SSD", 11)}
"""State and session: South Sudan was reviewed as a part of Sudan, two months before it was a state."""
FOLLOWED = 4
"""Calendar years after that of the review in which ratification counts."""

STRATA = ["coded", "names", "neither"]
"""Of the sample: texts that the rule codes; others that name a treaty, an instrument or ratification; all others."""
_NAMES = (
    r"convention|covenant|protocol|treat(?:y|ies)\b|instrument|ratif|acced|accession|rome statute"
    r"|\b(?:op|i?ccpr|icescr|cedaw|op-?cat|cat|crc|icrmw|crpd|cp?ed|i?cerd)\b"
)


@lru_cache(maxsize=2)
def recommendations(root: Path, files: tuple[str, ...]) -> pd.DataFrame:
    """Read every recommendation once, with the treaties that it asks to ratify.

    Returns
    -------
    One row per recommendation, in the source's order: `file` (without ending) and `row` (line in it), `iso3` and
    `region` of the state under review, `sender` (code, missing where the source does not know it) and `sender_region`,
    `accepted`, `action` (1 to 5), `session`, `treaties` (frozenset), `stratum` of `STRATA`. A row that the source
    repeats word for word counts once; `attrs["repeated"]` says how many did.

    Raises
    ------
    InputError : a file that cannot be read, an unknown state, or a cell outside its values.
    """
    columns = [
        "To",
        "To-Rgrp",
        "Text",
        "From",
        "From-Rgrp",
        "From-Org",
        "To-Org",
        "Response",
        "Action",
        "Issue",
        "Session",
    ]
    tables = []
    for file in files:
        # Written by Excel for Mac: lines end in a carriage return alone, and letters are those of Mac Roman.
        table = read_text(root, file, columns, "mac_roman")
        tables.append(table.assign(file=PurePosixPath(file).stem, row=np.arange(2, len(table) + 2)))
        _refuse_unknown(tables[-1], file)
    raw = pd.concat(tables, ignore_index=True)
    once = raw.drop_duplicates(columns).reset_index(drop=True)
    words = once["Text"].str.lower()
    treaties = once["Text"].map(asked_to_ratify)
    found = once[["file", "row"]].assign(
        iso3=iso3(once["To"], "name", files[0]), region=once["To-Rgrp"],
        sender=iso3(once["From"].map(html.unescape), "name", files[0]), sender_region=once["From-Rgrp"],
        accepted=once["Response"] == "Accepted", action=once["Action"].astype("int64"),
        session=once["Session"].astype("int64"), treaties=treaties,
        stratum=np.select([treaties.map(bool), words.str.contains(_NAMES)], STRATA[:2], STRATA[2]),
    )  # fmt: skip
    found.attrs["repeated"] = len(raw) - len(once)
    return found


def _refuse_unknown(table: pd.DataFrame, file: str) -> None:
    allowed = {
        "Session": [str(session) for session in SESSIONS],
        "Action": list("12345"),
        "Response": ["Accepted", "Noted"],
    }
    problems = [
        Problem(file, int(row), column, str(value), f"must be one of {', '.join(values)}")
        for column, values in allowed.items()
        for row, value in table.loc[~table[column].isin(values), ["row", column]].itertuples(index=False)
    ]
    problems += [
        Problem(file, int(row), column, "", "must not be empty")
        for column in ("To", "From", "Text")
        for row in table.loc[table[column].isna(), "row"]
    ]
    if problems:
        raise InputError(problems)


def asked(recommended: pd.DataFrame) -> pd.DataFrame:
    """Take recommendations apart into one row for each treaty that they ask to ratify, under `treaty`."""
    pairs = recommended.assign(treaty=recommended["treaties"].map(sorted)).explode("treaty", ignore_index=True)
    return pairs.dropna(subset="treaty").drop(columns="treaties").reset_index(drop=True)


def reviews(recommended: pd.DataFrame) -> pd.DataFrame:
    """List the reviews: `iso3`, `region`, `session`, `year`, `cycle`, its days, and `received` recommendations."""
    found = recommended.groupby(["iso3", "region", "session"]).size().rename("received").reset_index()
    days = {session: pd.to_datetime(pd.Series(dates)) for session, dates in SESSIONS.items()}
    return found.assign(
        year=found["session"].map(lambda session: days[session][0].year),
        cycle=np.where(found["session"] <= LAST_OF_FIRST_CYCLE, "first", "second"),
        launched=found["session"].map(lambda session: "/".join(SESSIONS[session])),
        launched_start=found["session"].map(lambda session: days[session][0]).astype("datetime64[ns]"),
        launched_end=found["session"].map(lambda session: days[session][1]).astype("datetime64[ns]"),
        is_state=[key not in NOT_YET_STATES for key in zip(found["iso3"], found["session"], strict=True)],
    )


def bound(root: Path, file: str) -> pd.DataFrame:
    """Read which treaties each state was party to at the end of each year.

    Returns
    -------
    (states × treaties, years) 1, 0, or missing before the treaty was adopted; indexed by `iso3` and `treaty`.
    """
    raw = ratifications(root, file).rename(columns={"unit_id": "iso3"})
    long = raw.melt(["iso3", "year"], list(TREATIES), "treaty", "party")
    return long.pivot_table(index=["iso3", "treaty"], columns="year", values="party", aggfunc="first")


def risk_set(reviewed: pd.DataFrame, parties: pd.DataFrame, file: str) -> pd.DataFrame:
    """Say of every review and treaty whether the state could still ratify it, and when it did.

    Returns
    -------
    The reviews, once for each treaty, with `treaty`, `status` (`not a state`, `not adopted`, `party`, `same year` where
    it ratified in the year of the review, before or after it, or `at risk`) and `ratified`, the first year after the
    review's at whose end it is party, missing where there is none in the file.

    Raises
    ------
    InputError : a state that was reviewed is not in the file of ratifications.
    """
    if unknown := sorted(set(reviewed["iso3"]) - set(parties.index.get_level_values("iso3"))):
        raise InputError(
            Problem(file, 0, "country", state, "was reviewed and is not in this file") for state in unknown
        )
    cells = reviewed.merge(pd.DataFrame({"treaty": list(TREATIES)}), how="cross")
    rows = parties.reindex(pd.MultiIndex.from_frame(cells[["iso3", "treaty"]])).to_numpy("float64")
    first = int(parties.columns[0])
    this_year = cells["year"].to_numpy() - first
    each = np.arange(len(cells))
    before, after = rows[each, this_year - 1], rows[each, this_year]
    later = (rows == 1) & (np.arange(rows.shape[1])[None, :] > this_year[:, None])
    status = np.select(
        [~cells["is_state"], np.isnan(after), before == 1, after == 1],
        ["not a state", "not adopted", "party", "same year"],
        "at risk",
    )
    return cells.assign(
        status=status, ratified=np.where(later.any(axis=1), later.argmax(axis=1) + float(first), np.nan)
    )


def coded_by_hand(root: Path, file: str, recommended: pd.DataFrame) -> pd.DataFrame:
    """Read the sample that was coded by hand, and what the rule says of the same recommendations today.

    Returns
    -------
    One row per recommendation of the sample: `stratum` when it was drawn, `by_hand` and `by_rule`, sets of treaties.

    Raises
    ------
    InputError : a cell that breaks its rule, or a recommendation that the source does not have.
    """
    rules = {"file": filled, "row": count, "stratum": one_of(STRATA), "by_hand": _treaties, "by_rule": text}
    sample = CsvFile.read(root, file, rules)
    sample.unique("file", "row")
    places = recommended.set_index(["file", "row"])["treaties"].to_dict()
    keys = [
        (name, int(row) if row.isdigit() else -1) for name, row in sample.rows[["file", "row"]].itertuples(index=False)
    ]
    known = pd.Series([key in places for key in keys], index=sample.rows.index)
    sample.refuse(~known, "row", "is no recommendation of this file")
    refuse_if_bad(sample)
    return pd.DataFrame(
        {
            "stratum": sample.rows["stratum"],
            "by_hand": [frozenset(treaties.split()) for treaties in sample.rows["by_hand"]],
            "by_rule": [places[key] for key in keys],
        }
    )


def _treaties(value: str) -> str | None:
    unknown = sorted(set(value.split()) - set(TREATIES))
    return f"names no treaty: {', '.join(unknown)}" if unknown else None
