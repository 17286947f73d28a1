"""Which notebooks a study runs."""

from __future__ import annotations

from pathlib import Path

from analysis.errors import InputError, Problem, nearest
from analysis.study.spec import Model, Study

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

FITTED_IN = {
    "event_study": "06_event_study",
    "threshold": "07_threshold",
    **dict.fromkeys(["kaplan_meier", "cumulative_incidence", "cox", "hazard", "fine_gray"], "08_duration"),
}
"""The notebook that fits a design, where it is not ``05_regressions``."""


def models_of(study: Study, notebook: str) -> dict[str, Model]:
    """Return the models of a study that a notebook fits."""
    fitted = {name: FITTED_IN.get(model.design, "05_regressions") for name, model in study.models.items()}
    return {name: model for name, model in study.models.items() if fitted[name] == notebook}


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
