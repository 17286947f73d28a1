"""Detectable effects, equivalence and design errors, against published numbers, closed forms and planted effects."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1] / "robustness"))
from small_study import ols, study, table, target

from analysis.models.estimates import tidy
from analysis.models.linear import fitted
from analysis.models.usable_rows import usable_rows
from analysis.power import (
    design_error,
    equivalence_p,
    minimum_detectable_effect,
    power_of_equivalence,
    power_of_study,
    simulated_estimates,
    summary,
)


@pytest.mark.parametrize(
    ("effect", "std_error", "power", "type_s", "type_m"),
    [(0.1, 3.28, 0.05, 0.46, 77), (2, 8.1, 0.06, 0.24, 9.7)],
    ids=["beauty and sex ratio", "menstrual cycle and voting"],
)
def test_the_examples_of_gelman_and_carlin_are_reproduced(
    effect: float, std_error: float, power: float, type_s: float, type_m: float
) -> None:
    found = design_error(effect, std_error)
    assert (round(found.power, 2), round(found.type_s, 2)) == (power, type_s)
    # Theirs is simulated, from 10,000 draws.
    assert found.type_m == pytest.approx(type_m, rel=0.02)


@pytest.mark.parametrize("df", [6, 40, np.inf])
def test_design_errors_are_those_of_simulated_estimates(df: float) -> None:
    distribution = stats.t(df) if np.isfinite(df) else stats.norm
    drawn = 0.7 + 0.5 * distribution.rvs(size=400_000, random_state=1)
    significant = np.abs(drawn) > 0.5 * stats.t.ppf(0.975, df)
    found = design_error(0.7, 0.5, df)
    assert found.power == pytest.approx(significant.mean(), abs=0.003)
    assert found.type_s == pytest.approx((drawn[significant] < 0).mean(), abs=0.002)
    assert found.type_m == pytest.approx(np.abs(drawn[significant]).mean() / 0.7, rel=0.005)
    assert design_error(-0.7, 0.5, df) == found


def test_the_detectable_effect_is_detected_four_times_out_of_five() -> None:
    assert minimum_detectable_effect(1.0) == pytest.approx(2.801585, abs=1e-6)
    assert design_error(minimum_detectable_effect(0.2), 0.2).power == pytest.approx(0.8, abs=1e-5)


def test_the_equivalence_test_is_the_90_percent_interval() -> None:
    for df in (12, np.inf):
        edge = 0.3 - stats.t.ppf(0.95, df) * 0.1
        assert equivalence_p(edge, 0.1, 0.3, df) == pytest.approx(0.05)
        assert equivalence_p(-edge, 0.1, 0.3, df) == pytest.approx(0.05)
    draws = stats.norm.rvs(size=200_000, random_state=2) * 0.1
    passed = np.abs(draws) + stats.norm.ppf(0.95) * 0.1 < 0.3
    assert power_of_equivalence(0.1, 0.3) == pytest.approx(passed.mean(), abs=0.004)
    assert power_of_equivalence(0.4, 0.3) == 0


@pytest.mark.parametrize(("cluster", "clusters"), [("country", 60), ("country", 35), ("country", 8), (None, 35)])
def test_simulated_power_is_that_of_planting_effects_and_refitting(cluster: str | None, clusters: int) -> None:
    models = {"main": study().models["main"].model_dump() | {"cluster": [cluster] if cluster else []}}
    found = target(study(models=models), table(n=150, clusters=clusters))
    drawn = simulated_estimates(found, 300, np.random.default_rng(1))
    # An outcome with the planted effect, from the same signs as the first draw.
    groups = None if cluster is None else np.unique(found.complete["country"], return_inverse=True)[1]
    g = len(found.y) if groups is None else groups.max() + 1
    signs = np.random.default_rng(1).choice([-1.0, 1.0], size=(300, g))[0]
    residuals = ols(found.y, found.x, None).resid
    if groups is None:
        x = np.column_stack([np.ones(len(found.y)), found.x])
        residuals = residuals / np.sqrt(1 - np.einsum("ij,ji->i", x, np.linalg.pinv(x)))
        planted = 0.2 * found.x[:, found.focal] + residuals * signs
    else:
        n, k = len(found.y), found.x.shape[1] + 1
        residuals = residuals * np.sqrt(g / (g - 1) * (n - 1) / (n - k))
        planted = 0.2 * found.x[:, found.focal] + residuals * signs[groups]
    # Errors and degrees of freedom are those that the model itself has.
    again = usable_rows(replace(found.data, y=pd.Series(planted, index=found.data.y.index)))
    coefficients, _, variance = fitted(again)
    at = again.names.index(found.term)
    refitted = [coefficients[at], variance.std_error[at], variance.df[at]]
    np.testing.assert_allclose([drawn.estimate[0] + 0.2, drawn.std_error[0], drawn.df[0]], refitted, rtol=1e-9)


def test_the_detectable_effect_of_a_study_agrees_with_its_closed_form_and_shrinks_with_its_size() -> None:
    small, large = (
        summary(study(), tidy(power_of_study(study(), table(n=n), draws=600, seed=1).estimates, "small")).loc["works"]
        for n in (200, 800)
    )
    assert small["mde_80"] == pytest.approx(small["mde_80_closed_form"], rel=0.15)
    assert large["mde_80"] == pytest.approx(small["mde_80"] / 2, rel=0.25)
    assert small["power_at_smallest_effect"] < large["power_at_smallest_effect"]
    assert small["false_positives"] == pytest.approx(0.05, abs=0.04)


def test_a_logit_has_the_closed_form_and_says_so() -> None:
    models = {"main": study().models["main"].model_dump() | {"design": "firth", "cluster": []}}
    made = study(models=models)
    power = power_of_study(made, table(), draws=10, seed=1)
    rows = {row.term: row for row in power.estimates}
    assert rows["counted:mde_80"].note == "closed form from the standard error"
    assert rows["counted:mde_80"].estimand == "log odds ratio"
    assert "counted:mde_80_closed_form" not in rows
    assert power.curves["works"]["power"].is_monotonic_increasing


def test_draws_depend_on_the_seed_and_nothing_else() -> None:
    rows = table(n=120)
    first, again = (power_of_study(study(), r, 50, 3).estimates for r in (rows, rows.sample(frac=1, random_state=2)))
    assert [r.estimate for r in first] == pytest.approx([r.estimate for r in again], rel=1e-9)
    assert [r.estimate for r in first] != [r.estimate for r in power_of_study(study(), rows, 50, 4).estimates]


def test_a_hypothesis_that_cannot_be_estimated_says_why() -> None:
    (row,) = power_of_study(study(), table().assign(counted=1.0), 10, 1).estimates
    assert row.term == "counted:mde_80"
    assert row.note.startswith("not estimable: no variation")
