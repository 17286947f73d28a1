"""Formulas, each parsed once, and the columns that they make of rows."""

from __future__ import annotations

from functools import cache, reduce

import numpy as np
import pandas as pd
from formulaic import Formula, model_matrix
from formulaic.parser.types import Factor

INTERCEPT = "Intercept"


@cache
def parsed(formula: str) -> Formula:
    """Parse a formula; the same object for the same text, which nobody may change."""
    return Formula(formula)


@cache
def outcome_of(formula: str) -> str:
    """Return the name of a formula's outcome."""
    return str(parsed(formula).lhs).strip()


@cache
def regressors_of(formula: str) -> tuple[str, ...]:
    """Return the names of the columns that a formula's regressors are made from, sorted."""
    return tuple(sorted(map(str, parsed(formula).rhs.required_variables)))


def columns_of(formula: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Make the regressors of a formula, or of its right side alone, in formulaic's order and by its names.

    Parameters
    ----------
    rows : (n, k) without missing values in the columns that the formula uses.

    Returns
    -------
    (n, r), with a column of ones, `INTERCEPT`, unless the formula leaves it out.
    """
    products = _products(formula)
    if products is None or not all(_is_number(rows[name]) for _, names in products for name in names):
        found = parsed(formula)
        return pd.DataFrame(model_matrix(getattr(found, "rhs", found), rows, na_action="raise"))
    # Nothing but numbers is encoded, so that formulaic's machinery, a hundred times slower, would add nothing.
    values = {name: rows[name].to_numpy() for _, names in products for name in names}
    columns = {term: reduce(np.multiply, (values[n] for n in names), np.ones(len(rows))) for term, names in products}
    return pd.DataFrame(columns, index=rows.index)


@cache
def _products(formula: str) -> tuple[tuple[str, tuple[str, ...]], ...] | None:
    """Return each term's name and the columns that it multiplies; None where a term does more than that."""
    found = parsed(formula)
    products = []
    for term in getattr(found, "rhs", found):
        factors = [factor for factor in term.factors if factor.expr != "1"]
        if any(factor.eval_method is not Factor.EvalMethod.LOOKUP for factor in factors):
            return None
        names = tuple(str(factor.expr) for factor in factors)
        products.append((":".join(names) or INTERCEPT, names))
    return tuple(products)


def _is_number(column: pd.Series) -> bool:
    return isinstance(column.dtype, np.dtype) and column.dtype.kind in "fiu"
