"""Daily attention to topics on Twitter, 2013 and 2014, as described in ``docs/data/attention.md``."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from analysis.errors import InputError, Problem
from analysis.sources.csvfile import CsvFile, read_all, refuse_if_bad
from analysis.study.spec import Strict, Text
from analysis.tables import CONTEXT, OUTCOMES, PROCESS, CanonicalTables

GROUPS = {
    "Democrats": "democrats",
    "Republicans": "republicans",
    "Media": "media",
    "Public": "attentive_public",
    "Democratic_Supporters": "democratic_supporters",
    "Republican_Supporters": "republican_supporters",
    "Random_Users": "general_public",
}
"""Column of the files, and the indicator that it becomes; names are those of the article."""

LEGISLATORS = ("democrats", "republicans")
SOURCE = "lead_follow_apsr"
AGENDA = 1
DAYS = ("2013-01-01", "2014-12-31")
SHARES = frozenset(f"{thousandths / 1000:g}" for thousandths in range(1001))
"""Every share as the files write it."""


class Options(Strict):
    """Options of the attention adapter."""

    folder: str = "data/raw/attention"
    topics: int = Field(default=100, gt=0, description="files ts-1.csv to ts-<topics>.csv in the folder")
    issues: dict[Text, dict[Text, list[int]]] = Field(
        default={}, description="area: political issue: the topics that are one issue, whose shares are added up"
    )


def load(root: Path, options: Options, seed: int) -> CanonicalTables:
    """Read the shares of attention into the canonical tables.

    A group's day whose shares over all topics add up to nothing was not observed: the source writes 0 there.

    Parameters
    ----------
    root, options : the project's folder, and what the study file says.
    seed : not used; nothing is random.

    Returns
    -------
    One unit per political issue and per topic that is none; each group's share of attention per day, a `level`; that of
    the legislators again as outcomes of stage 1, the agenda.

    Raises
    ------
    InputError : a cell is not a share, days are missing or repeated, or an issue names a topic twice.
    """
    units = _units(options)
    files = read_all(
        root,
        {f"{options.folder}/ts-{topic}.csv": {"date": _day, **dict.fromkeys(GROUPS, _share)} for topic in units.index},
    )
    days = pd.date_range(*DAYS)
    for file in files:
        _check_days(file, days)
    refuse_if_bad(*files)
    shares = np.stack([file.rows.sort_values("date")[list(GROUPS)].to_numpy("float64") for file in files])
    shares = np.where(shares.sum(axis=0) > 0, shares, np.nan)
    names = units.drop_duplicates("unit_id").sort_values("unit_id", ignore_index=True)
    member = names["unit_id"].to_numpy()[:, None] == units["unit_id"].to_numpy()
    added = np.einsum("ut,tdg->udg", member.astype("float64"), np.nan_to_num(shares)).round(3)
    added = np.where(np.isnan(shares).any(axis=0), np.nan, added)
    process = _long(added, names["unit_id"], days)
    outcomes = process[process["indicator"].isin(LEGISLATORS)].assign(
        stage=AGENDA, direction=0, observed_until=DAYS[1], observed_start=days[-1], observed_end=days[-1],
    )  # fmt: skip
    names = names.assign(launched=DAYS[0], launched_start=days[0], launched_end=days[0])
    return CanonicalTables(
        names[["unit_id", "name", "launched", "launched_start", "launched_end", "political", "area"]],
        process[[column for column in PROCESS.columns if column in process]],
        outcomes[list(OUTCOMES.columns)],
        pd.DataFrame({column: pd.Series(dtype="object") for column in CONTEXT.columns}),
    )


def _day(value: str) -> str | None:
    return None if re.fullmatch(r"\d{4}-\d\d-\d\d", value) else "must be a day written YYYY-MM-DD"


def _share(value: str) -> str | None:
    return None if value in SHARES else "must be a share from 0 to 1, to 3 decimals"


def _check_days(file: CsvFile, days: pd.DatetimeIndex) -> None:
    file.unique("date")
    expected = set(days.strftime("%Y-%m-%d"))
    file.refuse(~file.rows["date"].isin(expected), "date", f"is not a day from {DAYS[0]} to {DAYS[1]}")
    for day in sorted(expected - set(file.rows["date"])):
        file.problems.append(Problem(file.name, 0, "date", day, "has no row"))


def _units(options: Options) -> pd.DataFrame:
    """Name the unit that each topic belongs to, indexed by topic."""
    listed = list(chain.from_iterable(chain.from_iterable(area.values()) for area in options.issues.values()))
    problems = [
        Problem("study", 0, "source.options.issues", str(topic), rule)
        for topic in sorted(set(listed))
        for wrong, rule in (
            (listed.count(topic) > 1, "is in two issues; a topic belongs to one"),
            (not 1 <= topic <= options.topics, f"is not a topic; they are 1 to {options.topics}"),
        )
        if wrong
    ]
    if problems:
        raise InputError(problems)
    rows = {
        topic: (f"issue_{min(topics):03d}", issue, "yes", area)
        for area, issues in options.issues.items()
        for issue, topics in issues.items()
        for topic in topics
    }
    found = [rows.get(topic, (f"topic_{topic:03d}", f"Topic {topic}", "no", "none")) for topic in _topics(options)]
    return pd.DataFrame(found, columns=["unit_id", "name", "political", "area"], index=_topics(options))


def _topics(options: Options) -> range:
    return range(1, options.topics + 1)


def _long(shares: np.ndarray, units: pd.Series, days: pd.DatetimeIndex) -> pd.DataFrame:
    """Write the shares, (units, days, groups), as one row each; those not observed have none."""
    grid = pd.MultiIndex.from_product([units, days, GROUPS.values()], names=["unit_id", "start", "indicator"])
    table = pd.DataFrame({"value": shares.ravel()}, index=grid).dropna().reset_index()
    written = dict(zip(days, days.strftime("%Y-%m-%d"), strict=True))
    return table.assign(
        time=table["start"].map(written), source=SOURCE, end=table["start"], value_type="rounded", counting="level",
        scope="country", grade="A",
    )  # fmt: skip
