"""The attention study, against recounts of the raw files that share no code with the adapter or the estimator."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.api import VAR

from analysis.errors import InputError
from analysis.models.lead_lag import lead_lag
from analysis.sources import attention
from analysis.study import read_study
from analysis.study.spec import Study
from analysis.tables import CanonicalTables

ROOT = Path(__file__).parents[2]
FOLDER = (
    "raw.githubusercontent.com/SMAPPNYU/lead_follow_apsr/727b9a9b5eec81dd556eafb4470c3a8c33f953eb/dashboard/files/data"
)
MERGED = [[17, 26, 35, 42, 49], [38, 59], [27, 56], [11, 74]]
ALONE = [3, 7, 9, 12, 14, 15, 16, 18, 20, 23, 28, 32, 33, 36, 37, 39, 41, 43, 46, 47, 48, 50, 51, 53, 58, 62, 63, 64,
         66, 67, 70, 75, 81, 83, 85, 88, 89, 93, 96, 97, 99, 100]  # fmt: skip
"""The political issues as the authors' scripts 01/05 and 03/05 list them."""
ORDER = [
    "Democrats",
    "Republicans",
    "Democratic_Supporters",
    "Republican_Supporters",
    "Public",
    "Random_Users",
    "Media",
]


@pytest.fixture(scope="module")
def raw(mirror: Path) -> dict[int, pd.DataFrame]:
    return {topic: pd.read_csv(mirror / FOLDER / f"ts-{topic}.csv", index_col="date") for topic in range(1, 101)}


@pytest.fixture(scope="module")
def study() -> Study:
    return read_study(ROOT / "studies/attention.yml")


@pytest.fixture(scope="module")
def tables(mirror: Path, study: Study, tmp_path_factory: pytest.TempPathFactory) -> CanonicalTables:
    root = tmp_path_factory.mktemp("project")
    options = attention.Options.model_validate(study.source.options)
    (root / options.folder).mkdir(parents=True)
    for topic in range(1, 101):
        shutil.copy(mirror / FOLDER / f"ts-{topic}.csv", root / options.folder)
    return attention.load(root, options, 1).validated(study.unit.attributes, "attention")


@pytest.fixture(scope="module")
def issues(raw: dict[int, pd.DataFrame]) -> np.ndarray:
    """The shares of the political issues, (46, 729, 7), without the last day, on which three groups are missing."""
    stacked = [raw[topic][ORDER].to_numpy() for topic in ALONE]
    stacked += [sum(raw[topic][ORDER].to_numpy() for topic in topics) for topics in MERGED]
    return np.stack(stacked)[:, :729]


def rows_of(tables: CanonicalTables) -> pd.DataFrame:
    wide = tables.process.pivot_table("value", ["unit_id", "time"], "indicator").add_suffix("_naive")
    political = tables.units.set_index("unit_id")["political"] == "yes"
    rows = wide.reset_index().rename(columns={"time": "period"}).assign(excluded="")
    return rows[rows["unit_id"].map(political)]


def test_every_topic_and_day_is_kept_and_nothing_is_invented(
    raw: dict[int, pd.DataFrame], tables: CanonicalTables
) -> None:
    assert (tables.units["political"] == "yes").sum() == len(ALONE) + len(MERGED) == 46
    assert len(tables.units) == 93
    assert len(tables.process) == 93 * 730 * 7 - 3 * 93
    assert len(tables.outcomes) == 93 * 730 * 2
    total = sum(frame[ORDER].to_numpy().sum() for frame in raw.values())
    assert tables.process["value"].sum() == pytest.approx(total, abs=1e-6)
    assert tables.process["value"].between(0, 1).all()
    assert set(tables.process["value_type"]) == {"rounded"}
    assert set(tables.outcomes["stage"]) == {1}
    assert set(tables.outcomes["direction"]) == {0}


def test_the_last_day_of_three_groups_was_not_observed(raw: dict[int, pd.DataFrame], tables: CanonicalTables) -> None:
    total = sum(frame[ORDER] for frame in raw.values())
    groups = ["Democratic_Supporters", "Republican_Supporters", "Media"]
    assert (total == 0).sum().sum() == 3
    assert (total.loc["2014-12-31", groups] == 0).all()
    until = tables.process.groupby("indicator")["time"].max()
    assert sorted(until[until == "2014-12-30"].index) == sorted(attention.GROUPS[group] for group in groups)
    assert (until[until != "2014-12-30"] == "2014-12-31").all()


