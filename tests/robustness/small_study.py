"""Small made-up studies, and regressions one at a time to compare with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf

from analysis.robustness.targets import Target, targets
from analysis.study.spec import Study


def study(**changes: Any) -> Study:
    """One exposure that decides a hypothesis, three covariates, two frames that are pooled unless told otherwise."""
    content: dict[str, Any] = {
        "name": "small",
        "title": "A small study",
        "question": "Does a count come before change?",
        "summary": "Made up.",
        "source": {"adapter": "registry"},
        "unit": {"noun": "campaign", "plural": "campaigns", "attributes": ["country", "region", "remark"]},
        "exposures": {
            "counted": {"label": "Counted", "indicators": ["posts"], "transform": "present", "absent": "zero"},
            "early": {"label": "Early", "indicators": ["posts"], "transform": "present", "absent": "zero"},
            "posts": {"label": "Posts", "indicators": ["posts"], "transform": "log10"},
        },
        "outcomes": {
            "improved": {"label": "Improved", "type": "binary"},
            "unrelated": {"label": "Unrelated", "type": "binary"},
        },
        "covariates": {
            "kind": {"label": "Kind", "attribute": "region", "reference": "a"},
            "age": {"label": "Age", "context": "age"},
            "size": {"label": "Size", "context": "size"},
        },
        "models": {
            "main": {
                "label": "Main",
                "design": "lpm",
                "formula": "improved ~ counted + kind + age",
                "cluster": "country",
            }
        },
        "hypotheses": {
            "works": {
                "statement": "It works.",
                "origin": ["keck-sikkink"],
                "expects": "positive",
                "decided_by": {"model": "main", "term": "counted"},
                "smallest_effect": 0.1,
            }
        },
    }
    return Study.model_validate(content | changes)


def table(seed: int = 1, n: int = 240, effect: float = 0.3, clusters: int = 40) -> pd.DataFrame:
    """An analysis table whose exposure depends on age, which is missing for a few units, as `size` is for others."""
    rng = np.random.default_rng(seed)
    age = rng.normal(size=n)
    counted = (rng.random(n) < 0.35 + 0.1 * np.tanh(age)).astype(float)
    country = rng.integers(clusters, size=n)
    chance = 0.35 + effect * counted + 0.05 * np.tanh(age) + 0.1 * np.sin(country)
    units = pd.DataFrame(
        {
            "unit_id": [f"unit-{i:03d}" for i in range(n)],
            "excluded": "",
            "counted": counted,
            "early": np.where(rng.random(n) < 0.2, 0.0, counted),
            "posts": np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n)),
            "kind": rng.choice(["a", "b", "c"], n, p=[0.4, 0.35, 0.25]),
            "age": np.where(rng.random(n) < 0.05, np.nan, age),
            "size": np.where(rng.random(n) < 0.08, np.nan, rng.normal(size=n)),
            "country": [f"country-{c:02d}" for c in country],
            "remark": rng.choice(["", "unclear: two sources", "late"], n, p=[0.8, 0.1, 0.1]),
        }
    )
    units["region"] = units["kind"]
    for name in ("counted", "early", "posts"):
        units[f"{name}_naive"] = units[name]
    outcomes = {"improved": rng.random(n) < chance, "unrelated": rng.random(n) < 0.4}
    return pd.concat(
        [units.assign(outcome=name, value=value.astype(float)) for name, value in outcomes.items()], ignore_index=True
    )


def target(made: Study | None = None, rows: pd.DataFrame | None = None) -> Target:
    """The target that decides the hypothesis of a study."""
    found = next(iter(targets(made or study(), table() if rows is None else rows)))
    assert isinstance(found, Target), found
    return found


def with_outcome(found: Target, improved: np.ndarray) -> Target:
    """The same target with another outcome of its at-risk rows."""
    rows = found.rows.assign(improved=improved)
    again = replace(found, rows=rows, data=replace(found.data, y=rows["improved"][found.data.y.index]))
    again.columns.update(found.columns)
    return again


def one_at_a_time(formula: str, rows: pd.DataFrame, term: str, cluster: str | None) -> tuple[float, float, float, int]:
    """Estimate, standard error, p-value and n of one regression by statsmodels."""
    used = [c for c in ("improved", "counted", "early", "posts", "kind", "age", "size") if c in formula]
    complete = rows.rename(columns={"value": "improved"}).dropna(subset=used)
    model = smf.ols(formula, complete)
    if cluster is None:
        fit = model.fit(method="qr", cov_type="HC3", use_t=True)
    else:
        groups = pd.factorize(complete[cluster], sort=True)[0]
        fit = model.fit(method="qr", cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    return fit.params[term], fit.bse[term], fit.pvalues[term], int(fit.nobs)


def ols(y: np.ndarray, x: np.ndarray, clusters: np.ndarray | None) -> Any:
    """One regression with an intercept by statsmodels, with the errors of a linear probability model."""
    model = sm.OLS(y, sm.add_constant(x))
    if clusters is None:
        return model.fit(method="qr", cov_type="HC3", use_t=True)
    return model.fit(method="qr", cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
