"""Two-stage least squares has textbook numbers; its interval holds with instruments that say little."""

from __future__ import annotations

import linearmodels.datasets.card as card
import linearmodels.datasets.mroz as mroz
import numpy as np
import pandas as pd
import pytest
from linearmodels.iv import IV2SLS
from regression_data import by_term, design, dummies, panel
from scipy import stats

from analysis.models.design_matrix import NotEstimableError
from analysis.models.estimates import Estimate
from analysis.models.instruments import iv

EXOGENOUS = [
    "exper", "expersq", "black", "smsa", "south", "smsa66", *(f"reg66{i}" for i in range(2, 10))
]  # fmt: skip


def schooling() -> tuple[pd.Series, dict[str, pd.Series], dict[str, pd.Series]]:
    data = card.load()
    x = {"educ": data["educ"], **{name: data[name] for name in EXOGENOUS}}
    return data["lwage"], x, {"nearc4": data["nearc4"]}


def made_up(strength: float, seed: int, n: int = 200, clusters: int = 60) -> tuple:
    random = np.random.default_rng(seed)
    group = random.integers(clusters, size=n)
    hidden, z = random.normal(size=n), random.normal(size=n)
    x = strength * z + hidden + 0.3 * random.normal(size=n)
    y = 0.5 * x + 2 * hidden + 0.3 * random.normal(size=clusters)[group] + 0.3 * random.normal(size=n)
    return y, x, z, group


def rows_of(*data: object, **parts: object) -> dict[str, Estimate]:
    return by_term(iv(design(*data, endogenous="educ" if "educ" in data[1] else "x", **parts), "m", "y"))


def test_returns_to_schooling_as_published_by_card() -> None:
    # Card (1995), as in Wooldridge (2020), Introductory econometrics, example 15.4: 0.132 by two-stage least squares
    # with college nearby as the instrument, 0.075 by least squares.
    y, x, z = schooling()
    rows = rows_of(y, x, instruments=z)
    assert round(rows["educ"].estimate, 3) == 0.132
    assert round(rows["educ:ols"].estimate, 3) == 0.075
    assert rows["educ"].std_error == pytest.approx(0.0541, abs=5e-5)
    assert rows["educ"].n_obs == 3010
    anderson_rubin = rows["educ:anderson_rubin"]
    assert 0 < anderson_rubin.ci_low < rows["educ"].estimate < anderson_rubin.ci_high
    assert np.isnan(anderson_rubin.estimate)
    assert anderson_rubin.note.startswith("an interval without an estimate")


def test_returns_to_schooling_of_working_women_with_two_instruments() -> None:
    # Wooldridge (2020), examples 15.5 and 15.8: 0.061 with both parents' schooling; overidentification 0.378.
    data = mroz.load().query("inlf == 1")
    x = {name: data[name] for name in ("educ", "exper", "expersq")}
    rows = rows_of(data["lwage"], x, instruments={n: data[n] for n in ("motheduc", "fatheduc")})
    assert round(rows["educ"].estimate, 3) == 0.061
    assert round(rows["educ:overidentification"].estimate, 3) == 0.378
    fit = IV2SLS(
        data["lwage"], pd.DataFrame({"Intercept": 1.0, **x}).drop(columns="educ"), data["educ"],
        data[["motheduc", "fatheduc"]],
    ).fit(cov_type="robust", debiased=True)  # fmt: skip
    assert rows["educ"].std_error == pytest.approx(fit.std_errors["educ"], rel=1e-9)
    assert rows["educ:overidentification"].p_value == pytest.approx(fit.sargan.pval, rel=1e-9)
    assert rows["Intercept"].estimate == pytest.approx(fit.params["Intercept"], rel=1e-9)


