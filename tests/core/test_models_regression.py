"""Estimators equal published numbers, or numbers worked out by another route; what has no answer says so."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from endometrial import endometrial
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq, minimize
from scipy.special import expit
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.tools.numdiff import approx_fprime

from analysis.models.design_matrix import DesignMatrix
from analysis.models.estimates import Estimate
from analysis.models.linear import lpm
from analysis.models.logit import firth
from analysis.models.ordered import OrderedLogit, ordered_logit
from analysis.models.vcov import FEWEST_CLUSTERS, MANY_CLUSTERS

Floats = NDArray[np.float64]
Estimator = Callable[[DesignMatrix, str, str], list[Estimate]]


def design(y: object, x: dict[str, object], clusters: object = None, *, note: str = "") -> DesignMatrix:
    columns = pd.DataFrame({"Intercept": 1.0, **x}).astype("float64")
    groups = None if clusters is None else pd.DataFrame({"country": clusters}, index=columns.index)
    return DesignMatrix(pd.Series(y, index=columns.index, dtype="float64"), columns, groups, len(columns), note)


def by_term(rows: list[Estimate]) -> dict[str, Estimate]:
    return {row.term: row for row in rows}


def made_up(n: int = 90, seed: int = 1) -> tuple[Floats, dict[str, Floats], NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    x = {"a": random.normal(size=n), "b": (random.random(n) < 0.4).astype("float64")}
    clusters = np.arange(n) % (MANY_CLUSTERS + 5)
    latent = 0.8 * x["a"] - x["b"] + random.logistic(size=n) + random.normal(size=MANY_CLUSTERS + 5)[clusters]
    return (latent > 0).astype("float64"), x, clusters


def test_least_squares_as_certified_by_nist_for_longley() -> None:
    # NIST Statistical Reference Datasets, Linear Least Squares Regression, Longley: condition number about 5e9.
    certified = {
        "Intercept": -3482258.63459582, "GNPDEFL": 15.0618722713733, "GNP": -0.358191792925910e-01,
        "UNEMP": -2.02022980381683, "ARMED": -1.03322686717359, "POP": -0.511041056535807e-01, "YEAR": 1829.15146461355,
    }  # fmt: skip
    longley = sm.datasets.longley.load_pandas().data
    data = design(longley.pop("TOTEMP"), dict(longley.items()))
    assert {t: r.estimate for t, r in by_term(lpm(data, "m", "o")).items()} == pytest.approx(certified, rel=1e-9)


def test_least_squares_as_certified_by_nist_for_wampler1() -> None:
    # NIST Statistical Reference Datasets, Wampler1: y = 1 + x + ... + x^5 at x = 0, ..., 20; every coefficient is 1.
    x = np.arange(21.0)
    powers = {f"x{k}": x**k for k in range(1, 6)}
    rows = lpm(design(1 + sum(powers.values()), powers), "m", "o")
    assert [row.estimate for row in rows] == pytest.approx([1.0] * 6, rel=1e-8)


def test_least_squares_of_a_design_as_ill_conditioned_as_nist_filip() -> None:
    # A polynomial with the coefficients that NIST certifies for Filip, on its range, in exact arithmetic: a fit by the
    # pseudo-inverse, which drops small singular values, gets no digit right.
    certified = [
        -1467.48961422980, -2772.17959193342, -2316.37108160893, -1127.97394098372, -354.478233703349,
        -75.1242017393757, -10.8753180355343, -1.06221498588947, -0.0670191154593408, -0.00246781078275479,
        -0.0000402962525080404,
    ]  # fmt: skip
    x = np.linspace(-8.8, -3.1, 82)
    y = [float(sum(Fraction(b) * Fraction(v) ** k for k, b in enumerate(certified))) for v in x]
    rows = lpm(design(y, {f"x{k}": x**k for k in range(1, 11)}), "m", "o")
    assert [row.estimate for row in rows] == pytest.approx(certified, rel=1e-6)
    assert all(row.note == "" for row in rows)


def test_hc3_errors_by_their_formula() -> None:
    # MacKinnon and White (1985): each squared residual divided by (1 - leverage) squared.
    y, x, _ = made_up()
    data = design(y, x)
    m = data.x.to_numpy()
    bread = np.linalg.inv(m.T @ m)
    beta = bread @ m.T @ y
    leverage = np.einsum("ij,jk,ik->i", m, bread, m)
    meat = m.T @ (m * ((y - m @ beta) / (1 - leverage))[:, None] ** 2)
    errors = np.sqrt(np.diag(bread @ meat @ bread))
    quantile = stats.t(len(y) - 3).ppf(0.975)
    for row, value, error in zip(lpm(data, "m", "o"), beta, errors, strict=True):
        assert (row.vcov, row.n_clusters, row.n_obs, row.note) == ("HC3", None, len(y), "")
        assert [row.estimate, row.std_error, row.statistic] == pytest.approx([value, error, value / error])
        assert [row.ci_low, row.ci_high] == pytest.approx([value - quantile * error, value + quantile * error])
        assert row.p_value == pytest.approx(2 * stats.t(len(y) - 3).sf(abs(value / error)))


def test_clustered_errors_by_their_formula() -> None:
    # Cameron and Miller (2015), eq. 11 and sec. II.D: factor G/(G-1) (N-1)/(N-K), t with G - 1 degrees of freedom.
    y, x, clusters = made_up()
    data = design(y, x, clusters)
    m = data.x.to_numpy()
    bread = np.linalg.inv(m.T @ m)
    beta = bread @ m.T @ y
    residual = y - m @ beta
    scores = np.array([m[clusters == g].T @ residual[clusters == g] for g in np.unique(clusters)])
    n, k, g = len(y), 3, len(scores)
    errors = np.sqrt(np.diag(g / (g - 1) * (n - 1) / (n - k) * bread @ (scores.T @ scores) @ bread))
    quantile = stats.t(g - 1).ppf(0.975)
    for row, value, error in zip(lpm(data, "m", "o"), beta, errors, strict=True):
        assert (row.vcov, row.n_clusters) == ("CRV1(country)", g)
        assert row.std_error == pytest.approx(error)
        assert [row.ci_low, row.ci_high] == pytest.approx([value - quantile * error, value + quantile * error])
        assert row.p_value == pytest.approx(2 * stats.t(g - 1).sf(abs(value / error)))


@pytest.mark.parametrize("n_clusters", [1, 5, FEWEST_CLUSTERS - 1])
def test_an_ordered_logit_is_not_clustered_by_few_clusters_and_the_note_says_so(n_clusters: int) -> None:
    y, x, _ = made_up()
    unclustered = ordered_logit(design(y, x), "m", "o")
    clustered = ordered_logit(design(y, x, np.arange(len(y)) % n_clusters), "m", "o")
    for row, plain in zip(clustered, unclustered, strict=True):
        assert row.std_error == plain.std_error
        assert row.vcov == plain.vcov
        assert row.n_clusters is None
        assert f"errors are not clustered: clusters are too few ({n_clusters} of country, fewer than 30)" in row.note


@pytest.mark.parametrize("clustered", [True, False])
def test_a_level_that_occurs_once_has_no_error_and_the_others_keep_theirs(clustered: bool) -> None:
    y, x, clusters = made_up()
    once = np.zeros(len(y))
    once[4] = 1
    groups = clusters if clustered else None
    rows = by_term(lpm(design(y, {**x, "once": once}, groups), "m", "o"))
    others = design(np.delete(y, 4), {name: np.delete(v, 4) for name, v in x.items()})
    for term, row in by_term(lpm(others, "m", "o")).items():
        assert rows[term].estimate == pytest.approx(row.estimate)
        assert np.isfinite(rows[term].std_error)
    assert rows["once"].estimate == pytest.approx(
        y[4] - sum(rows[t].estimate * (x[t][4] if t in x else 1) for t in ("Intercept", *x))
    )
    assert np.isnan([rows["once"].std_error, rows["once"].p_value, rows["once"].ci_low]).all()
    assert rows["a"].note == "no error for once: the coefficient rests on one row alone"
    assert rows["a"].vcov == ("CRV1(country)" if clustered else "HC1")


def test_rescaling_a_regressor_rescales_its_coefficient_and_nothing_else() -> None:
    y, x, clusters = made_up()
    before = by_term(lpm(design(y, x, clusters), "m", "o"))
    after = by_term(lpm(design(y, {**x, "a": 1000 * x["a"]}, clusters), "m", "o"))
    for field in ("estimate", "std_error", "ci_low", "ci_high"):
        assert getattr(after["a"], field) == pytest.approx(getattr(before["a"], field) / 1000)
        assert getattr(after["b"], field) == pytest.approx(getattr(before["b"], field))
    assert after["a"].p_value == pytest.approx(before["a"].p_value)


@pytest.mark.parametrize("estimator", [lpm, firth, ordered_logit])
def test_the_order_of_rows_and_their_index_change_no_estimate(estimator: Estimator) -> None:
    y, x, clusters = made_up()
    order = np.random.default_rng(2).permutation(len(y))
    mixed = design(y[order], {name: v[order] for name, v in x.items()}, clusters[order])
    index = pd.Index(np.zeros(len(y), dtype="int64"))
    renamed = DesignMatrix(
        mixed.y.set_axis(index), mixed.x.set_axis(index), mixed.clusters.set_axis(index), mixed.n_units, mixed.note
    )
    for row, again in zip(estimator(design(y, x, clusters), "m", "o"), estimator(renamed, "m", "o"), strict=True):
        numbers = [(r.estimate, r.std_error, r.p_value, r.ci_low, r.ci_high) for r in (row, again)]
        assert numbers[1] == pytest.approx(numbers[0], rel=1e-5, abs=1e-7)
        assert (row.term, row.vcov, row.note) == (again.term, again.vcov, again.note)


def test_firth_as_published_for_endometrial_cancer() -> None:
    # Heinze and Schemper (2002), table II: estimates and profile intervals; neovasculation separates the outcome.
    data = endometrial()
    assert data["high_grade"].value_counts().to_dict() == {0: 49, 1: 30}
    rows = by_term(firth(design(data.pop("high_grade"), dict(data.items())), "m", "o"))
    published = {"nv": (2.93, 0.61, 7.85), "pi": (-0.03, -0.12, 0.04), "eh": (-2.60, -4.37, -1.23)}
    for term, numbers in published.items():
        row = rows[term]
        assert (row.estimate, row.ci_low, row.ci_high) == pytest.approx(numbers, abs=0.0051)
        assert row.note == "the ordinary logit separates"
        assert row.vcov == "profile likelihood"


def penalized(beta: Floats, x: Floats, y: Floats) -> float:
    """Log likelihood of a logit plus Jeffreys' penalty: half the log determinant of the information (Firth 1993)."""
    p = expit(x @ beta)
    information = x.T @ (x * (p * (1 - p))[:, None])
    fit = np.sum(y * (x @ beta) - np.logaddexp(0, x @ beta))
    return float(fit + 0.5 * np.linalg.slogdet(information)[1])


