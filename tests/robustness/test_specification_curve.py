"""The specification curve has the numbers of one regression at a time, and a joint test with its level."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_study import one_at_a_time, study, table, target, with_outcome

from analysis.robustness.specification import AS_REGISTERED, choices, specification_curve

CHOICES: dict[str, Any] = {
    "adjust": ["kind", "age", "size"],
    "exposures": ["early", "posts"],
    "samples": {"clear": {"drop": {"remark": ["unclear*"]}}, "two_regions": {"keep": {"region": ["a", "b"]}}},
    "clusters": ["none"],
}
COMMON = study(robustness={"main": CHOICES})


def test_every_combination_of_comparable_choices_is_one_specification() -> None:
    found = choices(target(COMMON))
    assert len(found) == 2 * 3 * 2**3 * 2, "posts has another transform than counted and is no choice"
    assert len(set(found)) == len(found)
    own = found[0]
    assert (own.exposure, own.terms, own.sample, own.cluster) == ("counted", ("kind", "age"), AS_REGISTERED, "country")


def test_the_curve_has_the_numbers_of_statsmodels_one_at_a_time() -> None:
    rows = table()
    improved = rows[rows["outcome"] == "improved"]
    _, curve = specification_curve(target(COMMON, rows), draws=0, seed=1)
    samples = {
        AS_REGISTERED: improved,
        "clear": improved[~improved["remark"].str.startswith("unclear")],
        "two_regions": improved[improved["kind"] != "c"],
    }
    assert len(curve) == 96
    for row in curve.itertuples():
        formula = f"improved ~ {row.exposure}" + ("" if row.covariates == "none" else f" + {row.covariates}")
        cluster = None if row.cluster == "none" else row.cluster
        expected = one_at_a_time(formula, samples[row.sample], row.exposure, cluster)
        np.testing.assert_allclose([row.estimate, row.std_error, row.p_value, row.n_obs], expected, rtol=1e-9)


def test_the_registered_specification_is_the_model_itself() -> None:
    found = target(COMMON)
    rows, curve = specification_curve(found, draws=0, seed=1)
    (own,) = curve[curve["registered"]].itertuples()
    expected = one_at_a_time("improved ~ counted + kind + age", found.rows, "counted", "country")
    np.testing.assert_allclose([own.estimate, own.std_error, own.p_value, own.n_obs], expected, rtol=1e-9)
    by_term = {row.term: row for row in rows}
    assert by_term["counted:median"].estimate == pytest.approx(curve["estimate"].median())
    assert by_term["counted:specifications"].estimate == 96
    share = max(((curve["p_value"] < 0.05) & (np.sign(curve["estimate"]) == s)).mean() for s in (1, -1))
    assert by_term["counted:share_significant"].estimate == pytest.approx(share)


def test_a_level_of_a_covariate_is_compared_with_the_declared_reference_only() -> None:
    decided = {
        "works": study().hypotheses["works"].model_dump() | {"decided_by": {"model": "main", "term": "kind[T.c]"}}
    }
    samples = {"without_reference": {"keep": {"region": ["b", "c"]}}, "with": {"keep": {"region": ["a", "c"]}}}
    made = study(hypotheses=decided, robustness={"main": {"adjust": ["age"], "samples": samples}})
    rows, curve = specification_curve(target(made), draws=19, seed=1)
    estimated = curve.groupby("sample")["estimate"].count()
    assert estimated.to_dict() == {AS_REGISTERED: 2, "with": 2, "without_reference": 0}
    assert "2 specifications are not estimable" in rows[0].note


def test_a_constant_covariate_is_no_choice() -> None:
    rows = table().assign(size=1.0)
    assert {s.terms for s in choices(target(COMMON, rows))} == {("kind", "age"), ("kind",), ("age",), ()}


@pytest.mark.slow
def test_the_joint_test_finds_an_effect_and_keeps_its_level_without_one() -> None:
    made = study(robustness={"main": {"adjust": ["kind", "age"], "exposures": ["early"], "clusters": ["none"]}})

    found = target(made, table(n=80, clusters=33))
    rng = np.random.default_rng(2)

    def p_value(effect: float, seed: int) -> float:
        happened = rng.random(len(found.rows)) < 0.3 + effect * found.rows["counted"]
        rows, _ = specification_curve(with_outcome(found, happened.to_numpy(float)), draws=39, seed=seed)
        return next(row.p_value for row in rows if row.term == "counted:median")

    specification_curve(found, draws=0, seed=1)
    assert p_value(0.6, seed=3) == 1 / 40
    rejected = np.mean([p_value(0.0, seed) <= 0.1 for seed in range(60)])
    assert rejected == pytest.approx(0.1, abs=3 * np.sqrt(0.1 * 0.9 / 60))


def test_the_order_of_rows_and_a_chosen_number_of_draws_change_nothing_else() -> None:
    rows = table()
    shuffled = rows.sample(frac=1, random_state=4).reset_index(drop=True)
    first, curve = specification_curve(target(COMMON, rows), draws=49, seed=5)
    second, again = specification_curve(target(COMMON, shuffled), draws=49, seed=5)
    assert [r.p_value for r in first if r.seed] == [r.p_value for r in second if r.seed]
    pd.testing.assert_frame_equal(curve, again, rtol=1e-12)
