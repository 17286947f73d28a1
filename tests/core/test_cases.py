"""One campaign told on its own has the numbers of its rows in the registry, and a place among the others."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from derived import Derived

from analysis.cases import cases, chronicle, dossier
from analysis.errors import InputError
from analysis.figures_case import case_figures
from analysis.study.spec import Study
from analysis.tables import CanonicalTables

REGISTRY = Path(__file__).parents[2] / "data/raw/registry"
WEIBO = "weibo-baobeihuijia-2011"


def raw(name: str) -> list[dict[str, str]]:
    with (REGISTRY / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_weibo_campaign_is_told_by_its_rows(campaigns: Study, registry: CanonicalTables, derived: Derived) -> None:
    rows = cases(campaigns, registry.units, derived.reported, derived.changed)
    found = {(row.outcome, row.term): row.estimate for row in rows}
    followers: dict[str, float] = {}
    for row in raw("process"):
        if row["indicator"] == "followers":
            name = row["campaign_id"]
            followers[name] = max(followers.get(name, 0.0), float(row["value"]))
    own = followers.pop(WEIBO)
    assert found["followers", "largest"] == own == 218_000
    assert found["followers", "smaller"] == pytest.approx(sum(v < own for v in followers.values()) / len(followers))
    assert found["followers", "before_change"] == found["posts", "before_change"] == 0
    assert found["improved", "min_days"] == found["improved", "max_days"] == 14


def test_the_chronicle_is_in_the_order_of_days_and_the_figure_says_what_came_first(
    campaigns: Study, registry: CanonicalTables
) -> None:
    told = chronicle(WEIBO, registry.process, registry.outcomes)
    assert list(told["what"]) == ["followers", "released", "followers", "posts", "government_response"]
    assert told["start"].is_monotonic_increasing
    drawn = case_figures(campaigns, registry.units, registry.process, registry.outcomes)
    assert "no count is surely dated before the first change" in drawn[f"case_{WEIBO}"].get_label()
    assert dossier(campaigns, WEIBO, registry.units).loc["issue"].item() == "child_trafficking"


def test_a_case_that_is_no_unit_is_refused_with_the_nearest(
    campaigns: Study, registry: CanonicalTables, derived: Derived
) -> None:
    unit = campaigns.unit.model_copy(update={"cases": ["weibo-baobeihuijia-2012"]})
    wrong = campaigns.model_copy(update={"unit": unit})
    with pytest.raises(InputError, match=WEIBO):
        cases(wrong, registry.units, derived.reported, derived.changed)
