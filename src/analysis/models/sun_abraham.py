"""The interaction-weighted estimator of Sun and Abraham, fitted cohort by cohort."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.models.design_matrix import NotEstimableError
from analysis.models.staggered import Found, Rules
from analysis.models.staggered_panel import NEVER, Panel

Floats = NDArray[np.float64]


def sun_abraham(panel: Panel, rules: Rules) -> Found:
    """Regress on unit and period effects and an effect of each cohort in each period but its reference, and average.

    Cohorts are compared with the units that are never exposed, or, where there are none, with the last cohort in the
    periods before its exposure. As every cohort has an effect of its own in every other period, period effects rest on
    the units compared with alone, and the regression falls apart into one for each cohort, on its own unit and period
    effects; thousands of columns are never put side by side.

    Returns
    -------
    Averages over cohorts by their share of the exposed unit-periods. Clustered errors (CR1) take these shares as known.

    References
    ----------
    Sun and Abraham (2021), Estimating dynamic treatment effects in event studies with heterogeneous treatment effects,
    Journal of Econometrics 225(2), eq. 23 to 27.
    """
    rows = panel.rows
    control = NEVER
    if (rows["cohort"] != NEVER).all():
        control = int(rows["cohort"].max())
        rows = rows[rows["period"] < control - rules.anticipation]
    base, base_scores = _period_effects(rows[rows["cohort"] == control], panel.n_clusters)
    cells, scores, left_out, columns = [], [], 0, len(base) - 1
    for cohort in sorted({*rows["cohort"]} - {control}):
        own = rows[rows["cohort"] == cohort]
        effects, own_scores = _period_effects(own, panel.n_clusters)
        reference = cohort + rules.reference
        if reference not in effects.index or reference not in base.index:
            left_out += 1
            continue
        shared = sorted({*effects.index} & {*base.index} - {reference})
        columns += len(effects) - 1
        size = own.groupby("period")["weight"].sum()
        for period in shared:
            change = effects[period] - effects[reference] - (base[period] - base[reference])
            score = own_scores[period] - own_scores[reference] - (base_scores[period] - base_scores[reference])
            cells.append((cohort, period, change, float(size[period])))
            scores.append(score)
    if not cells:
        raise NotEstimableError("no cohort is observed in its reference period together with units to compare with")
    n, clusters = len(rows), panel.n_clusters
    factor = clusters / (clusters - 1) * (n - 1) / max(n - columns - 1, 1)
    influence = np.column_stack(scores) * np.sqrt(factor)
    table = pd.DataFrame(cells, columns=["cohort", "period", "estimate", "size"])
    table["std_error"] = np.sqrt((influence**2).sum(axis=0))
    note = f"{left_out} cohorts are not observed in their reference period and left out" if left_out else ""
    return _averaged(table, influence, rules, note)


def _averaged(cells: pd.DataFrame, influence: Floats, rules: Rules, note: str) -> Found:
    event = cells["period"] - cells["cohort"]
    times = sorted(event.unique())
    shares = np.column_stack([np.where(event == e, cells["size"], 0.0) for e in times])
    shares = shares / shares.sum(axis=0)
    after = np.where(event >= 0, cells["size"], 0.0)
    if not after.any():
        raise NotEstimableError("no cohort is compared with others after its exposure")
    overall = after / after.sum()
    spread = influence @ shares
    covariance = spread.T @ spread
    events = pd.DataFrame(
        {
            "estimate": shares.T @ cells["estimate"].to_numpy(),
            "std_error": np.sqrt(np.diag(covariance)),
            "cohorts": (shares > 0).sum(axis=0).astype("float64"),
        },
        index=pd.Index(times, name="event_time"),
    )
    events.loc[rules.reference] = [0.0, np.nan, np.nan]
    return Found(
        float(overall @ cells["estimate"].to_numpy()), float(np.sqrt(((influence @ overall) ** 2).sum())),
        events.sort_index(), pd.DataFrame(covariance, index=times, columns=times), cells.drop(columns="size"), note,
    )  # fmt: skip


def _period_effects(rows: pd.DataFrame, n_clusters: int) -> tuple[pd.Series, dict[int, Floats]]:
    """Fit unit and period effects of some units by weighted least squares.

    Returns
    -------
    Effect of each period, the first one 0, and what each cluster contributes to its error, (n_clusters,) by period.
    """
    periods = np.sort(rows["period"].unique())
    unit = pd.factorize(rows["unit"], sort=True)[0]
    weight = rows["weight"].to_numpy("float64")
    dummies = (rows["period"].to_numpy()[:, None] == periods[None, 1:]).astype("float64")
    columns = np.column_stack([rows["y"].to_numpy("float64"), dummies])
    total = np.bincount(unit, weight)
    means = np.column_stack([np.bincount(unit, weight * column) / total for column in columns.T])
    demeaned = columns - means[unit]
    y, x = demeaned[:, 0], demeaned[:, 1:]
    inverse = np.linalg.pinv(x.T @ (weight[:, None] * x), hermitian=True)
    effects = inverse @ (x.T @ (weight * y))
    residuals = weight * (y - x @ effects)
    cluster = rows["cluster"].to_numpy()
    scores: Floats = np.zeros((n_clusters, 0))
    if len(periods) > 1:
        sums = [np.bincount(cluster, residuals * column, minlength=n_clusters) for column in x.T]
        scores = np.column_stack(sums).astype("float64") @ inverse
    found: dict[int, Floats] = {int(periods[0]): np.zeros(n_clusters)}
    found |= {int(period): scores[:, i] for i, period in enumerate(periods[1:])}
    return pd.Series([0.0, *effects], index=[int(period) for period in periods]), found
