"""Checks of an event study's estimate: dates of adoption exchanged between units, units and cohorts left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from zlib import crc32

import numpy as np
import pandas as pd

from analysis.models.adoption import Adoption, adoption_in
from analysis.models.design_matrix import NotEstimableError
from analysis.models.estimates import Estimate
from analysis.models.event_study import ADJUSTED, event_study
from analysis.models.staggered import Rules
from analysis.models.staggered_panel import NEVER
from analysis.robustness.cohort_means import Codes, CohortMeans
from analysis.robustness.permutation import TIE, permutations
from analysis.robustness.targets import Probe, probes
from analysis.study.spec import EventStudy, Study

DESIGN = "event_study"
TERMS = ("average", "overall")
_SAME = 1e-8


def adoption_checks(study: Study, table: pd.DataFrame, draws: int, seed: int) -> Iterator[Estimate]:
    """Probe the estimates of event studies that decide hypotheses.

    Parameters
    ----------
    table : the analysis table.
    draws : permutations of the dates of adoption.
    seed : of the draws.

    Returns
    -------
    Rows ``<model>:randomisation`` and ``:leave_one_out``; one row that says why, where the estimate is not that of
    Callaway and Sant'Anna without covariates.

    References
    ----------
    Athey and Imbens (2022), Design-based analysis in difference-in-differences settings with staggered adoption: dates
    of adoption as what chance assigns.
    """
    for probe in probes(study, table, (DESIGN,)):
        try:
            yield from _checks(probe, draws, seed)
        except NotEstimableError as error:
            yield probe.without_numbers(error)


def _checks(probe: Probe, draws: int, seed: int) -> Iterator[Estimate]:
    spec = probe.model.event_study or EventStudy()
    if probe.term not in TERMS:
        raise NotEstimableError(f"only {' and '.join(TERMS)} are probed")
    adoption = adoption_in(probe.study, probe.model, spec, probe.rows)
    panel = _panel(adoption, spec)
    own = next(
        row for row in event_study(probe.study, probe.model, probe.rows, probe.model_id) if row.term == probe.term
    )
    observed = panel.effect(probe.term, panel.totals(panel.cohorts))
    if own.estimate is None or not np.isclose(observed, own.estimate, rtol=_SAME, atol=_SAME):
        raise NotEstimableError(f"the estimate is {own.estimate}, from the means of cohorts {observed}")
    yield _randomisation(probe, adoption, panel, own, draws, seed)
    yield from _without_one(probe, adoption, panel, own)


def _panel(adoption: Adoption, spec: EventStudy) -> CohortMeans:
    """Take the panel apart.

    Raises
    ------
    NotEstimableError : the estimate is no difference between the means of cohorts.
    """
    rows = adoption.panel.rows
    if spec.estimators[0] != ADJUSTED or adoption.panel.covariates:
        raise NotEstimableError("only the estimator of Callaway and Sant'Anna, without covariates, is fitted again")
    first = int(rows["period"].min())
    y = rows.set_index(["unit", "period"])["y"].unstack("period").to_numpy(np.float64)  # noqa: PD010
    cohorts = adoption.panel.cohorts.to_numpy()
    placed = np.where(cohorts == NEVER, y.shape[1], cohorts - first).astype(np.intp)
    weights = rows.groupby("unit")["weight"].first().to_numpy(np.float64)
    return CohortMeans(y, weights, placed, Rules(spec.comparison, spec.anticipation, spec.leads, spec.lags))


def _randomisation(
    probe: Probe, adoption: Adoption, panel: CohortMeans, own: Estimate, draws: int, seed: int
) -> Estimate:
    """Test the sharp null that no unit's outcome depends on when it adopts, by exchanging the dates between units."""
    clusters = adoption.panel.rows.groupby("unit")["cluster"].first().to_numpy(np.intp)
    observed = panel.statistic(probe.term, panel.cohorts, clusters)
    strata, within = _strata(probe, adoption)
    alone = int((np.bincount(strata)[strata] == 1).sum())
    units = np.arange(len(panel.cohorts))
    rng = np.random.default_rng([seed, crc32(f"{own.model}:{own.term}:randomisation".encode())])
    as_extreme = taken = 0
    for block in permutations(rng, strata, units, draws):
        drawn = np.array([panel.statistic(probe.term, panel.cohorts[order], clusters) for order in block.T])
        # A permutation that cannot be estimated counts as extreme, which can only weaken the evidence.
        as_extreme += int((~(np.abs(drawn) < abs(observed) * (1 - TIE))).sum())
        taken += len(drawn)
    told = f"{taken:,} permutations of the dates of adoption over units{within}; statistic: |t| with clustered errors"
    kept = f"{alone} of {len(units)} units have none to exchange with" if alone else ""
    return _row(
        own, "randomisation", "", "; ".join(filter(None, (told, kept))), estimate=own.estimate,
        std_error=own.std_error, statistic=observed, p_value=(1 + as_extreme) / (1 + taken), vcov="permutation",
        seed=seed,
    )  # fmt: skip


