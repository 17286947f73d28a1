"""Every declared model leaves rows in the estimates table: with numbers, or with the reason why there are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.models.fit import fit_models
from analysis.study.spec import Study

BINARY = ["lpm", "firth"]


def study_with(**models: dict[str, Any]) -> Study:
    full = {
        name: {"label": name, "design": "lpm", "formula": "improved ~ posts", **model} for name, model in models.items()
    }
    return Study.model_validate(
        {
            "name": "made_up", "title": "t", "question": "q", "summary": "s",
            "source": {"adapter": "registry"},
            "unit": {"noun": "unit", "plural": "units", "attributes": ["frame", "country", "kind"], "frame": "frame"},
            "exposures": {
                "posts": {"label": "posts", "indicators": ["posts"]},
                "counted": {"label": "counted", "indicators": ["posts"], "transform": "present", "absent": "zero"},
            },
            "outcomes": {
                "improved": {"label": "improved", "type": "binary"},
                "stage": {"label": "stage", "type": "ordinal"},
            },
            "covariates": {
                "kind": {"label": "kind", "attribute": "kind", "reference": "b"},
                "x": {"label": "x", "context": "x"},
            },
            "models": full,
            "hypotheses": {
                "h": {
                    "statement": "s", "origin": ["o"], "expects": "positive", "smallest_effect": 0.1,
                    "decided_by": {"model": next(iter(full)), "term": "posts"},
                }
            },
        }
    )  # fmt: skip


@pytest.fixture
def table() -> pd.DataFrame:
    """Analysis table of 80 units, half in each frame, for a binary and an ordinal outcome."""
    random = np.random.default_rng(4)
    n = 80
    posts, kind = random.normal(size=n), random.choice(list("abc"), n)
    rows = pd.DataFrame(
        {
            "unit_id": [f"u{i:02d}" for i in range(n)], "excluded": "", "posts": posts, "posts_naive": posts + 1,
            "counted": (posts > 0).astype("float64"), "counted_naive": 1.0, "kind": kind, "x": random.normal(size=n),
            "frame": np.repeat(["one", "two"], n // 2), "country": random.choice(list("pqrs"), n),
        }
    )  # fmt: skip
    latent = posts + random.logistic(size=n)
    improved = rows.assign(outcome="improved", value=(latent > 0).astype("float64"))
    stage = rows.assign(outcome="stage", value=np.digitize(latent, [-1.0, 0.0, 1.0]).astype("float64"))
    return pd.concat([improved, stage], ignore_index=True)


def fitted(table: pd.DataFrame, **model: Any) -> pd.DataFrame:
    return fit_models(study_with(model=model), table)


def assert_refused(estimates: pd.DataFrame, reason: str) -> None:
    assert len(estimates) > 0
    assert estimates["note"].str.startswith("not estimable: ").all()
    assert estimates["note"].str.contains(reason, regex=False).all()
    assert estimates[["estimate", "std_error", "p_value", "ci_low", "ci_high"]].isna().all(axis=None)
    assert (estimates["n_obs"] == 0).all()


@pytest.mark.parametrize("design", [*BINARY, "ordered_logit"])
def test_an_outcome_that_does_not_vary_is_not_estimable(table: pd.DataFrame, design: str) -> None:
    outcome = "stage" if design == "ordered_logit" else "improved"
    estimates = fitted(table.assign(value=1.0), design=design, formula=f"{outcome} ~ posts")
    assert_refused(estimates, f"no variation: {outcome} is 1.0 in all 80 rows")


@pytest.mark.parametrize("design", BINARY)
def test_an_exposure_that_does_not_vary_is_not_estimable(table: pd.DataFrame, design: str) -> None:
    estimates = fitted(table.assign(posts=3.0), design=design, formula="improved ~ posts + kind")
    assert_refused(estimates, "no variation: posts is 3.0 in all 80 rows")
    assert estimates["term"].tolist() == ["kind", "posts"]


@pytest.mark.parametrize("design", BINARY)
@pytest.mark.parametrize("formula", ["improved ~ posts + x", "improved ~ posts + x + kind"])
def test_collinear_regressors_are_not_estimable(table: pd.DataFrame, design: str, formula: str) -> None:
    estimates = fitted(table.assign(x=1 + 1000 * table["posts"]), design=design, formula=formula)
    assert_refused(estimates, "regressors are collinear in 80 rows")


@pytest.mark.parametrize("design", BINARY)
def test_an_interaction_of_what_never_occurs_together_is_not_estimable(table: pd.DataFrame, design: str) -> None:
    counted = table["counted"]
    estimates = fitted(table.assign(x=1 - counted), design=design, formula="improved ~ counted:x")
    assert_refused(estimates, "2 regressors are collinear in 80 rows")


@pytest.mark.parametrize("design", BINARY)
def test_more_regressors_than_rows_are_not_estimable(table: pd.DataFrame, design: str) -> None:
    few = table.groupby(["outcome", "value", "kind"]).head(1).query("outcome == 'improved'").head(4)
    assert_refused(fitted(few, design=design, formula="improved ~ posts + x + kind"), "are collinear in 4 rows")


@pytest.mark.parametrize("design", [*BINARY, "ordered_logit", "manski_bounds"])
def test_an_empty_sample_is_not_estimable(table: pd.DataFrame, design: str) -> None:
    outcome = "stage" if design == "ordered_logit" else "improved"
    estimates = fitted(table, design=design, formula=f"{outcome} ~ counted", sample={"frame": ["three"]})
    assert_refused(estimates, "rows")
    estimates = fitted(table.assign(counted=np.nan), design=design, formula=f"{outcome} ~ counted")
    assert_refused(estimates, "rows")


def test_excluded_rows_are_left_out_and_missing_ones_counted(table: pd.DataFrame) -> None:
    improved = table["outcome"] == "improved"
    table.loc[improved & table.index.isin(range(0, 8)), "posts"] = np.nan
    table.loc[improved & table.index.isin(range(8, 20)), ["excluded", "value"]] = ["no outcome row", np.nan]
    row = fitted(table, formula="improved ~ posts").iloc[1]
    assert (row["n_obs"], row["n_units"]) == (60, 60)
    assert row["note"] == "8 of 68 rows left out: 8 without posts"


def test_bounds_use_units_without_an_outcome_row_but_not_those_decided_before_launch(table: pd.DataFrame) -> None:
    table.loc[0:4, ["excluded", "value"]] = ["no outcome row", np.nan]
    table.loc[5:9, ["excluded", "value"]] = ["outcome before launch", np.nan]
    estimates = fitted(table, design="manski_bounds", formula="improved ~ counted")
    assert estimates["term"].tolist() == ["counted:lower", "counted:upper"]
    assert estimates["n_obs"].tolist() == [75, 75]
    assert estimates.loc[0, "note"].startswith("5 of 75 outcomes are missing")


def test_models_are_fitted_apart_and_again_with_naive_exposures(table: pd.DataFrame) -> None:
    estimates = fitted(table, each="frame", contrast_time_order=True)
    names = ["model[one]", "model[one]@naive", "model[two]", "model[two]@naive"]
    assert estimates["model"].drop_duplicates().tolist() == names
    rows = estimates.set_index(["model", "term"])["estimate"]
    for name in ("model[one]", "model[two]"):
        assert rows[name, "posts"] == pytest.approx(rows[f"{name}@naive", "posts"])
        assert rows[f"{name}@naive", "Intercept"] == pytest.approx(rows[name, "Intercept"] - rows[name, "posts"])


def test_one_model_that_cannot_be_fitted_does_not_stop_the_others(table: pd.DataFrame) -> None:
    study = study_with(bad={"formula": "improved ~ counted"}, good={})
    estimates = fit_models(study, table.assign(counted=1.0)).set_index("model")
    assert estimates.loc["bad", "note"] == "not estimable: no variation: counted is 1.0 in all 80 rows"
    assert estimates.loc["good", "estimate"].notna().all()
    assert (estimates["study"] == "made_up").all()


def test_levels_are_compared_with_the_declared_reference(table: pd.DataFrame) -> None:
    estimates = fitted(table, formula="improved ~ kind")
    assert estimates["term"].tolist() == ["Intercept", "kind[T.a]", "kind[T.c]"]
    means = table[table["outcome"] == "improved"].groupby("kind")["value"].mean()
    expected = [means["b"], means["a"] - means["b"], means["c"] - means["b"]]
    assert estimates["estimate"].tolist() == pytest.approx(expected)


def test_the_deciding_estimate_carries_its_hypothesis(table: pd.DataFrame) -> None:
    estimates = fitted(table).set_index("term")
    assert estimates["hypothesis"].to_dict() == {"Intercept": "", "posts": "h"}


def test_the_order_of_rows_and_the_index_change_no_estimate(table: pd.DataFrame) -> None:
    study = study_with(
        lpm={"formula": "improved ~ posts + kind", "cluster": "country"},
        firth={"design": "firth", "formula": "improved ~ posts + kind", "each": "frame"},
        stage={"design": "ordered_logit", "formula": "stage ~ posts"},
        bounds={"design": "manski_bounds", "formula": "improved ~ counted"},
    )
    mixed = table.sample(frac=1, random_state=2).set_axis([0] * len(table), axis="index")
    pd.testing.assert_frame_equal(fit_models(study, mixed), fit_models(study, table), rtol=1e-5)


def test_no_model_of_the_campaigns_is_without_numbers_and_reason(campaigns: Study, derived: Any) -> None:
    quick = {name: model for name, model in campaigns.models.items() if model.design != "firth"}
    estimates = fit_models(campaigns.model_copy(update={"models": quick}), derived.analysis)
    empty = estimates["estimate"].isna()
    assert (estimates.loc[empty, "note"] != "").all()
    unreplicated = estimates["std_error"].isna() & ~empty
    assert estimates.loc[unreplicated, "note"].str.contains("rests on one row alone").all()
    stage = estimates.set_index(["model", "term"]).loc["counted_stage[w4r]"]
    assert np.isnan(stage.loc["rights_category[T.ESC]", "estimate"])
    assert (
        stage.loc["counted", "note"] == "not estimable: rights_category[T.ESC] (infinite, as the outcome is separated)"
    )
    assert np.isfinite(stage.loc["counted", ["estimate", "std_error"]].astype("float64")).all()
