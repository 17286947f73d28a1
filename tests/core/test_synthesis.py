"""Verdicts follow from the registered estimate by the rule, and from nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.errors import InputError
from analysis.models.estimates import Estimate, tidy
from analysis.study.spec import Hypothesis, Study
from analysis.synthesis import gap, verdicts

Rule = dict[str, Any]


def judged(campaigns: Study, hypotheses: dict[str, tuple[Rule, Estimate]], extra: list[Estimate] = []) -> pd.DataFrame:  # noqa: B006
    declared = {
        name: Hypothesis.model_validate(
            {
                "statement": name, "origin": ["o"], "expects": "positive", "smallest_effect": 0.1,
                "decided_by": {"model": row.model, "term": row.term}, **rule,
            }
        )
        for name, (rule, row) in hypotheses.items()
    }  # fmt: skip
    study = campaigns.model_copy(update={"hypotheses": declared})
    rows = [row for _, row in hypotheses.values()]
    return verdicts(study, tidy([*rows, *extra], study.name)).set_index("hypothesis")


def estimate(value: float, error: float, p_value: float, model: str = "m", **more: Any) -> Estimate:
    return Estimate(model, "lpm", "o", "x", "difference", estimate=value, std_error=error, p_value=p_value, **more)


# 1.645 standard errors on either side of the estimate are its 90% interval; the smallest effect of interest is 0.1.
@pytest.mark.parametrize(
    ("expects", "value", "error", "p_value", "verdict"),
    [
        ("positive", 0.5, 0.1, 0.001, "supported"),
        ("positive", -0.5, 0.1, 0.001, "contradicted"),
        ("positive", 0.01, 0.05, 0.84, "equivalent to zero"),
        ("positive", 0.01, 0.055, 0.86, "too imprecise to say"),
        ("positive", 0.3, 0.2, 0.13, "too imprecise to say"),
        ("negative", -0.5, 0.1, 0.001, "supported"),
        ("negative", 0.5, 0.1, 0.001, "contradicted"),
        ("negative", -0.01, 0.05, 0.84, "equivalent to zero"),
        ("zero", 0.01, 0.05, 0.84, "supported"),
        ("zero", -0.5, 0.1, 0.001, "contradicted"),
        ("zero", 0.3, 0.2, 0.13, "too imprecise to say"),
        ("zero", 0.0, 0.0607, 1.0, "supported"),
        ("zero", 0.0, 0.0609, 1.0, "too imprecise to say"),
    ],
)
def test_each_verdict(campaigns: Study, expects: str, value: float, error: float, p_value: float, verdict: str) -> None:
    row = judged(campaigns, {"h": ({"expects": expects}, estimate(value, error, p_value))}).loc["h"]
    assert row["verdict"] == verdict
    assert row["reason"]


def test_what_is_not_estimable_is_too_imprecise_and_says_why(campaigns: Study) -> None:
    row = estimate(np.nan, np.nan, np.nan, note="not estimable: no variation")
    assert judged(campaigns, {"h": ({}, row)}).loc["h", ["verdict", "reason"]].tolist() == [
        "too imprecise to say",
        "not estimable: no variation",
    ]


def test_p_values_are_adjusted_by_holm_within_their_family(campaigns: Study) -> None:
    # Holm (1979) by hand: 0.005 x 4, 0.01 x 3, 0.03 x 2, then the largest so far; the other family's is left alone.
    p_values = {"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}
    hypotheses = {name: ({"family": "one"}, estimate(0.5, 0.1, p, name)) for name, p in p_values.items()}
    hypotheses["e"] = ({"family": "two"}, estimate(0.5, 0.1, 0.04, "e"))
    rows = judged(campaigns, hypotheses)
    assert rows["p_adjusted"].to_dict() == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02, "e": 0.04})
    assert rows["verdict"].to_dict() == {
        "a": "supported", "b": "too imprecise to say", "c": "too imprecise to say", "d": "supported", "e": "supported"
    }  # fmt: skip


def test_only_the_deciding_estimate_decides(campaigns: Study) -> None:
    other = [estimate(9.0, 0.1, 1e-9, "m@naive"), estimate(9.0, 0.1, 1e-9, "n")]
    row = judged(campaigns, {"h": ({}, estimate(-0.5, 0.1, 0.001))}, other).loc["h"]
    assert (row["verdict"], row["estimate"], row["p_adjusted"]) == ("contradicted", -0.5, 0.001)


def test_a_level_of_a_variable_that_is_not_estimable_is_found_under_its_variable(campaigns: Study) -> None:
    rule = {"decided_by": {"model": "m", "term": "x[T.high]"}}
    row = Estimate("m", "firth", "o", "x", "", note="not estimable: no variation")
    assert judged(campaigns, {"h": (rule, row)}).loc["h", "verdict"] == "too imprecise to say"


def test_a_deciding_estimate_that_does_not_exist_is_refused(campaigns: Study) -> None:
    rules = {
        "h": ({"decided_by": {"model": "m", "term": "y"}}, estimate(1.0, 1.0, 0.5)),
        "i": ({"decided_by": {"model": "unfitted", "term": "y"}}, estimate(1.0, 1.0, 0.5, "n")),
    }
    with pytest.raises(InputError) as refused:
        judged(campaigns, rules)
    first, second = refused.value.problems
    assert (first.file, first.column, first.value) == ("studies/campaigns.yml", "hypotheses.h.decided_by", "m:y")
    assert first.rule == "no such estimate; the model's terms are x"
    assert second.value == "unfitted:y"
    assert second.rule.endswith("terms are none")


def test_the_gap_is_naive_minus_strict_and_leaves_out_what_was_fitted_once(campaigns: Study) -> None:
    rows = [
        estimate(0.1, 0.1, 0.3), estimate(0.4, 0.1, 0.001, "m@naive"), estimate(9.0, 0.1, 0.0, "alone"),
        Estimate("d", "descriptive", "o", "x", "share", estimate=0.5),
        Estimate("d@naive", "descriptive", "o", "x", "share", estimate=0.5),
    ]  # fmt: skip
    table = gap(tidy(rows, "made_up"))
    assert table[["model", "term"]].to_numpy().tolist() == [["m", "x"]]
    assert table["difference"].tolist() == pytest.approx([0.3])
