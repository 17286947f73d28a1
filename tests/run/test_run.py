"""A study's run: what it makes, what it repeats and why, and what a failure leaves."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from made_checkout import PIPELINE, WRITE, Checkout

from analysis.run import graph
from analysis.run.stage import commit, roll_forward


def test_a_run_makes_tables_notebooks_and_pages(checkout: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    checkout.pipeline()
    assert checkout.run() == 0
    assert (checkout.root / "data/processed/demo/analysis.csv").read_text() == "unit\n0\n1\n2\n7unit\n0\n1\n2\n8"
    executed = json.loads(checkout.executed("04_link").read_text())
    assert executed["cells"][-1]["outputs"][0]["text"] == ["linked\n"]
    assert "linked" in checkout.executed("04_link").with_suffix(".html").read_text()
    log = capsys.readouterr().err
    assert "[1/4] demo 01_ingest: started, next demo 02_process_indicators" in log
    assert "[4/4] demo 04_link: done after" in log


def test_nothing_runs_again_without_a_change(checkout: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    checkout.pipeline()
    checkout.run()
    before = checkout.outputs()
    for path in checkout.root.rglob("*"):
        os.utime(path)
    metadata = checkout.root / "notebooks/01_ingest.ipynb"
    metadata.write_text(metadata.read_text().replace('"metadata": {}', '"metadata": {"collapsed": true}'))
    study = checkout.root / "studies/demo.yml"
    study.write_text("# a comment\n" + study.read_text())
    capsys.readouterr()
    assert checkout.run() == 0
    assert capsys.readouterr().err == "Up to date: demo.\n"
    assert checkout.outputs() == before


def test_another_folder_with_the_same_content_is_up_to_date(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout.pipeline()
    checkout.run()
    copy = checkout.root.with_name("copy")
    shutil.copytree(checkout.root, copy)
    monkeypatch.setenv("CLICKS_ROOT", str(copy))
    capsys.readouterr()
    checkout.run()
    assert capsys.readouterr().err == "Up to date: demo.\n"


def why(checkout: Checkout, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert checkout.run("--why", *arguments) == 0
    return capsys.readouterr().out


def test_why_names_what_changed(checkout: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    checkout.pipeline()
    assert "demo 01_ingest: would run\n    it has not run yet" in why(checkout, capsys)
    checkout.run()
    assert "would run" not in why(checkout, capsys)

    study = checkout.root / "studies/demo.yml"
    study.write_text(study.read_text().replace("Synthetic.", "Made up."))
    assert "demo 01_ingest: would run\n    studies/demo.yml summary changed" in why(checkout, capsys)
    checkout.run()

    checkout.notebook("02_process_indicators", WRITE, PIPELINE["02_process_indicators"], "1 + 1")
    said = why(checkout, capsys)
    assert "demo 02_process_indicators: would run\n    notebook 02_process_indicators.ipynb changed" in said
    assert "demo 04_link: would run if 02_process_indicators writes something new" in said
    assert "demo 03_outcome_indicators: up to date" in said

    (checkout.root / "data/processed/demo/change.csv").unlink()
    assert "output data/processed/demo/change.csv is missing" in why(checkout, capsys)
    (checkout.root / "requirements.lock").write_text("numpy==2.4.0\n")
    assert "requirements.lock changed" in why(checkout, capsys)


def test_why_names_a_function(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = checkout.root / "src"
    shutil.copytree(graph.SOURCE / "analysis", source / "analysis", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(graph, "SOURCE", source)
    checkout.pipeline()
    checkout.run()
    project = source / "analysis/project.py"
    project.write_text(project.read_text().replace("temporary.chmod(0o644)", "temporary.chmod(0o640)"))
    assert "demo 01_ingest: would run\n    code analysis.project.Project.writing changed\n" in why(checkout, capsys)


def test_only_what_reads_a_changed_table_runs_again(checkout: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    checkout.pipeline()
    checkout.run()
    checkout.notebook("02_process_indicators", WRITE, PIPELINE["02_process_indicators"], "print('more')")
    capsys.readouterr()
    checkout.run()
    log = capsys.readouterr().err
    assert "02_process_indicators: done" in log
    assert "04_link: started" not in log
    checkout.notebook("02_process_indicators", WRITE, 'write("engagement.csv", "other")')
    checkout.run()
    assert "04_link: done" in capsys.readouterr().err
    assert (checkout.root / "data/processed/demo/analysis.csv").read_text().startswith("other")


def test_a_parameter_reaches_the_notebook_and_is_an_input(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    parameters = 'study: str = "other"\nseed: int = 1'
    checkout.notebook("01_ingest", WRITE, 'write("seed.csv", f"{study} {seed}")', parameters=parameters)
    assert checkout.run("-p", "seed=3") == 0
    assert (checkout.root / "data/processed/demo/seed.csv").read_text() == "demo 3"
    assert "demo 01_ingest: would run\n    parameter seed is no longer used" in why(checkout, capsys)
    assert "parameter seed changed" in why(checkout, capsys, "-p", "seed=4")


def test_a_study_declares_parameters_and_the_command_line_has_the_last_word(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    parameters = 'study: str = "other"\nseed: int = 1'
    checkout.notebook("01_ingest", WRITE, 'write("seed.csv", f"{seed}")', parameters=parameters)
    study = checkout.root / "studies/demo.yml"
    plain = study.read_text()

    def written(*arguments: str) -> str:
        assert checkout.run(*arguments) == 0
        return (checkout.root / "data/processed/demo/seed.csv").read_text()

    study.write_text(plain + 'parameters: {"01_ingest:seed": 5}\n')
    assert [written(), written("-p", "seed=6"), written("-p", "01_ingest:seed=7")] == ["5", "6", "7"]
    study.write_text(plain + "parameters: {sed: 5}\n")
    assert checkout.run() == 2
    assert "parameter sed: '5': no notebook of the study declares this parameter" in capsys.readouterr().err


def test_a_wrong_parameter_or_study_runs_nothing(checkout: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    checkout.pipeline()
    assert checkout.run("-p", "sed=3") == 2
    study = checkout.root / "studies/demo.yml"
    study.write_text(study.read_text().replace("design: lpm", "design: lmp"))
    assert checkout.run() == 2
    said = capsys.readouterr().err
    assert "parameter sed: '3': no notebook of the study declares this parameter" in said
    assert "studies/demo.yml, line" in said
    assert "Traceback" not in said
    assert checkout.outputs() == {}


def test_a_failing_cell_is_shown_and_leaves_final_names_alone(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout.pipeline()
    checkout.run()
    before = checkout.outputs()
    bad = 'write("analysis.csv", "half")\nprint(study)\nraise ValueError("no such thing")'
    checkout.notebook("04_link", WRITE, bad)
    capsys.readouterr()
    assert checkout.run() == 1
    said = capsys.readouterr().err
    assert "demo: 04_link.ipynb failed in cell 4 of 4" in said
    assert '    | write("analysis.csv", "half")' in said
    assert "    ValueError: no such thing\n" in said
    assert "\x1b" not in said
    assert "runner" not in said and "asyncio" not in said
    assert checkout.outputs() == before
    partial = checkout.root / ".clicks/failed/demo/04_link.ipynb"
    assert "Open .clicks/failed/demo/04_link.ipynb" in said
    assert json.loads(partial.read_text())["cells"][-1]["outputs"][0]["text"] == ["demo\n"]


def test_what_has_finished_is_kept_when_a_later_one_fails(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout.pipeline()
    checkout.notebook("04_link", WRITE, "1 / 0")
    assert checkout.run() == 1
    checkout.notebook("04_link", WRITE, PIPELINE["04_link"])
    capsys.readouterr()
    assert checkout.run() == 0
    assert "[1/1] demo 04_link: done" in capsys.readouterr().err


def test_an_output_no_longer_written_is_removed(checkout: Checkout) -> None:
    checkout.notebook("01_ingest", WRITE, 'write("a.csv", "1")\nwrite("b.csv", "1")')
    checkout.run()
    checkout.notebook("01_ingest", WRITE, 'write("a.csv", "1")')
    checkout.run()
    assert sorted(p.name for p in (checkout.root / "data/processed/demo").iterdir()) == ["a.csv"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ('write("engagement.csv", "x")', "writes data/processed/demo/engagement.csv, which 02_process_indicators"),
        ('read("engagement.csv")', "reads data/processed/demo/engagement.csv, which 02_process_indicators writes in"),
    ],
)
def test_notebooks_side_by_side_may_not_cross(
    checkout: Checkout, capsys: pytest.CaptureFixture[str], code: str, said: str
) -> None:
    checkout.notebook("02_process_indicators", WRITE, 'write("engagement.csv", "1")')
    checkout.run()
    checkout.notebook("03_outcome_indicators", WRITE, code)
    assert checkout.run() == 1
    assert said in capsys.readouterr().err


def test_the_same_inputs_give_the_same_bytes_in_another_folder(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    telling = "import os, warnings, sys\nprint(os.getcwd(), sys.prefix)\nwarnings.warn('careful')\nobject()"
    checkout.notebook("01_ingest", WRITE, telling, "import matplotlib.pyplot as plt\nplt.plot([1, 2]);", "{'a', 'b'}")
    checkout.run()
    other = checkout.root.parent / "elsewhere" / "deeper"
    other.parent.mkdir()
    for folder in ("notebooks", "studies"):
        shutil.copytree(checkout.root / folder, other / folder)
    monkeypatch.setenv("CLICKS_ROOT", str(other))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    monkeypatch.setenv("LC_ALL", "C")
    checkout.run()
    assert Checkout(other).outputs() == checkout.outputs()


def test_the_graph_is_drawn_from_what_was_read(checkout: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    checkout.pipeline()
    checkout.run()
    capsys.readouterr()
    checkout.run("--dag")
    drawn = capsys.readouterr().out
    assert "demo_01_ingest --> demo_02_process_indicators" in drawn
    assert "demo_03_outcome_indicators --> demo_04_link" in drawn
    assert "demo_01_ingest --> demo_04_link" not in drawn


def test_moving_into_place_is_all_or_nothing_wherever_it_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ends between any two renames is completed by the next, or leaves what was there."""
    replace = Path.replace
    old, new = {"a": "old", "b": "old", "c": "old"}, {"a": "new", "b": "new"}
    outcomes = []
    for stop in range(1, 8):
        root = tmp_path / str(stop)
        for folder, files in ((root / "data", old), (root / ".clicks/stage/s/n/data", new)):
            folder.mkdir(parents=True)
            for name, text in files.items():
                (folder / name).write_text(text)
        calls = iter(range(1, 99))

        def stopping(self: Path, target: Path, calls: object = calls, stop: int = stop) -> Path:
            if next(calls) == stop:  # type: ignore[call-overload]
                raise KeyboardInterrupt
            return replace(self, target)

        monkeypatch.setattr(Path, "replace", stopping)
        try:
            commit(root, root / ".clicks/stage/s/n", ["data/c"], Path(".clicks/state/s/n.json"), {"outputs": new})
        except KeyboardInterrupt:
            monkeypatch.setattr(Path, "replace", replace)
            roll_forward(root)
        now = {p.name: p.read_text() for p in (root / "data").iterdir()}
        recorded = (root / ".clicks/state/s/n.json").exists()
        assert (now, recorded) in ((old, False), (new, True))
        outcomes.append(recorded)
    assert outcomes[0] is False
    assert all(outcomes[1:])
