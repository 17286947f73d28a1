"""The specification curve: one estimate for every combination of reasonable choices, and their joint test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import combinations, product

import numpy as np
import pandas as pd

from analysis.models.batched import Codes, Flags, Floats, fit_exposures, fit_subsets
from analysis.models.estimates import Estimate
from analysis.models.fixed_effects import Effects
from analysis.models.formulas import INTERCEPT
from analysis.robustness.permutation import TIE, exchangeable, paths_are_exchanged, permutations, positions
from analysis.robustness.targets import Target, cluster_codes, number_of_clusters, vcov_name
from analysis.study.grammar import Formula, parse_term
from analysis.study.spec import SampleChoice

LEVEL = 0.05
AS_REGISTERED = "as registered"
NO_CLUSTERS = "none"


@dataclass(frozen=True)
class Specification:
    """One combination of choices.

    Attributes
    ----------
    exposure : column in the exposure's place.
    terms : of the formula beside the exposure's own, in the study's order.
    sample : name of the sample, `AS_REGISTERED` for the model's own.
    cluster : column that errors are clustered by, None for independent errors.
    """

    exposure: str
    terms: tuple[str, ...]
    sample: str
    cluster: str | None


@dataclass(frozen=True)
class _Group:
    """Specifications that use the same rows and exposure, and what they share.

    Attributes
    ----------
    exposure : column in the exposure's place.
    rows : (n,) positions among the target's rows.
    x : (n, k) regressors of all their terms, the exposure's among them at `focal`.
    subsets : (m, k) columns of each specification.
    members : (m,) positions among all specifications.
    absorb : fixed effects of the rows, or None.
    """

    exposure: str
    rows: Codes
    x: Floats
    y: Floats
    focal: int
    subsets: Flags
    members: list[int]
    absorb: Effects | None


def specification_curve(target: Target, draws: int, seed: int) -> tuple[list[Estimate], pd.DataFrame]:
    """Estimate a target under every combination of the choices that the study declares, and test them jointly.

    The joint test exchanges exposures between units, all definitions of a unit's exposure together, and estimates the
    whole curve anew: under the sharp null of no effect on any unit, the observed curve is one more such draw. Units
    whose exposure is known under different definitions are exchanged among their like only, so that every draw
    estimates the same specifications in the same rows.

    Parameters
    ----------
    target : the estimate; its study's `robustness` holds the choices.
    draws : permutations of the joint test.
    seed : of the draws.

    Returns
    -------
    Rows with the median estimate and its permutation p-value, the share of specifications that are significant at 5% in
    the more frequent direction and its p-value, the smallest and largest estimate, and the number of specifications;
    and the table of all: exposure, covariates, sample, cluster, registered (whether it is the model's own), estimate,
    std_error, p_value, ci_low, ci_high, n_obs, n_clusters, vcov.

    References
    ----------
    Simonsohn, Simmons and Nelson (2020), Specification curve analysis.
    """
    specifications = choices(target)
    groups = list(_groups(target, specifications))
    curve = _curve(target, specifications, groups)
    known = curve.dropna(subset=["estimate", "std_error"])
    estimands = {
        "median": f"median over specifications, {target.unit}",
        "min": f"smallest over specifications, {target.unit}",
        "max": f"largest over specifications, {target.unit}",
        "share_significant": "share of specifications significant at 5% in the more frequent direction",
        "specifications": "specifications estimated",
    }
    lost = len(curve) - len(known)
    notes = [_choices_note(curve), f"{lost} specifications are not estimable" if lost else ""]
    if known.empty:
        return [
            target.estimate("specification_curve", "median", estimands["median"], "not estimable: no specification is")
        ], curve
    median, share = _summary(known["estimate"].to_numpy()[:, None], known["p_value"].to_numpy()[:, None])
    numbers: dict[str, dict[str, float | int]] = {
        "median": {"estimate": median[0]},
        "min": {"estimate": known["estimate"].min()},
        "max": {"estimate": known["estimate"].max()},
        "share_significant": {"estimate": share[0]},
        "specifications": {"estimate": len(known)},
    }
    if draws:
        medians, shares = _null_curves(target, specifications, groups, curve, draws, seed)
        more_extreme = int((np.abs(medians) >= abs(median[0]) * (1 - TIE)).sum())
        more_significant = int((shares >= share[0] - TIE).sum())
        numbers["median"] |= {"p_value": (1 + more_extreme) / (1 + draws), "seed": seed}
        numbers["share_significant"] |= {"p_value": (1 + more_significant) / (1 + draws), "seed": seed}
        notes.append(f"{draws:,} permutations of the exposure")
    rows = [
        target.estimate("specification_curve", what, estimands[what], "; ".join(filter(None, notes)), **numbers[what])
        for what in estimands
    ]
    return rows, curve


def choices(target: Target) -> list[Specification]:
    """List every combination of declared choices, the model's own first.

    A covariate that does not vary in the model's rows is no choice, nor is an exposure of another transform than the
    target's. A term that is part of an interaction stays in every specification.
    """
    formula = Formula.parse(target.model.formula)
    others = [term for term in formula.terms if term not in (INTERCEPT, target.term.split("[")[0])]
    interacted = {part for term in others if ":" in term for part in [term, *term.split(":")]}
    written = {_variables([term])[0]: term for term in others if ":" not in term}
    declared = target.choices.adjust
    if declared is None:
        declared = [name for name in written if name in target.study.covariates]
    free = [written.get(name, name) for name in declared if name != target.variable]
    free = [term for term in free if term not in interacted and target.block(term).shape[1]]
    fixed = [term for term in others if term not in free]
    order = list(dict.fromkeys([*others, *free]))
    adjusted = [
        tuple(term for term in order if term in fixed or term in some)
        for size in range(len(free) + 1)
        for some in combinations(free, size)
    ]
    adjusted.sort(key=lambda terms: terms != tuple(others))
    clusters = [target.cluster, *(None if c == NO_CLUSTERS else c for c in target.choices.clusters)]
    samples = [AS_REGISTERED, *target.choices.samples]
    return [
        Specification(exposure, terms, sample, cluster)
        for exposure, sample, terms, cluster in product(
            _definitions(target), samples, adjusted, dict.fromkeys(clusters)
        )
    ]


def _definitions(target: Target) -> list[str]:
    exposures = target.study.exposures
    if target.variable not in exposures:
        return [target.variable]
    transform = exposures[target.variable].transform
    others = [name for name in target.choices.exposures if exposures[name].transform == transform]
    return list(dict.fromkeys([target.variable, *others]))


def _curve(target: Target, specifications: list[Specification], groups: list[_Group]) -> pd.DataFrame:
    found: list[dict[str, object]] = [{} for _ in specifications]
    for group in groups:
        for cluster in dict.fromkeys(specifications[i].cluster for i in group.members):
            inside = [j for j, i in enumerate(group.members) if specifications[i].cluster == cluster]
            labels = _labels(target, cluster, group.rows)
            clusters = cluster_codes(labels)
            fits = fit_subsets(group.x, group.y, group.subsets[inside], group.focal, clusters, group.absorb)
            low, high = fits.interval()
            for position, j in enumerate(inside):
                found[group.members[j]] = {
                    "estimate": fits.estimate[position],
                    "std_error": fits.std_error[position],
                    "p_value": fits.p_value[position],
                    "ci_low": low[position],
                    "ci_high": high[position],
                    "n_obs": len(group.y),
                    "n_clusters": number_of_clusters(labels),
                    "vcov": vcov_name(labels, group.absorb),
                }
    rows = [
        {
            "exposure": s.exposure,
            "covariates": " + ".join(s.terms) or "none",
            "sample": s.sample,
            "cluster": s.cluster or NO_CLUSTERS,
            "registered": i == 0,
            **({"estimate": np.nan, "std_error": np.nan, "p_value": np.nan, "vcov": ""} | numbers),
        }
        for i, (s, numbers) in enumerate(zip(specifications, found, strict=True))
    ]
    return pd.DataFrame(rows).astype({"n_obs": "Int64", "n_clusters": "Int64"})


def _groups(target: Target, specifications: list[Specification]) -> Iterator[_Group]:
    """Gather the specifications that use the same rows and exposure."""
    present = target.rows.notna()
    samples = {name: _in_sample(target, choice) for name, choice in target.choices.samples.items()}
    samples[AS_REGISTERED] = np.ones(len(target.rows), dtype=np.bool_)
    gathered: dict[tuple[str, bytes], list[int]] = {}
    for i, s in enumerate(specifications):
        used = [target.outcome, s.exposure, *_variables(s.terms)]
        if s.cluster is not None:
            used.append(s.cluster)
        kept = samples[s.sample] & present[used].to_numpy().all(axis=1)
        gathered.setdefault((s.exposure, kept.tobytes()), []).append(i)
    for (exposure, mask), members in gathered.items():
        rows = np.flatnonzero(np.frombuffer(mask, dtype=np.bool_))
        group = _group(target, exposure, rows, [specifications[i].terms for i in members], members)
        if group is not None:
            yield group


def _group(
    target: Target,
    exposure: str,
    rows: Codes,
    terms: list[tuple[str, ...]],
    members: list[int],
) -> _Group | None:
    """Build the regressors of one group; None where the exposure's coefficient has no meaning in these rows."""
    absorb = target.effects_of(target.rows.iloc[rows])
    if absorb is not None and (alone := absorb.singletons()).any():
        rows, absorb = rows[~alone], absorb.keep(~alone)
        if not len(rows):
            return None
    index = target.rows.index[rows]
    name = target.term.replace(target.variable, exposure, 1)
    own = name.split("[")[0]
    columns: dict[str, list[str]] = {}
    parts: list[pd.DataFrame] = []
    for term in dict.fromkeys([own, *(t for some in terms for t in some)]):
        part = target.block(term).reindex(index)
        exhausted = part.shape[1] > 0 and bool((part.sum(axis=1) == 1).all()) and "[" in part.columns[0]
        if exhausted and term == own:
            return None
        # The reference level does not occur in these rows: the first level takes its place.
        part = part.iloc[:, 1:] if exhausted else part
        part = part.loc[:, (part != part.iloc[0]).any()]
        columns[term] = list(part.columns)
        parts.append(part)
    x = pd.concat(parts, axis=1)
    if name not in x.columns:
        return None
    subsets = np.array([x.columns.isin([c for term in (own, *some) for c in columns[term]]) for some in terms])
    y = target.rows[target.outcome].to_numpy(np.float64)[rows]
    focal = int(x.columns.get_loc(name))  # type: ignore[arg-type]
    return _Group(exposure, rows, x.to_numpy(np.float64), y, focal, subsets, members, absorb)


def _variables(terms: Iterable[str]) -> list[str]:
    return sorted({factor.column for term in terms for factor in parse_term(term)})


def _in_sample(target: Target, choice: SampleChoice) -> Flags:
    kept = np.ones(len(target.rows), dtype=np.bool_)
    for name, values in choice.keep.items():
        kept &= target.rows[name].isin(values).to_numpy()
    for name, patterns in choice.drop.items():
        text = target.rows[name].astype("str")
        kept &= ~text.map(lambda value, patterns=patterns: any(fnmatchcase(value, p) for p in patterns)).to_numpy(bool)
    return kept


def _labels(target: Target, cluster: str | None, rows: Codes) -> pd.Series | None:
    return None if cluster is None else target.rows[cluster].iloc[rows]


def _null_curves(
    target: Target,
    specifications: list[Specification],
    groups: list[_Group],
    curve: pd.DataFrame,
    draws: int,
    seed: int,
) -> tuple[Floats, Floats]:
    """Return the median estimate and the share of significant ones of the curve in each of many permutations."""
    exposures = list(dict.fromkeys(s.exposure for s in specifications))
    strata, units = exchangeable(target, target.rows, exposures)
    slots = positions(units) if paths_are_exchanged(target) else None
    estimable = curve["std_error"].notna().to_numpy()
    values = {name: target.exposure_values(target.rows, name) for name in exposures}
    clusters = {
        (n, name): cluster_codes(_labels(target, name, group.rows))
        for n, group in enumerate(groups)
        for name in {specifications[i].cluster for i in group.members}
    }
    found = []
    for block in permutations(target.rng(seed, "specification_curve"), strata, units, draws, slots):
        estimates = np.full((len(specifications), block.shape[1]), np.nan)
        p_values = np.full_like(estimates, np.nan)
        for n, group in enumerate(groups):
            exchanged = values[group.exposure][block[group.rows]]
            for position, i in enumerate(group.members):
                if not estimable[i]:
                    continue
                covariates = group.x[:, group.subsets[position] & (np.arange(group.x.shape[1]) != group.focal)]
                own = clusters[n, specifications[i].cluster]
                fits = fit_exposures(exchanged, group.y, covariates, own, group.absorb)
                estimates[i], p_values[i] = fits.estimate, fits.p_value
        found.append(_summary(estimates[estimable], p_values[estimable]))
    medians, shares = zip(*found, strict=True)
    return np.concatenate(medians), np.concatenate(shares)


def _summary(estimates: Floats, p_values: Floats) -> tuple[Floats, Floats]:
    """Return the median and the share significant in the more frequent direction of each column."""
    significant = p_values < LEVEL
    up, down = (significant & (estimates > 0)).mean(axis=0), (significant & (estimates < 0)).mean(axis=0)
    return np.nanmedian(estimates, axis=0), np.maximum(up, down)


def _choices_note(curve: pd.DataFrame) -> str:
    counts = {name: curve[name].nunique() for name in ("exposure", "covariates", "sample", "cluster")}
    return " × ".join(f"{count} choices of {name}" for name, count in counts.items() if count > 1)
