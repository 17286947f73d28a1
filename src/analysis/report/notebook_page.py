"""An executed notebook as a self-contained page in the style of the report."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from analysis.report import pandoc
from analysis.report.figures import svg_metadata
from analysis.report.render import svg_data_uri

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_NO_DESCRIPTION = "Figure without a description"
_PREFERRED = ("image/svg+xml", "image/png", "text/html", "text/markdown", "text/plain")


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def _image(source: str, alt: str) -> dict[str, str]:
    return {"text/html": Markup('<p><img alt="{}" src="{}"></p>').format(alt or _NO_DESCRIPTION, source)}


def _shown(data: Mapping[str, Any]) -> dict[str, str]:
    kind = next((kind for kind in _PREFERRED if kind in data), None)
    if kind is None:
        return {"text/plain": ""}
    content = _joined(data[kind])
    if kind == "image/svg+xml":
        metadata = svg_metadata(content)
        return _image(svg_data_uri(content.encode()), metadata.get("description") or metadata.get("title", ""))
    if kind == "image/png":
        return _image("data:image/png;base64," + "".join(content.split()), "")
    return {kind: content}


def _prepared(notebook: dict[str, Any]) -> dict[str, Any]:
    for cell in notebook["cells"]:
        cell.pop("attachments", None)
        for output in cell.get("outputs", []):
            if "data" in output:
                output["data"] = _shown(output["data"])
                output["metadata"] = {}
            if "text" in output:
                output["text"] = _ANSI.sub("", _joined(output["text"]))
            if "traceback" in output:
                output["traceback"] = [_ANSI.sub("", line) for line in output["traceback"]]
    return notebook


def render(ipynb: Path, html: Path) -> None:
    """Render an executed notebook as one HTML page that needs no network.

    Tables and figures are kept; HTML in cells and outputs is read as content, so that scripts, styles and remote images
    do not reach the page. A figure's alternative text is the description in its SVG metadata.

    Parameters
    ----------
    ipynb : notebook of nbformat 4, with its outputs.
    html : the page to write, one folder below the report's `index.html`, to which it links back.
    """
    notebook = _prepared(json.loads(ipynb.read_text("utf-8")))
    filters = ["notebook.lua", "exhibits.lua"]
    page = pandoc.html(json.dumps(notebook), reader="ipynb", filters=filters, title=ipynb.stem)
    html.write_text(page, "utf-8", newline="\n")
