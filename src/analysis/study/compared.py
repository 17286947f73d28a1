"""Which columns a hypothesis compares: the exposures and the outcome of the estimate that decides it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analysis.study.grammar import Formula, ModelId, parse_term
from analysis.study.regression_rules import BESIDE
from analysis.study.spec import Hypothesis, LeadLag, Model, Study


@dataclass(frozen=True)
class Compared:
    """One comparison.

    Attributes
    ----------
    exposures : columns whose joint effect is asked for; more than one where a group of series leads.
    outcomes : columns that are explained; with the design lead_lag the series whose next periods are.
    moderators : of a product, the columns after its first exposure, which tell apart where that acts (VanderWeele 2009,
        On the distinction between interaction and effect modification).
    """

    exposures: tuple[str, ...]
    outcomes: tuple[str, ...]
    moderators: tuple[str, ...] = ()


def deciding_model(study: Study, hypothesis: Hypothesis) -> Model | None:
    """Return the model that decides a hypothesis, None where the study declares none of that name."""
    try:
        return study.models.get(ModelId.parse(hypothesis.decided_by.model).model)
    except ValueError:
        return None


def compared(study: Study, hypothesis: Hypothesis) -> list[Compared]:
    """Return what the deciding estimate of a hypothesis compares.

    Returns
    -------
    One comparison, or one for each pair of a lead–lag contrast; none where model, formula or term are not valid, which
    `references` says.
    """
    model = deciding_model(study, hypothesis)
    if model is None:
        return []
    try:
        return list(_compared(study, model, hypothesis.decided_by.term))
    except ValueError:
        return []


def _compared(study: Study, model: Model, term: str) -> Iterator[Compared]:
    formula = Formula.parse(model.formula)
    exposures = tuple(sorted(formula.variables & set(study.exposures)))
    if model.lead_lag is not None:
        for pair in _pairs(model.lead_lag, term):
            leader, follower = pair.split(">")
            yield Compared(_members(model.lead_lag, leader), _members(model.lead_lag, follower))
    elif model.design == "threshold":
        moderator = model.threshold.moderator if model.threshold and term.startswith("difference:") else None
        yield Compared(exposures, (formula.outcome,), (moderator,) if moderator else ())
    elif model.design in ("event_study", "stacked", "manski_bounds", "lee_bounds"):
        yield Compared(exposures, (formula.outcome,))
    else:
        for beside in BESIDE.get(model.design, ()):
            term = term.removesuffix(f":{beside}")
        columns = list(dict.fromkeys(factor.column for factor in parse_term(term)))
        acting = next((column for column in columns if column in study.exposures), columns[0])
        if set(columns) <= formula.variables:
            yield Compared((acting,), (formula.outcome,), tuple(column for column in columns if column != acting))


def _pairs(spec: LeadLag, term: str) -> list[str]:
    kind, _, name = term.partition(":")
    return spec.contrasts.get(name, []) if kind == "difference" else [name for pair in spec.pairs if pair == name]


def _members(spec: LeadLag, side: str) -> tuple[str, ...]:
    return tuple(spec.groups.get(side, [side]))