def test_with_one_instrument_the_effective_f_is_the_robust_one_and_the_interval_solves_its_quadratic() -> None:
    y, x, z, group = made_up(0.8, seed=1)
    rows = rows_of(y, {"x": x}, {"g": group}, instruments={"z": z})
    m = np.column_stack([np.ones(len(x)), z])
    bread = np.linalg.inv(m.T @ m)

    def slope_and_scores(column: np.ndarray) -> tuple[float, np.ndarray]:
        beta = bread @ m.T @ column
        left = m * (column - m @ beta)[:, None]
        return beta[1], (np.array([left[group == g].sum(axis=0) for g in np.unique(group)]) @ bread)[:, 1]

    g, n = len(np.unique(group)), len(x)
    factor = g / (g - 1) * (n - 1) / (n - 2)
    (reduced, of_y), (first, of_x) = slope_and_scores(y), slope_and_scores(x)
    assert rows["x:first_stage_f"].estimate == pytest.approx(first**2 / (factor * of_x @ of_x))
    c = stats.f(1, g - 1).ppf(0.95) * factor
    a, b, d = first**2 - c * of_x @ of_x, -2 * (reduced * first - c * of_y @ of_x), reduced**2 - c * of_y @ of_y
    low, high = sorted(np.roots([a, b, d]).real)
    assert a > 0
    assert (rows["x:anderson_rubin"].ci_low, rows["x:anderson_rubin"].ci_high) == pytest.approx((low, high), rel=1e-8)
    assert rows["x"].vcov == "CRV1(g)"


def test_effects_are_dummies() -> None:
    table = panel()
    random = np.random.default_rng(2)
    z = random.normal(size=len(table))
    x = table["a"] + z
    effects = {"unit": table["unit"], "period": table["period"]}
    rows = rows_of(table["y"], {"x": x, "b": table["b"]}, absorb=effects, instruments={"z": z})
    exogenous = np.column_stack([table["b"], dummies(table, ["unit", "period"])])
    fit = IV2SLS(table["y"], exogenous, x, z).fit(cov_type="robust", debiased=True)
    assert rows["x"].estimate == pytest.approx(fit.params.iloc[-1], rel=1e-8)
    assert rows["x"].std_error == pytest.approx(fit.std_errors.iloc[-1], rel=1e-8)


@pytest.mark.slow
def test_the_interval_covers_with_instruments_that_say_little_and_the_usual_one_does_not() -> None:
    covered, usual = 0, 0
    for seed in range(150):
        y, x, z, _ = made_up(0.05, seed)
        rows = rows_of(y, {"x": x}, instruments={"z": z})
        weak, row = rows["x:anderson_rubin"], rows["x"]
        usual += row.ci_low <= 0.5 <= row.ci_high
        assert ("weak" in row.note) == (rows["x:first_stage_f"].estimate < 10)
        if "all values are kept but those" in weak.note:
            inner = [float(t) for t in weak.note.split("from ")[1].split(" to ")]
            covered += not inner[0] < 0.5 < inner[1]
        else:
            low = weak.ci_low if np.isfinite(weak.ci_low) else -np.inf
            high = weak.ci_high if np.isfinite(weak.ci_high) else np.inf
            covered += low <= 0.5 <= high and "every value" not in weak.note
    assert covered / 150 == pytest.approx(0.95, abs=0.046)
    assert usual / 150 < 0.88


def test_what_is_no_instrument_is_refused() -> None:
    y, x, z, group = made_up(1.0, seed=1)
    with pytest.raises(NotEstimableError, match="needs a block `instruments`"):
        rows_of(y, {"x": x})
    with pytest.raises(NotEstimableError, match="determine w: it is no instrument"):
        rows_of(y, {"x": x, "w0": z}, instruments={"w": 2 * z + 1})
    with pytest.raises(NotEstimableError, match="determine w: it is no instrument"):
        rows_of(y, {"x": x}, absorb={"g": group}, instruments={"w": np.sin(group)})


def test_instruments_in_other_units_and_another_order_change_nothing() -> None:
    y, x, z, _ = made_up(0.5, seed=3)
    second = np.random.default_rng(8).normal(size=len(y)) + z
    one = rows_of(y, {"x": x}, instruments={"z": z, "w": second})
    other = rows_of(y, {"x": x}, instruments={"w": 1000 * second, "z": z})
    for term, row in one.items():
        numbers = [(r.estimate, r.ci_low, r.ci_high, r.p_value) for r in (row, other[term])]
        np.testing.assert_allclose(numbers[1], numbers[0], rtol=1e-6)
