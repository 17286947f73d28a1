"""Batched regressions have the numbers of statsmodels, one at a time."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from small_study import ols

from analysis.models.batched import fit_exposures, fit_outcomes, fit_subsets, leave_groups_out
from analysis.models.design_matrix import NotEstimableError

RNG = np.random.default_rng(7)
N, K = 150, 5
X = RNG.normal(size=(N, K)) * [1, 100, 0.01, 1, 1] + [0, 5000, 3, 0, 1]
X[:, 3] = X[:, 3] > 0.4
Y = (RNG.random(N) < 0.4 + 0.2 * X[:, 3]).astype(float)
CLUSTERS = RNG.integers(35, size=N)
ERRORS = pytest.mark.parametrize("clusters", [CLUSTERS, None], ids=["clustered", "HC3"])
EXACT = {"rtol": 1e-9, "atol": 0}


def subsets(focal: int) -> np.ndarray:
    others = [i for i in range(K) if i != focal]
    chosen = [s for size in range(K) for s in combinations(others, size)]
    return np.array([[i == focal or i in some for i in range(K)] for some in chosen])


@ERRORS
def test_every_subset_has_the_numbers_of_statsmodels(clusters: np.ndarray | None) -> None:
    chosen = subsets(focal=3)
    fits = fit_subsets(X, Y, chosen, 3, clusters)
    for i, some in enumerate(chosen):
        fit = ols(Y, X[:, some], clusters)
        at = 1 + int(some[:3].sum())
        np.testing.assert_allclose(fits.estimate[i], fit.params[at], **EXACT)
        np.testing.assert_allclose(fits.std_error[i], fit.bse[at], **EXACT)
        np.testing.assert_allclose(fits.p_value[i], fit.pvalues[at], **EXACT)
        np.testing.assert_allclose([limit[i] for limit in fits.interval()], fit.conf_int()[at], **EXACT)


@ERRORS
def test_every_exposure_has_the_numbers_of_statsmodels(clusters: np.ndarray | None) -> None:
    exposures = RNG.permuted(np.tile(X[:, 3], (20, 1)), axis=1).T
    covariates = X[:, [0, 1, 2]]
    fits = fit_exposures(exposures, Y, covariates, clusters)
    for i in range(20):
        fit = ols(Y, np.column_stack([exposures[:, i], covariates]), clusters)
        np.testing.assert_allclose([fits.estimate[i], fits.std_error[i]], [fit.params[1], fit.bse[1]], **EXACT)


@ERRORS
def test_every_outcome_has_the_numbers_of_statsmodels(clusters: np.ndarray | None) -> None:
    outcomes = RNG.normal(size=(N, 20))
    fits = fit_outcomes(outcomes, X, 3, clusters)
    for i in range(20):
        fit = ols(outcomes[:, i], X, clusters)
        np.testing.assert_allclose([fits.estimate[i], fits.std_error[i]], [fit.params[4], fit.bse[4]], **EXACT)


def test_leaving_groups_out_is_fitting_without_them() -> None:
    left = leave_groups_out(X, Y, 3, CLUSTERS)
    refitted = [ols(Y[g != CLUSTERS], X[g != CLUSTERS], None).params[4] for g in range(CLUSTERS.max() + 1)]
    np.testing.assert_allclose(left, refitted, **EXACT)


def test_blocks_of_work_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = subsets(focal=3)
    exposures = RNG.normal(size=(N, 30))
    whole = fit_subsets(X, Y, chosen, 3, CLUSTERS), fit_exposures(exposures, Y, X, CLUSTERS)
    monkeypatch.setattr("analysis.models.batched._CELLS", 2000)
    parts = fit_subsets(X, Y, chosen, 3, CLUSTERS), fit_exposures(exposures, Y, X, CLUSTERS)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one.std_error, other.std_error, rtol=1e-12)


def test_what_is_collinear_is_not_estimated_and_leaves_the_others_alone() -> None:
    doubled = np.column_stack([X, X[:, 0] * 2 + 1])
    chosen = np.array([[True, False, False, True, False, True], [True, False, False, True, False, False]])
    fits = fit_subsets(doubled, Y, chosen, 3, CLUSTERS)
    assert np.isnan(fits.estimate[0])
    np.testing.assert_allclose(fits.estimate[1], ols(Y, X[:, [0, 3]], None).params[2], **EXACT)
    assert np.isnan(fit_exposures(X[:, [0]] * 3, Y, X).estimate[0])
    with pytest.raises(NotEstimableError, match="collinear"):
        fit_outcomes(Y[:, None], doubled, 0)


def test_a_row_that_is_fitted_exactly_takes_hc3_to_hc1() -> None:
    only = np.zeros(N)
    only[4] = 1
    x = np.column_stack([X[:, 3], only])
    both = np.ones((1, 2), dtype=bool)
    hc1 = ols(Y, x, None).get_robustcov_results("HC1").bse[1]
    for fits in (fit_subsets(x, Y, both, 0), fit_exposures(x[:, [0]], Y, x[:, [1]]), fit_outcomes(Y[:, None], x, 0)):
        np.testing.assert_allclose(fits.std_error, [hc1], **EXACT)
    assert np.isnan(fit_subsets(x, Y, both, 1).std_error[0]), "a coefficient that rests on one row has no error"
