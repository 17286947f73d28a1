"""Fitting the linear form of a model again, with other rows or values."""

from __future__ import annotations

from typing import Any

from analysis.models.design_matrix import DesignMatrix, NotEstimableError
from analysis.models.linear import fitted
from analysis.models.usable_rows import usable_rows


def linear_estimate(data: DesignMatrix, term: str) -> tuple[dict[str, Any], float]:
    """Fit a linear model by least squares, with the fixed effects, weights and errors that it declares.

    Returns
    -------
    The estimate of a term with its error, test and interval, and the numbers of rows, units and clusters, as fields of
    `analysis.models.estimates.Estimate`; and the degrees of freedom of its t distribution.

    Raises
    ------
    NotEstimableError : as `analysis.models.linear.lpm`, or the term is not a regressor in these rows.
    """
    rows = usable_rows(data)
    if term not in rows.names:
        raise NotEstimableError(f"{term} is not a regressor in these rows")
    coefficients, _, variance = fitted(rows)
    position = rows.names.index(term)
    numbers = {
        "estimate": float(coefficients[position]),
        **variance.inference(coefficients)[position],
        "n_obs": len(rows.y),
        "n_units": rows.data.n_units,
        "n_clusters": variance.n_clusters,
        "vcov": variance.name,
    }
    return numbers, float(variance.df[position])
