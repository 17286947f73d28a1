"""Average marginal effects of a logit, with their gradients for the delta method."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from analysis.models.formulas import INTERCEPT

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MarginalEffect:
    """The average marginal effect of one regressor.

    Attributes
    ----------
    estimate : in probability.
    gradient : (k,) its derivatives by the coefficients.
    """

    term: str
    estimate: float
    gradient: Floats


def average_marginal_effects(x: pd.DataFrame, beta: Floats, weights: Floats | None) -> Iterator[MarginalEffect]:
    """Average the effect of every regressor that is not an interaction over the rows.

    Parameters
    ----------
    x : (n, k) with the names of a formula's design matrix: ``a``, ``b[T.level]``, ``a:b[T.level]``.
    beta : (k,) log odds ratios.
    weights : (n,) of the rows, or None.

    Yields
    ------
    Discrete differences for columns of zeros and ones (a factor's other dummies at 0), slopes for all others.
    Interactions of the regressor move with it; none where one of them has a part that has no column of its own.
    """
    for term in map(str, x.columns):
        if term == INTERCEPT or ":" in term or not _rebuildable(x, term):
            continue
        if set(np.unique(x[term])) <= {0.0, 1.0}:
            high, low = (_at(x, term, value).to_numpy() for value in (1.0, 0.0))
            chances = expit(high @ beta), expit(low @ beta)
            slopes = [(chance * (1 - chance))[:, None] for chance in chances]
            effect, gradient = chances[0] - chances[1], slopes[0] * high - slopes[1] * low
        else:
            values = x.to_numpy()
            chance = expit(values @ beta)
            slope = chance * (1 - chance)
            moved = (_at(x, term, 1.0) - _at(x, term, 0.0)).to_numpy()
            along = moved @ beta
            effect = slope * along
            gradient = (slope * (1 - 2 * chance) * along)[:, None] * values + slope[:, None] * moved
        yield MarginalEffect(
            term, float(np.average(effect, weights=weights)), np.average(gradient, axis=0, weights=weights)
        )


def _family(column: str) -> str:
    """Name the factor that a dummy is of, or the column itself."""
    return re.sub(r"\[[^\]]*\]$", "", column)


def _rebuildable(x: pd.DataFrame, term: str) -> bool:
    """Say whether all parts of the interactions of a term's factor are columns."""
    own = _family(term)
    parts = [str(c).split(":") for c in x.columns if ":" in str(c)]
    return all(part in x.columns for some in parts if own in map(_family, some) for part in some)


def _at(x: pd.DataFrame, term: str, value: float) -> pd.DataFrame:
    """Set a regressor to a value in all rows: its factor's other dummies to 0, its interactions to what they become."""
    own = _family(term)
    found = x.assign(**{str(c): 0.0 for c in x.columns if _family(str(c)) == own and "[" in term})
    found[term] = value
    for column in map(str, x.columns):
        parts = column.split(":")
        if len(parts) > 1 and own in map(_family, parts):
            found[column] = found[parts].prod(axis=1)
    return found
