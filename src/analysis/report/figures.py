"""What a figure says about itself: matplotlib writes it into the SVG's metadata."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from analysis.errors import InputError, Problem

_WORK = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}RDF/{http://creativecommons.org/ns#}Work"
_DC = "{http://purl.org/dc/elements/1.1/}"
_FIELDS = {"title": "Title", "description": "Description", "source": "Source"}


@dataclass(frozen=True)
class Figure:
    """One figure.

    Parameters
    ----------
    name : stem of its file.
    title : the finding, shown as caption.
    description : the alternative text: what one sees.
    source : stem of the notebook that drew it.
    """

    name: str
    path: Path
    title: str
    description: str
    source: str


def svg_metadata(svg: str) -> Mapping[str, str]:
    """Return the Dublin Core `title`, `description` and `source` of an SVG, as far as it has them."""
    root = ElementTree.fromstring(svg)  # noqa: S314
    work = root.find(f".//{_WORK}")
    if work is None:
        return {}
    texts = {field: (work.findtext(_DC + field) or "").strip() for field in _FIELDS}
    return {field: text for field, text in texts.items() if text}


def read_figures(folder: Path) -> dict[str, Figure]:
    """Read every figure of a folder, by name, in the order of notebook and name.

    Raises
    ------
    InputError : a figure lacks title, description or source; all such are listed.
    """
    problems, figures = [], []
    for path in sorted(folder.glob("*.svg")):
        metadata = svg_metadata(path.read_text("utf-8"))
        for field, keyword in _FIELDS.items():
            if field not in metadata:
                rule = f"a figure needs it; save with metadata={{{keyword!r}: ...}}"
                problems.append(Problem(f"{folder.name}/{path.name}", 0, f"dc:{field}", "", rule))
        if len(metadata) == len(_FIELDS):
            figures.append(Figure(path.stem, path, **metadata))
    if problems:
        raise InputError(problems)
    return {figure.name: figure for figure in sorted(figures, key=lambda f: (f.source, f.name))}
