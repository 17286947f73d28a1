"""Notebooks are stored clean, and the executed ones in `reports/` are what they give when run again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

LEFT_OUT = {"benchmark": ("10_worlds", "11_synthesis")}
"""Minutes on all cores, and what rests on it. `make verify` runs both again; tests of worlds compare a few of them."""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs_and_reads_like_a_page(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "clicks"
    assert set(notebook.metadata.language_info) == {"name"}
    assert all(set(cell.metadata) <= {"tags"} for cell in notebook.cells)
    assert notebook.cells[0].source.startswith("# ")
    assert notebook.cells[0].source.splitlines()[0].endswith("?")
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1
    assert len(notebook.cells) <= 25
    forbidden = ("def ", "try:", "for ", "while ", "class ")
    assert not [line for cell in code for line in cell.source.splitlines() if line.startswith(forbidden)]


@pytest.mark.slow
@pytest.mark.parametrize("study", ["benchmark", "campaigns"])
def test_executed_notebooks_in_reports_are_reproduced(study: str, tmp_path: Path) -> None:
    folder = ROOT / "reports" / study / "notebooks"
    executed = sorted(path for path in folder.glob("*.ipynb") if path.stem not in LEFT_OUT.get(study, ()))
    assert executed, f"no executed notebooks of {study}; run make"
    environment = {**os.environ, "CLICKS_STAGE": str(tmp_path), "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-m", "pytest", "--nbval", "-p", "no:cacheprovider", "-o", "addopts=", "-q"]
    command += [f"--nbval-sanitize-with={ROOT / 'tests/pipeline/nbval.cfg'}", *map(str, executed)]
    finished = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert finished.returncode == 0, finished.stdout[-5000:]
