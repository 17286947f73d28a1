"""The test of the leads has its size and its power, by simulation and in the limit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, ncx2

from analysis.models.design_matrix import NotEstimableError
from analysis.models.pretrends import detectable_slope, joint_test, power

SIGMA = np.array([[0.04, 0.02, 0.01], [0.02, 0.05, 0.02], [0.01, 0.02, 0.03]])
TIMES = np.array([-3.0, -2.0, -1.0])


def rejections(violation: np.ndarray, clusters: int, draws: int = 8000) -> float:
    """Share of simulated panels in which the test rejects: means of normal clusters, covariance estimated from them."""
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(draws, clusters, 3)) @ np.linalg.cholesky(SIGMA * clusters).T
    means = violation + noise.mean(axis=1)
    spread = noise - noise.mean(axis=1, keepdims=True)
    covariances = np.einsum("dci,dcj->dij", spread, spread) / (clusters - 1) / clusters
    p_values = [joint_test(*panel, clusters)[1] for panel in zip(means, covariances, strict=True)]
    return float(np.mean(np.array(p_values) < 0.05))


@pytest.mark.parametrize(("slope", "clusters"), [(0.0, 8), (0.15, 12), (0.1, 60)])
def test_power_is_the_share_of_rejections(slope: float, clusters: int) -> None:
    expected = 0.05 if slope == 0 else power(slope * TIMES, SIGMA, clusters)
    assert rejections(slope * TIMES, clusters) == pytest.approx(expected, abs=0.02)


def test_with_many_clusters_it_is_the_wald_test() -> None:
    leads = np.array([0.3, -0.1, 0.2])
    wald = float(leads @ np.linalg.solve(SIGMA, leads))
    statistic, p_value = joint_test(leads, SIGMA, 10**7)
    assert 3 * statistic == pytest.approx(wald, rel=1e-5)
    assert p_value == pytest.approx(chi2.sf(wald, 3), rel=1e-4)
    distance = float(0.1 * TIMES @ np.linalg.solve(SIGMA, 0.1 * TIMES))
    assert power(0.1 * TIMES, SIGMA, 10**7) == pytest.approx(ncx2.sf(chi2.ppf(0.95, 3), 3, distance), rel=1e-4)


def test_the_detectable_slope_is_found_with_its_chance() -> None:
    slope = detectable_slope(TIMES, SIGMA, 30)
    assert power(slope * TIMES, SIGMA, 30) == pytest.approx(0.8, abs=1e-6)
    assert detectable_slope(TIMES, 100 * SIGMA, 30) == pytest.approx(10 * slope, rel=1e-6)


def test_too_many_leads_are_refused() -> None:
    with pytest.raises(NotEstimableError, match="3 leads are too many for a test with 3 clusters; set fewer"):
        joint_test(np.zeros(3), SIGMA, 3)
    with pytest.raises(NotEstimableError, match="no lead"):
        joint_test(np.zeros(0), np.zeros((0, 0)), 30)
    with pytest.raises(NotEstimableError, match="determine one another"):
        power(TIMES, np.ones((3, 3)), 30)
