"""The sweeps of a notebook that runs on a cluster run there too, on the thread that waits for them as on the others."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from made_checkout import PIPELINE, WRITE, Checkout, command

distributed = pytest.importorskip("distributed", reason="the extra `cluster` (Dask) is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")]

SWEEP = """
import os
from joblib import delayed
from analysis.run.sweep import sweep
with sweep() as parallel:
    processes = set(parallel(delayed(os.getpid)() for _ in range(40)))
assert len(processes) == 2 and os.getpid() not in processes
"""


@pytest.fixture
def address(checkout: Checkout) -> Iterator[str]:
    file = checkout.root / "scheduler.json"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    scheduler = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    processes = [subprocess.Popen([*dask, *scheduler], stderr=subprocess.DEVNULL)]
    while not file.exists() or not file.read_text():
        assert processes[0].poll() is None
        time.sleep(0.1)
    found = str(json.loads(file.read_text())["address"])
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", found, "--nthreads", "1", "--no-nanny"]
    own = ["--no-dashboard", "--local-directory", str(checkout.root / "dask")]
    # On a cluster of one thread joblib would run everything itself.
    processes += [subprocess.Popen([*worker, *own], stderr=subprocess.DEVNULL) for _ in range(2)]
    with distributed.Client(found) as client:
        client.wait_for_workers(2, timeout=60)
    yield found
    for process in processes:
        process.kill()
        process.wait()


def test_a_notebook_on_a_cluster_sweeps_there(checkout: Checkout, address: str) -> None:
    checkout.pipeline()
    checkout.notebook("01_ingest", WRITE, SWEEP + PIPELINE["01_ingest"])
    ran = subprocess.run(command("--dask", address), stderr=subprocess.PIPE, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