def profile(term: int, value: float, start: Floats, x: Floats, y: Floats) -> float:
    free = [i for i in range(x.shape[1]) if i != term]

    def loss(rest: Floats) -> float:
        beta = np.empty(x.shape[1])
        beta[free], beta[term] = rest, value
        return -penalized(beta, x, y)

    return -float(minimize(loss, start[free], method="BFGS", options={"gtol": 1e-7}).fun)


def test_firth_by_maximising_the_penalised_likelihood() -> None:
    y, x, _ = made_up(n=60)
    data = design(y, x)
    m = data.x.to_numpy()
    best = minimize(lambda b: -penalized(b, m, y), np.zeros(3), method="BFGS", options={"gtol": 1e-8})
    for i, row in enumerate(firth(data, "m", "o")):
        assert row.estimate == pytest.approx(best.x[i], abs=1e-5)
        drop = 2 * (-best.fun - profile(i, 0.0, best.x, m, y))
        assert row.p_value == pytest.approx(stats.chi2(1).sf(drop), rel=1e-4)

        def excess(value: float, i: int = i) -> float:
            return 2 * (-float(best.fun) - profile(i, value, best.x, m, y)) - float(stats.chi2(1).ppf(0.95))

        low = brentq(excess, best.x[i] - 4, best.x[i], xtol=1e-5)
        high = brentq(excess, best.x[i], best.x[i] + 4, xtol=1e-5)
        assert (row.ci_low, row.ci_high) == pytest.approx((low, high), abs=1e-4)


