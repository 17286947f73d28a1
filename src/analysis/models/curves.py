"""How the share with an event grows with time: Kaplan–Meier, and cumulative incidence where outcomes compete."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm
from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A step function of time.

    Attributes
    ----------
    times : (T,) days at which it may step.
    share : (T,) share with the event by then.
    error : (T,) its standard error (Greenwood, or the delta method of the Aalen–Johansen estimator).
    last : last day on which anybody was followed; the share is not known beyond it.
    """

    times: Floats
    share: Floats
    error: Floats
    last: float

    def at(self, days: float) -> tuple[float, float, float, float]:
        """Return share, standard error and 95% interval after so many days.

        The interval is symmetric on the scale log(−log(1 − share)), which keeps it inside 0 to 1. All are missing
        beyond the last day followed; where the share is 0 or 1, so are error and interval.
        """
        if days > self.last:
            return (np.nan,) * 4
        position = int(np.searchsorted(self.times, days, side="right")) - 1
        share = float(self.share[position]) if position >= 0 else 0.0
        if not 0.0 < share < 1.0:
            return share, np.nan, np.nan, np.nan
        error, survival = float(self.error[position]), 1.0 - share
        reach = np.exp(norm.ppf(0.975) * error / abs(survival * np.log(survival)))
        return share, error, float(1.0 - survival ** (1.0 / reach)), float(1.0 - survival**reach)

    def median(self) -> tuple[float, float, float]:
        """Return the day by which half have the event, and its 95% interval.

        The interval holds the days on which the interval of `at` around the share holds one half; where the curve never
        tells, the day or a limit is missing.

        References
        ----------
        Brookmeyer and Crowley (1982), A confidence interval for the median survival time, with the log(−log) intervals
        of Kalbfleisch and Prentice (2002), sec. 1.4.
        """
        told = np.array([self.at(day) for day in self.times]).reshape(-1, 4)
        middle, low, high = ([*self.times[told[:, k] >= 0.5], np.nan][0] for k in (0, 3, 2))
        return float(middle), float(low), float(high)


def kaplan_meier(days: pd.Series, event: pd.Series) -> Curve:
    """Estimate the share with an event, were nobody lost.

    Parameters
    ----------
    days : (n,) to the event or to the last day observed.
    event : (n,) bool.

    References
    ----------
    Kaplan and Meier (1958), Nonparametric estimation from incomplete observations.
    """
    curve = SurvfuncRight(days.to_numpy(), event.to_numpy().astype(int))
    return Curve(curve.surv_times, 1.0 - curve.surv_prob, curve.surv_prob_se, float(days.max()))


def cumulative_incidence(days: pd.Series, status: pd.Series) -> list[Curve]:
    """Estimate the share whose first event is each of two, the other one included among what can happen.

    One minus the Kaplan–Meier curve of one event alone would treat the other as if it could be waited out, and the
    shares would add up to more than one.

    Parameters
    ----------
    days : (n,) to the first event or to the last day observed.
    status : (n,) 1 or 2, the first event; 0 where there was none.

    Returns
    -------
    The curves of event 1 and of event 2.

    References
    ----------
    Aalen and Johansen (1978), An empirical transition matrix for non-homogeneous Markov chains based on censored
    observations.
    """
    with np.errstate(divide="ignore", invalid="ignore"):  # the error is not defined once nobody is left at risk
        curves = CumIncidenceRight(days.to_numpy(), status.to_numpy().astype(int))
    never = [np.zeros(len(curves.times))] * 2
    shares, errors = [*curves.cinc, *never][:2], [*curves.cinc_se, *never][:2]
    return [Curve(curves.times, s, e, float(days.max())) for s, e in zip(shares, errors, strict=True)]


def competing_risks(own: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Say which of two outcomes each unit met first.

    Parameters
    ----------
    own, other : risk time of the outcome and of the one that competes, as `risk_time` returns it.

    Returns
    -------
    One row per unit in both: `unit_id`, `days`, `status` (1 the outcome, 2 the competing one, 0 neither), `tied` (both
    on the same day, which counts as the outcome).
    """
    both = own.merge(other, on="unit_id", suffixes=("", "_other"), validate="one_to_one")
    met = both["stop"].where(both["event"], np.inf)
    met_other = both["stop_other"].where(both["event_other"], np.inf)
    seen = both[["stop", "stop_other"]].min(axis=1)
    first = pd.concat([met, met_other], axis=1).min(axis=1)
    return pd.DataFrame(
        {
            "unit_id": both["unit_id"],
            "days": first.where(first < np.inf, seen),
            "status": np.select([first == np.inf, met <= met_other], [0, 1], 2),
            "tied": (first < np.inf) & (met == met_other),
        }
    )
