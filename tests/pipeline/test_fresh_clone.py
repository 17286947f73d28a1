"""The pipeline as its users run it: `make` in a fresh copy, from raw files to the rendered report."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout  # noqa: S607
    for name in listed.decode().split("\0"):
        if name and not name.startswith("reports/") and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


def make(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(clone / "src")}
    for name in ("CLICKS_ROOT", "CLICKS_STAGE", "CLICKS_READS"):
        environment.pop(name, None)
    command = ["make", "--old-file=.venv/ready", *arguments]
    return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, timeout=600)


def test_make_takes_a_study_from_raw_files_to_the_report(clone: Path) -> None:
    finished = make(clone, "study", "NAME=campaigns")
    assert finished.returncode == 0, finished.stdout + finished.stderr

    processed = clone / "data" / "processed" / "campaigns"
    assert len(pd.read_parquet(processed / "units.parquet")) == 221
    assert (clone / "reports/campaigns/paper.pdf").read_bytes().startswith(b"%PDF")
    page = (clone / "reports/campaigns/index.html").read_text("utf-8")
    for hypothesis in pd.read_parquet(processed / "verdicts.parquet")["statement"]:
        assert hypothesis in page

    manifest = json.loads((clone / "reports/campaigns/manifest.json").read_text("utf-8"))
    committed = json.loads((ROOT / "reports/campaigns/manifest.json").read_text("utf-8"))
    differing = [
        (new["model"], new["term"], new["estimate"], old["estimate"])
        for new, old in zip(manifest["estimates"], committed["estimates"], strict=True)
        if not same(new["estimate"], old["estimate"])
    ]
    assert not differing, f"the committed report is not what the code gives; run make and commit reports/: {differing}"


def test_verify_certifies_what_was_rendered_and_names_a_raw_digit_that_changed(clone: Path) -> None:
    finished = make(clone, "verify", "NAME=campaigns")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "campaigns: identical" in finished.stdout

    raw = clone / "data/raw/registry/outcomes.csv"
    before = raw.read_bytes()
    raw.write_bytes(before.replace(b"2012-07-04", b"2012-07-05", 1))
    try:
        finished = make(clone, "verify", "NAME=campaigns")
    finally:
        raw.write_bytes(before)
    assert finished.returncode != 0
    assert "campaigns: different" in finished.stdout
    assert "data/raw/registry/outcomes.csv" in finished.stdout


def same(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return math.isclose(first, second, rel_tol=1e-7, abs_tol=1e-12)


def test_a_changed_digit_in_a_raw_file_stops_the_run_and_leaves_the_results(clone: Path) -> None:
    raw = clone / "data/raw/registry/process.csv"
    before = raw.read_bytes()
    estimates = clone / "data/processed/campaigns/estimates.parquet"
    untouched = estimates.read_bytes() if estimates.exists() else b""
    raw.write_bytes(before.replace(b"2400000", b"2400001", 1))
    try:
        finished = make(clone, "study", "NAME=campaigns")
    finally:
        raw.write_bytes(before)
    assert finished.returncode != 0
    told = finished.stdout + finished.stderr
    assert "data/raw/registry/process.csv" in told
    assert "sha256" in told
    assert not untouched or estimates.read_bytes() == untouched


def test_a_misspelt_key_in_a_study_file_is_refused_before_anything_runs(clone: Path) -> None:
    study = clone / "studies/campaigns.yml"
    before = study.read_text("utf-8")
    study.write_text(before.replace("contrast_time_order: true", "contrast_time_ordr: true", 1), "utf-8")
    try:
        finished = make(clone, "study", "NAME=campaigns")
    finally:
        study.write_text(before, "utf-8")
    line = before[: before.index("contrast_time_order: true")].count("\n") + 1
    told = finished.stdout + finished.stderr
    assert finished.returncode != 0
    assert f"studies/campaigns.yml, line {line}" in told
    assert "did you mean 'contrast_time_order'?" in told
