"""Regressions as study files declare them: what fits is fitted, what does not is refused by line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from regression_data import panel

from analysis.errors import InputError
from analysis.models.fit import fit_models
from analysis.study import read_study
from analysis.study.spec import Study

STUDY = """\
name: small
title: Small
question: Does it?
summary: Written for the tests.
source: {adapter: registry}
unit: {noun: country, plural: countries, attributes: [region], grain: year}
exposures:
  posts: {label: Posts, indicators: [posts]}
  rain: {label: Rain, indicators: [rain]}
outcomes:
  score: {label: Score, type: continuous}
  arrests: {label: Arrests, type: count}
  improved: {label: Improved, type: binary}
covariates:
  age: {label: Age, context: age}
  people: {label: People, context: people}
  kind: {label: Kind, attribute: region}
hypotheses:
  works:
    statement: It works.
    origin: [keck-sikkink]
    expects: positive
    decided_by: {model: main, term: posts}
    smallest_effect: 0.1
models:
"""
FIRST = STUDY.count("\n") + 1


def read(tmp_path: Path, models: str) -> Study:
    path = tmp_path / "small.yml"
    path.write_text(STUDY + models + "\n")
    return read_study(path, root=tmp_path)


def model(**keys: Any) -> str:
    told = {"label": "Main", "design": "ols", "formula": "score ~ posts + age", **keys}
    return "  main: {" + ", ".join(f'{k}: "{v}"' if k == "formula" else f"{k}: {v}" for k, v in told.items()) + "}"


def analysis_table() -> pd.DataFrame:
    table = panel(units=40, periods=6)
    random = np.random.default_rng(2)
    rows = pd.DataFrame(
        {
            "unit_id": [f"c{u:02d}" for u in table["unit"]], "period": (2000 + table["period"]).astype("str"),
            "excluded": "", "posts": table["a"], "posts_naive": table["a"],
            "rain": table["a"] + random.normal(size=len(table)), "rain_naive": 0.0, "posts_se": 0.2, "age": table["b"],
            "people": table["size"],
            "region": [f"r{u % 5}" for u in table["unit"]], "kind": [f"r{u % 5}" for u in table["unit"]],
        }
    )  # fmt: skip
    outcomes = {"score": table["y"], "arrests": table["count"], "improved": table["y"] > 0}
    return pd.concat([rows.assign(outcome=name, value=v.astype(float)) for name, v in outcomes.items()])


@pytest.mark.parametrize(
    ("keys", "terms", "vcov"),
    [
        ({"absorb": "[unit_id, period]", "cluster": "unit_id"}, ["posts", "age"], "CR2+Satterthwaite(unit_id), 40"),
        (
            {"absorb": "[unit_id, region^period]", "cluster": "[unit_id, period]"},
            ["posts", "age"],
            "CRV1(unit_id, period)",
        ),
        ({"weights": "people"}, ["Intercept", "posts", "age"], "HC3"),
        ({"design": "lpm", "formula": "improved ~ posts", "absorb": "unit_id"}, ["posts"], "HC1"),
        (
            {"design": "logit", "formula": "improved ~ posts"},
            ["posts", "Intercept:log_odds", "posts:log_odds"],
            "information",
        ),
        ({"design": "poisson", "formula": "arrests ~ posts", "absorb": "[unit_id]"}, ["posts"], "HC1"),
        ({"design": "negative_binomial", "formula": "arrests ~ posts"}, ["Intercept", "posts", "alpha"], "HC1"),
        (
            {"design": "iv", "instruments": "{endogenous: posts, excluded: [rain, kind]}"},
            [
                "Intercept",
                "posts",
                "age",
                "posts:anderson_rubin",
                "posts:first_stage_f",
                "posts:ols",
                "posts:overidentification",
            ],
            "HC1",
        ),
        (
            {"design": "errors_in_variables", "absorb": "[unit_id, period]"},
            ["posts", "age", "posts:naive", "posts:reliability", "posts:simex"],
            "HC1",
        ),
    ],
)
def test_what_is_declared_is_fitted(tmp_path: Path, keys: dict[str, str], terms: list[str], vcov: str) -> None:
    keys = {**keys, "absorb": f"[{keys['absorb'].strip('[]')}]"} if "absorb" in keys else keys
    study = read(tmp_path, model(**keys))
    found = fit_models(study, analysis_table())
    assert found["term"].tolist() == terms
    assert found["vcov"].iloc[0].startswith(vcov)
    assert found["n_units"].iloc[0] == 40 or "left out" in found["note"].iloc[0]
    assert found.set_index("term").loc["posts", "hypothesis"] == "works"
    assert (found["estimate"].notna() | (found["note"] != "")).all()


def test_missing_instruments_and_effects_leave_rows_out_and_say_so(tmp_path: Path) -> None:
    table = analysis_table().reset_index(drop=True)
    table.loc[::10, "rain"] = np.nan
    study = read(tmp_path, model(design="iv", instruments="{endogenous: posts, excluded: [rain]}"))
    found = fit_models(study, table)
    assert " without rain" in found["note"].iloc[0]
    study = read(tmp_path, model(formula="score ~ posts + kind", absorb="[unit_id]"))
    refused = fit_models(study, analysis_table())
    assert refused["note"].str.startswith("not estimable: the fixed effects of unit_id determine kind[T.r1], ").all()


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (
            {"design": "firth", "formula": "improved ~ posts", "absorb": "[unit_id]"},
            "main.absorb: the design firth has no fixed effects",
        ),
        (
            {"design": "logit", "formula": "improved ~ posts", "absorb": "[unit_id]"},
            "the design logit has no fixed effects",
        ),
        ({"absorb": "[unit_id, unit_id]"}, "has 'unit_id' twice"),
        (
            {"absorb": "[unit_id, regoin^period]"},
            "'regoin' is neither a unit attribute nor a covariate; did you mean 'region'?",
        ),
        (
            {"design": "negative_binomial", "formula": "arrests ~ posts", "weights": "people"},
            "weighs no rows; remove it",
        ),
        ({"weights": "posts"}, "is not a declared covariate"),
        (
            {"design": "firth", "formula": "improved ~ posts", "cluster": "[unit_id, period]"},
            "is clustered in one way only; name one",
        ),
        ({"cluster": "[unit_id, period, region]"}, "at most 2"),
        ({"formula": "improved ~ posts"}, "is binary, but the design ols explains a continuous or count outcome"),
        ({"design": "poisson"}, "is continuous, but the design poisson explains a count outcome"),
        ({"design": "iv"}, "the design iv needs a block `instruments`"),
        (
            {"instruments": "{endogenous: posts, excluded: [rain]}"},
            "the design ols has no use for `instruments`; remove it",
        ),
        ({"design": "iv", "instruments": "{endogenous: rain, excluded: [people]}"}, "is not a term of the formula"),
        (
            {"design": "iv", "instruments": "{endogenous: posts, excluded: [age]}"},
            "is in the formula: an instrument is excluded",
        ),
        ({"design": "iv", "instruments": "{endogenous: posts, excluded: [rian]}"}, "did you mean 'rain'?"),
        (
            {"design": "iv", "formula": "score ~ posts * age", "instruments": "{endogenous: posts, excluded: [rain]}"},
            "is part of an interaction",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_line(tmp_path: Path, keys: dict[str, str], told: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, model(**keys))
    assert f"small.yml, line {FIRST}" in str(caught.value)
    assert told in str(caught.value)


def test_what_a_design_estimates_beside_a_term_may_decide_a_hypothesis(tmp_path: Path) -> None:
    text = STUDY.replace("term: posts}", 'term: "posts:log_odds"}')
    path = tmp_path / "small.yml"
    path.write_text(text + model(design="logit", formula="improved ~ posts") + "\n")
    assert read_study(path, root=tmp_path).hypotheses["works"].decided_by.term == "posts:log_odds"
    path.write_text(text + model() + "\n")
    with pytest.raises(InputError, match="'posts:log_odds' is not a term of the formula"):
        read_study(path, root=tmp_path)
