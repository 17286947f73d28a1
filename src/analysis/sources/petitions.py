"""Petitions to the White House on *We the People*, 2011 to 2013, as described in ``docs/data/petitions.md``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from analysis.sources.rfile import read_r
from analysis.study.spec import Strict
from analysis.tables import CONTEXT, OUTCOMES, PROCESS, CanonicalTables

ISSUES = ["issues1.name", "issues2.name", "issues3.name", "issues.name"]
RIGHTS = ["Human Rights", "Civil Rights and Liberties"]


class Options(Strict):
    """Options of the petitions adapter."""

    file: str = "data/raw/petitions/petitions.RData"


def load(root: Path, options: Options, seed: int) -> CanonicalTables:
    """Read the petitions into the canonical tables.

    The counts were read on the day of the newest petition, so that every count is dated to that day, and every petition
    is followed until then.

    Parameters
    ----------
    root, options : the project's folder, and the file under it.
    seed : not used; nothing is random.

    Returns
    -------
    One unit per petition; its signatures; `government_response` (a reply of its own) or `group_response` (a reply that
    several petitions share), `response_pending`, or `none_observed`; its threshold as context. The attribute `crossed`
    says whether its count reaches its own threshold, `by_deadline` whether it was answered or still waiting when its
    deadline had passed, or was read before.
    """
    raw = read_r(root, options.file, "petitions")
    raw = raw.rename(columns={"id": "unit_id", "response.id": "reply", "signatureThreshold": "threshold"})
    raw["launched"] = pd.to_datetime(raw["created"], unit="s")
    raw["replied"] = pd.to_datetime(pd.to_numeric(raw["response.associationTime"]), unit="s")
    raw["due"] = pd.to_datetime(raw["deadline"], unit="s")
    read_on = raw["launched"].max().normalize()
    units = _dated(raw, "launched").assign(
        name=raw["title"].str.split().str.join(" "),
        launched=_written(raw["launched"]),
        regime=_thousands(raw["threshold"]),
        reaches=_band(raw["signatureCount"], raw["threshold"]),
        crossed=np.where(raw["signatureCount"] >= raw["threshold"], "crossed", "below"),
        by_deadline=_by_deadline(raw, read_on),
        status=raw["status"],
        rights=np.where(raw[ISSUES].isin(RIGHTS).any(axis=1), "rights", "other"),
        issues=raw[ISSUES].apply(lambda row: "; ".join(row.dropna()), axis=1),
        reply=raw["reply"].where(raw["reply"].notna(), raw["unit_id"]),
    )
    columns = ["unit_id", "name", "launched", "launched_start", "launched_end"]
    attributes = ["regime", "reaches", "crossed", "by_deadline", "status", "rights", "issues", "reply"]
    process = raw[["unit_id"]].assign(
        indicator="signatures", time=f"{read_on:%Y-%m-%d}", source="we_the_people", start=read_on, end=read_on,
        value=raw["signatureCount"], value_type="exact", counting="cumulative", scope="country", grade="A",
    )  # fmt: skip
    context = units[["unit_id"]].assign(
        time=units["launched"], variable="threshold", start=units["launched_start"], end=units["launched_end"],
        value=units["threshold"],
    )  # fmt: skip
    return CanonicalTables(
        units[columns + attributes],
        process.reindex(columns=list(PROCESS.columns)),
        _outcomes(raw, read_on),
        context[list(CONTEXT.columns)],
    )


def _written(moment: pd.Series) -> pd.Series:
    written: pd.Series = moment.dt.strftime("%Y-%m-%d").fillna("")
    return written


def _dated(raw: pd.DataFrame, moment: str) -> pd.DataFrame:
    day = raw[moment].dt.normalize()
    return raw.assign(**{f"{moment}_start": day, f"{moment}_end": day})


def _thousands(count: pd.Series) -> pd.Series:
    return pd.Series([f"{value / 1000:g}k" for value in count], index=count.index)


def _band(count: pd.Series, threshold: pd.Series) -> pd.Series:
    """Name the highest of all thresholds, whichever held for the petition, that its count reaches."""
    levels = np.sort(threshold.unique())
    names = pd.Series(["none", *_thousands(pd.Series(levels))])
    return pd.Series(names.to_numpy()[np.searchsorted(levels, count, side="right")], index=count.index)


def _by_deadline(raw: pd.DataFrame, read_on: pd.Timestamp) -> pd.Series:
    """Say what had become of each petition by the end of its deadline, which nothing after it can change."""
    due, replied = raw["due"].dt.normalize(), raw["replied"].dt.normalize()
    known = np.select([replied <= due, due < read_on], ["answered", "waiting"], "not reached")
    return pd.Series(known, index=raw.index)


def _outcomes(raw: pd.DataFrame, read_on: pd.Timestamp) -> pd.DataFrame:
    replied, shared = raw["reply"].notna(), raw["reply"].duplicated(keep=False)
    kinds = [replied & shared, replied, raw["status"] == "pending response"]
    day = raw["replied"].dt.normalize()
    outcomes = raw[["unit_id"]].assign(
        indicator=np.select(kinds, ["group_response", "government_response", "response_pending"], "none_observed"),
        stage=np.select(kinds, [2, 2, 1], 0), direction=np.any(kinds, axis=0).astype(int), value=1.0,
        time=_written(raw["replied"]), start=day, end=day, observed_until=f"{read_on:%Y-%m-%d}",
        observed_start=read_on, observed_end=read_on, grade="A", source="we_the_people",
    )  # fmt: skip
    return outcomes[list(OUTCOMES.columns)]
