"""The same graph with its notebooks executed on a Dask cluster whose workers share the checkout's folder.

What decides what runs, and keeps finished outputs and records, stays here. Only the execution of a notebook goes to a
worker, which forks its kernels from a warm server of its own. Dask runs a notebook again elsewhere when its worker is
lost; a stage folder is emptied when a notebook starts, so a half-done attempt leaves nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from analysis.errors import InputError, Problem
from analysis.run.execute import Execute, Job, Watch, execute

_CONNECT_SECONDS = 20


@asynccontextmanager
async def cluster(address: str) -> AsyncIterator[tuple[Execute, int]]:
    """Connect to a Dask scheduler.

    Parameters
    ----------
    address : such as ``tcp://host:8786``.

    Returns
    -------
    How to execute a notebook there, and how many at once: one per worker thread.

    Raises
    ------
    InputError : Dask is not installed, nobody answers at the address, or the scheduler has no workers.
    """
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise _refused(address, "Dask is not installed: pip install 'clicks-to-change[cluster]'") from None
    try:
        client = await distributed.Client(address, asynchronous=True, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise _refused(address, f"no Dask scheduler answers there: {error}") from None
    async with client:
        try:
            await client.wait_for_workers(1, timeout=_CONNECT_SECONDS)
        except OSError:
            raise _refused(address, "the scheduler has no workers; start some with `dask worker ADDRESS`") from None
        threads: dict[str, int] = await client.nthreads()

        async def execute_there(job: Job, watch: Watch) -> list[str]:
            topic = f"clicks-{job.study}-{job.name}"
            client.subscribe_topic(topic, lambda event: watch(*event[1]))
            future = client.submit(_execute_here, job, topic, key=f"{topic}-{id(job)}", pure=False)
            try:
                reads: list[str] = await future
            except asyncio.CancelledError:
                await client.cancel([future], force=True)
                raise
            finally:
                client.unsubscribe_topic(topic)
            return reads

        yield execute_there, sum(threads.values())


def _refused(address: str, rule: str) -> InputError:
    return InputError([Problem("command line", 0, "--dask", address, rule)])


async def _execute_here(job: Job, topic: str) -> list[str]:
    """Execute a notebook in the worker that this is called in."""
    worker: Any = import_module("distributed").get_worker()
    return await execute(job, lambda cell, cells: worker.log_event(topic, [cell, cells]))
