"""Series of countries and years that are derived from what a source has, before they become canonical rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.sources.countryfiles import CORE_TREATIES, FORCE, KEY


def bounded(organising: pd.DataFrame) -> pd.DataFrame:
    """Give the score of organising the largest error that can be independent from year to year.

    An independent error of variance v would move the score by 2v a year in mean square, even where nothing happens. It
    is therefore at most half the mean squared change, however large the published error; the rest of that persists.
    """
    rows = organising.sort_values(KEY)
    change = rows.groupby("unit_id")["organising"].diff()
    share = (change**2).mean() / 2 / (rows["std_error"] ** 2).mean()
    return rows.assign(organising_bounded=rows["organising"], std_error=rows["std_error"] * np.sqrt(min(share, 1.0)))


def changes(organising: pd.DataFrame) -> pd.DataFrame:
    """Say of each score, 0 or 1, whether it differs from that of the year before."""
    rows = organising.sort_values(KEY)
    before = rows.groupby("unit_id")["organising"].shift()
    return rows[KEY].assign(
        organising_changed=(rows["organising"] != before).astype("float64").where(before.notna()),
    )


def neighbours(organising: pd.DataFrame, units: pd.DataFrame) -> pd.DataFrame:
    """Average the score over the other countries of the region, to see whether organising travels."""
    scored = organising.merge(units[["unit_id", "region"]], on="unit_id", validate="many_to_one")
    of_region = scored.groupby(["region", "year"])["organising"]
    others = of_region.transform("size") - 1
    return scored.assign(organising_neighbours=(of_region.transform("sum") - scored["organising"]) / others)


def treaties_held(ratified: pd.DataFrame) -> pd.DataFrame:
    """Count the core treaties that each country is bound by at the end of each year."""
    treaties = [treaty for group in CORE_TREATIES.values() for treaty in group]
    return ratified[KEY].assign(treaties=ratified[treaties].sum(axis=1))


def joined(ratified: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Date each treaty, named ``<group>_<treaty>``, to the first year in which a country is bound and was not before.

    A state's first row does not count: new states take over the treaties of their predecessors.
    """
    rows = ratified.sort_values(KEY)
    later = rows.groupby("unit_id").cumcount() > 0
    found = {}
    for group, treaties in CORE_TREATIES.items():
        for treaty in treaties:
            bound = rows[treaty].eq(1)
            new = bound & ~bound.groupby(rows["unit_id"]).shift(fill_value=False) & later
            found[f"{group}_{treaty}"] = rows.loc[new, KEY].drop_duplicates("unit_id")
    return found


def protests_and_responses(events: pd.DataFrame) -> pd.DataFrame:
    """Count the protests of each covered country and year, and those that were answered in each way."""
    took_place = events["protest"].astype("float64")
    ways = {"accommodated": {"accommodation"}, "repressed": set(FORCE), "killed": {"killings"}}
    answered = {name: took_place * [bool(given & way) for given in events["responses"]] for name, way in ways.items()}
    counted = events.assign(protests=took_place, **answered)
    return counted.groupby(KEY)[["protests", *answered]].sum().reset_index()


def completed(rows: pd.DataFrame, units: pd.Series, years: Sequence[int]) -> pd.DataFrame:
    """Complete rows that say where something happened by a 0 for every other country and year."""
    grid = pd.MultiIndex.from_product([units, years], names=KEY)
    return rows.set_index(KEY).reindex(grid, fill_value=0.0).reset_index()
