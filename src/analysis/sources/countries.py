"""Country-years from 2001 to 2019: three ways that norms travel, and what states do.

As described in ``docs/data/countries.md``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.sources import countryfiles, countryseries
from analysis.sources.countrycodes import country_names
from analysis.sources.countryfiles import KEY
from analysis.study.spec import Strict
from analysis.tables import CONTEXT, OUTCOMES, PROCESS, CanonicalTables

FIRST, LAST = 2001, 2019
"""Years of the outcomes; those of the exposures, one year earlier each, are 2000 to 2018."""

REGIONS = {
    1: "Eastern Europe and Central Asia", 2: "Latin America and Caribbean", 3: "Middle East and North Africa",
    4: "Sub-Saharan Africa", 5: "Western Europe and North America", 6: "Asia and Pacific",
}  # fmt: skip
REGIMES = {0: "autocracy", 1: "autocracy", 2: "democracy", 3: "democracy"}
"""V-Dem's Regimes of the World, closed and electoral each taken together."""

FOLDER = "data/raw/countries/"


class Options(Strict):
    """Options of the countries adapter: where each raw file is."""

    organising: str = FOLDER + "DSP_original.Rdata"
    conditions: str = FOLDER + "vdemlite.rda"
    protection: str = FOLDER + "HumanRightsProtectionScores_v4.01_amnesty_report_count_v2.csv"
    ratifications: str = FOLDER + "hr_commitments_updated_2022.csv"
    organisations: str = FOLDER + "hringo_inter_v2.csv"
    searches: str = FOLDER + "gsearch_cy_data_human_rights.csv"
    internet: str = FOLDER + "share-of-individuals-using-the-internet.csv"
    conflict: str = FOLDER + "ucdp_acd.rda"
    protests: str = "data/raw/protests/mmALL_073120_csv.RData"
    recommendations: tuple[str, ...] = tuple(
        f"data/raw/reviews/{name}.csv" for name in ("1-5", "6-9", "10-13", "14-17", "17-20")
    )


def load(root: Path, options: Options, seed: int) -> CanonicalTables:
    """Read eleven sources into country-years.

    Parameters
    ----------
    root, options : the project's folder, and the files under it.
    seed : not used; nothing is random.

    Returns
    -------
    One unit per country that has both a score of organising and one of protection: 174. Process indicators are dated
    to whole years, from 1997 on where the source has them, so that an exposure of 2001 can look back.
    """
    organising = countryfiles.organising(root, options.organising)
    scores = countryfiles.protection(root, options.protection)
    conditions = countryfiles.conditions(root, options.conditions)
    ratified = countryfiles.ratifications(root, options.ratifications)
    events = countryseries.protests_and_responses(countryfiles.protests(root, options.protests))
    reviews = countryfiles.recommendations(root, options.recommendations)
    units = _units(organising, scores, conditions, events)
    ids = units["unit_id"]
    organising = organising[organising["unit_id"].isin(ids)]
    held = countryseries.treaties_held(ratified)
    reviewed = countryseries.completed(reviews, ids, range(FIRST - 1, int(reviews["year"].max()) + 1))
    fought = countryseries.completed(countryfiles.conflict(root, options.conflict), ids, range(FIRST - 3, LAST + 1))
    society = "digital_society_project"
    process = [
        _process(organising, "organising", society, "level", "std_error"),
        _process(countryseries.bounded(organising), "organising_bounded", society, "level", "std_error"),
        _process(countryseries.neighbours(organising, units), "organising_neighbours", society, "level"),
        _process(scores, "protection", "protection_scores", "level", "std_error"),
        _process(scores, "reports", "amnesty_international", "flow"),
        _process(countryfiles.organisations(root, options.organisations), "organisations", "yearbook", "level"),
        _process(held, "treaties", "treaty_collection", "level"),
        _process(reviewed, "recommendations", "universal_periodic_review", "flow"),
        _process(countryfiles.searches(root, options.searches), "searches", "google", "level"),
        _process(events, "protests", "mass_mobilization", "flow"),
    ]
    uncounted = scores.assign(
        reports=np.log1p(scores["reports"]), reports_missing=scores["reports"].isna().astype("float64")
    )
    outcomes = [
        _levels(scores, "protection", 5, "protection_scores"),
        _levels(organising, "organising", 1, society),
        _levels(countryseries.changes(organising), "organising_changed", 1, society),
        _levels(organising.assign(organising_error=organising["std_error"]), "organising_error", 1, society),
        _levels(uncounted, "reports", 1, "amnesty_international"),
        _levels(uncounted, "reports_missing", 1, "amnesty_international"),
        *(_events(rows, name, 4, 1, "treaty_collection") for name, rows in countryseries.joined(ratified).items()),
        _responses(events),
        _events(units[["unit_id"]].assign(year=LAST), "none_observed", 0, 0, "countries"),
    ]
    context = [
        _context(conditions, ["polyarchy", "gdp", "population"]),
        _context(countryfiles.internet(root, options.internet), ["internet"]),
        _context(fought, ["conflict"]),
        _context(scores.assign(precision=1 / scores["std_error"] ** 2), ["protection", "precision"]),
        _context(held, ["treaties"]),
    ]
    return CanonicalTables(
        units,
        _of(process, ids, PROCESS.columns),
        _since_launch(_of(outcomes, ids, OUTCOMES.columns), units),
        _of(context, ids, CONTEXT.columns),
    )


