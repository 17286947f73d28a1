"""What the block `event_study` of a model may say, and which terms it estimates."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.study.document import KeyPath
from analysis.study.grammar import Formula
from analysis.study.spec import Model, Study

TWO_WAY = ("twfe", "bacon:clean", "bacon:forbidden")


def event_study_terms(model: Model) -> list[str]:
    """Return the terms of a model of the design event_study that a hypothesis may name."""
    spec = model.event_study
    if spec is None:
        return []
    reference = -1 - spec.anticipation
    times = [e for e in range(-spec.leads, spec.lags + 1) if e != reference]
    beside = [f":{name}" for name in spec.estimators[1:]]
    return [
        *(f"overall{suffix}" for suffix in ("", *beside)),
        "average",
        *(f"event[{e}]{suffix}" for suffix in ("", *beside) for e in times),
        *TWO_WAY,
    ]


def event_study_rules(study: Study, model: Model) -> Iterator[tuple[KeyPath, str]]:
    """Say what is wrong with the block that only the design event_study reads."""
    spec = model.event_study
    if model.design != "event_study" or spec is None:
        if model.design == "event_study":
            yield ("design",), "the design event_study needs a block `event_study`; it may be empty, `event_study: {}`"
        if spec is not None:
            yield ("event_study",), f"the design {model.design} has no moment of exposure; remove the block"
        return
    if study.unit.grain is None:
        yield ("design",), "the design event_study is for units that are observed over time (`unit.grain`)"
    if spec.leads < 2 + spec.anticipation:
        rule = f"must be at least {2 + spec.anticipation}, as {-1 - spec.anticipation} is the reference"
        yield ("event_study", "leads"), rule
    for key in ("estimators", "honest", "honest_relative"):
        if len(set(getattr(spec, key))) < len(getattr(spec, key)):
            yield ("event_study", key), "names something twice"
    if len(model.cluster) > 1 or "period" in model.cluster:
        yield ("cluster",), "the design event_study clusters by one attribute that is fixed over time, or by `unit_id`"
    yield from _exposure(study, model)


def _exposure(study: Study, model: Model) -> Iterator[tuple[KeyPath, str]]:
    try:
        formula = Formula.parse(model.formula)
    except ValueError:
        return
    exposures = sorted(formula.variables & set(study.exposures))
    if len(exposures) != 1 or exposures[0] not in formula.terms or any(":" in term for term in formula.terms):
        rule = "has one exposure on the right side, with covariates to make parallel trends conditional on or without"
        yield ("formula",), f"the design event_study {rule}"
        return
    exposure = study.exposures[exposures[0]]
    if exposure.transform != "present" or exposure.window != "all":
        yield ("formula",), f"{exposures[0]!r} may end again; an event study needs `transform: present, window: all`"
