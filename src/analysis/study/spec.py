"""The typed shape of a study file. Everything that can be configured is a field here, and nothing else is."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


def _whole(value: object) -> object:
    """Refuse ``true`` and ``1.0``, which Python takes for 1."""
    if type(value) is not int:
        raise ValueError("must be 1 or -1")
    return value


class Strict(BaseModel):
    """A block of a study file: immutable, and a key that is not a field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Source(Strict):
    """Where the raw data are and which adapter reads them."""

    adapter: Name = Field(description="a module of analysis.sources")
    raw: dict[str, Sha256] = Field(default={}, description="path under the project, and the sha256 of the file")
    options: dict[str, Any] = Field(default={}, description="the adapter's own options, typed by its `Options`")


class Unit(Strict):
    """What one unit is, and its static attributes."""

    noun: Text
    plural: Text
    attributes: list[Name] = Field(default=[], description="columns of `units` that the analysis may use")
    frame: Name | None = Field(
        default=None,
        description="attribute whose values are sampling frames; what is described is never pooled over them",
    )
    before_launch: Literal["exclude", "refuse"] = Field(
        default="refuse", description="what to do with a unit whose outcome is dated before its launch"
    )


class Exposure(Strict):
    """One process indicator, made into one column that a model may use."""

    label: Text
    indicators: list[Name] = Field(min_length=1, description="more than one only with `transform: present`")
    transform: Literal["identity", "log10", "log1p", "present"] = "identity"
    aggregate: Literal["first", "last", "max", "sum"] = "last"
    time_order: Literal["strict", "naive"] = "strict"
    landmark_days: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description="use only values of the first so many days; later outcomes only"
    )
    absent: Literal["missing", "zero"] = Field(default="missing", description="a unit without a usable value")


class Outcome(Strict):
    """One outcome indicator, made into one column that a model may explain."""

    label: Text
    type: Literal["binary", "ordinal", "count", "continuous", "duration"]
    direction: Annotated[Literal[-1, 1], BeforeValidator(_whole)] = Field(
        default=1, description="1 towards the demand, -1 against it"
    )
    indicators: list[Name] | None = Field(default=None, description="outcome codes that count; all where absent")
    min_stage: Annotated[int, Field(ge=1, le=5)] = 1


class Covariate(Strict):
    """A column that a model may adjust for: an attribute of the unit, recoded or not, or a context variable."""

    label: Text
    attribute: Name | None = None
    context: Name | None = None
    recode: dict[Text, list[Text]] | None = Field(default=None, description="level: the attribute's values it holds")
    reference: Text | None = Field(default=None, description="the level that the others are compared with")


class Model(Strict):
    """One pre-specified outcome model."""

    label: Text
    design: Literal["lpm", "firth", "ordered_logit", "manski_bounds"]
    formula: Text
    cluster: Name | None = Field(default=None, description="attribute that errors are clustered by")
    sample: dict[Name, list[str]] = Field(default={}, description="attribute or covariate: the values kept")
    each: Name | None = Field(default=None, description="fit apart in each value of this attribute")
    contrast_time_order: bool = Field(
        default=False, description="fit again with naive exposures, to show the difference"
    )


class Decision(Strict):
    """The one estimate that decides a hypothesis."""

    model: Text
    term: Text


class Hypothesis(Strict):
    """A claim written before its result is seen."""

    statement: Text
    origin: list[Text] = Field(min_length=1, description="keys of the bibliography")
    expects: Literal["positive", "negative", "zero"]
    decided_by: Decision
    smallest_effect: Annotated[float, Field(gt=0)] = Field(description="of interest, in the estimate's unit")
    family: Name = "main"


class Study(Strict):
    """A study: its data, its indicators, its hypotheses, its models.

    See DESIGN: one file per study; nothing is configured anywhere else.
    """

    name: Name
    title: Text
    question: Text
    summary: Text
    source: Source
    unit: Unit
    exposures: dict[Name, Exposure] = Field(min_length=1)
    outcomes: dict[Name, Outcome] = Field(min_length=1)
    covariates: dict[Name, Covariate] = {}
    models: dict[Name, Model] = Field(min_length=1)
    hypotheses: dict[Name, Hypothesis] = Field(min_length=1)
    optional_notebooks: list[Literal["06_event_study", "07_threshold", "08_duration"]] = []
    limitations: list[Text] = []
    truth: dict[Text, float] = Field(default={}, description="`model:term` to its planted value, in a simulated study")
