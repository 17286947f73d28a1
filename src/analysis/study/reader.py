"""Reading a study file: everything that is wrong with it is found, with its line, before anything runs."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from analysis.errors import InputError, Problem, nearest
from analysis.project import Project
from analysis.study.departures import registration_problems
from analysis.study.document import Document
from analysis.study.references import reference_problems
from analysis.study.registration import read_registration, registration_file
from analysis.study.shape import shape_problems
from analysis.study.spec import Study


def read_study(path: Path, *, root: Path | None = None) -> Study:
    """Read one study file.

    Parameters
    ----------
    path : a YAML 1.2 file whose stem is the study's name.
    root : folder of the project, which errors show the file relative to; the checkout in use by default.

    Returns
    -------
    The study, with every name that it uses declared.

    Raises
    ------
    InputError : with every mistake in the file. Mistakes of syntax hide those of shape (keys and types), and these hide
        those of reference (undeclared names), which hide departures from the study's registration.
    """
    file = _shown(path, root or Project.here().root)
    if not path.is_file():
        others = sorted(other.stem for other in path.parent.glob("*.yml"))
        raise InputError([Problem(file, 0, "", "", f"there is no such study; {nearest(path.stem, others)}")])
    document = Document.parse(path.read_bytes(), file)
    problems = []
    name = document.data.get("name")
    if isinstance(name, str) and name != path.stem:
        problems.append(document.problem(("name",), f"must be the file's name, {path.stem!r}"))
    try:
        study = Study.model_validate(document.data, strict=True)
    except ValidationError as error:
        raise InputError([*problems, *shape_problems(error, Study, document)]) from None
    problems += reference_problems(study, document)
    if problems:
        raise InputError(problems)
    registered = registration_file(path)
    departures = registration_problems(
        study, document, read_registration(registered, _shown(registered, root or Project.here().root))
    )
    if departures:
        raise InputError(departures)
    return study


def _shown(path: Path, root: Path) -> str:
    absolute, base = path.absolute(), root.absolute()
    return absolute.relative_to(base).as_posix() if absolute.is_relative_to(base) else str(path)
