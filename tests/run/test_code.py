"""Which code a notebook uses: found by name, and blind to what has no effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.run.code import Package

FILES = {
    "__init__.py": '"""A package."""',
    "tables.py": "COLUMNS = ['a']\nOTHER = ['b']\n\ndef checked(table):\n    return table[COLUMNS]\n",
    "link.py": (
        "from lib.tables import checked\nfrom lib import effects\n\n"
        "def link(table):\n    'Link.'\n    return _sorted(checked(table))\n\n"
        "def _sorted(table):\n    return table.sort()\n\n"
        "def unused():\n    return effects.draw()\n"
    ),
    "effects.py": "import numpy as np\n\nnp.seterr(all='raise')\n\ndef draw():\n    return 1\n",
    "handle.py": (
        "from dataclasses import dataclass\nfrom lib import link\nfrom lib.effects import draw\n\n"
        "@dataclass\nclass Handle:\n    name: str\n\n"
        "    def linked(self):\n        return link.link(self.name)\n\n"
        "    def drawn(self):\n        return draw()\n\n"
        "def opened(name):\n    return Handle(name)\n\n"
        "def called(handle: Handle, name):\n    return getattr(handle, name)()\n\n"
        "class Other:\n    def linked_elsewhere(self):\n        return 1\n"
    ),
    "sources/__init__.py": (
        "import importlib\n\ndef load(name):\n    return importlib.import_module(f'lib.sources.{name}').load()\n"
    ),
    "sources/csvs.py": "def load():\n    return 1\n",
    "sources/web.py": "def load():\n    return 2\n",
    "pages.py": (
        "from pathlib import Path\n\nSTYLE = Path(__file__).parent / 'style.css'\n\n"
        "def page():\n    return STYLE.read_text()\n"
    ),
    "style.css": "body {}",
    "other.txt": "",
    "visits.py": "import ast\n\nclass Visit(ast.NodeVisitor):\n    def visit_Name(self, node):\n        return 1\n",
}


@pytest.fixture
def library(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "src/lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "src"


def used(library: Path, *cells: str, words: tuple[str, ...] = ()) -> dict[str, str]:
    return Package(library, "lib", library.parent / "cache.json").used_by(cells, words)


def edit(library: Path, name: str, old: str, new: str) -> None:
    path = library / "lib" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_follows_names_through_modules(library: Path) -> None:
    found = used(library, "from lib.link import link\nlink(1)")
    assert {"lib.link.link", "lib.link._sorted", "lib.tables.checked", "lib.tables.COLUMNS"} <= found.keys()
    assert not {"lib.link.unused", "lib.tables.OTHER", "lib.effects.draw"} & found.keys()


def test_statements_that_run_on_import_count_for_whoever_imports(library: Path) -> None:
    assert "lib.effects (on import)" in used(library, "from lib.link import link\nlink(1)")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("link.py", "'Link.'", "'Link tables, in order.'"),
        ("link.py", "def _sorted(table):", "# sorts\n\n\ndef _sorted( table ):"),
        ("link.py", "return effects.draw()", "return effects.draw() + 1"),
        ("tables.py", "['b']", "['c']"),
    ],
)
def test_what_has_no_effect_changes_nothing(library: Path, name: str, old: str, new: str) -> None:
    before = used(library, "from lib.link import link\nlink(1)")
    edit(library, name, old, new)
    assert used(library, "from lib.link import link\nlink(1)") == before


@pytest.mark.parametrize(
    ("name", "old", "new", "changed"),
    [
        ("link.py", "table.sort()", "table.sort(reverse=True)", "lib.link._sorted"),
        ("tables.py", "['a']", "['z']", "lib.tables.COLUMNS"),
        ("effects.py", "'raise'", "'warn'", "lib.effects (on import)"),
    ],
)
def test_names_what_changed(library: Path, name: str, old: str, new: str, changed: str) -> None:
    before = used(library, "from lib.link import link\nlink(1)")
    edit(library, name, old, new)
    after = used(library, "from lib.link import link\nlink(1)")
    assert {k for k in after if after[k] != before[k]} == {changed}


def test_a_method_is_used_where_its_name_is(library: Path) -> None:
    found = used(library, "from lib.handle import opened\ns = opened('x')\ns.linked()")
    assert {"lib.handle.Handle", "lib.handle.Handle.linked", "lib.link.link"} <= found.keys()
    assert not {"lib.handle.Handle.drawn", "lib.effects.draw"} & found.keys()


def test_a_method_under_a_computed_name_may_be_any(library: Path) -> None:
    found = used(library, "from lib.handle import opened\ngetattr(opened('x'), name)()")
    assert {"lib.handle.Handle.linked", "lib.handle.Handle.drawn"} <= found.keys()


def test_a_computed_name_on_a_known_class_is_one_of_its_methods(library: Path) -> None:
    found = used(library, "from lib.handle import called, opened, Other\ncalled(opened('x'), name)\nOther()")
    assert {"lib.handle.Handle.linked", "lib.handle.Handle.drawn", "lib.handle.Other"} <= found.keys()
    assert "lib.handle.Other.linked_elsewhere" not in found


def test_methods_that_another_package_may_call_count(library: Path) -> None:
    assert "lib.visits.Visit.visit_Name" in used(library, "from lib.visits import Visit\nVisit().visit(tree)")


def test_a_computed_import_takes_the_module_named_by_the_study(library: Path) -> None:
    cell = "from lib.sources import load\nload(study.adapter)"
    assert "lib.sources.csvs.load" in used(library, cell, words=("csvs",))
    assert "lib.sources.web.load" not in used(library, cell, words=("csvs",))
    assert {"lib.sources.csvs.load", "lib.sources.web.load"} <= used(library, cell).keys()


def test_data_files_of_the_package_count_where_they_are_named(library: Path) -> None:
    found = used(library, "from lib.pages import page\npage()")
    assert "src/lib/style.css" in found
    assert "src/lib/other.txt" not in found


def test_a_module_passed_around_is_used_whole(library: Path) -> None:
    assert "lib.link.unused" in used(library, "from lib import link\nrun(link)")


def test_code_that_is_not_python_uses_everything(library: Path) -> None:
    assert "lib.sources.web.load" in used(library, "%run lib.link")
