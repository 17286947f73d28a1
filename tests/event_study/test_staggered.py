"""Estimators of staggered adoption: published numbers, a second implementation, planted effects, invariance."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import adoption_study as made
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.models.design_matrix import NotEstimableError
from analysis.models.imputed import imputation
from analysis.models.staggered import Rules, callaway_santanna, stacked
from analysis.models.staggered_panel import Panel, staggered_panel
from analysis.models.sun_abraham import sun_abraham
from analysis.models.two_way import bacon, twfe

HERE = Path(__file__).parent
RULES = Rules(leads=4, lags=3)
EVERY = [callaway_santanna, sun_abraham, imputation, stacked]


def medicaid(**kept: bool) -> Panel:
    """Share of low-income childless adults with health insurance in 46 US states, by year of Medicaid's expansion.

    Data of the American Community Survey, as in Mixtape-Sessions/Advanced-DID, Exercises/Data/ehec_data.csv.
    """
    wide = pd.read_csv(HERE / "medicaid.csv")
    rows = wide.melt(["state", "cohort"], var_name="period", value_name="y").rename(columns={"state": "unit"})
    rows = rows.astype({"period": "int64"})
    return staggered_panel(rows if kept.get("never", True) else rows[rows["cohort"].notna()])


def test_callaway_santanna_equals_the_published_effects_of_medicaid() -> None:
    # R's did, in Mixtape-Sessions/Advanced-DID, Exercise 1, question 2; its errors are from a bootstrap.
    published = {
        (2014, 2014): 0.0467, (2014, 2015): 0.0692, (2014, 2019): 0.0803, (2015, 2015): 0.0491, (2015, 2019): 0.0738,
        (2016, 2016): 0.0317, (2016, 2019): 0.0825, (2017, 2018): 0.0681, (2019, 2019): 0.0365,
    }  # fmt: skip
    found = callaway_santanna(medicaid(), RULES)
    assert found.cells is not None
    cells = found.cells.set_index(["cohort", "period"])
    assert {key: round(cells["estimate"][key], 4) for key in published} == published
    assert cells["std_error"][(2014, 2014)] == pytest.approx(0.0088, rel=0.06)
    assert round(found.overall, 3) == 0.068
    assert found.error == pytest.approx(0.008, abs=0.0005)


def test_callaway_santanna_equals_the_published_effect_without_states_that_never_expanded() -> None:
    # Question 7 of the same exercise.
    found = callaway_santanna(medicaid(never=False), RULES)
    assert round(found.overall, 4) == 0.0728
    assert found.error == pytest.approx(0.0092, rel=0.08)
    with pytest.raises(NotEstimableError, match="no unit is never exposed; use `comparison: not_yet_treated`"):
        callaway_santanna(medicaid(never=False), Rules("never_treated"))


@pytest.mark.parametrize(
    ("never", "coefficient", "error", "weight", "clean", "forbidden"),
    [(True, 0.070321, 0.007401, 0.05827, None, 0.04486), (False, 0.062817, 0.007653, 0.28098, 0.06983, 0.04486)],
)
def test_two_way_effects_and_their_decomposition_equal_the_published(
    never: bool, coefficient: float, error: float, weight: float, clean: float | None, forbidden: float
) -> None:
    # R's fixest and bacondecomp, questions 5, 6, 7 and 8 of the same exercise.
    panel = medicaid(never=never)
    found = bacon(panel)
    assert [round(number, 6) for number in twfe(panel)] == [coefficient, error]
    assert round(found.forbidden_weight, 5) == weight
    assert found.clean_weight + found.forbidden_weight == pytest.approx(1, abs=1e-12)
    assert round(found.forbidden, 5) == forbidden
    mean = found.clean * found.clean_weight + found.forbidden * found.forbidden_weight
    assert mean == pytest.approx(twfe(panel)[0], abs=1e-12)
    if clean is not None:
        assert round(found.clean, 5) == clean


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("comparison", ["never_treated", "not_yet_treated"])
def test_callaway_santanna_equals_csdid(comparison: str, weighted: bool) -> None:
    from csdid.att_gt import ATTgt

    rows = made.panel(n=60).assign(cluster=lambda t: t["unit"])
    panel = staggered_panel(rows if weighted else rows.drop(columns="weight"))
    found = callaway_santanna(panel, Rules(comparison, leads=4, lags=3))  # type: ignore[arg-type]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = ATTgt(
            yname="y", gname="cohort", idname="unit", tname="period", data=panel.rows.copy(), xformla="y~1",
            control_group=[comparison.replace("_", "")], weights_name="weight" if weighted else None,
        ).fit(est_method="dr", base_period="universal", bstrap=False)  # fmt: skip
        simple = other.aggte(typec="simple", bstrap=False, cband=False).atte
        dynamic = other.aggte(typec="dynamic", bstrap=False, cband=False).atte
    # csdid has no factor G / (G - 1) for its clusters.
    factor = np.sqrt(panel.n_clusters / (panel.n_clusters - 1))
    assert found.overall == pytest.approx(float(simple["overall_att"]), abs=1e-10)
    assert found.error == pytest.approx(factor * float(np.ravel(simple["overall_se"])[0]), abs=1e-10)
    assert list(found.events.index) == [int(e) for e in dynamic["egt"]]
    assert found.events["estimate"].to_numpy() == pytest.approx(np.asarray(dynamic["att_egt"]), abs=1e-10)
    errors = factor * np.ravel(dynamic["se_egt"]).astype("float64")
    assert found.events["std_error"].to_numpy() == pytest.approx(errors, abs=1e-10, nan_ok=True)


def test_covariates_equal_csdid_and_take_away_the_trend_that_they_bring() -> None:
    from csdid.att_gt import ATTgt

    rows = made.panel(n=600, noise=0.3)
    rows["x"] = rows["x"] + 0.7 * (rows["cohort"] > 0)
    rows["y"] += 0.4 * rows["x"] * (rows["period"] - made.FIRST)
    data = rows.drop(columns=["weight", "cluster"])
    panel = staggered_panel(data, ("x",))
    found, plain = callaway_santanna(panel, RULES), callaway_santanna(staggered_panel(data), RULES)
    truth = rows.loc[rows["effect"] > 0, "effect"].mean()
    assert abs(found.overall - truth) < 4 * found.error
    assert abs(plain.overall - truth) > 4 * plain.error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = ATTgt(
            yname="y", gname="cohort", idname="unit", tname="period", data=panel.rows.copy(), xformla="y~x",
            control_group=["notyettreated"],
        ).fit(est_method="dr", base_period="universal", bstrap=False)  # fmt: skip
        simple = other.aggte(typec="simple", bstrap=False, cband=False).atte
    assert found.overall == pytest.approx(float(simple["overall_att"]), abs=2e-4)


@pytest.mark.parametrize("share", [1.0, 0.85])
def test_sun_abraham_cohort_by_cohort_equals_the_whole_regression(share: float) -> None:
    from diff_diff import SunAbraham

    panel = staggered_panel(made.panel(n=60).drop(columns="weight").sample(frac=share, random_state=2))
    found = sun_abraham(panel, RULES)
    columns = {"outcome": "y", "unit": "unit", "time": "period", "first_treat": "cohort"}
    whole = SunAbraham(cluster="cluster").fit(panel.rows, **columns)
    assert found.overall == pytest.approx(whole.overall_att, abs=1e-10)
    assert found.error == pytest.approx(whole.overall_se, abs=1e-10)
    for time, effect in whole.event_study_effects.items():
        assert found.events["estimate"][time] == pytest.approx(effect["effect"], abs=1e-10)
        assert found.events["std_error"][time] == pytest.approx(effect["se"], abs=1e-10)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("share", "never", "anticipation"), [(1.0, True, 0), (0.85, True, 0), (1.0, False, 1)])
def test_imputation_of_all_at_once_equals_that_of_one_horizon_at_a_time(
    weighted: bool, share: float, never: bool, anticipation: int
) -> None:
    from diff_diff import ImputationDiD, SurveyDesign

    rows = made.panel(n=40).sample(frac=share, random_state=2)
    rows = rows if weighted else rows.drop(columns="weight")
    panel = staggered_panel(rows if never else rows[rows["cohort"] > 0], anticipation=anticipation)
    found = imputation(panel, Rules(anticipation=anticipation, leads=4, lags=3))
    columns = {"outcome": "y", "unit": "unit", "time": "period", "first_treat": "cohort"}
    design = {"survey_design": SurveyDesign(weights="weight", psu="cluster")} if weighted else {}
    estimator = ImputationDiD(anticipation=anticipation, cluster="cluster", pretrends=True, horizon_max=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = estimator.fit(panel.rows, **columns, **design)
        events = other.aggregate("event_study")
    assert (found.overall, found.error) == pytest.approx((other.overall_att, other.overall_se), abs=1e-9)
    assert list(found.events.index) == sorted(int(e) for e in events.event_time)
    expected = pd.DataFrame({"att": events.att, "se": events.se}, index=events.event_time).sort_index()
    expected.loc[-1 - anticipation, "se"] = np.nan
    np.testing.assert_allclose(found.events[["estimate", "std_error"]], expected, atol=1e-9)


def test_effects_without_anything_to_impute_from_are_left_out() -> None:
    # Two towns that share no unexposed period with others say nothing of the periods of the others.
    rows = made.panel(n=40).drop(columns="weight")
    apart = rows[rows["unit"].isin(["town-000", "town-001"]) & (rows["period"] == made.FIRST + 2)]
    late = rows[~rows["unit"].isin(["town-000", "town-001"]) & (rows["period"] != made.FIRST + 2)]
    more = late[late["unit"] == "town-002"].assign(period=made.FIRST + 2, y=0.0).head(1)
    panel = staggered_panel(pd.concat([apart, late, more]))
    found, without = imputation(panel, RULES), imputation(staggered_panel(pd.concat([late, more])), RULES)
    assert found.overall == pytest.approx(without.overall, abs=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_decomposition_equals_diff_diffs(weighted: bool) -> None:
    from diff_diff import BaconDecomposition, SurveyDesign

    rows = made.panel(n=40)
    panel = staggered_panel(rows if weighted else rows.drop(columns="weight"))
    columns = {"outcome": "y", "unit": "unit", "time": "period", "first_treat": "cohort"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = BaconDecomposition().fit(panel.rows, **columns, survey_design=SurveyDesign(weights="weight"))
    theirs = other.to_dataframe().sort_values("estimate")
    mine = bacon(panel).pairs.sort_values("estimate")
    np.testing.assert_allclose(mine["estimate"], theirs["estimate"], atol=1e-9)
    np.testing.assert_allclose(mine["weight"], theirs["weight"], atol=1e-9)


def test_sun_abraham_compares_with_the_last_cohort_where_all_become_exposed() -> None:
    rows = made.panel()
    rows = rows[rows["cohort"] > 0]
    last = rows["cohort"].max()
    found = sun_abraham(staggered_panel(rows), RULES)
    cut = rows[rows["period"] < last]
    same = sun_abraham(staggered_panel(cut.assign(cohort=cut["cohort"].where(cut["cohort"] < last, 0))), RULES)
    assert (found.overall, found.error) == pytest.approx((same.overall, same.error), abs=1e-12)


@pytest.mark.parametrize("estimator", EVERY, ids=lambda f: f.__name__)
def test_effects_that_differ_and_grow_are_recovered(estimator: object) -> None:
    rows = made.panel(seed=3, n=400, noise=0.5)
    found = estimator(staggered_panel(rows.drop(columns="weight")), RULES)  # type: ignore[operator]
    for time in range(4):
        error = found.events["std_error"][time]
        assert abs(found.events["estimate"][time] - (1 + 0.5 * time)) < 4 * error
        assert error < 0.2
    for time in (-4, -3, -2):
        assert abs(found.events["estimate"][time]) < 4 * found.events["std_error"][time]
    truth = rows.loc[rows["effect"].between(0.5, 2.6 if estimator is stacked else 99), "effect"].mean()
    assert abs(found.overall - truth) < 0.1 if estimator is stacked else abs(found.overall - truth) < 4 * found.error


def test_two_way_effects_are_biased_where_effects_grow() -> None:
    rows = made.panel(seed=3, n=400, noise=0.1)
    rows = rows[rows["cohort"] > 0]
    panel = staggered_panel(rows)
    seen = rows[rows["period"] < rows["cohort"].max()]
    truth = seen.loc[seen["effect"] > 0, "effect"].mean()
    found = callaway_santanna(panel, RULES)
    assert abs(found.overall - truth) < 4 * found.error
    coefficient, error = twfe(panel)
    assert truth - coefficient > 20 * error
    assert bacon(panel).forbidden < 1 < bacon(panel).clean


def test_anticipation_moves_the_reference_back() -> None:
    rows = made.panel(n=300, noise=0.1)
    early = (rows["cohort"] > 0) & (rows["period"] == rows["cohort"] - 1)
    rows["y"] += 0.8 * early
    rules = Rules(anticipation=1, leads=4, lags=3)
    panel = staggered_panel(rows, anticipation=1)
    for estimator in (callaway_santanna, sun_abraham, imputation):
        events = estimator(panel, rules).events["estimate"]
        assert events[-2] == 0
        assert events[-1] == pytest.approx(0.8, abs=0.1)
        assert events[0] == pytest.approx(1.0, abs=0.1)
    assert callaway_santanna(staggered_panel(rows), RULES).events["estimate"][0] == pytest.approx(0.2, abs=0.1)


def test_a_weight_of_two_is_a_unit_twice() -> None:
    rows = made.panel(n=40).drop(columns="cluster")
    twice = rows.assign(weight=np.where(rows["unit"].str[-1].astype("int64") % 2 == 0, 2.0, 1.0))
    copies = twice[twice["weight"] == 2].assign(unit=lambda t: t["unit"] + "-again")
    doubled = pd.concat([twice, copies]).drop(columns="weight")
    for estimator in (callaway_santanna, sun_abraham, imputation):
        weighted, repeated = (estimator(staggered_panel(data), RULES) for data in (twice, doubled))
        assert weighted.overall == pytest.approx(repeated.overall, abs=1e-9)
    assert twfe(staggered_panel(twice))[0] == pytest.approx(twfe(staggered_panel(doubled))[0], abs=1e-9)
    assert bacon(staggered_panel(twice)).clean == pytest.approx(bacon(staggered_panel(doubled)).clean, abs=1e-9)


def test_weights_that_change_are_those_of_the_first_period() -> None:
    rows = made.panel(n=40)
    changing = rows.assign(weight=rows["weight"] * np.where(rows["period"] > made.FIRST, 3.0, 1.0))
    panel = staggered_panel(changing)
    assert panel.rows["weight"].tolist() == staggered_panel(rows).rows["weight"].tolist()
    assert panel.notes == ("weights change over time; those of each unit’s first period are used",)


def numbers(rows: pd.DataFrame) -> list[float]:
    panel = staggered_panel(rows.drop(columns=["weight", "effect"]))
    found = [estimator(panel, RULES) for estimator in (callaway_santanna, sun_abraham, imputation)]
    return [x for f in found for x in (f.overall, f.error, *f.events["estimate"])] + [*twfe(panel), bacon(panel).clean]


def test_the_order_of_rows_and_columns_changes_no_digit_and_labels_nothing() -> None:
    rows = made.panel(n=45)
    first = numbers(rows)
    shuffled = rows.sample(frac=1, random_state=5)[sorted(rows.columns, reverse=True)]
    assert numbers(shuffled.set_index(pd.Index(range(7, 7 + len(rows))))) == first
    relabelled = rows.assign(unit="z" + (99 - rows["unit"].str[-3:].astype("int64")).astype("str").str.zfill(3))
    assert numbers(relabelled) == pytest.approx(first, abs=1e-10)


@pytest.mark.slow
def test_the_hash_seed_changes_no_digit() -> None:
    code = "import adoption_study as made; from test_staggered import numbers; print(repr(numbers(made.panel(n=30))))"
    told = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE)},
        ).stdout
        for seed in ("0", "1")
    }  # fmt: skip
    assert len(told) == 1


@settings(max_examples=8, deadline=None)
@given(constant=st.floats(-50, 50), scale=st.floats(0.1, 10), shift=st.integers(-20, 20), seed=st.integers(0, 2**16))
def test_what_is_common_to_units_or_periods_changes_nothing(
    constant: float, scale: float, shift: int, seed: int
) -> None:
    rows = made.panel(n=40).drop(columns=["weight", "effect"])
    own = np.random.default_rng(seed).normal(scale=5, size=40)
    moved = rows.assign(
        y=constant + scale * (rows["y"] + own[pd.factorize(rows["unit"])[0]] + np.sin(rows["period"])),
        period=rows["period"] + shift,
        cohort=rows["cohort"].where(rows["cohort"] == 0, rows["cohort"] + shift),
    )
    for estimator in (callaway_santanna, sun_abraham):
        first, second = (estimator(staggered_panel(data), RULES) for data in (rows, moved))
        assert second.overall / scale == pytest.approx(first.overall, abs=1e-7)
        assert second.error / scale == pytest.approx(first.error, abs=1e-7)
        assert second.events["estimate"].to_numpy() / scale == pytest.approx(
            first.events["estimate"].to_numpy(), abs=1e-7
        )


ROWS = made.panel(n=30)
REFUSED = {
    "missing values": (ROWS.assign(y=ROWS["y"].where(ROWS.index > 4)), "5 without y"),
    "twice": (pd.concat([ROWS, ROWS.iloc[[3]]]), "unit town-000 has more than one row in period 2011"),
    "cohort changes": (ROWS.assign(cohort=ROWS["period"]), "cohort changes over time within 30 units, the first t"),
    "cluster changes": (ROWS.assign(cluster=ROWS["period"]), "cluster changes over time within 30 units"),
    "weight of 0": (ROWS.assign(weight=0.0), "360 weights are 0 or less"),
    "nobody exposed": (ROWS.assign(cohort=0), "no unit is ever exposed"),
    "not while observed": (ROWS.assign(cohort=2030), "no unit becomes exposed while the panel lasts"),
    "from the start": (ROWS.assign(cohort=2008 * (ROWS["cohort"] > 0)), "begin the panel earlier"),
    "all at once": (ROWS.assign(cohort=2012), "none are left to compare with"),
    "no variation": (ROWS.assign(y=1.0), "the outcome is 1 in all 360 rows"),
    "one cluster": (ROWS.assign(cluster="a"), "all units are in one cluster"),
    "a gap": (ROWS[ROWS["period"] != 2013], "no unit is observed in 1 of the periods"),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_compared_is_refused_with_the_place(rows: pd.DataFrame, reason: str) -> None:
    with pytest.raises(NotEstimableError, match=reason):
        staggered_panel(rows)


def test_units_exposed_when_their_observation_begins_are_left_out_and_counted() -> None:
    always = ROWS[ROWS["unit"] == "town-000"].assign(cohort=2005, unit="town-always")
    late = ROWS[(ROWS["cohort"] == 2012) & (ROWS["period"] >= 2013)].assign(unit=lambda t: t["unit"] + "-late")
    panel = staggered_panel(pd.concat([ROWS, always, late]))
    assert panel.n_always == 1 + late["unit"].nunique()
    assert panel.rows["unit"].nunique() == 30
    assert panel.n_missing == 0
    assert staggered_panel(ROWS.drop(index=[5, 40])).n_missing == 2
