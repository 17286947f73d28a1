"""What is running, on stderr: a line that renews itself on a terminal, plain lines in a log."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

_HEARTBEAT_SECONDS = 30


class Progress:
    """Tell a reader which notebook of how many runs, its cell, since when, and what is next.

    Parameters
    ----------
    total : notebooks that will run.
    stream : stderr by default. A terminal gets a status line that renews itself; anything else gets one line per
        event, and one every half minute while a cell runs.
    """

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self._total = total
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._began = time.monotonic()
        self._number: dict[str, int] = {}
        self._started: dict[str, float] = {}
        self._cell: dict[str, str] = {}
        self._next = ""
        self._shown = 0.0

    def start(self, label: str, upcoming: str) -> None:
        """Say that a notebook starts, and what comes next."""
        self._number[label] = len(self._number) + 1
        self._started[label] = time.monotonic()
        self._cell[label] = "starting"
        self._next = f", next {upcoming}" if upcoming else ""
        self._line(f"[{self._number[label]}/{self._total}] {label}: started{self._next}")

    def note(self, text: str) -> None:
        """Say something on a line of its own."""
        self._line(text)

    def cell(self, label: str, cell: int, cells: int) -> None:
        """Note that a cell starts."""
        self._cell[label] = f"cell {cell}/{cells}"
        self.tick()

    def done(self, label: str) -> None:
        """Say that a notebook has ended."""
        self._end(label, "done")

    def failed(self, label: str, report: str) -> None:
        """Say that a notebook has failed, and how."""
        if label in self._started:
            self._end(label, "failed")
        self._line(report)

    def skip(self) -> None:
        """Leave a notebook out of the count: it is up to date."""
        self._total -= 1

    def _end(self, label: str, how: str) -> None:
        seconds = time.monotonic() - self._started.pop(label)
        self._cell.pop(label)
        self._line(f"[{self._number[label]}/{self._total}] {label}: {how} after {seconds:.1f} s")

    def tick(self) -> None:
        """Renew the status; call it every second or so."""
        now = time.monotonic()
        running = [f"{n} {c} ({now - self._started[n]:.0f} s)" for n, c in self._cell.items()]
        status = f"{now - self._began:.0f} s: " + "; ".join(running) + self._next
        if self._terminal:
            self._stream.write(f"\r\x1b[K{status[: _width()]}")
            self._stream.flush()
        elif running and now - max(self._shown, self._began) > _HEARTBEAT_SECONDS:
            self._line(status)

    def close(self) -> None:
        """Leave the terminal's line clean."""
        if self._terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _line(self, text: str) -> None:
        self._shown = time.monotonic()
        self._stream.write(("\r\x1b[K" if self._terminal else "") + text + "\n")
        self._stream.flush()


def _width() -> int:
    return shutil.get_terminal_size().columns - 1
