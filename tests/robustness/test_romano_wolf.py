"""A family that is resampled together keeps its error rate, and pays nothing for tests that are one and the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from small_study import ols, study, table

from analysis.models.estimates import Estimate
from analysis.models.wild import cluster_weights
from analysis.robustness.romano_wolf import _under_the_null, romano_wolf, step_down
from analysis.robustness.targets import Target, targets
from analysis.study.spec import Study


def family(**models: dict[str, Any]) -> Study:
    common = {"label": "M", "design": "lpm"}
    hypothesis = study().hypotheses["works"].model_dump()
    return study(
        models={name: common | model for name, model in models.items()},
        hypotheses={
            name: hypothesis | {"decided_by": {"model": name, "term": "counted"}, "family": "f"} for name in models
        },
        families={"f": "romano_wolf"},
    )


TWO = family(
    first={"formula": "improved ~ counted + age", "cluster": "country"},
    second={"formula": "unrelated ~ counted + kind", "cluster": "country"},
)


def p_values(made: Study, rows: pd.DataFrame, draws: int = 199) -> list[float]:
    return [row.p_value for row in romano_wolf(made, list(targets(made, rows)), draws, seed=1)]


def test_one_draw_at_a_time_with_statsmodels_gives_the_same() -> None:
    rows = table(seed=3)
    probed = [t for t in targets(TWO, rows) if isinstance(t, Target)]
    draws = 39
    labels = [t.complete["country"] for t in probed]
    every = sorted({*labels[0], *labels[1]})
    weights = cluster_weights(len(every), draws, np.random.default_rng([1, crc32(b"f")]))
    drawn = np.empty((2, draws))
    observed = np.empty(2)
    for i, (member, label) in enumerate(zip(probed, labels, strict=True)):
        position = 1 + member.focal
        observed[i] = abs(ols(member.y, member.x, member.clusters).tvalues[position])
        null = sm.OLS(member.y, sm.add_constant(np.delete(member.x, member.focal, axis=1))).fit()
        for b in range(draws):
            weight = label.map(dict(zip(every, weights[:, b], strict=True))).to_numpy()
            drawn[i, b] = abs(ols(null.fittedvalues + null.resid * weight, member.x, member.clusters).tvalues[position])
    order = np.argsort(-observed)
    largest = (1 + (drawn.max(axis=0) >= observed[order[0]]).sum()) / (1 + draws)
    other = max(largest, (1 + (drawn[order[1]] >= observed[order[1]]).sum()) / (1 + draws))
    expected = np.empty(2)
    expected[order] = [largest, other]
    assert p_values(TWO, rows, draws) == pytest.approx(list(expected), abs=1e-12)


def test_the_note_says_what_was_done_and_what_the_test_is_alone() -> None:
    first, second = romano_wolf(TWO, list(targets(TWO, table(seed=3))), 99, seed=1)
    assert (first.model, first.term, second.outcome) == ("first:romano_wolf", "counted", "unrelated")
    assert "one of 2 tests in the family f" in first.note
    assert "values of country; alone its p-value is" in first.note
    assert first.p_value >= float(first.note.rsplit(" ", 1)[1])


def test_the_same_test_twice_costs_nothing() -> None:
    same = {"formula": "improved ~ counted + age", "cluster": "country"}
    made, rows = family(first=same, second=same, third=same), table(seed=5, effect=0.12)
    together = p_values(made, rows)
    alone = p_values(family(first=same), rows)
    assert together == [alone[0]] * 3
    assert 0.005 < alone[0] < 1, "a p-value at its limit would show nothing"


def test_fixed_effects_are_those_of_dummies() -> None:
    rows = table(seed=3)
    absorbed = family(
        first={"formula": "improved ~ counted + age", "absorb": ["region"]},
        second={"formula": "unrelated ~ counted", "absorb": ["region"]},
    )
    dummies = family(
        first={"formula": "improved ~ counted + age + kind"}, second={"formula": "unrelated ~ counted + kind"}
    )
    with_dummies = [t for t in targets(dummies, rows) if isinstance(t, Target)]
    with_effects = [t for t in targets(absorbed, rows) if isinstance(t, Target)]
    assert [t.absorb is not None for t in with_effects] == [True, True]
    for one, other in zip(with_effects, with_dummies, strict=True):
        np.testing.assert_allclose(_under_the_null(one)[1], _under_the_null(other)[1], atol=1e-9)
    found = romano_wolf(absorbed, list(targets(absorbed, rows)), 99, seed=1)
    expected = romano_wolf(dummies, list(targets(dummies, rows)), 99, seed=1)
    assert [row.estimate for row in found] == pytest.approx([row.estimate for row in expected], rel=1e-9)
    # The errors are HC1 with effects and HC3 with dummies, which is all that may differ.
    assert [row.p_value for row in found] == pytest.approx([row.p_value for row in expected], abs=0.05)


def test_rows_in_another_order_change_nothing() -> None:
    rows = table(seed=3)
    assert p_values(TWO, rows.sample(frac=1, random_state=2)) == pytest.approx(p_values(TWO, rows), abs=1e-12)


def test_step_down_by_hand() -> None:
    observed = np.array([1.0, 3.0, 2.0])
    drawn = np.array([[0.5, 2.5, 0.1, 1.5], [0.2, 0.3, 0.4, 0.1], [2.0, 0.1, np.nan, 0.3]])
    # 3.0 against all: 2.5 and below, but the lost draw counts as extreme: 2 of 5. 2.0 against the other two: 2.0, 2.5
    # and the lost one: 4 of 5. 1.0 against its own: 2.5 and 1.5: 3 of 5, raised to 4 of 5.
    assert step_down(observed, drawn).tolist() == pytest.approx([0.8, 0.4, 0.8])


@pytest.mark.parametrize("correlation", [0.0, 0.7, 1.0])
def test_the_family_errs_no_more_often_than_its_level(correlation: float) -> None:
    rng = np.random.default_rng(4)
    worlds, m, draws = 1_000, 5, 199
    root = np.linalg.cholesky(np.full((m, m), correlation) + (1 - correlation + 1e-12) * np.eye(m))
    smallest = np.array(
        [
            step_down(np.abs(root @ rng.normal(size=m)), np.abs(root @ rng.normal(size=(m, draws)))).min()
            for _ in range(worlds)
        ]
    )
    assert np.mean(smallest <= 0.05) == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / worlds))


def test_it_is_never_less_powerful_than_holm_with_the_same_draws() -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        observed = np.sort(np.abs(rng.normal(size=4) * 2))[::-1]
        drawn = rng.permuted(np.tile(np.abs(rng.normal(size=199)), (4, 1)), axis=1)
        alone = np.array([step_down(observed[[i]], drawn[[i]])[0] for i in range(4)])
        holm = np.maximum.accumulate(alone * np.arange(4, 0, -1))
        found = step_down(observed, drawn)
        assert (found <= holm + 1e-12).all()
        assert (found >= alone - 1e-12).all()


@pytest.mark.slow
def test_a_family_of_true_nulls_is_rejected_as_often_as_the_level_says() -> None:
    made = family(first={"formula": "improved ~ counted + age"}, second={"formula": "unrelated ~ counted + age"})
    rows = table(n=120)
    probed = [t for t in targets(made, rows) if isinstance(t, Target)]
    rng = np.random.default_rng(1)
    worlds, rejected = 300, 0
    for _ in range(worlds):
        shared = rng.normal(size=len(probed[0].y))
        drawn = [
            replace(
                t, data=replace(t.data, y=pd.Series((shared + rng.normal(size=len(t.y)) > 0) * 1.0, t.data.y.index))
            )
            for t in probed
        ]
        rejected += min(row.p_value for row in romano_wolf(made, drawn, 99, seed=int(rng.integers(1 << 30)))) <= 0.05
    assert rejected / worlds == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / worlds))


@pytest.mark.parametrize(
    ("models", "why"),
    [
        (
            {
                "first": {"formula": "improved ~ counted", "cluster": "country"},
                "second": {"formula": "improved ~ counted"},
            },
            "its members have errors by country and unit_id",
        ),
        (
            {
                "first": {"formula": "improved ~ counted"},
                "second": {"formula": "improved ~ counted", "design": "cox"},
            },
            "second:counted has no linear form that can be resampled",
        ),
    ],
)
def test_a_family_that_cannot_be_resampled_together_says_why(models: dict[str, Any], why: str) -> None:
    made = family(**models)
    rows = romano_wolf(made, list(targets(made, table())), 19, seed=1)
    assert [row.model for row in rows] == ["first:romano_wolf", "second:romano_wolf"]
    assert all(np.isnan(row.p_value) and row.note.startswith(f"not estimable: {why}") for row in rows)


def test_a_member_that_is_not_estimable_is_lost_with_its_reason() -> None:
    rows = table()
    constant = rows.assign(value=rows["value"].where(rows["outcome"] == "improved", 0.0))
    found = romano_wolf(TWO, list(targets(TWO, constant)), 19, seed=1)
    assert all("second:counted has no linear form" in row.note for row in found)


def test_other_families_are_left_alone() -> None:
    made = TWO.model_copy(update={"families": {"f": "holm"}})
    probed: list[Target | Estimate] = list(targets(made, table()))
    assert romano_wolf(made, probed, 19, seed=1) == []
