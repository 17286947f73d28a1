"""A run that is killed at any moment resumes, and ends with the bytes of one that was not."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import time
from pathlib import Path

import pytest
from made_checkout import WRITE, Checkout, command, make_checkout

KILLS = 8


def finished(checkout: Checkout, seconds: float | None) -> bool:
    """Run in a process of its own, killed after a while; whether it finished."""
    environment = {**os.environ, "CLICKS_ROOT": str(checkout.root), "CLICKS_WARM": "0"}
    run = subprocess.Popen(command(), env=environment, stderr=subprocess.PIPE, text=True)
    try:
        said = run.communicate(timeout=seconds)[1]
    except subprocess.TimeoutExpired:
        run.kill()
        run.communicate()
        return False
    assert run.returncode == 0, said
    return True


@pytest.mark.slow
def test_killed_at_random_moments_it_resumes_with_the_same_bytes(tmp_path: Path) -> None:
    whole = make_checkout(tmp_path / "whole")
    whole.pipeline()
    began = time.monotonic()
    assert finished(whole, None)
    longest = time.monotonic() - began
    expected = whole.outputs()
    moments = random.Random(20110125)  # noqa: S311
    kills, runs = 0, 0
    while kills < KILLS:
        # A run that outran its killer is compared as a whole, and the next one starts from nothing.
        killed = make_checkout(tmp_path / f"killed{runs}")
        killed.pipeline()
        while not finished(killed, moments.uniform(0, longest) if kills < KILLS else None):
            kills += 1
            present = killed.outputs()
            assert all(expected.get(name) == content for name, content in present.items() if "/." not in name)
        assert killed.outputs() == expected
        runs += 1


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ('write("big.csv", "x" * 2_000_000)', "    OSError: [Errno 27] File too large"),
        ('print("x" * 2_000_000)', "demo 01_ingest: OSError: [Errno 27] File too large"),
    ],
    ids=["the notebook", "the runner"],
)
def test_a_full_disk_leaves_final_names_alone(checkout: Checkout, code: str, said: str) -> None:
    checkout.notebook("01_ingest", WRITE, 'write("units.csv", "1")', code)
    run = subprocess.run(
        command(),
        env={**os.environ, "CLICKS_WARM": "0"},
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000)),
    )
    assert run.returncode == 1
    assert said in run.stderr
    assert "asyncio" not in run.stderr
    assert checkout.outputs() == {}
