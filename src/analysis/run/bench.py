"""How fast the run is, as ratios measured side by side: ``python -m analysis.run.bench [--write FILE]``.

The case: eight notebooks that import pandas, seaborn and statsmodels, fit a regression and draw a figure, independent
of each other, two at a time. Each round runs every contender once, and the table gives medians over the rounds, so that
a busy machine slows all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from analysis.project import Project
from analysis.run.kernel import NAME, specification
from analysis.run.kernel.__main__ import install
from analysis.run.kernel.warm import WarmServer

EMBEDDED = ["benchmark", "campaigns"]
STUDIES = [f"study{i}" for i in range(8)]
NOTEBOOK = "05_regressions"
CELLS = [
    "import numpy as np\nimport pandas as pd\nimport seaborn as sns\nimport statsmodels.api as sm",
    "x = pd.DataFrame({'a': np.random.default_rng(1).normal(size=100)})\nx['b'] = x['a'] ** 2\n"
    "sm.OLS(x['b'], sm.add_constant(x['a'])).fit().params",
    "sns.scatterplot(x, x='a', y='b');",
]

# The least that forking can cost: no Jupyter at all, the cells executed as plain code.
_RAW = """\
import os, sys, matplotlib
matplotlib.use("agg")
import numpy, pandas, seaborn, statsmodels.api
cells = {cells!r}
running = 0
for _ in range({count}):
    if running == 2:
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
_WARM = """\
import asyncio, json, sys
sys.modules["rfc3987_syntax"] = None
import nbformat
from nbclient import NotebookClient
slots = asyncio.Semaphore(2)
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

_SNAKEFILE = """\
rule all:
    input: expand("snakemake/{{study}}.ipynb", study={studies!r})
rule notebook:
    input: "notebooks/{notebook}.ipynb"
    output: "snakemake/{{study}}.ipynb"
    shell: "{python} -m papermill {{input}} {{output}} -p study {{wildcards.study}} --no-progress-bar"
