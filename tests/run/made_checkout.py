"""A small checkout with notebooks of its own, run as its users run it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from analysis.run.__main__ import main

STUDY = """\
name: demo
title: A demonstration
question: Does it run?
summary: Synthetic.
source:
  adapter: registry
unit:
  noun: campaign
  plural: campaigns
exposures:
  signatures:
    label: Signatures
    indicators: [signatures]
outcomes:
  improved:
    label: Improved
    type: binary
models:
  m1:
    label: Signatures
    design: lpm
    formula: improved ~ signatures
hypotheses:
  h1:
    statement: More signatures, more change.
    origin: [barbera]
    expects: positive
    decided_by: {model: m1, term: signatures}
    smallest_effect: 0.1
"""

WRITE = """\
from analysis.project import Project
project = Project.here()
def write(name, text):
    with project.writing(f"data/processed/{study}/{name}") as path:
        path.write_text(text)
def read(name):
    return project.find(f"data/processed/{study}/{name}").read_text()
"""

PIPELINE = {
    "01_ingest": 'write("units.csv", "unit\\n" + "\\n".join(map(str, range(3))))',
    "02_process_indicators": 'write("engagement.csv", read("units.csv") + "\\n7")',
    "03_outcome_indicators": 'write("change.csv", read("units.csv") + "\\n8")',
    "04_link": 'write("analysis.csv", read("engagement.csv") + read("change.csv"))\nprint("linked")',
}


@dataclass
class Checkout:
    root: Path

    def notebook(self, name: str, *cells: str, parameters: str = 'study: str = "demo"') -> Path:
        sources = [("markdown", "# Does it run?"), ("code", parameters), *(("code", c) for c in cells)]
        content = {"cells": [_cell(i, *each) for i, each in enumerate(sources)], "metadata": {"kernelspec": SPEC}}
        path = self.root / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content | {"nbformat": 4, "nbformat_minor": 5}))
        return path

    def pipeline(self) -> None:
        for name, code in PIPELINE.items():
            self.notebook(name, WRITE, code)

    def run(self, *arguments: str) -> int:
        return main(["demo", *arguments])

    def executed(self, name: str) -> Path:
        return self.root / f"reports/demo/notebooks/{name}.ipynb"

    def outputs(self) -> dict[str, bytes]:
        files = [p for folder in ("data", "reports") for p in (self.root / folder).rglob("*") if p.is_file()]
        return {p.relative_to(self.root).as_posix(): p.read_bytes() for p in files}


SPEC = {"name": "clicks", "display_name": "Clicks to Change", "language": "python"}


def _cell(index: int, kind: str, source: str) -> dict[str, object]:
    tags = {"tags": ["parameters"]} if index == 1 else {}
    cell: dict[str, object] = {"cell_type": kind, "id": f"cell-{index}", "metadata": tags, "source": source}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def make_checkout(root: Path) -> Checkout:
    (root / "studies").mkdir(parents=True)
    (root / "studies/demo.yml").write_text(STUDY)
    (root / "notebooks").mkdir()
    return Checkout(root)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "analysis.run", "demo", *arguments]
