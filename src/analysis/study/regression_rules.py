"""Whether the keys that outcome regressions read fit their design."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.errors import nearest
from analysis.study.document import KeyPath
from analysis.study.grammar import Formula
from analysis.study.spec import Model, Study

ABSORBING = ("lpm", "ols", "poisson", "iv", "errors_in_variables", "lead_lag")
"""Designs that may have fixed effects."""
WEIGHTED = ("lpm", "ols", "logit", "poisson", "iv", "errors_in_variables", "event_study", "stacked")
"""Designs whose rows may be weighted."""
TWO_WAYS = ("lpm", "ols", "logit", "poisson", "negative_binomial", "iv", "errors_in_variables")
"""Designs whose errors may be clustered in two ways at once."""
BESIDE: dict[str, tuple[str, ...]] = {
    "logit": ("log_odds",),
    "iv": ("anderson_rubin", "ols"),
    "errors_in_variables": ("naive", "simex"),
}
"""What designs estimate beside each term, which follows the term and a colon."""


def regression_rules(study: Study, model: Model) -> Iterator[tuple[KeyPath, str]]:
    """Say what is wrong with `absorb`, `cluster`, `weights` and `instruments`: the key, and the rule that it breaks."""
    if model.absorb and model.design not in ABSORBING:
        yield ("absorb",), f"the design {model.design} has no fixed effects; remove it"
    if model.weights is not None and model.design not in WEIGHTED:
        yield ("weights",), f"the design {model.design} weighs no rows; remove it"
    if len(model.cluster) > 1 and model.design not in TWO_WAYS:
        yield ("cluster",), f"the design {model.design} is clustered in one way only; name one"
    repeated = [name for name in model.absorb if model.absorb.count(name) > 1]
    if repeated:
        yield ("absorb",), f"has {repeated[0]!r} twice"
    yield from _instruments(study, model)


def _instruments(study: Study, model: Model) -> Iterator[tuple[KeyPath, str]]:
    block = model.instruments
    if (block is not None) != (model.design == "iv"):
        told = "needs a block `instruments`" if block is None else "has no use for `instruments`; remove it"
        yield ("design" if block is None else "instruments",), f"the design {model.design} {told}"
    if block is None:
        return
    try:
        formula = Formula.parse(model.formula)
    except ValueError:
        return
    if block.endogenous not in formula.terms:
        rule = f"is not a term of the formula {model.formula!r} on its own; {nearest(block.endogenous, formula.terms)}"
        yield ("instruments", "endogenous"), rule
    elif any(block.endogenous in term.split(":") for term in formula.terms if ":" in term):
        yield ("instruments", "endogenous"), "is part of an interaction, which would need instruments of its own"
    valid = [name for name in (*study.exposures, *study.covariates) if name not in formula.variables]
    for position, name in enumerate(block.excluded):
        if name in formula.variables:
            yield ("instruments", "excluded", position), "is in the formula: an instrument is excluded from it"
        elif name not in valid:
            yield (
                ("instruments", "excluded", position),
                f"is neither an exposure nor a covariate; {nearest(name, valid)}",
            )
