"""A small made-up study with everything that a report can show."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from made_up_study import HOSTILE, draw

from analysis.models.estimates import COLUMNS
from analysis.report.provenance import Provenance
from analysis.study.spec import Study


@pytest.fixture(scope="session")
def study() -> Study:
    model = {
        "label": "Counted beforehand",
        "design": "lpm",
        "formula": "improved ~ counted",
        "each": "frame",
        "contrast_time_order": True,
    }
    return Study.model_validate(
        {
            "name": "sample",
            "title": "Signatures and release",
            "question": "Does a count of signatures come before a prisoner's release?",
            "summary": "Made-up cases, to show what a report shows. A name may look like this: " + HOSTILE,
            "source": {"adapter": "registry", "raw": {"data/raw/registry/campaigns.csv": "0" * 64}},
            "unit": {"noun": "case", "plural": "cases", "attributes": ["frame"], "frame": "frame"},
            "exposures": {
                "counted": {
                    "label": "A count was published",
                    "indicators": ["signatures"],
                    "transform": "present",
                    "absent": "zero",
                }
            },
            "outcomes": {"improved": {"label": "Any improvement", "type": "binary"}},
            "models": {"counted": model, "dose": {**model, "label": "Signatures, log scale"}},
            "hypotheses": {
                "more_is_more": {
                    "statement": "Cases with a published count improve more often",
                    "origin": ["keck-sikkink", "hafner-burton"],
                    "expects": "positive",
                    "decided_by": {"model": "counted[w4r]", "term": "counted"},
                    "smallest_effect": 0.1,
                },
            },
            "limitations": ["Counts follow success.", HOSTILE],
            "truth": {"counted[w4r]:counted": 0.25},
        }
    )


def _row(model: str, term: str, estimate: float, half: float = 0.1, **more: object) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(COLUMNS, "") | {
        "study": "sample", "model": model, "design": "lpm", "outcome": "improved", "term": term,
        "estimand": "difference in probability of improvement", "estimate": estimate, "std_error": half / 2,
        "statistic": 2 * estimate / half, "p_value": 0.0004, "ci_low": estimate - half, "ci_high": estimate + half,
        "n_obs": 1310, "n_units": 1310, "n_clusters": 60, "vcov": "HC2", "seed": 1,
    }  # fmt: skip
    return row | more


@pytest.fixture(scope="session")
def estimates() -> pd.DataFrame:
    nan = float("nan")
    descriptive = {"design": "descriptive", "outcome": "", "p_value": nan, "std_error": nan, "statistic": nan}
    flow = descriptive | {"outcome": "improved"}
    rows = [
        _row("counted[w4r]", "Intercept", 0.61),
        _row("counted[w4r]", "counted", -0.043, note="4 rows without an outcome left out"),
        _row("counted[w4r]@naive", "Intercept", 0.61),
        _row("counted[w4r]@naive", "counted", 0.184),
        _row("counted[purposive]", "counted", 0.00004, p_value=0.52),
        _row("dose[w4r]", "signatures", nan, nan, p_value=nan, n_obs=None, note="not estimable: no variation"),
        _row("timing[w4r]", "share_before_improvement", 0.0862, estimand="share dated before", **descriptive, n_obs=58),
        _row("flow[w4r]", "units", 2210, nan, estimand="units", **flow),
        _row("flow[w4r]", "at_risk", 2060, nan, estimand="units analysed", **flow),
    ]
    whole = ["n_obs", "n_units", "n_clusters", "seed"]
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(whole, "Int64"))


@pytest.fixture(scope="session")
def verdicts() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "hypothesis": "more_is_more", "statement": "Cases with a published count improve more often",
                "origin": "keck-sikkink", "expects": "positive", "model": "counted[w4r]", "term": "counted",
                "estimate": -0.043, "ci_low": -0.143, "ci_high": 0.057, "p_value": 0.4, "p_adjusted": 0.8,
                "smallest_effect": 0.1, "verdict": "not supported",
                "reason": "The interval excludes an effect of the size that would matter.",
            }
        ]
    )  # fmt: skip


@pytest.fixture(scope="session")
def figures_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    draw(folder / "timing.svg", source="04_link")
    draw(folder / "power.svg", source="10_power", title=f"Power, {HOSTILE}", description=f'"Quoted" {HOSTILE}')
    return folder


@pytest.fixture(scope="session")
def provenance() -> Provenance:
    return Provenance(
        commit="1f2e3d4c" + "0" * 32,
        data={"data/raw/registry/campaigns.csv": "abcdef0123" + "0" * 54},
        parameters={"04_link": {"study": "sample", "seed": 20110125}},
        made_by={"counted[w4r]": "05_regressions", "counted[w4r]@naive": "05_regressions"},
    )