def test_shares_of_a_day_add_up_to_one_but_for_rounding(tables: CanonicalTables) -> None:
    sums = tables.process.groupby(["indicator", "time"])["value"].sum()
    assert sums.between(0.96, 1.04).all()
    assert sums.mean() == pytest.approx(0.997, abs=0.002)


def test_merged_issues_are_sums(raw: dict[int, pd.DataFrame], tables: CanonicalTables) -> None:
    shutdown = tables.process.query("unit_id == 'issue_017' and indicator == 'republicans'").set_index("time")["value"]
    wanted = sum(raw[topic]["Republicans"] for topic in MERGED[0])
    assert np.abs(shutdown - wanted).max() < 1e-9
    assert shutdown.idxmax() == wanted.idxmax()
    names = tables.units.set_index("unit_id")["name"]
    assert names["issue_017"] == "Government shutdown and sequestration"
    assert names["topic_001"] == "Topic 1"


def test_the_headline_is_found_again_from_the_raw_files(
    issues: np.ndarray, tables: CanonicalTables, study: Study
) -> None:
    """Least squares of deviations from each issue's mean, and responses by simulating the system day by day."""
    values = np.log((issues + 0.01) / (0.99 - issues))
    y = values[:, 7:].reshape(-1, 7)
    lags = np.concatenate([values[:, 7 - lag : -lag] for lag in range(1, 8)], axis=2).reshape(-1, 49)
    issue = np.repeat(np.arange(len(issues)), 722)
    within = [(table - table.groupby(issue).transform("mean")).to_numpy() for table in map(pd.DataFrame, (lags, y))]
    coefficients = np.linalg.lstsq(*within)[0]

    def held(leaders: list[int], followers: list[int]) -> float:
        past = [np.zeros(7)] * 7
        for _ in range(16):
            today = np.concatenate(past[::-1][:7]) @ coefficients
            today[leaders] = 1
            past.append(today)
        return float(past[-1][followers].mean())

    public, legislators = [2, 3, 4, 5], [0, 1]
    wanted = {
        "sustained:public>legislators": held(public, legislators),
        "sustained:legislators>public": held(legislators, public),
        "sustained:media>legislators": held([6], legislators),
        "sustained:public>democrats": held(public, [0]),
        "sustained:republican_supporters>republicans": held([3], [1]),
    }
    lead = study.models["lead"]
    assert lead.lead_lag is not None
    quick = lead.model_copy(update={"lead_lag": lead.lead_lag.model_copy(update={"draws": 9})})
    found = {row.term: row for row in lead_lag(study, quick, rows_of(tables), "lead")}
    for term, value in wanted.items():
        assert found[term].estimate == pytest.approx(value, abs=1e-8)
    difference = wanted["sustained:public>legislators"] - wanted["sustained:legislators>public"]
    assert found["difference:public_leads"].estimate == pytest.approx(difference, abs=1e-8)
    assert difference == pytest.approx(0.539, abs=0.001)


PUBLISHED = {
    ("Democrats", "Media"): (0.0861582916058645, 0.538284069400451),
    ("Media", "Democrats"): (None, 2.58451263167716),
    ("Media", "Democratic_Supporters"): (0.767785620547943, None),
    ("Democrats", "Democratic_Supporters"): (None, 1.67790236259587),
    ("Democratic_Supporters", "Democrats"): (None, 3.33968672915959),
    ("Democrats", "Public"): (None, 0.855459804724674),
    ("Public", "Democrats"): (None, 2.44423733451478),
    ("Republicans", "Public"): (None, 0.914934118557537),
    ("Public", "Republicans"): (None, 1.879144677787),
}
"""Leader and follower as labelled: points after day 1 and after day 15 of an impulse on day 0.

From var/onetime-structural-shock-irfs-results.csv of the authors' repository, column pe, "one time".
"""


