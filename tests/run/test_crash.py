"""A run that is killed at any moment resumes, and ends with the bytes of one that was not."""

from __future__ import annotations

import os
import random
import resource
import subprocess
from pathlib import Path

import pytest
from made_checkout import WRITE, Checkout, command, make_checkout

KILLS = 12


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
    whole, killed = (make_checkout(tmp_path / name) for name in ("whole", "killed"))
    for checkout in (whole, killed):
        checkout.pipeline()
    assert finished(whole, None)
    moments = random.Random(20110125)  # noqa: S311
    kills = 0
    while kills < KILLS and not finished(killed, moments.uniform(0.2, 5)):
        kills += 1
        present = killed.outputs()
        assert all(whole.outputs().get(name) == content for name, content in present.items() if "/." not in name)
    assert kills > 2
    assert finished(killed, None)
    assert killed.outputs() == whole.outputs()


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
