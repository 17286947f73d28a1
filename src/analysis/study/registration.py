"""What a study's hypotheses were when they were first tested, and whether they still are.

`studies/registrations/<study>.json` holds, for every hypothesis, what decides it: the typed content of its model and of
all exposures, outcomes and covariates that the model names, so that comments, labels and the order of keys do not
matter. It is written when a run first reaches the deciding estimates, or by `make register`, and only grows. A study
that departs from it is refused before anything runs, unless the departure is logged under `deviations`.

References
----------
Nosek et al. (2018), The preregistration revolution.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from analysis.errors import InputError, Problem
from analysis.project import Project
from analysis.study.grammar import ModelId
from analysis.study.spec import Deviation, Name, Sha256, Strict, Study, Text

FOLDER = "registrations"
_BESIDE = {"label", "published", "contrast_time_order"}
"""Keys that change nothing of how an estimate is made: names, and what is set beside it."""
USED = ("exposures", "outcomes", "covariates")
"""Blocks of columns: those that a model names are part of what decides a hypothesis."""
_WORD = re.compile(r"[a-z][a-z0-9_]*")
Content = dict[str, Any]


class Version(Strict):
    """One hypothesis as it stood on one day.

    Attributes
    ----------
    registered : the day on which a run first tested it in this form.
    sha256 : of `content` as canonical JSON.
    statement : the claim in words, for readers; the hash does not cover it.
    content : what decides the hypothesis; see `content_of`.
    deviations : those logged for it by then.
    """

    registered: date
    sha256: Sha256
    statement: Text
    content: Content
    deviations: list[Deviation]


class Registration(Strict):
    """Everything a study has registered: the versions of each hypothesis, the oldest first."""

    study: Name
    hypotheses: dict[Name, Annotated[list[Version], Field(min_length=1)]]


def registration_file(study_file: Path) -> Path:
    """Return where the registration of a study file is, whether or not it exists."""
    return study_file.parent / FOLDER / f"{study_file.stem}.json"


def read_registration(file: Path, shown: str) -> Registration | None:
    """Read a registration.

    Parameters
    ----------
    shown : the file's name in errors.

    Returns
    -------
    None where the study has not registered anything yet.

    Raises
    ------
    InputError : the file is not what a run wrote.
    """
    if not file.is_file():
        return None
    remedy = "it is written by runs and only grows; restore it with `git checkout`"
    try:
        found = Registration.model_validate_json(file.read_bytes())
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise InputError([Problem(shown, 0, place, "", f"is not a registration; {remedy}")]) from None
    altered = [
        Problem(shown, 0, f"hypotheses.{name}", version.sha256, f"is not the hash of what stands beside it; {remedy}")
        for name, versions in found.hypotheses.items()
        for version in versions
        if _hash(version.content) != version.sha256
    ]
    if altered:
        raise InputError(altered)
    return found


def content_of(study: Study, name: str, *, defaults: bool = True) -> Content:
    """Return what decides a hypothesis, as data that JSON can say.

    Parameters
    ----------
    defaults : False leaves out keys of blocks that have their default value.

    Returns
    -------
    What is expected, the smallest effect, the family and its method, the deciding model and term, and the typed blocks
    of the model and of each exposure, outcome and covariate that any value of the model names.
    """
    hypothesis = study.hypotheses[name]
    model = study.models[ModelId.parse(hypothesis.decided_by.model).model]
    words = set(_words(model.model_dump(mode="json", exclude_defaults=True)))

    def plain(block: Strict) -> Content:
        dumped: Content = _of_the_estimate(block.model_dump(mode="json", exclude_defaults=not defaults))
        return dumped

    return {
        "decided_by": hypothesis.decided_by.model_dump(),
        "expects": hypothesis.expects,
        "smallest_effect": hypothesis.smallest_effect,
        "family": {"name": hypothesis.family, "method": study.families.get(hypothesis.family, "holm")},
        "unit": {"grain": study.unit.grain, "before_launch": study.unit.before_launch},
        "model": plain(model),
        **{
            block: {key: plain(column) for key, column in getattr(study, block).items() if key in words}
            for block in USED
        },
    }


def unregistered(study: Study, registration: Registration | None) -> list[str]:
    """Name what the next run registers: hypotheses that are new, or have a deviation that is not recorded yet."""
    recorded = registration.hypotheses if registration else {}
    return [
        name
        for name in study.hypotheses
        if name not in recorded or logged(study, name) != recorded[name][-1].deviations
    ]


def register(study: Study, study_file: Path, on: date) -> list[str]:
    """Add what is not registered yet to a study's registration; nothing that stands there is touched.

    Parameters
    ----------
    study : read from `study_file`, so that it agrees with what is registered.
    on : the day.

    Returns
    -------
    The hypotheses that were registered, or registered anew after a logged deviation.
    """
    file = registration_file(study_file)
    before = read_registration(file, file.name) or Registration(study=study.name, hypotheses={})
    names = unregistered(study, before)
    versions = dict(before.hypotheses)
    for name in names:
        content = content_of(study, name)
        version = Version(
            registered=on, sha256=_hash(content), statement=study.hypotheses[name].statement, content=content,
            deviations=logged(study, name),
        )  # fmt: skip
        versions[name] = [*versions.get(name, []), version]
    if names:
        after = Registration(study=study.name, hypotheses=versions).model_dump(mode="json")
        with Project(file.parent, file.parent).writing(file.name) as temporary:
            temporary.write_text(json.dumps(after, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
    return names


def logged(study: Study, name: str) -> list[Deviation]:
    """Return the logged deviations of a hypothesis, in their order."""
    return [deviation for deviation in study.deviations if deviation.hypothesis == name]


def _hash(content: Content) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _words(content: object) -> Iterator[str]:
    match content:
        case str():
            yield from _WORD.findall(content)
        case dict():
            for key, value in content.items():
                yield from _words(key)
                yield from _words("" if key in _BESIDE else value)
        case list():
            for value in content:
                yield from _words(value)


def _of_the_estimate(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _of_the_estimate(value) for key, value in content.items() if key not in _BESIDE}
    return content
