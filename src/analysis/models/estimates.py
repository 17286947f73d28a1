"""The one estimates table that notebooks, verdicts and reports read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

import pandas as pd
import pandera.pandas as pa

from analysis.errors import InputError, Problem

_TEXT = pa.Column("str", coerce=True)
_NUMBER = pa.Column("float64", coerce=True, nullable=True)
_WHOLE = pa.Column("Int64", coerce=True, nullable=True)

ESTIMATES = pa.DataFrameSchema(
    {
        "study": _TEXT,
        "model": _TEXT,
        "hypothesis": _TEXT,
        "design": _TEXT,
        "outcome": _TEXT,
        "term": _TEXT,
        "estimand": _TEXT,
        "estimate": _NUMBER,
        "std_error": _NUMBER,
        "statistic": _NUMBER,
        "p_value": pa.Column("float64", pa.Check.in_range(0, 1), coerce=True, nullable=True),
        "ci_low": _NUMBER,
        "ci_high": _NUMBER,
        "n_obs": _WHOLE,
        "n_units": _WHOLE,
        "n_clusters": _WHOLE,
        "vcov": _TEXT,
        "seed": _WHOLE,
        "note": _TEXT,
    },
    unique=["model", "outcome", "term"],
    strict=True,
    ordered=True,
)
COLUMNS = list(ESTIMATES.columns)

NAN = float("nan")
NO_ERROR: dict[str, Any] = dict.fromkeys(["std_error", "statistic", "p_value", "ci_low", "ci_high"], NAN)
NO_NUMBERS: dict[str, Any] = {"estimate": NAN, **NO_ERROR}


@dataclass(frozen=True)
class Estimate:
    """One row of the estimates table, without the study and hypothesis that `tidy` adds.

    Attributes
    ----------
    estimand : what is estimated, with its unit, in words.
    ci_low, ci_high : the 95% interval.
    n_obs, n_units, n_clusters : rows, distinct units and clusters used; None where not applicable.
    note : what a reader must know: rows lost, separation, non-convergence, why a term is not estimable.
    """

    model: str
    design: str
    outcome: str
    term: str
    estimand: str
    estimate: float = NAN
    std_error: float = NAN
    statistic: float = NAN
    p_value: float = NAN
    ci_low: float = NAN
    ci_high: float = NAN
    n_obs: int | None = None
    n_units: int | None = None
    n_clusters: int | None = None
    vcov: str = ""
    seed: int | None = None
    note: str = ""


def tidy(rows: Iterable[Estimate], study: str, decides: dict[tuple[str, str], str] | None = None) -> pd.DataFrame:
    """Complete rows of one study to the estimates table and check it.

    Parameters
    ----------
    rows : in the order in which a reader meets them.
    study : the study's name.
    decides : hypothesis that is decided by a model and term.

    Raises
    ------
    InputError : a quantity is estimated twice, or a number is outside its range.
    """
    deciding = decides or {}
    listed = list(rows)
    table = pd.DataFrame([asdict(row) for row in listed], columns=[field.name for field in fields(Estimate)])
    table = table.assign(study=study, hypothesis=[deciding.get((row.model, row.term), "") for row in listed])
    try:
        checked: pd.DataFrame = ESTIMATES.validate(table[COLUMNS], lazy=True)
    except pa.errors.SchemaErrors as error:
        raise InputError(
            Problem(
                f"estimates of {study}", 0, str(case.column), str(case.failure_case), f"breaks the rule {case.check}"
            )
            for case in error.failure_cases.itertuples()
        ) from None
    return checked


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of an estimates table that a reader looks at first, rounded for display only."""
    columns = ["model", "outcome", "term", "estimate", "ci_low", "ci_high", "p_value", "n_obs", "vcov", "note"]
    return table[columns].round({"estimate": 3, "ci_low": 3, "ci_high": 3, "p_value": 4})