def test_published_responses_are_found_again_with_leader_and_follower_exchanged(
    issues: np.ndarray, study: Study
) -> None:
    """The authors' way throughout: issues one below the other with lags across them, dummies, Cholesky, seven lags."""
    shares = np.where(issues == 0, 0.0005, issues)
    stacked = np.log(shares / (1 - shares)).reshape(-1, 7)
    dummies = np.repeat(np.eye(len(issues))[:, 1:], 729, axis=0)
    added = VAR(stacked, exog=dummies).fit(7).irf(15).orth_cum_effects
    points = 10 * (1 / (1 + np.exp(-added)) - 0.5)
    day15 = {pair: value for pair, (_, value) in PUBLISHED.items() if value is not None}
    labelled = [points[15, ORDER.index(follower), ORDER.index(leader)] for leader, follower in day15]
    exchanged = [points[15, ORDER.index(leader), ORDER.index(follower)] for leader, follower in day15]
    there = np.array(list(day15.values()))
    assert np.corrcoef(there, labelled)[0, 1] < 0
    assert np.corrcoef(there, exchanged)[0, 1] > 0.85
    # The media are last in the order: their impulse cannot move anybody on its own day, and little by the day after.
    after_one = {pair: value for pair, (value, _) in PUBLISHED.items() if value is not None}
    assert after_one["Media", "Democratic_Supporters"] > 5 * after_one["Democrats", "Media"]
    block = study.models["as_published"].lead_lag
    assert block is not None
    assert list(block.published.values()) == pytest.approx(
        np.log((0.5 + there / 10) / (0.5 - there / 10))[[0, 1, 2, 3, 4, 5, 6, 7]], abs=6e-6
    )


def test_rounding_leaves_many_small_shares_at_zero(issues: np.ndarray) -> None:
    zero = {name: float((issues[:, :, i] == 0).mean()) for i, name in enumerate(ORDER)}
    assert max(zero, key=lambda name: zero[name]) == "Random_Users"
    assert zero["Random_Users"] > 0.5
    assert min(zero.values()) > 0.1


HEADER = ["date", *attention.GROUPS]


def written(folder: Path, change: dict[int, list[str] | None]) -> attention.Options:
    """Write two topics of even shares, and change or leave out single lines of the first."""
    for topic in (1, 2):
        lines = [HEADER] + [[f"{day:%Y-%m-%d}", *["0.5"] * 7] for day in pd.date_range(*attention.DAYS)]
        if topic == 1:
            lines = [row for row in (change.get(i + 1, row) for i, row in enumerate(lines)) if row is not None]
        with (folder / f"ts-{topic}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(lines)
    return attention.Options(folder=".", topics=2)


@pytest.mark.parametrize(
    ("change", "line", "rule"),
    [
        ({3: ["2013-01-02", "1.5", *["0.5"] * 6]}, 3, "must be a share from 0 to 1"),
        ({3: ["2013-01-02", "", *["0.5"] * 6]}, 3, "must be a share from 0 to 1"),
        ({3: ["02/01/2013", *["0.5"] * 7]}, 3, "must be a day written YYYY-MM-DD"),
        ({3: ["2013-01-01", *["0.5"] * 7]}, 3, "stands on line 2 already"),
        ({3: None}, 0, "has no row"),
        ({3: ["2012-01-02", *["0.5"] * 7]}, 3, "is not a day from 2013-01-01 to 2014-12-31"),
    ],
)
def test_a_bad_cell_is_refused_at_its_line(
    tmp_path: Path, change: dict[int, list[str] | None], line: int, rule: str
) -> None:
    with pytest.raises(InputError) as caught:
        attention.load(tmp_path, written(tmp_path, change), 1)
    assert any(p.file == "./ts-1.csv" and p.line == line and rule in p.rule for p in caught.value.problems)


def test_an_issue_is_made_of_topics_that_are_there_and_of_no_other_issue(tmp_path: Path) -> None:
    options = written(tmp_path, {})
    for issues, rule in (({"a": {"x": [1, 3]}}, "they are 1 to 2"), ({"a": {"x": [1], "y": [1]}}, "is in two issues")):
        with pytest.raises(InputError, match=rule):
            attention.load(tmp_path, options.model_copy(update={"issues": issues}), 1)
