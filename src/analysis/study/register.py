"""Register hypotheses ahead of their first run: ``python -m analysis.study.register STUDY [STUDY ...]``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from analysis.errors import InputError
from analysis.project import Project
from analysis.study.reader import read_study
from analysis.study.registration import register


def register_study(name: str, root: Path) -> str:
    """Register what a study has not registered yet, with the present day.

    Returns
    -------
    What was done, in words.

    Raises
    ------
    InputError : the study file is wrong, or departs from what is registered.
    """
    file = Project(root, root).study_file(name)
    names = register(read_study(file, root=root), file, datetime.now(UTC).date())
    if not names:
        return f"{name}: every hypothesis is registered already"
    return f"{name}: registered {', '.join(names)} in studies/registrations/{name}.json; commit it with the study file"


def main(names: list[str]) -> int:
    """Register studies from the command line.

    Returns
    -------
    The exit code: 0, or 2 where a study was refused or none is named.
    """
    if not names:
        print("say its name: make register NAME=mine", file=sys.stderr)
        return 2
    try:
        print(*(register_study(name, Project.here().root) for name in names), sep="\n")
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