def test_firth_of_a_two_by_two_table_adds_a_half_to_each_cell() -> None:
    # Firth (1993), sec. 4: in the saturated logit Jeffreys' penalty adds 1/2 to each cell, so none is empty.
    y = [1] * 7 + [0] * 0 + [1] * 3 + [0] * 9
    rows = by_term(firth(design(y, {"exposed": [1] * 7 + [0] * 12}), "m", "o"))
    assert rows["exposed"].estimate == pytest.approx(np.log((7.5 / 0.5) / (3.5 / 9.5)), abs=1e-5)
    assert rows["Intercept"].estimate == pytest.approx(np.log(3.5 / 9.5), abs=1e-5)


def test_firth_without_an_intercept_has_none() -> None:
    y, x, _ = made_up()
    data = design(y, x)
    without = DesignMatrix(data.y, data.x.drop(columns="Intercept"), None, data.n_units, "")
    m = without.x.to_numpy()
    best = minimize(lambda b: -penalized(b, m, y), np.zeros(2), method="BFGS", options={"gtol": 1e-8})
    rows = by_term(firth(without, "m", "o"))
    assert {t: r.estimate for t, r in rows.items()} == pytest.approx(dict(zip("ab", best.x, strict=True)), abs=1e-5)


def stages(seed: int = 5) -> tuple[Floats, dict[str, Floats]]:
    random = np.random.default_rng(seed)
    x = {"a": random.normal(size=150), "b": (random.random(150) < 0.4).astype("float64")}
    # The values 1 and 3 do not occur, as rungs of the ladder may not.
    return np.array([0.0, 2, 4, 5])[np.digitize(x["a"] - x["b"] + random.logistic(size=150), [-1, 0.5, 2])], x


