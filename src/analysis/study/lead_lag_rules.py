"""What the block `lead_lag` of a model may say, and which terms it estimates."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.errors import nearest
from analysis.study.document import KeyPath
from analysis.study.grammar import INTERCEPT, Formula
from analysis.study.spec import LeadLag, Model, Study


def lead_lag_terms(model: Model) -> list[str]:
    """Return the terms of a model of the design lead_lag that a hypothesis may name."""
    spec = model.lead_lag
    if spec is None:
        return []
    return [*(f"sustained:{pair}" for pair in spec.pairs), *(f"difference:{name}" for name in spec.contrasts)]


def lead_lag_rules(study: Study, model: Model) -> Iterator[tuple[KeyPath, str]]:
    """Say what is wrong with the block that only the design lead_lag reads."""
    spec = model.lead_lag
    if model.design != "lead_lag" or spec is None:
        if model.design == "lead_lag":
            yield ("design",), "the design lead_lag needs a block `lead_lag` with its pairs"
        if spec is not None:
            yield ("lead_lag",), f"the design {model.design} is no system of series; remove the block"
        return
    if study.unit.grain is None:
        yield ("design",), "the design lead_lag is for units that are observed over time (`unit.grain`)"
    try:
        formula = Formula.parse(model.formula)
    except ValueError:
        return
    series = [term for term in formula.terms if term != INTERCEPT]
    if len(series) < 2 or any(term not in study.exposures for term in series):
        yield ("formula",), "the design lead_lag has two or more exposures on the right side, the series of the system"
        return
    yield from _named(spec, series)
    yield from _errors(model, spec)


def _named(spec: LeadLag, series: list[str]) -> Iterator[tuple[KeyPath, str]]:
    for group, members in spec.groups.items():
        if group in series:
            yield ("lead_lag", "groups", group), "is the name of a series; a group needs a name of its own"
        for position, member in enumerate(members):
            if member not in series:
                rule = f"is not a series of the formula; {nearest(member, series)}"
                yield ("lead_lag", "groups", group, position), rule
    valid = [*series, *spec.groups]
    lists = [("pairs", spec.pairs), ("published", list(spec.published))]
    for key, pairs in lists:
        for position, pair in enumerate(pairs):
            place: KeyPath = ("lead_lag", key, position if key == "pairs" else pair)
            sides = pair.split(">")
            unknown = [side for side in sides if side not in valid]
            if unknown:
                yield (
                    place,
                    f"{unknown[0]!r} is neither a series of the formula nor a group; {nearest(unknown[0], valid)}",
                )
            elif set(spec.groups.get(sides[0], sides[:1])) & set(spec.groups.get(sides[1], sides[1:])):
                yield place, "has a series on both sides; one that leads itself says nothing"
            elif key == "published" and not {pair, ">".join(reversed(sides))} <= set(spec.pairs):
                yield place, "needs both this pair and the reverse among `pairs`, to be compared with"
    for name, pairs in spec.contrasts.items():
        for position, pair in enumerate(pairs):
            if pair not in spec.pairs:
                yield ("lead_lag", "contrasts", name, position), f"is not among `pairs`; {nearest(pair, spec.pairs)}"


def _errors(model: Model, spec: LeadLag) -> Iterator[tuple[KeyPath, str]]:
    if model.absorb not in (["unit_id"], ["unit_id", "period"]):
        yield ("absorb",), "must be [unit_id] or [unit_id, period]: every unit has a mean of its own in lead_lag"
    if model.cluster not in (["unit_id"], ["period"]):
        yield ("cluster",), "must be unit_id or period, which the bootstrap draws"
    if (model.cluster == ["period"]) != (spec.block is not None):
        yield ("lead_lag",), "needs `block` with `cluster: period`, and only then"
    if spec.block is not None and spec.block <= spec.lags:
        yield ("lead_lag", "block"), "must be longer than `lags`"
    if spec.compared_lags < spec.lags:
        yield ("lead_lag", "compared_lags"), "must be at least `lags`"
    if spec.offset and spec.scale != "log_odds":
        yield ("lead_lag", "offset"), "is for `scale: log_odds` only"
