"""Protests against police violence in the United States, as described in ``docs/data/policing.md``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from analysis.dates import period_bounds, period_names, period_numbers
from analysis.models.estimates import Estimate
from analysis.sources import policingchecks
from analysis.sources.stacked import quarter_numbers, unstacked
from analysis.sources.statafile import read_stata
from analysis.study.spec import Strict
from analysis.tables import CONTEXT, OUTCOMES, PROCESS, CanonicalTables

PLACE = {
    "event": "event", "time": "time", "_wt_unit": "weight", "fips": "fips", "qtr": "qtr", "protests": "protests",
    "participants": "participants", "homicides": "killings", "homicides_mpv": "killings_mpv",
    "homicides_black_mpv": "killings_black", "popestimate": "population", "pop_c": "population_tenth",
    "officers": "officers", "violent": "violent_crime", "arrests": "arrests",
    "consent_decree1": "investigated", "consent_decree2": "found", "consent_decree3": "decreed",
}  # fmt: skip
AGENCY = {
    "event": "event", "time": "time", "_wt_unit": "weight", "ori9": "unit_id", "qtr": "qtr", "protests": "protests",
    "participants": "participants", "population": "population", "ag_bodycam": "cameras", "weight": "survey_weight",
    "strata": "stratum",
}  # fmt: skip
REASONS = {"Q16M4": "accountability", "Q16M6": "perceptions", "Q16M8": "less_force", "Q16M14": "external_pressure"}
"""Answers to why cameras were got: accountability, how the agency is seen, less use of force, pressure from outside."""
TWEETS = {"fips": "unit_id", "year": "year", "sub_tweet_counts": "value"}
STACKED = ["time", "weight"]
"""Columns that differ between the cohorts that a row is repeated for."""
DAILY = {"fips": "unit_id", "date": "date", "city": "city", "stabb": "state", "participants": "participants"}

SIZES = {"small": 0, "medium": 50_000, "large": 100_000, "very_large": 250_000}
"""Least population, when first observed, of each class of size."""
MAPPED_SINCE = 20131
"""First quarter of Mapping Police Violence; before it the stack holds zeros that stand for nothing."""
STATE_DECREE, STATE_DECREE_ENDED = "NJ", 20094
"""State for whose every place the stack codes the decree on its state police, and the last quarter of that decree."""
STEPS = {"investigated": ("investigation", 3), "found": ("finding", 3), "decreed": ("consent_decree", 4)}
"""Steps to a decree, their outcome codes and rungs. The stack marks one step at a time: the latest that was reached."""


class Options(Strict):
    """Options of the policing adapter."""

    panel: Literal["places", "agencies"]
    places: str = "data/raw/policing/Stacked.zip"
    agencies: str = "data/raw/policing/Agency_panel_bodycam.zip"
    tweets: str = "data/raw/policing/Twitter_stack.zip"
    protests: str = "data/raw/policing/protest_daily.dta"


def load(root: Path, options: Options, seed: int) -> CanonicalTables:
    """Read one of the two panels into the canonical tables.

    Parameters
    ----------
    root, options : the project's folder, and the panel and files under it.
    seed : not used; nothing is random.

    Returns
    -------
    *places*: protests and participants of each quarter with any, of the place and of the others in its state; tweets of
    each year, dated to its last day; police killings; steps to a consent decree. *agencies*: protests, participants and
    the quarter in which body cameras were got. Context by quarter.

    Raises
    ------
    InputError : rows that repeat a unit's quarter disagree, or a quarter is missing within a unit.
    """
    return _places(root, options) if options.panel == "places" else _agencies(root, options)


def described(root: Path, options: Options) -> list[Estimate]:
    """Count what was read, what repeated and what is missing, and how far sources differ; see `policingchecks`."""
    if options.panel == "agencies":
        stack = read_stata(root, options.agencies, {**AGENCY, **REASONS}, labelled=("ori9",))
        return [*policingchecks.reading(stack), *policingchecks.cameras(stack, list(REASONS.values()))]
    stack = _place_stack(root, options)
    panel = unstacked(stack.drop(columns=STACKED), options.places)
    tables = _places(root, options)
    return [
        *policingchecks.reading(stack),
        *policingchecks.protests(read_stata(root, options.protests, DAILY), tables.units),
        *policingchecks.sources(panel, MAPPED_SINCE),
        *policingchecks.selection(tables.units, tables.context, tables.outcomes),
        *policingchecks.decrees(tables.units, tables.outcomes, panel, STATE_DECREE),
    ]


def _place_stack(root: Path, options: Options) -> pd.DataFrame:
    stack = read_stata(root, options.places, PLACE)
    stack.insert(0, "unit_id", stack.pop("fips").astype("str").str.zfill(7))
    return stack


def _places(root: Path, options: Options) -> CanonicalTables:
    daily = read_stata(root, options.protests, DAILY)
    stack = _place_stack(root, options)
    panel = unstacked(stack.drop(columns=STACKED), options.places)
    panel["log_population"] = np.log(panel["population"])
    named = daily.drop_duplicates("unit_id").set_index("unit_id")
    tweets = read_stata(root, options.tweets, TWEETS).drop_duplicates()
    tweets = tweets[tweets["unit_id"].isin(panel["unit_id"])]
    units = _units(panel)
    units["state"] = units["unit_id"].map(named["state"])
    units["name"] = units["unit_id"].map(named["city"]) + ", " + units["state"]
    units["tweets_known"] = np.where(units["unit_id"].isin(tweets["unit_id"]), "yes", "no")
    return CanonicalTables(
        units,
        pd.concat(
            [_protests(panel, "daily_protests", _uncounted(daily)), _elsewhere(daily, panel, units), _tweets(tweets)]
        ),
        _complete([_killings(panel), _decrees(panel, units)], panel),
        _context(
            panel, ["population", "log_population", "population_tenth", "officers", "violent_crime", "arrests"], stack
        ),
    )


def _agencies(root: Path, options: Options) -> CanonicalTables:
    stack = read_stata(root, options.agencies, AGENCY, labelled=("ori9",))
    panel = unstacked(stack.drop(columns=STACKED), options.agencies)
    panel["population"] = panel["population"].where(panel["population"] > 0)
    units = _units(panel)
    units["name"] = units["unit_id"]
    units["state"] = units["unit_id"].str[:2]
    units["stratum"] = units["unit_id"].map(panel.groupby("unit_id")["stratum"].first()).map("{:.0f}".format)
    got = panel[panel["cameras"] == 1].groupby("unit_id")["quarter"].min().reset_index()
    cameras = _events(got, 1.0, "body_cameras", 4, 1, "lemas")
    return CanonicalTables(
        units,
        _protests(panel, "agency_panel", pd.Index([])),
        _complete([cameras], panel),
        _context(panel, ["population", "survey_weight"], stack),
    )


def _units(panel: pd.DataFrame) -> pd.DataFrame:
    """Describe each unit: when it is observed, in which quarter its first protest is, and how large it is."""
    by_unit = panel.groupby("unit_id")
    units = by_unit[["quarter", "population"]].first()
    first = panel[panel["protests"] > 0].groupby("unit_id")["quarter"].min()
    units["cohort"] = _written(first).reindex(units.index).fillna("later")
    units["first_protest"] = np.where(units.index.isin(first.index), "observed", "later")
    thresholds, names = np.array(list(SIZES.values())), np.array(list(SIZES))
    place = np.searchsorted(thresholds, units["population"].fillna(0), side="right") - 1
    units["size"] = np.where(units["population"].isna(), "unknown", names[place])
    units["launched"] = _written(units["quarter"])
    units["launched_start"], units["launched_end"] = period_bounds(units["quarter"], "quarter")
    columns = ["launched", "launched_start", "launched_end", "cohort", "first_protest", "size"]
    return units[columns].reset_index().assign(name="")


def _written(quarters: pd.Series) -> pd.Series:
    return period_names(quarters, "quarter") if len(quarters) else quarters.astype("str")


def _dated(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.reset_index(drop=True)
    start, end = period_bounds(rows["quarter"], "quarter")
    return rows.assign(time=_written(rows["quarter"]), start=start, end=end)


def _process(rows: pd.DataFrame, indicator: str, source: str) -> pd.DataFrame:
    complete = rows.assign(indicator=indicator, source=source, counting="flow", scope="country", grade="B")
    return complete.reindex(columns=list(PROCESS.columns))


def _protests(panel: pd.DataFrame, source: str, uncounted: pd.Index) -> pd.DataFrame:
    """Take the quarters with a protest; there was none in any other quarter in which a unit is observed.

    Protests whose participants nobody counted add none, so that a sum over any of them is a lower bound; of agencies it
    is not known which.
    """
    held = _dated(panel[panel["protests"] > 0])
    exact = held.assign(value=held["protests"].astype("float64"), value_type="exact")
    bound = pd.MultiIndex.from_frame(held[["unit_id", "quarter"]]).isin(uncounted) if len(uncounted) else True
    counted = held.assign(value=held["participants"], value_type=np.where(bound, "lower_bound", "rounded"))
    return pd.concat([_process(exact, "protests", source), _process(counted, "participants", source)])


def _numbered(daily: pd.DataFrame) -> pd.DataFrame:
    return daily.assign(quarter=period_numbers(daily["date"], daily["date"], "quarter").astype("int64"))


def _uncounted(daily: pd.DataFrame) -> pd.Index:
    rows = _numbered(daily)
    return pd.MultiIndex.from_frame(rows.loc[rows["participants"].isna(), ["unit_id", "quarter"]])


def _elsewhere(daily: pd.DataFrame, panel: pd.DataFrame, units: pd.DataFrame) -> pd.DataFrame:
    """Count the protests in the other places of each place's state, of any size, in the panel or not."""
    rows = _numbered(daily)
    in_state = rows.groupby(["state", "quarter"]).size().rename("all").reset_index()
    own = rows.groupby(["unit_id", "quarter"]).size().rename("own").reset_index()
    found = panel[["unit_id", "quarter"]].merge(units[["unit_id", "state"]], on="unit_id", validate="many_to_one")
    found = found.merge(in_state, on=["state", "quarter"], validate="many_to_one")
    found = found.merge(own, how="left", on=["unit_id", "quarter"], validate="one_to_one")
    found["value"] = found["all"] - found["own"].fillna(0.0)
    return _process(
        _dated(found[found["value"] > 0]).assign(value_type="exact"), "protests_elsewhere", "daily_protests"
    )


