"""The benchmark's adapter: campaigns that are simulated, not read, so that every effect is known."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from analysis.simulation import CATEGORIES, INDICATORS, MODALITIES, RUNGS, Days, Design, Floats, Whole, World, simulate
from analysis.tables import CONTEXT, DAY, OUTCOMES, VALUE_TYPES, CanonicalTables

GRADES = {"exact": "A", "rounded": "B", "lower_bound": "C"}


class Options(Design):
    """The world to simulate, as `source.options` of the study gives it."""


def load(root: Path, options: Options, seed: int) -> CanonicalTables:
    """Simulate campaigns and publish them as a source would.

    Parameters
    ----------
    root : not used: nothing is read.
    options : the world to simulate.
    seed : the run's seed; the same seed gives the same tables.

    Returns
    -------
    One unit per campaign; figures of `platform` and of `victory_announcement`, the latter dated within a week after a
    success; one row per outcome that occurred, or one `none_observed`, and no row where nobody followed the campaign;
    `media_salience` as measured on the day before launch.
    """
    world = simulate(options, seed)
    return CanonicalTables(
        units=_units(world),
        process=pd.concat([_weekly_figures(world), _announcements(world)], ignore_index=True),
        outcomes=_outcomes(world, options.follow_up_weeks),
        context=_context(world),
    )


def _named(names: Iterable[str], positions: Whole) -> ExtensionArray:
    return pd.array(list(names), dtype="str").take(positions)


def _ids(unit: Whole) -> ExtensionArray:
    return _named([f"campaign-{i + 1:05d}" for i in range(unit.max(initial=0) + 1)], unit)


def _written(days: Days) -> ExtensionArray:
    calendar, positions = np.unique(days, return_inverse=True)
    return _named(np.datetime_as_string(calendar.astype("datetime64[D]")).tolist(), positions)


def _units(world: World) -> pd.DataFrame:
    ids = _ids(np.arange(len(world.launched)))
    return pd.DataFrame(
        {
            "unit_id": ids,
            "name": pd.Series(ids).str.replace("campaign-", "Simulated campaign "),
            "launched": _written(world.launched),
            "launched_start": world.launched.astype(DAY),
            "launched_end": world.launched.astype(DAY),
            "country": _named([f"country-{i + 1:03d}" for i in range(world.country.max() + 1)], world.country),
            "rights_category": _named(CATEGORIES, world.category),
            "modality": _named(MODALITIES, world.modality),
        }
    )


def _figures(
    world: World, unit: Whole, indicator: Whole, day: Whole, value: Floats, value_type: Whole, source: str
) -> pd.DataFrame:
    when = world.launched[unit] + day
    return pd.DataFrame(
        {
            "unit_id": _ids(unit),
            "indicator": _named(INDICATORS, indicator),
            "time": _written(when),
            "source": source,
            "start": when.astype(DAY),
            "end": when.astype(DAY),
            "value": value,
            "value_type": _named(VALUE_TYPES, value_type),
            "counting": _named([k.counting for k in INDICATORS.values()], indicator),
            "scope": "global",
            "grade": _named([GRADES[name] for name in VALUE_TYPES], value_type),
        }
    )


def _weekly_figures(world: World) -> pd.DataFrame:
    at = np.nonzero(world.published)
    unit, indicator, week = at
    return _figures(
        world, unit, indicator, world.week_ends[week], world.counts[at], world.value_types[at], source="platform"
    )


def _announcements(world: World) -> pd.DataFrame:
    success = world.occurred & np.array([direction == 1 for _, direction in RUNGS.values()])
    cumulative = np.array([k.counting == "cumulative" for k in INDICATORS.values()])
    at = np.nonzero(cumulative[None, :, None] & success[:, None, :])
    unit, indicator, outcome = at
    rounded = np.full_like(unit, VALUE_TYPES.index("rounded"))
    figures = _figures(
        world, unit, indicator, world.announced[unit, outcome], world.totals[at], rounded, source="victory_announcement"
    )
    return figures.drop_duplicates(["unit_id", "indicator", "time"])


def _outcomes(world: World, follow_up_weeks: int) -> pd.DataFrame:
    unit, outcome = np.nonzero(world.occurred & world.followed[:, None])
    when = world.launched[unit] + world.days[unit, outcome]
    stage, direction = np.array(list(RUNGS.values())).T
    events = pd.DataFrame(
        {
            "unit": unit,
            "indicator": _named(RUNGS, outcome),
            "time": _written(when),
            "start": when.astype(DAY),
            "value": 1.0,
            "stage": stage[outcome],
            "direction": direction[outcome],
        }
    )
    eventless = np.flatnonzero(world.followed & ~world.occurred.any(axis=1))
    none = pd.DataFrame(
        {
            "unit": eventless,
            "indicator": "none_observed",
            "time": "",
            "start": np.full(len(eventless), "NaT", dtype=DAY),
            "value": 0.0,
            "stage": 0,
            "direction": 0,
        }
    )
    table = pd.concat([events, none], ignore_index=True)
    until = world.launched[table["unit"].to_numpy()] + 7 * follow_up_weeks
    return table.assign(
        unit_id=_ids(table["unit"].to_numpy()),
        end=table["start"],
        observed_until=_written(until),
        observed_start=until.astype(DAY),
        observed_end=until.astype(DAY),
        grade="A",
        source="simulation",
    )[list(OUTCOMES.columns)]


def _context(world: World) -> pd.DataFrame:
    day = world.launched - np.timedelta64(1, "D")
    return pd.DataFrame(
        {
            "unit_id": _ids(np.arange(len(world.launched))),
            "time": _written(day),
            "variable": "media_salience",
            "start": day.astype(DAY),
            "end": day.astype(DAY),
            "value": world.media_salience,
        }
    )[list(CONTEXT.columns)]
