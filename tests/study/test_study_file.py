"""A study file is read as written, or refused with file, line, key and remedy before anything runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import analysis.sources
from analysis.errors import InputError, Problem
from analysis.study import Study, notebooks, read_study, references
from analysis.study.references import OUTCOME_TYPES
from analysis.study.spec import Model

Write = Callable[[str | bytes], Path]

VALID = """\
name: small
title: A small study
question: Does engagement predict change?
summary: Written for the tests.
source:
  adapter: imaginary
  raw:
    data/raw/small.csv: {sha}
  options: {{rows: 5, mode: fast}}
unit:
  noun: campaign
  plural: campaigns
  attributes: [frame, country, modality]
  frame: frame
exposures:
  posts:
    label: Posts
    indicators: [posts]
    transform: log10
  any_count:
    label: Any count
    indicators: [posts, views]
    transform: present
    absent: zero
outcomes:
  changed:
    label: Changed
    type: binary
  stage:
    label: Stage
    type: ordinal
    direction: 1
covariates:
  kind:
    label: Kind of campaign
    attribute: modality
    recode:
      online: [social_media]
      mixed: [mixed, both]
    reference: online
  wealth:
    label: National income
    context: gdp
models:
  counted:
    label: Counted engagement
    design: lpm
    formula: changed ~ posts * kind + wealth
    cluster: country
    sample: {{kind: [online, mixed]}}
    each: frame
    contrast_time_order: true
  ladder:
    label: Ladder
    design: ordered_logit
    formula: stage ~ any_count + C(wealth)
  bounds:
    label: Bounds
    design: manski_bounds
    formula: changed ~ any_count
hypotheses:
  h1:
    statement: More posts, more change.
    origin: [tufekci2017]
    expects: positive
    decided_by: {{model: "counted[w4r]@naive", term: "posts:kind[T.mixed]"}}
    smallest_effect: 0.05
truth:
  "counted[w4r]:posts": 0.1
  "ladder:any_count": 0
  "bounds:any_count:lower": -0.1
""".format(sha="ab" * 32)

ADAPTER = """
from typing import Literal
from analysis.study.spec import Strict

class Options(Strict):
    rows: int
    mode: Literal["fast", "exact"] = "fast"
