"""Errors that a user can act on: file, line, column, value, rule and remedy, all of a kind at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in one place of one file.

    Parameters
    ----------
    file : path as the user knows it, relative to the project where that is possible.
    line : line in the file, counted from 1; 0 where the whole file is meant.
    column : the table's column or the study file's key; empty where the whole line is meant.
    value : the offending value as written.
    rule : what was expected, and what to do.
    """

    file: str
    line: int
    column: str
    value: str
    rule: str

    def __str__(self) -> str:
        place = self.file + (f", line {self.line}" if self.line else "")
        column = f", {self.column}" if self.column else ""
        value = f": {self.value!r}" if self.value else ""
        return f"{place}{column}{value}: {self.rule}"


class InputError(ValueError):
    """Input that was refused, with every problem found in it.

    Attributes
    ----------
    problems : sorted by file and line; `str()` lists them, one a line.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems)
        count = len(self.problems)
        noun = "problem" if count == 1 else "problems"
        super().__init__("\n".join([f"{count} {noun}, nothing was run:", *(f"  {p}" for p in self.problems)]))


def nearest(name: object, valid: Iterable[object]) -> str:
    """Say which valid name is nearest to a wrong one, or list them where none is near.

    Returns
    -------
    A clause that completes an error message: ``did you mean 'x'?`` or ``valid: a, b, c``.
    """
    names: Sequence[str] = [str(v) for v in valid]
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return "valid: " + (", ".join(names) if names else "none are declared")
