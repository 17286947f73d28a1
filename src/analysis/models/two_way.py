"""What two-way fixed effects say of staggered adoption, and what that averages."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analysis.models.design_matrix import NotEstimableError
from analysis.models.estimates import NAN
from analysis.models.fixed_effects import Effects
from analysis.models.staggered import quietly
from analysis.models.staggered_panel import NEVER, Panel
from analysis.models.vcov import crv1, least_squares


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
    from diff_diff import BaconDecomposition, SurveyDesign  # type: ignore[import-untyped]

    if panel.n_missing:
        raise NotEstimableError(f"{panel.n_missing} unit-periods are missing, and the decomposition needs all of them")
    weighted = panel.rows.assign(total=panel.rows["weight"] * panel.rows["y"])
    cells = weighted.groupby(["cohort", "period"])[["total", "weight"]].sum().reset_index()
    # All units of a cohort are alike to the decomposition: its mean, with their weight, stands for them.
    cells = cells.assign(y=cells["total"] / cells["weight"], unit=cells["cohort"])
    columns = {"outcome": "y", "unit": "unit", "time": "period", "first_treat": "cohort"}
    found = quietly(lambda: BaconDecomposition().fit(cells, survey_design=SurveyDesign(weights="weight"), **columns))
    pairs = found.to_dataframe()[["treated_group", "control_group", "comparison_type", "estimate", "weight"]]
    forbidden = pairs["comparison_type"] == "later_vs_earlier"
    means = [
        float(np.average(part["estimate"], weights=part["weight"])) if len(part) else NAN
        for part in (pairs[~forbidden], pairs[forbidden])
    ]
    weight = float(pairs.loc[forbidden, "weight"].sum())
    return Comparisons(means[0], float(pairs.loc[~forbidden, "weight"].sum()), means[1], weight, pairs)
