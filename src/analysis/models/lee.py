"""Bounds for outcomes that are observed more often with the exposure than without it, or less often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.models.bounds import imbens_manski
from analysis.models.design_matrix import NotEstimableError
from analysis.models.estimates import Estimate

Floats = NDArray[np.float64]

DRAWS = 999
SEED = 20110125
_CELLS = 1 << 20


@dataclass(frozen=True)
class _Group:
    """The rows with one value of the exposure.

    Attributes
    ----------
    outcomes : (n,) those that are observed, rising.
    places : (n,) cluster of each of them, among all clusters.
    sizes : (clusters,) rows of each cluster, with and without outcome.
    """

    outcomes: Floats
    places: NDArray[np.intp]
    sizes: Floats


def lee_bounds(
    rows: pd.DataFrame, exposure: str, model: str, outcome: str, cluster: str | None = None
) -> list[Estimate]:
    """Bound the effect of a binary exposure on the units whose outcome is observed with and without it.

    Where outcomes are observed more often in one group, its surplus is trimmed: from below and from above, in turn, as
    if the surplus were the units with the smallest or the largest outcomes. Outcomes that tie at the cut are trimmed in
    part. It is assumed that the exposure is as good as randomised, and that it moves whether an outcome is observed in
    one direction only.

    Parameters
    ----------
    rows : (n, k) with `exposure` (0 or 1) and `outcome` (a number, or missing).
    exposure, outcome : column names.
    cluster : column whose values are drawn as a whole in the bootstrap; units where None.

    Returns
    -------
    Terms ``<exposure>:lower`` with `ci_low` and ``<exposure>:upper`` with `ci_high`, together the identified interval
    and the 95% interval for the effect, and ``<exposure>:trimmed``, the share of the group's observed outcomes that is
    trimmed. Errors are those of a bootstrap.

    Raises
    ------
    NotEstimableError : one of the groups is empty or has no observed outcome.

    References
    ----------
    Lee (2009), Training, wages, and sample selection: estimating sharp bounds on treatment effects, proposition 1a.
    Imbens and Manski (2004), Confidence intervals for partially identified parameters, eq. 6 and 7.
    """
    known = rows.dropna(subset=exposure)
    values = set(known[exposure].unique())
    if not values <= {0, 1}:
        raise NotEstimableError(f"{exposure} has other values than 0 and 1")
    if len(values) < 2:
        raise NotEstimableError(f"no variation: {exposure} is the same in all {len(known)} rows")
    labels = known["unit_id" if cluster is None else cluster].astype("str").to_numpy(dtype="str")
    names, places = np.unique(labels, return_inverse=True)
    groups = [_group(known[exposure] == value, known[outcome], places, len(names)) for value in (1, 0)]
    for group, told in zip(groups, ("with", "without"), strict=True):
        if not len(group.outcomes):
            raise NotEstimableError(f"no unit {told} {exposure} has an observed outcome")
    exposed, unexposed = groups
    once = np.ones((len(names), 1))
    lower, upper, trimmed = (float(value[0]) for value in _bounds(exposed, unexposed, once))
    drawn = np.array(list(_bootstrap(exposed, unexposed, len(names))))
    lower_error, upper_error, trimmed_error = (float(column.std(ddof=1)) for column in drawn.T)
    critical = imbens_manski(upper - lower, max(lower_error, upper_error))
    more, less = ("with", "without") if trimmed >= 0 else ("without", "with")
    observed = int(known[outcome].notna().sum())
    lost = DRAWS - len(drawn)
    note = "; ".join(
        filter(
            None,
            (
                f"{len(known) - observed} of {len(known)} outcomes are missing",
                f"observed more often {more} than {less} {exposure}, by {abs(trimmed):.1%}, which is trimmed",
                f"{lost} of {DRAWS} draws have an empty group and are left out" if lost else "",
            ),
        )
    )
    shared = Estimate(
        model, "lee_bounds", outcome, exposure, "difference in the outcome, of units observed either way",
        n_obs=len(known), n_units=int(known["unit_id"].nunique()), n_clusters=len(names) if cluster else None,
        vcov=f"bootstrap({cluster or 'unit_id'}), {DRAWS:,} draws; Imbens–Manski", seed=SEED, note=note,
    )  # fmt: skip
    share = f"share of the observed outcomes {more} the exposure that is trimmed"
    return [
        replace(
            shared, term=f"{exposure}:lower", estimate=lower, std_error=lower_error,
            ci_low=lower - critical * lower_error,
        ),
        replace(
            shared, term=f"{exposure}:upper", estimate=upper, std_error=upper_error,
            ci_high=upper + critical * upper_error,
        ),
        replace(
            shared, term=f"{exposure}:trimmed", estimand=share, estimate=abs(trimmed), std_error=trimmed_error,
        ),
    ]  # fmt: skip


def _group(member: pd.Series, outcome: pd.Series, places: NDArray[np.intp], clusters: int) -> _Group:
    inside = member.to_numpy()
    values = outcome.to_numpy(np.float64)
    observed = np.flatnonzero(inside & ~np.isnan(values))
    rising = observed[np.argsort(values[observed], kind="stable")]
    return _Group(values[rising], places[rising], np.bincount(places[inside], minlength=clusters).astype(np.float64))


def _bootstrap(exposed: _Group, unexposed: _Group, clusters: int) -> Iterator[Floats]:
    """Yield lower bound, upper bound and trimming share of each draw of clusters in which they are defined."""
    rng = np.random.default_rng(SEED)
    step = max(1, _CELLS // max(len(exposed.outcomes), len(unexposed.outcomes), clusters))
    for start in range(0, DRAWS, step):
        weights = rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=min(step, DRAWS - start))
        found = np.array(_bounds(exposed, unexposed, weights.T.astype(np.float64)))
        yield from found[:, np.isfinite(found).all(axis=0)].T


def _bounds(exposed: _Group, unexposed: _Group, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the bounds and the trimming share, negative where the unexposed are trimmed.

    Parameters
    ----------
    weights : (clusters, draws).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = [weights[g.places].sum(axis=0) / (g.sizes @ weights) for g in (exposed, unexposed)]
        share = np.where(rates[0] >= rates[1], 1 - rates[1] / rates[0], rates[0] / rates[1] - 1)
        surplus, deficit = np.maximum(share, 0), np.maximum(-share, 0)
        lower = _trimmed(exposed, weights, surplus, top=True) - _trimmed(unexposed, weights, deficit, top=False)
        upper = _trimmed(exposed, weights, surplus, top=False) - _trimmed(unexposed, weights, deficit, top=True)
    return lower, upper, share


def _trimmed(group: _Group, weights: Floats, share: Floats, *, top: bool) -> Floats:
    """Return the mean without a share of the weight, (draws,), taken from the largest values or from the smallest."""
    values, each = group.outcomes, weights[group.places]
    if top:
        values, each = values[::-1], each[::-1]
    cut = share * each.sum(axis=0)
    kept = np.clip(np.cumsum(each, axis=0) - cut, 0, each)
    return np.asarray(values @ kept / kept.sum(axis=0))
