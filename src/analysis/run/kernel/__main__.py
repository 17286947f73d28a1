"""Install the kernel for this environment: ``python -m analysis.run.kernel``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from analysis.run.kernel import NAME, specification


def install(prefix: Path) -> Path:
    """Write the kernel's specification under a Python prefix, where Jupyter looks for it.

    Returns
    -------
    The folder of the specification; nothing is written where it is already the same.
    """
    folder = prefix / "share" / "jupyter" / "kernels" / NAME
    file = folder / "kernel.json"
    text = json.dumps(specification(), indent=1) + "\n"
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


if __name__ == "__main__":
    print(f"kernel {NAME!r} is in {install(Path(sys.prefix))}")
