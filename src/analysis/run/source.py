"""Notebooks as they are stored: their cells, and the parameters that they declare."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.errors import InputError, Problem, nearest

Value = str | int | float | bool | None

_TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
_BOOLEANS = {"true": True, "True": True, "false": False, "False": False}


@dataclass(frozen=True)
class Parameter:
    """One typed assignment of a `parameters` cell.

    Parameters
    ----------
    name : as written.
    annotation : ``str``, ``int``, ``float``, ``bool``, ``Literal[...]``, or a union of them and ``None``.
    required : there is no default.
    """

    name: str
    annotation: ast.expr
    required: bool

    @property
    def type(self) -> str:
        """The annotation as text."""
        return ast.unparse(self.annotation)

    def accepts(self, value: Value) -> bool:
        """Whether a value is of the declared type; a whole number is a `float`, nothing else is converted."""
        return _accepts(self.annotation, value)

    def parse(self, text: str) -> Value:
        """Read a value given as text.

        Raises
        ------
        ValueError : the text is not of the declared type.
        """
        for value in _readings(text):
            if self.accepts(value):
                return value
        raise ValueError(text)


def _accepts(annotation: ast.expr, value: Value) -> bool:
    match annotation:
        case ast.Name(id="float"):
            return isinstance(value, int | float) and not isinstance(value, bool)
        case ast.Name(id=name) if name in _TYPES:
            return type(value) is _TYPES[name]
        case ast.Constant(value=None):
            return value is None
        case ast.Subscript(value=ast.Name(id="Literal"), slice=choices):
            return any(type(value) is type(c) and value == c for c in _constants(choices))
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _accepts(left, value) or _accepts(right, value)
    return False


def _constants(node: ast.expr) -> list[object]:
    return [e.value for e in (node.elts if isinstance(node, ast.Tuple) else [node]) if isinstance(e, ast.Constant)]


def _readings(text: str) -> list[Value]:
    """List what a text may stand for, the narrowest first."""
    readings: list[Value] = []
    if text in _BOOLEANS:
        readings.append(_BOOLEANS[text])
    if text == "None":
        readings.append(None)
    for number in (int, float):
        try:
            readings.append(number(text))
        except ValueError:
            continue
    return [*readings, text]


@dataclass(frozen=True)
class Notebook:
    """A stored notebook.

    Parameters
    ----------
    path : the file.
    cells : as in the file's JSON, in order.
    """

    path: Path
    cells: list[dict[str, Any]]

    @classmethod
    def read(cls, path: Path) -> Notebook:
        """Read a notebook's cells.

        Raises
        ------
        InputError : the file is not a notebook of format 4.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            cells = content["cells"]
        except (ValueError, KeyError, TypeError) as e:
            raise InputError([Problem(path.name, 0, "", "", f"not a notebook (nbformat 4): {e}")]) from None
        return cls(path, cells)

    @property
    def name(self) -> str:
        """The file's, without its ending."""
        return self.path.stem

    def sources(self) -> list[tuple[str, str]]:
        """List each cell's type and source text."""
        return [(c["cell_type"], _text(c["source"])) for c in self.cells]

    def parameters_cell(self) -> int | None:
        """Find the cell tagged `parameters`, counted from 0."""
        tagged = (i for i, c in enumerate(self.cells) if "parameters" in c.get("metadata", {}).get("tags", []))
        return next(tagged, None)

    def parameters(self) -> dict[str, Parameter]:
        """List the declared parameters in order.

        Raises
        ------
        InputError : an assignment has no type, or a default is not of it.
        """
        index = self.parameters_cell()
        if index is None:
            return {}
        found: dict[str, Parameter] = {}
        problems = []
        place = f"{self.path.name} (cell {index + 1})"
        for statement in ast.parse(_text(self.cells[index]["source"])).body:
            match statement:
                case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=default):
                    parameter = Parameter(name, annotation, default is None)
                    found[name] = parameter
                    if default is not None and not _is_default(parameter, default):
                        rule = f"the default is not of the declared type {parameter.type}"
                        problems.append(Problem(place, statement.lineno, name, ast.unparse(default), rule))
                case ast.Assign(targets=[ast.Name(id=name)]):
                    rule = f"a parameter needs a type, such as `{name}: int = ...`"
                    problems.append(Problem(place, statement.lineno, name, "", rule))
        if problems:
            raise InputError(problems)
        return found


def _is_default(parameter: Parameter, default: ast.expr) -> bool:
    try:
        return parameter.accepts(ast.literal_eval(default))
    except ValueError:
        return False


def _text(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def resolve(notebooks: list[Notebook], study: str, given: Mapping[str, str]) -> dict[str, dict[str, Value]]:
    """Match the given parameters against those that a study's notebooks declare.

    Parameters
    ----------
    notebooks : in the order in which they run.
    study : passed to every notebook as its parameter `study`.
    given : name to value as text; ``notebook:name`` is for that notebook alone, ``name`` for each that declares it.

    Returns
    -------
    Notebook name to the values to inject, `study` first.

    Raises
    ------
    InputError : a parameter is declared nowhere, lacks a value, or is of the wrong type.
    """
    problems: list[Problem] = []
    values: dict[str, dict[str, Value]] = {}
    used: set[str] = set()
    declared: set[str] = set()
    for notebook in notebooks:
        parameters = notebook.parameters()
        declared |= parameters.keys() | {f"{notebook.name}:{name}" for name in parameters}
        texts = {n: (n, t) for n, t in given.items() if n in parameters}
        prefix = f"{notebook.name}:"
        texts |= {n.removeprefix(prefix): (n, t) for n, t in given.items() if n.startswith(prefix)}
        chosen: dict[str, Value] = {"study": study}
        if "study" not in parameters:
            rule = "declare `study: str` in a code cell tagged `parameters`"
            problems.append(Problem(notebook.path.name, 0, "", "", rule))
        for name, (label, text) in texts.items():
            if name not in parameters:
                continue
            used.add(label)
            try:
                chosen[name] = parameters[name].parse(text)
            except ValueError:
                rule = f"is not of the declared type {parameters[name].type}"
                problems.append(Problem(notebook.path.name, 0, f"parameter {name}", text, rule))
        for name in (n for n, p in parameters.items() if p.required and n not in texts and n != "study"):
            rule = f"has no default: give one with -p {name}=..."
            problems.append(Problem(notebook.path.name, 0, f"parameter {name}", "", rule))
        values[notebook.name] = chosen
    for name in given.keys() - used:
        if name not in declared:
            rule = f"no notebook of the study declares this parameter; {nearest(name, sorted(declared))}"
            problems.append(Problem(f"study {study}", 0, f"parameter {name}", given[name], rule))
    if problems:
        raise InputError(problems)
    return values


def injected(values: Mapping[str, Value]) -> str:
    """Write the code cell that sets the parameters."""
    return "\n".join(["# Parameters", *(f"{name} = {value!r}" for name, value in values.items())])
