"""How a system of series responds to impulses, in each of many fits at once."""

from __future__ import annotations

import numpy as np

from analysis.models.panel_var import Fit, Floats


def responses(fitted: Fit, horizon: int) -> Floats:
    """Return the responses to a unit impulse in one series alone, (d, horizon + 1, k responding, k leading).

    References
    ----------
    Lütkepohl (2005), eq. 2.1.22.
    """
    d, width, k = fitted.coefficients.shape
    by_lag = fitted.coefficients.reshape(d, width // k, k, k).transpose(0, 1, 3, 2)
    found = np.zeros((d, horizon + 1, k, k))
    found[:, 0] = np.eye(k)
    for day in range(1, horizon + 1):
        for lag in range(1, min(day, width // k) + 1):
            found[:, day] += found[:, day - lag] @ by_lag[:, lag - 1]
    return found


def orthogonal(fitted: Fit, found: Floats) -> Floats:
    """Turn responses into those to an orthogonal impulse of one standard deviation (Cholesky, in the series' order).

    A series earlier in the order moves the later ones within the same period; they don't move it.

    References
    ----------
    Lütkepohl (2005), sec. 2.3.2.
    """
    return np.asarray(found @ np.linalg.cholesky(fitted.residuals)[:, None])


def accumulated(found: Floats, leaders: list[int], followers: list[int]) -> Floats:
    """Add up, from the impulse's period on, the followers' mean response to one impulse in every leader, (d, days)."""
    return np.asarray(found[:, :, followers][..., leaders].sum(axis=3).mean(axis=2).cumsum(axis=1))


def sustained(found: Floats, leaders: list[int], followers: list[int]) -> Floats:
    """Return the followers' mean while every leader is held one unit higher from period 0 on, (d, days).

    The leaders' impulses of each period are those that keep them there, given what earlier impulses left of
    themselves; nobody else's are moved.

    References
    ----------
    Sims and Zha (2006), Macroeconomic Dynamics 10(2), for paths that a sequence of impulses holds in place.
    """
    d, days = found.shape[:2]
    own = found[:, :, leaders][..., leaders]
    other = found[:, :, followers][..., leaders]
    impulses = np.zeros((d, days, len(leaders)))
    path = np.zeros((d, days))
    for day in range(days):
        kept = sum(
            ((own[:, day - past] @ impulses[:, past, :, None])[..., 0] for past in range(day)),
            np.zeros((d, len(leaders))),
        )
        impulses[:, day] = np.linalg.solve(own[:, 0], (1 - kept)[..., None])[..., 0]
        for past in range(day + 1):
            path[:, day] += (other[:, day - past] @ impulses[:, past, :, None])[..., 0].mean(axis=1)
    return path
