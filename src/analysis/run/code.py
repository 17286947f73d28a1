"""Which code a notebook uses: the definitions of a package that it can reach, and what each of them says.

A definition is a top-level function, class or constant, or a method. It is reached when code that is reached names it,
directly or through imports; a method, when its class is reached and its name is used on anything. Comments, docstrings
and formatting don't count, because syntax trees are compared. Where names don't tell, more is taken to be used rather
than less: a module passed around is used whole, statements that run on import count for whoever imports the module, a
module imported under a computed name may be any that the name's fixed part allows, and a class that extends a class of
another package may have any of its methods called from there.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.project import Project

_BODY = "<on import>"
_HARMLESS_DECORATORS = {"dataclass", "cache", "lru_cache", "contextmanager", "overload", "total_ordering", "wraps"}
_METHOD_DECORATORS = _HARMLESS_DECORATORS | {
    "property",
    "cached_property",
    "staticmethod",
    "classmethod",
    "abstractmethod",
}
_PASSIVE_BASES = {"object", "BaseModel", "Enum", "Generic", "NamedTuple", "Protocol", "StrEnum", "TypedDict"}
_BY_NAME = {"getattr", "attrgetter", "methodcaller"}
_DYNAMIC = {"import_module", "__import__", "globals", "eval", "exec"}
_FILE_READERS = {"files", "PackageLoader", "get_data"}
_CLIMB = re.compile(r"Path\(__file__\)(?:\.resolve\(\)|\.absolute\(\))?((?:\.parent\b)*)(?:\.parents\[(\d+)\])?")
_WORD_LENGTH = 60


@dataclass
class Piece:
    """A definition, or the statements of a module that run on import.

    Attributes
    ----------
    digest : of its syntax tree.
    names : dotted names that it uses.
    attributes : names that it uses on anything; ``*`` for computed ones, ``Class.*`` for those of a known class.
    imports : local name to what it imports in its own body.
    words : its short string constants.
    imported : modules that it imports under a computed name: the fixed part, and a star for the rest.
    climbs : folders up from its file to where it looks for files of the package; 0: it doesn't.
    bases : of a class.
    methods : of a class, to whether they count as used with it.
    """

    digest: str = ""
    names: list[str] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    imports: dict[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    imported: list[str] = field(default_factory=list)
    climbs: int = 0
    bases: list[str] = field(default_factory=list)
    methods: dict[str, bool] = field(default_factory=dict)


@dataclass
class Module:
    """What one file defines and imports."""

    pieces: dict[str, Piece]
    imports: dict[str, str]


class _Reader(ast.NodeVisitor):
    """Collects what a statement uses."""

    def __init__(self, package: str, owner: str = "") -> None:
        self._package = package
        self._classes = {"self": owner} if owner else {}
        self.piece = Piece()

    def visit_Name(self, node: ast.Name) -> None:
        self.piece.names.append(node.id)
        if node.id in _FILE_READERS:
            self.piece.climbs = max(self.piece.climbs, 1)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        chain = [node.attr]
        inner = node.value
        if node.attr in _FILE_READERS:
            self.piece.climbs = max(self.piece.climbs, 1)
        while isinstance(inner, ast.Attribute):
            chain.append(inner.attr)
            inner = inner.value
        self.piece.attributes += chain
        if isinstance(inner, ast.Name):
            self.piece.names.append(".".join([inner.id, *reversed(chain)]))
        else:
            self.visit(inner)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and len(node.value) <= _WORD_LENGTH:
            self.piece.words.append(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in _DYNAMIC:
            self.piece.imported.append(_fixed_part(node.args[0] if node.args else None))
        if name in _BY_NAME:
            constants = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            of = node.args[0].id if node.args and isinstance(node.args[0], ast.Name) else ""
            computed = f"{self._classes[of]}.*" if of in self._classes else "*"
            self.piece.attributes += [part for c in constants for part in c.split(".")] or [computed]
        self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        if isinstance(node.annotation, ast.Name):
            self._classes[node.arg] = node.annotation.id
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.piece.imports |= _imports(node, self._package)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.piece.imports |= _imports(node, self._package)


def _fixed_part(argument: ast.expr | None) -> str:
    """Return a module's name, or what of it is known followed by a star."""
    match argument:
        case ast.Constant(value=str(name)):
            return name
        case ast.JoinedStr(values=[ast.Constant(value=str(prefix)), *_]):
            return prefix + "*"
    return "*"