def _tweets(tweets: pd.DataFrame) -> pd.DataFrame:
    """Date a year's tweets to its last day, the first on which the count can be known."""
    last = pd.to_datetime(tweets["year"].astype("str") + "-12-31")
    rows = tweets.assign(time=last.dt.strftime("%Y-%m-%d"), start=last, end=last, value_type="exact")
    return _process(rows, "tweets", "twitter_panel")


def _events(
    rows: pd.DataFrame,
    value: pd.Series | float,
    indicator: pd.Series | str,
    stage: pd.Series | int,
    direction: int,
    source: str,
) -> pd.DataFrame:
    return rows.assign(
        indicator=indicator, value=value, stage=stage, direction=direction, source=source, grade="B"
    )  # fmt: skip


def _killings(panel: pd.DataFrame) -> pd.DataFrame:
    """Take killings as events against the demand, and, as levels in every quarter, what the second source counted."""
    mapped = panel[panel["qtr"] >= MAPPED_SINCE]
    per_million = panel["killings"] / panel["population"] * 1e6
    killed = panel[panel["killings"] > 0]
    return pd.concat(
        [
            _events(killed, killed["killings"], "police_killing", 5, -1, "fatal_encounters"),
            _events(panel, per_million, "killings_per_million", 5, 0, "fatal_encounters"),
            _events(mapped, mapped["killings_mpv"], "killings_mpv", 5, 0, "mapping_police_violence"),
            _events(mapped, mapped["killings_black"], "killings_black", 5, 0, "mapping_police_violence"),
        ]
    )


