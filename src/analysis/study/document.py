"""A YAML document that remembers the line on which each of its keys and values is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from analysis.errors import InputError, Problem

KeyPath = tuple[str | int, ...]
"""Keys and list positions that lead from the top of a document to one of its values."""

_YAML_TAG = "tag:yaml.org,2002:"
_SCALARS = {"str", "int", "float", "bool", "null", "timestamp"}


@dataclass(frozen=True)
class Document:
    """The content of one YAML file, and where it is written.

    Parameters
    ----------
    file : path as the user knows it.
    root : the file's node tree, which knows positions.
    data : the same content as plain dicts, lists and scalars.
    """

    file: str
    root: MappingNode
    data: dict[str, Any]

    @classmethod
    def parse(cls, content: bytes, file: str) -> Document:
        """Read YAML 1.2 that holds one block of keys, without ever building anything but plain data.

        Raises
        ------
        InputError : not UTF-8, not YAML, empty, not a block of keys, or with duplicate keys, tags or keys that are not
            text; once the YAML can be parsed, all of these together.
        """
        root = _composed(content, file)
        builder = _Builder(file)
        try:
            data = builder.build(root, ())
        except RecursionError:
            raise InputError([Problem(file, 0, "", "", "is nested too deeply to be read")]) from None
        if builder.problems:
            raise InputError(builder.problems)
        return cls(file, root, data)

    def problem(self, path: KeyPath, rule: str, *, at_key: bool = False) -> Problem:
        """Say what is wrong with the value at a path, or with the key that holds it.

        The line is that of the value where it is a scalar, else of its key; for a key that is not there, of its block.
        """
        node: Node = self.root
        line = node.start_mark.line + 1
        for depth, key in enumerate(path):
            entry = _entry(node, key)
            if entry is None:
                return Problem(self.file, line, dotted(path), "", rule)
            holder, node = entry
            # YAML places a value that is left out at the next key, so that its own key says more.
            written = isinstance(node, ScalarNode) and node.end_mark.index > node.start_mark.index
            at_value = written and not at_key and depth == len(path) - 1
            line = (node if at_value else holder).start_mark.line + 1
        if at_key:
            return Problem(self.file, line, dotted(path), str(path[-1]), rule)
        return Problem(self.file, line, dotted(path), node.value if isinstance(node, ScalarNode) else "", rule)


def dotted(path: KeyPath) -> str:
    """Write a path as in ``hypotheses.h1.origin[0]``."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")


def _composed(content: bytes, file: str) -> MappingNode:
    def refusal(line: int, rule: str) -> InputError:
        return InputError([Problem(file, line, "", "", rule)])

    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refusal(content.count(b"\n", 0, error.start) + 1, "is not UTF-8 text; save the file as UTF-8") from None
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        tabs = "; indent with spaces, not tabs" if "\\t" in str(error.problem) else ""
        raise refusal(mark.line + 1 if mark else 0, f"is not valid YAML: {error.problem}{tabs}") from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise refusal(line, "holds a control character that YAML does not allow; delete it") from None
    except YAMLError as error:
        raise refusal(0, f"is not valid YAML: {error}") from None
    except RecursionError:
        raise refusal(0, "is nested too deeply to be read") from None
    if root is None:
        raise refusal(0, "is empty; a study file holds a block of keys, the first of them `name`")
    if not isinstance(root, MappingNode):
        raise refusal(root.start_mark.line + 1, "must be a block of keys (`key: value`), the first of them `name`")
    return root


def _entry(node: Node, key: str | int) -> tuple[Node, Node] | None:
    """Return the node that holds a key or list position, and the node of its value."""
    if isinstance(node, MappingNode):
        return next(((k, v) for k, v in node.value if isinstance(k, ScalarNode) and k.value == key), None)
    if isinstance(node, SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key], node.value[key]
    return None


class _Builder:
    """Turns nodes into plain data; a node that several aliases share is built once."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._constructor = YAML(typ="safe", pure=True).constructor
        self._built: dict[int, Any] = {}
        self._open: set[int] = set()

    def build(self, node: Node, path: KeyPath) -> Any:
        identity = id(node)
        if identity in self._open:
            self._refuse(node, path, "", "an alias must not refer to the block that it stands in")
            return None
        if identity not in self._built:
            self._open.add(identity)
            self._built[identity] = self._new(node, path)
            self._open.remove(identity)
        return self._built[identity]

    def _new(self, node: Node, path: KeyPath) -> Any:
        kind = str(node.tag).removeprefix(_YAML_TAG)
        if isinstance(node, MappingNode) and kind == "map":
            return {key: self.build(value, (*path, key)) for key, value in self._entries(node, path)}
        if isinstance(node, SequenceNode) and kind == "seq":
            return [self.build(item, (*path, position)) for position, item in enumerate(node.value)]
        if isinstance(node, ScalarNode) and kind in _SCALARS:
            try:
                return self._constructor.construct_object(node)
            except ValueError:
                self._refuse(node, path, node.value, f"is not a valid {kind}; put it in quotes if text is meant")
                return None
        self._refuse(node, path, str(node.tag), "a study file is data; remove the tag")
        return None

    def _entries(self, node: MappingNode, path: KeyPath) -> Iterator[tuple[str, Node]]:
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode):
                self._refuse(key, path, "", "a key must be text, not a list or a block")
            elif key.value == "<<":
                self._refuse(key, path, "<<", "blocks can't be merged in a study file; write the keys out")
            elif key.tag != f"{_YAML_TAG}str":
                self._refuse(key, (*path, key.value), key.value, "a key must be text; put it in quotes")
            elif key.value in lines:
                rule = f"duplicate key, first on line {lines[key.value]}; keep one"
                self._refuse(key, (*path, key.value), key.value, rule)
            else:
                lines[key.value] = line
                yield key.value, value

    def _refuse(self, node: Node, path: KeyPath, value: str, rule: str) -> None:
        self.problems.append(Problem(self.file, node.start_mark.line + 1, dotted(path), value, rule))
