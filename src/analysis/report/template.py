"""Markdown templates in which every number comes from the estimates by name."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any

import jinja2
from jinja2 import meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from analysis.errors import InputError, Problem, nearest
from analysis.report.assumptions import assumptions
from analysis.report.exhibits import Exhibits, UnknownFigureError
from analysis.report.formats import FORMATS, known
from analysis.report.limitations import threats
from analysis.report.markdown import Markdown, escape
from analysis.report.results import UnknownEstimateError, interval
from analysis.report.worlds_table import worlds_table
from analysis.synthesis import LEVEL

TEMPLATES = Path(str(files("analysis.report"))) / "templates"
REFERENCES = TEMPLATES.parent / "references.json"

_CITATION = re.compile(r"(?<![\\\w])@\{?([A-Za-z_][\w:.#$%&+?<>~/-]*\w)")
_TARGET = re.compile(r"\]\([^)\n]*\)")
_KEPT_FILTERS = ("default", "first", "groupby", "last", "length", "list", "lower", "rejectattr", "selectattr", "sort")


class UnknownCitationError(LookupError):
    """A template or study cites a work that the bibliography does not have."""


@cache
def citation_keys() -> tuple[str, ...]:
    """Return the keys of the bibliography."""
    return tuple(entry["id"] for entry in json.loads(REFERENCES.read_text("utf-8")))


def cite(keys: str | Sequence[str]) -> Markdown:
    """Cite works of the bibliography.

    Raises
    ------
    UnknownCitationError : a key is not in the bibliography; the message names the nearest.
    """
    wanted = [keys] if isinstance(keys, str) else list(keys)
    for key in wanted:
        if key not in citation_keys():
            raise UnknownCitationError(f"{key!r} is not in the bibliography; {nearest(key, citation_keys())}")
    return Markdown("[" + "; ".join(f"@{key}" for key in wanted) + "]")


def _finalize(value: object) -> object:
    return value if isinstance(value, Markup) else escape(value)


def environment(folder: Path = TEMPLATES) -> jinja2.Environment:
    """Make the sandbox in which templates run: unknown names are errors, and data is escaped as Markdown.

    Comments are written ``{## ... ##}``, because ``{#anchor}`` is Markdown's.
    """
    env = ImmutableSandboxedEnvironment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        comment_start_string="{##",
        comment_end_string="##}",
    )
    env.filters = {name: env.filters[name] for name in _KEPT_FILTERS} | FORMATS
    return env


def _is_number(character: str) -> bool:
    return unicodedata.category(character).startswith("N")


def _typed_in_prose(name: str, source: str, env: jinja2.Environment) -> Iterator[Problem]:
    prose = [list(" " * len(line)) for line in source.split("\n")]
    position = 0
    for line, kind, text in env.lex(source):
        if kind == "operator" and text == "~":
            yield Problem(name, line, "", "~", "joins text past the escaping; write two {{ }} side by side")
        if kind != "data":
            continue
        position = source.index(text, position)
        start = source.rindex("\n", 0, position) + 1 if "\n" in source[:position] else 0
        row, column = source.count("\n", 0, position), position - start
        for character in text:
            if character == "\n":
                row, column = row + 1, 0
                continue
            prose[row][column] = character
            column += 1
        position += len(text)
    for line, characters in enumerate(prose, start=1):
        text = "".join(characters)
        for key in _CITATION.findall(text):
            if key not in citation_keys():
                yield Problem(name, line, "", f"@{key}", f"is not in the bibliography; {nearest(key, citation_keys())}")
        for digit in re.finditer(r"\S+", _CITATION.sub(" ", _TARGET.sub("]", text))):
            if any(map(_is_number, digit.group())):
                rule = "a number typed by hand; name its estimate, as in {{ est(model, term).estimate | points }}"
                yield Problem(name, line, "", digit.group(), rule)


def _typed_in_tags(name: str, source: str, env: jinja2.Environment) -> Iterator[Problem]:
    for output in env.parse(source, name).find_all(nodes.Output):
        for part in output.nodes:
            constants = [part, *part.find_all(nodes.Const)]
            numbers = [c for c in constants if isinstance(c, nodes.Const) and any(map(_is_number, str(c.value)))]
            if numbers and next(part.find_all(nodes.Name), None) is None:
                yield Problem(name, part.lineno, "", str(numbers[0].value), "a number typed by hand inside a tag")


def check(names: Sequence[str], env: jinja2.Environment) -> None:
    """Refuse templates that hold a number typed by hand.

    Digits may stand in what the templating language evaluates, in citation keys and in the targets of links and images.

    Raises
    ------
    InputError : every number typed by hand and every unknown citation, with file and line.
    """
    assert env.loader is not None  # noqa: S101
    problems: list[Problem] = []
    for name in names:
        source = env.loader.get_source(env, name)[0]
        problems += _typed_in_prose(name, source, env)
        problems += _typed_in_tags(name, source, env)
    if problems:
        raise InputError(problems)


def _line_in(names: Sequence[str], folder: Path, traceback: TracebackType | None) -> tuple[str, int]:
    place = (names[0], 0)
    files = {str(folder / name): name for name in names}
    while traceback is not None:
        name = files.get(traceback.tb_frame.f_code.co_filename)
        if name:
            place = (name, traceback.tb_lineno)
        traceback = traceback.tb_next
    return place


def family(name: str, env: jinja2.Environment) -> list[str]:
    """Return a template and all that it extends, includes or imports, itself first."""
    assert env.loader is not None  # noqa: S101
    names = [name]
    for known_name in names:
        tree = env.parse(env.loader.get_source(env, known_name)[0], known_name)
        for other in meta.find_referenced_templates(tree):
            if other is None:
                raise jinja2.TemplateSyntaxError("a template is named by an expression; write its name", 1, known_name)
            if other not in names:
                names.append(other)
    return names


def fill(exhibits: Exhibits, folder: Path = TEMPLATES) -> str:
    """Fill a study's template: `<study>.md`, or `base.md` where it has none of its own.

    Returns
    -------
    Markdown with a metadata block.

    Raises
    ------
    InputError : a number is typed by hand, or an estimate, figure, citation or name is unknown; with file and line.
    """
    env = environment(folder)
    study = exhibits.study
    name = f"{study.name}.md" if (folder / f"{study.name}.md").exists() else "base.md"
    names = [name]
    try:
        names = family(name, env)
        check(names, env)
        return env.get_template(name).render(_context(exhibits))
    except jinja2.TemplateSyntaxError as error:
        raise InputError([Problem(error.name or name, error.lineno, "", "", str(error.message))]) from None
    except (UnknownEstimateError, UnknownFigureError, UnknownCitationError, jinja2.TemplateError) as error:
        file, line = _line_in(names, folder, error.__traceback__)
        raise InputError([Problem(file, line, "", "", str(error))]) from None


def _context(exhibits: Exhibits) -> dict[str, Any]:
    results = exhibits.results
    return {
        "study": exhibits.study,
        "provenance": exhibits.provenance,
        "verdicts": exhibits.verdict_records(),
        "quoted": lambda text: Markdown(json.dumps(str(escape(text)), ensure_ascii=False)),
        "cite": cite,
        "level": "{}[{}]".format,
        "naive": "{}@naive".format,
        "by_chance": lambda row: not row.p_value < LEVEL,
        "differs": lambda row: not row.ci_low <= 0 <= row.ci_high,
        "est": results.est,
        "has": results.has,
        "n": results.n,
        "share": results.share,
        "ci": results.ci,
        "interval": interval,
        "known": known,
        "models": results.models,
        "figure": exhibits.figure,
        "figures_of": exhibits.figures_of,
        "other_figures": exhibits.other_figures,
        "model_table": exhibits.model_table,
        "other_models": exhibits.other_models,
        "estimates_of": exhibits.estimates_of,
        "time_order_table": exhibits.time_order_table,
        "verdict_table": exhibits.verdict_table,
        "deviations_table": exhibits.deviations_table,
        "assumptions": lambda: assumptions(exhibits),
        "truth_table": exhibits.truth_table,
        "threats": lambda: threats(exhibits),
        "worlds_table": lambda holds: worlds_table(exhibits, holds),
        "breakdown_table": exhibits.breakdown_table,
        "sample_flow": exhibits.sample_flow,
        "indicator_table": exhibits.indicator_table,
    }
