"""Columns made without formulaic's machinery are those that it makes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from formulaic import Formula, model_matrix
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.models.formulas import columns_of, outcome_of, parsed, regressors_of

RANDOM = np.random.default_rng(0)
ROWS = pd.DataFrame(
    {
        "y": RANDOM.random(12), "a": RANDOM.integers(0, 9, 12), "b": RANDOM.random(12), "c": RANDOM.random(12),
        "flag": RANDOM.random(12) > 0.5, "kind": pd.array(list("uvwx") * 3, dtype="str"),
    },
    index=RANDOM.permutation(12),
)  # fmt: skip
TERMS = ["a", "b", "c", "b:a", "a:c", "a*b", "kind", "C(kind)", "flag", "kind:b", "b:c:a"]


@settings(max_examples=40, deadline=None)
@given(terms=st.lists(st.sampled_from(TERMS), min_size=1, max_size=4), start=st.sampled_from(["", "1 + ", "0 + "]))
def test_columns_names_and_their_order_are_formulaics(terms: list[str], start: str) -> None:
    formula = f"y ~ {start}{' + '.join(terms)}"
    expected = pd.DataFrame(model_matrix(Formula(formula).rhs, ROWS, na_action="raise"))
    found = columns_of(formula, ROWS)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-14)
    pd.testing.assert_frame_equal(columns_of(formula.split("~")[1], ROWS), expected, check_dtype=False, rtol=1e-14)


@pytest.mark.parametrize("formula", ["y ~ b*a + C(kind)", " y  ~ C(kind) + a + b"])
def test_names_are_read_from_the_formula(formula: str) -> None:
    assert (outcome_of(formula), regressors_of(formula)) == ("y", ("a", "b", "kind"))
    assert parsed(formula) is parsed(formula)
