"""Whether the estimates that measure a study's threats can exist, as far as the study file tells."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator

from analysis.errors import nearest
from analysis.study.document import KeyPath
from analysis.study.spec import Study

DESCRIBED = ("measurement", "ladder", "flow", "exposed", "delay", "interference", "timing")
"""Models that every study's descriptions make, in each of its sampling frames, or in `all` where it has none."""
_CHECKED = re.compile(r"(?P<id>(?P<base>[^\[\]@:]+)(?:\[(?P<value>[^\[\]]+)\])?(?:@naive)?)(?::.+)?")


def limitation_rules(study: Study, model_rule: Callable[[str], str]) -> Iterator[tuple[KeyPath, str]]:
    """Say which models are named that no notebook of the study makes: the key, and the rule that it breaks.

    What an adapter describes, and the terms of a model, are known only once they are estimated; a wrong one stops the
    rendering.

    Parameters
    ----------
    model_rule : says what is wrong with the id of a declared model, empty where nothing is.
    """
    for i, limitation in enumerate(study.limitations):
        for j, measure in enumerate(limitation.measured_by):
            if rule := _rule(study, measure.model, model_rule):
                yield ("limitations", i, "measured_by", j, "model"), rule


def _rule(study: Study, text: str, model_rule: Callable[[str], str]) -> str:
    match = _CHECKED.fullmatch(text)
    if match is None:
        return "is not the name of a model; write it as in `model`, `model[value]` or `model[value]:check`"
    base, value = match["base"], match["value"]
    if base in study.models:
        return model_rule(match["id"])
    by = [f"by_{name}" for name in study.covariates]
    if base in (*DESCRIBED, *by):
        if base in ("timing", *by) and study.unit.grain is not None:
            return f"is made where units are observed once, and here they are by {study.unit.grain}"
        frame = study.unit.frame
        if frame is None and value != "all":
            return f"has one sampling frame; write `{base}[all]`"
        return f"is made in each {frame}; say in which, as in `{base}[value]`" if frame and value is None else ""
    if base == "case":
        return "" if value in study.unit.cases else f"is no case of the study; {nearest(value, study.unit.cases)}"
    described = hasattr(importlib.import_module(f"analysis.sources.{study.source.adapter}"), "described")
    if described or "10_worlds" in study.optional_notebooks:
        return ""
    return f"is made by no notebook of the study; {nearest(base, (*study.models, *DESCRIBED, *by))}"
