"""The tables that every study shares: their columns, keys and rules, and how they are stored.

Four canonical tables leave ingest; three derived ones leave the notebooks after it. Each has one schema here.
Times of reduced precision (``2014``, ``2014-05``) are kept as written in ``time`` and as the interval of days
``[start, end]`` that they stand for; where no time is known, ``time`` is empty and the interval missing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
import pandera.pandas as pa

from analysis.errors import InputError, Problem

VALUE_TYPES = ("exact", "rounded", "lower_bound")
STAGES = {1: "agenda", 2: "discursive position", 3: "procedure", 4: "policy", 5: "behaviour"}
"""Stages of network influence of Keck and Sikkink (1998, ch. 1), the rungs of the outcome ladder."""

DAY = "datetime64[ns]"


def _text(*checks: pa.Check) -> pa.Column:
    return pa.Column("str", list(checks), coerce=True)


def _number(*checks: pa.Check, nullable: bool = False) -> pa.Column:
    return pa.Column("float64", list(checks), nullable=nullable, coerce=True)


def _whole(*checks: pa.Check) -> pa.Column:
    return pa.Column("int64", list(checks), coerce=True)


def _flag() -> pa.Column:
    return pa.Column("bool", coerce=True)


def _day() -> pa.Column:
    return pa.Column(DAY, nullable=True, coerce=True)


def _interval(first: str, last: str) -> pa.Check:
    return pa.Check(
        lambda table: (table[first] <= table[last]) | table[first].isna() | table[last].isna(),
        error=f"{first} is not after {last}",
    )


_NAME = pa.Check.str_length(min_value=1)
_GRADE = pa.Check.isin(["A", "B", "C"])
_NOT_NEGATIVE = pa.Check.ge(0)
_STAGE = pa.Check.in_range(0, 5)
_DIRECTION = pa.Check.isin([-1, 0, 1])


def _schema(
    key: list[str], columns: dict[str, pa.Column], *intervals: pa.Check, strict: bool = True, fill: bool = False
) -> Any:
    return pa.DataFrameSchema(
        columns, checks=list(intervals), unique=key, strict=strict, ordered=strict, add_missing_columns=fill
    )


UNITS = _schema(
    ["unit_id"],
    {
        "unit_id": _text(_NAME),
        "name": _text(_NAME),
        "launched": _text(),
        "launched_start": _day(),
        "launched_end": _day(),
    },
    _interval("launched_start", "launched_end"),
    strict=False,
)
"""One row per unit. Further columns are the static attributes that the study declares, as text."""

PROCESS = _schema(
    ["unit_id", "indicator", "time", "source"],
    {
        "unit_id": _text(_NAME),
        "indicator": _text(_NAME),
        "time": _text(),
        "source": _text(_NAME),
        "start": _day(),
        "end": _day(),
        "value": _number(),
        "std_error": _number(_NOT_NEGATIVE, nullable=True),
        "value_type": _text(pa.Check.isin(VALUE_TYPES)),
        "counting": _text(pa.Check.isin(["cumulative", "flow", "level"])),
        "scope": _text(pa.Check.isin(["global", "country"])),
        "grade": _text(_GRADE),
    },
    _interval("start", "end"),
    pa.Check(lambda table: (table["value"] >= 0) | (table["counting"] == "level"), error="a count is not negative"),
    pa.Check(lambda table: table["value"].abs() < float("inf"), error="a value is finite"),
    fill=True,
)
"""One row per process indicator, time and source. `source` ends in ``/2``, ``/3``… where one source gives several.

`counting` is `level` for a score or a share, which may be negative; `std_error` is that of its measurement, if known.
"""

OUTCOMES = _schema(
    ["unit_id", "indicator", "time"],
    {
        "unit_id": _text(_NAME),
        "indicator": _text(_NAME),
        "time": _text(),
        "start": _day(),
        "end": _day(),
        "value": _number(),
        "stage": _whole(_STAGE),
        "direction": _whole(_DIRECTION),
        "observed_until": _text(),
        "observed_start": _day(),
        "observed_end": _day(),
        "grade": _text(_GRADE),
        "source": _text(_NAME),
    },
    _interval("start", "end"),
    _interval("observed_start", "observed_end"),
)
"""One row per outcome indicator and time; `none_observed` (stage 0) says that a unit was followed without an event.

