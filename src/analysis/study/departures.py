"""Where a study file departs from what it registered, and whether it says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from analysis.errors import Problem, nearest
from analysis.study.document import Document, KeyPath
from analysis.study.grammar import ModelId
from analysis.study.registration import USED, Content, Registration, Version, content_of, logged
from analysis.study.spec import Study

_HOW = "under `deviations`, with `hypothesis`, `date`, `what`, `why` and `after_results`"


def registration_problems(study: Study, document: Document, registration: Registration | None) -> list[Problem]:
    """Compare a study with its registration.

    Returns
    -------
    One problem for each key that differs from what was registered without a deviation that says so; for a hypothesis
    that was added or dropped without one; for a logged deviation that was reworded or taken out; and for a deviation
    of a hypothesis that never was.
    """
    recorded = registration.hypotheses if registration else {}
    known = [*study.hypotheses, *(name for name in recorded if name not in study.hypotheses)]
    problems = list(_log_problems(study, document, known))
    if registration is None:
        return problems
    first = min(versions[0].registered for versions in recorded.values())
    for name in known:
        place: KeyPath = ("hypotheses", name)
        own = logged(study, name)
        if name not in recorded:
            if not own:
                rule = f"was added after the study's hypotheses had been registered on {first}; log it: {_HOW}"
                problems.append(document.problem(place, rule, at_key=True))
            continue
        last = recorded[name][-1]
        if own[: len(last.deviations)] != last.deviations:
            rule = f"a deviation of {name!r} that was recorded on {last.registered} is gone or reworded; restore it"
            problems.append(document.problem(("deviations",), rule, at_key=True))
        elif len(own) == len(last.deviations):
            problems += _changes(study, document, name, last)
    return problems


def _log_problems(study: Study, document: Document, known: list[str]) -> Iterator[Problem]:
    for position, deviation in enumerate(study.deviations):
        place: KeyPath = ("deviations", position, "hypothesis")
        if deviation.dropped and deviation.hypothesis in study.hypotheses:
            yield document.problem(place, "is in the study file, and not dropped; remove `dropped`, or the hypothesis")
        if not deviation.dropped and deviation.hypothesis not in known:
            rule = (
                f"is not a hypothesis; {nearest(deviation.hypothesis, known)}; one that is gone needs `dropped: true`"
            )
            yield document.problem(place, rule)


def _changes(study: Study, document: Document, name: str, last: Version) -> Iterator[Problem]:
    if name not in study.hypotheses:
        rule = f"{name!r}, registered on {last.registered}, is gone; restore it, or log it with `dropped: true`, {_HOW}"
        yield document.problem(("hypotheses",), rule, at_key=True)
        return
    now, written = content_of(study, name), content_of(study, name, defaults=False)
    paths = list(_differences(last.content, now, written))
    other_model = any(path[0] == "model" for path in paths)
    for path in paths:
        if other_model and len(path) == 2 and path[0] in USED:
            # Another formula uses other columns; the formula is what changed.
            continue
        was = json.dumps(_at(last.content, path), ensure_ascii=False)
        rule = f"was {was} when {name!r} was registered on {last.registered}; restore it, or log the change {_HOW}"
        yield document.problem(_place(study, name, path), rule)


def _differences(before: Content, now: Content, written: Content, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield where two contents differ; a key that study files got since then may have its default."""
    for key in sorted({*before, *now}):
        if key not in before and key not in written:
            continue
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            below = written.get(key)
            yield from _differences(old, new, below if isinstance(below, dict) else {}, (*path, key))
        elif old != new:
            yield *path, key


def _at(content: Content, path: KeyPath) -> object:
    found: Any = content
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _place(study: Study, name: str, path: KeyPath) -> KeyPath:
    """Return where in the study file a part of a hypothesis's content is written."""
    hypothesis = study.hypotheses[name]
    match path:
        case ("model", *rest):
            return "models", ModelId.parse(hypothesis.decided_by.model).model, *rest
        case ("family", "method"):
            return "families", hypothesis.family
        case ("family", _):
            return "hypotheses", name, "family"
        case ("decided_by" | "expects" | "smallest_effect", *_):
            return "hypotheses", name, *path
    return path
