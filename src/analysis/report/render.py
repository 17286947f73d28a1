"""A study's report: `index.html` and `paper.pdf` from one Markdown template."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pandas as pd

from analysis.report import pandoc
from analysis.report.exhibits import Exhibits
from analysis.report.figures import Figure, read_figures
from analysis.report.provenance import Provenance
from analysis.report.results import Results
from analysis.report.template import TEMPLATES, fill
from analysis.study.spec import Study

_IMAGE = re.compile(r'src="figures/([^"]+)\.svg"')


def svg_data_uri(svg: bytes) -> str:
    """Return an SVG as data URI: an image of its own, so that ids of two figures cannot clash and no script runs."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()


def _embed(page: str, figures: dict[str, Figure]) -> str:
    return _IMAGE.sub(lambda found: f'src="{svg_data_uri(figures[found[1]].path.read_bytes())}"', page)


def render_report(
    study: Study,
    estimates: pd.DataFrame,
    verdicts: pd.DataFrame,
    figures_dir: Path,
    provenance: Provenance,
    html: Path,
    pdf: Path,
    templates: Path = TEMPLATES,
) -> None:
    """Render a study's report as a self-contained page and as a paper.

    Parameters
    ----------
    study : its `name` chooses the template; `base.md` where it has none of its own.
    estimates : (n, 19) estimates table.
    verdicts : (h, 14) table, one row per hypothesis.
    figures_dir : folder of SVG figures with title, description and source in their metadata.
    provenance : what captions say of the results' origin; see `Provenance.collect`.
    html, pdf : the files to write. The same arguments give the same bytes.
    templates : folder of the Markdown templates.

    Raises
    ------
    InputError : a number is typed by hand in the template, a name is unknown, or a figure has no alternative text.
    """
    figures = read_figures(figures_dir)
    text = fill(Exhibits(study, Results(estimates), verdicts, figures, provenance), templates)
    page = pandoc.html(text, reader=pandoc.MARKDOWN, filters=["exhibits.lua"], citations=True, toc=True)
    html.write_text(_embed(page, figures), "utf-8", newline="\n")
    pdf.write_bytes(pandoc.pdf(text, figures=figures_dir))
