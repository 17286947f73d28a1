"""A broken raw file is refused with file, line, column and value; a whole one is read whatever its line ends."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.errors import InputError, Problem
from analysis.project import Project
from analysis.sources import csvfile, registry
from analysis.sources.csvfile import CsvFile
from analysis.tables import CanonicalTables

FOLDER = "data/raw/registry"
COLUMNS = {
    "campaigns": registry.CAMPAIGNS,
    "process": registry.PROCESS_FILE,
    "outcomes": registry.OUTCOMES_FILE,
    "sources": registry.SOURCES,
}


def name(file: str) -> str:
    return f"{FOLDER}/{file}.csv"


def records(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.reader(lines))


def store(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines, lineterminator="\n").writerows(rows)


def set_cell(root: Path, file: str, line: int, column: str, value: str) -> None:
    rows = records(root / name(file))
    rows[line - 1][rows[0].index(column)] = value
    store(root / name(file), rows)


def problems(root: Path) -> list[Problem]:
    with pytest.raises(InputError) as refused:
        registry.load(root, registry.Options(), seed=0)
    assert str(refused.value).startswith(f"{len(refused.value.problems)} problem")
    return refused.value.problems


BROKEN_CELLS = [
    ("process", 2, "as_of", "2014-02-30", "must be a calendar date"),
    ("process", 2, "as_of", "28.2.2012", "must be a calendar date"),
    ("campaigns", 3, "launched", "1018-12", "must be a calendar date"),
    ("process", 2, "indicator", "signature", "did you mean 'signatures'?"),
    ("process", 2, "value", "-5", "digits only"),
    ("process", 2, "value", "1.5", "digits only"),
    ("process", 2, "value", "2,400,000", "digits only"),
    ("process", 2, "value", "", "digits only"),
    ("process", 2, "value", "٢٤", "digits only"),
    ("process", 2, "value_type", "approximate", "valid: exact, rounded, lower_bound"),
    ("process", 3, "campaign_id", "acta-avaaz-2013", "did you mean 'acta-avaaz-2012'?"),
    ("outcomes", 2, "campaign_id", "nobody's", "add it there, or correct it here"),
    ("outcomes", 2, "source_id", "acta-bgg", "is not a source_id of data/raw/registry/sources.csv"),
    ("campaigns", 2, "frame_source_id", "unheard-of", "is not a source_id"),
    ("campaigns", 2, "name", " ", "must not be empty"),
    ("campaigns", 2, "launched_precision", "day", "does not agree with how `launched` is written"),
    ("outcomes", 2, "date_precision", "", "does not agree with how `date` is written"),
    ("outcomes", 2, "date", "2012-07-05", "is later than `observed_until`"),
    ("outcomes", 2, "stage", "0", "must be 1 to 5 where something was observed"),
    ("outcomes", 2, "stage", "6", "is not an allowed value"),
    ("outcomes", 2, "direction", "+1", "is not an allowed value"),
    ("sources", 2, "published", "2008-31-12", "must be a calendar date"),
]


@pytest.mark.parametrize(("file", "line", "column", "value", "rule"), BROKEN_CELLS)
def test_a_broken_cell_is_named(project: Project, file: str, line: int, column: str, value: str, rule: str) -> None:
    set_cell(project.root, file, line, column, value)
    (problem,) = problems(project.root)
    assert (problem.file, problem.line, problem.column, problem.value) == (name(file), line, column, value)
    assert rule in problem.rule


def test_nothing_observed_cannot_have_a_stage_direction_or_date(project: Project) -> None:
    rows = records(project.root / name("outcomes"))
    line = 1 + next(i for i, row in enumerate(rows) if row[2] == "none_observed" and row[7])
    observed_until = rows[line - 1][7]
    for column, value in {"stage": "4", "direction": "1", "date": observed_until}.items():
        set_cell(project.root, "outcomes", line, column, value)
    set_cell(project.root, "outcomes", line, "date_precision", {4: "year", 7: "month", 10: "day"}[len(observed_until)])
    found = [(p.line, p.column, p.value) for p in problems(project.root)]
    assert found == [(line, "date", observed_until), (line, "direction", "1"), (line, "stage", "4")]


@pytest.mark.parametrize(
    ("file", "column", "key"),
    [
        ("campaigns", "campaign_id", ["campaign_id"]),
        ("process", "value", ["campaign_id", "indicator", "as_of", "value"]),
        ("outcomes", "outcome_id", ["outcome_id"]),
        ("sources", "source_id", ["source_id"]),
    ],
)
def test_a_repeated_key_is_named_with_the_line_it_repeats(
    project: Project, file: str, column: str, key: list[str]
) -> None:
    rows = records(project.root / name(file))
    store(project.root / name(file), [*rows, rows[3]])
    value = " / ".join(rows[3][rows[0].index(c)] for c in key)
    found = {(p.file, p.line, p.column): p for p in problems(project.root)}
    repeated = found[name(file), len(rows) + 1, column]
    assert repeated.value == value
    assert "stands on line 4 already" in repeated.rule


def edit_line(line: int, edit: Callable[[str], str]) -> Callable[[str], str]:
    def edited(text: str) -> str:
        lines = text.split("\n")
        lines[line - 1] = edit(lines[line - 1])
        return "\n".join(lines)

    return edited


BROKEN_FILES = {
    "missing column": ("sources", edit_line(1, lambda s: s.replace("publisher", "editor")),
                       [(1, "editor", "", "is not expected"), (1, "publisher", "", "is missing")]),
    "misspelled column": ("process", edit_line(1, lambda s: s.replace("grade", "grades")),
                          [(1, "grade", "", "is missing"), (1, "grades", "", "did you mean 'grade'?")]),
    "column twice": ("sources", edit_line(1, lambda s: s.replace("title", "publisher")),
                     [(1, "publisher", "", "twice"), (1, "title", "", "is missing")]),
    "too few cells": ("process", edit_line(4, lambda s: s.rsplit(",", 2)[0]),
                      [(4, "", "affaire-du-siecle-2018,signatures,2000000,lower_bound,2018-1", "has 9 cells,")]),
    "too many cells": ("outcomes", edit_line(2, lambda s: s + ",more"),
                       [(2, "", "acta-avaaz-2012/1,acta-avaaz-2012,withdrawn_decision,4,1,201", "has 12 cells,")]),
    "blank line": ("process", edit_line(3, lambda s: "\n" + s), [(3, "", "", "has 0 cells, the header 11")]),
    "empty": ("outcomes", lambda text: "", [(0, "", "", "is empty; its first line must be outcome_id,campaign_id,")]),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN_FILES)
def test_a_broken_file_is_named(project: Project, case: str) -> None:
    file, edit, expected = BROKEN_FILES[case]
    path = project.root / name(file)
    path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")
    found = problems(project.root)
    assert [(p.file, p.line, p.column, p.value) for p in found] == [(name(file), *e[:3]) for e in expected]
    assert all(e[3] in p.rule for e, p in zip(expected, found, strict=True))


def test_a_quotation_mark_that_is_never_closed_is_placed_where_its_row_begins(project: Project) -> None:
    path = project.root / name("process")
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[219] = lines[219].rsplit(",", 1)[0] + ',"never closed'
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (problem,) = problems(project.root)
    assert (problem.file, problem.line) == (name("process"), 220)
    assert "check the quotation marks" in problem.rule


def test_a_byte_that_is_not_utf8_is_placed(project: Project) -> None:
    path = project.root / name("campaigns")
    lines = path.read_bytes().split(b"\n")
    lines[6] = lines[6].replace(b",", b"\xe9,", 1)
    path.write_bytes(b"\n".join(lines))
    (problem,) = problems(project.root)
    assert (problem.file, problem.line) == (name("campaigns"), 7)
    assert "save it as UTF-8" in problem.rule


def test_problems_in_all_files_are_reported_together_even_where_one_cannot_be_read(project: Project) -> None:
    set_cell(project.root, "process", 9, "value", "lots")
    set_cell(project.root, "outcomes", 5, "direction", "up")
    set_cell(project.root, "sources", 7, "published", "yesterday")
    found = [(p.file, p.line, p.column, p.value) for p in problems(project.root)]
    cells = [
        (name("outcomes"), 5, "direction", "up"),
        (name("process"), 9, "value", "lots"),
        (name("sources"), 7, "published", "yesterday"),
    ]
    assert found == cells
    set_cell(project.root, "campaigns", 1, "modality", "mode")
    unreadable = [(name("campaigns"), 1, "modality", ""), (name("campaigns"), 1, "mode", "")]
    found = [(p.file, p.line, p.column, p.value) for p in problems(project.root)]
    assert sorted(found) == sorted([*unreadable, *cells])


@pytest.mark.parametrize(
    "rewrite",
    [lambda b: b.replace(b"\n", b"\r\n"), lambda b: b"\xef\xbb\xbf" + b, lambda b: b.rstrip(b"\n")],
    ids=["CRLF", "byte order mark", "no newline at the end"],
)
def test_line_ends_and_a_byte_order_mark_change_nothing(
    project: Project, registry: CanonicalTables, rewrite: Callable[[bytes], bytes]
) -> None:
    for file in COLUMNS:
        path = project.root / name(file)
        path.write_bytes(rewrite(path.read_bytes()))
    tables = load(project.root)
    pd.testing.assert_frame_equal(tables.outcomes, registry.outcomes)
    pd.testing.assert_frame_equal(tables.units[registry.units.columns], registry.units)


def load(root: Path) -> CanonicalTables:
    return registry.load(root, registry.Options(), seed=0).validated(["frame"], "registry")


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters='\r\n\x00",')))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_character_of_a_cell_is_taken_for_the_end_of_a_line(tmp_path: Path, cell: str) -> None:
    (tmp_path / "t.csv").write_text(f"a,b\n1,{cell}x\n2,y\n", encoding="utf-8", newline="")
    file = CsvFile.read(tmp_path, "t.csv", {"a": csvfile.count, "b": csvfile.text})
    assert file.problems == []
    assert file.rows.to_dict("list") == {"line": [2, 3], "a": ["1", "2"], "b": [f"{cell}x", "y"]}


def test_a_line_break_in_quotes_belongs_to_the_cell_and_counts_as_a_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('a,b\n1,"two\nlines"\nx,y\n', encoding="utf-8")
    file = CsvFile.read(tmp_path, "t.csv", {"a": csvfile.count, "b": csvfile.text})
    assert file.rows["b"].tolist() == ["two\nlines", "y"]
    assert [(p.line, p.column, p.value) for p in file.problems] == [(4, "a", "x")]


def test_the_order_of_raw_rows_changes_no_table(project: Project, registry: CanonicalTables) -> None:
    for file in COLUMNS:
        path = project.root / name(file)
        header, *rows = records(path)
        frame = pd.DataFrame(rows).sample(frac=1, random_state=7)
        store(path, [header, *frame.to_numpy().tolist()])
    tables = load(project.root)
    pd.testing.assert_frame_equal(tables.process, registry.process)
    pd.testing.assert_frame_equal(tables.outcomes, registry.outcomes)
    pd.testing.assert_frame_equal(tables.units[registry.units.columns], registry.units)


def test_nothing_observed_is_a_value_of_zero(registry: CanonicalTables) -> None:
    nothing = registry.outcomes["indicator"] == "none_observed"
    assert nothing.any()
    assert (registry.outcomes["value"] == (~nothing).astype(float)).all()
