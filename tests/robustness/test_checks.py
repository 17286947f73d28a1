"""Leave-one-out, placebos and the run of all checks of a study."""

from __future__ import annotations

import numpy as np
import pytest
from small_study import one_at_a_time, study, table, target
from threadpoolctl import threadpool_limits

from analysis.errors import InputError
from analysis.models.estimates import tidy
from analysis.robustness.checks import number_of_draws, of_check, robustness_checks
from analysis.robustness.leave_one_out import leave_one_out
from analysis.robustness.placebo import placebos


def test_leave_one_out_names_the_unit_and_the_cluster_that_matter() -> None:
    rows = table(n=90, effect=0.0, clusters=35)
    heavy = rows["unit_id"] == "unit-007"
    rows = rows.assign(age=rows["age"].fillna(0.0))
    rows.loc[heavy, ["counted", "age", "kind", "country", "value"]] = [30.0, 0.0, "a", "country-99", 1.0]
    found = target(rows=rows)
    estimates, left = leave_one_out(found)
    by_term = {row.term: row for row in estimates}
    most = by_term["counted:most_influential_without_unit"]
    assert most.note == "without unit unit-007"
    assert by_term["counted:most_influential_without_cluster"].note == "without country country-99"
    improved = rows[(rows["outcome"] == "improved") & ~heavy]
    expected = one_at_a_time("improved ~ counted + kind + age", improved, "counted", "country")
    np.testing.assert_allclose([most.estimate, most.std_error, most.p_value, most.n_obs], expected, rtol=1e-9)
    of_units = left[left["left_out"] == "unit"]
    assert len(of_units) == 90
    assert by_term["counted:min_without_unit"].estimate == pytest.approx(of_units["estimate"].min())
    assert by_term["counted:max_without_unit"].estimate == pytest.approx(of_units["estimate"].max())


def test_the_most_influential_unit_is_the_one_whose_absence_moves_the_estimate_most() -> None:
    for seed in (3, 6):
        found = target(rows=table(seed, n=90, effect=-0.3, clusters=35))
        estimates, left = leave_one_out(found)
        full = one_at_a_time("improved ~ counted + kind + age", found.rows, "counted", "country")[0]
        of_units = left[left["left_out"] == "unit"].set_index("id")["estimate"]
        (most,) = [row for row in estimates if row.term == "counted:most_influential_without_unit"]
        assert most.note == f"without unit {(of_units - full).abs().idxmax()}"


def test_the_only_unit_of_a_level_can_be_left_out() -> None:
    rows = table(n=90, clusters=35)
    rows.loc[rows["unit_id"] == "unit-003", ["kind", "age"]] = ["d", 0.0]
    _, left = leave_one_out(target(rows=rows))
    assert left["estimate"].notna().all()


def test_placebos_show_confounding_where_there_is_any() -> None:
    # The unrelated outcome follows age; a model that adjusts for age finds nothing, one that doesn't finds something.
    rows = table(n=2000, clusters=40)
    rows["age"] = rows["age"].fillna(0.0)
    rng = np.random.default_rng(1)
    rows["counted"] = np.tile((rng.random(2000) < 0.5 + 0.3 * np.tanh(rows["age"][:2000])).astype(float), 2)
    unrelated = rows["outcome"] == "unrelated"
    rows.loc[unrelated, "value"] = (rng.random(2000) < 0.5 + 0.3 * np.tanh(rows.loc[unrelated, "age"])).astype(float)
    control = {"negative_control_outcomes": ["unrelated"], "placebo_exposures": ["posts"]}
    models = study().models["main"].model_dump(exclude_none=True)
    adjusted = placebos(target(study(robustness={"main": control}), rows), rows)
    bare = {"main": models | {"formula": "improved ~ counted"}}
    unadjusted = placebos(target(study(models=bare, robustness={"main": control}), rows), rows)
    assert [(r.model, r.outcome, r.term) for r in adjusted] == [
        ("main:placebo_exposure", "improved", "posts"),
        ("main:negative_control", "unrelated", "counted"),
    ]
    assert adjusted[1].p_value > 0.05
    assert unadjusted[1].p_value < 1e-6


def test_a_study_gets_one_valid_table_that_no_order_or_thread_count_changes() -> None:
    made = study(robustness={"main": {"adjust": ["kind", "size"], "negative_control_outcomes": ["unrelated"]}})
    rows = table(n=100, clusters=33)
    first = robustness_checks(made, rows, draws=99, seed=3)
    with threadpool_limits(limits=2):
        second = robustness_checks(made, rows.sample(frac=1, random_state=1), draws=99, seed=3)
    assert repr(first.estimates) == repr(second.estimates)
    estimates = tidy(first.estimates, "small")
    assert (estimates["design"] == "robustness").all()
    assert set(of_check(estimates, "randomisation", "negative_control")["model"]) == {
        "main:randomisation", "main:negative_control",
    }  # fmt: skip


def test_what_cannot_be_estimated_says_why() -> None:
    checks = robustness_checks(study(), table().assign(counted=1.0), draws=9, seed=1)
    (row,) = checks.estimates
    assert row.model == "main:randomisation"
    assert row.note == "not estimable: no variation: counted is 1.0 in all 227 rows"


def test_a_logit_is_probed_through_its_linear_form() -> None:
    models = {"main": study().models["main"].model_dump(exclude_none=True) | {"design": "firth", "cluster": []}}
    checks = robustness_checks(study(models=models), table(), draws=9, seed=1)
    assert all("stands for firth" in row.note for row in checks.estimates)


def test_draws_follow_the_profile_unless_given() -> None:
    found = [number_of_draws("quick", None), number_of_draws("full", None), number_of_draws("full", 12)]
    assert found == [499, 9999, 12]
    with pytest.raises(InputError, match="profile: 'fulll': no such profile; did you mean 'full'"):
        number_of_draws("fulll", None)
    with pytest.raises(InputError, match="at least 1"):
        number_of_draws("quick", 0)
