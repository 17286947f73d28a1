"""Absorbed effects are dummies that nobody has to write, whatever their number, order, balance or weights."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyfixest
import pytest
import statsmodels.api as sm
from regression_data import by_term, design, dummies, panel

from analysis.models.design_matrix import NotEstimableError
from analysis.models.fixed_effects import Effects
from analysis.models.linear import fitted, ols
from analysis.models.usable_rows import usable_rows
from analysis.models.vcov import crv1, robust

TWO, THREE = ["unit", "period"], ["unit", "period", "third"]


def absorbing(table: pd.DataFrame, effects: list[str], **parts: object) -> object:
    return design(table["y"], {"a": table["a"], "b": table["b"]}, absorb={e: table[e] for e in effects}, **parts)


@pytest.mark.parametrize("effects", [["unit"], TWO, THREE])
@pytest.mark.parametrize("weighted", [False, True])
def test_effects_have_the_numbers_of_dummies(effects: list[str], weighted: bool) -> None:
    table = panel().assign(third=lambda t: np.random.default_rng(5).integers(6, size=len(t)))
    weights = table["size"].to_numpy() if weighted else np.ones(len(table))
    x = np.column_stack([table[["a", "b"]], dummies(table, effects)])
    full = sm.WLS(table["y"], x, weights=weights).fit(cov_type="HC1", use_t=True)
    rows = ols(absorbing(table, effects, weights=weights if weighted else None), "m", "y")
    np.testing.assert_allclose([r.estimate for r in rows], full.params[:2], rtol=1e-9)
    np.testing.assert_allclose([r.std_error for r in rows], full.bse[:2], rtol=1e-9)
    np.testing.assert_allclose([r.p_value for r in rows], full.pvalues[:2], rtol=1e-6)
    assert rows[0].note == ("weighted by size" if weighted else "")


def test_clustered_errors_have_the_numbers_of_pyfixest_where_its_degrees_of_freedom_are_right() -> None:
    # With one effect pyfixest 0.60 counts as R's fixest does, whatever the hash seed.
    table = panel()
    demeaner = pyfixest.MapDemeaner(fixef_tol=1e-12)
    fit = pyfixest.feols("y ~ a + b | period", table, vcov={"CRV1": "unit"}, demeaner=demeaner)
    rows = ols(absorbing(table, ["period"], clusters={"unit": table["unit"]}), "m", "y")
    np.testing.assert_allclose([r.std_error for r in rows], fit.se(), rtol=1e-8)
    np.testing.assert_allclose([r.ci_low for r in rows], fit.confint().iloc[:, 0], rtol=1e-8)
    two = pyfixest.feols("y ~ a + b | period", table, vcov={"CRV1": "unit + region"})
    _, own, _ = fitted(usable_rows(absorbing(table, ["period"])))
    np.testing.assert_allclose(robust(own, table[["unit", "region"]]).std_error, two.se(), rtol=1e-8)


def test_effects_that_few_rows_connect_are_absorbed_too() -> None:
    # Each unit is seen in two places only, and the next unit in the next two: a chain, on which projecting in turns
    # would take more than the passes it is given.
    random = np.random.default_rng(3)
    unit = np.repeat(np.arange(400), 4)
    table = pd.DataFrame({"unit": unit, "place": unit // 2 + random.integers(2, size=len(unit))})
    effects = Effects.of(table)
    columns = random.normal(size=(len(table), 2))
    by_hand = np.column_stack([pd.get_dummies(table[c], dtype="float64") for c in ("unit", "place")])
    expected = columns - by_hand @ np.linalg.lstsq(by_hand, columns, rcond=None)[0]
    np.testing.assert_allclose(effects.remove(columns), expected, atol=1e-9)


def test_singletons_are_left_out_and_counted_and_change_nothing_else() -> None:
    table = panel()
    alone = pd.DataFrame({"unit": [900, 901, 901], "period": [2, 77, 3], "a": 1.0, "b": [0.0, 2.0, 3.0], "y": 9.0})
    more = pd.concat([table, alone], ignore_index=True)
    before, after = (ols(absorbing(t, TWO, units=t["unit"]), "m", "y") for t in (table, more))
    assert after[0].note == "3 rows left out that are alone at a level of unit, period"
    assert (after[0].n_obs, after[0].n_units) == (before[0].n_obs, table["unit"].nunique())
    np.testing.assert_allclose([r.estimate for r in after], [r.estimate for r in before], rtol=1e-9)
    np.testing.assert_allclose([r.std_error for r in after], [r.std_error for r in before], rtol=1e-9)


def test_regressors_that_the_effects_determine_are_refused_by_name() -> None:
    table = panel()
    of_unit = np.sin(table["unit"]) * 5 + 1000
    x = {"a": table["a"], "age": of_unit, "trend": table["period"] * 2.0}
    effects = {e: table[e] for e in TWO}
    with pytest.raises(NotEstimableError, match=r"the fixed effects of unit, period determine age, trend: .* leave"):
        ols(design(table["y"], x, absorb=effects), "m", "y")
    with pytest.raises(NotEstimableError, match=r"determine c in .* they are collinear"):
        ols(design(table["y"], {"a": table["a"], "c": 3 * table["a"] + of_unit}, absorb=effects), "m", "y")


def test_bad_weights_and_too_few_rows_are_refused() -> None:
    table = panel()
    for bad, told in ((np.nan, "1 of"), (-1.0, "1 of"), (np.inf, "1 of")):
        weights = table["size"].to_numpy().copy()
        weights[3] = bad
        with pytest.raises(NotEstimableError, match=rf"{told} {len(table)} weights \(size\) are missing, infinite"):
            ols(absorbing(table, TWO, weights=weights), "m", "y")
    short = pd.DataFrame({"unit": [0, 0, 1, 1], "a": [1.0, 2, 1, 3], "b": [0.0, 1, 1, 0], "y": [0.0, 1, 2, 5]})
    with pytest.raises(NotEstimableError, match="2 regressors and 2 fixed effects leave no degrees of freedom in 4"):
        ols(absorbing(short, ["unit"]), "m", "y")
    every = pd.DataFrame({"unit": range(9), "a": 1.0, "b": 2.0, "y": 3.0})
    with pytest.raises(NotEstimableError, match="every row is alone at a level of unit"):
        ols(absorbing(every, ["unit"]), "m", "y")


def test_rows_of_weight_zero_are_left_out() -> None:
    table = panel()
    weights = np.where(np.arange(len(table)) % 5 == 0, 0.0, table["size"])
    all_rows = ols(absorbing(table, TWO, weights=weights), "m", "y")
    kept = ols(absorbing(table[weights > 0], TWO, weights=weights[weights > 0]), "m", "y")
    assert [r.std_error for r in all_rows] == pytest.approx([r.std_error for r in kept], rel=1e-12)
    assert f"{int((weights == 0).sum())} rows of weight 0 left out" in all_rows[0].note


_SAME_FIT = """
import hashlib, itertools, sys
sys.path.insert(0, sys.argv[1])
from regression_data import design, panel
from analysis.models.counts import poisson
from analysis.models.linear import ols
table = panel()
effects = {"unit": table["unit"], "period": table["period"], "region^period": table["region"] * 100 + table["period"]}
for names in itertools.permutations(effects):
    absorb = {name: effects[name] for name in names}
    rows = []
    for estimator, outcome in ((ols, "y"), (poisson, "count")):
        of = design(table[outcome], {"a": table["a"], "b": table["b"]}, {"unit": table["unit"]}, absorb=absorb)
        rows += estimator(of, "m", outcome)
    print(hashlib.sha256(repr(rows).encode()).hexdigest())
