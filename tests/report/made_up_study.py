"""Made-up text and figures for the report tests."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

HOSTILE = "<script>alert(1)</script> *bold* [link](x) $math$ a|b #tag @key `code` \\ ~sub~ ^sup^ {{ jinja }} #panic()"


def draw(
    path: Path, *, title: str = "Counts follow success", description: str = "A line that rises", source: str
) -> None:
    canvas = Canvas(figsize=(6, 3))
    axes = canvas.add_subplot()
    axes.plot([0, 1, 2], [0, 1, 4])
    metadata = {"Title": title, "Description": description, "Source": source, "Date": None}
    with mpl.rc_context({"svg.hashsalt": path.stem}):
        canvas.savefig(path, metadata={k: v for k, v in metadata.items() if v != ""})
