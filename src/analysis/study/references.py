"""Whether the names that a study uses are declared, and whether what they name fits."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

from pydantic import ValidationError

from analysis.errors import Problem, nearest
from analysis.study.document import Document, KeyPath
from analysis.study.grammar import INTERCEPT, Factor, Formula, ModelId, parse_term, split_estimate
from analysis.study.shape import shape_problems
from analysis.study.spec import Covariate, Model, Strict, Study

BIBLIOGRAPHY = Path(__file__).parents[1] / "report" / "references.json"
OUTCOME_TYPES = {"lpm": "binary", "firth": "binary", "manski_bounds": "binary", "ordered_logit": "ordinal"}
"""The type of outcome that each design explains."""


def reference_problems(study: Study, document: Document) -> list[Problem]:
    """Check every name that one block of a study uses for something in another block, or outside the file.

    Parameters
    ----------
    study : of the right shape.
    document : what the study was read from.

    Returns
    -------
    All that is wrong, empty where nothing is.
    """
    checks = (_source, _unit, _columns, _exposures, _covariates, _models, _hypotheses, _truth)
    return [problem for check in checks for problem in check(study, document)]


def _source(study: Study, document: Document) -> Iterator[Problem]:
    for path in study.source.raw:
        if not _inside_project(path):
            rule = "must be a path under the project, as in `data/raw/mine.csv`, without `..`"
            yield document.problem(("source", "raw", path), rule, at_key=True)
    options = _adapter_options(study.source.adapter)
    if options is None:
        valid = [name for name in _source_modules() if _adapter_options(name)]
        yield document.problem(
            ("source", "adapter"), f"no such adapter in analysis.sources; {nearest(study.source.adapter, valid)}"
        )
        return
    try:
        options.model_validate(study.source.options, strict=True)
    except ValidationError as error:
        yield from shape_problems(error, options, document, ("source", "options"))


def _inside_project(path: str) -> bool:
    pure = PurePosixPath(path)
    plain = str(pure) == path and "\\" not in path and not PureWindowsPath(path).drive
    return plain and not pure.is_absolute() and bool(pure.parts) and not {"..", "~"} & set(pure.parts)


def _source_modules() -> list[str]:
    # Adapters use the study's types, so that their package can be imported only when a study is read.
    return [module.name for module in pkgutil.iter_modules(importlib.import_module("analysis.sources").__path__)]


def _adapter_options(name: str) -> type[Strict] | None:
    if name not in _source_modules():
        return None
    options = getattr(importlib.import_module(f"analysis.sources.{name}"), "Options", None)
    return options if isinstance(options, type) and issubclass(options, Strict) else None


def _unit(study: Study, document: Document) -> Iterator[Problem]:
    frame, attributes = study.unit.frame, study.unit.attributes
    if frame is not None and frame not in attributes:
        yield document.problem(("unit", "frame"), f"is not among unit.attributes; {nearest(frame, attributes)}")


def _columns(study: Study, document: Document) -> Iterator[Problem]:
    blocks: dict[str, Mapping[str, Strict]] = {
        "exposures": study.exposures,
        "outcomes": study.outcomes,
        "covariates": study.covariates,
    }
    owners: dict[str, str] = {}
    for block, columns in blocks.items():
        for name in columns:
            if name in owners:
                rule = f"is declared in `{owners[name]}` too; every column needs a name of its own"
                yield document.problem((block, name), rule, at_key=True)
            owners.setdefault(name, block)


def _exposures(study: Study, document: Document) -> Iterator[Problem]:
    for name, exposure in study.exposures.items():
        if len(exposure.indicators) > 1 and exposure.transform != "present":
            rule = "several indicators can only be joined by `transform: present`"
            yield document.problem(("exposures", name, "indicators"), rule)
        if exposure.transform == "present" and exposure.absent != "zero":
            rule = "must be `zero` with `transform: present`, which is 0 for a unit without a value"
            yield document.problem(("exposures", name, "absent"), rule)


def _covariates(study: Study, document: Document) -> Iterator[Problem]:
    for name, covariate in study.covariates.items():
        place: KeyPath = ("covariates", name)
        if (covariate.attribute is None) == (covariate.context is None):
            yield document.problem(
                place, "must have either `attribute` or `context`, exactly one of the two", at_key=True
            )
        if covariate.attribute is not None and covariate.attribute not in study.unit.attributes:
            rule = f"is not among unit.attributes; {nearest(covariate.attribute, study.unit.attributes)}"
            yield document.problem((*place, "attribute"), rule)
        if covariate.recode is not None:
            yield from _recode(covariate, covariate.recode, document, place)


def _recode(
    covariate: Covariate, recode: dict[str, list[str]], document: Document, place: KeyPath
) -> Iterator[Problem]:
    if covariate.attribute is None:
        yield document.problem((*place, "recode"), "only an `attribute` can be recoded", at_key=True)
    if covariate.reference is not None and covariate.reference not in recode:
        rule = f"is not a level of the recode; {nearest(covariate.reference, recode)}"
        yield document.problem((*place, "reference"), rule)
    levels: dict[str, str] = {}
    for level, values in recode.items():
        for position, value in enumerate(values):
            if value in levels:
                rule = f"is in the level {levels[value]!r} already; list a value once"
                yield document.problem((*place, "recode", level, position), rule)
            levels.setdefault(value, level)


def _models(study: Study, document: Document) -> Iterator[Problem]:
    groupings = list(dict.fromkeys([*study.unit.attributes, *study.covariates]))
    for name, model in study.models.items():
        place: KeyPath = ("models", name)
        yield from (document.problem((*place, "formula"), rule) for rule in _formula_rules(study, model))
        for key, grouping in (("each", model.each), ("cluster", model.cluster)):
            if grouping is not None and grouping not in groupings:
                rule = f"is neither a unit attribute nor a covariate; {nearest(grouping, groupings)}"
                yield document.problem((*place, key), rule)
        for grouping, values in model.sample.items():
            if grouping not in groupings:
                rule = f"is neither a unit attribute nor a covariate; {nearest(grouping, groupings)}"
                yield document.problem((*place, "sample", grouping), rule, at_key=True)
            levels = _levels(study, grouping)
            for position, value in enumerate(values):
                if levels and value not in levels:
                    rule = f"is not a level of {grouping!r}; {nearest(value, levels)}"
                    yield document.problem((*place, "sample", grouping, position), rule)


def _formula_rules(study: Study, model: Model) -> Iterator[str]:
    try:
        formula = Formula.parse(model.formula)
    except ValueError as error:
        yield str(error)
        return
    needed = OUTCOME_TYPES[model.design]
    outcome = study.outcomes.get(formula.outcome)
    if outcome is None:
        yield f"{formula.outcome!r} is not a declared outcome; {nearest(formula.outcome, study.outcomes)}"
    elif outcome.type != needed:
        yield f"{formula.outcome!r} is {outcome.type}, but the design {model.design} explains a {needed} outcome"
    declared = [*study.exposures, *study.covariates]
    for variable in sorted(formula.variables.difference(declared)):
        yield f"{variable!r} is neither a declared exposure nor a covariate; {nearest(variable, declared)}"
    terms = [term for term in formula.terms if term != INTERCEPT]
    if model.design == "manski_bounds" and not (len(terms) == 1 and terms[0] in study.exposures):
        yield "manski_bounds compares exposed with unexposed units; write one exposure alone on the right side"


def _levels(study: Study, grouping: str) -> list[str] | None:
    """Return the values that a grouping can have, None where only the data know them."""
    covariate = study.covariates.get(grouping)
    if covariate is None or covariate.recode is None or grouping in study.unit.attributes:
        return None
    return list(covariate.recode)


def _hypotheses(study: Study, document: Document) -> Iterator[Problem]:
    known = {entry["id"] for entry in json.loads(BIBLIOGRAPHY.read_text("utf-8"))} if BIBLIOGRAPHY.exists() else None
    for name, hypothesis in study.hypotheses.items():
        place: KeyPath = ("hypotheses", name)
        for position, origin in enumerate(hypothesis.origin):
            if known is not None and origin not in known:
                rule = f"is not a key of the bibliography; {_near_key(origin, known)}"
                yield document.problem((*place, "origin", position), rule)
        decision = hypothesis.decided_by
        model, rule = _model_of(study, decision.model)
        if rule:
            yield document.problem((*place, "decided_by", "model"), rule)
        if model and (rule := _term_rule(study, model, decision.term)):
            yield document.problem((*place, "decided_by", "term"), rule)


def _near_key(origin: str, known: set[str]) -> str:
    hint = nearest(origin, sorted(known))
    return hint if hint.startswith("did you mean") else f"add it to {'/'.join(BIBLIOGRAPHY.parts[-4:])}"


def _truth(study: Study, document: Document) -> Iterator[Problem]:
    for key in study.truth:
        try:
            model_id, term = split_estimate(key)
        except ValueError as error:
            yield document.problem(("truth", key), str(error), at_key=True)
            continue
        model, rule = _model_of(study, model_id)
        for found in (rule, model and _term_rule(study, model, term)):
            if found:
                yield document.problem(("truth", key), found, at_key=True)


def _model_of(study: Study, text: str) -> tuple[Model | None, str]:
    """Find the model that an id means, and say what is wrong with the id, empty where nothing is."""
    try:
        wanted = ModelId.parse(text)
    except ValueError as error:
        return None, str(error)
    model = study.models.get(wanted.model)
    if model is None:
        return None, f"{wanted.model!r} is not a declared model; {nearest(wanted.model, study.models)}"
    if model.each is None and wanted.value is not None:
        return model, f"the model {wanted.model!r} has no `each`, so that no value follows it in brackets"
    if model.each is not None and wanted.value is None:
        return model, f"the model is fitted in each {model.each}; say in which, as in `{wanted.model}[value]`"
    levels = _levels(study, model.each) if model.each else None
    if levels and wanted.value not in levels:
        return model, f"{wanted.value!r} is not a level of {model.each!r}; {nearest(wanted.value, levels)}"
    if wanted.naive and not model.contrast_time_order:
        return model, f"`@naive` needs `contrast_time_order: true` in the model {wanted.model!r}"
    return model, ""


def _term_rule(study: Study, model: Model, term: str) -> str:
    """Say why a model doesn't estimate a term, empty where it does or where the formula itself is refused."""
    try:
        formula = Formula.parse(model.formula)
    except ValueError:
        return ""
    if model.design == "manski_bounds":
        bounds = [f"{variable}:{side}" for variable in sorted(formula.variables) for side in ("lower", "upper")]
        return "" if term in bounds else f"is not a bound of the formula {model.formula!r}; {nearest(term, bounds)}"
    if term == INTERCEPT and INTERCEPT in formula.terms:
        return ""
    try:
        factors = parse_term(term)
    except ValueError as error:
        return str(error)
    expression = ":".join(factor.expression for factor in factors)
    if expression not in formula.terms:
        return f"{expression!r} is not a term of the formula {model.formula!r}; {nearest(expression, formula.terms)}"
    return next(filter(None, (_level_rule(study, factor) for factor in factors)), "")


def _level_rule(study: Study, factor: Factor) -> str:
    covariate = study.covariates.get(factor.column)
    if covariate is None:
        numeric = factor.column in study.exposures and factor.expression == factor.column
        return f"{factor.column!r} is a number and has no levels" if numeric and factor.level is not None else ""
    levels = covariate.recode
    if not levels:
        return ""
    if factor.level is None:
        return f"{factor.column!r} has levels; name one, as in `{factor.expression}[T.level]`; {nearest('', levels)}"
    if factor.level not in levels:
        return f"{factor.level!r} is not a level of {factor.column!r}; {nearest(factor.level, levels)}"
    if factor.contrast and factor.level == covariate.reference:
        return f"{factor.level!r} is the reference level of {factor.column!r}, which the others are compared with"
    return ""
