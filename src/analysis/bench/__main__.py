"""Measure from the command line: ``python -m analysis.bench [--rounds N] [--write FILE]``."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path

from analysis.bench.estimators import bootstrap, fixed_effects
from analysis.bench.ratio import Ratio
from analysis.bench.runs import FORKED, OURS, cold, imports, measure
from analysis.bench.sweeps import randomisations, specifications
from analysis.project import Project

EMBEDDED = ["benchmark", "campaigns"]

_RUN = """\
# Benchmarks

`make bench` measures all of this anew, in one sitting; what counts is ratios. Machine: {machine}.

## The run

Eight notebooks that import pandas, seaborn and statsmodels, fit a regression and draw a figure, two at a time. This run
also validates the studies and writes each notebook's page and each study's manifest, which the others don't. Medians
of {rounds} rounds; a ratio is the median of the rounds' ratios. Goal: within 1.1 times the kernels that are forked from
a warm server and nothing else; with nothing changed, under a second.

| | seconds | times this run's |
| --- | ---: | ---: |
"""

_COLD = """
The embedded studies in the quick profile, from nothing. The least that they could take is the sum of their cells'
times, shared between the cores, and one start of the warm server. Goal: 1.25 times that.

| | seconds | ratio |
| --- | ---: | ---: |
"""

_IMPORTS = """
What a process imports before it does anything, which is what a run with nothing to do consists of. A grammar compiler
that jsonschema would import, for a format that notebooks don't have, is kept out.

| | seconds |
| --- | ---: |
"""

_ESTIMATION = """
## Estimation

Both ways compute the same numbers, to the relative difference that is given.

| | beside | ours | theirs | ratio | goal | difference |
| --- | --- | ---: | ---: | ---: | ---: | ---: |
"""


def page(
    times: dict[str, list[float]],
    colds: list[tuple[float, float]],
    imported: dict[str, float],
    ratios: Iterable[Ratio],
) -> str:
    """Write the results as Markdown.

    Parameters
    ----------
    times : contender to its seconds, one per round.
    colds : seconds of the embedded studies, and the least that they could take, one pair per round.
    imported : what a process imports to its seconds.
    """
    machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    text = _RUN.format(machine=machine, rounds=len(colds))
    for name, each in times.items():
        text += f"| {name} | {statistics.median(each):.2f} | {_ratio(each, times[OURS]):.2f} |\n"
    text += f"\n{OURS.capitalize()} takes {_ratio(times[OURS], times[FORKED]):.2f} times the {FORKED}.\n"
    took, least = (list(each) for each in zip(*colds, strict=True))
    text += _COLD + f"| cell times ÷ cores + one preload | {statistics.median(least):.1f} | 1.00 |\n"
    text += f"| `make` | {statistics.median(took):.1f} | {_ratio(took, least):.2f} |\n"
    text += _IMPORTS + "".join(f"| {name} | {each:.2f} |\n" for name, each in imported.items())
    return text + _ESTIMATION + "".join(f"{ratio.row()}\n" for ratio in ratios)


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def main(argv: list[str]) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser("python -m analysis.bench", description="Measure speed and memory, as ratios.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page there, such as docs/benchmarks.md")
    arguments = parser.parse_args(argv)
    times = measure(arguments.rounds)
    colds = [cold(EMBEDDED, Project.here().root) for _ in range(arguments.rounds)]
    imported = imports(arguments.rounds)
    text = page(times, colds, imported, [specifications(), randomisations(), bootstrap(), *fixed_effects()])
    print(text)
    if arguments.write:
        arguments.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
