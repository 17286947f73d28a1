"""Re-run committed studies in a temporary folder and compare: ``python -m analysis.report.verify [STUDY ...]``."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat

from analysis.errors import InputError, Problem
from analysis.hashing import sha256
from analysis.project import Project
from analysis.report.provenance import COMMIT, notebook_parameters
from analysis.study import read_study
from analysis.study.registration import registration_file

TOLERANCE = 1e-7
"""Largest relative difference of numbers across processors; bytes are compared first."""

MADE_FROM = ("study_file", "notebooks", "environment", "code")
RESULTS = ("tables", "figures", "pages")
_NUMBER = re.compile(r"[-\u2212]?\d+(?:\.\d+)?(?:e[-+]?\d+)?", re.IGNORECASE)

IDENTICAL, EQUAL, DIFFERENT = "identical", "equal within tolerance", "different"


def changed_raw(root: Path, manifest: dict[str, Any]) -> list[str]:
    """Name the raw files that are not those of the manifest."""
    paths = {path: root / path for path in manifest["raw"]}
    return [
        f"{path} is missing" if not file.is_file() else f"{path} has another content"
        for path, file in paths.items()
        if not file.is_file() or sha256(file) != manifest["raw"][path]["sha256"]
    ]


def different_files(old: dict[str, Any], new: dict[str, Any], section: str) -> list[str]:
    """Name the files of a manifest's section that differ, appeared or are gone."""
    before, after = (m[section].get("files", m[section]) for m in (old, new))
    return [path for path in sorted({*before, *after}) if before.get(path) != after.get(path)]


def different_estimates(old: dict[str, Any], new: dict[str, Any], tolerance: float = TOLERANCE) -> list[str]:
    """Name the estimates that differ by more than a relative tolerance, appeared or are gone."""
    before, after = ({(e["model"], e["outcome"], e["term"]): e for e in m["estimates"]} for m in (old, new))
    told = []
    for key in sorted({*before, *after}):
        name = ":".join((key[0], key[2]))
        if key not in before or key not in after:
            told.append(f"{name} is only in the {'committed' if key in before else 'fresh'} estimates")
            continue
        for value in ("estimate", "std_error", "ci_low", "ci_high", "n_obs"):
            first, second = before[key][value], after[key][value]
            if not _close(first, second, tolerance):
                told.append(f"{name}, {value}: committed {first}, fresh {second}")
    return told


def _close(first: float | None, second: float | None, tolerance: float) -> bool:
    if first is None or second is None:
        return first is second
    return math.isclose(first, second, rel_tol=tolerance, abs_tol=tolerance * 1e-3)


def different_outputs(old: Path, new: Path, tolerance: float = TOLERANCE) -> list[str]:
    """Name the cells of an executed notebook whose text output differs by more than numbers within the tolerance."""
    cells = [nbformat.reads(path.read_text("utf-8"), as_version=4).cells for path in (old, new)]  # type: ignore[no-untyped-call]
    if len(cells[0]) != len(cells[1]):
        return [f"{old.name} has {len(cells[0])} cells, not {len(cells[1])}"]
    return [
        f"{old.name}, cell {number}"
        for number, (before, after) in enumerate(zip(*cells, strict=True), start=1)
        if not _same_text("\n".join(_texts(before)), "\n".join(_texts(after)), tolerance)
    ]


def _texts(cell: Any) -> Iterator[str]:
    yield cell.source
    for output in cell.get("outputs", []):
        yield from (text for kind, text in sorted(output.get("data", {}).items()) if kind.startswith("text/"))
        yield output.get("text", "")


def _same_text(first: str, second: str, tolerance: float) -> bool:
    if first == second:
        return True
    numbers = [[float(n.replace("\u2212", "-")) for n in _NUMBER.findall(text)] for text in (first, second)]
    if _NUMBER.sub("#", first) != _NUMBER.sub("#", second) or len(numbers[0]) != len(numbers[1]):
        return False
    return all(_close(a, b, tolerance) for a, b in zip(*numbers, strict=True))


