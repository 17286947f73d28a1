"""Executed notebooks without what differs between two runs of the same inputs: times, folders, machines, addresses."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

from analysis.run.kernel import DISPLAY_NAME, NAME

_KERNELSPEC = {"display_name": DISPLAY_NAME, "language": "python", "name": NAME}
_VOLATILE = [
    (re.compile(re.escape(tempfile.gettempdir()) + r"[/\\]ipykernel_\d+[/\\]\d+\.py"), "<cell>"),
    (re.compile(r"\bat 0x[0-9a-fA-F]+"), "at 0x…"),
]


def clean(notebook: dict[str, Any], folders: dict[str, str]) -> None:
    """Make an executed notebook independent of when and where it ran, in place.

    Parameters
    ----------
    notebook : nbformat 4; sources, cell ids and images are left as they are.
    folders : folder to what is written for it in outputs; the longest is replaced first.
    """
    notebook["metadata"] = {"kernelspec": _KERNELSPEC, "language_info": {"name": "python"}}
    for cell in notebook["cells"]:
        for volatile in ("execution", "papermill", "ExecuteTime"):
            cell["metadata"].pop(volatile, None)
        if "outputs" in cell:
            cell["outputs"] = _joined(cell["outputs"])
        for output in cell.get("outputs", []):
            output.get("metadata", {}).pop("execution", None)
            if "text" in output:
                output["text"] = _neutral(output["text"], folders)
            for kind, content in output.get("data", {}).items():
                if kind.startswith("text/") and isinstance(content, str):
                    output["data"][kind] = _neutral(content, folders)


def _joined(outputs: list[Any]) -> list[Any]:
    """Join what a cell printed in pieces, as pieces depend on timing; stdout before stderr where they meet."""
    joined: list[Any] = []
    streams: dict[str, Any] = {}
    for output in outputs:
        name = output.get("name") if output["output_type"] == "stream" else None
        if name in streams:
            streams[name]["text"] += output["text"]
            continue
        before_last = name == "stdout" and joined and joined[-1].get("name") == "stderr"
        joined.insert(len(joined) - bool(before_last), output)
        if name:
            streams[name] = output
    return joined


def _neutral(text: str, folders: dict[str, str]) -> str:
    for folder in sorted(folders, key=len, reverse=True):
        text = text.replace(folder + "/", folders[folder]).replace(
            str(Path(folder)), folders[folder].rstrip("/") or "."
        )
    for pattern, replacement in _VOLATILE:
        text = pattern.sub(replacement, text)
    return text
