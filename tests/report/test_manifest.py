"""The manifest: the same for the same inputs, other when an input changes."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from made_up_study import draw

from analysis.hashing import sha256
from analysis.report import manifest
from analysis.report.provenance import Provenance, commit
from analysis.study import read_study


def git(root: Path, *arguments: str) -> None:
    names = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *names, *arguments], cwd=root, check=True, capture_output=True)  # noqa: S607


@pytest.fixture
def project(tmp_path: Path, study, estimates, monkeypatch) -> Path:
    root = tmp_path / "checkout"
    raw = root / "data/raw/registry/campaigns.csv"
    raw.parent.mkdir(parents=True)
    raw.write_text("campaign_id\n")
    (root / "studies").mkdir()
    declared = study.model_dump(exclude_defaults=True)
    declared["source"]["raw"] = {"data/raw/registry/campaigns.csv": sha256(raw)}
    (root / "studies/sample.yml").write_text(json.dumps(declared))
    for folder in (
        "reports/sample/figures",
        "reports/sample/notebooks",
        "data/processed/sample/estimates",
        "notebooks",
    ):
        (root / folder).mkdir(parents=True)
    cell = {
        "cell_type": "code",
        "metadata": {"tags": ["injected-parameters"]},
        "source": 'study = "sample"\nseed = 5\n',
    }
    defaults = {
        "cell_type": "code",
        "metadata": {"tags": ["parameters"]},
        "source": ["seed: int = 1\n", "draws: int = 9\n"],
    }
    notebook = json.dumps({"cells": [defaults, cell], "metadata": {}})
    for name in ("04_link", "05_regressions", "11_synthesis"):
        (root / f"notebooks/{name}.ipynb").write_text(notebook)
    for name in ("04_link", "11_synthesis"):
        (root / f"reports/sample/notebooks/{name}.ipynb").write_text(notebook)
    (root / "reports/sample/index.html").write_text("page")
    (root / "requirements.lock").write_text("pandas==3\n")
    draw(root / "reports/sample/figures/timing.svg", source="04_link")
    estimates.to_parquet(root / "data/processed/sample/estimates.parquet")
    estimates.to_parquet(root / "data/processed/sample/estimates/05_regressions.parquet")
    git(tmp_path, "init", "-q", str(root))
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
    monkeypatch.setenv("CLICKS_ROOT", str(root))
    monkeypatch.delenv("CLICKS_STAGE", raising=False)
    return root


def read(path: Path) -> dict:
    return json.loads(path.read_text("utf-8"))


def test_manifest_hashes_what_went_in_and_came_out(project):
    path = manifest.write("sample")
    assert path == project / "reports/sample/manifest.json"
    written = read(path)
    page = hashlib.sha256(b"page").hexdigest()
    assert written["pages"] == {"reports/sample/index.html": page}
    assert "notebooks/04_link.ipynb" in written["notebooks"] and len(written["notebooks"]) == 3
    assert set(written["figures"]) == {"reports/sample/figures/timing.svg"}
    assert "data/processed/sample/estimates.parquet" in written["tables"]
    assert "src/analysis/report/manifest.py" in written["code"]["files"]
    campaigns = written["raw"]["data/raw/registry/campaigns.csv"]
    assert campaigns["declared"] == campaigns["sha256"]
    counted = next(row for row in written["estimates"] if row["model"] == "counted[w4r]" and row["term"] == "counted")
    assert counted["estimate"] == -0.043 and counted["n_obs"] == 1310
    missing = next(row for row in written["estimates"] if row["model"] == "dose[w4r]")
    assert missing["estimate"] is None and missing["n_obs"] is None


def test_manifest_is_stable_and_names_no_place_or_time(project, tmp_path, monkeypatch):
    first = manifest.write("sample").read_text("utf-8")
    assert str(tmp_path) not in first
    moved = tmp_path / "moved"
    shutil.move(project, moved)
    monkeypatch.setenv("CLICKS_ROOT", str(moved))
    assert manifest.write("sample").read_text("utf-8") == first


def test_changed_raw_file_shows_beside_its_declared_hash(project):
    (project / "data/raw/registry/campaigns.csv").write_text("changed")
    entry = read(manifest.write("sample"))["raw"]["data/raw/registry/campaigns.csv"]
    assert entry["sha256"] == hashlib.sha256(b"changed").hexdigest() != entry["declared"]


def test_commit_is_the_last_that_touched_an_input(project, tmp_path):
    first = commit(project)
    assert len(first) == 40
    manifest.write("sample")
    git(project, "add", ".")
    git(project, "commit", "-qm", "report")
    assert commit(project) == first
    (project / "notebooks/04_link.ipynb").write_text("{}")
    assert commit(project) == f"{first}-dirty"
    assert commit(tmp_path) == "unknown"


def test_provenance_is_collected_from_notebooks_and_estimates(project):
    found = Provenance.collect(read_study(project / "studies/sample.yml"))
    assert found.parameters == {"04_link": {"study": "sample", "seed": 5, "draws": 9}}
    assert found.made_by["counted[w4r]"] == "05_regressions"
    assert list(found.data) == ["data/raw/registry/campaigns.csv"] and len(found.commit) == 40
