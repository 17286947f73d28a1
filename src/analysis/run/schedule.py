"""The run itself: tasks side by side as the graph allows, each kept only when it is whole."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import time
from collections.abc import Awaitable
from importlib import import_module
from pathlib import Path
from typing import Any

from analysis.errors import InputError
from analysis.hashing import sha256
from analysis.run.execute import Execute, Job, NotebookError
from analysis.run.graph import DECIDING, MANIFEST, PAGE, Graph, Task, exists, step
from analysis.run.progress import Progress
from analysis.run.record import Record
from analysis.run.stage import commit


class Run:
    """One run over a graph.

    Parameters
    ----------
    graph : the tasks.
    execute : how a notebook is executed: here, or on a cluster.
    slots : how many tasks run side by side.
    cell_seconds : a cell that takes longer is stopped.
    force : repeat every task.
    """

    def __init__(self, graph: Graph, execute: Execute, slots: int, cell_seconds: int, *, force: bool = False) -> None:
        self._graph, self._execute, self._slots = graph, execute, slots
        self._cell_seconds, self._force = cell_seconds, force
        self._progress = Progress(sum(task.kind == "notebook" for task in graph.tasks))
        self._waiting = list(graph.tasks)
        self._running: dict[asyncio.Task[None], Task] = {}
        self.done = 0

    async def finish(self) -> list[str]:
        """Bring everything up to date.

        Returns
        -------
        What failed, and how. After a failure what is running ends, and nothing else starts.
        """
        failures: list[str] = []
        finished: set[Task] = set()
        ahead: asyncio.Task[None] | None = None
        try:
            while self._running or (self._waiting and not failures):
                if not failures:
                    self._start(finished)
                if not self._running:
                    continue
                ahead = ahead or asyncio.create_task(_import_ahead())
                ended, _ = await asyncio.wait(self._running, timeout=1, return_when=asyncio.FIRST_COMPLETED)
                self._progress.tick()
                for each in ended:
                    task = self._running.pop(each)
                    try:
                        each.result()
                        finished.add(task)
                        self.done += 1
                    except Exception as error:
                        report = str(error) if isinstance(error, NotebookError) else f"{task}: {_said(error)}"
                        failures.append(report)
                        self._progress.failed(str(task), report)
        finally:
            for each in self._running:
                each.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
            self._progress.close()
            self._graph.files.save()
        return failures

    def _start(self, finished: set[Task]) -> None:
        """Start what can start, the longest first; pass over what is up to date."""
        progressed = True
        while progressed:
            progressed = False
            ready = [t for t in self._waiting if self._graph.tasks[t] <= finished]
            for task in sorted(ready, key=self._expected, reverse=True):
                reasons = ["forced"] if self._force else self._graph.reasons(task)
                if not reasons:
                    self._waiting.remove(task)
                    finished.add(task)
                    if task.kind == "notebook":
                        self._progress.skip()
                    progressed = True
                elif len(self._running) < self._slots:
                    self._waiting.remove(task)
                    self._running[asyncio.create_task(self._do(task))] = task

    def _expected(self, task: Task) -> tuple[bool, float]:
        record = self._graph.records[task]
        return task.kind == "notebook", record.seconds if record else 0.0

    async def _do(self, task: Task) -> None:
        if task.kind != "notebook":
            await self._render(task)
            return
        if step(task.name) >= step(DECIDING) and self._graph.plans[task.study].unregistered:
            self._progress.note(self._graph.register(task.study))
        upcoming = next((str(t) for t in self._waiting if t.kind == "notebook"), "")
        self._progress.start(str(task), upcoming)
        began = time.monotonic()
        inputs = self._graph.fixed_inputs(task)
        job = self._job(task)
        executed = await self._execute(job, lambda cell, cells: self._progress.cell(str(task), cell, cells))
        written = _files_in(job.stage)
        reads = sorted(set(executed.reads) - set(written))
        self._refuse_crossings(task, job, written, reads)
        self._keep(task, job.stage, inputs, reads, time.monotonic() - began, cell_seconds=executed.cell_seconds)
        self._progress.done(str(task))

    async def _render(self, task: Task) -> None:
        graph = self._graph
        stage = graph.root / ".clicks/stage" / task.study / f"{task.name}.{task.kind}"
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(parents=True)
        began = time.monotonic()
        inputs = graph.fixed_inputs(task)
        if task.kind == "page":
            page = Path("reports", task.study, "notebooks", f"{task.name}.html")
            (stage / page).parent.mkdir(parents=True)
            await _in_thread(PAGE, graph.root / page.with_suffix(".ipynb"), stage / page)
            self._keep(task, stage, inputs, [], time.monotonic() - began)
        else:
            manifest: Path = await _in_thread(MANIFEST, task.study)
            name = manifest.resolve().relative_to(graph.root).as_posix()
            self._keep(task, stage, inputs, [], time.monotonic() - began, also=[name])

    def _job(self, task: Task) -> Job:
        root, plan = self._graph.root, self._graph.plans[task.study]
        notebook = plan.notebook(task)
        return Job(
            root=root,
            study=task.study,
            path=notebook.path,
            parameters=plan.parameters[task.name],
            stage=root / ".clicks/stage" / task.study / task.name,
            failed=root / ".clicks/failed" / task.study / notebook.path.name,
            cell_seconds=self._cell_seconds,
        )

    def _refuse_crossings(self, task: Task, job: Job, written: list[str], reads: list[str]) -> None:
        """Refuse a notebook that writes what another writes, or reads what no earlier one wrote."""
        others = [t for t in self._graph.plans[task.study].tasks if t.kind == "notebook" and t != task]
        owners = {name: t for t in others for name in self._graph.outputs(t)}
        crossed = [f"It writes {n}, which {owners[n].name} writes." for n in written if n in owners]
        crossed += [
            f"It reads {n}, which {owners[n].name} writes in the same step or later; only earlier steps may be read."
            for n in reads
            if n in owners and step(owners[n].name) >= step(task.name)
        ]
        if crossed:
            failed = job.stage / job.executed
            job.failed.parent.mkdir(parents=True, exist_ok=True)
            failed.replace(job.failed)
            raise NotebookError(job, 0, 0, "", crossed)

    def _keep(
        self,
        task: Task,
        stage: Path,
        inputs: dict[str, str],
        reads: list[str],
        seconds: float,
        also: list[str] | None = None,
        cell_seconds: float = 0.0,
    ) -> None:
        """Move a task's outputs into place together with its record."""
        graph = self._graph
        written = _files_in(stage)
        outputs = {name: sha256(stage / name) for name in written}
        outputs |= graph.files.digests(also or [])
        files = graph.file_inputs(task, reads)
        record = Record(inputs | files, outputs, reads, round(seconds, 1), cell_seconds)
        stale = graph.outputs(task).keys() - outputs.keys()
        commit(graph.root, stage, stale, task.record, vars(record))
        graph.records[task] = record


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"


def _files_in(stage: Path) -> list[str]:
    return sorted(p.relative_to(stage).as_posix() for p in stage.rglob("*") if p.is_file())


async def _in_thread(function: str, *arguments: object) -> Any:
    module, _, name = function.rpartition(".")
    return await asyncio.to_thread(lambda: getattr(import_module(module), name)(*arguments))


async def _import_ahead() -> None:
    """Import what renders while the first kernel starts, instead of after the last notebook."""
    for function in (PAGE, MANIFEST):
        if exists(function):
            await asyncio.to_thread(import_module, function.rpartition(".")[0])


def tidy(graph: Graph) -> None:
    """Remove what notebooks wrote that a study no longer has."""
    for study in graph.plans:
        kept = {name for task in graph.plans[study].tasks for name in graph.outputs(task)}
        for file, record in graph.strays(study):
            for name in record.outputs.keys() - kept:
                (graph.root / name).unlink(missing_ok=True)
            file.unlink()


async def interruptible(work: Awaitable[list[str]]) -> list[str]:
    """Let a request to terminate end the work as Ctrl-C does, with its kernels."""
    if sys.platform != "win32":
        import signal

        this = asyncio.current_task()
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError):
            for number in (signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, this.cancel if this else loop.stop)
    return await work
