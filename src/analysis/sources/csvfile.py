"""Strict reading of a CSV file: every bad cell is found, with its line and column, before anything is built on it."""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from analysis.dates import is_date
from analysis.errors import InputError, Problem, nearest

Rule = Callable[[str], str | None]
"""Takes a cell and returns what is wrong with it, or None."""

LINE = "line"
"""Column that holds the line of the file on which a row begins."""


def text(value: str) -> str | None:
    """Any text, empty or not."""
    return None


def filled(value: str) -> str | None:
    """Any text that is not empty."""
    return None if value.strip() else "must not be empty"


def date(value: str) -> str | None:
    """A calendar date written YYYY, YYYY-MM or YYYY-MM-DD, or empty."""
    return (
        None if not value or is_date(value) else "must be a calendar date written YYYY, YYYY-MM or YYYY-MM-DD, or empty"
    )


def count(value: str) -> str | None:
    """A whole number that is not negative."""
    return None if re.fullmatch(r"\d+", value, re.ASCII) else "must be a whole number, written with digits only"


def one_of(allowed: Collection[str]) -> Rule:
    """One of the listed values."""

    def rule(value: str) -> str | None:
        return None if value in allowed else f"is not an allowed value; {nearest(value, allowed)}"

    return rule


@dataclass
class CsvFile:
    """One CSV file, read as text, with the problems found in it so far.

    Parameters
    ----------
    name : path as shown in errors.
    rows : one row per record, all cells text, and `line`.
    problems : grows with every check.
    """

    name: str
    rows: pd.DataFrame
    problems: list[Problem] = field(default_factory=list)

    @classmethod
    def read(cls, root: Path, name: str, rules: Mapping[str, Rule]) -> CsvFile:
        """Read a UTF-8 file with a header and apply one rule to each column.

        Parameters
        ----------
        root, name : folder, and path under it.
        rules : column and rule, in the file's order.

        Raises
        ------
        InputError : the file cannot be read as a table with these columns at all.
        """
        try:
            content = (root / name).read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            before = (root / name).read_bytes()[: error.start]
            bad = Problem(name, before.count(b"\n") + 1, "", "", f"is not UTF-8 ({error.reason}); save it as UTF-8")
            raise InputError([bad]) from None
        reader = csv.reader(io.StringIO(content), strict=True)
        records: list[tuple[int, list[str]]] = []
        line = 1
        try:
            for record in reader:
                records.append((line, record))
                line = reader.line_num + 1
        except csv.Error as error:
            bad = Problem(name, line, "", "", f"cannot be read from here ({error}); check the quotation marks")
            raise InputError([bad]) from None
        if not records:
            raise InputError([Problem(name, 0, "", "", f"is empty; its first line must be {','.join(rules)}")])
        return cls._from_records(name, records, rules)

    @classmethod
    def _from_records(cls, name: str, records: list[tuple[int, list[str]]], rules: Mapping[str, Rule]) -> CsvFile:
        header = records[0][1]
        columns = list(rules)
        problems = [
            Problem(name, 1, c, "", f"the column is missing; found: {', '.join(header)}")
            for c in columns
            if c not in header
        ]
        problems += [
            Problem(name, 1, c, "", f"the column is not expected; {nearest(c, columns)}")
            for c in header
            if c not in columns
        ]
        problems += [
            Problem(name, 1, c, "", "the column appears twice") for c in {c for c in header if header.count(c) > 1}
        ]
        if problems:
            raise InputError(problems)
        whole = []
        for line, record in records[1:]:
            if len(record) == len(header):
                whole.append([line, *record])
            else:
                rule = f"has {len(record)} cells, the header {len(header)}; look for a missing comma or quotation mark"
                problems.append(Problem(name, line, "", ",".join(record)[:60], rule))
        table = pd.DataFrame(whole, columns=[LINE, *header]).astype(dict.fromkeys(header, "str"))
        found = cls(name, table, problems)
        for column, rule_of in rules.items():
            found.check(column, rule_of)
        return found

    def check(self, column: str, rule: Rule) -> None:
        """Apply a rule to every cell of a column."""
        for line, value in zip(self.rows[LINE], self.rows[column], strict=True):
            wrong = rule(value)
            if wrong:
                self.problems.append(Problem(self.name, line, column, value, wrong))

    def unique(self, *columns: str) -> None:
        """Require that no two rows share their values in these columns."""
        repeated = self.rows[self.rows.duplicated(list(columns), keep="first")]
        firsts = self.rows.drop_duplicates(list(columns)).set_index(list(columns))[LINE]
        for row in repeated.to_dict("records"):
            key = tuple(row[c] for c in columns)
            first = firsts[key if len(key) > 1 else key[0]]
            rule = f"stands on line {first} already; a row is named by {', '.join(columns)}"
            self.problems.append(Problem(self.name, row[LINE], columns[-1], " / ".join(key), rule))

    def refers(self, column: str, to: CsvFile, key: str, *, optional: bool = False) -> None:
        """Require that every value of a column is a key of another file."""
        known = set(to.rows[key])
        for line, value in zip(self.rows[LINE], self.rows[column], strict=True):
            if value not in known and not (optional and not value):
                rule = f"is not a {key} of {to.name}; {_close(value, known)}"
                self.problems.append(Problem(self.name, line, column, value, rule))

    def refuse(self, bad: pd.Series, column: str, rule: str) -> None:
        """Refuse the rows that a mask marks, naming one column's value.

        Parameters
        ----------
        bad : (n,) bool, one per row.
        """
        for line, value in zip(self.rows.loc[bad, LINE], self.rows.loc[bad, column], strict=True):
            self.problems.append(Problem(self.name, line, column, value, rule))


def _close(value: str, known: set[str]) -> str:
    close = difflib.get_close_matches(value, sorted(known), n=1)
    return f"did you mean {close[0]!r}?" if close else "add it there, or correct it here"


def read_all(root: Path, rules: Mapping[str, Mapping[str, Rule]]) -> list[CsvFile]:
    """Read several files, so that one that cannot be read does not hide what is wrong with the others.

    Parameters
    ----------
    rules : name of each file, and the rules of its columns as `CsvFile.read` takes them.

    Raises
    ------
    InputError : a file cannot be read as a table; with the bad cells of those that can.
    """
    files = []
    problems: list[Problem] = []
    for name, of_columns in rules.items():
        try:
            files.append(CsvFile.read(root, name, of_columns))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError([*problems, *(problem for file in files for problem in file.problems)])
    return files


def refuse_if_bad(*files: CsvFile) -> None:
    """Raise the problems of all files together, if there are any.

    Raises
    ------
    InputError : with every problem found in any of the files.
    """
    problems = [problem for file in files for problem in file.problems]
    if problems:
        raise InputError(problems)
