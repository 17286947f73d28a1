"""Whether the names that a study uses are declared, and whether what they name fits."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import urlsplit

from pydantic import ValidationError

from analysis.errors import Problem, nearest
from analysis.study.diagram_rules import diagram_problems
from analysis.study.document import Document, KeyPath
from analysis.study.event_study_rules import event_study_rules, event_study_terms
from analysis.study.grammar import INTERCEPT, Factor, Formula, ModelId, parse_term, split_estimate
from analysis.study.lead_lag_rules import lead_lag_rules, lead_lag_terms
from analysis.study.limitation_rules import limitation_rules
from analysis.study.pipeline import FITTED_IN
from analysis.study.regression_rules import BESIDE, regression_rules
from analysis.study.shape import shape_problems
from analysis.study.spec import Covariate, Model, RawFile, Robustness, Strict, Study
from analysis.study.stacked_rules import stacked_rules, stacked_terms

BIBLIOGRAPHY = Path(__file__).parents[1] / "report" / "references.json"
OUTCOME_TYPES: dict[str, tuple[str, ...]] = {
    "lpm": ("binary",),
    "ols": ("continuous", "count"),
    "logit": ("binary",),
    "firth": ("binary",),
    "poisson": ("count",),
    "negative_binomial": ("count",),
    "iv": ("continuous", "count", "binary"),
    "errors_in_variables": ("continuous", "count", "binary"),
    "manski_bounds": ("binary",),
    "lee_bounds": ("binary", "continuous"),
    "ordered_logit": ("ordinal",),
    "kaplan_meier": ("binary",),
    "cumulative_incidence": ("binary",),
    "cox": ("binary",),
    "hazard": ("binary",),
    "fine_gray": ("binary",),
    "threshold": ("binary",),
    "lead_lag": ("continuous",),
    "event_study": ("continuous", "count", "binary"),
    "stacked": ("continuous", "count", "binary"),
}
"""The types of outcome that each design explains."""
PROBED = ("lpm", "ols", "logit", "firth")
"""Designs that have a linear form for the checks of `robustness`."""
EXCHANGED = ("poisson", "event_study")
"""Designs whose checks exchange exposures and leave units out, and know no other choices."""
IMPLIED = ("unit_id", "period")
"""Columns of every analysis table that models may cluster by and absorb."""
BOUNDS = ("manski_bounds", "lee_bounds")
"""Designs that estimate an interval: their terms are ``<exposure>:lower`` and ``<exposure>:upper``."""
CURVES = ("kaplan_meier", "cumulative_incidence")
COMPETING = ("cumulative_incidence", "fine_gray")
JUMPS = ("jump", "jump:conventional", "jump:adjusted", "density")
"""The terms of the design threshold that a hypothesis may name, besides `difference:<moderator>`."""


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
    checks = (
        _source,
        _unit,
        _columns,
        _exposures,
        _outcomes,
        _covariates,
        _models,
        _hypotheses,
        _families,
        _robustness,
        _truth,
        _cases,
        _limitations,
        diagram_problems,
    )
    return [problem for check in checks for problem in check(study, document)]


def _source(study: Study, document: Document) -> Iterator[Problem]:
    for path, file in study.source.raw.items():
        if not _inside_project(path):
            rule = "must be a path under the project, as in `data/raw/mine.csv`, without `..`"
            yield document.problem(("source", "raw", path), rule, at_key=True)
        elif file.address is not None:
            yield from _download(path, file, document)
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


def _download(path: str, file: RawFile, document: Document) -> Iterator[Problem]:
    place: KeyPath = ("source", "raw", path)
    address = urlsplit(file.address or "")
    if address.scheme not in {"http", "https"} or not address.hostname or address.query or address.fragment:
        rule = "must be an address https://host/path, without query"
        yield document.problem((*place, "address"), rule)
    if PurePosixPath(path).parts[:2] != ("data", "raw") or len(PurePosixPath(path).parts) < 4:
        rule = "is downloaded, so that it must lie in a folder of its source, as in `data/raw/source/file.csv`"
        yield document.problem(place, rule, at_key=True)


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
        place: KeyPath = ("exposures", name)
        by_period = study.unit.grain is not None
        timed = exposure.model_fields_set & {"lag", "window"}
        if timed and not by_period:
            rule = "counts periods, and the study has none; set `unit.grain`, or remove it"
            yield from (document.problem((*place, key), rule) for key in sorted(timed))
        if by_period and exposure.landmark_days is not None:
            rule = "is for units that are observed once; use `lag` and `window`"
            yield document.problem((*place, "landmark_days"), rule)
        if by_period and exposure.time_order == "strict" and exposure.lag < 1:
            rule = "must be at least 1, or the value is not dated before the outcome; or say `time_order: naive`"
            yield document.problem((*place, "lag"), rule)
        if exposure.scale == "within_sd" and not by_period:
            rule = "needs units that are observed over time; set `unit.grain`, or remove it"
            yield document.problem((*place, "scale"), rule)


def _outcomes(study: Study, document: Document) -> Iterator[Problem]:
    for name, outcome in study.outcomes.items():
        if outcome.persists and (study.unit.grain is None or outcome.type != "binary"):
            rule = "is for binary outcomes of units that are observed over time (`unit.grain`)"
            yield document.problem(("outcomes", name, "persists"), rule)
        if study.unit.grain is not None and outcome.type in ("ordinal", "duration"):
            rule = "must be binary, count or continuous where units are observed over time"
            yield document.problem(("outcomes", name, "type"), rule)


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
        if covariate.lag and (covariate.context is None or study.unit.grain is None):
            rule = "is for a context variable of units that are observed over time (`unit.grain`)"
            yield document.problem((*place, "lag"), rule)
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
        yield from (document.problem((*place, key), rule) for key, rule in _duration_rules(study, model))
        yield from (document.problem((*place, *keys), rule) for keys, rule in regression_rules(study, model))
        yield from (document.problem((*place, *keys), rule) for keys, rule in _threshold_rules(study, model))
        yield from (document.problem((*place, *keys), rule) for keys, rule in event_study_rules(study, model))
        yield from (document.problem((*place, *keys), rule) for keys, rule in stacked_rules(study, model))
        yield from (document.problem((*place, *keys), rule) for keys, rule in lead_lag_rules(study, model))
        notebook = FITTED_IN.get(model.design)
        if notebook is not None and notebook not in study.optional_notebooks:
            rule = f"is fitted in {notebook}, which the study does not run; add it to `optional_notebooks`"
            yield document.problem((*place, "design"), rule)
        wanted = [("each", model.each, groupings)] if model.each else []
        wanted += [("cluster", cluster, [*groupings, *IMPLIED]) for cluster in model.cluster]
        wanted += [("absorb", part, [*groupings, *IMPLIED]) for effect in model.absorb for part in effect.split("^")]
        for key, grouping, valid in wanted:
            if grouping not in valid:
                rule = f"{grouping!r} is neither a unit attribute nor a covariate; {nearest(grouping, valid)}"
                yield document.problem((*place, key), rule)
        if model.weights is not None and model.weights not in study.covariates:
            rule = f"is not a declared covariate; {nearest(model.weights, study.covariates)}"
            yield document.problem((*place, "weights"), rule)
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
    elif outcome.type not in needed:
        told = " or ".join(needed)
        yield f"{formula.outcome!r} is {outcome.type}, but the design {model.design} explains a {told} outcome"
    declared = [*study.exposures, *study.covariates]
    for variable in sorted(formula.variables.difference(declared)):
        yield f"{variable!r} is neither a declared exposure nor a covariate; {nearest(variable, declared)}"
    terms = [term for term in formula.terms if term != INTERCEPT]
    if model.design in BOUNDS and not (len(terms) == 1 and terms[0] in study.exposures):
        yield f"{model.design} compares exposed with unexposed units; write one exposure alone on the right side"


def _duration_rules(study: Study, model: Model) -> Iterator[tuple[str, str]]:
    """Say what is wrong with the keys that only duration designs read."""
    if (model.competing is not None) != (model.design in COMPETING):
        told = "needs `competing`, an outcome" if model.design in COMPETING else "has no use for `competing`; remove it"
        yield "design" if model.competing is None else "competing", f"the design {model.design} {told}"
    elif model.competing is not None and model.competing not in study.outcomes:
        yield "competing", f"is not a declared outcome; {nearest(model.competing, study.outcomes)}"
    if model.exposed_from != "as_of" and model.design not in ("cox", "hazard"):
        yield "exposed_from", f"the design {model.design} has no time in it; only cox and hazard read this"
    if model.periods != sorted(set(model.periods)):
        yield "periods", "must rise, as in [91, 182, 365, 730]"
    try:
        formula = Formula.parse(model.formula)
    except ValueError:
        return
    if model.design in CURVES and formula.variables:
        rule = f"the design {model.design} compares nothing; write `{formula.outcome} ~ 1`, and groups as `each`"
        yield "formula", rule
    if model.design in ("cox", "hazard", "fine_gray") and not formula.variables:
        yield "formula", f"the design {model.design} compares hazards; write what they differ by on the right side"
    if model.design == "fine_gray" and (exposures := formula.variables & set(study.exposures)):
        named = ", ".join(sorted(exposures))
        yield "formula", f"fine_gray takes only what is fixed at launch; {named} changes after it; use cox or hazard"


def _threshold_rules(study: Study, model: Model) -> Iterator[tuple[KeyPath, str]]:
    """Say what is wrong with the block that only the design threshold reads."""
    spec = model.threshold
    if model.design != "threshold" or spec is None:
        if model.design == "threshold":
            yield ("design",), "the design threshold needs a block `threshold` with its cut-off"
        if spec is not None:
            yield ("threshold",), f"the design {model.design} has no cut-off; remove the block"
        return
    if (spec.cutoff is None) == (spec.cutoff_from is None):
        yield ("threshold",), "must have either `cutoff` or `cutoff_from`, exactly one of the two"
    if spec.scale != "difference" and spec.cutoff is not None and spec.cutoff <= 0:
        yield ("threshold", "cutoff"), f"must be greater than 0 with `scale: {spec.scale}`"
    numeric = [name for name, covariate in study.covariates.items() if covariate.context is not None]
    if spec.cutoff_from is not None and spec.cutoff_from not in numeric:
        yield (
            ("threshold", "cutoff_from"),
            f"is not a covariate with `context`, which holds numbers; {nearest(spec.cutoff_from, numeric)}",
        )
    named: list[tuple[KeyPath, str]] = [(("continuity", i), name) for i, name in enumerate(spec.continuity)]
    named += [(("moderator",), spec.moderator)] if spec.moderator else []
    for key, name in named:
        if name not in study.covariates:
            yield ("threshold", *key), f"is not a declared covariate; {nearest(name, study.covariates)}"
    for position, cutoff in enumerate(spec.placebo_cutoffs):
        if cutoff == 0:
            yield ("threshold", "placebo_cutoffs", position), "is the cut-off itself; a placebo is below or above 0"
    yield from _running_variable(study, model)


def _running_variable(study: Study, model: Model) -> Iterator[tuple[KeyPath, str]]:
    try:
        formula = Formula.parse(model.formula)
    except ValueError:
        return
    running = sorted(formula.variables & set(study.exposures))
    if len(running) != 1 or running[0] not in formula.terms or any(":" in term for term in formula.terms):
        rule = "has one exposure on the right side, the running variable, with covariates to adjust for or without"
        yield ("formula",), f"the design threshold {rule}"
    elif study.exposures[running[0]].transform != "identity":
        rule = "is transformed; the cut-off needs it as reported, with `transform: identity`"
        yield ("formula",), f"{running[0]!r} {rule}"


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


def _families(study: Study, document: Document) -> Iterator[Problem]:
    used = dict.fromkeys(hypothesis.family for hypothesis in study.hypotheses.values())
    for name in study.families:
        if name not in used:
            rule = f"is the family of no hypothesis; {nearest(name, used)}"
            yield document.problem(("families", name), rule, at_key=True)


def _near_key(origin: str, known: set[str]) -> str:
    hint = nearest(origin, sorted(known))
    return hint if hint.startswith("did you mean") else f"add it to {'/'.join(BIBLIOGRAPHY.parts[-4:])}"


def _robustness(study: Study, document: Document) -> Iterator[Problem]:
    for name, choices in study.robustness.items():
        place: KeyPath = ("robustness", name)
        model = study.models.get(name)
        if model is None:
            yield document.problem(place, f"is not a declared model; {nearest(name, study.models)}", at_key=True)
        elif model.design in EXCHANGED:
            known = ("strata", "permute") if model.design == "poisson" else ("strata",)
            for key in sorted(choices.model_fields_set - {*known}):
                rule = f"is not for the design {model.design}, whose checks know {' and '.join(known)} alone"
                yield document.problem((*place, key), rule, at_key=True)
            yield from _choices(study, model, choices, document, place)
        elif model.design not in PROBED:
            rule = f"has the design {model.design}; only {', '.join((*PROBED, *EXCHANGED))} are probed"
            yield document.problem(place, rule, at_key=True)
        else:
            yield from _choices(study, model, choices, document, place)


def _choices(study: Study, model: Model, choices: Robustness, document: Document, place: KeyPath) -> Iterator[Problem]:
    try:
        formula = Formula.parse(model.formula)
    except ValueError:
        return
    groupings = list(dict.fromkeys([*study.unit.attributes, *study.covariates]))
    outcomes = [n for n, o in study.outcomes.items() if o.type in OUTCOME_TYPES[model.design] and n != formula.outcome]
    exposures = [n for n in study.exposures if n not in formula.variables]
    by_period = IMPLIED if study.unit.grain is not None else ()
    adjustable = [*study.covariates, *(n for n in study.exposures if n in formula.variables)]
    benchmarks = sorted(formula.variables)
    lists: dict[str, tuple[list[str], list[str], str]] = {
        "adjust": (choices.adjust or [], adjustable, "is neither a covariate nor an exposure of the formula"),
        "exposures": (choices.exposures, exposures, "is not an exposure that the formula is without"),
        "clusters": (choices.clusters, [*groupings, *by_period, "none"], "is neither a unit attribute nor a covariate"),
        "strata": (choices.strata, [*groupings, *by_period], "is neither a unit attribute nor a covariate"),
        "benchmarks": (choices.benchmarks, benchmarks, "is not a variable of the formula"),
        "placebo_exposures": (choices.placebo_exposures, exposures, "is not an exposure that the formula is without"),
        "negative_control_outcomes": (choices.negative_control_outcomes, outcomes, "is not another such outcome"),
    }
    for key, (written, valid, rule) in lists.items():
        for position, value in enumerate(written):
            if value not in valid:
                yield document.problem((*place, key, position), f"{rule}; {nearest(value, valid)}")
    for position, term in enumerate(choices.terms):
        if rule := _probed_term_rule(study, model, term):
            yield document.problem((*place, "terms", position), rule)
    for sample, choice in choices.samples.items():
        if not choice.keep and not choice.drop:
            yield document.problem((*place, "samples", sample), "must `keep` or `drop` something", at_key=True)
        for key, named in (("keep", choice.keep), ("drop", choice.drop)):
            for grouping in named:
                if grouping not in groupings:
                    rule = f"is neither a unit attribute nor a covariate; {nearest(grouping, groupings)}"
                    yield document.problem((*place, "samples", sample, key, grouping), rule, at_key=True)
    staying = [n for n, e in study.exposures.items() if e.transform == "present" and e.window == "all"]
    if choices.placebo_shift and (study.unit.grain is None or not formula.variables & set(staying)):
        rule = "needs an exposure that arrives and stays (`transform: present, window: all`), observed over time"
        yield document.problem((*place, "placebo_shift"), rule)
    if choices.permute == "clusters" and not model.cluster:
        yield document.problem((*place, "permute"), "needs a model with `cluster`")
    if choices.permute == "cells" and study.unit.grain is None:
        yield document.problem((*place, "permute"), "is for units that are observed over time (`unit.grain`)")


def _probed_term_rule(study: Study, model: Model, term: str) -> str:
    if rule := _term_rule(study, model, term):
        return rule
    if term == INTERCEPT or len(parse_term(term)) > 1:
        return "must be one variable, or one level of it"
    return ""


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


def _cases(study: Study, document: Document) -> Iterator[Problem]:
    if study.unit.cases and "04_case" not in study.optional_notebooks:
        rule = "are told in 04_case, which the study does not run; add it to `optional_notebooks`"
        yield document.problem(("unit", "cases"), rule)
    if not study.unit.cases and "04_case" in study.optional_notebooks:
        rule = "04_case tells the units that `unit.cases` names; name one, or leave the notebook out"
        yield document.problem(("optional_notebooks",), rule)


def _limitations(study: Study, document: Document) -> Iterator[Problem]:
    if _adapter_options(study.source.adapter) is not None:
        for place, rule in limitation_rules(study, lambda model_id: _model_of(study, model_id)[1]):
            yield document.problem(place, rule)


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
    if model.design in BOUNDS:
        bounds = [f"{variable}:{side}" for variable in sorted(formula.variables) for side in ("lower", "upper")]
        return "" if term in bounds else f"is not a bound of the formula {model.formula!r}; {nearest(term, bounds)}"
    if model.design == "threshold":
        moderator = model.threshold.moderator if model.threshold else None
        jumps = [*JUMPS, f"difference:{moderator}"] if moderator else [*JUMPS]
        return "" if term in jumps else f"is not a term of the design threshold; {nearest(term, jumps)}"
    if model.design == "stacked":
        effects = stacked_terms(study, model)
        return "" if term in effects else f"is not a term of the design stacked; {nearest(term, effects)}"
    if model.design == "event_study":
        effects = event_study_terms(model)
        return "" if term in effects else f"is not a term of the design event_study; {nearest(term, effects)}"
    if model.design == "lead_lag":
        responses = lead_lag_terms(model)
        return "" if term in responses else f"is not a term of the design lead_lag; {nearest(term, responses)}"
    for beside in BESIDE.get(model.design, ()):
        term = term.removesuffix(f":{beside}")
    if term == INTERCEPT and INTERCEPT in formula.terms:
        return ""
    if term == "alpha" and model.design == "negative_binomial":
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
