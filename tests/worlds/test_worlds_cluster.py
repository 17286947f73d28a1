"""The same worlds on a Dask cluster: a real scheduler and two workers on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from joblib import delayed

from analysis.run.sweep import SCHEDULER, sweep
from analysis.worlds.trials import run_worlds

distributed = pytest.importorskip("distributed", reason="the extra `cluster` (Dask) is not installed")
pytestmark = pytest.mark.slow


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    file = tmp_path / "scheduler.json"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    scheduler = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    processes = [subprocess.Popen([*dask, *scheduler], stderr=subprocess.DEVNULL)]
    while not file.exists() or not file.read_text():
        assert processes[0].poll() is None
        time.sleep(0.1)
    found = str(json.loads(file.read_text())["address"])
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", found, "--nthreads", "1", "--no-nanny"]
    own = ["--no-dashboard", "--local-directory", str(tmp_path / "dask")]
    environment = {**os.environ, "PYTHONHASHSEED": "5"}
    # On a cluster of one thread joblib would run everything itself.
    processes += [subprocess.Popen([*worker, *own], env=environment, stderr=subprocess.DEVNULL) for _ in range(2)]
    with distributed.Client(found) as client:
        client.wait_for_workers(2, timeout=60)
    yield found
    for process in processes:
        process.kill()
        process.wait()


def test_worlds_on_a_cluster_are_those_of_this_machine(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["probability", "panel"]
    here = run_worlds(6, 7, names, workers=1)
    monkeypatch.setenv(SCHEDULER, address)
    with sweep() as parallel:
        assert os.getpid() not in parallel(delayed(os.getpid)() for _ in range(4))
    there = run_worlds(6, 7, names)
    for name in names:
        np.testing.assert_array_equal(there[name], here[name])
