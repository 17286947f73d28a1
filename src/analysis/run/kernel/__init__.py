"""The kernel that every notebook of the compendium runs in: one name, one environment, one result."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

NAME = "clicks"
DISPLAY_NAME = "Clicks to Change"
PROVISIONER = "clicks-warm"

ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
"""What results could depend on, fixed: hash order, time zone, locale, the order of threaded sums; and no thread
before a fork (pyarrow's allocator starts one at import)."""


def specification() -> dict[str, Any]:
    """Describe the kernel to Jupyter, for the environment that runs this."""
    environment = dict(ENVIRONMENT)
    matplotlib = find_spec("matplotlib")
    if matplotlib is not None and matplotlib.submodule_search_locations:
        # A reader's own matplotlibrc must not change a figure.
        environment["MATPLOTLIBRC"] = str(Path(matplotlib.submodule_search_locations[0]) / "mpl-data" / "matplotlibrc")
    return {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": DISPLAY_NAME,
        "language": "python",
        "interrupt_mode": "signal",
        "env": environment,
        "metadata": {"debugger": True, "kernel_provisioner": {"provisioner_name": PROVISIONER}},
    }