def _without_one(probe: Probe, adoption: Adoption, panel: CohortMeans, own: Estimate) -> Iterator[Estimate]:
    """Estimate without each unit, each cluster and each cohort in turn; report the smallest and the largest."""
    units = list(adoption.panel.units)
    cohort = pd.Series(adoption.panel.cohorts.to_numpy(), index=units)
    groupings = {"unit": pd.Series(units, index=units)}
    if adoption.cluster != "unit_id":
        groupings[adoption.cluster] = _of_units(probe, adoption, adoption.cluster)
    groupings["cohort"] = cohort[cohort != NEVER].map(adoption.periods).reindex(units)
    for kind, labels in groupings.items():
        names = sorted(labels.dropna().astype("str").unique())
        kept = [(labels.astype("str") != name).to_numpy() for name in names]
        found = np.array([panel.effect(probe.term, panel.totals(panel.cohorts, some)) for some in kept])
        what = kind if kind in ("unit", "cohort") else "cluster"
        if np.isnan(found).all():
            note = f"not estimable: without any {kind} there is no effect to average"
            yield _row(own, "leave_one_out", f"min_without_{what}", note)
            continue
        lost = int(np.isnan(found).sum())
        for name, position in (("min", int(np.nanargmin(found))), ("max", int(np.nanargmax(found)))):
            told = f"without {kind} {names[position]}"
            note = f"{told}; not estimable without {lost} of {len(names)}" if lost else told
            yield _row(own, "leave_one_out", f"{name}_without_{what}", note, estimate=float(found[position]))


def _of_units(probe: Probe, adoption: Adoption, name: str) -> pd.Series:
    """Return an attribute of the panel's units, indexed by them."""
    values: pd.Series = probe.rows.groupby("unit_id")[name].first().loc[list(adoption.panel.units)]
    return values


def _strata(probe: Probe, adoption: Adoption) -> tuple[Codes, str]:
    """Number, (units,), what dates are exchanged within: the study's strata and its sampling frame; and name it."""
    frame = probe.study.unit.frame
    names = list(dict.fromkeys([*probe.choices.strata, *([frame] if frame else [])]))
    if not names:
        return np.zeros(len(adoption.panel.units), dtype=np.intp), ""
    labels = np.column_stack([_of_units(probe, adoption, name).astype("str") for name in names]).astype("str")
    found = np.unique(labels, axis=0, return_inverse=True)[1].astype(np.intp).ravel()
    return found, f" within {' × '.join(names)}"


def _row(own: Estimate, check: str, what: str, note: str, **numbers: object) -> Estimate:
    """Make a row about an estimate, without its numbers."""
    kept = Estimate(
        f"{own.model}:{check}", "robustness", own.outcome, f"{own.term}:{what}" if what else own.term, own.estimand,
        n_obs=own.n_obs, n_units=own.n_units, n_clusters=own.n_clusters, note=note,
    )  # fmt: skip
    return replace(kept, **numbers)  # type: ignore[arg-type]
