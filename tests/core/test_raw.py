"""A raw file that is not the one the study lists stops the run, and says so beside what is wrong in its rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from analysis.errors import InputError, Problem
from analysis.hashing import sha256
from analysis.project import Project
from analysis.sources import ingest
from analysis.study.spec import Study

PROCESS = "data/raw/registry/process.csv"


def problems(study: Study, project: Project) -> list[Problem]:
    with pytest.raises(InputError) as refused:
        ingest(study, project, seed=0)
    return refused.value.problems


def test_whole_files_are_read(campaigns: Study, project: Project) -> None:
    assert len(ingest(campaigns, project, seed=0).units) == 221


@pytest.mark.parametrize("edit", [lambda b: b + b" ", lambda b: b[:-1], lambda b: b.replace(b"2400000", b"2400001")])
def test_a_changed_file_shows_the_expected_and_the_found_hash(
    campaigns: Study, project: Project, edit: Callable[[bytes], bytes]
) -> None:
    path = project.root / PROCESS
    expected = sha256(path)
    path.write_bytes(edit(path.read_bytes()))
    found = problems(campaigns, project)
    changed = next(p for p in found if p.column == "sha256")
    assert changed.file == PROCESS
    assert changed.value == hashlib.sha256(path.read_bytes()).hexdigest()
    assert expected in changed.rule
    assert changed.value in str(changed)


def test_a_truncated_file_is_reported_with_the_row_that_was_cut(campaigns: Study, project: Project) -> None:
    path = project.root / PROCESS
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:99], lines[99][:12]]))
    assert [(p.file, p.line, p.column) for p in problems(campaigns, project)] == [
        (PROCESS, 0, "sha256"),
        (PROCESS, 100, ""),
    ]


def test_a_missing_file_is_reported_with_every_other_missing_or_changed_one(campaigns: Study, project: Project) -> None:
    (project.root / PROCESS).unlink()
    outcomes = project.root / "data/raw/registry/outcomes.csv"
    outcomes.write_bytes(outcomes.read_bytes() + b"\n")
    first, second = problems(campaigns, project)
    assert (first.file, first.column) == ("data/raw/registry/outcomes.csv", "sha256")
    assert second.file == PROCESS
    assert "is missing" in second.rule


def test_bad_rows_are_reported_with_the_changed_hash(campaigns: Study, project: Project) -> None:
    path = project.root / PROCESS
    path.write_text(path.read_text(encoding="utf-8").replace("2400000", "24e5", 1), encoding="utf-8")
    assert [(p.line, p.column, p.value) for p in problems(campaigns, project)] == [
        (0, "sha256", sha256(path)),
        (2, "value", "24e5"),
    ]
