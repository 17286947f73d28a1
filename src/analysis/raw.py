"""Raw inputs: every file of a study is listed with its sha256 and checked before it is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from analysis.errors import Problem
from analysis.hashing import sha256


def problems_in(root: Path, raw: Mapping[str, str]) -> list[Problem]:
    """Check that every raw file is there and is the file that the study was written for.

    Parameters
    ----------
    root : folder that the paths are relative to.
    raw : path and expected sha256, as the study lists them.

    Returns
    -------
    One problem per file that is missing or changed, with the expected and the found hash.
    """
    problems = []
    for name, expected in raw.items():
        path = root / name
        if not path.is_file():
            remedy = "the file is missing; restore it with `git checkout`, or `make data` where it is downloaded"
            problems.append(Problem(name, 0, "", "", remedy))
        elif (found := sha256(path)) != expected:
            remedy = (
                f"the file ({path.stat().st_size:,} bytes) is not the one the study lists, whose sha256 is {expected}; "
                "restore it, or enter the new hash in the study if the change is meant"
            )
            problems.append(Problem(name, 0, "sha256", found, remedy))
    return problems