def fresh_run(project: Project, study: str, manifest: dict[str, Any], root: Path) -> None:
    """Run a study from its raw files in an empty folder.

    Raises
    ------
    RuntimeError : the run failed; what it printed last.
    """
    needed = [f"studies/{study}.yml", "requirements.lock", *manifest["raw"]]
    registered = registration_file(project.study_file(study))
    needed += [registered.relative_to(project.root).as_posix()] if registered.is_file() else []
    needed += [path.relative_to(project.root).as_posix() for path in (project.root / "notebooks").glob("*.ipynb")]
    for path in needed:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(project.root / path, root / path)
    environment = {**os.environ, "CLICKS_ROOT": str(root), COMMIT: manifest["commit"]}
    command = [sys.executable, "-m", "analysis.run", study, *_chosen(project, study)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if ran.returncode:
        raise RuntimeError(ran.stderr[-3000:])


def _chosen(project: Project, study: str) -> Iterator[str]:
    """Yield the options that give the fresh run the parameters that the committed notebooks were executed with."""
    for path in sorted((project.root / "reports" / study / "notebooks").glob("*.ipynb")):
        injected = notebook_parameters(json.loads(path.read_text("utf-8")), ("injected-parameters",))
        for name, value in injected.items():
            if name != "study":
                yield from ("-p", f"{path.stem}:{name}={value}")


def certificate(project: Project, study: str) -> tuple[str, list[str]]:
    """Compare a committed study with a fresh run.

    Returns
    -------
    `IDENTICAL`, `EQUAL` or `DIFFERENT`, and the lines of the certificate.
    """
    folder = project.root / "reports" / study
    committed = json.loads((folder / "manifest.json").read_text("utf-8"))
    if raw := changed_raw(project.root, committed):
        return DIFFERENT, [f"raw data: {problem}" for problem in raw]
    lines = [f"raw data: {len(committed['raw'])} files as listed"]
    with tempfile.TemporaryDirectory(prefix="clicks-verify-") as temporary:
        root = Path(temporary).resolve()
        try:
            fresh_run(project, study, committed, root)
        except RuntimeError as error:
            return DIFFERENT, [*lines, f"the fresh run failed:\n{error}"]
        fresh = json.loads((root / "reports" / study / "manifest.json").read_text("utf-8"))
        outputs = [
            problem
            for path in sorted((folder / "notebooks").glob("*.ipynb"))
            for problem in different_outputs(path, root / "reports" / study / "notebooks" / path.name)
        ]
    for section in MADE_FROM:
        lines.append(
            f"{section}: {_told(different_files(committed, fresh, section), 'same', 'differs from the report')}"
        )
    bytes_differ = [path for section in RESULTS for path in different_files(committed, fresh, section)]
    lines.append(f"tables, figures and pages: {_told(bytes_differ, 'same bytes', 'other bytes')}")
    estimates = different_estimates(committed, fresh)
    lines.append(f"estimates: {_told(estimates, str(len(committed['estimates'])) + ' equal', 'different')}")
    lines.append(f"executed notebooks: {_told(outputs, 'same outputs', 'different')}")
    if estimates or outputs:
        return DIFFERENT, lines
    return (EQUAL if bytes_differ else IDENTICAL), lines


def _told(problems: list[str], none: str, some: str) -> str:
    more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
    return f"{some}: {'; '.join(problems[:3])}{more}" if problems else none


def main(names: list[str]) -> int:
    """Verify studies and print a certificate for each.

    Parameters
    ----------
    names : studies; where empty, all with a committed manifest, except those whose data are not downloaded.

    Returns
    -------
    The exit code: 0 where all are identical or equal within the tolerance, 1 otherwise, 2 where the input was refused.
    """
    project = Project.here()
    committed = sorted(path.parent.name for path in (project.root / "reports").glob("*/manifest.json"))
    try:
        if unknown := [name for name in names if name not in committed]:
            raise InputError(Problem("reports", 0, "", n, f"has no manifest; there are {committed}") for n in unknown)
        studies = {name: read_study(project.study_file(name), root=project.root) for name in names or committed}
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    results = []
    for name, study in studies.items():
        absent = [
            path for path, file in study.source.raw.items() if file.address and not (project.root / path).is_file()
        ]
        if absent and not names:
            print(f"{name}: not verified, as {absent[0]} is not downloaded; make data")
            continue
        result, lines = certificate(project, name)
        results.append(result)
        print(f"{name}: {result}", *(f"  {line}" for line in lines), sep="\n")
    return int(DIFFERENT in results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
