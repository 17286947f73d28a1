"""Sensitivity to hidden confounding reproduces published numbers and planted confounders."""

from __future__ import annotations

import numpy as np
import pytest
from small_study import ols, study, table, target

from analysis.robustness.hidden import hidden_confounding
from analysis.robustness.sensitivity import (
    benchmark_bound,
    e_value,
    e_value_of_limit,
    oster_delta,
    partial_r2,
    robustness_value,
)

# Cinelli and Hazlett (2020), table 1: exposure to violence and attitudes to peace in Darfur. The digits beyond the
# printed ones are those of their package sensemakr for the same regression.
ESTIMATE, STD_ERROR, DF = 0.09731582, 0.02325654, 783


def test_the_darfur_example_is_reproduced() -> None:
    t = ESTIMATE / STD_ERROR
    assert partial_r2(t, DF) == pytest.approx(0.02187309, abs=1e-8)
    assert robustness_value(t, DF) == pytest.approx(0.1387764, abs=1e-7)
    assert robustness_value(t, DF, alpha=0.05) == pytest.approx(0.07625797, abs=1e-7)


def test_the_darfur_bounds_are_reproduced_from_the_benchmark_female() -> None:
    r2_exposure = 0.00916428667504862 / 1.00916428667504862
    shared = r2_exposure**2 / (1 - r2_exposure) ** 2
    f2_outcome = 0.12464092303637 * (1 - shared) / (1 + np.sqrt(shared)) ** 2
    r2_outcome = f2_outcome / (1 + f2_outcome)
    published = {
        1: (0.00916428667504862, 0.12464092303637, 0.0752202698, 0.0218733298, 3.4389034739),
        2: (0.0183285733500972, 0.249324064199975, 0.0529151689, 0.0203500640, 2.6002458239),
        3: (0.0274928600251459, 0.374050471038094, 0.0303960179, 0.0186700666, 1.6280615687),
    }
    for times, expected in published.items():
        bound = benchmark_bound(ESTIMATE, STD_ERROR, DF, r2_exposure, r2_outcome, times)
        found = (bound.r2_exposure, bound.r2_outcome, bound.estimate, bound.std_error, bound.statistic)
        assert found == pytest.approx(expected, rel=1e-8)


def test_a_confounder_of_the_robustness_value_takes_the_estimate_to_zero() -> None:
    value = robustness_value(ESTIMATE / STD_ERROR, DF)
    bias = STD_ERROR * np.sqrt(DF) * np.sqrt(value * value / (1 - value))
    assert bias == pytest.approx(ESTIMATE, rel=1e-12)
    assert robustness_value(1.0, DF, alpha=0.05) == 0


def test_a_bound_is_what_adjusting_for_a_confounder_as_strong_as_the_benchmark_gives() -> None:
    # Orthogonal columns: z is as strong with exposure and outcome as the observed x, and independent of it.
    q = np.linalg.qr(np.column_stack([np.ones(200), np.random.default_rng(2).normal(size=(200, 4))]))[0][:, 1:]
    x, z, noise, error = q.T * np.sqrt(200)
    d = x + z + 2 * noise
    y = 0.5 * d + x + z + 3 * error
    short, full = ols(y, np.column_stack([d, x]), None), ols(y, np.column_stack([d, x, z]), None)
    classical = short.model.fit(method="qr")
    r2_exposure = 1 - 5 / 6
    without = ols(y, d[:, None], None)
    bound = benchmark_bound(
        classical.params[1], classical.bse[1], classical.df_resid, r2_exposure, 1 - short.ssr / without.ssr
    )
    assert 0 <= bound.estimate <= full.params[1], "the bound is the least that such a confounder can leave"


def test_the_published_e_values_are_reproduced() -> None:
    # VanderWeele and Ding (2017): maternal breastfeeding and respiratory death, risk ratio 3.9 (1.8 to 8.7).
    assert e_value(3.9) == pytest.approx(7.26, abs=0.005)
    assert e_value_of_limit(1.8, 8.7) == pytest.approx(3.0, abs=0.005)
    assert e_value(1 / 3.9) == pytest.approx(e_value(3.9), rel=1e-12)
    assert e_value_of_limit(0.8, 1.3) == 1
    assert np.isnan(e_value(-0.1))


def test_delta_is_the_planted_ratio_of_selection() -> None:
    q = np.linalg.qr(np.column_stack([np.ones(50), np.random.default_rng(1).normal(size=(50, 5))]))[0][:, 1:]
    observed, unobserved, own, error, _ = q.T
    x = 0.7 * observed + 0.5 * unobserved + 1.1 * own
    y = 0.4 * x + 1.3 * observed + 0.8 * unobserved + 0.9 * error
    planted = (0.5 / 0.8) / (0.7 / 1.3)
    r2_max = 1 - 0.9**2 / (y @ y)
    assert oster_delta(y, x, observed[:, None], r2_max, beta=0.4) == pytest.approx(planted, rel=1e-9)


def test_a_target_gets_every_measure_with_its_benchmarks() -> None:
    rows = {row.term: row for row in hidden_confounding(target())}
    assert set(rows) == {
        "counted:partial_r2", "counted:robustness_value", "counted:robustness_value_5pct", "counted:beside_kind",
        "counted:beside_age", "counted:e_value", "counted:e_value_limit", "counted:delta",
    }  # fmt: skip
    assert all(np.isfinite(row.estimate) for row in rows.values())
    only = study(robustness={"main": {"benchmarks": ["age"]}})
    assert "counted:beside_kind" not in {row.term for row in hidden_confounding(target(only, table()))}
