"""The eight notebooks by this run and by others, and the embedded studies beside the least that they could take.

Each round runs every contender once, and the tables give medians over the rounds, so that a busy machine slows all
alike. Snakemake and Ploomber, which don't belong in this project's environment, are compared where
``CLICKS_BENCH_SNAKEMAKE`` and ``CLICKS_BENCH_PLOOMBER`` name their commands.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from analysis.bench.case import CELLS, NOTEBOOK, SLOTS, STUDIES, make_case
from analysis.run.kernel import NAME, specification
from analysis.run.kernel.warm import WarmServer

OURS = "this run"
FORKED = "kernels forked from a warm server, by nbclient alone"

# The least that forking can cost: no Jupyter at all, the cells executed as plain code.
_RAW = """\
import os, sys, matplotlib
matplotlib.use("agg")
import numpy, pandas, seaborn, statsmodels.api
cells = {cells!r}
running = 0
for _ in range({count}):
    if running == {slots}:
        os.wait()
        running -= 1
    if os.fork() == 0:
        space = {{}}
        for cell in cells:
            exec(cell, space)
        matplotlib.pyplot.savefig(os.devnull, format="png")
        os._exit(0)
    running += 1
while running:
    os.wait()
    running -= 1
"""

# The least that forking kernels can cost: the same warm kernels through nbclient, and nothing else of a run.
# A grammar compiler that jsonschema imports, for a format that notebooks don't have, is kept out as in the run.
_WARM = """\
import asyncio, sys
sys.modules["rfc3987_syntax"] = None
import nbformat
from nbclient import NotebookClient
slots = asyncio.Semaphore({slots})
async def one(study):
    async with slots:
        notebook = nbformat.read({notebook!r}, 4)
        notebook.cells[0].source = f"study = {{study!r}}"
        await NotebookClient(notebook, kernel_name={kernel!r}).async_execute()
        nbformat.write(notebook, f"warm-{{study}}.ipynb")
async def every():
    await asyncio.gather(*map(one, {studies!r}))
asyncio.run(every())
"""


def seconds(command: list[str], root: Path, **environment: str) -> float:
    """Time a command in a folder; its failure ends the benchmark."""
    own = {"CLICKS_ROOT": str(root), "JUPYTER_PATH": str(root / "share/jupyter"), **environment}
    began = time.perf_counter()
    done = subprocess.run(command, cwd=root, env={**os.environ, **own}, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return time.perf_counter() - began


def contenders(root: Path) -> dict[str, Callable[[], float]]:
    """Name what is compared; each call runs it once, from nothing unless its name says otherwise."""
    run = [sys.executable, "-m", "analysis.run", *STUDIES, "-j", str(SLOTS)]
    raw = _RAW.format(cells=CELLS, count=len(STUDIES), slots=SLOTS)
    warm = _WARM.format(notebook=f"notebooks/{NOTEBOOK}.ipynb", kernel=NAME, studies=STUDIES, slots=SLOTS)
    make = [shutil.which("make") or "make", f"-j{SLOTS}", "all"]

    def fresh(command: list[str], *folders: str, **environment: str) -> float:
        for folder in folders:
            shutil.rmtree(root / folder, ignore_errors=True)
            (root / folder).mkdir()
        return seconds(command, root, **environment)

    def plain(command: list[str], *folders: str) -> float:
        return fresh(command, *folders, CLICKS_WARM="0", PLOOMBER_STATS_ENABLED="false")

    compared: dict[str, Callable[[], float]] = {
        "papermill, `make -j2`": partial(plain, make, "papermill"),
        "a fork server without Jupyter": partial(seconds, [sys.executable, "-c", raw], root, **specification()["env"]),
        FORKED: partial(seconds, [sys.executable, "-c", warm], root),
        OURS: partial(fresh, run, ".clicks", "reports", "data"),
        "this run, nothing changed": partial(seconds, run, root),
    }
    others = {
        "Snakemake": ("CLICKS_BENCH_SNAKEMAKE", ["--cores", str(SLOTS), "--quiet", "all"]),
        "Ploomber": ("CLICKS_BENCH_PLOOMBER", ["build"]),
    }
    for name, (variable, arguments) in others.items():
        if command := os.environ.get(variable):
            compared[name] = partial(plain, [command, *arguments], name.lower())
            compared[f"{name}, nothing changed"] = partial(plain, [command, *arguments])
    return compared


def measure(rounds: int) -> dict[str, list[float]]:
    """Run every contender once per round.

    Returns
    -------
    Contender to its seconds, one per round.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "case"
        make_case(root)
        compared = contenders(root)
        times: dict[str, list[float]] = {name: [] for name in compared}
        for _ in range(rounds):
            for name, once in compared.items():
                times[name].append(once())
                print(f"{name}: {times[name][-1]:.2f} s", file=sys.stderr)
    return times


def cold(studies: list[str], project: Path) -> tuple[float, float]:
    """Run real studies from nothing, in the quick profile.

    Returns
    -------
    Seconds, and the least that they could take: their cells' times shared between the cores, after one preload.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("studies", "notebooks", "data/raw", "requirements.lock"):
            source = project / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            copy(source, root / name)
        took = seconds([sys.executable, "-m", "analysis.run", *studies, "-p", "profile=quick"], root)
        records = [json.loads(file.read_text(encoding="utf-8")) for file in (root / ".clicks/state").rglob("*.json")]
    return took, sum(r["cell_seconds"] for r in records) / (os.cpu_count() or 1) + preload()


IMPORTED = {
    "the run, where nothing is to be done": "import analysis.run.__main__",
    "and where a study is to be validated": "import analysis.run.__main__, analysis.study",
    "and where notebooks are to be executed": "import analysis.run.__main__, sys\n"
    "sys.modules['rfc3987_syntax'] = None\nimport nbclient",
    "papermill": "import papermill",
}
"""What a process imports: this run's own in its three states, and papermill's, which it does without."""


def imports(rounds: int) -> dict[str, float]:
    """Time what each of `IMPORTED` adds to the start of Python: the median, in seconds."""

    def once(code: str) -> float:
        return statistics.median(seconds([sys.executable, "-c", code], Path.cwd()) for _ in range(rounds))

    bare = once("pass")
    return {name: once(code) - bare for name, code in IMPORTED.items()}


def preload() -> float:
    """Time from starting a warm server to its first kernel."""
    began = time.perf_counter()
    server = WarmServer(sys.executable, {**os.environ, **specification()["env"]})
    server.launch(["--version"], dict(os.environ), str(Path.cwd()))
    return time.perf_counter() - began
