"""What an event study still says where trends are not quite parallel (Rambachan and Roth)."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.stats import truncnorm

Floats = NDArray[np.float64]
Interval = tuple[float, float]

LEVEL = 0.05
FIRST_STAGE = LEVEL / 10
"""Size of the least favourable first stage of the hybrid test, as Andrews, Roth and Pakes (2023) recommend."""
DRAWS, SEED = 50_000, 20110125
"""Of the least favourable critical value. It does not depend on the data's seed: it is a property of the covariance."""
GRID = 2001


def smoothness(beta: Floats, sigma: Floats, n_pre: int, weights: Floats, bound: float) -> Interval:
    """Return the robust interval of an effect where the trends' difference is smooth.

    From one period to the next, the slope of the difference in trends that there would have been without exposure may
    change by at most `bound`. At 0 it is a straight line, which is extrapolated from the leads.

    Parameters
    ----------
    beta : (k,) event-time estimates, the leads first, without the reference period between leads and the others.
    sigma : (k, k) their covariance.
    n_pre : leads, at least 1.
    weights : (k - n_pre,) of the effect: it is their inner product with the effects after the reference period.
    bound : in the outcome's unit.

    Returns
    -------
    The optimal 95% interval of fixed length, normal theory.

    Raises
    ------
    ValueError : no lead, a bound below 0, a covariance that is singular, or no solution.

    References
    ----------
    Rambachan and Roth (2023), A more credible approach to parallel trends, Review of Economic Studies 90(5), sec. 4.1.
    """
    from diff_diff import HonestDiD  # type: ignore[import-untyped]
    from diff_diff.results_base import EventStudyResults  # type: ignore[import-untyped]

    _refuse(beta, sigma, n_pre, weights, bound)
    n_post = len(beta) - n_pre
    times = np.array([*range(-n_pre - 1, -1), -1, *range(n_post)])
    reference = times == -1
    estimate, error = np.zeros(len(times)), np.full(len(times), np.nan)
    estimate[~reference], error[~reference] = beta, np.sqrt(np.diag(sigma))
    missing = np.full(len(times), np.nan)
    surface = EventStudyResults(
        event_time=times, att=estimate, se=error, t_stat=missing, p_value=missing, conf_int_lower=missing,
        conf_int_upper=missing, is_reference=reference, n=missing, n_kind=None, reference_period=-1,
        time_scale="relative", event_time_convention="e0_first_treated", vcov=np.asarray(sigma),
        vcov_index=times[~reference], alpha=LEVEL, source="CallawaySantAnnaResults", base_period="universal",
        anticipation=0, reference_event_times=(-1,),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = HonestDiD(method="smoothness", M=bound, alpha=LEVEL, l_vec=np.asarray(weights)).fit(surface)
    if not np.isfinite([found.ci_lb, found.ci_ub]).all():
        raise ValueError(f"no interval of fixed length was found for the bound {bound:g}")
    return float(found.ci_lb), float(found.ci_ub)


def relative_magnitudes(beta: Floats, sigma: Floats, n_pre: int, weights: Floats, bound: float) -> Interval:
    """Return the robust interval of an effect where trends diverge later no more than they did before.

    From one period to the next after the reference period, the difference in trends that there would have been without
    exposure may change by at most `bound` times its largest change among the leads.

    For each lead's change and sign in turn, that is a set of linear inequalities, tested for every value of the effect
    by the hybrid of the least favourable and the conditional test; the interval holds each value that one of the tests
    accepts. The vertices of the dual linear program, which the test needs, are known here in closed form: the two that
    weigh the later changes as the effect does, and, with more than one later change, one for each of them.

    Parameters
    ----------
    beta, sigma, n_pre, weights : as in `smoothness`.
    bound : a ratio.

    Returns
    -------
    The 95% interval, normal theory, inequalities of later changes only; equals R's HonestDiD up to its grid.

    Raises
    ------
    ValueError : as in `smoothness`.

    References
    ----------
    Rambachan and Roth (2023), sec. 2.4.1 and 3. Andrews, Roth and Pakes (2023), Inference for linear conditional moment
    inequalities, Review of Economic Studies 90(6), sec. 4 and 6.
    """
    _refuse(beta, sigma, n_pre, weights, bound)
    changes = np.diff(np.insert(np.eye(len(beta)), n_pre, 0.0, axis=0), axis=0)
    draws = np.random.default_rng(SEED).multivariate_normal(np.zeros(len(beta)), sigma, DRAWS, method="cholesky")
    tests = [
        _Hybrid(beta, sigma, *_vertices(changes[n_pre:], sign * change, sigma, weights, bound), draws)
        for change in changes[:n_pre]
        for sign in (1.0, -1.0)
    ]
    centre = float(weights @ beta[n_pre:])
    reach = 10 * float(np.sqrt(weights @ sigma[n_pre:, n_pre:] @ weights))
    while True:
        grid = centre + np.linspace(-reach, reach, GRID)
        inside = np.any([test.accepts(grid) for test in tests], axis=0)
        if not (inside[0] or inside[-1]):
            break
        reach *= 2
    accepted = grid[inside]
    step = float(grid[1] - grid[0])
    return float(accepted[0]) - step / 2, float(accepted[-1]) + step / 2


def _refuse(beta: Floats, sigma: Floats, n_pre: int, weights: Floats, bound: float) -> None:
    if n_pre < 1 or len(weights) != len(beta) - n_pre or len(weights) < 1:
        raise ValueError(f"{len(beta)} estimates are not {n_pre} leads, at least one, and {len(weights)} effects")
    if bound < 0:
        raise ValueError(f"the bound {bound:g} is below 0")
    if np.linalg.matrix_rank(sigma, hermitian=True) < len(beta):
        raise ValueError(
            f"the covariance of the {len(beta)} estimates is singular: clusters are too few, or the outcome too still"
        )


def _vertices(later: Floats, largest: Floats, sigma: Floats, weights: Floats, bound: float) -> tuple[Floats, Floats]:
    """Return the vertices of the dual program, as what each weighs the estimates by, (j, k), and the effect by, (j,).

    Parameters
    ----------
    later : (p, k) changes after the reference period, as weights of the estimates.
    largest : (k,) the lead's change, with its sign, that is taken for the largest.
    """
    up, down = later - bound * largest, -later - bound * largest
    above, below = (np.sqrt(np.einsum("ik,kl,il->i", rows, sigma, rows)) for rows in (up, down))
    share = np.cumsum(weights[::-1])[::-1]
    rows, effect = [], []
    for sign in (1.0, -1.0):
        rising = sign * share > 0
        size = float(np.abs(share) @ np.where(rising, above, below))
        rows.append(np.abs(share) @ np.where(rising[:, None], up, down) / size)
        effect.append(-sign / size)
    if len(later) > 1:
        rows += list((up + down) / (above + below)[:, None])
        effect += [0.0] * len(later)
    return np.array(rows), np.array(effect)


class _Hybrid:
    """The test that all inequalities hold, for one choice of the largest change among the leads."""

    def __init__(self, beta: Floats, sigma: Floats, rows: Floats, effect: Floats, draws: Floats) -> None:
        self.at_zero, self.effect = rows @ beta, effect
        self.cov = rows @ sigma @ rows.T
        self.least_favourable = float(np.quantile((draws @ rows.T).max(axis=1), 1 - FIRST_STAGE))

    def accepts(self, theta: Floats) -> NDArray[np.bool_]:
        """Test each value of the effect, (n,), at 5%."""
        values = self.at_zero + np.outer(theta, self.effect)
        binding = values.argmax(axis=1)
        eta = values.max(axis=1)
        variance = np.diag(self.cov)[binding]
        free = variance > 1e-20
        slope = self.cov[binding] / np.where(free, variance, 1.0)[:, None]
        gap = 1 - slope
        with np.errstate(divide="ignore", invalid="ignore"):
            edge = (values - slope * eta[:, None]) / gap
        low = np.where(gap > 1e-9, edge, -np.inf).max(axis=1)
        high = np.minimum(np.where(gap < -1e-9, edge, np.inf).min(axis=1), self.least_favourable)
        error = np.sqrt(np.where(free, variance, 1.0))
        size = (LEVEL - FIRST_STAGE) / (1 - FIRST_STAGE)
        conditional = np.isfinite(eta) & (low <= eta) & (eta <= high) & free
        critical = np.zeros(len(theta))
        at = np.flatnonzero(conditional)
        critical[at] = truncnorm.ppf(1 - size, low[at] / error[at], high[at] / error[at])
        beyond = conditional & (eta / error > np.maximum(critical, 0.0))
        found: NDArray[np.bool_] = ~(beyond | (eta > self.least_favourable) | (~free & (eta > 0)))
        return found
