"""The petitions study, against a recount of the raw file that shares no code with the adapter."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
import rdata

from analysis.errors import InputError
from analysis.models.threshold import discontinuity
from analysis.sources import petitions
from analysis.sources.rfile import read_r
from analysis.study import read_study
from analysis.study.spec import Study
from analysis.tables import CanonicalTables

ROOT = Path(__file__).parents[2]
FILE = "raw.githubusercontent.com/yoni/r_we_the_people/eab1e11d26de81b9aa1955824744bd88a23437f0/data/petitions.RData"


@pytest.fixture(scope="module")
def raw(mirror: Path) -> pd.DataFrame:
    return rdata.read_rda(mirror / FILE)["petitions"]


@pytest.fixture(scope="module")
def study() -> Study:
    return read_study(ROOT / "studies/petitions.yml")


@pytest.fixture(scope="module")
def tables(mirror: Path, study: Study, tmp_path_factory: pytest.TempPathFactory) -> CanonicalTables:
    root = tmp_path_factory.mktemp("project")
    options = petitions.Options()
    (root / options.file).parent.mkdir(parents=True)
    shutil.copy(mirror / FILE, root / options.file)
    return petitions.load(root, options, 1).validated(study.unit.attributes, "petitions")


def test_every_petition_and_signature_is_kept(raw: pd.DataFrame, tables: CanonicalTables) -> None:
    assert len(tables.units) == len(tables.process) == tables.outcomes["unit_id"].nunique() == len(raw) == 1940
    assert tables.process["value"].sum() == raw["signatureCount"].sum()
    assert tables.process["value"].min() == 151


def test_the_headline_shares_are_those_of_the_file(raw: pd.DataFrame, tables: CanonicalTables) -> None:
    closed = raw[raw["status"] != "open"]
    above = closed["signatureCount"] >= closed["signatureThreshold"]
    responded = closed["response.id"].notna()
    counts = [above.sum(), (above & responded).sum(), (~above).sum(), (~above & responded).sum()]
    assert counts == [193, 150, 1674, 36]
    mine = tables.outcomes.set_index("unit_id")["indicator"].isin(["government_response", "group_response"])
    assert (mine[closed["id"]].to_numpy() == responded.to_numpy()).all()


def test_open_and_pending_petitions_are_followed_without_a_response(tables: CanonicalTables) -> None:
    status = tables.units.set_index("unit_id")["status"]
    kinds = pd.crosstab(tables.outcomes["unit_id"].map(status), tables.outcomes["indicator"])
    assert kinds.loc["open"].to_dict() | kinds.loc["pending response"].to_dict() == {
        "government_response": 0, "group_response": 0, "none_observed": 0, "response_pending": 43,
    }  # fmt: skip
    assert kinds.loc["open", "none_observed"] == 73
    assert tables.outcomes["observed_until"].eq("2013-06-09").all()


def test_a_shared_reply_is_a_group_response(raw: pd.DataFrame, tables: CanonicalTables) -> None:
    replies = raw["response.id"].dropna()
    shared = replies.map(replies.value_counts()) > 1
    assert (tables.outcomes["indicator"] == "group_response").sum() == shared.sum() == 84
    assert (tables.outcomes["indicator"] == "government_response").sum() == (~shared).sum() == 102
    below = raw["signatureCount"] < raw["signatureThreshold"]
    assert (shared & below[replies.index]).sum() == 34
    assert ((replies == "681") & below[replies.index]).sum() == 28


def test_a_response_is_words_and_no_more(tables: CanonicalTables) -> None:
    stages = tables.outcomes.groupby("indicator")["stage"].unique().map(list).to_dict()
    expected = {"government_response": [2], "group_response": [2], "none_observed": [0], "response_pending": [1]}
    assert stages == expected


def test_days_are_read_as_utc_seconds(raw: pd.DataFrame, tables: CanonicalTables) -> None:
    first = raw.loc[raw["created"].idxmin()]
    unit = tables.units.set_index("unit_id").loc[first["id"]]
    assert unit["launched"] == pd.Timestamp(first["created"], unit="s").strftime("%Y-%m-%d") == "2011-09-22"


def test_the_threshold_sample_is_every_closed_petition_but_the_one_answered_before_it_began(
    raw: pd.DataFrame, tables: CanonicalTables, study: Study
) -> None:
    from analysis.change import change
    from analysis.engagement import engagement
    from analysis.link import analysis_table, link

    changed = change(tables.outcomes, tables.units, study.outcomes)
    reported = engagement(tables.process)
    linked = {o: link(reported, changed, tables.units, study.exposures, o) for o in ("strict", "naive")}  # type: ignore[arg-type]
    table = analysis_table(study, tables.units, changed, tables.context, linked)  # type: ignore[arg-type]
    found = discontinuity(study, "jump", table)
    assert len(found.x) == (raw["status"] != "open").sum() - 1
    assert found.y[found.x >= 0].sum() == 149
    assert found.y[found.x < 0].sum() == 36
    strict = linked["strict"]
    assert (
        not strict.loc[strict["outcome"] == "responded", "unit_id"]
        .isin(tables.outcomes.loc[tables.outcomes["stage"] == 2, "unit_id"])
        .any()
    )


def test_a_file_that_is_no_r_data_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "wrong.RData").write_bytes(b"not R at all")
    with pytest.raises(InputError, match=r"wrong\.RData: cannot be read as an R data file"):
        read_r(tmp_path, "wrong.RData", "petitions")


def test_a_table_that_the_file_lacks_is_named_beside_those_it_has(mirror: Path) -> None:
    with pytest.raises(InputError, match="'petition': is not a data frame of this file; it has: petitions"):
        read_r(mirror, FILE, "petition")


@pytest.fixture(scope="module")
def durations(tables: CanonicalTables, study: Study) -> pd.DataFrame:
    from analysis.change import change
    from analysis.engagement import engagement
    from analysis.link import analysis_table, link
    from analysis.models.duration import DurationData, fit_durations

    changed = change(tables.outcomes, tables.units, study.outcomes)
    reported = engagement(tables.process)
    linked = {o: link(reported, changed, tables.units, study.exposures, o) for o in ("strict", "naive")}  # type: ignore[arg-type]
    table = analysis_table(study, tables.units, changed, tables.context, linked)  # type: ignore[arg-type]
    estimates = fit_durations(study, DurationData(table, changed, reported, tables.units))
    return estimates.set_index(["model", "term"])


def waits(raw: pd.DataFrame) -> list[tuple[int, bool]]:
    """Return days from creation, which is day 1, to a response or to the last day, and which it was, of who crossed."""
    day = 86400
    last = int(raw["created"].max()) // day
    found = []
    for row in raw.itertuples():
        if row.status == "open" or row.signatureCount < row.signatureThreshold:
            continue
        answered = isinstance(row.response_id, str)
        ended = int(float(row.response_associationTime)) // day if answered else last
        if ended >= int(row.created) // day:
            found.append((ended - int(row.created) // day + 1, answered))
    return sorted(found)


def test_the_wait_for_a_response_is_that_of_a_recount(raw: pd.DataFrame, durations: pd.DataFrame) -> None:
    found = waits(raw.rename(columns={c: c.replace(".", "_") for c in raw}))
    assert (len(found), sum(answered for _, answered in found)) == (192, 149)
    unanswered, median = 1.0, None
    for day in sorted({day for day, answered in found if answered}):
        at_risk = sum(until >= day for until, _ in found)
        unanswered *= 1 - found.count((day, True)) / at_risk
        median = median or (day if unanswered <= 0.5 else None)
        if day <= 61:
            by_61 = 1 - unanswered
    crossed = durations.loc["until_response[crossed]"]
    assert crossed.loc["median:early_dates", "estimate"] == median == 106
    assert crossed.loc["within_61:early_dates", "estimate"] == pytest.approx(by_61, rel=1e-12)
    assert crossed.loc["within_61:early_dates", "n_obs"] == 192


def test_from_the_deadline_on_only_petitions_that_waited_are_followed(
    raw: pd.DataFrame, tables: CanonicalTables, durations: pd.DataFrame
) -> None:
    due, last = pd.to_datetime(raw["deadline"], unit="s").dt.normalize(), pd.Timestamp("2013-06-09")
    replied = pd.to_datetime(pd.to_numeric(raw["response.associationTime"]), unit="s").dt.normalize()
    waiting = (due < last) & ~(replied <= due)
    crossed = raw["signatureCount"] >= raw["signatureThreshold"]
    counts = [(waiting & crossed).sum(), (waiting & ~crossed).sum(), (waiting & crossed & replied.notna()).sum()]
    assert counts == [176, 1639, 134]
    mine = tables.units.set_index("unit_id").loc[raw["id"]]
    assert ((mine["by_deadline"] == "waiting").to_numpy() == waiting.to_numpy()).all()
    assert ((mine["crossed"] == "crossed").to_numpy() == crossed.to_numpy()).all()
    landmark = durations.loc["until_response_landmark[crossed]"]
    assert landmark.loc["within_61:early_dates", "n_obs"] == 176
    assert durations.loc["crossing_landmark"].loc["crossed[T.crossed]", "n_obs"] == 176 + 1639


def test_own_and_shared_replies_add_up_to_any_reply(durations: pd.DataFrame) -> None:
    own, shared = (f"responded_{kind}_within_396:early_dates" for kind in ("alone", "shared"))
    parts = durations.loc["own_or_shared[crossed]"].loc[[own, shared], "estimate"].sum()
    whole = durations.loc["until_response[crossed]"].loc["within_396:early_dates", "estimate"]
    assert parts == pytest.approx(whole, rel=1e-12)
