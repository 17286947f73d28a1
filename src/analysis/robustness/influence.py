"""How much single units move an estimate, in its own standard errors."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.models.batched import fit_outcomes
from analysis.models.estimates import Estimate
from analysis.robustness.targets import Target


def influence(target: Target, left_out: pd.DataFrame) -> list[Estimate]:
    """Measure what every unit adds to a target's estimate (DFBETA).

    Parameters
    ----------
    left_out : the estimate without each unit, from `analysis.robustness.leave_one_out`.

    Returns
    -------
    Rows ``<model>:influence``: the largest DFBETA, which is the estimate less the one without the unit; the same in
    standard errors of the estimate; and the share of units beyond 2/√n of those, the usual mark. A unit without which
    nothing can be estimated is not counted, and the note says so.

    References
    ----------
    Belsley, Kuh and Welsch (1980), Regression diagnostics, ch. 2.
    """
    units = left_out[left_out["left_out"] == "unit"]
    fit = fit_outcomes(target.y[:, None], target.x, target.focal, target.clusters, target.absorb)
    moved = fit.estimate[0] - units["estimate"].to_numpy(np.float64)
    if not np.isfinite(moved).any():
        return [target.estimate("influence", "dfbeta", "", "not estimable: the estimate rests on each unit")]
    largest = int(np.nanargmax(np.abs(moved)))
    in_errors = moved / fit.std_error[0]
    known = np.isfinite(moved)
    beyond = float((np.abs(in_errors[known]) > 2 / np.sqrt(len(units))).mean())
    lost = int((~known).sum())
    note = f"unit {units['id'].iloc[largest]}" + (f"; not estimable without {lost} units" if lost else "")
    described = {
        "dfbeta": ("what the most influential unit adds to the estimate", float(moved[largest])),
        "dfbetas": ("what the most influential unit adds, in standard errors", float(in_errors[largest])),
        "share_beyond": ("share of units that move the estimate by more than 2/√n standard errors", beyond),
    }
    return [
        target.estimate("influence", what, estimand, note, estimate=value, vcov=target.vcov)
        for what, (estimand, value) in described.items()
    ]
