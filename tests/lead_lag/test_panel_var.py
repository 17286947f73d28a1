"""Panel vector autoregressions against statsmodels, against algebra done by hand, and against what was planted."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from made_up_panels import PUBLIC_LEADS, simulated
from statsmodels.tsa.api import VAR

from analysis.models import impulse_responses, panel_var
from analysis.models.design_matrix import NotEstimableError
from analysis.models.panel_var import Floats, Lagged, Moments

SYSTEM = np.array([[0.4, 0.2, 0.0], [0.1, 0.5, 0.1], [0.0, 0.2, 0.3]])


def moments(values: Floats, lags: int, periods: bool = False) -> tuple[Lagged, Moments]:
    rows = panel_var.lagged(values, lags)
    return rows, panel_var.moments(rows, rows.unit, periods)


@pytest.mark.parametrize("lags", [1, 4])
def test_one_unit_is_the_vector_autoregression_of_statsmodels(lags: int) -> None:
    values = simulated(1, 300, SYSTEM, seed=1)
    theirs = VAR(values[0]).fit(lags)
    summed = moments(values, lags)[1]
    mine = panel_var.fit(summed)
    found = impulse_responses.responses(mine, 12)
    assert np.abs(mine.coefficients[0] - theirs.params[1:]).max() < 1e-9
    assert np.abs(mine.residuals[0] - theirs.sigma_u).max() < 1e-9
    assert np.abs(found[0] - theirs.irf(12).irfs).max() < 1e-9
    assert np.abs(impulse_responses.orthogonal(mine, found)[0] - theirs.irf(12).orth_irfs).max() < 1e-9
    assert mine.largest_root[0] == pytest.approx(1 / np.abs(theirs.roots).min(), abs=1e-9)
    criteria = panel_var.criteria(summed)
    assert [criteria[name][-1] for name in ("aic", "bic", "hqic")] == pytest.approx(
        [theirs.aic, theirs.bic, theirs.hqic], abs=1e-9
    )


def test_added_responses_are_those_of_statsmodels() -> None:
    values = simulated(1, 300, SYSTEM, seed=2)
    theirs = VAR(values[0]).fit(2).irf(9).cum_effects
    found = impulse_responses.responses(panel_var.fit(moments(values, 2)[1]), 9)
    assert np.abs(impulse_responses.accumulated(found, [2], [0])[0] - theirs[:, 0, 2]).max() < 1e-9
    both = impulse_responses.accumulated(found, [1, 2], [0])[0]
    assert np.abs(both - theirs[:, 0, 1] - theirs[:, 0, 2]).max() < 1e-9


@pytest.mark.parametrize("periods", [False, True])
def test_unit_and_period_means_are_least_squares_with_dummies(periods: bool) -> None:
    values = simulated(6, 25, SYSTEM, seed=3)
    values[1, 4] = np.nan
    values[4, :9] = np.nan
    rows, summed = moments(values, 2, periods)
    mine = panel_var.fit(summed)
    dummies = [np.eye(6)[rows.unit]]
    dummies += [np.eye(int(rows.period.max()) + 1)[rows.period][:, 1:]] if periods else []
    x = np.hstack([rows.x, *dummies])
    for equation in range(3):
        theirs = sm.OLS(rows.y[:, equation], x).fit(method="qr")
        assert np.abs(mine.coefficients[0, :, equation] - theirs.params[:6]).max() < 1e-9
        assert mine.residuals[0, equation, equation] == pytest.approx(theirs.scale, abs=1e-9)


def test_the_joint_test_is_that_of_clustered_least_squares() -> None:
    values = simulated(12, 40, SYSTEM, seed=4)
    rows, summed = moments(values, 2)
    x = np.hstack([rows.x, np.eye(12)[rows.unit]])
    theirs = sm.OLS(rows.y[:, 0], x).fit(
        method="qr", cov_type="cluster", cov_kwds={"groups": rows.unit, "df_correction": True}, use_t=True
    )
    restrictions = np.zeros((2, x.shape[1]))
    restrictions[0, 1] = restrictions[1, 4] = 1
    wanted = theirs.f_test(restrictions)
    mine = panel_var.granger(summed, [1], [0])
    assert mine.df == 2
    assert mine.df_error == 11
    assert mine.statistic == pytest.approx(float(wanted.fvalue), rel=1e-8)
    assert mine.p_value == pytest.approx(float(wanted.pvalue), rel=1e-6)
    without = sm.OLS(rows.y[:, 0], np.delete(x, [1, 4], axis=1)).fit(method="qr")
    assert panel_var.explained(summed, [1], [0]) == pytest.approx(1 - theirs.ssr / without.ssr, rel=1e-8)


def test_a_leader_held_higher_is_what_a_forward_simulation_holds() -> None:
    coefficients = np.vstack([0.5 * SYSTEM.T, 0.2 * SYSTEM.T])[None]
    fitted = panel_var.Fit(coefficients, np.diag([1.0, 2.0, 3.0])[None] + 0.4)
    for found, impact in (
        (impulse_responses.responses(fitted, 6), np.eye(3)),
        (
            impulse_responses.orthogonal(fitted, impulse_responses.responses(fitted, 6)),
            np.linalg.cholesky(fitted.residuals[0]),
        ),
    ):
        mine = impulse_responses.sustained(found, [1, 2], [0])[0]
        path = [np.zeros(3), np.zeros(3)]
        for _ in range(7):
            free = np.concatenate([path[-1], path[-2]]) @ coefficients[0]
            sizes = np.linalg.solve(impact[1:, 1:], 1 - free[1:])
            path.append(free + impact[:, 1:] @ sizes)
            assert path[-1][1:] == pytest.approx([1, 1], abs=1e-12)
        assert mine == pytest.approx([value[0] for value in path[2:]], abs=1e-12)


def test_what_was_planted_is_recovered() -> None:
    fitted = panel_var.fit(moments(simulated(80, 400, PUBLIC_LEADS, seed=5), 1)[1])
    assert np.abs(fitted.coefficients[0].T - PUBLIC_LEADS).max() < 0.02
    path = impulse_responses.sustained(impulse_responses.responses(fitted, 40), [1], [0])[0]
    assert path[-1] == pytest.approx(0.3 / (1 - 0.5), abs=0.05)


def test_a_draw_of_every_cluster_once_is_the_fit_itself() -> None:
    summed = moments(simulated(9, 60, SYSTEM, seed=6), 2)[1]
    weights = np.vstack([np.ones(9), np.eye(9)[3] * 9])
    drawn, alone = panel_var.fit(summed, weights), panel_var.fit(summed)
    assert np.abs(drawn.coefficients[0] - alone.coefficients[0]).max() < 1e-12
    assert np.abs(drawn.residuals[0] - alone.residuals[0]).max() < 1e-12
    third = moments(simulated(9, 60, SYSTEM, seed=6)[3:4], 2)[1]
    assert np.abs(drawn.coefficients[1] - panel_var.fit(third).coefficients[0]).max() < 1e-9


def test_what_cannot_be_told_apart_is_refused() -> None:
    values = simulated(4, 30, SYSTEM, seed=7)
    with pytest.raises(NotEstimableError, match="collinear"):
        moments(np.concatenate([values, values[:, :, :1]], axis=2), 1)
    with pytest.raises(NotEstimableError, match="30 periods are too few for 40 lags"):
        moments(values, 40)
    values[:, ::3] = np.nan
    with pytest.raises(NotEstimableError, match="no unit is observed in 3 periods in a row"):
        moments(values, 2)
    values = simulated(4, 30, SYSTEM, seed=7)
    with pytest.raises(NotEstimableError, match="3 coefficients cannot be tested jointly with 4 clusters"):
        panel_var.granger(moments(values, 3)[1], [1], [0])