"""


def make_case(root: Path, study: str) -> None:
    """Write the eight notebooks: one notebook, eight studies like the given one but for their names."""
    for folder in ("notebooks", "studies", "papermill"):
        (root / folder).mkdir(parents=True)
    for name in STUDIES:
        (root / f"studies/{name}.yml").write_text(study.replace("name: NAME", f"name: {name}"), encoding="utf-8")
    cells = [_cell(0, 'study: str = "study0"', ["parameters"]), *(_cell(i, c, []) for i, c in enumerate(CELLS, 1))]
    spec = {"name": NAME, "display_name": NAME, "language": "python"}
    content = {"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
    (root / f"notebooks/{NOTEBOOK}.ipynb").write_text(json.dumps(content), encoding="utf-8")
    papermill = f"{sys.executable} -m papermill notebooks/{NOTEBOOK}.ipynb $@ -p study $* --no-progress-bar"
    targets = " ".join(f"papermill/{name}.ipynb" for name in STUDIES)
    (root / "Makefile").write_text(f"all: {targets}\npapermill/%.ipynb:\n\t{papermill}\n", encoding="utf-8")
    snakefile = _SNAKEFILE.format(studies=STUDIES, notebook=NOTEBOOK, python=sys.executable)
    (root / "Snakefile").write_text(snakefile, encoding="utf-8")


def _cell(index: int, source: str, tags: list[str]) -> dict[str, object]:
    empty: dict[str, object] = {"execution_count": None, "outputs": [], "metadata": {"tags": tags}}
    return {"cell_type": "code", "id": f"cell-{index}", "source": source, **empty}


def seconds(command: list[str], root: Path, **environment: str) -> float:
    """Time a command in the case's folder; its failure ends the benchmark."""
    own = {"CLICKS_ROOT": str(root), "JUPYTER_PATH": str(root / "share/jupyter"), **environment}
    began = time.perf_counter()
    done = subprocess.run(command, cwd=root, env={**os.environ, **own}, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return time.perf_counter() - began


def contenders(root: Path) -> dict[str, Callable[[], float]]:
    """Name what is compared; each call runs it once, from nothing unless its name says otherwise."""
    run = [sys.executable, "-m", "analysis.run", *STUDIES, "-j", "2"]
    make = shutil.which("make") or "make"

    def fresh() -> float:
        for folder in (".clicks", "reports", "data"):
            shutil.rmtree(root / folder, ignore_errors=True)
        return seconds(run, root)

    def papermill() -> float:
        for file in (root / "papermill").iterdir():
            file.unlink()
        return seconds([make, "-j2", "all"], root, CLICKS_WARM="0")

    def raw() -> float:
        code = _RAW.format(cells=CELLS, count=len(STUDIES))
        return seconds([sys.executable, "-c", code], root, **specification()["env"])

    def warm() -> float:
        code = _WARM.format(notebook=f"notebooks/{NOTEBOOK}.ipynb", kernel=NAME, studies=STUDIES)
        return seconds([sys.executable, "-c", code], root)

    compared = {
        "papermill, `make -j2`": papermill,
        "raw fork server, no Jupyter": raw,
        "warm kernels through nbclient alone": warm,
        "this run": fresh,
        "this run, nothing changed": lambda: seconds(run, root),
    }
    snakemake = os.environ.get("CLICKS_BENCH_SNAKEMAKE")
    if snakemake:

        def workflow(*, again: bool) -> float:
            if not again:
                shutil.rmtree(root / "snakemake", ignore_errors=True)
            return seconds([snakemake, "--cores", "2", "--quiet", "all"], root, CLICKS_WARM="0")

        compared["Snakemake with papermill"] = lambda: workflow(again=False)
        compared["Snakemake, nothing changed"] = lambda: workflow(again=True)
    return compared


def cold(studies: list[str], project: Path) -> tuple[float, float]:
    """Run real studies from nothing.

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
        took = seconds([sys.executable, "-m", "analysis.run", *studies], root)
        records = [json.loads(file.read_text(encoding="utf-8")) for file in (root / ".clicks/state").rglob("*.json")]
    return took, sum(r["cell_seconds"] for r in records) / (os.cpu_count() or 1) + preload()


def preload() -> float:
    """Time from starting a warm server to its first kernel."""
    began = time.perf_counter()
    server = WarmServer(sys.executable, {**os.environ, **specification()["env"]})
    server.launch(["--version"], dict(os.environ), str(Path.cwd()))
    return time.perf_counter() - began


def measure(rounds: int) -> dict[str, list[float]]:
    """Run every contender once per round."""
    study = Path(__file__).with_name("bench_study.yml").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "case"
        make_case(root, study)
        install(root)
        compared = contenders(root)
        times: dict[str, list[float]] = {name: [] for name in compared}
        for _ in range(rounds):
            for name, once in compared.items():
                times[name].append(once())
                print(f"{name}: {times[name][-1]:.2f} s", file=sys.stderr)
    return times


def page(times: dict[str, list[float]], colds: list[tuple[float, float]]) -> str:
    """Write the results as Markdown.

    Parameters
    ----------
    colds : results of `cold`, one per round.
    """
    ours = times["this run"]
    lines = [
        "# Benchmarks",
        "",
        "Eight notebooks that import pandas, seaborn and statsmodels, fit a regression and draw a figure, two at a",
        "time. This run also validates the studies and writes each notebook's page and each study's manifest, which",
        "the others don't. `make bench` measures it again.",
        "",
        f"Machine: {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}. "
        f"Medians of {len(ours)} rounds; a ratio is the median of the rounds' ratios.",
        "",
        "| | seconds | times this run's |",
        "| --- | ---: | ---: |",
    ]
    for name, each in times.items():
        ratio = statistics.median(a / b for a, b in zip(each, ours, strict=True))
        lines.append(f"| {name} | {statistics.median(each):.2f} | {ratio:.2f} |")
    took, least = (statistics.median(each) for each in zip(*colds, strict=True))
    ratio = statistics.median(a / b for a, b in colds)
    lines += [
        "",
        "The embedded studies, from nothing. The least that they could take is the sum of their cells' times, shared",
        "between the cores, and one start of the warm server.",
        "",
        "| | seconds | ratio |",
        "| --- | ---: | ---: |",
        f"| cell times ÷ cores + one preload | {least:.1f} | 1.00 |",
        f"| `make` | {took:.1f} | {ratio:.2f} |",
    ]
    return "\n".join(lines) + "\n"


def main(argv: list[str]) -> None:
    """Measure from the command line."""
    parser = argparse.ArgumentParser("python -m analysis.run.bench", description="Measure how fast the run is.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table there, such as docs/benchmarks.md")
    arguments = parser.parse_args(argv)
    colds = [cold(EMBEDDED, Project.here().root) for _ in range(arguments.rounds)]
    text = page(measure(arguments.rounds), colds)
    print(text)
    if arguments.write:
        arguments.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
