"""The block `limitations`: a threat is measured or it is said why not, and by models that the study makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.errors import InputError
from analysis.study import read_study
from analysis.study.limitations import THREATS

ROOT = Path(__file__).parents[2]
STUDY = """\
name: small
title: Small
question: Is it wrong?
summary: Written for the tests.
source:
  adapter: petitions
unit:
  noun: campaign
  plural: campaigns
  attributes: [country, frame]
  frame: frame
  cases: [a-1]
exposures:
  signatures: {label: signatures, indicators: [signatures], transform: log10}
outcomes:
  policy: {label: a policy, type: binary, min_stage: 4}
covariates:
  place: {label: country, attribute: country}
models:
  all: {label: all, design: lpm, formula: policy ~ signatures}
  apart: {label: apart, design: lpm, formula: policy ~ signatures, each: frame, contrast_time_order: true}
hypotheses:
  h:
    statement: More is more.
    origin: [yasseri]
    expects: positive
    decided_by: {model: all, term: signatures}
    smallest_effect: 0.1
limitations:
  - A sentence.
  - threat: lags
    says: Change takes time.
    measured_by:
      - {model: all, term: signatures, as: points}
    not_measured: the rest
optional_notebooks: [04_case]
"""
MEASURE = "      - {model: all, term: signatures, as: points}\n"


def read(folder: Path, text: str = STUDY):  # type: ignore[no-untyped-def]
    (folder / "small.yml").write_text(text, encoding="utf-8")
    return read_study(folder / "small.yml", root=folder)


def test_a_sentence_and_a_measured_threat_are_read(tmp_path: Path) -> None:
    plain, lags = read(tmp_path).limitations
    assert (plain.threat, plain.says, plain.measured_by) == ("other", "A sentence.", [])
    assert (lags.threat, lags.not_measured) == ("lags", "the rest")
    assert [(m.model, m.term, m.outcome, m.form) for m in lags.measured_by] == [("all", "signatures", None, "points")]


WRONG = {
    "misspelt threat": ("threat: lags", "threat: lag", 31, "limitations[1].threat", "did you mean 'lags'?"),
    "misspelt key": ("    says: Change", "    say: Change", 32, "limitations[1].say", "did you mean 'says'?"),
    "no sentence": ("    says: Change takes time.\n", "", 31, "limitations[1].says", "required"),
    "empty sentence": ("A sentence.", "''", 30, "limitations[0].says", "must not be empty"),
    "a number": ("- A sentence.", "- 5", 30, "limitations[0]", "must be a sentence, or a block"),
    "neither measured nor said why not": (
        f"    measured_by:\n{MEASURE}    not_measured: the rest\n", "", 31, "limitations[1]", "needs `measured_by`",
    ),
    "form misspelt": ("as: points", "as: point", 34, "limitations[1].measured_by[0].as", "did you mean 'points'?"),
    "form left out": (", as: points", "", 34, "limitations[1].measured_by[0].as", "required"),
    "form by another name": (
        "as: points", "form: points", 34, "limitations[1].measured_by[0].form", "unknown key",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_what_has_the_wrong_shape_is_refused_at_its_line(tmp_path: Path, case: tuple[str, str, int, str, str]) -> None:
    was, becomes, line, key, remedy = case
    assert STUDY.count(was) == 1
    with pytest.raises(InputError) as refused:
        read(tmp_path, STUDY.replace(was, becomes))
    assert (line, key) in [(p.line, p.column) for p in refused.value.problems if remedy in p.rule]


@pytest.mark.parametrize(
    ("model", "remedy"),
    [
        ("al", "is made by no notebook of the study; did you mean 'all'?"),
        ("apart", "say in which, as in `apart[value]`"),
        ("all[w4r]", "has no `each`"),
        ("all@naive", "contrast_time_order"),
        ("al:power", "did you mean 'all'?"),
        ("all[", "is not the name of a model"),
        ("ladder", "say in which, as in `ladder[value]`"),
        ("ladders[w4r]", "did you mean 'ladder'?"),
        ("by_places[w4r]", "did you mean 'by_place'?"),
        ("case[a-2]", "did you mean 'a-1'?"),
    ],
)
def test_a_model_that_no_notebook_makes_is_refused_at_its_line(tmp_path: Path, model: str, remedy: str) -> None:
    with pytest.raises(InputError) as refused:
        read(tmp_path, STUDY.replace("{model: all, term: signatures, as", f'{{model: "{model}", term: signatures, as'))
    (problem,) = refused.value.problems
    assert (problem.line, problem.column) == (34, "limitations[1].measured_by[0].model")
    assert remedy in problem.rule


@pytest.mark.parametrize(
    "model",
    [
        "all", "all:power", "apart[w4r]", "apart[w4r]@naive", "apart[w4r]:sensitivity", "ladder[w4r]", "timing[w4r]",
        "by_place[w4r]", "interference[w4r]", "delay[w4r]", "case[a-1]",
    ],
)  # fmt: skip
def test_a_model_that_some_notebook_makes_is_taken(tmp_path: Path, model: str) -> None:
    text = STUDY.replace("{model: all, term: signatures, as", f'{{model: "{model}", term: signatures, as')
    assert read(tmp_path, text).limitations[1].measured_by[0].model == model


def test_without_frames_descriptions_are_of_all(tmp_path: Path) -> None:
    text = STUDY.replace("  frame: frame\n", "").replace("each: frame, ", "each: country, ")
    for model, remedy in {"ladder[w4r]": "write `ladder[all]`", "by_place": "write `by_place[all]`"}.items():
        with pytest.raises(InputError, match="has one sampling frame") as refused:
            read(tmp_path, text.replace("{model: all, term: signatures, as", f'{{model: "{model}", term: s, as'))
        assert remedy in str(refused.value)


def test_over_time_no_value_is_timed(tmp_path: Path) -> None:
    text = STUDY.replace("  frame: frame\n", "  grain: year\n")
    with pytest.raises(InputError, match="is made where units are observed once, and here they are by year"):
        read(tmp_path, text.replace("{model: all, term: signatures, as", '{model: "timing[all]", term: after, as'))


@pytest.mark.parametrize("name", sorted(path.stem for path in ROOT.glob("studies/*.yml")))
def test_every_study_speaks_of_every_threat(name: str) -> None:
    spoken = {entry.threat for entry in read_study(ROOT / f"studies/{name}.yml").limitations}
    assert spoken >= set(THREATS) - {"scope", "analysis", "other"}
