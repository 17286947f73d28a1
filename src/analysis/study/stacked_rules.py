"""What the block `stacked` of a model may say, and which terms it estimates."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.study.document import KeyPath
from analysis.study.grammar import Formula
from analysis.study.spec import Model, Study


def stacked_terms(study: Study, model: Model) -> list[str]:
    """Return the terms of a model of the design stacked that a hypothesis may name."""
    return [*_exposures(study, Formula.parse(model.formula)), "share", "total"]


def stacked_rules(study: Study, model: Model) -> Iterator[tuple[KeyPath, str]]:
    """Say what is wrong with the block that only the design stacked reads."""
    if model.design != "stacked" or model.stacked is None:
        if model.design == "stacked":
            yield ("design",), "the design stacked needs a block `stacked`; it may be empty, `stacked: {}`"
        if model.stacked is not None:
            yield ("stacked",), f"the design {model.design} stacks no cohorts; remove the block"
        return
    if study.unit.grain is None:
        yield ("design",), "the design stacked is for units that are observed over time (`unit.grain`)"
    if model.stacked.reference > model.stacked.before:
        yield ("stacked", "reference"), "must be at most `before`"
    if len(model.cluster) > 1:
        yield ("cluster",), "the design stacked clusters by one attribute, or by `unit_id`"
    try:
        formula = Formula.parse(model.formula)
    except ValueError:
        return
    exposures = _exposures(study, formula)
    if len(exposures) != 1 or any(":" in term and exposures[0] in term.split(":") for term in formula.terms):
        yield ("formula",), "the design stacked has one exposure on the right side, and covariates or none"
    elif study.exposures[exposures[0]].transform != "present" or study.exposures[exposures[0]].window != "all":
        yield ("formula",), f"{exposures[0]!r} may come and go; it needs `transform: present` and `window: all`"


def _exposures(study: Study, formula: Formula) -> list[str]:
    return sorted(formula.variables & set(study.exposures))