"""


@pytest.mark.slow
def test_the_same_bytes_under_every_hash_seed_number_of_threads_and_order_of_the_effects() -> None:
    # pyfixest's own clustered errors with two effects are those of one of two degrees of freedom, by PYTHONHASHSEED.
    found = set()
    for seed, threads in (("0", "1"), ("1", "2"), ("7", "4")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": threads, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", _SAME_FIT, str(Path(__file__).parent)]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        found |= set(ran.stdout.split())
    assert len(ran.stdout.split()) == 6
    assert len(found) == 1


def test_rescaling_a_regressor_by_a_power_of_two_changes_no_digit() -> None:
    table = panel()
    before = by_term(ols(absorbing(table, TWO), "m", "y"))
    after = by_term(ols(absorbing(table.assign(a=table["a"] * 1024), TWO), "m", "y"))
    assert after["a"].estimate * 1024 == before["a"].estimate
    assert after["b"] == before["b"]


def test_nested_effects_are_counted_once_and_others_in_full() -> None:
    table = panel(lost=0.0)
    effects = Effects.of(pd.DataFrame({"unit": table["unit"], "period": table["period"]}))
    unit, region = (table[c].to_numpy(np.intp) for c in ("unit", "region"))
    assert effects.parameters() == 60 + 8 - 1
    assert effects.parameters([unit]) == 8
    assert effects.parameters([region]) == 8, "units are nested in regions as well"
    assert effects.parameters([table["period"].to_numpy(np.intp)]) == 60
    _, fit, _ = fitted(usable_rows(absorbing(table, TWO)))
    assert (fit.parameters(), fit.parameters([unit])) == (2 + 67, 2 + 8)
    free = crv1(fit, "unit", unit).matrix[0, 0]
    score = np.array([(fit.x[unit == g, 0] * fit.residuals[unit == g]).sum() for g in range(60)])
    others = np.array([(fit.x[unit == g, 1] * fit.residuals[unit == g]).sum() for g in range(60)])
    meat = np.cov(np.array([score, others]), bias=True) * 60
    n = len(table)
    expected = (fit.bread @ meat @ fit.bread)[0, 0] * 60 / 59 * (n - 1) / (n - 10)
    assert free == pytest.approx(expected, rel=1e-9)
