"""A hazard that is constant within periods, for events known only to lie in an interval of days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.models.design_matrix import NotEstimableError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HazardFit:
    """A fitted model.

    Attributes
    ----------
    coefficients : (k,) log hazards and log hazard ratios.
    information : (k, k) observed information.
    score : (r, k) score of each spell.
    log_likelihood : at the maximum.
    """

    coefficients: Floats
    information: Floats
    score: Floats
    log_likelihood: float


def fit_hazard(days: Floats, x: Floats, spell: NDArray[np.int64], event: NDArray[np.bool_]) -> HazardFit:
    """Fit a complementary log-log model of spells, each of which may join stretches of different exposure and period.

    A spell r with the stretches i has the cumulative hazard ``H_r = Σ_i days_i exp(x_i'b)`` and ends with an event with
    probability ``1 − exp(−H_r)``. Where every spell with an event is one stretch, this is the binomial model with
    complementary log-log link and offset ``log days`` (statsmodels' `GLM`); with several, the event is
    interval-censored, and no model of one row per stretch says so.

    Parameters
    ----------
    days : (m,) length of each stretch.
    x : (m, k) regressors, with indicators of the periods.
    spell : (m,) the spell that each stretch belongs to, 0 to r − 1.
    event : (r,) whether the spell ends with the event.

    Raises
    ------
    NotEstimableError : the likelihood has no maximum.

    References
    ----------
    Prentice and Gloeckler (1978), Regression analysis of grouped survival data, sec. 2. Finkelstein (1986), A
    proportional hazards model for interval-censored failure time data, sec. 2.
    """
    k, spells = x.shape[1], len(event)
    coefficients = np.full(k, 0.0)
    rate = np.log(event.sum() / days.sum())
    coefficients += np.linalg.lstsq(x, np.full(len(x), rate), rcond=None)[0]
    at = _evaluate(days, x, spell, event, spells, coefficients)
    for _ in range(100):
        try:
            step = np.linalg.solve(at.information, at.score.sum(axis=0))
        except np.linalg.LinAlgError:
            break
        for _ in range(40):
            tried = _evaluate(days, x, spell, event, spells, at.coefficients + step)
            if tried.log_likelihood >= at.log_likelihood - 1e-12 * abs(at.log_likelihood):
                break
            step = step / 2
        at = tried
        if np.abs(step).max() < 1e-9 * (1 + np.abs(at.coefficients).max()):
            return at
    raise NotEstimableError("did not converge: the likelihood has no maximum, as where a group or period has no event")


def _evaluate(
    days: Floats, x: Floats, spell: NDArray[np.int64], event: NDArray[np.bool_], spells: int, b: Floats
) -> HazardFit:
    hazard = days * np.exp(np.clip(x @ b, -300, 300))
    total = np.bincount(spell, hazard, spells)
    gradient = np.zeros((spells, x.shape[1]))
    np.add.at(gradient, spell, hazard[:, None] * x)
    with np.errstate(over="ignore"):
        slope = np.where(event, 1.0 / np.expm1(total), -1.0)
    curvature = np.where(event, -slope * (1.0 + slope), 0.0)
    log_likelihood = float(np.where(event, np.log(-np.expm1(-total)), -total).sum())
    information = -(x * (slope[spell] * hazard)[:, None]).T @ x - (gradient * curvature[:, None]).T @ gradient
    return HazardFit(b, information, slope[:, None] * gradient, log_likelihood)