def _imports(node: ast.Import | ast.ImportFrom, package: str) -> dict[str, str]:
    if isinstance(node, ast.Import):
        return {
            a.asname or a.name.partition(".")[0]: a.name if a.asname else a.name.partition(".")[0] for a in node.names
        } | {f"import {a.name}": a.name for a in node.names}
    base = node.module or ""
    if node.level:
        parents = package.split(".")
        above = parents[: len(parents) - node.level + 1]
        base = ".".join([*above, base]).rstrip(".")
    return {a.asname or a.name: f"{base}.{a.name}" for a in node.names} | {f"import {base}": base}


def _without_docstrings(node: Any) -> None:
    kept = [s for s in node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    node.body = kept or ([] if isinstance(node, ast.Module) else [ast.Pass()])
    parts = (getattr(node, part, ()) for part in ("body", "orelse", "finalbody", "handlers", "cases"))
    for inner in (inner for part in parts for inner in part):
        if hasattr(inner, "body"):
            _without_docstrings(inner)


def _defined(statement: ast.stmt) -> list[str]:
    """List the names that a statement defines and has no other effect than; empty where it may have one."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [statement.name] if _decorated_only_with(statement, _HARMLESS_DECORATORS) else []
        case ast.Assign(targets=[target]):
            elements = target.elts if isinstance(target, ast.Tuple) else [target]
            return [e.id for e in elements if isinstance(e, ast.Name)] if _all_names(elements) else []
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.AugAssign(target=ast.Name(id=name)):
            return [name]
    return []


def _all_names(elements: Iterable[ast.expr]) -> bool:
    return all(isinstance(e, ast.Name) for e in elements)


def read_module(text: str, package: str) -> Module:
    """Take a module apart.

    Parameters
    ----------
    text : source code.
    package : dotted name of the package that relative imports start from.
    """
    tree = ast.parse(text)
    if "__doc__" not in text:
        _without_docstrings(tree)
    module = Module({_BODY: Piece()}, {})
    looks_beside = "__file__" in text
    for statement, owner in _parted(_flat(tree.body)):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            module.imports |= _imports(statement, package)
            continue
        reader = _Reader(package, owner)
        reader.visit(statement)
        if looks_beside:
            reader.piece.climbs = max([reader.piece.climbs, *_climbs(statement)])
        if owner and isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{owner}.{statement.name}"
            module.pieces.setdefault(owner, Piece()).methods[statement.name] = _always_called(statement)
            _add(module.pieces.setdefault(name, Piece()), reader.piece, ast.dump(statement))
            continue
        if isinstance(statement, ast.ClassDef):
            reader.piece.bases = [ast.unparse(b).partition("[")[0] for b in statement.bases]
        names = _defined(statement) or [_BODY, *_conditionally_defined(statement)]
        dump = ast.dump(statement)
        for name in names:
            _add(module.pieces.setdefault(name, Piece()), reader.piece, dump)
    return module


def _parted(body: Iterable[ast.stmt]) -> Iterator[tuple[ast.stmt, str]]:
    """Yield statements, each class without its methods, and its methods with the class's name."""
    for statement in body:
        if isinstance(statement, ast.ClassDef) and _defined(statement):
            methods = [s for s in statement.body if isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef)]
            yield from ((method, statement.name) for method in methods)
            statement.body = [s for s in statement.body if s not in methods] or [ast.Pass()]
        yield statement, ""


