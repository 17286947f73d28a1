"""What decides a hypothesis is hashed when it is first run, and a study that departs from it must say so."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.study import read_study
from analysis.study.register import main
from analysis.study.registration import content_of, read_registration, register, registration_file, unregistered

STUDY = """\
name: small
title: A small study
question: Does a count come before change?
summary: Written for the tests.
source: {adapter: registry}
unit: {noun: campaign, plural: campaigns, attributes: [country, region]}
exposures:
  counted: {label: Counted, indicators: [posts], transform: present, absent: zero}
  posts: {label: Posts, indicators: [posts], transform: log10}
outcomes:
  improved: {label: Improved, type: binary}
covariates:
  kind:
    label: Kind
    attribute: region
    recode: {north: [n], south: [s]}
models:
  main: {label: Main, design: lpm, formula: improved ~ counted + kind, sample: {country: [a, b]}}
  other: {label: Other, design: lpm, formula: improved ~ posts}
hypotheses:
  works:
    statement: It works.
    origin: [keck-sikkink]
    expects: positive
    decided_by: {model: main, term: counted}
    smallest_effect: 0.1
  more:
    statement: More works better.
    origin: [keck-sikkink]
    expects: positive
    decided_by: {model: other, term: posts}
    smallest_effect: 0.1
families: {main: holm}
"""
LOGGED = """\
deviations:
  - {hypothesis: works, date: 2026-01-05, what: Another sample., why: Two countries were miscoded., after_results: true}
