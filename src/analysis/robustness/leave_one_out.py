"""Whether one unit, or one cluster, carries an estimate."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.models.batched import Fits, Flags, codes, fit_exposures, leave_groups_out
from analysis.models.estimates import Estimate
from analysis.robustness.targets import Target, cluster_codes, number_of_clusters, vcov_name

MOST_UNITS = 2_500
"""Of more units than these no single one carries an estimate: only whole clusters are left out."""


def leave_one_out(target: Target) -> tuple[list[Estimate], pd.DataFrame]:
    """Estimate a target without each unit, if there are not too many, and without each cluster, in turn.

    Returns
    -------
    Rows for the smallest and the largest estimate so found, refitted with their errors, and the one that moves the
    estimate most, each with a note that names what was left out; and the table of all: `left_out` (unit or cluster),
    `id`, `estimate`.
    """
    rows: list[Estimate] = []
    tables: list[pd.DataFrame] = []
    groupings = {}
    clustered = target.cluster is not None and target.cluster != "unit_id"
    if target.data.n_units <= MOST_UNITS or not clustered:
        groupings["unit"] = target.complete["unit_id"]
    if target.cluster is not None and clustered:
        groupings[target.cluster] = target.complete[target.cluster]
    full = _fit(target, np.ones(len(target.y), dtype=np.bool_)).estimate[0]
    for kind, labels in groupings.items():
        names = np.unique(labels.astype("str").to_numpy(dtype="str"))
        estimates = leave_groups_out(target.x, target.y, target.focal, codes(labels.astype("str")), target.absorb)
        for position in map(int, np.flatnonzero(np.isnan(estimates))):
            # A covariate's only unit took that covariate with it; the rest of the model stands.
            estimates[position] = _fit(target, (labels != names[position]).to_numpy()).estimate[0]
        tables.append(pd.DataFrame({"left_out": kind, "id": names, "estimate": estimates}))
        if np.isnan(estimates).all():
            continue
        lost = int(np.isnan(estimates).sum())
        note = f"not estimable without {lost} of {len(names)}" if lost else ""
        extremes = {
            "min": int(np.nanargmin(estimates)),
            "max": int(np.nanargmax(estimates)),
            "most_influential": int(np.nanargmax(np.abs(estimates - full))),
        }
        what = "unit" if kind == "unit" else "cluster"
        for name, extreme in extremes.items():
            rows.append(_refit(target, f"{name}_without_{what}", str(kind), names[extreme], note))
    return rows, pd.concat(tables, ignore_index=True)


def _refit(target: Target, what: str, kind: str, name: str, note: str) -> Estimate:
    labels = target.complete["unit_id" if kind == "unit" else kind].astype("str")
    kept = (labels != name).to_numpy()
    clusters = None if target.data.cluster is None else target.data.cluster[kept]
    fit = _fit(target, kept)
    low, high = fit.interval()
    return target.estimate(
        "leave_one_out",
        what,
        target.unit,
        note="; ".join(filter(None, (f"without {kind} {name}", note))),
        estimate=float(fit.estimate[0]),
        std_error=float(fit.std_error[0]),
        statistic=float(fit.statistic[0]),
        p_value=float(fit.p_value[0]),
        ci_low=float(low[0]),
        ci_high=float(high[0]),
        n_obs=int(kept.sum()),
        n_units=int(target.complete["unit_id"][kept].nunique()),
        n_clusters=number_of_clusters(clusters),
        vcov=vcov_name(clusters, target.absorb),
    )


def _fit(target: Target, kept: Flags) -> Fits:
    clusters = None if target.data.cluster is None else target.data.cluster[kept]
    covariates = np.delete(target.x, target.focal, axis=1)[kept]
    absorb = None if target.absorb is None else target.absorb.keep(kept)
    exposure = target.x[kept][:, [target.focal]]
    return fit_exposures(exposure, target.y[kept], covariates, cluster_codes(clusters), absorb)
