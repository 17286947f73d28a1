"""What two-way fixed effects say of staggered adoption, and what that averages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.models.design_matrix import NotEstimableError
from analysis.models.estimates import NAN
from analysis.models.fixed_effects import Effects
from analysis.models.staggered_panel import NEVER, Panel
from analysis.models.vcov import crv1, least_squares

Floats = NDArray[np.float64]


def twfe(panel: Panel) -> tuple[float, float]:
    """Return the coefficient of exposure beside unit and period effects, and its standard error (CRV1).

    It is what many studies report, and a mean effect only if effects neither differ nor change over time.
    """
    rows = panel.rows
    exposed = ((rows["cohort"] != NEVER) & (rows["period"] >= rows["cohort"])).to_numpy("float64")
    weights = rows["weight"].to_numpy("float64")
    effects = Effects.of(rows[["unit", "period"]])
    root = np.sqrt(weights)[:, None]
    columns = root * effects.remove(np.column_stack([rows["y"], exposed]), weights)
    coefficients, fit = least_squares(columns[:, 0], columns[:, 1:], effects, weights)
    found = crv1(fit, "cluster", rows["cluster"].to_numpy("int64"))
    return float(coefficients[0]), float(found.std_error[0])


@dataclass(frozen=True)
class Comparisons:
    """What a two-way fixed effects coefficient averages: mean effect and weight of each kind of comparison."""

    clean: float
    clean_weight: float
    forbidden: float
    forbidden_weight: float
    pairs: pd.DataFrame = field(repr=False)


def bacon(panel: Panel) -> Comparisons:
    """Take `twfe` apart into comparisons of two cohorts, clean ones and forbidden ones.

    Clean ones compare with units that are unexposed; forbidden ones with units that have been exposed before, whose
    effect, where it changes, counts as if it were a trend.

    Raises
    ------
    NotEstimableError : the panel is not balanced.

    References
    ----------
    Goodman-Bacon (2021), Journal of Econometrics 225(2), theorem 1.
    """
    if panel.n_missing:
        raise NotEstimableError(f"{panel.n_missing} unit-periods are missing, and the decomposition needs all of them")
    rows = panel.rows
    periods, period = np.unique(rows["period"], return_inverse=True)
    cohorts, cohort = np.unique(rows["cohort"], return_inverse=True)
    weight = rows["weight"].to_numpy("float64")
    size = np.bincount(cohort, weight) / weight.sum()
    shape = (len(cohorts), len(periods))
    cell = np.ravel_multi_index((cohort, period), shape)
    total = np.bincount(cell, weight * rows["y"].to_numpy("float64"), shape[0] * shape[1])
    mean = (total / np.bincount(cell, weight, shape[0] * shape[1])).reshape(shape)
    pairs = pd.DataFrame(
        _pair(mean, size, periods, cohorts, i, j)
        for i in map(int, np.flatnonzero(cohorts != NEVER))
        for j in range(len(cohorts))
        if i != j
    )
    pairs["weight"] /= pairs["weight"].sum()
    means, weights = [], []
    for some in (pairs[~pairs["forbidden"]], pairs[pairs["forbidden"]]):
        means.append(float(np.average(some["estimate"], weights=some["weight"])) if len(some) else NAN)
        weights.append(float(some["weight"].sum()))
    return Comparisons(means[0], weights[0], means[1], weights[1], pairs)


def _pair(mean: Floats, size: Floats, periods: Floats, cohorts: Floats, exposed: int, other: int) -> dict[str, Any]:
    """Compare a cohort with another over the periods in which that one does not become exposed: estimate and weight.

    Parameters
    ----------
    mean : (cohorts, periods) of the outcome.
    size : (cohorts,) share of the units.
    exposed, other : positions of the cohort whose exposure changes, and of the one whose does not.
    """
    start, limit = cohorts[exposed], cohorts[other]
    forbidden = limit != NEVER and limit < start
    inside = periods >= limit if forbidden else (periods < limit if limit != NEVER else np.ones(len(periods), bool))
    after = periods[inside] >= start
    change = mean[:, inside][:, after].mean(axis=1) - mean[:, inside][:, ~after].mean(axis=1)
    both, late = size[exposed] + size[other], after.mean()
    share = size[exposed] / both
    # Variance of the exposure in these units and periods, by the square of their share of all (eq. 7 and 10).
    weight = (both * inside.mean()) ** 2 * share * (1 - share) * late * (1 - late)
    return {
        "cohort": start, "other": limit, "forbidden": forbidden,
        "estimate": change[exposed] - change[other], "weight": weight,
    }  # fmt: skip
