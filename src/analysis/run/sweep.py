"""Where the many small tasks of one notebook run: on this machine's cores, or on the cluster that the run was given."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

SCHEDULER = "CLICKS_DASK"
"""Environment variable that holds the address of a Dask scheduler, as ``--dask`` of the run sets it."""


@contextmanager
def sweep(workers: int = -1) -> Iterator[Any]:
    """Open joblib's workers: processes here or, where `SCHEDULER` is set, those of the cluster.

    What they return is in the order of the tasks, wherever these ran.

    Parameters
    ----------
    workers : processes here; one runs every task in this process, -1 takes all cores.
    """
    from joblib import Parallel, parallel_config  # type: ignore[import-untyped]

    address = os.environ.get(SCHEDULER)
    if not address:
        with Parallel(n_jobs=workers) as parallel:
            yield parallel
        return
    distributed: Any = import_module("distributed")
    with distributed.Client(address, set_as_default=True), parallel_config(backend="dask"), Parallel() as parallel:
        yield parallel
