"""Taking a stack of cohorts apart: each unit and quarter once, and nothing that disagrees passes."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.sources.stacked import quarter_numbers, unstacked

QUARTERS = [20141, 20142, 20143, 20144, 20151]


def panel(values: list[list[int]]) -> pd.DataFrame:
    rows = [
        {"unit_id": f"u{unit}", "qtr": QUARTERS[time], "value": value, "other": None if value % 3 == 0 else "x"}
        for unit, series in enumerate(values)
        for time, value in enumerate(series)
    ]
    return pd.DataFrame(rows, columns=["unit_id", "qtr", "value", "other"])


def stack(once: pd.DataFrame, cohorts: int) -> pd.DataFrame:
    """Repeat the last unit for every cohort, and give every other unit to one."""
    last = once["unit_id"] == once["unit_id"].max()
    own = once[~last].assign(event=once.loc[~last, "unit_id"].str[1:].astype(int) % cohorts + 1)
    return pd.concat([own, *(once[last].assign(event=event) for event in range(1, cohorts + 1))])


@settings(max_examples=20)
@given(
    st.lists(st.lists(st.integers(0, 9), min_size=5, max_size=5), min_size=1, max_size=5),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_stacking_is_undone_whatever_the_order_of_rows(values: list[list[int]], cohorts: int, random: object) -> None:
    once = panel(values)
    stacked = stack(once, cohorts)
    order = list(range(len(stacked)))
    random.shuffle(order)  # type: ignore[attr-defined]
    found = unstacked(stacked.iloc[order], "stack.dta").drop(columns="quarter")
    pd.testing.assert_frame_equal(found, once, check_dtype=False)


def test_rows_that_disagree_are_named() -> None:
    stacked = stack(panel([[1, 2, 3, 4, 5]]), 2).reset_index(drop=True)
    stacked.loc[7, "value"] = 99
    with pytest.raises(InputError, match=r"stack\.dta, value: 'u0 20143': differs between the cohorts"):
        unstacked(stacked, "stack.dta")


def test_a_missing_value_disagrees_with_a_known_one() -> None:
    stacked = stack(panel([[1, 2, 3, 4, 5]]), 2).reset_index(drop=True)
    stacked.loc[7, "other"] = "x"
    with pytest.raises(InputError, match="other: 'u0 20143'"):
        unstacked(stacked, "stack.dta")


def test_a_row_twice_in_one_cohort_and_a_gap_are_named() -> None:
    stacked = stack(panel([[1, 2, 3, 4, 5]]), 2).reset_index(drop=True)
    with pytest.raises(InputError, match="event: 'u0 20141': holds this quarter twice"):
        unstacked(pd.concat([stacked, stacked.iloc[[0]]]), "stack.dta")
    with pytest.raises(InputError, match="qtr: 'u0 20144': does not follow"):
        unstacked(stacked[stacked["qtr"] != 20143], "stack.dta")


def test_quarters_count_over_the_end_of_the_year() -> None:
    assert quarter_numbers(pd.Series(QUARTERS)).diff().dropna().eq(1).all()
