"""Measurement error: published corrections, planted effects found again, and what cannot be corrected refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from regression_data import by_term, design, dummies

from analysis.models.design_matrix import NotEstimableError
from analysis.models.estimates import Estimate
from analysis.models.linear import ols
from analysis.models.mismeasured import errors_in_variables

# Fuller (1987), Measurement error models, table 1.2.1: yields of corn, and nitrogen in the soil, whose measurement has
# the variance 57.
YIELD = [86, 115, 90, 86, 110, 91, 99, 96, 99, 104, 96]
NITROGEN = [70, 97, 53, 64, 95, 64, 50, 70, 94, 69, 51]


def fitted(*data: object, **parts: object) -> dict[str, Estimate]:
    return by_term(errors_in_variables(design(*data, **parts), "m", "y"))


def countries(seed: int, noise: float = 0.5, units: int = 60, periods: int = 10) -> dict[str, np.ndarray]:
    """A panel whose effect of x is 1 and of z 0.3, with effects of units and periods that go with x."""
    random = np.random.default_rng(seed)
    unit, period = np.repeat(np.arange(units), periods), np.tile(np.arange(periods), units)
    of_unit, of_period = random.normal(size=units)[unit], random.normal(size=periods)[period]
    x = of_unit + of_period + random.normal(size=units * periods)
    z = 0.5 * x + random.normal(size=units * periods)
    se = random.uniform(0.5, 1.5, size=units * periods) * noise
    y = x + 0.3 * z + of_unit - of_period + random.normal(size=units * periods)
    measured = x + se * random.normal(size=units * periods)
    return {"unit": unit, "period": period, "x": measured, "z": z, "se": se, "y": y, "true": x}


def of_countries(data: dict[str, np.ndarray]) -> dict[str, Estimate]:
    return fitted(
        data["y"], {"x": data["x"], "z": data["z"]}, {"unit": data["unit"]}, errors={"x": data["se"]},
        absorb={"unit": data["unit"], "period": data["period"]},
    )  # fmt: skip


def test_corn_and_nitrogen_as_published_by_fuller() -> None:
    rows = fitted(YIELD, {"nitrogen": NITROGEN}, errors={"nitrogen": [57**0.5] * 11})
    # Fuller, sec. 1.2: 67.56 and 0.4232; least squares 0.344; reliability 0.813.
    assert rows["Intercept"].estimate == pytest.approx(67.56, abs=0.005)
    assert rows["nitrogen"].estimate == pytest.approx(0.4232, abs=5e-5)
    assert rows["nitrogen:naive"].estimate == pytest.approx(0.344, abs=5e-4)
    assert rows["nitrogen:reliability"].estimate == pytest.approx(0.813, abs=5e-4)
    attenuated = rows["nitrogen:reliability"].estimate * rows["nitrogen"].estimate
    assert rows["nitrogen:naive"].estimate == pytest.approx(attenuated)


def test_without_error_it_is_least_squares() -> None:
    data = countries(1)
    rows = fitted(data["y"], {"x": data["x"], "z": data["z"]}, errors={"x": 0 * data["se"]})
    plain = by_term(ols(design(data["y"], {"x": data["x"], "z": data["z"]}), "m", "y"))
    for term in ("Intercept", "x", "z"):
        assert rows[term].estimate == pytest.approx(plain[term].estimate, rel=1e-9)
    assert rows["x:simex"].estimate == pytest.approx(plain["x"].estimate, rel=1e-9)
    assert rows["x:reliability"].estimate == 1


def test_effects_are_dummies() -> None:
    data = countries(2)
    others = np.column_stack([data["z"], dummies_of(data)])
    basis = np.linalg.qr(others)[0]
    x, y = (v - basis @ (basis.T @ v) for v in (data["x"], data["y"]))
    left = data["se"] ** 2 * (1 - (basis**2).sum(axis=1))
    expected = x @ y / (x @ x - left.sum())
    row = of_countries(data)["x"]
    assert row.estimate == pytest.approx(expected, rel=1e-8)
    scores = x * (y - x * expected) + left * expected
    g, n = 60, len(y)
    meat = sum(scores[data["unit"] == u].sum() ** 2 for u in range(g)) * g / (g - 1) * (n - 1) / (n - 12)
    assert row.std_error == pytest.approx(np.sqrt(meat) / (x @ x - left.sum()), rel=1e-8)
    assert row.vcov == "CRV1(unit)"


def dummies_of(data: dict[str, np.ndarray]) -> np.ndarray:
    return dummies(pd.DataFrame({k: data[k] for k in ("unit", "period")}), ["unit", "period"])


@pytest.mark.slow
def test_planted_effects_are_found_within_fixed_effects_and_intervals_cover_them() -> None:
    found = [of_countries(countries(seed)) for seed in range(50)]
    means = {term: np.mean([rows[term].estimate for rows in found]) for term in ("x", "z", "x:naive", "x:simex")}
    assert means["x"] == pytest.approx(1.0, abs=0.03)
    assert means["z"] == pytest.approx(0.3, abs=0.03)
    assert means["x:naive"] < 0.85
    assert means["x:naive"] < means["x:simex"] < 1.02
    assert means["x:simex"] == pytest.approx(1.0, abs=0.06), "the quadratic extrapolates a little too short"
    covered = np.mean([rows["x"].ci_low <= 1 <= rows["x"].ci_high for rows in found])
    assert covered == pytest.approx(0.95, abs=0.07)
    spread = np.std([rows["x"].estimate for rows in found])
    assert np.mean([rows["x"].std_error for rows in found]) == pytest.approx(spread, rel=0.25)
    of_simex = np.std([rows["x:simex"].estimate for rows in found])
    assert np.mean([rows["x:simex"].std_error for rows in found]) == pytest.approx(of_simex, rel=0.25)


def test_what_cannot_be_corrected_is_refused() -> None:
    data = countries(3)
    x = {"x": data["x"], "z": data["z"]}
    with pytest.raises(NotEstimableError, match="no regressor has a measurement standard error; use the design ols"):
        fitted(data["y"], x)
    with pytest.raises(NotEstimableError, match=r"explains almost all that varies of x \(-\d+\.\d\d\)"):
        fitted(data["y"], x, errors={"x": data["se"] * 10})
    with pytest.raises(NotEstimableError, match="1 measurement standard errors are negative"):
        fitted(data["y"], x, errors={"x": np.where(np.arange(600) == 4, -1, data["se"])})
    with pytest.raises(NotEstimableError, match="no row has a measurement standard error"):
        fitted(data["y"], x, errors={"x": np.full(600, np.nan)})


def test_rows_without_an_error_are_left_out_and_counted() -> None:
    data = countries(4)
    known = np.arange(600) % 10 != 0
    rows = fitted(data["y"], {"x": data["x"]}, errors={"x": np.where(known, data["se"], np.nan)})
    again = fitted(data["y"][known], {"x": data["x"][known]}, errors={"x": data["se"][known]})
    assert rows["x"].note == "60 rows without a measurement standard error left out"
    assert rows["x"].estimate == pytest.approx(again["x"].estimate, rel=1e-12)


def test_an_exposure_in_other_units_has_another_coefficient_and_the_same_p_value() -> None:
    data = countries(5)
    before = of_countries(data)
    after = of_countries({**data, "x": data["x"] * 1000, "se": data["se"] * 1000})
    for term in ("x", "x:naive", "x:simex"):
        assert after[term].estimate * 1000 == pytest.approx(before[term].estimate, rel=1e-8)
        assert after[term].p_value == pytest.approx(before[term].p_value, rel=1e-6)
    assert after["x:reliability"].estimate == pytest.approx(before["x:reliability"].estimate, rel=1e-8)
