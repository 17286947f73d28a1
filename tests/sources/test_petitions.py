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
