"""What pydantic finds wrong with a block, in plain words and with the line of the file."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from analysis.errors import Problem, nearest
from analysis.study.document import Document, KeyPath

_RULES = {
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "date_type": "must be a date, as in 2014-05-17, without quotes",
    "list_type": "must be a list",
    "dict_type": "must be a block of keys (`key: value`)",
    "model_type": "must be a block of keys (`key: value`)",
    "missing": "this key is required",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must have at least {min_length} of its entries",
    "value_error": "{error}",
}
_PATTERNS = {
    "^[a-z][a-z0-9_]*$": "must start with a lower-case letter and hold only a-z, 0-9 and _",
    "^[0-9a-f]{64}$": "must be the file's sha256, 64 digits 0-9 and a-f",
}


def shape_problems(
    error: ValidationError, block: type[BaseModel], document: Document, place: KeyPath = ()
) -> list[Problem]:
    """Translate everything that pydantic found.

    Parameters
    ----------
    error : raised by validating the part of `document` that is at `place` as a `block`.

    Returns
    -------
    One problem per mistake, each at the line of the key or value; at the line of the block where a key is missing.
    """
    return [_problem(details, block, document, place) for details in error.errors(include_url=False)]


def _problem(details: ErrorDetails, block: type[BaseModel], document: Document, place: KeyPath) -> Problem:
    path: KeyPath = tuple(details["loc"])
    kind = details["type"]
    if kind == "extra_forbidden":
        valid = _keys(_annotation(block, path[:-1]))
        return document.problem((*place, *path), f"unknown key; {nearest(path[-1], valid)}", at_key=True)
    if path and path[-1] == "[key]":
        return document.problem((*place, *path[:-1]), f"a name {_rule(details)}", at_key=True)
    if kind == "literal_error":
        choices = _choices(_annotation(block, path))
        return document.problem((*place, *path), f"is not a valid value; {nearest(details['input'], choices)}")
    return document.problem((*place, *path), _rule(details))


def _rule(details: ErrorDetails) -> str:
    kind, context, value = details["type"], details.get("ctx", {}), details["input"]
    if kind == "string_pattern_mismatch" and context["pattern"] in _PATTERNS:
        return _PATTERNS[context["pattern"]]
    if kind not in _RULES:
        return details["msg"].replace("Input should", "must").replace("String should", "must")
    rule = _RULES[kind].format_map(context)
    if value is None:
        return f"{rule}; nothing is written here"
    if kind == "string_type" and not isinstance(value, dict | list):
        return f"{rule}; put it in quotes"
    if kind in {"int_type", "float_type", "bool_type"} and isinstance(value, str):
        return f"{rule}; write it without quotes"
    return rule


def _annotation(block: type[BaseModel], path: KeyPath) -> Any:
    """Return the type that the value at a path must have, None where that is not known."""
    found: Any = block
    for key in path:
        if isinstance(found, type) and issubclass(found, BaseModel):
            found = _fields(found).get(str(key))
        else:
            found = (get_args(found) or (None,))[-1]
        found = next(_plain(found), None)
    return found


def _plain(annotation: Any) -> Iterator[Any]:
    """Give the types that an annotation allows, without metadata and without None."""
    if hasattr(annotation, "__metadata__"):
        yield from _plain(annotation.__origin__)
    elif get_origin(annotation) in {Union, UnionType}:
        for member in get_args(annotation):
            yield from _plain(member)
    elif annotation is not NoneType:
        yield annotation


def _keys(annotation: Any) -> list[str]:
    return list(_fields(annotation)) if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []


def _fields(block: type[BaseModel]) -> dict[str, Any]:
    """Return the type of each key, as it is written in a file: where Python has the word for itself, by its alias."""
    return {field.alias or name: field.annotation for name, field in block.model_fields.items()}


def _choices(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()
