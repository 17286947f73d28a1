"""Cox's partial likelihood of stretches of risk time, and the tests and weights that build on its risk sets.

statsmodels' `PHReg` agrees where units enter at time 0. It keeps a row at risk at the very time of its entry, so that a
unit whose exposure changes at an event time is at risk twice there; it takes full Newton steps, which can diverge; its
score residuals are those of Breslow's ties; and it has no case weights and no test of proportional hazards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2
from statsmodels.duration.survfunc import SurvfuncRight

from analysis.models.design_matrix import NotEstimableError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ties = Literal["efron", "breslow"]

_CELLS = 1 << 16
"""Numbers in one block of work: deaths by rows by regressors."""


@dataclass(frozen=True)
class RiskTime:
    """Stretches of risk time in counting-process form.

    Attributes
    ----------
    start, stop : (n,) days; a row is at risk at t where ``start < t <= stop``.
    event : (n,) whether the stretch ends with the event.
    x : (n, k) regressors, constant within a stretch.
    weight : (n,) case weights.
    """

    start: Floats
    stop: Floats
    event: Flags
    x: Floats
    weight: Floats


@dataclass(frozen=True)
class PartialLikelihood:
    """The log partial likelihood and its derivatives.

    Attributes
    ----------
    times : (T,) distinct event times.
    log_likelihood : at the coefficients.
    score : (T, k) contribution of each event time.
    information : (T, k, k) contribution of each event time.
    residuals : (n, k) score residual of each row, not multiplied by its weight.
    """

    times: Floats
    log_likelihood: float
    score: Floats
    information: Floats
    residuals: Floats


def partial_likelihood(rows: RiskTime, beta: Floats, ties: Ties = "efron") -> PartialLikelihood:
    """Evaluate the weighted partial likelihood at given coefficients.

    Parameters
    ----------
    beta : (k,) log hazard ratios.
    ties : how events at the same time are taken; cmprsk knows only Breslow's way, R's survival prefers Efron's.

    References
    ----------
    Efron (1977), The efficiency of Cox's likelihood function for censored data. Therneau and Grambsch (2000), Modeling
    Survival Data, sec. 3.3, 4.6 and 7.1.
    """
    times, of = np.unique(rows.stop[rows.event], return_inverse=True)
    count, (n, k) = len(times), rows.x.shape
    linear = rows.x @ beta
    linear = linear - linear.max(initial=0.0)
    risk = rows.weight * np.exp(linear)
    dies = np.flatnonzero(rows.event)
    deaths, weight = np.bincount(of, minlength=count), np.bincount(of, rows.weight[dies], count)
    likelihood = float(rows.weight[dies] @ linear[dies])
    score = _sums(rows.weight[dies, None] * rows.x[dies], of, count)
    mean, information, residuals = np.zeros((count, k)), np.zeros((count, k, k)), np.zeros((n, k))
    step = max(1, count * _CELLS // max(1, len(dies) * n * k))
    for some in (np.arange(start, min(start + step, count)) for start in range(0, count, step)):
        time = times[some][:, None]
        near = np.flatnonzero((rows.start < time[-1]) & (time[0] <= rows.stop))
        at_risk = (rows.start[near] < time) & (time <= rows.stop[near])
        died = rows.event[near] & (rows.stop[near] == time)
        # One line for each death: of those tied, each next one finds a smaller share of them still at risk (Efron).
        line = np.repeat(np.arange(len(some)), deaths[some])
        before = np.arange(len(line)) - np.repeat(np.cumsum(deaths[some]) - deaths[some], deaths[some])
        tied = before / deaths[some][line] * (ties == "efron")
        share = risk[near] * (at_risk[line] - tied[:, None] * died[line])
        total, each = share.sum(axis=1), (weight[some] / deaths[some])[line]
        means = share @ rows.x[near] / total[:, None]
        centred = rows.x[near] - means[:, None]
        pull = centred * (each[:, None] * share / total[:, None])[:, :, None]
        spread = (pull.transpose(0, 2, 1) @ centred).reshape(-1, k * k)
        likelihood -= float(each @ np.log(total))
        mean[some] = _sums(means, line, len(some)) / deaths[some][:, None]
        information[some] = _sums(spread, line, len(some)).reshape(-1, k, k)
        residuals[near] -= pull.sum(axis=0) / rows.weight[near][:, None]
    residuals[dies] += rows.x[dies] - mean[of]
    return PartialLikelihood(times, likelihood, score - weight[:, None] * mean, information, residuals)


def _sums(values: Floats, groups: NDArray[np.intp], count: int) -> Floats:
    """Add up the rows, (n, j), of each of so many groups."""
    return np.column_stack([np.bincount(groups, column, count) for column in values.T])


def maximise(rows: RiskTime, ties: Ties = "efron") -> Floats:
    """Find the coefficients that maximise the weighted partial likelihood by Newton's method.

    Returns
    -------
    (k,) log hazard ratios.

    Raises
    ------
    NotEstimableError : the likelihood rises for ever, as where no event happens in one group, or is not concave.
    """
    beta = np.zeros(rows.x.shape[1])
    at = partial_likelihood(rows, beta, ties)
    for _ in range(50):
        try:
            step = np.linalg.solve(at.information.sum(axis=0), at.score.sum(axis=0))
        except np.linalg.LinAlgError:
            break
        while True:
            tried = partial_likelihood(rows, beta + step, ties)
            if tried.log_likelihood >= at.log_likelihood - 1e-10 * abs(at.log_likelihood):
                break
            step = step / 2
        beta, at = beta + step, tried
        if np.abs(step).max() < 1e-10 * (1 + np.abs(beta).max()):
            return np.asarray(beta)
    raise NotEstimableError("did not converge: the partial likelihood has no maximum, as where a group has no event")


@dataclass(frozen=True)
class ScoreTest:
    """A test of proportional hazards.

    Attributes
    ----------
    statistic, p_value : (k,) for each regressor, with one degree of freedom.
    global_statistic, global_p_value : for all together, with k degrees of freedom.

    All are missing where all events happened at one time.
    """

    statistic: Floats
    p_value: Floats
    global_statistic: float
    global_p_value: float


def proportional_hazards_test(fitted: PartialLikelihood, clock: Floats) -> ScoreTest:
    """Test whether log hazard ratios change linearly with a transformed time.

    This is the score test of adding the product of each regressor and the transformed time to the model, from the
    score and information at each event time, as R's ``cox.zph`` since survival 3.0. The older test, which takes the
    information to be the same at all times, differs.

    Parameters
    ----------
    fitted : evaluated at the maximum.
    clock : (T,) transformed event times; R's default is `kaplan_meier_clock`.

    References
    ----------
    Grambsch and Therneau (1994), Proportional hazards tests and diagnostics based on weighted residuals, sec. 2.
    """
    k = fitted.score.shape[1]
    if len(clock) < 2:
        return ScoreTest(np.full(k, np.nan), np.full(k, np.nan), np.nan, np.nan)
    clock = clock - clock.mean()
    score = clock @ fitted.score
    plain, once, twice = (
        np.tensordot(clock**power, fitted.information, axes=1) for power in (0, 1, 2)
    )  # information of the coefficients, of both, of the products
    statistic = np.empty(k)
    for j in range(k):
        spread = twice[j, j] - once[j] @ np.linalg.solve(plain, once[j])
        statistic[j] = score[j] ** 2 / spread
    spread = twice - once @ np.linalg.solve(plain, once)
    total = float(score @ np.linalg.solve(spread, score))
    return ScoreTest(statistic, chi2.sf(statistic, 1), total, float(chi2.sf(total, k)))


def kaplan_meier_clock(rows: RiskTime, times: Floats) -> Floats:
    """Transform event times to the share that has had the event just before, so that outliers in time weigh little.

    Parameters
    ----------
    times : (T,) distinct event times.
    """
    curve = SurvfuncRight(rows.stop, rows.event.astype(int), entry=rows.start)
    survival = np.concatenate([[1.0], curve.surv_prob])
    return np.asarray(1.0 - survival[np.searchsorted(curve.surv_times, times, side="left")])


def subdistribution(days: Floats, status: NDArray[np.int64], x: Floats) -> tuple[RiskTime, NDArray[np.int64]]:
    """Set up risk time in which whoever had the competing event stays at risk, weighted by the chance to be still seen.

    Parameters
    ----------
    days : (n,) days to the first event or censoring.
    status : (n,) 1 the event, 2 the competing event, 0 censored.
    x : (n, k) regressors, fixed in time.

    Returns
    -------
    Stretches of risk time, and the row of each. After a competing event at s, the weight at t is G(t−)/G(s−), where G
    is the Kaplan–Meier curve of the time to censoring; an event at t comes before a censoring at t.

    References
    ----------
    Fine and Gray (1999), A proportional hazards model for the subdistribution of a competing risk, sec. 3. Geskus
    (2011), Cause-specific cumulative incidence estimation and the Fine and Gray model, sec. 3.
    """
    censored = np.unique(days[status == 0])
    still = np.array([((days > t) | ((days == t) & (status == 0))).sum() for t in censored])
    lost = np.array([((days == t) & (status == 0)).sum() for t in censored])
    seen = np.concatenate([[1.0], np.cumprod(1.0 - lost / still)])
    end = days.max()
    starts, stops, weights, of = [np.zeros(len(days))], [days.copy()], [np.ones(len(days))], [np.arange(len(days))]
    for i in np.flatnonzero(status == 2):
        first = np.searchsorted(censored, days[i], side="left")
        later = censored[first:]
        later = later[later < end]
        edges = np.concatenate([[days[i]], later[later > days[i]], [end]])
        position = np.searchsorted(censored, edges[1:], side="left")
        starts.append(edges[:-1])
        stops.append(edges[1:])
        weights.append(seen[position] / seen[first])
        of.append(np.full(len(edges) - 1, i))
    start, stop, weight = (np.concatenate(parts) for parts in (starts, stops, weights))
    row = np.concatenate(of)
    event = (status[row] == 1) & (stop == days[row]) & (start == 0)
    keep = (weight > 0) & (start < stop)
    return RiskTime(start[keep], stop[keep], event[keep], x[row[keep]], weight[keep]), row[keep]
