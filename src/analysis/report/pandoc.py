"""Markdown and notebooks to HTML and to PDF, by the pinned pandoc and Typst, without network or system fonts."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

import pypandoc
import typst

ASSETS = Path(str(files("analysis.report")))
TEMPLATES = ASSETS / "templates"
MARKDOWN = "markdown-raw_html-raw_tex-raw_attribute-native_divs-native_spans"
STYLE_MARK = "/* style.css */"
TIMESTAMP = 0
"""Creation time written into a PDF, in seconds since 1970: the same for the same content."""

# The pandoc of the lock file, where pypandoc would take a newer one from PATH.
_BUNDLED = Path(pypandoc.__file__).parent / "files" / "pandoc"
if _BUNDLED.exists():
    os.environ.setdefault("PYPANDOC_PANDOC", str(_BUNDLED))


def _convert(source: str, *, to: str, reader: str, arguments: list[str]) -> str:
    shared = [
        f"--data-dir={TEMPLATES}",
        "--columns=10000",
        "--wrap=none",
        "--fail-if-warnings",
        "--syntax-highlighting=none",
    ]
    text: str = pypandoc.convert_text(source, to, reader, extra_args=[*shared, *arguments], sandbox=True)
    return text


def html(
    source: str, *, reader: str, filters: list[str], citations: bool = False, toc: bool = False, title: str = ""
) -> str:
    """Convert to one HTML5 page that holds its own style.

    Parameters
    ----------
    reader : pandoc's name of the source's format.
    filters : Lua filters of `templates/`, in order.
    citations : resolve citations from `references.json`.
    title : of the page, where the source has none.
    """
    arguments = [f"--template={TEMPLATES / 'page.html'}", "--mathml", "--section-divs"]
    if reader == MARKDOWN:
        arguments.append("--shift-heading-level-by=1")
    if citations:
        arguments += ["--citeproc", f"--bibliography={ASSETS / 'references.json'}", "--metadata=link-citations"]
    if title:
        arguments.append(f"--metadata=pagetitle:{title}")
    if toc:
        arguments += ["--toc", "--toc-depth=2"]
    arguments += [f"--lua-filter={TEMPLATES / name}" for name in filters]
    page = _convert(source, to="html5", reader=reader, arguments=arguments)
    return page.replace(STYLE_MARK, (TEMPLATES / "style.css").read_text("utf-8"), 1)


def pdf(source: str, *, figures: Path) -> bytes:
    """Convert Markdown to a tagged PDF (PDF/UA-1) by way of Typst.

    Parameters
    ----------
    figures : folder of the images; the text calls them `figures/<name>`.
    """
    arguments = [
        f"--template={TEMPLATES / 'paper.typ'}", "--citeproc", f"--bibliography={ASSETS / 'references.json'}",
        "--metadata=link-citations", f"--lua-filter={TEMPLATES / 'exhibits.lua'}",
    ]  # fmt: skip
    paper = _convert(source, to="typst-citations", reader=MARKDOWN, arguments=arguments)
    compiler = typst.Compiler(paper.encode(), root=figures, ignore_system_fonts=True)
    made = compiler.compile(format="pdf", timestamp=TIMESTAMP, pdf_standards=["ua-1"])
    if not isinstance(made, bytes):
        raise TypeError("Typst returned no single PDF")
    return made
