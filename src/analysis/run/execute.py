"""One notebook, executed in a kernel of its own through nbclient, papermill's engine.

papermill itself is left out of the path, because importing it costs more than running a small notebook. What it would
do is done here: the parameters are injected as a cell after the one tagged `parameters`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from queue import Empty
from typing import Any

from analysis.run.clean import clean
from analysis.run.kernel import NAME
from analysis.run.source import Value, injected

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_STARTUP_SECONDS = 60
_SUBSCRIBED_SECONDS = 0.1
_INJECTED = "injected-parameters"
_READS = "reads"
_TRACEBACK_LINES = 12
_SOURCE_LINES = 6


@dataclass(frozen=True)
class Job:
    """One notebook to execute for one study.

    Parameters
    ----------
    root : the checkout; its parent folders never show in outputs.
    path : the notebook.
    parameters : injected values by name.
    stage : an empty folder that receives everything the notebook writes, and the executed notebook.
    failed : where the partial notebook is kept if a cell fails.
    cell_seconds : a cell that takes longer is stopped.
    """

    root: Path
    study: str
    path: Path
    parameters: dict[str, Value]
    stage: Path
    failed: Path
    cell_seconds: int

    @property
    def name(self) -> str:
        """The notebook's, without its ending."""
        return self.path.stem

    @property
    def executed(self) -> Path:
        """Where the executed notebook goes, under stage or root."""
        return Path("reports", self.study, "notebooks", self.path.name)


@dataclass(frozen=True)
class Executed:
    """What is known of a notebook once it has run.

    Parameters
    ----------
    reads : relative names of the files that it read through `Project.find`.
    cell_seconds : its cells took, without its kernel's start and end.
    """

    reads: list[str]
    cell_seconds: float


class NotebookError(Exception):
    """A cell raised, took too long, or lost its kernel.

    Attributes
    ----------
    job : what ran.
    cell, cells : the cell's place among all cells of the stored notebook, counted from 1; 0 before the first.
    source : of the cell.
    reason : lines that say what went wrong, without terminal colours.
    """

    def __init__(self, job: Job, cell: int, cells: int, source: str, reason: list[str]) -> None:
        self.job, self.cell, self.cells, self.source, self.reason = job, cell, cells, source, reason
        super().__init__(job, cell, cells, source, reason)

    def __str__(self) -> str:
        lines = self.source.strip().splitlines()
        shown = lines[:_SOURCE_LINES] + (["..."] if len(lines) > _SOURCE_LINES else [])
        where = f"cell {self.cell} of {self.cells}" if self.cell else "before the first cell"
        return "\n".join(
            [
                f"{self.job.study}: {self.job.path.name} failed in {where}",
                *(f"    | {line}" for line in shown),
                *(f"    {line}" for line in self.reason[-_TRACEBACK_LINES:]),
                f"  Open {self.job.failed.relative_to(self.job.root)} to see it up to there.",
            ]
        )


Watch = Callable[[int, int], None]
"""Called as a cell starts, with its place among all cells, counted from 1, and their number."""


async def execute(job: Job, watch: Watch) -> Executed:
    """Execute a notebook and leave what it wrote, and its executed self, in the job's stage.

    Raises
    ------
    NotebookError : the partial notebook was written to `job.failed`.
    """
    # Notebooks hold no URLs to check, and compiling the grammars for them costs jsonschema a second.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    notebook = _nbformat().read(job.path, as_version=4)
    _inject(notebook, job.parameters)
    shutil.rmtree(job.stage, ignore_errors=True)
    job.stage.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="clicks-") as scratch:
        manager = AsyncKernelManager(kernel_name=NAME, connection_file=str(Path(scratch) / "kernel.json"))
        if sys.platform != "win32":
            manager.transport = "ipc"
        client = NotebookClient(notebook, km=manager, timeout=job.cell_seconds, record_timing=False)
        stored = [cell for cell in notebook.cells if cell.id != _INJECTED]
        current = None
        try:
            await manager.start_kernel(
                env=_environment(job, scratch),
                cwd=str(job.path.parent),
                extra_arguments=["--HistoryManager.enabled=False"],
            )
            client.kc = manager.client()
            client.kc.allow_stdin = False
            client.kc.start_channels()
            await asyncio.wait_for(_ready(manager, client.kc), _STARTUP_SECONDS)
            began = time.monotonic()
            for index, cell in enumerate(notebook.cells):
                if cell.id != _INJECTED:
                    current = cell
                    watch(stored.index(cell) + 1, len(stored))
                await client.async_execute_cell(cell, index)
            cell_seconds = time.monotonic() - began
        except Exception as error:
            reason = _reason(error, job, await _exit_code(manager))
            _write(notebook, job, job.failed)
            place = stored.index(current) + 1 if current else 0
            raise NotebookError(job, place, len(stored), current.source if current else "", reason) from None
        finally:
            await asyncio.shield(_stop(manager, client))
        reads = Path(scratch, _READS)
        names = set(reads.read_text(encoding="utf-8").splitlines()) if reads.exists() else set()
    _write(notebook, job, job.stage / job.executed)
    return Executed(sorted(names), round(cell_seconds, 2))


