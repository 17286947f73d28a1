"""What must not matter does not: the order of rows, columns and effects, labels, and the unit of a regressor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from regression_data import design, panel
from threadpoolctl import threadpool_limits

from analysis.models.counts import negative_binomial, poisson
from analysis.models.design_matrix import DesignMatrix
from analysis.models.estimates import Estimate
from analysis.models.instruments import iv
from analysis.models.linear import lpm, ols
from analysis.models.logit import logit
from analysis.models.mismeasured import errors_in_variables

Estimator = Callable[[DesignMatrix, str, str], list[Estimate]]
ESTIMATORS: dict[str, Estimator] = {
    "lpm": lpm, "ols": ols, "logit": logit, "poisson": poisson, "negative_binomial": negative_binomial, "iv": iv,
    "errors_in_variables": errors_in_variables,
}  # fmt: skip
EFFECTLESS = ("logit", "negative_binomial")
# Simulated draws go with rows, bootstrap draws with clusters: in another order the same seed is another sample.
DRAWN = (":simex", ":wild")
TABLE = panel(units=40, periods=6).assign(
    z=lambda t: t["a"] + np.random.default_rng(3).normal(size=len(t)),
    se=lambda t: np.random.default_rng(4).uniform(0.1, 0.5, size=len(t)),
)


def of(name: str, table: pd.DataFrame, absorb: tuple[str, ...] = ("unit", "period"), scale: float = 1) -> DesignMatrix:
    y = {"poisson": table["count"], "negative_binomial": table["count"]}.get(name, table["y"])
    y = (y > 0).astype(float) if name in ("lpm", "logit") else y
    parts: dict[str, object] = {} if name in EFFECTLESS else {"absorb": {e: table[e] for e in absorb}}
    if name == "iv":
        parts |= {"instruments": {"z": table["z"]}, "endogenous": "a"}
    if name == "errors_in_variables":
        parts["errors"] = {"a": table["se"] * scale}
    return design(y, {"a": table["a"] * scale, "b": table["b"]}, {"unit": table["unit"]}, **parts)


def numbers(rows: list[Estimate]) -> dict[str, list[float]]:
    return {
        r.term: [r.estimate, r.std_error, r.p_value, r.ci_low, r.ci_high] for r in rows if not r.term.endswith(DRAWN)
    }


def assert_same(found: list[Estimate], expected: list[Estimate], rtol: float = 1e-6) -> None:
    first, second = numbers(found), numbers(expected)
    assert set(first) == set(second)
    for term, values in second.items():
        np.testing.assert_allclose(first[term], values, rtol=rtol, atol=1e-9, err_msg=term)
    assert {r.vcov for r in found} == {r.vcov for r in expected}
    assert {r.note for r in found} == {r.note for r in expected}


EXPECTED = {name: estimator(of(name, TABLE), "m", "y") for name, estimator in ESTIMATORS.items()}
EVERY = pytest.mark.parametrize("name", list(ESTIMATORS))


@EVERY
@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_the_order_of_rows_and_their_labels_change_nothing(name: str, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(TABLE))
    data = of(name, TABLE.iloc[order].reset_index(drop=True))
    parts = ("y", "x", "clusters", "absorb", "errors", "instruments")
    renamed = {p: v.set_axis([seed] * len(TABLE)) for p in parts if (v := getattr(data, p)) is not None}
    assert_same(ESTIMATORS[name](replace(data, **renamed), "m", "y"), EXPECTED[name])


@EVERY
@settings(max_examples=3, deadline=None, derandomize=True)
@given(names=st.randoms(use_true_random=False))
def test_the_names_of_units_and_periods_change_nothing(name: str, names: object) -> None:
    label = np.arange(1000)
    names.shuffle(label)
    assert_same(ESTIMATORS[name](of(name, TABLE.assign(unit=label[TABLE["unit"]])), "m", "y"), EXPECTED[name])


@EVERY
def test_the_order_of_columns_and_of_effects_changes_nothing(name: str) -> None:
    data = of(name, TABLE, ("period", "unit"))
    turned = replace(data, x=data.x[[c for c in ("b", "Intercept", "a") if c in data.x]])
    assert_same(ESTIMATORS[name](turned, "m", "y"), EXPECTED[name])


@EVERY
@settings(max_examples=5, deadline=None, derandomize=True)
@given(power=st.integers(-12, 12))
def test_rescaling_an_exposure_rescales_its_coefficient(name: str, power: int) -> None:
    scale = 10.0 ** (power / 2)
    rows = numbers(ESTIMATORS[name](of(name, TABLE, scale=scale), "m", "y"))
    for term, expected in numbers(EXPECTED[name]).items():
        unit = 1 if term.split(":")[0] != "a" or term.endswith(("first_stage_f", "reliability")) else scale
        unit = scale if name == "iv" and term.endswith(("anderson_rubin", "ols")) else unit
        in_unit = [v * unit if i != 2 else v for i, v in enumerate(rows[term])]
        np.testing.assert_allclose(in_unit, expected, rtol=1e-5, atol=1e-9, err_msg=term)


@EVERY
def test_the_number_of_threads_changes_no_digit(name: str) -> None:
    with threadpool_limits(limits=1):
        one = ESTIMATORS[name](of(name, TABLE), "m", "y")
    again = ESTIMATORS[name](of(name, TABLE), "m", "y")
    assert repr(one) == repr(again)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1000), lost=st.floats(0, 0.6))
def test_adding_what_the_effects_hold_constant_changes_no_coefficient(seed: int, lost: float) -> None:
    table = panel(seed=seed, units=15, periods=6, lost=lost)
    held = 3 * table["unit"] - table["period"] ** 2
    shifted = table.assign(y=table["y"] + held, a=table["a"] + np.sin(table["unit"]))
    before, after = (ols(of("ols", t), "m", "y") for t in (table, shifted))
    np.testing.assert_allclose([r.estimate for r in after], [r.estimate for r in before], rtol=1e-6, atol=1e-9)
