"""Files are written whole or not at all, and the environment says where."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from analysis.project import Project
from analysis.tables import read_parquet, write_parquet


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLICKS_ROOT", "CLICKS_STAGE", "CLICKS_READS"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_root_the_checkout_is_used() -> None:
    project = Project.here()
    assert project.root == project.stage == Path(__file__).parents[2].resolve()
    assert project.study_file("campaigns").is_file()


def test_the_environment_names_root_and_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKS_ROOT", str(tmp_path))
    assert Project.here() == Project(tmp_path.resolve(), tmp_path.resolve())
    monkeypatch.setenv("CLICKS_STAGE", str(tmp_path / "stage"))
    assert Project.here() == Project(tmp_path.resolve(), (tmp_path / "stage").resolve())


def test_a_write_goes_to_the_stage_and_a_read_prefers_it(tmp_path: Path) -> None:
    project = Project(tmp_path / "root", tmp_path / "stage")
    stored = tmp_path / "root" / "data" / "a.txt"
    stored.parent.mkdir(parents=True)
    stored.write_text("old")
    assert project.find("data/a.txt").read_text() == "old"
    with project.writing("data/a.txt") as path:
        path.write_text("new")
    assert stored.read_text() == "old"
    assert project.find("data/a.txt").read_text() == "new"


def test_every_read_is_added_to_the_log_by_its_relative_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "reads"
    project = Project(tmp_path, tmp_path / "stage")
    project.find("data/unlogged.txt")
    monkeypatch.setenv("CLICKS_READS", str(log))
    project.find("data/a.txt")
    project.find(Path("data", "b.txt"))
    assert log.read_text() == "data/a.txt\ndata/b.txt\n"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    project = Project(tmp_path, tmp_path)
    with project.writing("out/a.txt") as path:
        path.write_text("whole")
    with pytest.raises(KeyboardInterrupt), project.writing("out/a.txt") as path:
        path.write_text("half")
        assert (tmp_path / "out" / "a.txt").read_text() == "whole"
        raise KeyboardInterrupt
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.txt"]
    assert (tmp_path / "out" / "a.txt").read_text() == "whole"


def test_who_reads_while_a_file_is_written_reads_the_whole_old_one(tmp_path: Path) -> None:
    project = Project(tmp_path, tmp_path)
    with project.writing("a.txt") as path:
        path.write_text("old")
    with (tmp_path / "a.txt").open() as reader:
        with project.writing("a.txt") as path:
            path.write_text("new")
        assert reader.read() == "old"
    assert (tmp_path / "a.txt").read_text() == "new"


def test_equal_tables_have_equal_bytes(tmp_path: Path) -> None:
    table = pd.DataFrame({"b": [1.5, None, 3.0], "a": ["x", "y", "é"], "t": pd.to_datetime(["2014", "", "2015"])})
    again = pd.concat([table.iloc[:1], table.iloc[1:]]).set_axis([5, 5, 1], axis="index")
    for name, rows in {"one": table, "two": again}.items():
        write_parquet(rows, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "two"), table)
    write_parquet(table.assign(b=[1.5, None, 3.1]), tmp_path / "three")
    assert (tmp_path / "three").read_bytes() != (tmp_path / "one").read_bytes()
