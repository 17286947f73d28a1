"""Eight small notebooks, independent of each other, as this run, papermill, Snakemake and Ploomber find them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from analysis.run.kernel import NAME
from analysis.run.kernel.__main__ import install

STUDIES = [f"study{i}" for i in range(8)]
NOTEBOOK = "05_regressions"
SLOTS = 2
"""Notebooks side by side, for every contender."""

CELLS = [
    "import numpy as np\nimport pandas as pd\nimport seaborn as sns\nimport statsmodels.api as sm",
    "x = pd.DataFrame({'a': np.random.default_rng(1).normal(size=100)})\nx['b'] = x['a'] ** 2\n"
    "sm.OLS(x['b'], sm.add_constant(x['a'])).fit().params",
    "sns.scatterplot(x, x='a', y='b');",
]

_PLAIN = "plain"
"""A kernel that starts the ordinary way, for tools that don't know this project's."""

_SNAKEFILE = """\
rule all:
    input: expand("snakemake/{{study}}.ipynb", study={studies!r})
rule notebook:
    input: "notebooks/{notebook}.ipynb"
    output: "snakemake/{{study}}.ipynb"
    shell: "{papermill} {{input}} {{output}} -p study {{wildcards.study}} --no-progress-bar"
"""


def make_case(root: Path) -> None:
    """Write one notebook and eight studies that differ in their names alone, a Makefile, a Snakefile and a pipeline."""
    study = Path(__file__).with_name("study.yml").read_text(encoding="utf-8")
    for folder in ("notebooks", "studies", "papermill", f"share/jupyter/kernels/{_PLAIN}"):
        (root / folder).mkdir(parents=True)
    for name in STUDIES:
        (root / f"studies/{name}.yml").write_text(study.replace("name: NAME", f"name: {name}"), encoding="utf-8")
    cells = [_cell(0, 'study: str = "study0"', ["parameters"]), *(_cell(i, c, []) for i, c in enumerate(CELLS, 1))]
    spec = {"name": NAME, "display_name": NAME, "language": "python"}
    content = {"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
    _write(root / f"notebooks/{NOTEBOOK}.ipynb", content)
    papermill = f"{sys.executable} -m papermill"
    once = f"{papermill} notebooks/{NOTEBOOK}.ipynb $@ -p study $* --no-progress-bar"
    targets = " ".join(f"papermill/{name}.ipynb" for name in STUDIES)
    (root / "Makefile").write_text(f"all: {targets}\npapermill/%.ipynb:\n\t{once}\n", encoding="utf-8")
    snakefile = _SNAKEFILE.format(studies=STUDIES, notebook=NOTEBOOK, papermill=papermill)
    (root / "Snakefile").write_text(snakefile, encoding="utf-8")
    _write(root / "pipeline.yaml", _pipeline())
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    _write(
        root / f"share/jupyter/kernels/{_PLAIN}/kernel.json",
        {"argv": argv, "display_name": _PLAIN, "language": "python"},
    )
    install(root)


def _cell(index: int, source: str, tags: list[str]) -> dict[str, object]:
    empty: dict[str, object] = {"execution_count": None, "outputs": [], "metadata": {"tags": tags}}
    return {"cell_type": "code", "id": f"cell-{index}", "source": source, **empty}


def _pipeline() -> dict[str, object]:
    """Return Ploomber's pipeline, as the YAML that JSON is."""
    tasks = [
        {
            "source": f"notebooks/{NOTEBOOK}.ipynb", "name": name, "product": {"nb": f"ploomber/{name}.ipynb"},
            "params": {"study": name}, "kernelspec_name": _PLAIN,
        }
        for name in STUDIES
    ]  # fmt: skip
    executor = {"dotted_path": "ploomber.executors.Parallel", "processes": SLOTS}
    return {"meta": {"extract_upstream": False}, "executor": executor, "tasks": tasks}


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
