"""What a report was made of: hashes of everything that went in and came out, and the values of the estimates."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd

import analysis
from analysis.hashing import sha256
from analysis.project import Project
from analysis.report.provenance import commit, listing, raw_files
from analysis.study import notebooks, read_study
from analysis.study.registration import registration_file

KEY = ["model", "outcome", "term"]
VALUES = ["estimate", "std_error", "ci_low", "ci_high", "n_obs"]


def hashes(project: Project, paths: list[str]) -> dict[str, str]:
    """Hash files, named by their paths under the project's root."""
    return {path: sha256(project.find(path)) for path in paths}


def code_hashes() -> dict[str, str]:
    """Hash every module of the package that is running, named by its path in a checkout."""
    package = Path(analysis.__file__).parent
    return {
        f"src/analysis/{path.relative_to(package).as_posix()}": sha256(path) for path in sorted(package.rglob("*.py"))
    }


def combined(parts: dict[str, str]) -> str:
    """Reduce hashes by name to one, whatever their order."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _value(number: Any) -> float | int | None:
    if pd.isna(number):
        return None
    if isinstance(number, float):
        return number if math.isfinite(number) else None
    return int(number)


def _estimates(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    table = pd.read_parquet(path).sort_values(KEY)
    return [
        {name: row[name] for name in KEY} | {name: _value(row[name]) for name in VALUES}
        for row in table[KEY + VALUES].astype(object).to_dict("records")
    ]


def _verdicts(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    table = pd.read_parquet(path)
    numbers = [*VALUES, "p_adjusted", "smallest_effect"]
    return [
        {name: row[name] for name in ("hypothesis", "model", "term", "verdict", "reason")}
        | {name: _value(row[name]) for name in numbers}
        for row in table.astype(object).to_dict("records")
    ]


def contents(study_name: str, project: Project) -> dict[str, Any]:
    """Return what `write` stores."""
    study_file = project.study_file(study_name)
    study = read_study(study_file, root=project.root)
    actual = raw_files(study, project)
    raw = {path: {"declared": sha, "sha256": actual.get(path)} for path, sha in study.source.hashes.items()}
    written = [file for file in (study_file, registration_file(study_file)) if file.is_file()]
    used = [path.relative_to(project.root).as_posix() for path in notebooks(study, project.root / "notebooks")]
    code = code_hashes()
    lock = "requirements.lock"
    processed, report = f"data/processed/{study_name}", f"reports/{study_name}"
    tables = [*listing(project, processed, "*.parquet"), *listing(project, processed, "*.json")]
    pages = [*listing(project, report, "*.html"), *listing(project, report, "*.pdf")]
    return {
        "study": study_name,
        "commit": commit(project.root),
        "raw": raw,
        "study_file": hashes(project, [file.relative_to(project.root).as_posix() for file in written]),
        "notebooks": hashes(project, used),
        "code": {"sha256": combined(code), "files": code},
        "environment": hashes(project, [lock] if project.find(lock).is_file() else []),
        "tables": hashes(project, sorted(tables)),
        "figures": hashes(project, listing(project, f"{report}/figures", "*.svg")),
        "pages": hashes(project, sorted(pages)),
        "estimates": _estimates(project.find(f"{processed}/estimates.parquet")),
        "verdicts": _verdicts(project.find(f"{processed}/verdicts.parquet")),
    }


def write(study_name: str) -> Path:
    """Write `reports/<study>/manifest.json`.

    It holds no time, user, machine or absolute path: the same inputs give the same bytes.

    Returns
    -------
    Where the manifest was written.
    """
    project = Project.here()
    relative = f"reports/{study_name}/manifest.json"
    stored = json.dumps(contents(study_name, project), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with project.writing(relative) as path:
        path.write_text(stored + "\n", "utf-8", newline="\n")
    return project.stage / relative