def _decrees(panel: pd.DataFrame, units: pd.DataFrame) -> pd.DataFrame:
    """Take the first quarter of each step, unless a later step came before it.

    The stack falls back to an earlier step where a decree ends, which is no new investigation. So an investigation or a
    finding that stands in a place's first quarter may be either, and is not taken; a decree that does is in force.
    """
    shared = panel["unit_id"].map(units.set_index("unit_id")["state"]) == STATE_DECREE
    rows = panel.assign(
        found=panel["found"].mask(shared, 0),
        decreed=panel["decreed"].mask(shared & (panel["qtr"] <= STATE_DECREE_ENDED), 0),
    )
    first = pd.DataFrame({step: rows[rows[step] == 1].groupby("unit_id")["quarter"].min() for step in STEPS})
    next_step = first[list(STEPS)[::-1]].cummin(axis=1)[list(STEPS)].shift(-1, axis=1)
    unseen = first.eq(panel.groupby("unit_id")["quarter"].min(), axis=0) & (first.columns != "decreed")
    found = first.mask(unseen | (first > next_step)).rename_axis("unit_id").reset_index()
    found = found.melt("unit_id", var_name="step", value_name="quarter").dropna(subset="quarter")
    code, stage = found["step"].map(STEPS).str[0], found["step"].map(STEPS).str[1].astype("int64")
    found["quarter"] = found["quarter"].astype("int64")
    return _events(found, 1.0, code, stage, 1, "justice_department")


def _complete(events: list[pd.DataFrame], panel: pd.DataFrame) -> pd.DataFrame:
    """Date the events, add a row for every unit that was followed without any, and say until when each was followed."""
    dated = _dated(pd.concat(events, ignore_index=True))
    last = panel.groupby("unit_id")["quarter"].max()
    eventless = last.index.difference(pd.Index(dated.loc[dated["direction"] != 0, "unit_id"]))
    none = _events(pd.DataFrame({"unit_id": eventless, "time": ""}), 1.0, "none_observed", 0, 0, "panel")
    outcomes = pd.concat([dated, none], ignore_index=True)
    until = outcomes["unit_id"].map(last)
    outcomes["observed_start"], outcomes["observed_end"] = period_bounds(until, "quarter")
    return outcomes.assign(observed_until=_written(until))[list(OUTCOMES.columns)]


def _context(panel: pd.DataFrame, variables: list[str], stack: pd.DataFrame) -> pd.DataFrame:
    """Take context by quarter, and the published weight of a unit in the comparison with each cohort.

    `synthetic_weight` is dated to the quarter of the cohort's first protests.
    """
    dated = _dated(panel)
    long = [dated.assign(variable=name, value=dated[name]) for name in variables]
    starts = stack.loc[stack["time"] == 0, ["unit_id", "qtr", "weight"]]
    weights = _dated(starts.assign(quarter=quarter_numbers(starts["qtr"])))
    long.append(weights.assign(variable="synthetic_weight", value=weights["weight"].astype("float64")))
    return pd.concat(long, ignore_index=True)[list(CONTEXT.columns)].dropna(subset="value")
