"""What a finished task was made from: the hashes by which the next run knows whether to repeat it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from analysis.hashing import sha256
from analysis.project import Project

ABSENT = "absent"
_SETTLED_SECONDS = 2


def digest(content: object) -> str:
    """Hash what JSON can say, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Record:
    """One finished task.

    Attributes
    ----------
    inputs : name of an input, as a reader knows it, to its hash.
    outputs : relative name of a file to its hash.
    reads : relative names of the files it read.
    seconds : it took.
    cell_seconds : of these its cells took, in a notebook.
    """

    inputs: dict[str, str]
    outputs: dict[str, str]
    reads: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cell_seconds: float = 0.0

    @classmethod
    def load(cls, file: Path) -> Record | None:
        """Read a record; None where the task never finished, or the file is not what this version writes."""
        try:
            return cls(**json.loads(file.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def differences(self, inputs: dict[str, str], files: Files) -> list[str]:
        """List what changed since: inputs, and outputs that are no longer as they were written."""
        changes = [f"{name} changed" for name in inputs if name in self.inputs and inputs[name] != self.inputs[name]]
        changes += [f"{name} is new" for name in inputs if name not in self.inputs]
        changes += [f"{name} is no longer used" for name in self.inputs if name not in inputs]
        for name, written in self.outputs.items():
            now = files.digest(name)
            if now != written:
                changes.append(f"output {name} " + ("is missing" if now == ABSENT else "was changed by hand"))
        return changes


class Files:
    """Hashes of a checkout's files, computed again only when a file's size or times changed.

    Parameters
    ----------
    root : the checkout.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._cache = Path(".clicks/hashes.json")
        self._changed = False
        try:
            self._known: dict[str, list[str | int]] = json.loads((root / self._cache).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            self._known = {}

    def digest(self, name: str) -> str:
        """Hash a file, or a folder's files and their names; `ABSENT` where there is neither."""
        path = self._root / name
        if path.is_dir():
            inside = sorted(p.relative_to(self._root).as_posix() for p in path.rglob("*") if p.is_file())
            return digest([(p, self.digest(p)) for p in inside])
        try:
            stat = path.stat()
        except FileNotFoundError:
            return ABSENT
        state: list[str | int] = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        known = self._known.get(name)
        if known is not None and known[:-1] == state:
            return str(known[-1])
        content = sha256(path)
        # A file written this instant may be written again within the clock's grain.
        if time.time_ns() - stat.st_mtime_ns > _SETTLED_SECONDS * 1_000_000_000:
            self._known[name] = [*state, content]
            self._changed = True
        return content

    def digests(self, names: Iterable[str]) -> dict[str, str]:
        """Hash several files by name."""
        return {name: self.digest(name) for name in sorted(names)}

    def save(self) -> None:
        """Keep what was computed for the next run."""
        if self._changed:
            with Project(self._root, self._root).writing(self._cache) as temporary:
                temporary.write_text(json.dumps(self._known), encoding="utf-8")
