"""Checks of a model with fixed effects have the numbers of that model refitted, one regression at a time."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from small_study import study as cross_section

from analysis.models.batched import fit_exposures, fit_outcomes, fit_subsets
from analysis.models.design_matrix import NotEstimableError, design_matrix
from analysis.models.estimates import Estimate
from analysis.models.fixed_effects import Effects
from analysis.models.linear import fitted
from analysis.models.usable_rows import usable_rows
from analysis.models.vcov import crv1, robust
from analysis.power import power_of_study, simulated_estimates
from analysis.robustness.hidden import hidden_confounding
from analysis.robustness.leave_one_out import leave_one_out
from analysis.robustness.permutation import exchangeable, permutations, positions, randomisation
from analysis.robustness.sensitivity import robustness_value
from analysis.robustness.specification import choices, specification_curve
from analysis.robustness.targets import Target, targets
from analysis.study.spec import Study

sys.path.insert(0, str(Path(__file__).parents[1] / "regression"))
from regression_data import panel

CLOSE = {"rtol": 1e-7, "atol": 0}


def study(permute: str = "units", absorb: tuple[str, ...] = ("unit_id", "period"), **choice: Any) -> Study:
    """A panel of countries: a score explained by posts and age, within countries and years."""
    return cross_section(
        unit={"noun": "country", "plural": "countries", "attributes": ["region"], "grain": "year"},
        exposures={
            "posts": {"label": "Posts", "indicators": ["posts"]},
            "early": {"label": "Early", "indicators": ["posts"]},
        },
        outcomes={"score": {"label": "Score", "type": "continuous"}},
        covariates={
            "age": {"label": "Age", "context": "age"},
            "size": {"label": "Size", "context": "size"},
        },
        models={
            "main": {
                "label": "Main", "design": "ols", "formula": "score ~ posts + age", "absorb": list(absorb),
                "cluster": "unit_id",
            }
        },
        hypotheses={
            "works": {
                "statement": "It works.", "origin": ["keck-sikkink"], "expects": "positive", "smallest_effect": 0.2,
                "decided_by": {"model": "main", "term": "posts"},
            }
        },
        robustness={"main": {"permute": permute, **choice}},
    )  # fmt: skip


def table(
    seed: int = 1, units: int = 60, periods: int = 6, lost: float = 0.15, effect: float | None = None
) -> pd.DataFrame:
    made = panel(seed, units, periods, lost)
    random = np.random.default_rng(seed + 100)
    n = len(made)
    y = made["y"] if effect is None else made["y"] + (effect - 0.5) * made["a"]
    rows = pd.DataFrame(
        {
            "outcome": "score", "unit_id": [f"c{u:02d}" for u in made["unit"]],
            "period": (2000 + made["period"]).astype("str"),
            "excluded": "", "value": y, "posts": made["a"], "early": made["a"] + 0.3 * random.normal(size=n),
            "age": made["b"], "size": np.where(random.random(n) < 0.1, np.nan, made["size"]),
            "region": [f"r{u % 5}" for u in made["unit"]],
        }
    )  # fmt: skip
    return rows.assign(posts_naive=rows["posts"], early_naive=rows["early"])


def target(made: Study | None = None, rows: pd.DataFrame | None = None) -> Target:
    found = next(iter(targets(made or study(), table() if rows is None else rows)))
    assert isinstance(found, Target), found
    return found


def refitted(
    rows: pd.DataFrame, formula: str, cluster: str | None = "unit_id", made: Study | None = None
) -> tuple[float, float, int]:
    """Estimate, CRV1 (or HC1) error and rows of the first term, by `analysis.models.linear`."""
    model = (made or study()).models["main"].model_copy(update={"formula": formula})
    usable = usable_rows(design_matrix(made or study(), model, rows.rename(columns={"value": "score"})))
    coefficients, fit, _ = fitted(usable)
    if cluster is None:
        variance = robust(fit, None)
    else:
        labels = rows.loc[usable.data.x.index, cluster]
        variance = crv1(fit, cluster, pd.factorize(labels, sort=True)[0])
    return float(coefficients[0]), float(variance.std_error[0]), len(usable.y)


@pytest.mark.parametrize("clustered", [True, False])
def test_batched_regressions_absorb_as_one_at_a_time(clustered: bool) -> None:
    made = panel()
    effects = Effects.of(made[["unit", "period"]])
    clusters = made["unit"].to_numpy(np.intp) if clustered else None
    x, y = made[["a", "b", "size"]].to_numpy(), made["y"].to_numpy()
    others = np.random.default_rng(1).normal(size=(len(made), 30))

    def one(outcome: np.ndarray, columns: np.ndarray) -> list[float]:
        full = np.column_stack([columns, pd.get_dummies(made["unit"]), pd.get_dummies(made["period"]).iloc[:, 1:]])
        fit = sm.OLS(outcome, full.astype(float)).fit(cov_type="HC0")
        rank = columns.shape[1] + (8 if clustered else 67)
        if clusters is None:
            return [fit.params[0], fit.bse[0] * np.sqrt(len(made) / (len(made) - rank))]
        scores = np.linalg.pinv(full.astype(float))[0] * fit.resid
        meat = (np.bincount(clusters, scores) ** 2).sum() * 60 / 59 * (len(made) - 1) / (len(made) - rank)
        return [fit.params[0], np.sqrt(meat)]

    subsets = np.array([[True, True, True], [True, False, True], [True, False, False]])
    fits = fit_subsets(x, y, subsets, 0, clusters, effects)
    for i, some in enumerate(subsets):
        np.testing.assert_allclose([fits.estimate[i], fits.std_error[i]], one(y, x[:, some]), **CLOSE)
    fits = fit_exposures(others, y, x[:, 1:], clusters, effects)
    many = fit_outcomes(others, x, 0, clusters, effects)
    for i in (0, 29):
        expected = one(y, np.column_stack([others[:, i], x[:, 1:]]))
        np.testing.assert_allclose([fits.estimate[i], fits.std_error[i]], expected, **CLOSE)
        np.testing.assert_allclose([many.estimate[i], many.std_error[i]], one(others[:, i], x), **CLOSE)
    held = np.sin(made["unit"].to_numpy())[:, None]
    assert np.isnan(fit_exposures(held, y, x[:, 1:], clusters, effects).estimate[0]), "it does not vary within units"


def test_the_specification_curve_is_the_model_refitted() -> None:
    made = study(
        adjust=["age", "size"],
        exposures=["early"],
        clusters=["region", "none"],
        samples={"south": {"drop": {"region": ["r0"]}}},
    )
    rows = table()
    _, curve = specification_curve(target(made, rows), draws=0, seed=1)
    assert len(curve) == len(choices(target(made, rows))) == 2 * 4 * 2 * 3
    for row in curve.itertuples():
        sample = rows if row.sample != "south" else rows[rows["region"] != "r0"]
        covariates = [] if row.covariates == "none" else row.covariates.split(" + ")
        cluster = None if row.cluster in ("none", "region") else row.cluster
        expected = refitted(sample, " + ".join([f"score ~ {row.exposure}", *covariates]), cluster, made)
        np.testing.assert_allclose([row.estimate, row.std_error, row.n_obs], expected, **CLOSE)
        assert row.vcov == ("CRV1(unit_id)" if cluster else "HC1")


def test_the_joint_test_and_the_order_of_rows() -> None:
    made = study(adjust=["age"])
    rows, curve = specification_curve(target(made, table()), draws=49, seed=2)
    mixed, again = specification_curve(target(made, table().sample(frac=1, random_state=3)), draws=49, seed=2)
    pd.testing.assert_frame_equal(curve, again, rtol=1e-9)
    by_term = {row.term: row for row in rows}
    assert by_term["posts:median"].p_value == 1 / 50
    assert by_term["posts:median"].p_value == next(r.p_value for r in mixed if r.term == "posts:median")
    assert by_term["posts:median"].estimand == "median over specifications, difference in score"


def test_units_exchange_whole_paths_and_only_with_units_seen_in_the_same_periods() -> None:
    found = target(rows=table(units=30, lost=0.1))
    strata, units = exchangeable(found, found.complete, ["posts"])
    (block,) = permutations(np.random.default_rng(1), strata, units, 20, positions(units))
    period, unit = found.complete["period"].to_numpy(), found.complete["unit_id"].to_numpy()
    for drawn in block.T:
        assert (period[drawn] == period).all()
        assert sorted(drawn) == list(range(len(drawn))), "every row is given away once"
        pairs = pd.DataFrame({"own": unit, "donor": unit[drawn]}).drop_duplicates()
        assert not pairs["own"].duplicated().any(), "a unit gets the path of one unit"
    assert (block != np.arange(len(unit))[:, None]).any()


def test_cells_exchange_within_their_period() -> None:
    found = target(study("cells"), table(units=30))
    strata, units = exchangeable(found, found.complete, ["posts"])
    (block,) = permutations(np.random.default_rng(1), strata, units, 20)
    period = found.complete["period"].to_numpy()
    assert all((period[drawn] == period).all() for drawn in block.T)
    assert "over units within period; statistic" in randomisation(found, 9, 1).note


def test_randomisation_refits_the_model_with_exchanged_paths() -> None:
    found = target(rows=table(units=55, lost=0.0))
    row = randomisation(found, 199, seed=3)
    assert row.p_value == 1 / 200
    assert row.estimand == "difference in score"
    assert "over whole paths of units over time; statistic: |t| with CRV1(unit_id) errors" in row.note
    assert "keep their exposure" not in row.note
    expected = refitted(found.rows.rename(columns={"score": "value"}), "score ~ posts + age")
    np.testing.assert_allclose([row.estimate, row.std_error], expected[:2], **CLOSE)
    alone = randomisation(target(rows=table(lost=0.5)), 9, seed=3)
    assert "units, observed in periods of their own, keep their exposure" in alone.note


@pytest.mark.slow
def test_randomisation_keeps_its_level_with_exposures_that_persist() -> None:
    rejected = {"units": 0, "cells": 0}
    for seed in range(60):
        random = np.random.default_rng(seed)
        rows = table(seed, units=24, periods=8, lost=0.0)
        # A walk each: exposures and errors of one unit hang together over time, and have nothing to do with each other.
        for name in ("value", "posts"):
            rows[name] = random.normal(size=(24, 8)).cumsum(axis=1).ravel()
        for permute in rejected:
            model = study(permute).models["main"].model_copy(update={"cluster": []})
            made = study(permute).model_copy(update={"models": {"main": model}})
            rejected[permute] += randomisation(target(made, rows), 59, seed).p_value <= 0.05
    assert rejected["units"] / 60 == pytest.approx(0.05, abs=0.085)
    assert rejected["cells"] / 60 > 0.15, "cells are not exchangeable where exposures persist"


def test_leaving_out_a_unit_or_a_cluster_is_refitting_without_it() -> None:
    for cluster, absorb in (
        ("unit_id", ("unit_id", "period")),
        ("region", ("unit_id", "period")),
        ("region", ("period",)),
    ):
        made = study(absorb=absorb)
        model = made.models["main"].model_copy(update={"cluster": [cluster]})
        made = made.model_copy(update={"models": {"main": model}})
        rows = table(units=25)
        _, left = leave_one_out(target(made, rows))
        assert set(left["left_out"]) == ({"unit"} if cluster == "unit_id" else {"unit", "region"})
        for kind, name, estimate in left.sample(8, random_state=1).itertuples(index=False):
            column = "unit_id" if kind == "unit" else kind
            expected = refitted(rows[rows[column] != name], "score ~ posts + age", None, made)[0]
            assert estimate == pytest.approx(expected, rel=1e-7)


def test_hidden_confounding_is_judged_within_the_effects() -> None:
    found = target()
    rows = {row.term: row for row in hidden_confounding(found)}
    made = panel(1, 60, 6, 0.15)
    full = np.column_stack([made[["a", "b"]], pd.get_dummies(made["unit"]), pd.get_dummies(made["period"]).iloc[:, 1:]])
    fit = sm.OLS(made["y"], full.astype(float)).fit()
    t, df = fit.tvalues.iloc[0], fit.df_resid
    assert rows["posts:partial_r2"].estimate == pytest.approx(t**2 / (t**2 + df), rel=1e-7)
    f = abs(t) / np.sqrt(df)
    assert rows["posts:robustness_value"].estimate == pytest.approx((np.sqrt(f**4 + 4 * f**2) - f**2) / 2, rel=1e-7)
    at_5 = rows["posts:robustness_value_5pct"].estimate
    assert at_5 == pytest.approx(robustness_value(t, df, alpha=0.05), rel=1e-7), "degrees of freedom less the effects"
    assert "posts:e_value" not in rows, "a score has no risk ratio"
    assert rows["posts:beside_age"].estimand.startswith("difference in score that a confounder as strong as age")
    assert "within the fixed effects" in rows["posts:delta"].note


def test_singletons_are_no_part_of_the_checks() -> None:
    rows = table()
    alone = rows.iloc[[0]].assign(unit_id="c99", value=1e6)
    before, after = (target(rows=r) for r in (rows, pd.concat([rows, alone], ignore_index=True)))
    assert len(after.y) == len(before.y)
    assert randomisation(after, 19, 1).estimate == pytest.approx(randomisation(before, 19, 1).estimate)


def test_what_cannot_be_probed_says_why() -> None:
    held = next(iter(targets(study(), table().assign(posts=lambda t: t["region"].str[1:].astype(float)))))
    assert isinstance(held, Estimate)
    assert held.note.startswith("not estimable: the fixed effects of unit_id, period determine posts")
    model = study().models["main"].model_copy(update={"weights": "size"})
    weighted = next(iter(targets(study().model_copy(update={"models": {"main": model}}), table())))
    assert isinstance(weighted, Estimate)
    assert "the checks do not weigh rows" in weighted.note
    with pytest.raises(NotEstimableError, match="varies within a region, so that whole clusters cannot be exchanged"):
        by_region = study("clusters").models["main"].model_copy(update={"cluster": ["region"]})
        made = study("clusters").model_copy(update={"models": {"main": by_region}})
        randomisation(target(made), 9, 1)


@pytest.mark.parametrize("units", [20, 60])
def test_power_simulates_the_panel_with_the_errors_that_it_has(units: int) -> None:
    found = target(rows=table(units=units))
    drawn = simulated_estimates(found, 200, np.random.default_rng(1))
    groups = np.unique(found.complete["unit_id"], return_inverse=True)[1]
    usable = usable_rows(found.data)
    _, fit, _ = fitted(usable)
    g, n = groups.max() + 1, len(found.y)
    signs = np.random.default_rng(1).choice([-1.0, 1.0], size=(200, g))[0]
    factor = np.sqrt(g / (g - 1) * (n - 1) / (n - fit.parameters([groups])))
    planted = 0.3 * found.data.x["posts"] + fit.residuals * factor * signs[groups]
    coefficients, _, variance = fitted(usable_rows(replace(found.data, y=planted)))
    expected = [coefficients[0], variance.std_error[0], variance.df[0]]
    np.testing.assert_allclose([drawn.estimate[0] + 0.3, drawn.std_error[0], drawn.df[0]], expected, **CLOSE)
    rows = {row.term: row for row in power_of_study(study(), table(units=units), 300, 1).estimates}
    assert rows["posts:mde_80"].estimand == "difference in score"
    assert rows["posts:mde_80"].note == "300 simulated samples"
    assert rows["posts:mde_80"].estimate == pytest.approx(rows["posts:mde_80_closed_form"].estimate, rel=0.2)
    assert rows["posts:false_positives"].estimate == pytest.approx(0.05, abs=0.05)
