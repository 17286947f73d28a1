"""An estimate that differs from zero decides nothing where it fails a check of its own design."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.models.estimates import Estimate, tidy
from analysis.study import read_study
from analysis.study.spec import Study
from analysis.synthesis import failed_checks, verdicts


def row(model: str, term: str, p_value: float, outcome: str = "improved") -> Estimate:
    return Estimate(model, "lpm", outcome, term, "", estimate=0.3, std_error=0.05, p_value=p_value, n_obs=100)


@pytest.mark.parametrize(
    ("check", "failed"),
    [
        (row("m:randomisation", "x", 0.23), ["permuted exposures do as well"]),
        (row("m:randomisation", "x", 0.001), []),
        (row("m:negative_control", "x", 0.001, "other"), ["so it does where it cannot"]),
        (row("m:negative_control", "x", 0.4, "other"), []),
        (row("m:placebo_exposure", "z", 0.001), ["a placebo in its place does too"]),
        (row("m", "density", 0.001), ["units may sort across the cut-off"]),
        (row("m", "balance", 0.5), []),
        (row("m", "pretrend", 0.001), ["trends differed before exposure"]),
        (row("m", "pretrend", 0.4), []),
        (row("another:randomisation", "x", 0.9), []),
    ],
)
def test_each_check_is_read_from_its_own_row(check: Estimate, failed: list[str]) -> None:
    assert failed_checks(tidy([row("m", "x", 0.0001), check], "s"), "m", "x") == failed


def decided_by(study: Study) -> Study:
    hypothesis = next(iter(study.hypotheses.values())).model_copy(
        update={"expects": "positive", "smallest_effect": 0.1}
    )
    decision = hypothesis.decided_by.model_copy(update={"model": "m", "term": "x"})
    return study.model_copy(update={"hypotheses": {"h": hypothesis.model_copy(update={"decided_by": decision})}})


@pytest.mark.parametrize(("p_permuted", "verdict"), [(0.001, "supported"), (0.3, "too imprecise to say")])
def test_chance_alone_takes_support_away(p_permuted: float, verdict: str, request: pytest.FixtureRequest) -> None:
    study = decided_by(read_study(request.config.rootpath / "studies/campaigns.yml"))
    estimates: pd.DataFrame = tidy([row("m", "x", 0.0001), row("m:randomisation", "x", p_permuted)], "campaigns")
    assert verdicts(study, estimates)["verdict"].tolist() == [verdict]
