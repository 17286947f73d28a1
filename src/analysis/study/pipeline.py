"""Which notebooks a study runs."""

from __future__ import annotations

from pathlib import Path

from analysis.errors import InputError, Problem, nearest
from analysis.study.spec import Study

ALWAYS = (
    "01_ingest",
    "02_process_indicators",
    "03_outcome_indicators",
    "04_link",
    "05_regressions",
    "09_robustness",
    "10_power",
    "11_synthesis",
)


def notebooks(study: Study, folder: Path) -> list[Path]:
    """List the notebooks of a folder that a study runs: those that every study runs, and its optional ones.

    Returns
    -------
    Paths in `folder`, in the order in which they run, which is that of their names.

    Raises
    ------
    InputError : an optional notebook that the study declares is not in the folder.
    """
    present = {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
    problems = [
        Problem(f"studies/{study.name}.yml", 0, "optional_notebooks", name, f"no such file; {nearest(name, present)}")
        for name in study.optional_notebooks
        if name not in present
    ]
    if problems:
        raise InputError(problems)
    return [present[name] for name in sorted({*ALWAYS, *study.optional_notebooks}) if name in present]