async def _ready(manager: Any, kernel: Any) -> None:
    """Wait until the kernel answers and its outputs arrive; Jupyter's own way waits a fifth of a second longer."""
    from nbclient.exceptions import DeadKernelError

    while True:
        request = kernel.kernel_info()
        if not await manager.is_alive():
            raise DeadKernelError
        with contextlib.suppress(Empty):
            await kernel.get_shell_msg(timeout=1)
            while True:
                message = await kernel.get_iopub_msg(timeout=_SUBSCRIBED_SECONDS)
                about = message["parent_header"].get("msg_id")
                if about == request and message["content"].get("execution_state") == "idle":
                    return


async def _stop(manager: Any, client: Any) -> None:
    if client.kc is not None:
        client.kc.stop_channels()
    if manager.has_kernel:
        await manager.shutdown_kernel(now=True)


def _environment(job: Job, scratch: str) -> dict[str, str]:
    own = {
        "CLICKS_ROOT": str(job.root),
        "CLICKS_STAGE": str(job.stage),
        "CLICKS_READS": str(Path(scratch, _READS)),
        # A reader's own IPython start-up files must not change a result.
        "IPYTHONDIR": str(Path(scratch) / "ipython"),
    }
    return {**os.environ, **own}


def _nbformat() -> Any:
    """Import late, and without types, which it lacks."""
    return import_module("nbformat")


def _inject(notebook: Any, parameters: dict[str, Value]) -> None:
    cell = _nbformat().v4.new_code_cell(injected(parameters), id=_INJECTED, metadata={"tags": ["injected-parameters"]})
    tagged = (i for i, c in enumerate(notebook.cells) if "parameters" in c.metadata.get("tags", []))
    notebook.cells.insert(next(tagged, -1) + 1, cell)


def _write(notebook: Any, job: Job, file: Path) -> None:
    folders = {str(job.stage): "", str(job.root): "", sys.prefix: "<python>/", str(Path.home()): "~/"}
    clean(notebook, folders)
    file.parent.mkdir(parents=True, exist_ok=True)
    _nbformat().write(notebook, file)


async def _exit_code(manager: Any) -> int | None:
    return await manager.provisioner.poll() if manager.has_kernel else None


def _reason(error: Exception, job: Job, exit_code: int | None) -> list[str]:
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    if isinstance(error, CellExecutionError):
        traceback = _ANSI.sub("", error.traceback).split("------------------")[-1]
        return [line for line in traceback.splitlines() if line.strip()]
    if isinstance(error, CellTimeoutError):
        return [f"The cell took longer than {job.cell_seconds} s and was stopped. Allow more with --cell-seconds."]
    if isinstance(error, DeadKernelError):
        if exit_code == -signal.SIGKILL:
            return ["The kernel was killed. If nobody did, the machine had no memory left."]
        return [f"The kernel died with exit code {exit_code}; a negative one is the number of a signal."]
    return [f"{type(error).__name__}: {error}"]


Execute = Callable[[Job, Watch], Awaitable[Executed]]
"""Where a notebook is executed: here, or on a cluster."""
