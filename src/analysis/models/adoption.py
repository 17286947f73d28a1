"""Who becomes exposed when: from a study's analysis table to the panel of an event study (notebook 06)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.dates import numbered
from analysis.models.design_matrix import NotEstimableError, design_matrix, sample
from analysis.models.formulas import INTERCEPT, outcome_of, regressors_of
from analysis.models.staggered_panel import Panel, staggered_panel
from analysis.models.vcov import few_clusters
from analysis.study.pipeline import models_of
from analysis.study.spec import EventStudy, Model, Study


@dataclass(frozen=True)
class Adoption:
    """Who becomes exposed when, in the rows that a model compares.

    Attributes
    ----------
    panel : as the estimators see it.
    periods : name of each period, by its number.
    outcome, exposure, cluster : names.
    note : rows and unit-periods that are missing, units left out.
    """

    panel: Panel
    periods: dict[int, str]
    outcome: str
    exposure: str
    cluster: str
    note: str


def adoption(study: Study, name: str, table: pd.DataFrame) -> Adoption:
    """Return who becomes exposed when in a model of the design event_study, to be looked at.

    Parameters
    ----------
    name : of the model.
    table : the analysis table.

    Raises
    ------
    NotEstimableError : as in `event_study`.
    """
    model = study.models[name]
    return adoption_in(study, model, model.event_study or EventStudy(), sample(study, model, table, None, "strict"))


def adoptions(study: Study, table: pd.DataFrame) -> dict[str, Adoption]:
    """Return who becomes exposed when, by model, in those of the design event_study whose panel can be compared."""
    found = {}
    for name in models_of(study, "06_event_study"):
        with suppress(NotEstimableError):
            found[name] = adoption(study, name, table)
    return found


def first_exposed(rows: pd.DataFrame, exposure: str) -> pd.Series:
    """Return the number of the first exposed period of each unit, missing without one, indexed by `unit_id`.

    Parameters
    ----------
    rows : unit_id, period and the exposure, 0 or 1.

    Raises
    ------
    NotEstimableError : another value, or an exposure that ends again; the message names unit and period.
    """
    known = rows[["unit_id", "period", exposure]].dropna()
    if known.empty:
        raise NotEstimableError(f"{exposure} is missing in all rows")
    unit, units = pd.factorize(known["unit_id"], sort=True)
    number = numbered(known["period"]).to_numpy("int64")
    order = np.lexsort((number, unit))
    known, unit, number = known.iloc[order], unit[order], number[order]
    value = known[exposure].to_numpy("float64")
    other = np.flatnonzero((value != 0) & (value != 1))
    if len(other):
        name, period, found = known.iloc[other[0]]
        raise NotEstimableError(f"{exposure} is {found:g} for {name} in {period}; an event study needs 0 or 1")
    ended = 1 + np.flatnonzero((unit[1:] == unit[:-1]) & (value[1:] < value[:-1]))
    if len(ended):
        name, period, _ = known.iloc[ended[0]]
        raise NotEstimableError(
            f"{exposure} ends again in {len(ended)} unit-periods, the first {name} in {period}; an event study needs "
            "exposure that stays (`transform: present` with `window: all`)"
        )
    if not value.any():
        raise NotEstimableError(f"no unit is ever exposed: {exposure} is 0 in all {len(known)} rows")
    first = pd.Series(number[value == 1]).groupby(unit[value == 1]).min().reindex(range(len(units)))
    return first.set_axis(pd.Index(units, name="unit_id"))


def adoption_in(study: Study, model: Model, spec: EventStudy, rows: pd.DataFrame) -> Adoption:
    """Return who becomes exposed when in some rows of the analysis table, as `sample` gives them."""
    outcome = outcome_of(model.formula)
    exposure = next(name for name in regressors_of(model.formula) if name in study.exposures)
    cohort = first_exposed(rows, exposure)
    data = design_matrix(study, model, rows)
    used = rows.loc[data.y.index]
    covariates = data.x.drop(columns=[exposure, INTERCEPT], errors="ignore")
    coded = covariates.set_axis([f"x{i}" for i in range(covariates.shape[1])], axis=1)
    number = numbered(used["period"])
    given = coded.assign(
        unit=used["unit_id"], period=number, cohort=used["unit_id"].map(cohort), y=data.y,
        cluster=used["unit_id"] if data.cluster is None else data.cluster,
        weight=1.0 if data.weights is None else data.weights,
    )  # fmt: skip
    panel = staggered_panel(given, tuple(map(str, coded.columns)), spec.anticipation)
    notes = [data.note, *panel.notes]
    if panel.n_missing:
        cells = len(panel.rows) + panel.n_missing
        notes.append(
            f"{panel.n_missing:,} of {cells:,} unit-periods are missing; a unit is compared over the periods it has"
        )
    if panel.n_always:
        notes.append(f"{panel.n_always} units are left out, as they are exposed from the first period they have")
    name = "unit_id" if data.clusters is None else str(data.clusters.columns[0])
    notes.append(few_clusters(panel.rows[["cluster"]].set_axis([name], axis=1)))
    periods = dict(zip(number, used["period"], strict=True))
    return Adoption(panel, periods, outcome, exposure, name, "; ".join(filter(None, notes)))
