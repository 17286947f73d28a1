"""A certificate tells numbers that moved from numbers that only differ in their last bits."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from analysis.report.verify import changed_raw, different_estimates, different_files, different_outputs


def estimates(value: float | None) -> dict[str, list[dict[str, object]]]:
    row = {"model": "m", "outcome": "y", "term": "x", "std_error": 0.1, "ci_low": None, "ci_high": None, "n_obs": 9}
    return {"estimates": [row | {"estimate": value}]}


@pytest.mark.parametrize(("fresh", "told"), [(0.5, 0), (0.5 * (1 + 1e-9), 0), (0.5001, 1), (None, 1)])
def test_estimates_may_differ_in_their_last_bits_only(fresh: float | None, told: int) -> None:
    assert len(different_estimates(estimates(0.5), estimates(fresh))) == told


def test_an_estimate_that_is_gone_is_named() -> None:
    (problem,) = different_estimates(estimates(0.5), {"estimates": []})
    assert problem == "m:x is only in the committed estimates"


def test_files_that_differ_appeared_or_are_gone_are_named() -> None:
    old, new = {"tables": {"a": "1", "b": "2", "c": "3"}}, {"tables": {"a": "1", "b": "9", "d": "3"}}
    assert different_files(old, new, "tables") == ["b", "c", "d"]


def test_raw_files_that_changed_or_are_missing_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1")
    manifest = {"raw": {"a.csv": {"sha256": "0" * 64}, "b.csv": {"sha256": "0" * 64}}}
    assert changed_raw(tmp_path, manifest) == ["a.csv has another content", "b.csv is missing"]


@pytest.mark.parametrize(
    ("fresh", "same"),
    [("0.123456789 units", True), ("0.123456788 units", True), ("0.1235 units", False), ("0.123456789 unit", False)],
)
def test_outputs_may_differ_in_their_last_digits_only(tmp_path: Path, fresh: str, same: bool) -> None:
    for name, text in (("old", "0.123456789 units"), ("new", fresh)):
        cell = new_code_cell("x", outputs=[new_output("execute_result", {"text/plain": text})])
        nbformat.write(new_notebook(cells=[cell]), tmp_path / f"{name}.ipynb")
    found = different_outputs(tmp_path / "old.ipynb", tmp_path / "new.ipynb")
    assert found == ([] if same else ["old.ipynb, cell 1"])