def _always_called(method: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a method may be called without its name being written: by an operator, or by its decorator."""
    return method.name.startswith("__") or not _decorated_only_with(method, _METHOD_DECORATORS)


def _decorated_only_with(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, names: set[str]) -> bool:
    decorators = (d.func if isinstance(d, ast.Call) else d for d in node.decorator_list)
    return all(ast.unparse(d).rpartition(".")[2] in names for d in decorators)


def _climbs(statement: ast.stmt) -> Iterator[int]:
    for parent, above in _CLIMB.findall(ast.unparse(statement) if _mentions_file(statement) else ""):
        yield parent.count(".parent") + (int(above) + 1 if above else 0)


def _mentions_file(statement: ast.stmt) -> bool:
    return any(isinstance(n, ast.Name) and n.id == "__file__" for n in ast.walk(statement))


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements, those under `if TYPE_CHECKING` and in `try` imports included."""
    for statement in body:
        if isinstance(statement, ast.If | ast.Try) and all(
            isinstance(s, ast.Import | ast.ImportFrom | ast.Pass) for s in statement.body
        ):
            yield from statement.body
            if isinstance(statement, ast.If) and not statement.orelse:
                continue
        yield statement


def _conditionally_defined(statement: ast.stmt) -> list[str]:
    names = [s.name for s in ast.walk(statement) if isinstance(s, ast.FunctionDef | ast.ClassDef)]
    return names + [n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]


def _add(piece: Piece, more: Piece, dump: str) -> None:
    piece.digest = hashlib.sha256((piece.digest + dump).encode()).hexdigest()[:16]
    piece.names = sorted({*piece.names, *more.names})
    piece.imports |= more.imports
    piece.words = sorted({*piece.words, *more.words})
    piece.imported = sorted({*piece.imported, *more.imported})
    piece.attributes = sorted({*piece.attributes, *more.attributes})
    piece.climbs = max(piece.climbs, more.climbs)
    piece.bases = sorted({*piece.bases, *more.bases})


def _kept(cache: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(cache.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return {}


class Package:
    """The modules of a source folder, taken apart once per content.

    Parameters
    ----------
    source : folder that holds the package's folder, such as ``src``.
    name : of the package.
    cache : JSON file that keeps what was read, by content.
    """

    def __init__(self, source: Path, name: str, cache: Path) -> None:
        self._source, self._name = source, name
        known = _kept(cache)
        before = set(known)
        kept: dict[str, Any] = {}
        self._modules: dict[str, Module] = {}
        self._paths: dict[str, Path] = {}
        own = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
        for file in sorted((source / name).rglob("*.py")):
            parts = file.relative_to(source).with_suffix("").parts
            dotted = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            content = file.read_bytes()
            key = hashlib.sha256(own.encode() + dotted.encode() + content).hexdigest()
            if key not in known:
                module = read_module(content.decode(), ".".join(parts[:-1]))
                known[key] = {"pieces": {n: vars(p) for n, p in module.pieces.items()}, "imports": module.imports}
            kept[key] = known[key]
            pieces = {n: Piece(**p) for n, p in kept[key]["pieces"].items()}
            self._modules[dotted] = Module(pieces, kept[key]["imports"])
            self._paths[dotted] = file
        if kept.keys() != before or not cache.exists():
            with Project(cache.parent, cache.parent).writing(cache.name) as temporary:
                temporary.write_text(json.dumps(kept), encoding="utf-8")
        files = (source / name).rglob("*")
        self._data = [f for f in files if f.is_file() and f.suffix not in (".py", ".pyc", ".pyi")]

    def used_by(self, code: Iterable[str], words: Iterable[str] = ()) -> dict[str, str]:
        """Follow code through the package.

        Parameters
        ----------
        code : source texts, such as a notebook's cells.
        words : names that a computed import may take, such as a study's values.

        Returns
        -------
        Dotted name of each definition used, or path of each data file, to a digest of its content. Code that can't be
        read as Python uses the whole package.
        """
        return _Walk(self._modules, self._paths, self._data, self._source, self._name).follow(code, words)

    def used_by_function(self, dotted: str) -> dict[str, str]:
        """Follow one function of the package, given by its dotted name."""
        module, _, name = dotted.rpartition(".")
        return self.used_by([f"from {module} import {name}\n{name}"])


class _Walk:
    """One walk from a notebook through the package."""

    def __init__(
        self, modules: dict[str, Module], paths: dict[str, Path], data: list[Path], source: Path, package: str
    ) -> None:
        self._modules, self._paths, self._data = modules, paths, data
        self._source, self._package = source, package
        self._data_by_name: dict[str, list[Path]] = {}
        for file in data:
            for known_as in {file.name, file.parent.name}:
                self._data_by_name.setdefault(known_as, []).append(file)
        self._found: dict[tuple[str, str], Piece] = {}
        self._files: set[Path] = set()
        self._computed: set[str] = set()
        self._words: set[str] = set()
        self._attributes: set[str] = set()

    def follow(self, code: Iterable[str], words: Iterable[str]) -> dict[str, str]:
        self._words |= set(words)
        for text in code:
            try:
                module = read_module(text, "")
            except SyntaxError:
                self._whole(self._package, below=True)
                continue
            for target in module.imports.values():
                self._reach(target, whole=False)
            for piece in module.pieces.values():
                self._read(piece, module.imports)
        # Methods and computed imports go by names met anywhere on the way, and lead to further names.
        seen = -1
        while seen != len(self._found):
            seen = len(self._found)
            for pattern in sorted(self._computed):
                self._computed_import(pattern)
            for module_name, name in list(self._found):
                self._methods(module_name, name)
        digests = {
            f"{m}.{n}" if n != _BODY else f"{m} (on import)": p.digest for (m, n), p in self._found.items() if p.digest
        }
        for file in self._files:
            digests[file.relative_to(self._source.parent).as_posix()] = hashlib.sha256(file.read_bytes()).hexdigest()[
                :16
            ]
        return dict(sorted(digests.items()))

    def _methods(self, module: str, name: str) -> None:
        """Follow the methods of a class that may be called."""
        piece = self._found[module, name]
        if not piece.methods:
            return
        computed = {"*", f"{name}.*", *(f"{base}.*" for base in piece.bases)}
        everything = bool(computed & self._attributes) or self._is_called_back(module, name)
        for method, always in piece.methods.items():
            if everything or always or method in self._attributes:
                self._piece(module, f"{name}.{method}")

    def _is_called_back(self, module: str, name: str) -> bool:
        """Whether a class extends one of another package, which may call any method by name."""
        here = self._modules[module]
        for base in here.pieces[name].bases:
            first, _, rest = base.partition(".")
            target = here.imports.get(first, first) + (f".{rest}" if rest else "")
            owner, _, inherited = target.rpartition(".")
            known = (owner or module) in self._modules and inherited in self._modules[owner or module].pieces
            if known and self._is_called_back(owner or module, inherited):
                return True
            if not known and inherited not in _PASSIVE_BASES and not inherited.endswith(("Error", "Exception")):
                return True
        return False

    def _read(self, piece: Piece, imports: dict[str, str], module: str = "") -> None:
        self._words |= set(piece.words)
        self._attributes |= set(piece.attributes)
        for target in piece.imports.values():
            self._reach(target, whole=False)
        scope = imports | piece.imports
        for name in piece.names:
            first, _, rest = name.partition(".")
            if first in scope:
                self._reach(f"{scope[first]}.{rest}" if rest else scope[first])
            elif module:
                self._piece(module, first)
        for pattern in piece.imported:
            self._computed.add(pattern)
        named = [f for word in piece.words for f in self._data_by_name.get(word, ())]
        if piece.climbs and not named and module:
            folder = self._paths[module].parents[piece.climbs - 1]
            named = [f for f in self._data if f.is_relative_to(folder) and folder != self._source.parent]
        self._files |= set(named)

    def _reach(self, dotted: str, *, whole: bool = True) -> None:
        """Follow a dotted name: to a definition, or to a module, used whole or only imported."""
        if dotted.partition(".")[0] != self._package:
            return
        parts = dotted.split(".")
        for length in range(len(parts), 0, -1):
            module = ".".join(parts[:length])
            if module in self._modules:
                self._import(module)
                if length < len(parts) and parts[length] != "*":
                    self._piece(module, parts[length])
                elif whole or length < len(parts):
                    self._whole(module)
                return

    def _import(self, module: str) -> None:
        """Follow what runs when a module is imported: its packages, its own statements, its imports."""
        if (module, _BODY) in self._found:
            return
        parent = module.rpartition(".")[0]
        if parent:
            self._import(parent)
        self._piece(module, _BODY)
        for target in self._modules[module].imports.values():
            self._reach(target, whole=False) if self._is_module(target) else self._reach_module_of(target)

    def _is_module(self, dotted: str) -> bool:
        return dotted in self._modules

    def _reach_module_of(self, dotted: str) -> None:
        module = dotted.rpartition(".")[0]
        if module in self._modules:
            self._import(module)

    def _piece(self, module: str, name: str) -> None:
        if (module, name) in self._found:
            return
        here = self._modules[module]
        if name in here.pieces:
            self._found[module, name] = here.pieces[name]
            self._read(here.pieces[name], here.imports, module)
        elif name in here.imports:
            self._reach(here.imports[name])

    def _whole(self, module: str, *, below: bool = False) -> None:
        chosen = [m for m in self._modules if m == module or (below and m.startswith(f"{module}."))]
        for each in chosen:
            self._import(each)
            for name in self._modules[each].pieces:
                self._piece(each, name)

    def _computed_import(self, pattern: str) -> None:
        if not pattern.endswith("*"):
            self._reach(pattern)
            return
        prefix = pattern.removesuffix("*")
        candidates = [m for m in self._modules if m.startswith(prefix)] if prefix else list(self._modules)
        named = [m for m in candidates if prefix and m.removeprefix(prefix) in self._words]
        for module in named or candidates:
            self._whole(module)
