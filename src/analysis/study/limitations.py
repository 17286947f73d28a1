"""What a study's estimates may be wrong about: threats, and the estimates that say how large each of them is here."""

from __future__ import annotations

from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from analysis.study.block import Strict, Text

Threat = Literal[
    "under_reporting", "inflated_counts", "measurement_error", "lags", "selection", "confounding", "reverse_order",
    "interference", "backlash", "scope", "analysis", "other",
]  # fmt: skip
"""In the order in which a report has them: from what is seen at all to what may be said of it.

- under_reporting: what happened and was not recorded; inflated_counts: what was recorded and did not happen, as bought
  followers and automated accounts; measurement_error: what was recorded imprecisely.
- lags: change that comes after anybody looks; reverse_order: engagement that follows change.
- selection: who is in the sample; confounding: what moves engagement and change both.
- interference: units that others' engagement reaches; backlash: change against the demand.
- scope: what the estimates do not speak of; analysis: choices made after results were seen; other: plain sentences.
"""
THREATS: tuple[Threat, ...] = get_args(Threat)


class Measure(Strict):
    """One estimate that says how large a threat is here, named as in the table of estimates."""

    model: Text
    term: Text
    outcome: Text | None = Field(default=None, description="where the model's term explains several")
    form: Literal["number", "percent", "points", "count", "ratio", "p_value"] = Field(
        alias="as", description="how it is written; ratio is of a logarithm, p_value the estimate's own"
    )


class Limitation(Strict):
    """A threat to what a study says, with the estimates that measure it, or with why nothing here can."""

    threat: Threat
    says: Text
    measured_by: list[Measure] = Field(default=[], description="what says how large the threat is here")
    not_measured: Text | None = Field(default=None, description="what nothing in these data measures, and why")

    @model_validator(mode="after")
    def _measured_or_not(self) -> Self:
        if self.threat != "other" and not self.measured_by and self.not_measured is None:
            rule = "needs `measured_by`, the estimates that say how large it is here, or `not_measured`, why none does"
            raise ValueError(rule)
        return self


def limitation(entry: object) -> object:
    """Take a plain sentence for a limitation of no named threat."""
    if isinstance(entry, str):
        return {"threat": "other", "says": entry}
    if isinstance(entry, dict | Limitation):
        return entry
    raise ValueError("must be a sentence, or a block with `threat`, `says` and `measured_by`")
