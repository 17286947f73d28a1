"""What one source, one unit or a wrong date adds to an estimate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from small_study import study, table, target

from analysis.change import change
from analysis.engagement import engagement
from analysis.errors import InputError
from analysis.link import analysis_table, link
from analysis.models.estimates import tidy
from analysis.robustness.influence import influence
from analysis.robustness.leave_one_out import leave_one_out
from analysis.robustness.placebo_dates import placebo_dates
from analysis.robustness.sources import leave_one_source_out
from analysis.robustness.targets import Target, targets
from analysis.study.spec import Study
from analysis.synthesis import failed_checks
from analysis.tables import OUTCOMES, PROCESS

DAY = pd.Timestamp("2014-01-01")
LPM: dict[str, Any] = {"label": "M", "design": "lpm", "formula": "improved ~ posts"}


def made() -> Study:
    content = study().model_dump(mode="json")
    hypothesis = content["hypotheses"]["works"] | {"decided_by": {"model": "main", "term": "posts"}}
    return study(
        models={"main": LPM},
        hypotheses={"works": hypothesis},
        exposures={"posts": {"label": "P", "indicators": ["posts"], "aggregate": "max"}},
        outcomes={"improved": {"label": "I", "type": "binary"}},
        covariates={},
        unit={"noun": "campaign", "plural": "campaigns"},
    )


def parts(n: int = 60) -> dict[str, pd.DataFrame]:
    """Posts from three sources, the last of which says of half of the units, all that improved, that they had many."""
    rng = np.random.default_rng(2)
    ids = [f"u{i:02d}" for i in range(n)]
    improved = np.arange(n) % 2 == 0
    units = pd.DataFrame({"unit_id": ids, "name": ids}).assign(launched="2014", launched_start=DAY, launched_end=DAY)
    values = [(u, "paper", float(v)) for u, v in zip(ids, rng.integers(1, 50, n), strict=True)]
    values += [(u, "archive/2", float(v)) for u, v in zip(ids[:20], rng.integers(1, 50, 20), strict=True)]
    values += [(u, "campaigner", 100.0) for u, better in zip(ids, improved, strict=True) if better]
    values += [("u00", "letter", 1.0)]
    process = pd.DataFrame(values, columns=["unit_id", "source", "value"]).assign(
        indicator="posts", time="2014-01-02", start=DAY + pd.Timedelta(days=1), end=DAY + pd.Timedelta(days=1),
        std_error=np.nan, value_type="exact", counting="cumulative", scope="global", grade="A",
    )  # fmt: skip
    outcomes = pd.DataFrame({"unit_id": ids}).assign(
        indicator=np.where(improved, "policy_changed", "none_observed"), time="", value=1.0,
        start=pd.Series(DAY + pd.Timedelta(days=400), index=range(n)).where(pd.Series(improved)),
        stage=np.where(improved, 4, 0), direction=improved.astype(int), observed_until="2016-01-01",
        observed_start=pd.Timestamp("2016-01-01"), observed_end=pd.Timestamp("2016-01-01"), grade="A", source="s",
    )  # fmt: skip
    outcomes["end"] = outcomes["start"]
    context = pd.DataFrame(columns=["unit_id", "time", "variable", "start", "end", "value"])
    reported = engagement(process[list(PROCESS.columns)])
    changed = change(outcomes[list(OUTCOMES.columns)], units, made().outcomes)
    return {"units": units, "engagement": reported, "change": changed, "context": context}


def built(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    s = made()
    linked: Any = {
        order: link(tables["engagement"], tables["change"], tables["units"], s.exposures, order)
        for order in ("strict", "naive")
    }
    return analysis_table(s, tables["units"], tables["change"], tables["context"], linked)


def test_the_exposure_is_built_again_without_each_source() -> None:
    tables = parts()
    found = target(made(), built(tables))
    rows = {row.term: row for row in leave_one_source_out(found, tables)}
    without = {}
    for name in ("paper", "archive/2", "campaigner"):
        left = {**tables, "engagement": tables["engagement"][tables["engagement"]["source"] != name]}
        without[name] = target(made(), built(left))
    alone = {name: sm.OLS(t.y, sm.add_constant(t.x)).fit(cov_type="HC3", use_t=True) for name, t in without.items()}
    smallest = min(alone, key=lambda name: alone[name].params[1])
    assert smallest == "campaigner", "the planted source carries the estimate"
    assert rows["posts:min"].estimate == pytest.approx(alone["campaigner"].params[1], rel=1e-9)
    assert rows["posts:min"].std_error == pytest.approx(alone["campaigner"].bse[1], rel=1e-9)
    assert rows["posts:min"].note.startswith(
        "without source campaigner, one of 3 sources of 2 or more units, beside 1 "
    )
    assert rows["posts:max"].estimate == pytest.approx(max(fit.params[1] for fit in alone.values()), rel=1e-9)
    assert found.y.mean() > 0


def test_one_source_alone_cannot_be_left_out() -> None:
    tables = parts()
    only = {**tables, "engagement": tables["engagement"][tables["engagement"]["source"] == "paper"]}
    (row,) = leave_one_source_out(target(made(), built(only)), only)
    assert row.note.startswith("not estimable: all values have one source")
    paper = only["engagement"]
    scattered = {**tables, "engagement": paper.assign(source=[f"s{i}" for i in range(len(paper))])}
    (row,) = leave_one_source_out(target(made(), built(scattered)), scattered)
    assert row.note.startswith("not estimable: every source speaks for one unit alone")


def test_a_term_that_is_no_exposure_has_no_sources() -> None:
    hypothesis = study().model_dump(mode="json")["hypotheses"]["works"]
    by_kind = study(hypotheses={"works": hypothesis | {"decided_by": {"model": "main", "term": "kind[T.b]"}}})
    assert leave_one_source_out(target(by_kind), {}) == []


def test_influence_is_that_of_statsmodels() -> None:
    found = target(study(models={"main": {"label": "M", "design": "lpm", "formula": "improved ~ counted + age"}}))
    rows = {row.term: row for row in influence(found, leave_one_out(found)[1])}
    fit = sm.OLS(found.y, sm.add_constant(found.x)).fit(cov_type="HC3")
    dfbeta = fit.get_influence().dfbeta[:, 1 + found.focal]
    largest = np.abs(dfbeta).argmax()
    assert rows["counted:dfbeta"].estimate == pytest.approx(dfbeta[largest], rel=1e-8)
    assert rows["counted:dfbetas"].estimate == pytest.approx(dfbeta[largest] / fit.bse[1 + found.focal], rel=1e-8)
    assert rows["counted:dfbeta"].note == f"unit {found.complete['unit_id'].iloc[largest]}"
    beyond = np.mean(np.abs(dfbeta / fit.bse[1 + found.focal]) > 2 / np.sqrt(len(dfbeta)))
    assert rows["counted:share_beyond"].estimate == pytest.approx(beyond)


def panel(trend: float, jump: float, seed: int = 1) -> tuple[Study, pd.DataFrame]:
    """Eighty units over ten years; half are exposed from 2006 to 2008 on. `trend` sets them apart beforehand."""
    rng = np.random.default_rng(seed)
    units, years = np.repeat(np.arange(80), 10), np.tile(np.arange(2001, 2011), 80)
    arrival = np.where(units < 40, 2006 + units % 3, 9999)
    exposed = (years >= arrival).astype(float)
    head = np.where(units < 40, np.clip(years - (arrival - 3), 0, None), 0)
    chance = np.clip(0.3 + trend * head + jump * exposed, 0, 1)
    rows = pd.DataFrame(
        {
            "unit_id": [f"u{u:02d}" for u in units], "period": years.astype(str), "outcome": "improved", "excluded": "",
            "value": (rng.random(len(units)) < chance).astype(float), "had": exposed, "had_naive": exposed,
        }
    )  # fmt: skip
    hypothesis = study().model_dump(mode="json")["hypotheses"]["works"]
    declared = study(
        unit={"noun": "place", "plural": "places", "grain": "year"},
        exposures={
            "had": {"label": "Had", "indicators": ["p"], "transform": "present", "window": "all", "absent": "zero"}
        },
        outcomes={"improved": {"label": "I", "type": "binary"}},
        covariates={},
        models={"main": {"label": "M", "design": "lpm", "formula": "improved ~ had", "cluster": "unit_id"}},
        hypotheses={"works": hypothesis | {"decided_by": {"model": "main", "term": "had"}}},
        robustness={"main": {"placebo_shift": [1, 3]}},
    )
    return declared, rows


def shifted(trend: float, jump: float, seed: int = 1) -> tuple[Target, dict[str, Any]]:
    declared, rows = panel(trend, jump, seed)
    (found,) = targets(declared, rows)
    assert isinstance(found, Target)
    return found, {row.term: row for row in placebo_dates(found)}


def test_a_placebo_date_uses_only_what_came_before_and_moves_the_arrival() -> None:
    found, rows = shifted(0.0, 0.4)
    before = found.rows[found.rows["had"] == 0]
    year = before["period"].astype(int)
    arrival = found.rows[found.rows["had"] == 1].groupby("unit_id")["period"].min().astype(int)
    early = (year >= before["unit_id"].map(arrival) - 3).astype(float)
    fit = sm.OLS(before["improved"], sm.add_constant(early)).fit()
    assert rows["had:3_earlier"].estimate == pytest.approx(fit.params.iloc[1], rel=1e-9)
    assert rows["had:3_earlier"].n_obs == len(before)
    assert set(rows) == {"had:1_earlier", "had:3_earlier"}


def test_an_effect_at_the_true_date_shows_nothing_earlier_and_a_trend_does() -> None:
    for seed in range(3):
        _, at_its_date = shifted(0.0, 0.5, seed)
        assert at_its_date["had:3_earlier"].p_value > 0.01
    found, drifting = shifted(0.15, 0.0)
    assert drifting["had:3_earlier"].p_value < 0.01
    own = found.estimate("x", "", "", p_value=0.0001, estimate=0.5)
    table_ = tidy([own, *drifting.values()], "small")
    assert failed_checks(table_, "main", "had") == ["it is there before the exposure is"]


def test_units_that_are_observed_once_have_no_placebo_date() -> None:
    assert list(placebo_dates(target(study(), table()))) == []


def test_a_placebo_date_needs_an_exposure_that_stays(tmp_path: Any, request: pytest.FixtureRequest) -> None:
    from analysis.study import read_study

    text = (request.config.rootpath / "studies/campaigns.yml").read_text().replace("name: campaigns", "name: mine")
    block = "  signatures_landmark:\n    adjust:"
    assert block in text
    text = text.replace(block, block.replace("adjust:", "placebo_shift: [2]\n    adjust:"))
    (tmp_path / "mine.yml").write_text(text)
    with pytest.raises(InputError, match="needs an exposure that arrives and stays"):
        read_study(tmp_path / "mine.yml")
