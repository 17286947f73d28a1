"""Outputs written beside and moved into place together, whatever happens in between.

A notebook's outputs gather in a stage folder. When it has finished, a journal is written that lists them, then each is
renamed to its final name, then the journal is removed. A run killed before the journal leaves every final name as it
was; a run killed after it is completed by the next one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from analysis.project import Project


def commit(root: Path, stage: Path, stale: Iterable[str], record: Path, content: object) -> None:
    """Move a stage's files to their final names, remove stale ones, and write the record of it, as one.

    Parameters
    ----------
    root : the checkout.
    stage : the files, laid out like the root.
    stale : relative names that an earlier run wrote and this one did not; removed.
    record : relative name of a JSON file that is written last.
    content : of the record.
    """
    new = sorted(p.relative_to(stage).as_posix() for p in stage.rglob("*") if p.is_file())
    entry = {
        "stage": stage.relative_to(root).as_posix(),
        "new": new,
        "stale": sorted(set(stale) - set(new)),
        "record": record.as_posix(),
        "content": content,
    }
    name = Path(".clicks/journal") / f"{record.parent.name}-{record.name}"
    with Project(root, root).writing(name) as temporary:
        temporary.write_text(json.dumps(entry), encoding="utf-8")
    _replay(root, root / name)


def roll_forward(root: Path) -> None:
    """Complete what a killed run had begun to move."""
    for journal in sorted((root / ".clicks/journal").glob("[!.]*.json")):
        _replay(root, journal)


def _replay(root: Path, journal: Path) -> None:
    entry = json.loads(journal.read_text(encoding="utf-8"))
    stage = root / entry["stage"]
    for name in entry["new"]:
        if (stage / name).exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (stage / name).replace(root / name)
    for name in entry["stale"]:
        (root / name).unlink(missing_ok=True)
    with Project(root, root).writing(entry["record"]) as temporary:
        temporary.write_text(json.dumps(entry["content"], indent=1) + "\n", encoding="utf-8")
    journal.unlink()
    shutil.rmtree(stage, ignore_errors=True)
