"""Whether trends differed before exposure, and what difference the test would have missed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import f, ncf

from analysis.models.design_matrix import NotEstimableError

Floats = NDArray[np.float64]
LEVEL = 0.05


def joint_test(leads: Floats, sigma: Floats, n_clusters: int) -> tuple[float, float]:
    """Test that all leads are 0.

    Parameters
    ----------
    leads : (k,) estimates.
    sigma : (k, k) their covariance.
    n_clusters : that it rests on.

    Returns
    -------
    Hotelling's F statistic and its p-value, k and n_clusters - k degrees of freedom; with many clusters, k times F is
    the Wald statistic and its distribution chi-squared.

    Raises
    ------
    NotEstimableError : no lead, as many leads as clusters, or leads that determine one another.

    References
    ----------
    Hotelling (1931), The generalization of Student's ratio, Annals of Mathematical Statistics 2(3).
    """
    k, scale = _degrees(len(leads), sigma, n_clusters)
    statistic = float(leads @ np.linalg.solve(sigma, leads)) * scale
    return statistic, float(f.sf(statistic, k, n_clusters - k))


def power(violation: Floats, sigma: Floats, n_clusters: int) -> float:
    """Return the chance that `joint_test` rejects at 5% where trends differ by `violation`, (k,), at the leads.

    References
    ----------
    Roth (2022), Pretest with caution, American Economic Review: Insights 4(3), sec. I.
    """
    k, _ = _degrees(len(violation), sigma, n_clusters)
    critical = f.ppf(1 - LEVEL, k, n_clusters - k)
    return float(ncf.sf(critical, k, n_clusters - k, float(violation @ np.linalg.solve(sigma, violation))))


def detectable_slope(times: Floats, sigma: Floats, n_clusters: int, chance: float = 0.8) -> float:
    """Return the slope of a difference in trends that `joint_test` finds with a given chance.

    Parameters
    ----------
    times : (k,) event times of the leads, less that of the reference period.
    """
    one = float(np.sqrt(times @ np.linalg.solve(sigma, times)))

    def short(distance: float) -> float:
        return power(times * distance / one, sigma, n_clusters) - chance

    high = 1.0
    while short(high) < 0:
        high *= 2
    return float(brentq(short, 0.0, high)) / one


def _degrees(k: int, sigma: Floats, n_clusters: int) -> tuple[int, float]:
    if k == 0:
        raise NotEstimableError("no lead before the reference period can be estimated")
    if n_clusters <= k:
        raise NotEstimableError(f"{k} leads are too many for a test with {n_clusters} clusters; set fewer `leads`")
    if np.linalg.matrix_rank(sigma, hermitian=True) < k:
        raise NotEstimableError(f"the {k} leads determine one another, as the outcome hardly changes before exposure")
    return k, (n_clusters - k) / (k * (n_clusters - 1))
