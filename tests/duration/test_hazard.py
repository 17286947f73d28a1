"""The hazard model equals the library's where events have a day, and uses intervals where they have not."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize

from analysis.models.design_matrix import NotEstimableError
from analysis.models.hazard import fit_hazard


def draw(n: int = 400, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Days to event under a hazard that doubles with x, censored at 60, and one regressor."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2, n).astype(float)
    days = np.ceil(rng.exponential(1 / (0.02 * np.exp(np.log(2) * x))))
    return np.minimum(days, 60), days <= 60, x


def test_dated_events_give_the_binomial_model_of_one_row_a_day() -> None:
    days, event, x = draw(80)
    daily = [(x[i], float(event[i] and d == days[i])) for i in range(len(x)) for d in np.arange(1, days[i] + 1)]
    exog = np.array([[1.0, row[0]] for row in daily])
    link = sm.families.links.CLogLog()
    binomial = sm.GLM([y for _, y in daily], exog, family=sm.families.Binomial(link))
    library = binomial.fit(tol=1e-12)
    # The same in two spells a unit: the days surely without an event, and the day of the event.
    clear = days - event
    lengths, regressors, spells, ends = [], [], [], []
    for i in range(len(x)):
        for length, end in ((clear[i], False), (1.0, True)):
            if length > 0 and (not end or event[i]):
                spells.append(len(ends))
                lengths.append(length)
                regressors.append([1.0, x[i]])
                ends.append(end)
    fit = fit_hazard(np.array(lengths), np.array(regressors), np.array(spells), np.array(ends))
    assert fit.coefficients == pytest.approx(library.params, abs=1e-7)
    assert fit.information == pytest.approx(-binomial.hessian(library.params), rel=1e-6)
    assert fit.score.sum(axis=0) == pytest.approx([0, 0], abs=1e-6)


def test_joined_stretches_maximise_the_interval_censored_likelihood() -> None:
    """An independent maximisation of Σ log(S(left) − S(right)), with a regressor that changes inside the interval."""
    rng = np.random.default_rng(5)
    left = rng.integers(1, 30, 60).astype(float)
    width, switch, censored = rng.integers(2, 20, 60), rng.integers(0, 40, 60), rng.random(60) < 0.3

    def hazard(b: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        before = np.clip(np.minimum(stop, switch) - start, 0, None)
        return np.exp(b[0]) * (before + (stop - start - before) * np.exp(b[1]))

    def loss(b: np.ndarray) -> float:
        gone = np.where(censored, 0.0, np.log(-np.expm1(-hazard(b, left, left + width))))
        return float(hazard(b, np.zeros(60), left).sum() - gone.sum())

    independent = minimize(loss, [-3.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    rows, event = [], []
    for i in range(60):
        for start, stop, end in ((0.0, left[i], False), (left[i], left[i] + width[i], True)):
            if end and censored[i]:
                continue
            cut = float(np.clip(switch[i], start, stop))
            rows += [(b - a, 1.0, on, len(event)) for a, b, on in ((start, cut, 0.0), (cut, stop, 1.0)) if b > a]
            event.append(end)
    table = np.array(rows)
    fit = fit_hazard(table[:, 0], table[:, 1:3], table[:, 3].astype(int), np.array(event))
    assert fit.coefficients == pytest.approx(independent.x, abs=1e-5)
    assert fit.log_likelihood == pytest.approx(-independent.fun, abs=1e-8)


def test_wide_intervals_lose_precision_and_not_truth() -> None:
    days, event, x = draw(4000)
    left = np.floor((days - 1) / 20) * 20
    lengths = np.concatenate([np.where(event, left, days), np.where(event, 20.0, 0.0)])
    spells, ends = np.arange(8000), np.repeat([False, True], 4000)
    kept = lengths > 0
    regressors = np.column_stack([np.ones(8000), np.tile(x, 2)])
    fit = fit_hazard(lengths[kept], regressors[kept], np.unique(spells[kept], return_inverse=True)[1], ends[kept])
    error = np.sqrt(np.linalg.inv(fit.information)[1, 1])
    assert abs(fit.coefficients[1] - np.log(2)) < 2 * error
    assert error < 0.06


def test_group_without_an_event_is_refused() -> None:
    x = np.column_stack([np.ones(6), [0, 0, 0, 1, 1, 1]])
    event = np.array([True, True, False, False, False, False])
    with pytest.raises(NotEstimableError, match="a group or period has no event"):
        fit_hazard(np.full(6, 10.0), x, np.arange(6), event)
