"""The block `event_study` of a study file: mistakes are refused at their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.errors import InputError
from analysis.study import read_study

VALID = """\
name: towns
title: Towns
question: Do cameras change anything?
summary: Written for the tests.
source: {adapter: petitions}
unit: {noun: town, plural: towns, attributes: [region], grain: year}
exposures:
  protested: {label: protested, indicators: [protests], transform: present, window: all, absent: zero}
  recent: {label: protested lately, indicators: [protests], transform: present, absent: zero}
outcomes:
  force: {label: force, type: continuous}
covariates:
  size: {label: size, context: size}
models:
  main:
    label: force, after protests
    design: event_study
    formula: force ~ protested + size
    cluster: region
    event_study:
      leads: 4
      lags: 3
      estimators: [callaway_santanna, sun_abraham]
      honest: [0, 0.5]
hypotheses:
  h:
    statement: Protest changes force.
    origin: [yasseri]
    expects: negative
    decided_by: {model: main, term: "event[2]:sun_abraham"}
    smallest_effect: 0.1
optional_notebooks: [06_event_study]
"""


def problems(folder: Path, text: str) -> list[tuple[int, str, str]]:
    (folder / "towns.yml").write_text(text)
    with pytest.raises(InputError) as caught:
        read_study(folder / "towns.yml", root=folder)
    return [(p.line, p.column, p.rule) for p in caught.value.problems]


def test_the_block_is_read_as_written(tmp_path: Path) -> None:
    (tmp_path / "towns.yml").write_text(VALID)
    block = read_study(tmp_path / "towns.yml").models["main"].event_study
    assert block is not None
    assert (block.leads, block.lags, block.comparison, block.honest) == (4, 3, "not_yet_treated", [0.0, 0.5])


WRONG = {
    "key misspelt": ("leads: 4", "lead: 4", 21, "models.main.event_study.lead", "did you mean 'leads'?"),
    "no such estimator": ("sun_abraham]", "sun]", 23, "models.main.event_study.estimators[1]", "sun_abraham"),
    "too few leads": ("leads: 4", "leads: 2\n      anticipation: 1", 21, "models.main.event_study.leads", "at least 3"),
    "negative bound": ("[0, 0.5]", "[0, -0.5]", 24, "models.main.event_study.honest[1]", "must be at least 0"),
    "twice": ("[0, 0.5]", "[0, 0]", 24, "models.main.event_study.honest", "names something twice"),
    "two clusters": ("cluster: region", "cluster: [region, period]", 19, "models.main.cluster", "by one attribute"),
    "no grain": (", grain: year", "", 17, "models.main.design", "observed over time"),
    "may end": ("force ~ protested", "force ~ recent", 18, "models.main.formula", "'recent' may end again"),
    "two exposures": ("protested + size", "protested + recent", 18, "models.main.formula", "has one exposure"),
    "no exposure": ("protested + size", "size", 18, "models.main.formula", "has one exposure"),
    "fixed effects": ("cluster: region", "absorb: [unit_id]", 19, "models.main.absorb", "has no fixed effects"),
    "not run": ("[06_event_study]", "[]", 17, "models.main.design", "is fitted in 06_event_study"),
    "no such term": (
        "event[2]:sun_abraham",
        "event[4]",
        30,
        "hypotheses.h.decided_by.term",
        "is not a term of the design",
    ),
    "the reference": ("event[2]:sun_abraham", "event[-1]", 30, "hypotheses.h.decided_by.term", "is not a term of the"),
}


@pytest.mark.parametrize(("old", "new", "line", "place", "rule"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_refused_at_its_line(tmp_path: Path, old: str, new: str, line: int, place: str, rule: str) -> None:
    assert VALID.count(old) == 1
    found = problems(tmp_path, VALID.replace(old, new))
    assert any(at == line and column == place and rule in said for at, column, said in found), found


def test_a_block_without_its_design_and_a_design_without_its_block_are_refused(tmp_path: Path) -> None:
    other = VALID.replace("design: event_study", "design: ols").replace("event[2]:sun_abraham", "protested")
    assert ("models.main.event_study", "the design ols has no moment of exposure; remove the block") in [
        problem[1:] for problem in problems(tmp_path, other)
    ]
    start, end = VALID.index("    event_study:"), VALID.index("hypotheses:")
    rules = [rule for _, _, rule in problems(tmp_path, VALID[:start] + VALID[end:])]
    assert any("needs a block `event_study`" in rule for rule in rules)