A measured level, such as a score, has direction 0 and the stage that it measures; an event has direction 1 or -1.
"""

CONTEXT = _schema(
    ["unit_id", "time", "variable"],
    {
        "unit_id": _text(_NAME),
        "time": _text(),
        "variable": _text(_NAME),
        "start": _day(),
        "end": _day(),
        "value": _number(),
    },
    _interval("start", "end"),
)
"""One row per unit, time and context variable."""

ENGAGEMENT = _schema(
    ["unit_id", "indicator", "time", "source"],
    {
        **PROCESS.columns,
        "dated": _flag(),
        "uncertain_days": _number(_NOT_NEGATIVE, nullable=True),
        "magnitude": _number(nullable=True),
    },
)
"""`process` with how well each value is measured: dated or not, days of uncertainty, and its log10."""

CHANGE = _schema(
    ["unit_id", "outcome", "period"],
    {
        "unit_id": _text(_NAME),
        "outcome": _text(_NAME),
        "period": _text(),
        "value": _number(),
        "event": _flag(),
        "stage": _whole(_STAGE),
        "event_start": _day(),
        "event_end": _day(),
        "observed_start": _day(),
        "observed_end": _day(),
        "min_days": _number(nullable=True),
        "max_days": _number(nullable=True),
        "before_launch": _flag(),
    },
    _interval("event_start", "event_end"),
)
"""One row per unit, declared outcome and period, of the units that have an outcome row. Days count from launch.

`period` is empty in a study that observes each unit once.
"""


@dataclass(frozen=True)
class CanonicalTables:
    """What an adapter returns: the four tables of one study.

    Attributes
    ----------
    units, process, outcomes, context : long tables as `UNITS`, `PROCESS`, `OUTCOMES` and `CONTEXT` describe.
    """

    units: pd.DataFrame
    process: pd.DataFrame
    outcomes: pd.DataFrame
    context: pd.DataFrame

    def validated(self, attributes: list[str], origin: str) -> CanonicalTables:
        """Check every table against its schema, and every row's unit against `units`; sort each by its key.

        Parameters
        ----------
        attributes : columns beyond the common ones that `units` must have.
        origin : named as the file in errors.

        Raises
        ------
        InputError : a column, key, value or unit breaks a rule; all problems of all tables together.
        """
        problems: list[Problem] = []
        checked: dict[str, pd.DataFrame] = {}
        for field in fields(self):
            table = getattr(self, field.name)
            schema = SCHEMAS[field.name]
            if field.name == "units":
                schema = schema.add_columns({name: _text() for name in attributes})
            checked[field.name], found = _checked(table, schema, f"{origin} ({field.name})")
            problems += found
        known = set(self.units.get("unit_id", pd.Series(dtype="str")))
        for name in ("process", "outcomes", "context"):
            for unit in sorted(set(getattr(self, name).get("unit_id", ())) - known, key=str):
                problems.append(Problem(f"{origin} ({name})", 0, "unit_id", str(unit), "is not a unit in `units`"))
        if problems:
            raise InputError(problems)
        return CanonicalTables(**checked)


def overview(tables: CanonicalTables) -> pd.DataFrame:
    """Summarise the canonical tables for a reader.

    Returns
    -------
    One row per table: rows, units, indicators or variables, first and last day that its dates may mean, and rows
    without a date.
    """
    rows = []
    for field in fields(tables):
        table = getattr(tables, field.name)
        start, end = ("launched_start", "launched_end") if field.name == "units" else ("start", "end")
        kind = next((c for c in ("indicator", "variable") if c in table), None)
        rows.append(
            {
                "table": field.name,
                "rows": len(table),
                "units": table["unit_id"].nunique(),
                "indicators": table[kind].nunique() if kind else None,
                "first day": table[start].min(),
                "last day": table[end].max(),
                "undated rows": int(table[start].isna().sum()),
            }
        )
    return pd.DataFrame(rows).set_index("table").astype({"indicators": "Int64"})


SCHEMAS = {
    "units": UNITS,
    "process": PROCESS,
    "outcomes": OUTCOMES,
    "context": CONTEXT,
    "engagement": ENGAGEMENT,
    "change": CHANGE,
}

KEYS: dict[str, list[str]] = {name: list(schema.unique) for name, schema in SCHEMAS.items()}
KEYS["analysis"] = ["outcome", "unit_id", "period"]
"""Primary key of every table that the first four notebooks save."""


def _checked(table: pd.DataFrame, schema: Any, origin: str) -> tuple[pd.DataFrame, list[Problem]]:
    try:
        valid = schema.validate(table.reset_index(drop=True), lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases.drop_duplicates(["column", "check", "failure_case", "index"])
        return table, [
            Problem(
                origin, 0, str(case.column), str(case.failure_case), f"row {case.index} breaks the rule {case.check}"
            )
            for case in cases.itertuples()
        ]
    return valid.sort_values(schema.unique, kind="stable", ignore_index=True), []


def checked(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Check one table against its schema and sort it by its key.

    Raises
    ------
    InputError : rows that break a rule, all together.
    """
    valid, problems = _checked(table, SCHEMAS[name], name)
    if problems:
        raise InputError(problems)
    return valid


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write a table so that equal tables give equal bytes."""
    table.to_parquet(path, engine="pyarrow", index=False, compression="zstd")


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a table that `write_parquet` wrote."""
    return pd.read_parquet(path, engine="pyarrow")
