"""Models of the duration designs: what they need and what they have no use for is said at its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.errors import InputError
from analysis.study import read_study
from analysis.study.pipeline import models_of

VALID = """\
name: small
title: Small
question: How long?
summary: Written for the tests.
source: {adapter: registry}
unit: {noun: campaign, plural: campaigns, attributes: [kind]}
exposures:
  counted: {label: counted, indicators: [posts], transform: present, absent: zero}
outcomes:
  improved: {label: improved, type: binary}
  backlash: {label: backlash, type: binary, direction: -1}
covariates:
  kind: {label: kind, attribute: kind}
models:
  linear: {label: a, design: lpm, formula: improved ~ counted}
  first: {label: b, design: cumulative_incidence, formula: improved ~ 1, competing: backlash}
  hazard: {label: c, design: hazard, formula: improved ~ counted, exposed_from: launch, periods: [30, 90]}
  fine_gray: {label: d, design: fine_gray, formula: improved ~ kind, competing: backlash}
hypotheses:
  h:
    statement: Sooner.
    origin: [yasseri]
    expects: positive
    decided_by: {model: hazard, term: counted}
    smallest_effect: 0.4
optional_notebooks: [08_duration]
"""


def problems(folder: Path, text: str) -> list[tuple[int, str, str]]:
    (folder / "small.yml").write_text(text)
    with pytest.raises(InputError) as caught:
        read_study(folder / "small.yml", root=folder)
    return [(p.line, p.column, p.rule) for p in caught.value.problems]


def test_each_model_is_fitted_in_the_notebook_of_its_design(tmp_path: Path) -> None:
    (tmp_path / "small.yml").write_text(VALID)
    study = read_study(tmp_path / "small.yml")
    assert list(models_of(study, "05_regressions")) == ["linear"]
    assert list(models_of(study, "08_duration")) == ["first", "hazard", "fine_gray"]


WRONG = {
    "competing missing": (
        "improved ~ 1, competing: backlash", "improved ~ 1", 16, "models.first.design", "needs `competing`"
    ),
    "competing unknown": (
        "improved ~ 1, competing: backlash", "improved ~ 1, competing: backlsh", 16, "models.first.competing",
        "did you mean 'backlash'?",
    ),
    "competing unused": (
        "exposed_from: launch", "competing: backlash", 17, "models.hazard.competing", "has no use for `competing`"
    ),
    "groups in a curve": ("improved ~ 1", "improved ~ kind", 16, "models.first.formula", "groups as `each`"),
    "nothing to compare": ("counted, exposed", "1, exposed", 17, "models.hazard.formula", "compares hazards"),
    "exposure in fine_gray": (
        "improved ~ kind", "improved ~ counted", 18, "models.fine_gray.formula", "counted changes after it"
    ),
    "time in a design without": (
        "formula: improved ~ counted}", "formula: improved ~ counted, exposed_from: launch}", 15,
        "models.linear.exposed_from", "only cox and hazard",
    ),
    "periods fall": ("[30, 90]", "[90, 30]", 17, "models.hazard.periods", "must rise"),
    "notebook not run": ("[08_duration]", "[]", 17, "models.hazard.design", "add it to `optional_notebooks`"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_a_mistake_is_refused_at_its_line(tmp_path: Path, case: tuple[str, str, int, str, str]) -> None:
    old, new, line, key, remedy = case
    assert VALID.count(old) == 1
    found = [(at, column) for at, column, rule in problems(tmp_path, VALID.replace(old, new)) if remedy in rule]
    assert (line, key) in found
