"""Checks of Poisson models: the score statistic, its permutations, single units left out, and E-values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from analysis.models.estimates import Estimate
from analysis.models.fit import fit_models
from analysis.robustness.counts import count_checks
from analysis.study.spec import Study


def study(formula: str = "killings ~ posts + age", choices: dict[str, Any] | None = None, **model: Any) -> Study:
    return Study.model_validate(
        {
            "name": "small", "title": "Small", "question": "Does it?", "summary": "Made up.",
            "source": {"adapter": "registry"},
            "unit": {"noun": "place", "plural": "places", "attributes": ["region"], "grain": "year"},
            "exposures": {"posts": {"label": "posts", "indicators": ["posts"], "transform": "log1p"}},
            "outcomes": {"killings": {"label": "killings", "type": "count"}},
            "covariates": {"age": {"label": "age", "context": "age"}},
            "models": {"main": {"label": "m", "design": "poisson", "formula": formula, "cluster": "unit_id"} | model},
            "hypotheses": {
                "works": {
                    "statement": "It works.", "origin": ["campbell"], "expects": "positive",
                    "decided_by": {"model": "main", "term": formula.split("~")[1].split("+")[0].strip()},
                    "smallest_effect": 0.1,
                }
            },
            "robustness": {"main": choices or {}},
        }
    )  # fmt: skip


def table(seed: int = 1, units: int = 60, periods: int = 6, effect: float = 0.5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    unit, period = np.repeat(np.arange(units), periods), np.tile(np.arange(periods), units)
    own, common = rng.normal(size=units), 0.3 * rng.normal(size=periods)
    posts = 0.5 * own[unit] + rng.normal(size=len(unit))
    age = rng.normal(size=len(unit))
    mean = np.exp(0.3 + 0.4 * own[unit] + common[period] + effect * posts + 0.2 * age)
    return pd.DataFrame(
        {
            "outcome": "killings", "unit_id": [f"p{u:02d}" for u in unit], "period": (2000 + period).astype("str"),
            "excluded": "", "value": rng.poisson(mean * rng.gamma(4, 0.25, len(unit))).astype(float), "posts": posts,
            "posts_naive": posts, "age": age, "region": [f"r{u % 4}" for u in unit],
        }
    )  # fmt: skip


def checked(made: Study, rows: pd.DataFrame, draws: int = 19) -> dict[str, Estimate]:
    return {f"{r.model.removeprefix('main:')} {r.term}": r for r in count_checks(made, rows, draws, 1)}


@pytest.mark.parametrize("absorb", [[], ["unit_id", "period"]], ids=["plain", "fixed effects"])
def test_the_statistic_is_the_robust_score_of_a_model_without_the_exposure(absorb: list[str]) -> None:
    rows = table()
    found = checked(study(absorb=absorb), rows)["randomisation posts"]
    columns = [pd.Series(1.0, rows.index), rows["age"]]
    columns += [pd.get_dummies(rows[name], dtype=float).iloc[:, 1:] for name in absorb]
    null = sm.GLM(rows["value"], pd.concat(columns, axis=1), family=sm.families.Poisson()).fit(tol=1e-12)
    mean = null.fittedvalues.to_numpy()
    x = pd.concat(columns, axis=1).to_numpy()
    left = rows["posts"] - x @ np.linalg.solve(x.T @ (x * mean[:, None]), x.T @ (mean * rows["posts"]))
    scores = (left * (rows["value"] - mean)).groupby(rows["unit_id"]).sum()
    assert found.statistic == pytest.approx(scores.sum() / np.sqrt((scores**2).sum()), rel=1e-6)


def test_it_finds_what_was_planted_and_a_true_null_as_often_as_the_level_says() -> None:
    assert checked(study(absorb=["unit_id", "period"]), table(), draws=99)["randomisation posts"].p_value == 0.01
    made = study(absorb=["unit_id"], formula="killings ~ posts")
    worlds = [table(seed, units=30, periods=4, effect=0) for seed in range(100)]
    rejected = sum(checked(made, rows, 39)["randomisation posts"].p_value <= 0.05 for rows in worlds)
    assert rejected <= 14, "5% of 100, within four standard errors"


def test_leaving_a_unit_out_is_fitting_again_and_no_other_unit_moves_it_further() -> None:
    rows, made = table(units=25), study(absorb=["unit_id", "period"])
    found = checked(made, rows)

    def without(unit: str) -> float:
        fits = fit_models(made, rows[rows["unit_id"] != unit], "05_regressions").set_index("term")
        return float(fits["estimate"]["posts"])

    every = {unit: without(unit) for unit in rows["unit_id"].unique()}
    for end, extreme in (("min", min), ("max", max)):
        row = found[f"leave_one_out posts:{end}_without_unit"]
        assert row.estimate == pytest.approx(extreme(every.values()), rel=1e-8)
        assert f"without unit {extreme(every, key=every.__getitem__)}" in row.note


def test_e_values_are_those_of_the_rate_ratio() -> None:
    found = checked(study(), table())
    ratio = np.exp(found["randomisation posts"].estimate)
    assert found["sensitivity posts:e_value"].estimate == pytest.approx(ratio + np.sqrt(ratio * (ratio - 1)))
    assert "linear" not in found["sensitivity posts:e_value"].note


def test_rows_in_another_order_have_the_same_numbers_and_strata_hold_exposures() -> None:
    made = study(choices={"strata": ["region"]}, absorb=["period"])
    first, again = (checked(made, rows) for rows in (table(), table().sample(frac=1, random_state=2)))
    assert list(first) == list(again)
    numbers = [[n for r in found.values() for n in (r.estimate, r.p_value)] for found in (first, again)]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-9, nan_ok=True)
    assert "within region" in first["randomisation posts"].note


def test_what_cannot_be_exchanged_or_fitted_says_why() -> None:
    product = checked(study("killings ~ posts:age + posts + age"), table())
    assert product["randomisation posts:age"].note.startswith("not estimable: of a product")
    nothing = checked(study(), table().assign(value=0.0))
    assert "no variation" in nothing["randomisation posts"].note
