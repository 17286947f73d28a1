"""The partial likelihood of all event times at once is that of its definition, taken one at a time."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.models import partial_likelihood as module
from analysis.models.partial_likelihood import RiskTime, Ties, partial_likelihood

Floats = NDArray[np.float64]


def risk_time(n: int = 80, k: int = 2, last: int = 15) -> RiskTime:
    """Late entries, ties and unequal weights; the first regressor is large, as a year is."""
    rng = np.random.default_rng(n + k)
    start = rng.integers(0, last // 2, n).astype(float)
    x = rng.normal(size=(n, k)) + np.array([2012.0, *np.zeros(k - 1)])
    return RiskTime(start, start + rng.integers(1, last, n), rng.random(n) < 0.5, x, rng.uniform(0.5, 2, n))


def by_definition(rows: RiskTime, beta: Floats, ties: Ties) -> tuple[float, Floats, Floats, Floats]:
    """Therneau and Grambsch (2000), eq. 3.8 to 3.10 and sec. 4.6, with the mean weight of tied events."""
    n, k = rows.x.shape
    value, score, information, residuals = 0.0, np.zeros(k), np.zeros((k, k)), np.zeros((n, k))
    linear = rows.x @ beta
    linear -= linear.max()
    for time in np.unique(rows.stop[rows.event]):
        at_risk = (rows.start < time) & (time <= rows.stop)
        died = at_risk & rows.event & (rows.stop == time)
        count, each = int(died.sum()), rows.weight[died].mean()
        value += float(rows.weight[died] @ linear[died])
        for tied in range(count):
            left = np.where(died, 1 - tied / count * (ties == "efron"), 1.0) * at_risk
            risk = left * rows.weight * np.exp(linear)
            mean = risk @ rows.x / risk.sum()
            centred = rows.x - mean
            value -= each * float(np.log(risk.sum()))
            score += rows.weight[died] @ rows.x[died] / count - each * mean
            information += each * (centred.T * risk) @ centred / risk.sum()
            residuals -= each * centred * (risk / risk.sum() / rows.weight)[:, None]
            residuals[died] += (rows.x[died] - mean) / count
    return value, score, information, residuals


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("cells", [1, 500, 1 << 16])
def test_it_is_that_of_the_definition_in_blocks_of_any_size(
    ties: Ties, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CELLS", cells)
    rows, beta = risk_time(), np.array([0.4, -0.3])
    found, expected = partial_likelihood(rows, beta, ties), by_definition(rows, beta, ties)
    assert found.log_likelihood == pytest.approx(expected[0], rel=1e-10)
    np.testing.assert_allclose(found.score.sum(axis=0), expected[1], atol=1e-7)
    np.testing.assert_allclose(found.information.sum(axis=0), expected[2], rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found.residuals, expected[3], atol=1e-8)


@pytest.mark.parametrize("event", [False, True])
def test_without_events_it_is_zero(event: bool) -> None:
    rows = risk_time()
    none = RiskTime(rows.start, rows.stop, rows.event & event, rows.x, rows.weight)
    found = partial_likelihood(none, np.zeros(2))
    assert (found.log_likelihood == 0, len(found.times) == 0) == (not event, not event)
