"""The campaign registry: 221 hand-coded campaigns, as described in ``data/raw/registry/README.md``."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.dates import intervals, is_date, precision
from analysis.sources.csvfile import CsvFile, count, date, filled, one_of, read_all, refuse_if_bad, text
from analysis.study.spec import Strict
from analysis.tables import CONTEXT, OUTCOMES, PROCESS, VALUE_TYPES, CanonicalTables

PRECISIONS = ["day", "month", "year", ""]
INDICATORS = ["signatures", "actions", "participants", "posts", "followers", "views", "mentions", "reposts"]
OUTCOME_CODES = [
    "charges_dropped", "compensation", "debated", "government_response", "investigation_opened", "law_passed",
    "none_observed", "official_resigned", "policy_changed", "rejected", "released", "remedy_partial", "repression",
    "sentence_commuted", "withdrawn_decision", "worsened",
]  # fmt: skip

CAMPAIGNS = {
    "campaign_id": filled,
    "name": filled,
    "frame": one_of(["w4r", "purposive"]),
    "frame_year": count,
    "launched": date,
    "launched_precision": one_of(PRECISIONS),
    "country_iso3": filled,
    "target_type": one_of(["state", "igo", "company", "society"]),
    "issue": filled,
    "rights_category": one_of(["CP", "ESC", "both"]),
    "demand": filled,
    "modality": one_of(["social_media", "advocacy_network", "epistemic_community", "mixed"]),
    "platforms": filled,
    "language": filled,
    "coding_basis": one_of(["source", "source_and_coder"]),
    "frame_source_id": text,
    "coder_note": text,
}
PROCESS_FILE = {
    "campaign_id": filled,
    "indicator": one_of(INDICATORS),
    "value": count,
    "value_type": one_of(VALUE_TYPES),
    "window_start": date,
    "as_of": date,
    "as_of_precision": one_of(PRECISIONS),
    "scope": one_of(["global", "country"]),
    "grade": one_of(["A", "B", "C"]),
    "source_id": filled,
    "note": text,
}
OUTCOMES_FILE = {
    "outcome_id": filled,
    "campaign_id": filled,
    "outcome": one_of(OUTCOME_CODES),
    "stage": one_of(list("012345")),
    "direction": one_of(["-1", "0", "1"]),
    "date": date,
    "date_precision": one_of(PRECISIONS),
    "observed_until": date,
    "grade": one_of(["A", "B", "C"]),
    "source_id": filled,
    "note": text,
}
SOURCES = {
    "source_id": filled,
    "address": text,
    "publisher": text,
    "title": text,
    "published": date,
    "address_status": one_of(["full", "partial"]),
}


class Options(Strict):
    """Options of the registry adapter."""

    folder: str = "data/raw/registry"


def load(root: Path, options: Options, seed: int) -> CanonicalTables:
    """Read the registry's four files into the canonical tables.

    Parameters
    ----------
    root, options : the project's folder, and the registry's under it.
    seed : not used; the registry is not random.

    Raises
    ------
    InputError : cells, keys or references that break a rule, of all four files together.
    """
    rules = {"campaigns": CAMPAIGNS, "process": PROCESS_FILE, "outcomes": OUTCOMES_FILE, "sources": SOURCES}
    files = read_all(root, {f"{options.folder}/{name}.csv": of_columns for name, of_columns in rules.items()})
    campaigns, process, outcomes, sources = files

    campaigns.unique("campaign_id")
    process.unique("campaign_id", "indicator", "as_of", "value")
    outcomes.unique("outcome_id")
    outcomes.unique("campaign_id", "outcome", "date")
    sources.unique("source_id")
    process.refers("campaign_id", campaigns, "campaign_id")
    outcomes.refers("campaign_id", campaigns, "campaign_id")
    campaigns.refers("frame_source_id", sources, "source_id", optional=True)
    process.refers("source_id", sources, "source_id")
    outcomes.refers("source_id", sources, "source_id")
    for file, dated in ((campaigns, "launched"), (process, "as_of"), (outcomes, "date")):
        readable = (file.rows[dated] == "") | file.rows[dated].map(is_date)
        differs = file.rows[f"{dated}_precision"] != file.rows[dated].where(readable, "").map(precision)
        file.refuse(readable & differs, f"{dated}_precision", f"does not agree with how `{dated}` is written")
    _refuse_impossible_outcomes(outcomes)
    refuse_if_bad(*files)
    return CanonicalTables(
        _units(campaigns.rows),
        _process(process.rows),
        _outcomes(outcomes.rows),
        pd.DataFrame(columns=list(CONTEXT.columns)),
    )


def _refuse_impossible_outcomes(outcomes: CsvFile) -> None:
    rows = outcomes.rows
    nothing = rows["outcome"] == "none_observed"
    for column, expected in {"stage": "0", "direction": "0", "date": ""}.items():
        outcomes.refuse(
            nothing & (rows[column] != expected), column, f"must be {expected!r} where nothing was observed"
        )
    outcomes.refuse(~nothing & (rows["stage"] == "0"), "stage", "must be 1 to 5 where something was observed")
    readable = rows["date"].map(is_date) & rows["observed_until"].map(is_date)
    happened, _ = intervals(rows["date"].where(readable, ""))
    _, last_seen = intervals(rows["observed_until"].where(readable, ""))
    outcomes.refuse(happened > last_seen, "date", "is later than `observed_until`, the last date the source speaks for")


def _units(raw: pd.DataFrame) -> pd.DataFrame:
    start, end = intervals(raw["launched"])
    units = raw.rename(columns={"campaign_id": "unit_id"}).assign(launched_start=start, launched_end=end)
    common = ["unit_id", "name", "launched", "launched_start", "launched_end"]
    attributes = ["frame", "frame_year", "country_iso3", "target_type", "issue", "rights_category", "demand"]
    return units[[*common, *attributes, "modality", "platforms", "language", "coder_note"]]


def _process(raw: pd.DataFrame) -> pd.DataFrame:
    start, end = intervals(raw["as_of"])
    process = raw.rename(columns={"campaign_id": "unit_id", "as_of": "time"}).assign(
        start=start, end=end, value=raw["value"].astype("float64"), counting="cumulative"
    )
    process = process.sort_values("value", kind="stable")
    nth = process.groupby(["unit_id", "indicator", "time", "source_id"]).cumcount() + 1
    process["source"] = process["source_id"] + ("/" + nth.astype("str")).where(nth > 1, "")
    return process.reindex(columns=list(PROCESS.columns))


def _outcomes(raw: pd.DataFrame) -> pd.DataFrame:
    start, end = intervals(raw["date"])
    observed_start, observed_end = intervals(raw["observed_until"])
    outcomes = raw.rename(
        columns={"campaign_id": "unit_id", "outcome": "indicator", "date": "time", "source_id": "source"}
    ).assign(start=start, end=end, observed_start=observed_start, observed_end=observed_end)
    outcomes["value"] = (outcomes["indicator"] != "none_observed").astype("float64")
    return outcomes[list(OUTCOMES.columns)]
