"""Protests of Mass Mobilization, 1990 to 2020: who came, what they asked for, and how the state answered.

As described in ``docs/data/protests.md``.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.sources import countryfiles
from analysis.sources.countries import FOLDER, REGIMES, REGIONS
from analysis.sources.countryfiles import FORCE
from analysis.study.spec import Strict
from analysis.tables import CONTEXT, OUTCOMES, PROCESS, CanonicalTables

CHALLENGE = {"political behavior, process", "removal of politician"}
POLICE = {"police brutality"}
HARMLESS = {"labor wage dispute", "land farm issue", "price increases, tax policy", "social restrictions"}
VIOLENCE = ["arrests", "beatings", "shootings", "killings"]
RESPONSES = {
    "accommodated": ({"accommodation"}, 4, 1),
    "repressed": (set(FORCE), 5, -1),
    "violence": (set(VIOLENCE), 5, -1),
    "killed": ({"killings"}, 5, -1),
}
"""Outcome: the responses that count, the rung of the ladder, and whether they are towards the demand or against it."""

WORDS = {
    "millions": 1_000_000, "hundreds of thousands": 100_000, "tens of thousands": 10_000, "thousands": 1000,
    "thousand": 1000, "hundreds": 100, "hundred": 100, "dozens": 50, "dozen": 50, "scores": 50,
}  # fmt: skip
"""Numbers in words, as the least that they may mean. The source has no protest of fewer than 50 on purpose."""

NOT_PARTICIPANTS = re.compile(r"arrest|detain|kill|injur|famil|groups|schools")


class Options(Strict):
    """Options of the protests adapter: where each raw file is."""

    protests: str = "data/raw/protests/mmALL_073120_csv.RData"
    organising: str = FOLDER + "DSP_original.Rdata"
    conditions: str = FOLDER + "vdemlite.rda"


def load(root: Path, options: Options, seed: int) -> CanonicalTables:
    """Read the protests into the canonical tables.

    Parameters
    ----------
    root, options : the project's folder, and the files under it.
    seed : not used; nothing is random.

    Returns
    -------
    One unit per protest: participants on the day it began; how much people of its country organised through social
    media in the year before and in its own year, and in the year after, which can explain nothing; responses, dated to
    the protest itself, because the source does not date them.
    """
    events = countryfiles.protests(root, options.protests)
    events = events[events["protest"] == 1]
    events = events.assign(country_code=events["unit_id"].fillna(events["country"]))  # East Germany has no code
    organising = countryfiles.organising(root, options.organising)
    conditions = countryfiles.conditions(root, options.conditions)
    events = _described(events, conditions)
    units = events[["unit_id", "name", "launched", "launched_start", "launched_end", "country", "region", "year",
                    "demand", "regime", "violent"]]  # fmt: skip
    return CanonicalTables(
        units,
        pd.concat([_participants(events), _organising(events, organising, -1, "organising"),
                   _organising(events, organising, 0, "organising"),
                   _organising(events, organising, 1, "organising_later")])[list(PROCESS.columns)],
        _outcomes(events)[list(OUTCOMES.columns)],
        _context(events, conditions)[list(CONTEXT.columns)],
    )  # fmt: skip


def _described(events: pd.DataFrame, conditions: pd.DataFrame) -> pd.DataFrame:
    start, end = _day(events, "start"), _day(events, "end")
    year = start.dt.year
    regimes = conditions.assign(year=conditions["year"] + 1, regime=conditions["regime"].map(REGIMES))
    regions = conditions.drop_duplicates("unit_id").set_index("unit_id")["region"].map(REGIONS)
    known = events.assign(year=year).merge(
        regimes.rename(columns={"unit_id": "country_code"})[["country_code", "year", "regime"]],
        how="left", on=["country_code", "year"], validate="many_to_one",
    )  # fmt: skip
    known.index = events.index
    return pd.DataFrame(
        {
            "unit_id": events["id"].astype("int64").astype("str"),
            "name": events["country"] + ", " + start.dt.strftime("%Y-%m-%d"),
            "launched": start.dt.strftime("%Y-%m-%d"),
            "launched_start": start,
            "launched_end": start,
            "end": end,
            "country": events["country_code"],
            "region": events["country_code"].map(regions).fillna("none"),
            "year": year.astype("str"),
            "demand": events["demands"].map(_demand),
            "regime": known["regime"].fillna("unknown"),
            "violent": events["protesterviolence"].map({1.0: "yes", 0.0: "no"}).fillna("unknown"),
            "responses": events["responses"],
            "participants": [
                participants(text, band)
                for text, band in zip(events["participants"], events["participants_category"], strict=True)
            ],
        }
    )


def _day(events: pd.DataFrame, which: str) -> pd.Series:
    parts = pd.DataFrame({part: events[f"{which}{part}"].astype("int64") for part in ("year", "month", "day")})
    return pd.to_datetime(parts).astype("datetime64[ns]")


def _demand(demands: frozenset[str]) -> str:
    """Name a protest by the demand that challenges a government most."""
    for name, held in (("challenge", CHALLENGE), ("police", POLICE), ("harmless", HARMLESS)):
        if demands & held:
            return name
    return "none"


def participants(text: object, band: object) -> tuple[float, str]:
    """Read the number of participants from the source's free text or, where that has none, from its bands.

    Parameters
    ----------
    text : such as ``300``, ``>1000``, ``100s``, ``200-300``, ``tens of thousands``; or missing.
    band : such as ``100-999``; or missing.

    Returns
    -------
    The number, and `exact` or `lower_bound`; the lower end of a range, and of what words may mean. Without either, NaN.
    """
    for written in (text, band):
        if isinstance(written, str):
            number, exact = _number(written.lower().strip())
            if number > 0:
                return number, "exact" if exact else "lower_bound"
    return float("nan"), "lower_bound"


def _number(written: str) -> tuple[float, bool]:
    if NOT_PARTICIPANTS.search(written):
        return 0.0, False
    plain = written.replace(",", "")
    found = re.search(r"(\d+(?:\.\d+)?)\s*(million)?", plain)
    words = [count for word, count in WORDS.items() if re.search(rf"\b{word}\b", plain)]
    if found:
        number = float(found[1]) * (1_000_000 if found[2] else 1)
        return number, re.fullmatch(r"(?:about |~ ?)?\d+(?: people| protesters)?", plain) is not None
    return float(max(words, default=0)), False


def _participants(events: pd.DataFrame) -> pd.DataFrame:
    rows = events.assign(
        value=[number for number, _ in events["participants"]], value_type=[kind for _, kind in events["participants"]]
    ).dropna(subset="value")
    return rows.assign(
        indicator="participants", time=rows["launched"], source="mass_mobilization", start=rows["launched_start"],
        end=rows["launched_start"], std_error=np.nan, counting="flow", scope="country", grade="B",
    )  # fmt: skip


def _organising(events: pd.DataFrame, organising: pd.DataFrame, years: int, indicator: str) -> pd.DataFrame:
    """Give every protest the score of its country some years from its own."""
    wanted = events[["unit_id", "country"]].assign(year=events["year"].astype("int64") + years)
    scores = organising.rename(columns={"unit_id": "country", "organising": "value"})
    rows = wanted.merge(scores, on=["country", "year"], validate="many_to_one")
    start = pd.to_datetime(rows["year"].astype("str"), format="%Y").astype("datetime64[ns]")
    return rows.assign(
        indicator=indicator, time=rows["year"].astype("str"), source="digital_society_project", start=start,
        end=start + pd.offsets.YearEnd(), value_type="exact", counting="level", scope="country", grade="B",
    )  # fmt: skip


def _outcomes(events: pd.DataFrame) -> pd.DataFrame:
    """Code the responses; a protest for which the source has none is not followed, and has no row."""
    answered = events[events["responses"].map(len) > 0]
    found = []
    for indicator, (responses, stage, direction) in RESPONSES.items():
        rows = answered[[bool(given & responses) for given in answered["responses"]]]
        found.append(rows.assign(indicator=indicator, stage=stage, direction=direction, start=rows["launched_start"]))
    found.append(answered.assign(indicator="none_observed", stage=0, direction=0, start=answered["launched_start"]))
    rows = pd.concat(found)
    return rows.assign(
        value=1.0, time=rows["launched"], observed_until=rows["end"].dt.strftime("%Y-%m-%d"),
        observed_start=rows["end"], observed_end=rows["end"], grade="B", source="mass_mobilization",
    )  # fmt: skip


def _context(events: pd.DataFrame, conditions: pd.DataFrame) -> pd.DataFrame:
    """Give every protest its country's conditions in the year before, and its demand and violence as numbers."""
    before = conditions.assign(year=conditions["year"] + 1).rename(columns={"unit_id": "country"})
    rows = events.assign(
        year=events["year"].astype("int64"),
        challenge=(events["demand"] == "challenge").astype("float64"),
        violence_by_protesters=events["violent"].map({"yes": 1.0, "no": 0.0}),
    ).merge(before[["country", "year", "polyarchy", "gdp", "population"]], how="left", on=["country", "year"],
            validate="many_to_one")  # fmt: skip
    variables = ["challenge", "violence_by_protesters", "polyarchy", "gdp", "population"]
    long = rows.melt(["unit_id", "launched", "launched_start"], variables, "variable", "value").dropna(subset="value")
    return long.rename(columns={"launched": "time", "launched_start": "start"}).assign(end=lambda table: table["start"])
