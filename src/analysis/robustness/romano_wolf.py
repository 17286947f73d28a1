"""Adjusting a family of tests for their number by resampling all of them together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from zlib import crc32

import numpy as np

from analysis.models.batched import Floats, fit_outcomes
from analysis.models.estimates import Estimate
from analysis.models.wild import cluster_weights
from analysis.multiplicity import ROMANO_WOLF
from analysis.robustness.targets import Target
from analysis.study.grammar import Formula, ModelId
from analysis.study.spec import Study

TIE = 1e-9
_BLOCK = 256


def romano_wolf(study: Study, probed: Iterable[Target | Estimate], draws: int, seed: int) -> list[Estimate]:
    """Adjust the tests of every family whose method is romano_wolf.

    Every draw multiplies the residuals under the null of each unit, or cluster, by one random weight, the same in all
    members of the family: the draws depend on each other as the tests do.

    Parameters
    ----------
    probed : what `analysis.robustness.targets.targets` lists.
    draws : of the wild bootstrap.
    seed : of the draws; a family's draws depend on nothing else.

    Returns
    -------
    A row ``<model>:romano_wolf`` for each member, with its adjusted p-value. Where a member cannot be resampled, all of
    its family are without numbers, and say why.

    References
    ----------
    Romano and Wolf (2005), Stepwise multiple testing as formalized data snooping. Romano and Wolf (2016), Efficient
    computation of adjusted p-values for resampling-based stepdown multiple testing.
    """
    by_name = {(t.model_id, t.term): t for t in probed if isinstance(t, Target)}
    rows: list[Estimate] = []
    for family, method in study.families.items():
        if method != "romano_wolf":
            continue
        decisions = [h.decided_by for h in study.hypotheses.values() if h.family == family]
        names = list(dict.fromkeys((d.model, d.term) for d in decisions))
        members = [by_name[name] for name in names if name in by_name]
        lost = [":".join(name) for name in names if name not in by_name]
        why = f"{', '.join(lost)} has no linear form that can be resampled" if lost else _different(members)
        rows += _without_numbers(study, names, why) if why else _family(family, members, draws, seed)
    return rows


def step_down(observed: Floats, drawn: Floats) -> Floats:
    """Return p-values adjusted for the number of tests.

    Parameters
    ----------
    observed : (m,) absolute statistics.
    drawn : (m, draws) absolute statistics of each test under its null; NaN counts as extreme.

    Returns
    -------
    (m,) p-values: of the largest statistic, how often the largest drawn one of all tests is as large; of the next one,
    of all tests but the first, and never less than the p-value before it; one is added above and below.
    """
    order = np.argsort(-observed, kind="stable")
    known = np.where(np.isnan(drawn), np.inf, drawn)
    p_values = np.empty(len(observed))
    least = 0.0
    for step, position in enumerate(order):
        largest = known[order[step:]].max(axis=0)
        as_extreme = int((largest >= observed[position] * (1 - TIE)).sum())
        least = max(least, (1 + as_extreme) / (1 + drawn.shape[1]))
        p_values[position] = least
    return p_values


def _different(members: list[Target]) -> str:
    """Say why members cannot be resampled together, empty where they can."""
    ways = sorted({_level(member) for member in members})
    return f"its members have errors by {' and '.join(ways)}, and are not resampled alike" if len(ways) > 1 else ""


def _level(member: Target) -> str:
    return "unit_id" if member.clusters is None or member.cluster is None else member.cluster


def _family(family: str, members: list[Target], draws: int, seed: int) -> Iterator[Estimate]:
    level = _level(members[0])
    labels = [member.complete[level].astype("str") for member in members]
    every = np.unique(np.concatenate([label.to_numpy(dtype="str") for label in labels]))
    places = [np.searchsorted(every, label.to_numpy(dtype="str")) for label in labels]
    fits = [fit_outcomes(m.y[:, None], m.x, m.focal, m.clusters, m.absorb) for m in members]
    observed = np.abs(np.array([fit.statistic[0] for fit in fits]))
    rng = np.random.default_rng([seed, crc32(family.encode())])
    restricted = [_under_the_null(member) for member in members]
    blocks = []
    for start in range(0, draws, _BLOCK):
        weights = cluster_weights(len(every), min(_BLOCK, draws - start), rng)
        statistics = [
            _drawn(member, *parts, weights[place])
            for member, place, parts in zip(members, places, restricted, strict=True)
        ]
        blocks.append(np.abs(np.array(statistics)))
    drawn = np.concatenate(blocks, axis=1)
    together = step_down(observed, drawn)
    for position, (member, fit) in enumerate(zip(members, fits, strict=True)):
        alone = step_down(observed[[position]], drawn[[position]])[0]
        note = (
            f"one of {len(members)} tests in the family {family}, resampled together: {draws:,} draws of a wild "
            f"bootstrap with the null imposed, over {len(every)} values of {level}; alone its p-value is {alone:.4g}"
        )
        yield member.estimate(
            ROMANO_WOLF.removeprefix(":"), "", member.unit, note,
            estimate=float(fit.estimate[0]), std_error=float(fit.std_error[0]), statistic=float(fit.statistic[0]),
            p_value=float(together[position]), vcov=f"wild bootstrap, {member.vcov}", seed=seed,
        )  # fmt: skip


def _drawn(member: Target, expected: Floats, residual: Floats, weights: Floats) -> Floats:
    """Return the statistic of each draw, (draws,), from the weights of each row, (n, draws)."""
    outcomes = expected[:, None] + residual[:, None] * weights
    return fit_outcomes(outcomes, member.x, member.focal, member.clusters, member.absorb).statistic


def _under_the_null(member: Target) -> tuple[Floats, Floats]:
    """Return what the other regressors and the fixed effects predict, and what they leave, (n,) each."""
    columns = np.column_stack([np.ones(len(member.y)), np.delete(member.x, member.focal, axis=1), member.y])
    within = columns if member.absorb is None else member.absorb.within(columns)
    others, left = within[:, :-1], within[:, -1]
    residual = left - others @ np.linalg.lstsq(others, left, rcond=None)[0]
    return member.y - residual, residual


def _without_numbers(study: Study, names: list[tuple[str, str]], why: str) -> Iterator[Estimate]:
    for model_id, term in names:
        outcome = Formula.parse(study.models[ModelId.parse(model_id).model].formula).outcome
        yield Estimate(
            f"{model_id}{ROMANO_WOLF}", "robustness", outcome, term, "", n_obs=0, note=f"not estimable: {why}"
        )
