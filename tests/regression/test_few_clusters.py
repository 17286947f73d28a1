"""Few clusters: which errors are chosen, bias-reduced ones by their definition, and the wild cluster bootstrap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from regression_data import by_term, design, dummies, panel
from scipy import linalg, stats
from wildboottest.wildboottest import WildboottestCL

from analysis.models.cr2 import bias_reduced
from analysis.models.design_matrix import NotEstimableError
from analysis.models.linear import FEW_EFFECTIVE_CLUSTERS, fitted, lpm, ols
from analysis.models.usable_rows import usable_rows
from analysis.models.vcov import MANY_CLUSTERS
from analysis.models.wild import DRAWS, RADEMACHER_FROM, cluster_weights, wild_bootstrap


def clustered(clusters: int, n: int = 400, seed: int = 1, effect: float = 0.0) -> tuple[np.ndarray, dict, np.ndarray]:
    random = np.random.default_rng(seed)
    codes = random.permutation(np.arange(n) % clusters)
    x = {"a": random.normal(size=clusters)[codes] + random.normal(size=n), "b": random.normal(size=n)}
    return effect * x["a"] + random.normal(size=clusters)[codes] + random.normal(size=n), x, codes


@pytest.mark.parametrize(
    ("clusters", "vcov"),
    [
        (2, "CR2+Satterthwaite(country), 2 clusters"),
        (MANY_CLUSTERS - 1, "CR2+Satterthwaite(country), 49 clusters"),
        (MANY_CLUSTERS, "CRV1(country)"),
    ],
)
def test_the_number_of_clusters_chooses_the_errors(clusters: int, vcov: str) -> None:
    y, x, codes = clustered(clusters)
    row = by_term(ols(design(y, x, {"country": codes}), "m", "y"))["b"]
    assert (row.vcov, row.n_clusters) == (vcov, clusters)


def test_one_cluster_is_refused() -> None:
    y, x, _ = clustered(5)
    for estimator, outcome in ((ols, y), (lpm, (y > 0).astype(float))):
        with pytest.raises(NotEstimableError, match="all 400 rows are in one country, so that errors cannot be"):
            estimator(design(outcome, x, {"country": ["c"] * 400}), "m", "y")


def cr2_by_definition(x: np.ndarray, y: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> tuple:
    """Pustejovsky and Tipton (2018), eq. 5 and 11, with every matrix written out, effects as dummies."""
    root = np.sqrt(weights)
    x, y = x * root[:, None], y * root
    bread = np.linalg.inv(x.T @ x)
    maker = np.eye(len(y)) - x @ bread @ x.T
    residuals = maker @ y
    variance, parts = np.zeros_like(bread), []
    for g in range(codes.max() + 1):
        own = codes == g
        values, vectors = linalg.eigh(maker[np.ix_(own, own)])
        roots = np.where(values > 1e-9, 1 / np.sqrt(np.maximum(values, 1e-9)), 0)
        adjusted = (vectors * roots) @ vectors.T @ x[own] @ bread
        score = adjusted.T @ residuals[own]
        variance += np.outer(score, score)
        parts.append(maker[:, own] @ adjusted)
    df = []
    for j in range(x.shape[1]):
        form = np.array([[one[:, j] @ other[:, j] for other in parts] for one in parts])
        df.append(np.trace(form) ** 2 / (form**2).sum())
    return np.sqrt(np.diag(variance)), np.array(df)


@pytest.mark.parametrize("effects", [[], ["unit"], ["period"], ["unit", "period"]])
@pytest.mark.parametrize("cluster", ["unit", "region", "period"])
@pytest.mark.parametrize("weighted", [False, True])
def test_bias_reduced_errors_are_those_of_their_definition(effects: list[str], cluster: str, weighted: bool) -> None:
    table = panel(units=20, periods=6)
    codes = pd.factorize(table[cluster], sort=True)[0]
    weights = table["size"].to_numpy() if weighted else np.ones(len(table))
    extra = dummies(table, effects) if effects else np.ones((len(table), 1))
    x = np.column_stack([table[["a", "b"]], extra])
    errors, df = cr2_by_definition(x, table["y"].to_numpy(), codes, weights)
    rows = usable_rows(
        design(
            table["y"], {"a": table["a"], "b": table["b"]}, {cluster: codes}, weights=weights if weighted else None,
            absorb={e: table[e] for e in effects} or None,
        )
    )  # fmt: skip
    variance = fitted(rows)[2]
    order = [rows.names.index(term) for term in ("a", "b")]
    np.testing.assert_allclose(variance.std_error[order], errors[:2], rtol=1e-8)
    np.testing.assert_allclose(variance.df[order], df[:2], rtol=1e-8)


@pytest.mark.parametrize("effects", [[], ["unit"], ["period"], ["unit", "period"]])
def test_cr3_is_the_jackknife_of_least_squares_that_leaves_out_one_cluster_at_a_time(effects: list[str]) -> None:
    table = panel(units=20, periods=6)
    codes = pd.factorize(table["region" if "unit" in effects else "unit"], sort=True)[0]
    extra = dummies(table, effects) if effects else np.ones((len(table), 1))
    x, y = np.column_stack([table[["a", "b"]], extra]), table["y"].to_numpy()
    whole = np.linalg.lstsq(x, y)[0][:2]
    without = [np.linalg.lstsq(x[codes != g], y[codes != g])[0][:2] - whole for g in range(codes.max() + 1)]
    left = x[:, :2] - extra @ np.linalg.lstsq(extra, x[:, :2])[0]
    rows = usable_rows(design(y, {"a": x[:, 0], "b": x[:, 1]}, absorb={e: table[e] for e in effects} or None))
    basis = np.full((len(y), 1), len(y) ** -0.5)
    if rows.effects is not None:
        found = rows.effects.unnested_basis(codes, np.ones(len(y)), 100)
        assert found is not None
        basis = found
    residuals = y - x @ np.linalg.lstsq(x, y)[0]
    matrix, _ = bias_reduced(left, residuals, np.linalg.inv(left.T @ left), basis, codes, jackknife=True)
    scale = codes.max() / (codes.max() + 1)
    np.testing.assert_allclose(matrix, scale * sum(np.outer(one, one) for one in without), rtol=1e-8)


def test_degrees_of_freedom_where_they_are_known() -> None:
    # A mean over balanced clusters has g - 1; a difference between clusters of two kinds those of Welch's test with
    # equal variances within kinds (Bell and McCaffrey, 2002, sec. 4).
    codes = np.repeat(np.arange(12), 5)
    y = np.random.default_rng(1).normal(size=60)
    mean = usable_rows(design(y, {"a": np.tile(np.arange(5.0), 12)}, {"g": codes}))
    assert fitted(mean)[2].df[1] == pytest.approx(11)
    treated = (codes < 3).astype(float)
    df = fitted(usable_rows(design(y, {"treated": treated}, {"g": codes})))[2].df[1]
    assert df == pytest.approx((1 / 3 + 1 / 9) ** 2 / (1 / (9 * 2) + 1 / (81 * 8)))


def test_a_coefficient_that_rests_on_one_cluster_has_no_error_and_the_others_keep_theirs() -> None:
    y, x, codes = clustered(12)
    only = (codes == 3).astype(float)
    rows = by_term(ols(design(y, {**x, "only": only}, {"country": codes}), "m", "y"))
    assert np.isfinite(rows["only"].estimate)
    assert np.isnan([rows["only"].std_error, rows["only"].p_value, rows["only"].ci_high]).all()
    assert "no error for only: the coefficient rests on one country alone" in rows["b"].note
    assert np.isfinite(rows["b"].std_error)


def test_tests_at_5_percent_reject_5_percent_of_true_hypotheses_with_ten_unequal_clusters() -> None:
    # CRV1 would reject about twice as often here.
    rejected = {"bias reduced": 0, "not": 0}
    for seed in range(300):
        random = np.random.default_rng(seed)
        codes = np.sort(random.choice(10, size=150, p=np.arange(1, 11) / 55))
        codes = pd.factorize(codes)[0]
        x = random.normal(size=codes.max() + 1)[codes] + 0.3 * random.normal(size=150)
        y = random.normal(size=codes.max() + 1)[codes] + random.normal(size=150)
        rows = usable_rows(design(y, {"x": x}, {"g": codes}))
        beta, fit, variance = fitted(rows)
        rejected["bias reduced"] += variance.inference(beta)[1]["p_value"] < 0.05
        meat = sum(np.outer(s, s) for s in (fit.x[codes == g].T @ fit.residuals[codes == g] for g in range(10)))
        crv1 = np.sqrt((fit.bread @ meat @ fit.bread)[1, 1] * 10 / 9)
        rejected["not"] += abs(beta[1]) / crv1 > stats.t(9).ppf(0.975)
    assert rejected["bias reduced"] / 300 == pytest.approx(0.05, abs=0.03)
    assert rejected["not"] / 300 > 0.08


def residualised(y: np.ndarray, x: dict, name: str) -> tuple:
    others = np.column_stack([np.ones(len(y)), *(v for k, v in x.items() if k != name)])
    basis = np.linalg.qr(others)[0]

    def remove(columns: np.ndarray) -> np.ndarray:
        return columns - basis @ (basis.T @ columns)

    return remove(x[name]), remove(y), remove


@pytest.mark.parametrize("clusters", [8, 20])
def test_the_bootstrap_has_the_p_value_of_wildboottest_for_the_same_weights(clusters: int) -> None:
    y, x, codes = clustered(clusters, effect=0.1)
    m, tested = np.column_stack([np.ones(len(y)), x["a"], x["b"]]), np.array([0, 1.0, 0])
    theirs = WildboottestCL(X=m, Y=y, cluster=codes, R=tested, B=1999, seed=1)
    theirs.get_scores(bootstrap_type="11", impose_null=True)
    theirs.get_weights(weights_type="rademacher" if clusters == 20 else "webb")
    theirs.get_numer()
    theirs.get_denom()
    theirs.get_tboot()
    theirs.get_vcov()
    theirs.get_tstat()
    theirs.get_pvalue(pval_type="two-tailed")
    prepared = wild_bootstrap(*residualised(y, x, "a"), codes)
    ours = replace(prepared, weights=np.asarray(theirs.v, dtype="float64"))
    observed, drawn = ours.statistics(0.0)
    # Its inequality is strict, and its first draw, which is the sample, is not counted.
    strictly = (np.abs(drawn[1:]) > abs(observed) * (1 + 1e-9)).sum()
    assert strictly / (ours.weights.shape[1] - 1) == pytest.approx(theirs.pvalue, abs=1 / 1999)
    relative = np.abs(theirs.t_boot) / abs(theirs.t_stat)
    np.testing.assert_allclose(np.sort(np.abs(drawn)) / abs(observed), np.sort(relative), rtol=1e-6)


def test_the_bootstrap_is_that_of_refitting_every_draw_with_effects() -> None:
    table = panel(units=12, periods=6, lost=0.1)
    codes = pd.factorize(table["unit"])[0]
    rows = usable_rows(
        design(table["y"], {"a": table["a"], "b": table["b"]}, absorb={"unit": codes, "period": table["period"]})
    )
    x = np.column_stack([table["b"], dummies(table, ["unit", "period"])])
    basis = np.linalg.qr(x)[0]

    def remove(columns: np.ndarray) -> np.ndarray:
        left = rows.remove(columns)
        other = rows.remove(table[["b"]].to_numpy())
        return left - other @ np.linalg.lstsq(other, left, rcond=None)[0]

    focal, y = remove(table[["a"]].to_numpy())[:, 0], remove(table[["y"]].to_numpy())[:, 0]
    bootstrap = wild_bootstrap(focal, y, remove, codes, draws=5)
    _, drawn = bootstrap.statistics(0.3)
    full = np.column_stack([table["a"], x])
    restricted = table["y"] - 0.3 * table["a"]
    residuals = (restricted - basis @ (basis.T @ restricted)).to_numpy()
    expected = []
    for weights in bootstrap.weights.T:
        again = table["y"] - residuals + residuals * weights[codes]
        beta = np.linalg.lstsq(full, again, rcond=None)[0]
        left = (again - full @ beta).to_numpy() * focal
        meat = sum(left[codes == g].sum() ** 2 for g in range(12))
        expected.append((beta[0] - 0.3) * (focal @ focal) / np.sqrt(meat))
    np.testing.assert_allclose(drawn, expected, rtol=1e-7)


def test_the_bootstrap_stands_beside_errors_that_rest_on_few_effective_clusters() -> None:
    y, x, codes = clustered(9)
    rows = by_term(ols(design(y, x, {"country": codes}), "m", "y"))
    wild = rows["a:wild"]
    assert wild.estimate == rows["a"].estimate
    assert wild.vcov == f"wild cluster bootstrap(country), {DRAWS:,} Webb draws"
    assert wild.ci_low < wild.estimate < wild.ci_high
    assert (wild.p_value < 0.05) == (not wild.ci_low <= 0 <= wild.ci_high)
    assert wild.seed is not None
    assert "Intercept:wild" not in rows
    again = by_term(ols(design(y, x, {"country": codes}), "m", "y"))["a:wild"]
    assert again == wild
    many = by_term(ols(design(*clustered(40)[:2], {"country": clustered(40)[2]}), "m", "y"))
    assert FEW_EFFECTIVE_CLUSTERS == 10
    assert not [term for term in many if term.endswith(":wild")]


def test_the_interval_of_the_bootstrap_holds_the_values_that_it_does_not_reject() -> None:
    y, x, codes = clustered(15, effect=0.5)
    focal, left, remove = residualised(y, x, "a")
    bootstrap = wild_bootstrap(focal, left, remove, codes, draws=1999)
    estimate = float(focal @ left / (focal @ focal))
    low, high = bootstrap.interval(estimate, 0.2)
    for limit, inward in ((low, 1), (high, -1)):
        assert bootstrap.p_value(limit + inward * 0.001) >= 0.05
        assert bootstrap.p_value(limit - inward * 0.001) < 0.05
    assert bootstrap.p_value(estimate) > 0.9


@pytest.mark.parametrize("clusters", [RADEMACHER_FROM - 1, RADEMACHER_FROM])
def test_weights_have_mean_0_and_variance_1(clusters: int) -> None:
    weights = cluster_weights(clusters, 40_000, np.random.default_rng(1))
    assert weights.mean() == pytest.approx(0, abs=0.01)
    assert (weights**2).mean() == pytest.approx(1, abs=0.01)
    assert len(np.unique(weights)) == (6 if clusters < RADEMACHER_FROM else 2)


@pytest.mark.slow
def test_the_bootstrap_rejects_5_percent_of_true_hypotheses_with_six_clusters() -> None:
    rejected = 0
    for seed in range(200):
        y, x, codes = clustered(6, n=90, seed=seed)
        focal, left, remove = residualised(y, x, "a")
        rejected += wild_bootstrap(focal, left, remove, codes, draws=399, seed=seed).p_value() <= 0.05
    assert rejected / 200 == pytest.approx(0.05, abs=0.045)
