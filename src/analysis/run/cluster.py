"""The same graph with its notebooks executed on a Dask cluster whose workers share the checkout's folder.

What decides what runs, and keeps finished outputs and records, stays here. Only the execution of a notebook goes to a
worker, which forks its kernels from a warm server of its own. Dask runs a notebook again elsewhere when its worker is
lost; a stage folder is emptied when a notebook starts, so a half-done attempt leaves nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from analysis.errors import InputError, Problem
from analysis.run.execute import Execute, Executed, Job, Watch, execute
from analysis.run.sweep import SCHEDULER

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

        async def execute_there(job: Job, watch: Watch) -> Executed:
            topic = f"clicks-{job.study}-{job.name}"
            client.subscribe_topic(topic, lambda event: watch(*event[1]))
            key = f"{topic}-{id(job)}"
            future = client.submit(_execute_here, job, topic, key, key=key, pure=False)
            try:
                executed: Executed = await future
            except asyncio.CancelledError:
                await client.cancel([future], force=True)
                raise
            finally:
                client.unsubscribe_topic(topic)
            return executed

        yield execute_there, sum(threads.values())


def _refused(address: str, rule: str) -> InputError:
    return InputError([Problem("command line", 0, "--dask", address, rule)])


async def _execute_here(job: Job, topic: str, key: str) -> Executed:
    """Execute a notebook in the worker that this is called in, and let it send its sweeps to the cluster too.

    While it waits for them, it must not hold the worker's thread, which they may need.
    """
    worker: Any = import_module("distributed").get_worker()
    os.environ[SCHEDULER] = worker.scheduler.address
    seceding = import_module("distributed.worker_state_machine").SecedeEvent
    worker.handle_stimulus(seceding(key=key, compute_duration=0.0, stimulus_id=f"secede-{key}"))
    return await execute(job, lambda cell, cells: worker.log_event(topic, [cell, cells]))