def test_ordered_logit_by_maximising_its_likelihood() -> None:
    # McCullagh (1980): logit P(Y <= j) = cut_j - x'beta.
    y, x = stages()
    m = np.column_stack(list(x.values()))
    level = np.searchsorted([0, 2, 4, 5], y)

    def loss(theta: Floats) -> float:
        cuts = np.concatenate([[-np.inf], np.cumsum([theta[2], np.exp(theta[3]), np.exp(theta[4])]), [np.inf]])
        index = m @ theta[:2]
        return -float(np.log(expit(cuts[level + 1] - index) - expit(cuts[level] - index)).sum())

    best = minimize(loss, np.zeros(5), method="BFGS", options={"gtol": 1e-7})

    def second(i: Floats, j: Floats) -> float:
        return loss(best.x + i + j) - loss(best.x + i - j) - loss(best.x - i + j) + loss(best.x - i - j)

    step = 1e-4
    hessian = np.array([[second(i, j) for j in step * np.eye(5)] for i in step * np.eye(5)]) / (4 * step**2)
    errors = np.sqrt(np.diag(np.linalg.inv(hessian)))[:2]
    rows = ordered_logit(design(y, x), "m", "o")
    assert [row.term for row in rows] == ["a", "b"]
    assert [row.estimate for row in rows] == pytest.approx(best.x[:2].tolist(), abs=1e-5)
    assert [row.std_error for row in rows] == pytest.approx(errors.tolist(), rel=1e-3)
    assert {(row.vcov, row.note) for row in rows} == {("information matrix", "")}


@pytest.mark.parametrize("levels", [2, 4])
def test_the_derivatives_of_the_ordered_likelihood_are_those_by_differences(levels: int) -> None:
    y, x = stages()
    level = pd.Series(pd.Categorical(np.minimum(np.searchsorted([0, 2, 4, 5], y), levels - 1), ordered=True))
    model = OrderedLogit(level, pd.DataFrame(x), distr="logit")
    at = np.array([0.3, -0.2, -0.4, 0.1, 0.2])[: levels + 1]
    np.testing.assert_allclose(model.score_obs(at), approx_fprime(at, model.loglikeobs, centered=True), atol=1e-7)
    np.testing.assert_allclose(model.hessian(at), approx_fprime(at, model.score, centered=True), atol=1e-5)


def test_ordered_logit_of_two_levels_is_the_logit() -> None:
    y, x, _ = made_up()
    data = design(y, x)
    logit = sm.Logit(data.y, data.x).fit(disp=False)
    rows = by_term(ordered_logit(data, "m", "o"))
    for term, row in rows.items():
        assert (row.estimate, row.std_error) == pytest.approx((logit.params[term], logit.bse[term]), rel=1e-8)


def test_a_regressor_that_separates_an_ordered_outcome_has_no_numbers_and_the_others_keep_theirs() -> None:
    y, x = stages()
    highest = np.flatnonzero(y == 5)[:3]
    once = np.zeros(len(y))
    once[highest] = 1
    rows = by_term(ordered_logit(design(y, {**x, "once": once}, note="2 rows left out"), "m", "o"))
    assert np.isnan([rows["once"].estimate, rows["once"].std_error, rows["once"].p_value, rows["once"].ci_high]).all()
    note = "2 rows left out; not estimable: once (infinite, as the outcome is separated)"
    assert {row.note for row in rows.values()} == {note}
    without = design(np.delete(y, highest), {name: np.delete(v, highest) for name, v in x.items()})
    for term, row in by_term(ordered_logit(without, "m", "o")).items():
        assert (rows[term].estimate, rows[term].std_error) == pytest.approx((row.estimate, row.std_error), rel=1e-4)


def test_an_ordered_fit_that_does_not_converge_has_no_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = OrderedModel.fit

    def stopped(self: object, **options: object) -> object:
        return fit(self, **{**options, "maxiter": 2})

    monkeypatch.setattr(OrderedModel, "fit", stopped)
    for row in ordered_logit(design(*stages()), "m", "o"):
        assert np.isnan([row.estimate, row.std_error, row.p_value, row.ci_low, row.ci_high]).all()
        assert "not estimable: did not converge" in row.note


def test_a_separated_logit_is_noted_beside_the_rows_lost() -> None:
    y = [0.0] * 10 + [1.0] * 10
    for row in firth(design(y, {"a": np.arange(20)}, note="3 of 23 rows left out"), "m", "o"):
        assert row.note == "3 of 23 rows left out; the ordinary logit separates"
        assert np.isfinite([row.estimate, row.ci_low, row.ci_high]).all()
