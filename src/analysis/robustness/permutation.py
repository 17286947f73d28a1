"""Randomisation inference: how often chance alone, by exchanging exposures between units, would show as much."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.models.batched import Codes, Floats, codes, fit_exposures
from analysis.models.design_matrix import NotEstimableError
from analysis.models.estimates import Estimate
from analysis.robustness.targets import Target

TIE = 1e-9
"""Statistics this close, relatively, are the same number."""

_BLOCK = 256


def randomisation(target: Target, draws: int, seed: int) -> Estimate:
    """Test the sharp null that the exposure changes no unit's outcome, by permuting it.

    The statistic is the absolute robust t statistic. A test with it is exact where the exposure is as good as
    randomised within strata, and still has its level in large samples where the exposure depends on the covariates,
    which the coefficient itself has not.

    Parameters
    ----------
    target : the estimate.
    draws : permutations; where there are no more distinct ones, all are taken instead.
    seed : of the draws.

    Returns
    -------
    One row with the estimate, its t statistic and the permutation p-value, (1 + as extreme) / (1 + draws).

    References
    ----------
    Fisher (1935), The design of experiments, ch. 2. Phipson and Smyth (2010), Permutation p-values should never be
    zero, eq. 2. DiCiccio and Romano (2017), Robust permutation tests for correlation and regression coefficients.
    """
    exposure = target.x[:, target.focal]
    covariates = np.delete(target.x, target.focal, axis=1)
    observed = fit_exposures(exposure[:, None], target.y, covariates, target.clusters, target.absorb)
    exchange = exchanged(target)
    strata, units, slots = exchange.strata, exchange.units, exchange.slots
    every = all_permutations(exposure, strata, units, draws) if not slots.any() else None
    rng = target.rng(seed, "randomisation")
    blocks = [every] if every is not None else permutations(rng, strata, units, draws, slots)
    as_extreme, taken = 0, 0
    threshold = abs(observed.statistic[0]) * (1 - TIE)
    for block in blocks:
        statistic = fit_exposures(exposure[block], target.y, covariates, target.clusters, target.absorb).statistic
        # A permutation that cannot be estimated counts as extreme, which can only weaken the evidence.
        as_extreme += int((~(np.abs(statistic) < threshold)).sum())
        taken += block.shape[1]
    p_value = as_extreme / taken if every is not None else (1 + as_extreme) / (1 + taken)
    number = f"all {taken:,} permutations" if every is not None else f"{taken:,} permutations"
    told = f"{number} of {exchange.told}; statistic: |t| with {target.vcov} errors"
    return target.estimate(
        "randomisation",
        "",
        target.unit,
        note="; ".join(filter(None, (told, exchange.kept))),
        estimate=float(observed.estimate[0]),
        std_error=float(observed.std_error[0]),
        statistic=float(observed.statistic[0]),
        p_value=p_value,
        vcov="permutation",
        seed=seed,
    )


@dataclass(frozen=True)
class Exchange:
    """Which rows exchange a target's exposure.

    Attributes
    ----------
    strata, units : (n,) of each row, as `exchangeable` gives them.
    slots : (n,) which of its unit's rows each row is, all 0 where single rows are exchanged.
    told, kept : what is exchanged, and how much of it has nothing to be exchanged with, in words.
    """

    strata: Codes
    units: Codes
    slots: Codes
    told: str
    kept: str


def exchanged(target: Target) -> Exchange:
    """Say which rows of a target exchange its exposure, as its study declares.

    Raises
    ------
    NotEstimableError : as in `exchangeable`.
    """
    strata, units = exchangeable(target, target.complete, [target.variable])
    slots = positions(units) if paths_are_exchanged(target) else np.zeros(len(units), dtype=np.intp)
    within = f" within {' × '.join(strata_names(target))}" if strata_names(target) else ""
    told = f"{target.variable} over {_what(target)}{within}"
    return Exchange(strata, units, slots, told, _kept(strata, units, slots))


def _what(target: Target) -> str:
    if target.choices.permute == "clusters":
        return f"whole clusters of {target.cluster}"
    return "whole paths of units over time" if paths_are_exchanged(target) else "units"


def _kept(strata: Codes, units: Codes, slots: Codes) -> str:
    """Say how many paths have none to be exchanged with, empty where exposures of single rows are exchanged."""
    if not slots.any():
        return ""
    first = np.unique(units, return_index=True)[1]
    alone = int((np.bincount(strata[first])[strata[first]] == 1).sum())
    return f"{alone} of {len(first)} units, observed in periods of their own, keep their exposure" if alone else ""


def paths_are_exchanged(target: Target) -> bool:
    """Say whether units, observed over time, exchange what they were exposed to in all periods."""
    return target.study.unit.grain is not None and target.choices.permute == "units"


def strata_names(target: Target) -> list[str]:
    """Name what the exposure is permuted within: what the study says, the sampling frame, and for cells the period."""
    frame = target.study.unit.frame
    pooled = frame is not None and len(target.complete[frame].unique()) > 1
    cells = ["period"] if target.choices.permute == "cells" else []
    return list(dict.fromkeys([*target.choices.strata, *([frame] if frame and pooled else []), *cells]))


def exchangeable(target: Target, rows: pd.DataFrame, exposures: list[str]) -> tuple[Codes, Codes]:
    """Say between which rows exposures may be exchanged.

    Parameters
    ----------
    rows : (n, k) of the analysis table.
    exposures : columns that are exchanged together.

    Returns
    -------
    (n,) stratum of each row, and (n,) what is exchanged as a whole: the row itself, its unit or its cluster. Rows at
    another level of a categorical exposure than the two that the term compares, or without a value, stay among their
    like, and so do units that are observed in the same periods.

    Raises
    ------
    NotEstimableError : clusters are to be exchanged, but the exposure or a stratum varies within one.
    """
    labels = [rows[name].astype("str") for name in strata_names(target)]
    labels += [rows[name].isna().astype("str") for name in exposures]
    if target.compared is not None:
        labels.append(rows[target.variable].where(~rows[target.variable].isin(target.compared), "").astype("str"))
    if paths_are_exchanged(target):
        units = codes(rows["unit_id"].astype("str"))
        return _paths(_combined([*labels, rows["period"].astype("str")]), units), units
    strata = _combined(labels)
    if target.choices.permute != "clusters":
        return strata, np.arange(len(rows))
    clusters = _combined([rows[str(target.cluster)].astype("str")])
    for name, values in {**{e: rows[e] for e in exposures}, "stratum": strata}.items():
        if pd.Series(values).reset_index(drop=True).groupby(clusters).nunique(dropna=False).max() > 1:
            raise NotEstimableError(
                f"{name} varies within a {target.cluster}, so that whole clusters cannot be exchanged; "
                "use `permute: units`"
            )
    return strata, clusters


def _combined(labels: list[pd.Series]) -> Codes:
    """Number the combinations of labels from 0, in the order of the labels."""
    return np.unique(np.column_stack(labels).astype("str"), axis=0, return_inverse=True)[1].astype(np.intp).ravel()


def _paths(labels: Codes, units: Codes) -> Codes:
    """Number, (n,), the sequences of labels that units have over their rows, which are in the order of periods."""
    order = np.argsort(units, kind="stable")
    starts = np.flatnonzero(np.diff(units[order], prepend=-1))
    sequences = [part.tobytes() for part in np.split(labels[order], starts[1:])]
    return codes(np.array([part.hex() for part in sequences]))[units]


def positions(units: Codes) -> Codes:
    """Count the rows of each unit from 0, (n,)."""
    order = np.argsort(units, kind="stable")
    starts = np.flatnonzero(np.diff(units[order], prepend=-1))
    found = np.empty(len(units), dtype=np.intp)
    found[order] = np.arange(len(units)) - np.repeat(starts, np.diff(starts, append=len(units)))
    return found


def permutations(
    rng: np.random.Generator, strata: Codes, units: Codes, draws: int, slots: Codes | None = None
) -> Iterator[NDArray[np.intp]]:
    """Draw permutations of rows that exchange whole units within strata.

    Parameters
    ----------
    slots : (n,) which of its unit's rows each row is; a row gets the exposure of the same slot of the other unit. Where
        None, exposures are constant within units.

    Yields
    ------
    (n, b) for each of b permutations, the row whose exposure each row gets, in all `draws`.
    """
    first = np.unique(units, return_index=True)[1]
    members = [np.flatnonzero(strata[first] == stratum) for stratum in np.unique(strata)]
    at = np.zeros(len(units), dtype=np.intp) if slots is None else slots
    row_of = np.zeros((len(first), int(at.max(initial=0)) + 1), dtype=np.intp)
    row_of[units[::-1], at[::-1]] = np.arange(len(units))[::-1]
    for start in range(0, draws, _BLOCK):
        b = min(_BLOCK, draws - start)
        drawn = np.empty((b, len(first)), dtype=np.intp)
        for member in members:
            drawn[:, member] = rng.permuted(np.broadcast_to(member, (b, len(member))), axis=1)
        yield row_of[drawn[:, units], at].T


def all_permutations(exposure: Floats, strata: Codes, units: Codes, most: int) -> NDArray[np.intp] | None:
    """List every distinct assignment of the exposure, None where there are more than `most`.

    Returns
    -------
    (n, assignments), as from `permutations`, with the observed assignment among them.
    """
    first = np.unique(units, return_index=True)[1]
    members = [first[strata[first] == stratum] for stratum in np.unique(strata)]
    count = 1
    for member in members:
        left = len(member)
        for size in np.unique(exposure[member], return_counts=True)[1]:
            count *= comb(left, int(size))
            left -= int(size)
    if count > most:
        return None
    found: list[dict[int, int]] = [{}]
    for member in members:
        donors = {value: int(member[exposure[member] == value][0]) for value in np.unique(exposure[member])}
        arrangements = list(_arrangements(sorted(exposure[member])))
        found = [
            old | {int(row): donors[value] for row, value in zip(member, new, strict=True)}
            for old in found
            for new in arrangements
        ]
    return np.array([[assignment[int(first[unit])] for unit in units] for assignment in found]).T


def _arrangements(values: list[float]) -> Iterator[list[float]]:
    if not values:
        yield []
    for value in dict.fromkeys(values):
        rest = values.copy()
        rest.remove(value)
        for tail in _arrangements(rest):
            yield [value, *tail]
