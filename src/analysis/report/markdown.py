"""Text that is data, made safe to stand in Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Self

from markupsafe import Markup

_SPECIAL = re.compile(r"([!#$%&()*+,\-./:;<=>?@\[\\\]^_`{|}~])")
_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")


class Markdown(Markup):
    """Markdown source that is meant as such; whatever else meets it is escaped.

    A subclass of `Markup`, so that Jinja's autoescaping leaves it alone.
    """

    @classmethod
    def escape(cls, s: Any, /) -> Self:
        """Return text so that Markdown shows it literally; Markdown is returned as it is."""
        if hasattr(s, "__html__"):
            return cls(s.__html__())
        return cls(_SPECIAL.sub(r"\\\1", _CONTROL.sub(" ", str(s))))


def escape(text: object) -> Markdown:
    """Escape text so that Markdown shows every character of it literally, on one line.

    Pandoc takes any punctuation after a backslash literally, in HTML as in Typst. Quotation marks are left to become
    typographic ones.
    """
    return Markdown.escape(text)


def attribute(text: str) -> str:
    """Quote text as the value of a Markdown attribute, as in ``{alt="..."}``."""
    return '"' + str(escape(text)).replace('"', r"\"") + '"'


def identifier(*parts: str) -> str:
    """Make an anchor of names: lower case letters, digits and single hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")


def table(
    header: Sequence[str], rows: Sequence[Sequence[object]], *, caption: Markdown, anchor: str, align: str
) -> Markdown:
    """Write a pipe table.

    Parameters
    ----------
    header : (k,) column titles.
    rows : (n, k) cells; what is not `Markdown` is escaped.
    align : (k,) of ``l`` and ``r``, one letter a column.
    """
    rule = "|".join({"l": ":---", "r": "---:"}[letter] for letter in align)
    lines = [header, *rows]
    body = ["| " + " | ".join(escape(cell) for cell in line) + " |" for line in lines]
    return Markdown("\n\n" + "\n".join([body[0], f"|{rule}|", *body[1:]]) + f"\n\n: {caption} {{#{anchor}}}\n\n")