"""
FIRST, LATER = date(2026, 1, 2), date(2026, 1, 9)


def written(folder: Path, text: str = STUDY) -> Path:
    (folder / "studies").mkdir(exist_ok=True)
    file = folder / "studies/small.yml"
    file.write_text(text)
    return file


def registered(folder: Path) -> Path:
    file = written(folder)
    assert register(read_study(file, root=folder), file, FIRST) == ["works", "more"]
    return file


def refusals(folder: Path, text: str) -> list[tuple[str, int, str, str]]:
    with pytest.raises(InputError) as caught:
        read_study(written(folder, text), root=folder)
    return [(p.file, p.line, p.column, p.rule) for p in caught.value.problems]


def test_what_is_registered_says_what_decides_and_only_grows(tmp_path: Path) -> None:
    file = registered(tmp_path)
    before = registration_file(file).read_bytes()
    stored = json.loads(before)["hypotheses"]["works"]
    assert [version["registered"] for version in stored] == ["2026-01-02"]
    content = stored[0]["content"]
    assert content["decided_by"] == {"model": "main", "term": "counted"}
    assert content["model"]["formula"] == "improved ~ counted + kind"
    assert (list(content["exposures"]), list(content["covariates"])) == (["counted"], ["kind"])
    assert register(read_study(file, root=tmp_path), file, LATER) == []
    assert registration_file(file).read_bytes() == before


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("label: Main", "label: A better name"),
        ("statement: It works.", "statement: It does work."),
        ("name: small\n", "# a comment\nname: small\n"),
        (
            "{label: Main, design: lpm, formula: improved ~ counted + kind,",
            "{formula: improved ~ counted + kind, label: M, design: lpm,",
        ),
        ("origin: [keck-sikkink]", "origin: [keck-sikkink, tufekci]"),
        ("label: Other, design: lpm,", "label: Other, design: lpm, contrast_time_order: true,"),
        ("  other: {", "  new: {label: N, design: lpm, formula: improved ~ kind}\n  other: {"),
        ("  posts: {label: Posts", "  views: {label: V, indicators: [views]}\n  posts: {label: Posts"),
        ("decided_by: {model: main", "family: main\n    decided_by: {model: main"),
        ("families: {main: holm}", "limitations: [None that we know of.]"),
    ],
)
def test_comments_labels_order_and_what_is_unused_do_not_matter(tmp_path: Path, was: str, becomes: str) -> None:
    registered(tmp_path)
    assert was in STUDY
    read_study(written(tmp_path, STUDY.replace(was, becomes, 1)), root=tmp_path)


CHANGES = {
    "formula": ("counted + kind", "counted", 18, "models.main.formula", "improved ~ counted + kind"),
    "sample": ("country: [a, b]", "country: [a]", 18, "models.main.sample.country", '["a", "b"]'),
    "cluster": (
        "formula: improved ~ counted",
        "cluster: country, formula: improved ~ counted",
        18,
        "models.main.cluster",
        "[]",
    ),
    "exposure": (
        "transform: present",
        "time_order: naive, transform: present",
        8,
        "exposures.counted.time_order",
        '"strict"',
    ),
    "outcome": ("type: binary", "type: binary, min_stage: 4", 11, "outcomes.improved.min_stage", "1"),
    "covariate": ("south: [s]", "south: [s, w]", 16, "covariates.kind.recode.south", '["s"]'),
    "expects": ("expects: positive", "expects: negative", 24, "hypotheses.works.expects", '"positive"'),
    "smallest effect": ("smallest_effect: 0.1", "smallest_effect: 0.2", 26, "hypotheses.works.smallest_effect", "0.1"),
    "family": ("expects: positive", "expects: positive\n    family: own", 25, "hypotheses.works.family", '"main"'),
    "before launch": (
        "noun: campaign,",
        "noun: campaign, before_launch: exclude,",
        6,
        "unit.before_launch",
        '"refuse"',
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_changed_hypothesis_is_refused_with_line_key_and_remedy(tmp_path: Path, case: str) -> None:
    was, becomes, line, key, registered_value = CHANGES[case]
    registered(tmp_path)
    found = [problem for problem in refusals(tmp_path, STUDY.replace(was, becomes, 1)) if "'works'" in problem[3]]
    assert [problem[:3] for problem in found] == [("studies/small.yml", line, key)]
    assert f"was {registered_value if case != 'formula' else chr(34) + registered_value + chr(34)} when" in found[0][3]
    assert "restore it, or log the change under `deviations`" in found[0][3]


def test_the_method_of_a_family_is_registered(tmp_path: Path) -> None:
    registered(tmp_path)
    found = refusals(tmp_path, STUDY.replace("main: holm", "main: bh"))
    assert {(line, key) for _, line, key, _ in found} == {(33, "families.main")}
    assert len(found) == 2


def test_another_deciding_estimate_is_one_problem_for_each_key_that_differs(tmp_path: Path) -> None:
    registered(tmp_path)
    found = refusals(tmp_path, STUDY.replace("{model: main, term: counted}", "{model: other, term: posts}"))
    keys = {key for _, _, key, _ in found}
    assert {"hypotheses.works.decided_by.model", "hypotheses.works.decided_by.term", "models.other.formula"} <= keys
    assert not any(key.startswith(("exposures.", "covariates.")) for key in keys), "the formula says it already"


CHANGED = STUDY.replace("country: [a, b]", "country: [a]")


def test_a_logged_deviation_lets_a_change_through_once(tmp_path: Path) -> None:
    registered(tmp_path)
    file = written(tmp_path, CHANGED + LOGGED)
    study = read_study(file, root=tmp_path)
    stored = read_registration(registration_file(file), "r")
    assert unregistered(study, stored) == ["works"]
    assert register(study, file, LATER) == ["works"]
    after = read_registration(registration_file(file), "r")
    assert stored is not None
    assert after is not None
    assert after.hypotheses["works"][0] == stored.hypotheses["works"][0]
    assert [version.registered for version in after.hypotheses["works"]] == [FIRST, LATER]
    assert after.hypotheses["more"] == stored.hypotheses["more"]
    read_study(file, root=tmp_path)
    again = refusals(tmp_path, CHANGED.replace("country: [a]", "country: [b]") + LOGGED)
    assert [key for _, _, key, _ in again] == ["models.main.sample.country"]
    back = refusals(tmp_path, STUDY + LOGGED)
    assert [key for _, _, key, _ in back] == ["models.main.sample.country"]


@pytest.mark.parametrize("log", ["", LOGGED.replace("Two countries were", "One country was")])
def test_the_log_of_deviations_only_grows(tmp_path: Path, log: str) -> None:
    registered(tmp_path)
    file = written(tmp_path, CHANGED + LOGGED)
    register(read_study(file, root=tmp_path), file, LATER)
    (found,) = refusals(tmp_path, CHANGED + log)
    assert found[2] == "deviations"
    assert "recorded on 2026-01-09 is gone or reworded" in found[3]


def test_hypotheses_are_not_added_or_dropped_in_silence(tmp_path: Path) -> None:
    registered(tmp_path)
    more = STUDY[STUDY.index("  more:") : STUDY.index("families:")]
    added = STUDY.replace("families:", more.replace("more:", "late:") + "families:")
    (found,) = refusals(tmp_path, added)
    assert found[2] == "hypotheses.late"
    assert "was added after the study's hypotheses had been registered on 2026-01-02; log it" in found[3]
    read_study(written(tmp_path, added + LOGGED.replace("works", "late")), root=tmp_path)
    (found,) = refusals(tmp_path, STUDY.replace(more, ""))
    assert found[2] == "hypotheses"
    assert "'more', registered on 2026-01-02, is gone" in found[3]
    gone = LOGGED.replace("works", "more").replace("after_results", "dropped: true, after_results")
    read_study(written(tmp_path, STUDY.replace(more, "") + gone), root=tmp_path)
    (found,) = refusals(tmp_path, STUDY + gone)
    assert "is in the study file, and not dropped" in found[3]


def test_a_dropped_hypothesis_may_be_logged_before_anything_is_registered(tmp_path: Path) -> None:
    gone = LOGGED.replace("works", "earlier").replace("after_results", "dropped: true, after_results")
    assert read_study(written(tmp_path, STUDY + gone), root=tmp_path).deviations[0].dropped


def test_a_deviation_of_an_unknown_hypothesis_is_refused_whether_or_not_anything_is_registered(tmp_path: Path) -> None:
    wrong = STUDY + LOGGED.replace("works", "wroks")
    assert refusals(tmp_path, wrong)[0][3].startswith("is not a hypothesis; did you mean 'works'?")
    undated = STUDY + LOGGED.replace("2026-01-05", '"early 2026"')
    assert "must be a date, as in 2014-05-17, without quotes" in refusals(tmp_path, undated)[0][3]


def test_a_registration_changed_by_hand_is_refused(tmp_path: Path) -> None:
    file = registered(tmp_path)
    stored = registration_file(file)
    honest = stored.read_text()
    stored.write_text(honest.replace('"smallest_effect": 0.1', '"smallest_effect": 0.2', 1))
    (found,) = refusals(tmp_path, STUDY)
    assert found[0] == "studies/registrations/small.json"
    assert "is not the hash of what stands beside it" in found[3]
    stored.write_text(honest[:-40])
    (found,) = refusals(tmp_path, STUDY)
    assert "is not a registration" in found[3]


def test_a_key_that_study_files_get_later_keeps_old_registrations_valid_at_its_default(tmp_path: Path) -> None:
    file = registered(tmp_path)
    stored = json.loads(registration_file(file).read_text())
    content = stored["hypotheses"]["works"][0]["content"]
    del content["model"]["weights"], content["exposures"]["counted"]["window"]
    import hashlib

    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    stored["hypotheses"]["works"][0]["sha256"] = hashlib.sha256(canonical.encode()).hexdigest()
    registration_file(file).write_text(json.dumps(stored))
    read_study(file, root=tmp_path)
    size = "  size: {label: S, context: size}\nmodels:"
    found = refusals(tmp_path, STUDY.replace("models:", size, 1).replace("label: Main,", "label: Main, weights: size,"))
    assert [key for _, _, key, _ in found] == ["models.main.weights"]


@given(st.permutations(["exposures", "outcomes", "covariates", "models", "hypotheses"]))
def test_the_order_of_blocks_changes_no_hash(order: list[str]) -> None:
    from analysis.study.document import Document
    from analysis.study.spec import Study

    data = Document.parse(STUDY.encode(), "small.yml").data
    shuffled = {key: data[key] for key in [*order, *data]}
    first, second = (Study.model_validate(content, strict=True) for content in (data, shuffled))
    assert json.dumps(content_of(first, "works"), sort_keys=True) == json.dumps(
        content_of(second, "works"), sort_keys=True
    )


def test_make_register_writes_the_file_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLICKS_ROOT", str(tmp_path))
    file = written(tmp_path)
    assert main(["small"]) == 0
    assert "registered works, more in studies/registrations/small.json; commit it" in capsys.readouterr().out
    assert read_registration(registration_file(file), "r") is not None
    assert main(["small"]) == 0
    assert "registered already" in capsys.readouterr().out
    written(tmp_path, CHANGED)
    assert main(["small"]) == 2
    assert "models.main.sample.country" in capsys.readouterr().err
    assert main([]) == 2


@pytest.mark.parametrize("name", ["benchmark", "campaigns", "petitions"])
def test_the_studies_agree_with_what_they_registered(name: str, request: pytest.FixtureRequest) -> None:
    root = request.config.rootpath
    file = root / f"studies/{name}.yml"
    study = read_study(file, root=root)
    stored = read_registration(registration_file(file), "r")
    assert stored is not None
    assert set(study.hypotheses) <= set(stored.hypotheses)
    assert unregistered(study, stored) == []


def test_the_moves_to_landmark_models_are_logged_as_made_after_results(request: pytest.FixtureRequest) -> None:
    study = read_study(request.config.rootpath / "studies/campaigns.yml")
    logged = {d.hypothesis for d in study.deviations if d.after_results}
    assert {"engagement", "counted_prospective"} <= logged
