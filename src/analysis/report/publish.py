"""Render a study's report from a notebook (notebook 11)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.project import Project
from analysis.report.provenance import Provenance
from analysis.report.render import render_report
from analysis.study.spec import Study


def publish(study: Study, project: Project, estimates: pd.DataFrame, verdicts: pd.DataFrame) -> None:
    """Render ``reports/<study>/index.html`` and ``paper.pdf`` from the estimates, the verdicts and all figures.

    Parameters
    ----------
    estimates, verdicts : tables of the whole study.

    Raises
    ------
    InputError : a template names what does not exist, or holds a number typed by hand.
    """
    folder = Path("reports", study.name)
    figures = project.root / folder / "figures"
    for figure in sorted(figures.glob("*.svg")):
        project.find(figure.relative_to(project.root))
    with project.writing(folder / "index.html") as html, project.writing(folder / "paper.pdf") as pdf:
        render_report(study, estimates, verdicts, figures, Provenance.collect(study, project), html, pdf)
