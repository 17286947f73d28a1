"""A panel in which units become exposed at different times, checked before anything is estimated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from analysis.models.design_matrix import NotEstimableError

NEVER = 0
"""Stands for the cohort of units that are never exposed."""


@dataclass(frozen=True)
class Panel:
    """Units over consecutive periods, some of which become exposed and stay so.

    Attributes
    ----------
    rows : sorted by unit and period; unit, period, cohort (first exposed period, `NEVER` without one), y, cluster,
        weight (1 unless weighted) and the covariates. Units, clusters and periods are whole numbers.
    covariates : names of the columns that parallel trends are conditional on.
    weighted : whether weights differ.
    n_always : units that were exposed when their observation began, left out.
    n_missing : unit-periods without a row.
    notes : what a reader must know.
    units : name of each unit, by its number.
    """

    rows: pd.DataFrame
    covariates: tuple[str, ...] = ()
    weighted: bool = False
    n_always: int = 0
    n_missing: int = 0
    notes: tuple[str, ...] = ()
    units: tuple[str, ...] = ()

    @cached_property
    def cohorts(self) -> pd.Series:
        """Cohort of each unit, indexed by unit."""
        cohorts: pd.Series = self.rows.groupby("unit")["cohort"].first()
        return cohorts

    @cached_property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return int(self.rows["cluster"].nunique())


def staggered_panel(data: pd.DataFrame, covariates: tuple[str, ...] = (), anticipation: int = 0) -> Panel:
    """Check a panel and code it for the estimators.

    Parameters
    ----------
    data : one row per unit and period: unit, period (whole numbers), cohort (first exposed period; `NEVER` or missing
        without one), y, and where wanted cluster, weight and the covariates. Unit-periods may be missing. A weight that
        changes over time is taken from the unit's first period, so that exposure cannot have changed it.

    Raises
    ------
    NotEstimableError : missing values, a unit twice in a period, a cohort or cluster that changes within a unit, a
        weight that is not above 0, no exposed or no unexposed unit, exposure from the start for all exposed, one
        cluster, a period in which no unit is observed, or an outcome that does not vary. The message says where, and
        what to do.
    """
    given = data.assign(
        cohort=data["cohort"].fillna(NEVER).astype("int64"),
        cluster=data.get("cluster", data["unit"]),
        weight=data.get("weight", 1.0),
    )
    used = ["unit", "period", "y", "cluster", "weight", *covariates]
    _refuse_missing(given, used)
    # Numbers sort and group many times as fast as names.
    (unit, units), (cluster, _) = (pd.factorize(given[name], sort=True) for name in ("unit", "cluster"))
    given = given.assign(unit=unit, cluster=cluster)
    _refuse_malformed(given, units)
    rows = given[[*used, "cohort"]].sort_values(["unit", "period"], kind="stable", ignore_index=True)
    exposed = rows["cohort"] != NEVER
    if not exposed.any():
        raise NotEstimableError("no unit is ever exposed")
    seen = rows.groupby("unit")["period"].transform("min")
    always = exposed & (rows["cohort"] <= seen + anticipation)
    n_always = int(rows.loc[always, "unit"].nunique())
    if not (exposed & ~always).any():
        raise NotEstimableError(
            f"all {n_always} exposed units are exposed from their first period on, so that nothing is seen before it; "
            "begin the panel earlier"
        )
    rows = rows[~always]
    absent = {*range(int(rows["period"].min()), int(rows["period"].max()) + 1)} - {*rows["period"]}
    if absent:
        raise NotEstimableError(
            f"no unit is observed in {len(absent)} of the periods between the first and the last; "
            "event time needs consecutive periods"
        )
    # A unit whose exposure begins after the panel ends is one that is not exposed in it.
    rows = rows.assign(cohort=rows["cohort"].where(rows["cohort"] <= rows["period"].max(), NEVER))
    _refuse_uncomparable(rows)
    codes, left = pd.factorize(rows["unit"], sort=True)
    rows = rows.assign(unit=codes, cluster=pd.factorize(rows["cluster"], sort=True)[0])
    n_missing = rows["unit"].nunique() * rows["period"].nunique() - len(rows)
    fixed = rows.groupby("unit")["weight"].transform("first")
    notes = ("weights change over time; those of each unit’s first period are used",)
    return Panel(
        rows.assign(weight=fixed).reset_index(drop=True), covariates, bool((fixed != fixed.iloc[0]).any()),
        n_always, n_missing, notes if (fixed != rows["weight"]).any() else (), tuple(map(str, units[left])),
    )  # fmt: skip


def _refuse_missing(given: pd.DataFrame, used: list[str]) -> None:
    missing = [f"{int(given[name].isna().sum())} without {name}" for name in used if given[name].isna().any()]
    if missing:
        raise NotEstimableError(f"missing values in {len(given)} rows: {', '.join(missing)}; leave those rows out")


def _refuse_malformed(given: pd.DataFrame, units: pd.Index) -> None:
    """Refuse a panel that contradicts itself; `units` are the names that the unit's numbers stand for."""
    if not (given["weight"] > 0).all():
        raise NotEstimableError(f"{int((given['weight'] <= 0).sum())} weights are 0 or less; leave those rows out")
    if given.duplicated(["unit", "period"]).any():
        twice = given[given.duplicated(["unit", "period"])].iloc[0]
        raise NotEstimableError(
            f"unit {units[int(twice['unit'])]} has more than one row in period {twice['period']:.0f}"
        )
    for name in ("cohort", "cluster"):
        changing = (given[name] != given.groupby("unit")[name].transform("first")).groupby(given["unit"]).any()
        if changing.any():
            first = units[int(changing.argmax())]
            raise NotEstimableError(
                f"{name} changes over time within {int(changing.sum())} units, the first {first}; it must be fixed"
            )


def _refuse_uncomparable(rows: pd.DataFrame) -> None:
    cohorts = rows["cohort"].unique()
    if (cohorts == NEVER).all():
        raise NotEstimableError("no unit becomes exposed while the panel lasts")
    if len(cohorts) < 2:
        raise NotEstimableError(
            "all units are exposed from the same period on, so that none are left to compare with; add unexposed ones"
        )
    if rows["y"].nunique() < 2:
        raise NotEstimableError(f"no variation: the outcome is {rows['y'].iloc[0]:g} in all {len(rows)} rows")
    if rows["cluster"].nunique() < 2:
        raise NotEstimableError("all units are in one cluster, so that errors cannot be clustered; leave `cluster` out")