"""


@pytest.fixture(scope="module", autouse=True)
def _imaginary_source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An adapter, a module beside it that is none, and a bibliography of one entry."""
    folder = tmp_path_factory.mktemp("sources")
    (folder / "imaginary.py").write_text(ADAPTER)
    (folder / "not_adapter.py").write_text("")
    bibliography = folder / "references.json"
    bibliography.write_text(json.dumps([{"id": "tufekci2017", "type": "book"}]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(analysis.sources, "__path__", [*analysis.sources.__path__, str(folder)])
        patch.setattr(references, "BIBLIOGRAPHY", bibliography)
        yield
    for name in ("imaginary", "not_adapter"):
        sys.modules.pop(f"analysis.sources.{name}", None)


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Write a study file into a project of its own and return its path."""
    path = tmp_path_factory.mktemp("project") / "studies" / "small.yml"
    path.parent.mkdir()

    def _write(content: str | bytes) -> Path:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write


def refused(write: Write, content: str | bytes) -> list[Problem]:
    path = write(content)
    with pytest.raises(InputError) as caught:
        read_study(path, root=path.parents[1])
    assert {p.file for p in caught.value.problems} == {"studies/small.yml"}
    assert "pydantic" not in str(caught.value)
    assert "http" not in str(caught.value)
    return caught.value.problems


def replaced(old: str, new: str) -> str:
    assert VALID.count(old) == 1
    return VALID.replace(old, new)


def test_valid_study_is_read_as_written(write: Write) -> None:
    study = read_study(write(VALID))
    assert study.name == "small"
    assert study.models["counted"].formula == "changed ~ posts * kind + wealth"
    assert study.covariates["kind"].recode == {"online": ["social_media"], "mixed": ["mixed", "both"]}
    assert study.hypotheses["h1"].smallest_effect == 0.05


def test_anchors_and_a_byte_order_mark_are_read(write: Write) -> None:
    text = replaced("label: Posts\n", "label: &it Posts\n").replace("label: Any count", "label: *it")
    assert read_study(write(b"\xef\xbb\xbf" + text.encode())).exposures["any_count"].label == "Posts"


WRONG_SHAPE = {
    "key misspelt": ("design: lpm", "desgin: lpm", 47, "models.counted.desgin", "did you mean 'design'?"),
    "key missing": ("    design: lpm\n", "", 45, "models.counted.design", "required"),
    "top key missing": ("title: A small study\n", "", 1, "title", "required"),
    "value not valid": ("design: lpm", "design: lmp", 47, "models.counted.design", "did you mean 'lpm'?"),
    "number as text": (
        "smallest_effect: 0.05",
        "smallest_effect: '0.05'",
        67,
        "hypotheses.h1.smallest_effect",
        "number",
    ),
    "text as number": ("title: A small study", "title: 2011", 2, "title", "put it in quotes"),
    "truth value as text": ("noun: campaign\n", "noun: true\n", 11, "unit.noun", "put it in quotes"),
    "yes is text": ("order: true", "order: yes", 52, "models.counted.contrast_time_order", "true or false"),
    "true is not 1": ("direction: 1", "direction: true", 32, "outcomes.stage.direction", "1 or -1"),
    "nothing written": ("title: A small study", "title:", 2, "title", "nothing is written here"),
    "empty text": ("title: A small study", "title: ''", 2, "title", "must not be empty"),
    "infinite": ("smallest_effect: 0.05", "smallest_effect: .inf", 67, "hypotheses.h1.smallest_effect", "finite"),
    "too small": ("smallest_effect: 0.05", "smallest_effect: 0", 67, "hypotheses.h1.smallest_effect", "greater than 0"),
    "list wanted": ("origin: [tufekci2017]", "origin: tufekci2017", 64, "hypotheses.h1.origin", "must be a list"),
    "list item": ("[posts, views]", "[posts, 5]", 22, "exposures.any_count.indicators[1]", "must be text"),
    "empty list": ("indicators: [posts]", "indicators: []", 18, "exposures.posts.indicators", "at least 1"),
    "bad name": ("  ladder:", "  Ladder:", 53, "models.Ladder", "lower-case"),
    "bad hash": ("ab" * 32, "abc", 8, "source.raw.data/raw/small.csv", "sha256"),
    "block wanted": (
        "      online: [social_media]\n      mixed: [mixed, both]\n",
        "      - online\n",
        37,
        "covariates.kind.recode",
        "block of keys",
    ),
    "other name": ("name: small", "name: large", 1, "name", "must be the file's name, 'small'"),
}

WRONG_REFERENCE = {
    "no such adapter": ("adapter: imaginary", "adapter: imaginery", 6, "source.adapter", "did you mean 'imaginary'?"),
    "module without options": ("adapter: imaginary", "adapter: not_adapter", 6, "source.adapter", "no such adapter"),
    "path outside": (
        "data/raw/small.csv",
        "data/../../small.csv",
        8,
        "source.raw.data/../../small.csv",
        "under the project",
    ),
    "absolute path": ("data/raw/small.csv", "/data/small.csv", 8, "source.raw./data/small.csv", "under the project"),
    "option misspelt": ("rows: 5", "row: 5", 9, "source.options.row", "did you mean 'rows'?"),
    "option mistyped": ("rows: 5", "rows: '5'", 9, "source.options.rows", "whole number"),
    "option not valid": ("mode: fast", "mode: exakt", 9, "source.options.mode", "did you mean 'exact'?"),
    "frame": ("frame: frame\n", "frame: frames\n", 14, "unit.frame", "did you mean 'frame'?"),
    "column twice": ("  wealth:\n", "  posts:\n", 41, "covariates.posts", "is declared in `exposures` too"),
    "joined indicators": ("transform: present", "transform: log1p", 22, "exposures.any_count.indicators", "present"),
    "present, but missing": ("    absent: zero\n", "", 20, "exposures.any_count.absent", "must be `zero`"),
    "two sources": ("context: gdp", "context: gdp\n    attribute: frame", 41, "covariates.wealth", "exactly one"),
    "no source": ("    context: gdp\n", "", 41, "covariates.wealth", "exactly one"),
    "attribute": (
        "attribute: modality",
        "attribute: modalty",
        36,
        "covariates.kind.attribute",
        "did you mean 'modality'?",
    ),
    "recoded twice": (
        "[mixed, both]",
        "[mixed, social_media]",
        39,
        "covariates.kind.recode.mixed[1]",
        "'online' already",
    ),
    "reference": ("reference: online", "reference: onlin", 40, "covariates.kind.reference", "did you mean 'online'?"),
    "left side": ("changed ~ posts", "change ~ posts", 48, "models.counted.formula", "did you mean 'changed'?"),
    "type of outcome": ("changed ~ posts", "stage ~ posts", 48, "models.counted.formula", "explains a binary outcome"),
    "right side": ("+ wealth", "+ welth", 48, "models.counted.formula", "did you mean 'wealth'?"),
    "code": ("+ wealth", "+ log(wealth)", 48, "models.counted.formula", "is code"),
    "cluster": ("cluster: country", "cluster: county", 49, "models.counted.cluster", "did you mean 'country'?"),
    "sample": ("sample: {kind: ", "sample: {kinds: ", 50, "models.counted.sample.kinds", "did you mean 'kind'?"),
    "sampled level": (
        "{kind: [online,",
        "{kind: [onlin,",
        50,
        "models.counted.sample.kind[0]",
        "did you mean 'online'?",
    ),
    "each": ("each: frame", "each: fram", 51, "models.counted.each", "did you mean 'frame'?"),
    "origin": ("[tufekci2017]", "[tufecki2017]", 64, "hypotheses.h1.origin[0]", "did you mean 'tufekci2017'?"),
    "model": ('"counted[w4r]@n', '"conted[w4r]@n', 66, "hypotheses.h1.decided_by.model", "did you mean 'counted'?"),
    "value left out": ('"counted[w4r]@n', '"counted@n', 66, "hypotheses.h1.decided_by.model", "`counted[value]`"),
    "value too many": ('"ladder:', '"ladder[w4r]:', 70, "truth.ladder[w4r]:any_count", "has no `each`"),
    "no contrast": ('"ladder:', '"ladder@naive:', 70, "truth.ladder@naive:any_count", "contrast_time_order"),
    "term": ('"posts:kind[', '"post:kind[', 66, "hypotheses.h1.decided_by.term", "did you mean 'posts:kind'?"),
    "level": ("kind[T.mixed]", "kind[T.mixd]", 66, "hypotheses.h1.decided_by.term", "did you mean 'mixed'?"),
    "reference level": (
        "kind[T.mixed]",
        "kind[T.online]",
        66,
        "hypotheses.h1.decided_by.term",
        "is the reference level",
    ),
    "level left out": ("kind[T.mixed]", "kind", 66, "hypotheses.h1.decided_by.term", "name one"),
    "level of a number": ("posts:kind[T.mixed]", "posts[T.1]", 66, "hypotheses.h1.decided_by.term", "no levels"),
    "truth without term": ('"ladder:any_count"', '"ladder"', 70, "truth.ladder", "`model:term`"),
    "bounds of two": (
        "~ any_count\nhyp",
        "~ any_count + posts\nhyp",
        60,
        "models.bounds.formula",
        "one exposure alone",
    ),
    "no such bound": (":lower", ":lowr", 71, "truth.bounds:any_count:lowr", "did you mean 'any_count:lower'?"),
    "truth about no term": ('"ladder:any_count"', '"ladder:posts"', 70, "truth.ladder:posts", "is not a term"),
}


@pytest.mark.parametrize(
    "case", [*WRONG_SHAPE.values(), *WRONG_REFERENCE.values()], ids=[*WRONG_SHAPE, *WRONG_REFERENCE]
)
def test_a_mistake_is_refused_at_its_line_with_its_remedy(write: Write, case: tuple[str, str, int, str, str]) -> None:
    old, new, line, key, remedy = case
    found = [(p.line, p.column) for p in refused(write, replaced(old, new)) if remedy in p.rule]
    assert found == [(line, key)]


UNREADABLE = {
    "empty": ("", 0, "is empty"),
    "only a comment": ("# nothing\n", 0, "is empty"),
    "a list": ("\n- name: small\n", 2, "must be a block of keys"),
    "tab": ("name: small\nsource:\n\tadapter: imaginary\n", 3, "spaces, not tabs"),
    "unclosed": ("name: small\ntitle: [a\nquestion: b\n", 3, "is not valid YAML"),
    "two documents": ("name: small\n---\nname: small\n", 2, "is not valid YAML"),
    "undefined alias": ("name: small\ntitle: *it\n", 2, "is not valid YAML"),
    "alias of itself": ("name: small\ntitle: &it [*it]\n", 2, "alias"),
    "not UTF-8": (b"name: small\ntitle: caf\xe9\n", 2, "UTF-8"),
    "control character": ("name: small\ntitle: a\x01\n", 2, "control character"),
    "tag": ("name: small\ntitle: !!python/name:os.system ''\n", 2, "remove the tag"),
    "no such day": ("name: small\ntitle: 2011-02-31\n", 2, "put it in quotes"),
    "numeric key": ("name: small\n2011: a\n", 2, "a key must be text"),
    "merge key": ("name: small\nunit: &it {}\nsource:\n  <<: *it\n", 4, "can't be merged"),
    "too deep": ("name: " + "[" * 1000, 0, "too deeply"),
}


@pytest.mark.parametrize("case", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_not_plain_yaml_is_refused_at_its_line(write: Write, case: tuple[str | bytes, int, str]) -> None:
    content, line, rule = case
    (problem,) = refused(write, content)
    assert problem.line == line
    assert rule in problem.rule


def test_every_duplicate_key_is_refused_with_both_lines(write: Write) -> None:
    text = VALID + "title: Again\n" + "truth: {}\n"
    found = [(p.line, p.column, p.rule) for p in refused(write, text)]
    assert found == [
        (72, "title", "duplicate key, first on line 2; keep one"),
        (73, "truth", "duplicate key, first on line 68; keep one"),
    ]


@pytest.mark.parametrize("table", [WRONG_SHAPE, WRONG_REFERENCE], ids=["shape", "reference"])
def test_several_mistakes_are_refused_together(write: Write, table: dict[str, tuple[str, str, int, str, str]]) -> None:
    wanted = {
        "shape": ["value not valid", "truth value as text", "other name", "bad hash", "true is not 1"],
        "reference": ["path outside", "option mistyped", "reference", "right side", "cluster", "origin", "level"],
    }["shape" if table is WRONG_SHAPE else "reference"]
    text = VALID
    for old, new, *_ in (table[case] for case in wanted):
        text = text.replace(old, new)
    assert [(p.line, p.column) for p in refused(write, text)] == sorted(table[case][2:4] for case in wanted)


def test_a_missing_study_names_the_nearest_one(write: Write) -> None:
    path = write(VALID)
    with pytest.raises(InputError, match=r"studies/smal.yml: there is no such study; did you mean 'small'\?"):
        read_study(path.with_stem("smal"), root=path.parents[1])


KEYS = [number for number, line in enumerate(VALID.splitlines(), 1) if line.split(":")[0].strip() in {
    "title", "summary", "adapter", "noun", "label", "transform", "type", "attribute", "design", "cluster", "expects",
}]  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(KEYS), st.data())
def test_any_misspelt_key_is_refused_at_its_line(write: Write, number: int, data: st.DataObject) -> None:
    lines = VALID.splitlines()
    body = lines[number - 1].lstrip()
    indent = lines[number - 1].removesuffix(body)
    key, value = body.split(":", 1)
    position = data.draw(st.integers(0, len(key) - 1))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz_"))
    wrong = data.draw(st.sampled_from([key[:position] + letter + key[position:], key[:position] + key[position + 1 :]]))
    assume(wrong != key)
    lines[number - 1] = f"{indent}{wrong}:{value}"
    problems = refused(write, "\n".join(lines))
    unknown = [p for p in problems if p.rule.startswith("unknown key")]
    assert [(p.line, p.value) for p in unknown] == [(number, wrong)]
    assert f"did you mean {key!r}?" in unknown[0].rule


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 5), st.integers(0, len(VALID.splitlines()) - 1))
def test_blank_lines_move_the_reported_line_and_nothing_else(write: Write, blanks: int, after: int) -> None:
    lines = replaced("+ wealth", "+ welth").splitlines()
    (before,) = refused(write, "\n".join(lines))
    (moved,) = refused(write, "\n".join([*lines[:after], *[""] * blanks, *lines[after:]]))
    assert moved.line == before.line + (blanks if after < before.line else 0)
    assert (moved.column, moved.rule) == (before.column, before.rule)


def test_every_design_says_which_outcome_it_explains() -> None:
    assert set(get_args(Model.model_fields["design"].annotation)) == set(OUTCOME_TYPES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("01_ingest", "05_regressions", "06_event_study", "08_duration", "11_synthesis", "scratch"):
        (tmp_path / f"{name}.ipynb").touch()
    return tmp_path


def with_optional(write: Write, *names: str) -> Study:
    return read_study(write(VALID + f"optional_notebooks: [{', '.join(names)}]\n"))


def test_a_study_runs_the_common_notebooks_and_its_own_in_order(write: Write, folder: Path) -> None:
    names = [path.stem for path in notebooks(with_optional(write, "08_duration"), folder)]
    assert names == ["01_ingest", "05_regressions", "08_duration", "11_synthesis"]


def test_a_declared_notebook_that_does_not_exist_is_refused(write: Write, folder: Path) -> None:
    with pytest.raises(InputError, match=r"small.yml, optional_notebooks: '07_threshold': no such file"):
        notebooks(with_optional(write, "07_threshold", "08_duration"), folder)