def _units(
    organising: pd.DataFrame, protection: pd.DataFrame, conditions: pd.DataFrame, events: pd.DataFrame
) -> pd.DataFrame:
    scored = protection[protection["year"].between(FIRST, LAST) & protection["protection"].notna()]
    scored = scored[scored["unit_id"].isin(organising["unit_id"])]
    first = scored.groupby("unit_id")["year"].min()
    at_first = conditions.sort_values(KEY).drop_duplicates("unit_id", keep="last").set_index("unit_id")
    early = conditions[conditions["year"] == FIRST - 1].set_index("unit_id").combine_first(at_first)
    covered = events[events["year"].between(FIRST, LAST)].groupby("unit_id")["year"].nunique()
    share = covered.reindex(first.index, fill_value=0) / (LAST + 1 - first)
    coverage = share.map(lambda part: "all" if part >= 1 else "some" if part > 0 else "none")
    start = pd.to_datetime(first.astype("str"), format="%Y")
    return pd.DataFrame(
        {
            "unit_id": first.index,
            "name": country_names(first.index),
            "launched": first.astype("str").to_numpy(),
            "launched_start": start.to_numpy(),
            "launched_end": (start + pd.offsets.YearEnd()).to_numpy(),
            "region": early["region"].reindex(first.index).map(REGIONS).to_numpy(),
            "regime": early["regime"].reindex(first.index).map(REGIMES).to_numpy(),
            "protests_coded": coverage.to_numpy(),
        }
    )


def _dated(rows: pd.DataFrame) -> pd.DataFrame:
    start = pd.to_datetime(rows["year"].astype("str"), format="%Y")
    return rows.assign(time=rows["year"].astype("str"), start=start, end=start + pd.offsets.YearEnd())


def _process(
    table: pd.DataFrame, indicator: str, source: str, counting: str, std_error: str | None = None
) -> pd.DataFrame:
    rows = table[table["year"].between(FIRST - 4, LAST)].dropna(subset=indicator)
    return _dated(rows).assign(
        indicator=indicator, source=source, value=rows[indicator],
        std_error=rows[std_error] if std_error else float("nan"),
        value_type="exact", counting=counting, scope="country", grade="B",
    )  # fmt: skip


def _levels(table: pd.DataFrame, indicator: str, stage: int, source: str) -> pd.DataFrame:
    rows = table.dropna(subset=indicator)
    return _events(rows, indicator, stage, 0, source).assign(value=rows[indicator])


def _events(table: pd.DataFrame, indicator: str, stage: int, direction: int, source: str) -> pd.DataFrame:
    rows = table[table["year"].between(FIRST, LAST)]
    return _dated(rows).assign(
        indicator=indicator, value=1.0, stage=stage, direction=direction, grade="B", source=source
    )


def _responses(events: pd.DataFrame) -> pd.DataFrame:
    found = []
    for name, stage, direction in [("protests", 1, 1), ("accommodated", 4, 1), ("repressed", 5, -1), ("killed", 5, -1)]:
        rows = events[events[name] > 0]
        found.append(_events(rows, name, stage, direction, "mass_mobilization").assign(value=rows[name]))
    return pd.concat(found)


def _context(table: pd.DataFrame, variables: list[str]) -> pd.DataFrame:
    rows = table[table["year"].between(FIRST - 3, LAST)]
    long = rows.melt(KEY, variables, "variable", "value").dropna(subset="value")
    return _dated(long)


def _of(tables: Iterable[pd.DataFrame], ids: pd.Series, columns: Iterable[str]) -> pd.DataFrame:
    """Stack tables, keep the rows of the study's countries, and complete them to the canonical columns."""
    stacked = pd.concat(list(tables), ignore_index=True)
    last_day = pd.Timestamp(LAST, 12, 31)
    stacked = stacked.assign(observed_until=str(LAST), observed_start=last_day, observed_end=last_day)
    return stacked.loc[stacked["unit_id"].isin(ids), list(columns)]


def _since_launch(outcomes: pd.DataFrame, units: pd.DataFrame) -> pd.DataFrame:
    """Leave out what is dated before the country is observed, such as protests in a state to be."""
    launched = outcomes["unit_id"].map(units.set_index("unit_id")["launched_start"])
    return outcomes[outcomes["start"] >= launched]
