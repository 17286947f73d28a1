"""The same run on a Dask cluster: a real scheduler and two workers on this machine, one of them killed midway."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from made_checkout import PIPELINE, WRITE, Checkout, command

pytest.importorskip("distributed", reason="the extra `cluster` (Dask) is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")]


@pytest.fixture
def address(checkout: Checkout) -> Iterator[str]:
    file = checkout.root / "scheduler.json"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    scheduler = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    processes = [subprocess.Popen([*dask, *scheduler], stderr=subprocess.DEVNULL)]
    while not file.exists() or not file.read_text():
        time.sleep(0.1)
    found = str(json.loads(file.read_text())["address"])
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", found, "--nthreads", "1", "--no-nanny"]
    own = ["--no-dashboard", "--local-directory", str(checkout.root / "dask")]
    processes += [subprocess.Popen([*worker, *own], stderr=subprocess.DEVNULL) for _ in range(2)]
    yield found
    for process in processes:
        process.kill()
        process.wait()


def waited_for(path: Path) -> str:
    deadline = time.monotonic() + 60
    while not path.exists() or not path.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return path.read_text()


def test_a_run_survives_the_loss_of_a_worker(checkout: Checkout, address: str) -> None:
    checkout.pipeline()
    begun = checkout.root / "begun"
    slow = f"import os, time\nfirst = not os.path.exists({str(begun)!r})\n" + (
        f'open({str(begun)!r}, "w").write(str(os.getpid()))\ntime.sleep(60 if first else 0)\n'
    )
    checkout.notebook("01_ingest", WRITE, slow + PIPELINE["01_ingest"])
    with subprocess.Popen(command("--dask", address), stderr=subprocess.PIPE, text=True) as run:
        try:
            kernel = psutil.Process(int(waited_for(begun)))
            worker = kernel.parents()[1]
            assert "dask_worker" in " ".join(worker.cmdline())
            worker.kill()
            said = run.communicate(timeout=120)[1]
        finally:
            run.kill()
    assert run.returncode == 0, said
    assert "[4/4] demo 04_link: done" in said
    assert not kernel.is_running()
    on_cluster = checkout.outputs()
    assert checkout.run("--force") == 0
    assert checkout.outputs() == on_cluster


def test_an_address_without_a_scheduler_is_refused(
    checkout: Checkout, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from analysis.run import cluster

    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 1)
    checkout.pipeline()
    assert checkout.run("--dask", "tcp://127.0.0.1:1") == 2
    assert "--dask: 'tcp://127.0.0.1:1': no Dask scheduler answers there" in capsys.readouterr().err
