"""One run at a time in a checkout."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the checkout for this run; wait for another that holds it, and say so.

    The system releases the lock of a run that was killed.
    """
    file = root / ".clicks/lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with file.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another run in this folder to end ...", file=sys.stderr)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
