"""Poisson and negative binomial have published numbers; what tells nothing is left out and counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyfixest
import pytest
import statsmodels.api as sm
from regression_data import by_term, design, dummies, panel

from analysis.models import vcov
from analysis.models.counts import negative_binomial, poisson
from analysis.models.design_matrix import NotEstimableError
from analysis.models.vcov import MANY_WEIGHTED


def doctor_visits() -> tuple[pd.Series, dict[str, pd.Series]]:
    data = sm.datasets.randhie.load_pandas()
    return data.endog, dict(data.exog.items())


def absorbing(table: pd.DataFrame, **parts: object) -> object:
    effects = {e: table[e] for e in ("unit", "period")}
    return design(table["count"], {"a": table["a"], "b": table["b"]}, absorb=effects, **parts)


def test_clustered_poisson_as_in_stata(monkeypatch: pytest.MonkeyPatch) -> None:
    # Stata: poisson accident yr_con op_75_79, vce(cluster ship), as quoted in statsmodels' tests. Its factor is
    # G/(G - 1); here (n - 1)/(n - k) is added, as in linear models.
    path = Path(sm.__file__).parent / "discrete/tests/results/ships.csv"
    ships = pd.read_csv(path).dropna()
    monkeypatch.setattr(vcov, "MANY_WEIGHTED", 0)
    x = {"yr_con": ships["yr_con"], "op_75_79": ships["op_75_79"]}
    rows = by_term(poisson(design(ships["accident"], x, {"ship": ships["ship"]}), "m", "y"))
    published = {
        "yr_con": (-0.02172061893549, 0.19933709357097), "op_75_79": (0.22148585072024, 0.11093628220713),
        "Intercept": (2.2697077143215, 1.1048569901548),
    }  # fmt: skip
    for term, (estimate, error) in published.items():
        assert rows[term].estimate == pytest.approx(estimate, rel=1e-6)
        assert rows[term].std_error / np.sqrt(33 / 31) == pytest.approx(error, rel=1e-6)
    assert rows["yr_con"].n_clusters == 5
    assert "clusters are few (5 of ship)" in rows["yr_con"].note


def test_negative_binomial_as_in_r() -> None:
    # R, MASS: glm.nb of the RAND experiment's visits, and Stata's alpha, as quoted in statsmodels' tests.
    y, x = doctor_visits()
    rows = by_term(negative_binomial(design(y, x), "m", "y"))
    published = [
        -0.0579469537244314, -0.267787718814838, 0.0412060770911646, -0.0381376804392121, 0.268915772213171,
        0.0381637446219235, -0.0441338846217674, 0.0172521803400544, 0.177960787443151,
    ]  # fmt: skip
    assert [rows[term].estimate for term in x] == pytest.approx(published, rel=2e-6)
    assert rows["Intercept"].estimate == pytest.approx(0.663556087183864, rel=1e-6)
    assert rows["alpha"].estimate == pytest.approx(1.292953339909746, rel=1e-6)
    assert rows["alpha"].ci_low > 0


def test_poisson_with_effects_has_the_numbers_of_dummies_and_of_pyfixest() -> None:
    table = panel()
    table = table[table.groupby("unit")["count"].transform("sum") > 0].reset_index(drop=True)
    rows = poisson(absorbing(table), "m", "y")
    x = np.column_stack([table[["a", "b"]], dummies(table, ["unit", "period"])])
    full = sm.GLM(table["count"], x, family=sm.families.Poisson()).fit(tol=1e-14, cov_type="HC0")
    n, k = x.shape
    np.testing.assert_allclose([r.estimate for r in rows], full.params[:2], rtol=1e-8)
    np.testing.assert_allclose([r.std_error for r in rows], full.bse[:2] * np.sqrt(n / (n - k)), rtol=1e-7)
    theirs = pyfixest.fepois("count ~ a + b | unit + period", table)
    np.testing.assert_allclose([r.estimate for r in rows], theirs.coef(), rtol=1e-6)
    assert rows[0].vcov == "HC1"


def test_poisson_with_one_effect_is_clustered_as_in_pyfixest() -> None:
    table = panel(units=MANY_WEIGHTED)
    theirs = pyfixest.fepois("count ~ a + b | period", table, vcov={"CRV1": "unit"}, iwls_tol=1e-12)
    x, unit, period = {"a": table["a"], "b": table["b"]}, {"unit": table["unit"]}, {"period": table["period"]}
    rows = poisson(design(table["count"], x, unit, absorb=period), "m", "y")
    np.testing.assert_allclose([r.std_error for r in rows], theirs.se(), rtol=1e-6)
    assert rows[0].vcov == "CRV1(unit)"


def test_with_fewer_clusters_errors_are_those_of_a_jackknife_to_one_step() -> None:
    table = panel(units=40)
    x, unit, period = {"a": table["a"], "b": table["b"]}, {"unit": table["unit"]}, {"period": table["period"]}
    rows = poisson(design(table["count"], x, unit, absorb=period), "m", "y")
    without = []
    for one in table["unit"].unique():
        kept = table[table["unit"] != one].reset_index(drop=True)
        data = design(kept["count"], {"a": kept["a"], "b": kept["b"]}, absorb={"period": kept["period"]})
        without.append([row.estimate for row in poisson(data, "m", "y")])
    jackknife = np.sqrt(39 / 40 * ((np.array(without) - [row.estimate for row in rows]) ** 2).sum(axis=0))
    np.testing.assert_allclose([row.std_error for row in rows], jackknife, rtol=0.03)
    assert {(row.vcov, row.n_clusters, row.note) for row in rows} == {("CR3+Satterthwaite(unit), 40 clusters", 40, "")}


def test_levels_without_any_event_are_left_out_and_counted() -> None:
    table = panel()
    silent = panel(seed=9, units=4).assign(count=0.0, unit=lambda t: t["unit"] + 500)
    before = poisson(absorbing(table), "m", "arrests")
    more = pd.concat([table, silent], ignore_index=True)
    after = poisson(absorbing(more), "m", "arrests")
    empty = int((table.groupby("unit")["count"].transform("sum") == 0).sum())
    told = f"{empty + len(silent)} rows left out at levels of unit, period where every arrests is 0"
    assert told in after[0].note
    np.testing.assert_allclose([r.estimate for r in after], [r.estimate for r in before], rtol=1e-8)
    np.testing.assert_allclose([r.std_error for r in after], [r.std_error for r in before], rtol=1e-6)


def test_a_regressor_that_separates_is_refused_by_name() -> None:
    # Correia, Guimarães and Zylkin (2019), sec. 2: where d is 1 every count is 0, so that its coefficient is minus
    # infinity; and so it is of a combination of regressors, no single one of which separates.
    table = panel()
    none = np.flatnonzero(table["count"] == 0)[:6]
    flagged = np.zeros(len(table))
    flagged[none] = 1
    told = r"in 6 rows every y is 0 along a regressor, whose coefficient is infinite: without these rows .* determine "
    with pytest.raises(NotEstimableError, match=told + "d"):
        poisson(design(table["count"], {"a": table["a"], "d": flagged}), "m", "y")
    both = {"a": table["a"], "c": table["a"] + 2 * flagged}
    for effects in ({"period": table["period"]}, None):
        with pytest.raises(NotEstimableError, match=told + "c"):
            poisson(design(table["count"], both, absorb=effects), "m", "y")


def test_counts_that_cannot_be_explained_are_refused() -> None:
    table = panel()
    for count, told in (
        (np.zeros(len(table)), "y is 0 in all"),
        (table["count"] - 1.0, "values of y are negative; a count is 0 or more"),
    ):
        with pytest.raises(NotEstimableError, match=told):
            poisson(absorbing(table.assign(count=count)), "m", "y")
    even = np.random.default_rng(1).binomial(3, 0.5, size=400).astype(float)
    with pytest.raises(NotEstimableError, match="not more dispersed than a Poisson count; use the design poisson"):
        negative_binomial(design(even, {"a": np.random.default_rng(2).normal(size=400)}), "m", "y")
    with pytest.raises(NotEstimableError, match="neither `absorb` nor `weights`"):
        negative_binomial(absorbing(table), "m", "y")


def test_an_exposure_in_other_units_has_another_coefficient_and_the_same_p_value() -> None:
    table = panel()
    before, after = (by_term(poisson(absorbing(t), "m", "y")) for t in (table, table.assign(a=table["a"] / 1000)))
    assert after["a"].estimate == pytest.approx(before["a"].estimate * 1000, rel=1e-8)
    assert after["a"].p_value == pytest.approx(before["a"].p_value, rel=1e-6)
