"""Run studies: ``python -m analysis.run STUDY [STUDY ...]``."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from analysis.errors import InputError, Problem
from analysis.project import Project
from analysis.run.execute import Execute, execute
from analysis.run.graph import Graph
from analysis.run.kernel import specification
from analysis.run.kernel.warm import warm_server
from analysis.run.lock import locked
from analysis.run.schedule import Run, interruptible, tidy
from analysis.run.show import mermaid, why
from analysis.run.stage import roll_forward

FAILED, REFUSED, INTERRUPTED = 1, 2, 130


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m analysis.run", description="Bring the results of studies up to date.")
    parser.add_argument("studies", nargs="+", metavar="STUDY", help="name of a file under studies/, without its ending")
    parser.add_argument("-p", action="append", default=[], metavar="[NOTEBOOK:]NAME=VALUE", help="set a parameter")
    parser.add_argument("-j", "--jobs", type=int, default=_cores(), help="notebooks side by side (default: the cores)")
    parser.add_argument("--cell-seconds", type=int, default=1800, help="stop a cell that takes longer (default: 1800)")
    parser.add_argument("--force", action="store_true", help="run everything again")
    parser.add_argument(
        "--dask", metavar="ADDRESS", help="run the notebooks on a Dask cluster, such as tcp://host:8786"
    )
    parser.add_argument("--why", action="store_true", help="say what would run and why, and run nothing")
    parser.add_argument("--dag", action="store_true", help="draw the graph as a Mermaid flowchart, and run nothing")
    return parser


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _given(pairs: list[str]) -> dict[str, str]:
    wrong = [p for p in pairs if "=" not in p]
    if wrong:
        raise InputError(Problem("command line", 0, "-p", p, "write it as NAME=VALUE") for p in wrong)
    return dict(p.split("=", 1) for p in pairs)


def _warm() -> None:
    """Start the warm server, so that its imports go on while the first notebook is prepared."""
    warm_server(sys.executable, {**os.environ, **specification()["env"]})


def _nothing() -> None:
    """Where no kernel will start here."""


async def _run(graph: Graph, arguments: argparse.Namespace) -> int:
    if arguments.dask:
        from analysis.run.cluster import cluster

        async with cluster(arguments.dask) as (execute_there, slots):
            return await _finish(graph, execute_there, slots, arguments)
    return await _finish(graph, execute, arguments.jobs, arguments)


async def _finish(graph: Graph, how: Execute, slots: int, arguments: argparse.Namespace) -> int:
    run = Run(graph, how, slots, arguments.cell_seconds, force=arguments.force)
    failures = await interruptible(run.finish())
    if not failures and not run.done:
        print(f"Up to date: {', '.join(arguments.studies)}.", file=sys.stderr)
    return FAILED if failures else 0


def main(argv: list[str]) -> int:
    """Run from the command line.

    Returns
    -------
    The exit code: 0, 1 where a notebook failed, 2 where the input was refused, 130 where the run was interrupted.
    """
    arguments = _arguments().parse_args(argv)
    root = Project.here().root
    try:
        if arguments.why or arguments.dag:
            graph = Graph(root, arguments.studies, _given(arguments.p))
            print(why(graph) if arguments.why else mermaid(graph))
            return 0
        with locked(root):
            roll_forward(root)
            ahead = _nothing if arguments.dask else _warm
            graph = Graph(root, arguments.studies, _given(arguments.p), ahead)
            tidy(graph)
            if any(graph.reasons(t) for t in graph.tasks if t.kind == "notebook"):
                ahead()
            return asyncio.run(_run(graph, arguments))
    except InputError as error:
        print(error, file=sys.stderr)
        return REFUSED
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("Stopped. Run again to go on from here.", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
