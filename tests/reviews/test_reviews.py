"""The reviews study, against a recount of the raw files that shares only the coding of the text with the adapter."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest

from analysis.change import change
from analysis.engagement import engagement
from analysis.link import TimeOrder, analysis_table, link
from analysis.models.estimates import Estimate
from analysis.sources import reviews
from analysis.sources.countrycodes import iso3
from analysis.sources.recommendations import asked_to_ratify
from analysis.sources.reviewfiles import SESSIONS, bound, coded_by_hand, recommendations
from analysis.sources.treatynames import TREATIES
from analysis.study import read_study
from analysis.study.spec import Study
from analysis.tables import CanonicalTables

ROOT = Path(__file__).parents[2]
OPTIONS = reviews.Options()
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def study() -> Study:
    return read_study(ROOT / "studies/reviews.yml")


@pytest.fixture(scope="module")
def root(mirror: Path, study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    for name, file in study.source.raw.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        source = mirror / file.address.removeprefix("https://") if file.address else ROOT / name
        (folder / name).symlink_to(source.resolve())
    return folder


@pytest.fixture(scope="module")
def recommended(root: Path) -> pd.DataFrame:
    return recommendations(root, OPTIONS.recommendations)


@pytest.fixture(scope="module")
def tables(root: Path, study: Study) -> CanonicalTables:
    return reviews.load(root, OPTIONS, 1).validated(study.unit.attributes, "reviews")


@pytest.fixture(scope="module")
def described(root: Path) -> dict[tuple[str, str, str], Estimate]:
    return {(row.model, row.outcome, row.term): row for row in reviews.described(root, OPTIONS)}


@pytest.fixture(scope="module")
def raw(root: Path) -> list[dict[str, str]]:
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for name in OPTIONS.recommendations:
        text = (root / name).read_bytes().decode("mac_roman").replace("\r", "\n")
        rows |= {tuple(row.values()): row for row in csv.DictReader(io.StringIO(text))}
    return list(rows.values())


def test_every_recommendation_is_read_once(recommended: pd.DataFrame, raw: list[dict[str, str]]) -> None:
    assert len(recommended) == len(raw) == 41_064
    assert recommended["accepted"].sum() == sum(row["Response"] == "Accepted" for row in raw) == 30_471
    assert recommended.attrs["repeated"] == 2
    assert recommended["sender"].isna().sum() == 9


def test_a_session_is_in_one_file_only(recommended: pd.DataFrame) -> None:
    assert len(recommended[["session", "file"]].drop_duplicates()) == len(SESSIONS)
    assert set(recommended["session"]) == set(SESSIONS)


def test_the_cases_at_risk_are_those_of_a_recount(
    root: Path, tables: CanonicalTables, raw: list[dict[str, str]], described: dict[tuple[str, str, str], Estimate]
) -> None:
    with (root / OPTIONS.ratifications).open(encoding="utf-8") as file:
        held = {(row["country"], int(row["year"])): row for row in csv.DictReader(file)}
    # States that both files name alike, so that nothing has to be mapped.
    asked = Counter((row["To"], int(row["Session"]), treaty) for row in raw for treaty in asked_to_ratify(row["Text"]))
    years = {session: int(first[:4]) for session, (first, _) in SESSIONS.items()}
    alike = {row["To"] for row in raw if all((row["To"], year) in held for year in range(2006, 2019))}
    expected = {}
    for state, session in {(row["To"], int(row["Session"])) for row in raw if row["To"] in alike}:
        year = years[session]
        for treaty in TREATIES:
            if held[state, year][treaty] == "0":
                later = any(held[state, y][treaty] == "1" for y in range(year + 1, year + 5))
                expected[state, session, treaty] = (asked[state, session, treaty] > 0, later)
    codes = pd.Series({row["To"]: row["To"] for row in raw if row["To"] in alike})
    names = dict(zip(iso3(codes, "name", "raw"), codes, strict=True))
    mine = tables.units[(tables.units["status"] == "at risk") & tables.units["iso3"].isin(names)]
    ratified = set(tables.outcomes.loc[tables.outcomes["indicator"] == "ratified", "unit_id"])
    found = {
        (names[unit.iso3], int(unit.session), unit.treaty): (unit.asked == "asked", unit.unit_id in ratified)
        for unit in mine.itertuples()
    }
    assert len(alike) > 170
    assert found == expected
    assert described["reading", "cells", "at_risk"].estimate == (tables.units["status"] == "at risk").sum() == 2_274


def test_no_loss_goes_uncounted(described: dict[tuple[str, str, str], Estimate]) -> None:
    told = {
        term: row.estimate
        for (model, outcome, term), row in described.items()
        if (model, outcome) == ("reading", "cells")
    }
    reasons = ["not_a_state", "not_adopted", "party", "same_year", "at_risk"]
    assert sum(told[reason] for reason in reasons) == told["cells"] == told["reviews"] * told["treaties"]
    pairs = {
        term: row.estimate
        for (model, outcome, term), row in described.items()
        if (model, outcome) == ("reading", "recommendations")
    }
    assert sum(pairs[reason] for reason in reasons) == pairs["pairs"]


def test_recommendations_are_counted_as_in_the_text(tables: CanonicalTables, raw: list[dict[str, str]]) -> None:
    counted = tables.process[tables.process["indicator"] == "recommendations"].set_index(["unit_id", "time"])["value"]
    texts = [row for row in raw if row["To"] == "Afghanistan" and row["Session"] == "5"]
    expected = Counter(treaty for row in texts for treaty in asked_to_ratify(row["Text"]))
    session = "2009-05-04/2009-05-15"
    assert counted["AFG-05-cat_op", session] == expected["cat_op"] > 0
    senders = tables.process.query("indicator == 'senders' and unit_id == 'AFG-05-cat_op'")["value"].iloc[0]
    assert senders == len({row["From"] for row in texts if "cat_op" in asked_to_ratify(row["Text"])})


def test_ratification_is_dated_to_its_year_and_followed_for_four(tables: CanonicalTables) -> None:
    years = tables.units.set_index("unit_id")["year"]
    rows = tables.outcomes[tables.outcomes["indicator"] == "ratified"]
    after = rows["time"].astype(int) - rows["unit_id"].map(years)
    assert after.between(1, 4).all()
    assert (rows["start"].dt.strftime("%m-%d") == "01-01").all()
    assert (rows["end"].dt.strftime("%m-%d") == "12-31").all()
    until = tables.outcomes["observed_until"].str[:4].astype(int)
    assert (until == tables.outcomes["unit_id"].map(years) + 4).all()


def test_later_reviews_are_dated_later(tables: CanonicalTables) -> None:
    launched = tables.units.set_index("unit_id")["launched"]
    rows = tables.process[tables.process["indicator"] == "recommendations"]
    own = rows["time"] == rows["unit_id"].map(launched)
    assert (rows.loc[~own, "time"] > rows.loc[~own, "unit_id"].map(launched)).all()
    earlier = tables.process[tables.process["indicator"] == "earlier_recommendations"]
    assert (earlier["time"] < earlier["unit_id"].map(launched)).all()


def test_what_held_before_is_of_the_year_before(tables: CanonicalTables) -> None:
    years = tables.units.set_index("unit_id")["year"]
    assert (tables.context["time"].astype(int) == tables.context["unit_id"].map(years) - 1).all()
    peers = tables.context[tables.context["variable"] == "peers"]["value"]
    assert peers.between(0, 1).all()


def test_compared_cases_leave_out_those_ratified_in_the_year_of_the_review(
    study: Study, tables: CanonicalTables
) -> None:
    changed = change(tables.outcomes, tables.units, study.outcomes)
    reported = engagement(tables.process)
    orders: tuple[TimeOrder, ...] = get_args(TimeOrder)
    linked = {order: link(reported, changed, tables.units, study.exposures, order) for order in orders}
    table = analysis_table(study, tables.units, changed, tables.context, linked)
    of_outcome = table[table["outcome"] == "ratified"].set_index("unit_id")
    status = tables.units.set_index("unit_id")["status"].reindex(of_outcome.index)
    assert (of_outcome["recommended"].isna() == (status == "same year")).all()
    at_risk = of_outcome[status == "at risk"]
    assert at_risk["recommended"].sum() == (at_risk["asked"] == "asked").sum() == 1_702
    assert at_risk.loc[at_risk["asked"] == "asked", "value"].sum() == 264
    assert at_risk.loc[at_risk["asked"] != "asked", "value"].sum() == 73


def test_the_rule_still_says_what_it_said_when_the_sample_was_coded(root: Path, recommended: pd.DataFrame) -> None:
    stored = pd.read_csv(root / OPTIONS.sample, dtype="str", keep_default_na=False)
    sample = coded_by_hand(root, OPTIONS.sample, recommended)
    assert [" ".join(sorted(rule)) for rule in sample["by_rule"]] == stored["by_rule"].tolist()
    assert sample["stratum"].value_counts().to_dict() == {"coded": 100, "names": 150, "neither": 250}


def test_the_coding_errs_as_a_recount_says(root: Path, described: dict[tuple[str, str, str], Estimate]) -> None:
    stored = pd.read_csv(root / OPTIONS.sample, dtype="str", keep_default_na=False)
    hand, rule = (stored[column].map(lambda cell: set(cell.split())) for column in ("by_hand", "by_rule"))
    right = sum(len(h & r) for h, r in zip(hand, rule, strict=True))
    named = sum(map(len, rule))
    assert described["coding", "treaties", "precision"].estimate == pytest.approx(right / named)
    found = described["coding", "treaties", "recall"]
    assert found.ci_low < found.estimate < found.ci_high < 1
    assert found.estimate > 0.9


def test_bound_keeps_missing_before_adoption(root: Path) -> None:
    parties = bound(root, OPTIONS.ratifications)
    assert parties.loc[("ESP", "disability"), 2005] != 0
    assert parties.loc[("ESP", "disability"), [2006, 2007]].tolist() == [0, 1]
