"""Exposures in within-unit standard deviations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.engagement import engagement
from analysis.errors import InputError
from analysis.link import link
from analysis.panel import within_sd
from analysis.study.spec import Exposure
from analysis.tables import PROCESS

YEARS = range(2001, 2008)


def panel(seed: int, holes: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    grid = pd.MultiIndex.from_product([list("abcdef"), YEARS], names=["unit_id", "year"]).to_frame(index=False)
    grid["value"] = rng.normal(size=len(grid)) + grid["unit_id"].map(ord) + grid["year"] / 3
    return grid.drop(rng.choice(len(grid), holes, replace=False)).reset_index(drop=True)


@given(st.integers(0, 1000), st.integers(0, 12))
def test_it_is_the_residual_of_a_regression_on_dummies(seed: int, holes: int) -> None:
    rows = panel(seed, holes)
    dummies = pd.get_dummies(rows[["unit_id", "year"]].astype("str"), dtype="float64").to_numpy()
    residual = rows["value"] - dummies @ np.linalg.lstsq(dummies, rows["value"], rcond=None)[0]
    assert within_sd(rows["value"], rows["unit_id"], rows["year"]) == pytest.approx(np.sqrt(np.mean(residual**2)))


@given(st.integers(0, 1000), st.floats(0.1, 100))
def test_order_does_not_matter_and_scale_does(seed: int, factor: float) -> None:
    rows = panel(seed)
    shuffled = rows.sample(frac=1, random_state=seed)
    own = within_sd(rows["value"], rows["unit_id"], rows["year"])
    assert within_sd(shuffled["value"], shuffled["unit_id"], shuffled["year"]) == pytest.approx(own)
    assert within_sd(rows["value"] * factor, rows["unit_id"], rows["year"]) == pytest.approx(own * factor)


def test_what_units_and_years_explain_leaves_nothing() -> None:
    rows = panel(1)
    explained = rows["unit_id"].map(ord) * 10.0 + rows["year"] ** 2
    assert within_sd(explained, rows["unit_id"], rows["year"]) == 0


def tables(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    start = pd.to_datetime(rows["year"].astype("str"), format="%Y").astype("datetime64[ns]")
    process = rows[["unit_id", "value"]].assign(
        indicator="score", time=rows["year"].astype("str"), source="s", start=start, end=start + pd.offsets.YearEnd(),
        std_error=0.5, value_type="exact", counting="level", scope="country", grade="A",
    )  # fmt: skip
    changed = rows[["unit_id"]].assign(outcome="y", period=rows["year"].astype("str"), value=1.0)
    units = pd.DataFrame({"unit_id": sorted(rows["unit_id"].unique())})
    return engagement(process[list(PROCESS.columns)]), changed, units


def linked(rows: pd.DataFrame, **keys: object) -> pd.DataFrame:
    reported, changed, units = tables(rows)
    spec = Exposure.model_validate({"label": "score", "indicators": ["score"], **keys})
    return link(reported, changed, units, {"score": spec}, "strict", "year").set_index(["unit_id", "period"])


@pytest.mark.parametrize("lag", [1, 2])
def test_values_and_their_errors_are_divided_by_one_number_whatever_the_lag(lag: int) -> None:
    rows = panel(3)
    plain, scaled = linked(rows, lag=lag), linked(rows, lag=lag, scale="within_sd")
    one = within_sd(rows["value"], rows["unit_id"], rows["year"])
    assert np.allclose(plain["value"], scaled["value"] * one)
    assert np.allclose(plain["std_error"], scaled["std_error"] * one)


def test_a_score_that_never_moves_within_units_is_refused() -> None:
    rows = panel(4)
    with pytest.raises(InputError, match=r"exposures\.score\.scale.*nothing varies beyond units and periods"):
        linked(rows.assign(value=rows["unit_id"].map(ord).astype("float64")), scale="within_sd")
