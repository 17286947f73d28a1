"""Where a result comes from: commit, raw data, notebook and parameters."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.hashing import sha256
from analysis.project import Project
from analysis.study.pipeline import notebooks
from analysis.study.registration import read_registration, registration_file
from analysis.study.spec import Study

INPUTS = ("src", "notebooks", "studies", "data/raw", "requirements.lock")
"""What results depend on; a commit that touches only reports leaves them what they were."""


def _git(root: Path, *arguments: str) -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    ran = subprocess.run([git, "-C", str(root), *arguments], capture_output=True, text=True, check=False)  # noqa: S603
    return ran.stdout.strip() if ran.returncode == 0 else None


COMMIT = "CLICKS_COMMIT"
"""Environment variable that names the commit where the folder is not the checkout itself, as in a verification."""


def commit(root: Path) -> str:
    """Return the last commit that touched what results depend on.

    Returns
    -------
    Forty hexadecimal digits, with ``-dirty`` appended where those files have uncommitted changes; outside git,
    ``unknown``.
    """
    if named := os.environ.get(COMMIT):
        return named
    last = _git(root, "log", "-1", "--format=%H", "--", *INPUTS)
    changes = _git(root, "status", "--porcelain", "--", *INPUTS)
    if not last or changes is None:
        return "unknown"
    return f"{last}-dirty" if changes else last


def raw_files(study: Study, project: Project) -> dict[str, str]:
    """Hash the raw files that a study declares, as far as they are present.

    Returns
    -------
    Path under the project, and the sha256 of its actual content.
    """
    found = {relative: project.find(relative) for relative in sorted(study.source.raw)}
    return {relative: sha256(path) for relative, path in found.items() if path.is_file()}


@dataclass(frozen=True)
class Provenance:
    """What each exhibit says of its origin.

    Parameters
    ----------
    commit : see `commit`.
    data : path under the project, and sha256, of each raw file.
    parameters : stem of a notebook, and the parameters that it was run with.
    made_by : name of a model, and the stem of the notebook that estimated it.
    registered : hypothesis, the day on which it was first registered, and the sha256 of what is registered now.
    """

    commit: str
    data: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    made_by: Mapping[str, str] = field(default_factory=dict)
    registered: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def collect(cls, study: Study, project: Project | None = None) -> Provenance:
        """Read the provenance of a study's results from its executed notebooks, its estimates and git.

        The last notebook is left out: it renders the report, so that what stands under its name is from an earlier run.
        """
        here = project or Project.here()
        parameters: dict[str, dict[str, object]] = {}
        made_by: dict[str, str] = {}
        for stem in [path.stem for path in notebooks(study, here.root / "notebooks")][:-1]:
            executed = here.find(f"reports/{study.name}/notebooks/{stem}.ipynb")
            if executed.is_file():
                parameters[stem] = notebook_parameters(json.loads(executed.read_text("utf-8")))
            estimated = here.find(f"data/processed/{study.name}/estimates/{stem}.parquet")
            if estimated.is_file():
                made_by |= dict.fromkeys(pd.read_parquet(estimated, columns=["model"])["model"], stem)
        return cls(commit(here.root), raw_files(study, here), parameters, made_by, registered(study, here))


def registered(study: Study, project: Project) -> dict[str, tuple[str, str]]:
    """Read when each hypothesis was first registered, and the hash of what is registered now; empty before that."""
    relative = registration_file(project.study_file(study.name)).relative_to(project.root)
    found = read_registration(project.find(relative), relative.as_posix())
    versions = found.hypotheses if found else {}
    return {name: (str(all_[0].registered), all_[-1].sha256) for name, all_ in versions.items()}


def notebook_parameters(
    notebook: Mapping[str, Any], tags: Sequence[str] = ("parameters", "injected-parameters")
) -> dict[str, object]:
    """Read the parameters of an executed notebook from its cells tagged `parameters` and `injected-parameters`.

    Parameters
    ----------
    notebook : nbformat 4; an injected value overrides a default.
    tags : of the cells that are read, a later one overriding an earlier.
    """
    found: dict[str, object] = {}
    for tag in tags:
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code" and tag in cell["metadata"].get("tags", []):
                found |= _assigned("".join(cell["source"]))
    return found


def _assigned(source: str) -> dict[str, object]:
    assigned: dict[str, object] = {}
    for statement in ast.parse(source).body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=value))
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=value))
            ):
                assigned[name] = value
    return assigned


def listing(project: Project, folder: str, pattern: str) -> list[str]:
    """List files under a folder of the project, staged or not, by their paths under the root, sorted."""
    found = {
        path.relative_to(base).as_posix()
        for base in (project.root, project.stage)
        for path in (base / folder).rglob(pattern)
        if path.is_file() and not path.name.startswith(".")
    }
    return sorted(found)
