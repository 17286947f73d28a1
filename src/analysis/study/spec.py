"""The typed shape of a study file. Everything that can be configured is a field here, and nothing else is."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from analysis.study.block import Name as Name
from analysis.study.block import Strict as Strict
from analysis.study.block import Text as Text
from analysis.study.diagram import CausalDiagram
from analysis.study.limitations import Limitation, limitation

_EFFECT = r"[a-z][a-z0-9_]*"
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def _whole(value: object) -> object:
    """Refuse ``true`` and ``1.0``, which Python takes for 1."""
    if type(value) is not int:
        raise ValueError("must be 1 or -1")
    return value


def _listed(value: object) -> object:
    """Take a single name for a list of one."""
    return [value] if isinstance(value, str) else value


Grain = Literal["day", "month", "quarter", "year"]


class RawFile(Strict):
    """One raw file: embedded in the repository, or downloaded where it has an address."""

    sha256: Sha256
    address: Text | None = Field(default=None, description="public address that `make data` downloads it from")
    bytes: Annotated[int, Field(gt=0)] | None = Field(default=None, description="size, to tell a truncated download")
    licence: Text | None = Field(default=None, description="where it differs from that of the source")
    citation: Text | None = Field(default=None, description="where it differs from that of the source")


def _raw_file(value: object) -> object:
    """Take a plain sha256 for an embedded file."""
    if not isinstance(value, str):
        return value
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise ValueError("must be the file's sha256, 64 digits 0-9 and a-f, or a block with `sha256` and `address`")
    return {"sha256": value}


class Source(Strict):
    """Where the raw data are and which adapter reads them."""

    adapter: Name = Field(description="a module of analysis.sources")
    raw: dict[str, Annotated[RawFile, BeforeValidator(_raw_file)]] = Field(
        default={}, description="path under the project, and its sha256, or sha256 and address where it is downloaded"
    )
    licence: Text | None = Field(default=None, description="terms of the downloaded files, as far as they are known")
    citation: Text | None = Field(default=None, description="how the downloaded files are to be cited")
    options: dict[str, Any] = Field(default={}, description="the adapter's own options, typed by its `Options`")

    @property
    def hashes(self) -> dict[str, str]:
        """Path under the project, and expected sha256, of every raw file."""
        return {path: file.sha256 for path, file in self.raw.items()}


class Unit(Strict):
    """What one unit is, and its static attributes."""

    noun: Text
    plural: Text
    attributes: list[Name] = Field(default=[], description="columns of `units` that the analysis may use")
    grain: Grain | None = Field(
        default=None, description="length of a period where units are observed over time; absent: one row per unit"
    )
    frame: Name | None = Field(
        default=None,
        description="attribute whose values are sampling frames; what is described is never pooled over them",
    )
    cases: list[Text] = Field(default=[], description="ids of units that the report tells on their own")
    before_launch: Literal["exclude", "refuse"] = Field(
        default="refuse", description="what to do with a unit whose outcome is dated before its launch"
    )


class Exposure(Strict):
    """One process indicator, made into one column that a model may use."""

    label: Text
    indicators: list[Name] = Field(min_length=1, description="more than one only with `transform: present`")
    transform: Literal["identity", "log10", "log1p", "present"] = "identity"
    aggregate: Literal["first", "last", "max", "mean", "sum"] = "last"
    time_order: Literal["strict", "naive"] = "strict"
    lag: int = Field(
        default=1,
        description="periods between the values used and the outcome; with `time_order: naive` 0 is the same period, "
        "and -1 the next one, which cannot be a cause",
    )
    window: Annotated[int, Field(gt=0)] | Literal["all"] = Field(
        default=1, description="periods whose values are aggregated, the last of them `lag` before; `all` earlier ones"
    )
    landmark_days: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description="use only values of the first so many days; later outcomes only"
    )
    absent: Literal["missing", "zero"] = Field(default="missing", description="a unit without a usable value")
    scale: Literal["value", "within_sd"] = Field(
        default="value",
        description="within_sd: in standard deviations of what unit and period do not explain, so that indicators in "
        "different units compare; over time only",
    )


class Outcome(Strict):
    """One outcome indicator, made into one column that a model may explain."""

    label: Text
    type: Literal["binary", "ordinal", "count", "continuous", "duration"]
    direction: Annotated[Literal[-1, 1], BeforeValidator(_whole)] = Field(
        default=1, description="1 towards the demand, -1 against it"
    )
    indicators: list[Name] | None = Field(default=None, description="outcome codes that count; all where absent")
    min_stage: Annotated[int, Field(ge=1, le=5)] = 1
    persists: bool = Field(default=False, description="once reached it stays, as a law passed; over time only")


class Covariate(Strict):
    """A column that a model may adjust for: an attribute of the unit, recoded or not, or a context variable."""

    label: Text
    attribute: Name | None = None
    context: Name | None = None
    lag: Annotated[int, Field(ge=0)] = Field(default=0, description="periods before the outcome, of a context variable")
    recode: dict[Text, list[Text]] | None = Field(default=None, description="level: the attribute's values it holds")
    reference: Text | None = Field(default=None, description="the level that the others are compared with")


class Threshold(Strict):
    """What a regression discontinuity needs beyond its formula, which names the outcome and the running variable."""

    cutoff: float | None = Field(default=None, description="one cut-off for all units")
    cutoff_from: Name | None = Field(default=None, description="numeric covariate that holds each unit's own cut-off")
    scale: Literal["difference", "share", "log10_ratio"] = Field(
        default="difference", description="how the running variable is normalised, so that the cut-off is 0"
    )
    bandwidths: list[Annotated[float, Field(gt=0)]] = Field(
        default=[0.5, 0.75, 1.25, 1.5, 2.0], description="multiples of the optimal bandwidth, fitted again"
    )
    donuts: list[Annotated[float, Field(gt=0)]] = Field(
        default=[], description="half-widths around the cut-off, on the normalised scale, left out and fitted again"
    )
    placebo_cutoffs: list[float] = Field(default=[], description="on the normalised scale, where nothing should jump")
    continuity: list[Name] = Field(default=[], description="covariates that should not jump at the cut-off")
    moderator: Name | None = Field(
        default=None, description="covariate of two levels in which the jump is fitted apart and compared"
    )
    heaps: list[Annotated[int, Field(gt=1)]] = Field(
        default=[10, 100, 1000], description="numbers at whose multiples the running variable may be heaped"
    )


class EventStudy(Strict):
    """What an event study needs beyond its formula, which names the outcome and the exposure that arrives and stays."""

    leads: Annotated[int, Field(ge=2)] = Field(default=5, description="periods before exposure that are looked at")
    lags: Annotated[int, Field(ge=0)] = Field(default=5, description="periods after the first exposed one, likewise")
    comparison: Literal["never_treated", "not_yet_treated"] = Field(
        default="not_yet_treated", description="units never exposed, or those and units that are not exposed yet"
    )
    estimators: list[Literal["callaway_santanna", "sun_abraham", "imputation", "stacked"]] = Field(
        default=["callaway_santanna", "sun_abraham", "imputation"],
        min_length=1,
        description="the first decides, the others stand beside it",
    )
    anticipation: Annotated[int, Field(ge=0)] = Field(
        default=0, description="periods before exposure in which it may act already; the one before is the reference"
    )
    pretrend_alternative: float | None = Field(
        default=None, description="slope of a difference in trends, per period; the test's power against it is reported"
    )
    honest: list[Annotated[float, Field(ge=0)]] = Field(
        default=[], description="by how much a difference in trends may change its slope between periods; 0 is a line"
    )
    honest_relative: list[Annotated[float, Field(ge=0)]] = Field(
        default=[], description="how many times its largest change before exposure a difference in trends may change"
    )


def _pair(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(rf"{_EFFECT}>{_EFFECT}", value):
        raise ValueError("must be a leader and a follower, as in `public>legislators`")
    return value


Pair = Annotated[str, BeforeValidator(_pair)]


class LeadLag(Strict):
    """What a panel vector autoregression needs beyond its formula, which names an outcome and the system's series."""

    lags: Annotated[int, Field(gt=0)] = Field(default=7, description="periods of every series that explain each")
    compared_lags: Annotated[int, Field(gt=0)] = Field(
        default=14, description="information criteria choose among 1 to so many lags, to be set beside `lags`"
    )
    horizon: Annotated[int, Field(gt=0)] = Field(default=15, description="period in which responses are read")
    scale: Literal["identity", "log_odds"] = Field(default="identity", description="log_odds is for shares")
    offset: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="added to every share before its log odds are taken, as those of 0 are not defined"
    )
    standardise: bool = Field(
        default=False,
        description="measure every series in standard deviations within units, so that no unit of scale makes one lead",
    )
    impulse: Literal["alone", "orthogonal"] = Field(
        default="alone",
        description="alone: what moves within one period is ascribed to nobody; orthogonal: to the series that stands "
        "first in the formula",
    )
    groups: dict[Name, list[Name]] = Field(default={}, description="series that lead together, or follow on average")
    pairs: list[Pair] = Field(min_length=1, description="`leader>follower`: series or groups")
    contrasts: dict[Name, Annotated[list[Pair], Field(min_length=2, max_length=2)]] = Field(
        default={}, description="the first pair's response minus the second's"
    )
    published: dict[Pair, float] = Field(
        default={}, description="published values of the summed response to one impulse, to be set beside the estimates"
    )
    block: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description="periods that the bootstrap draws together, with `cluster: period`"
    )
    draws: Annotated[int, Field(gt=1)] = 999
    seed: int = 20110125


class Stacked(Strict):
    """What a stack of cohorts needs beyond its formula, which names an outcome and one exposure that stays."""

    before: Annotated[int, Field(gt=0)] = Field(default=20, description="periods before first exposure, in the window")
    after: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description="periods from first exposure on, in the window; all that were observed where absent"
    )
    reference: Annotated[int, Field(gt=0)] = Field(
        default=4, description="periods before first exposure whose mean the effect is set in relation to"
    )
    published: dict[Name, float] = Field(default={}, description="published values, to be set beside the estimates")


class Instruments(Strict):
    """What moves one regressor, and the outcome only through it."""

    endogenous: Name = Field(description="the regressor of the formula that is not as good as random")
    excluded: list[Name] = Field(min_length=1, description="exposures or covariates that the formula is without")


class Model(Strict):
    """One pre-specified outcome model."""

    label: Text
    design: Literal[
        "lpm", "ols", "logit", "firth", "ordered_logit", "poisson", "negative_binomial", "iv", "errors_in_variables",
        "manski_bounds",
        "lee_bounds",
        "kaplan_meier", "cumulative_incidence", "cox", "hazard", "fine_gray", "threshold", "lead_lag",
        "event_study", "stacked",
    ]  # fmt: skip
    formula: Text
    cluster: Annotated[list[Name], BeforeValidator(_listed), Field(max_length=2)] = Field(
        default=[], description="attribute that errors are clustered by, or two of them; `unit_id` and `period` too"
    )
    absorb: list[Annotated[str, StringConstraints(pattern=rf"^{_EFFECT}(\^{_EFFECT})*$")]] = Field(
        default=[],
        description="fixed effects: attributes, covariates, `unit_id` or `period`; `a^b` has one for each pair of them",
    )
    weights: Name | None = Field(default=None, description="covariate that holds each row's weight")
    sample: dict[Name, list[str]] = Field(default={}, description="attribute or covariate: the values kept")
    each: Name | None = Field(default=None, description="fit apart in each value of this attribute")
    contrast_time_order: bool = Field(
        default=False, description="fit again with naive exposures, to show the difference"
    )
    competing: Name | None = Field(default=None, description="outcome whose first event ends the risk of this one")
    periods: list[Annotated[int, Field(gt=0)]] = Field(
        default=[91, 182, 365, 730],
        min_length=1,
        description="days since launch: a hazard's baseline may change, and curves are read, at their end",
    )
    exposed_from: Literal["as_of", "launch"] = Field(
        default="as_of", description="when a value starts to count in cox and hazard; `launch` is immortal time"
    )
    instruments: Instruments | None = Field(default=None, description="only and always with the design iv")
    threshold: Threshold | None = Field(default=None, description="only and always with the design threshold")
    event_study: EventStudy | None = Field(default=None, description="only and always with the design event_study")
    stacked: Stacked | None = Field(default=None, description="only and always with the design stacked")
    lead_lag: LeadLag | None = Field(default=None, description="only and always with the design lead_lag")


class SampleChoice(Strict):
    """Another sample that a model may reasonably be fitted in, within its own."""

    keep: dict[Name, list[str]] = Field(default={}, description="attribute or covariate: the values kept")
    drop: dict[Name, list[str]] = Field(
        default={}, description="attribute or covariate: the values left out; `*` stands for any text"
    )


class Robustness(Strict):
    """The reasonable choices that a model's estimate must survive, and the placebos that must show nothing.

    They apply to a model's linear form: of a logit, too, the linear probability model with its formula is probed. A
    Poisson model and an event study, which have none, take `strata` (a Poisson model `permute` too).
    """

    terms: list[Text] = Field(default=[], description="terms to probe beside those that decide a hypothesis")
    adjust: list[Name] | None = Field(
        default=None,
        description="covariates that may be left out or added: each subset of them is a specification, and what else "
        "the formula adjusts for is always in; the covariates of the formula where absent",
    )
    exposures: list[Name] = Field(default=[], description="other definitions, each in turn in the exposure's place")
    samples: dict[Name, SampleChoice] = Field(default={}, description="other samples, each in turn")
    clusters: list[Name] = Field(
        default=[], description="other attributes to cluster errors by, each in turn; `none` for independent errors"
    )
    permute: Literal["units", "clusters", "cells"] = Field(
        default="units",
        description="what exchanges exposures under the null; clusters where they vary only between; over time units "
        "exchange all that they were exposed to, and `cells` single periods' exposures within each period",
    )
    strata: list[Name] = Field(default=[], description="attributes or covariates within which exposures are permuted")
    benchmarks: list[Name] = Field(
        default=[], description="covariates of the formula that a hidden confounder is compared with; all where absent"
    )
    placebo_exposures: list[Name] = Field(
        default=[], description="exposures that cannot cause the outcome, each in turn in the exposure's place"
    )
    negative_control_outcomes: list[Name] = Field(
        default=[], description="outcomes that the exposure cannot cause, each in turn in the outcome's place"
    )
    placebo_shift: list[Annotated[int, Field(gt=0)]] = Field(
        default=[],
        description="periods by which an exposure that arrives and stays is dated too early, in the periods before it "
        "truly arrives, where it cannot act yet",
    )


Way = Literal["epistemic_community", "advocacy_network", "social_media"]
"""How a norm travels to a target: by experts and international bodies, by organisations, or by the many online."""


class Decision(Strict):
    """The one estimate that decides a hypothesis."""

    model: Text
    term: Text


class Hypothesis(Strict):
    """A claim, to be written before its result is seen; where it was not, the study file says so."""

    statement: Text
    origin: list[Text] = Field(min_length=1, description="keys of the bibliography")
    expects: Literal["positive", "negative", "zero"]
    decided_by: Decision
    smallest_effect: Annotated[float, Field(gt=0)] = Field(description="of interest, in the estimate's unit")
    family: Name = "main"
    way: Way | None = Field(default=None, description="by which the norm travels, of a claim on what engagement brings")
    rung: Annotated[int, Field(ge=1, le=5)] | None = Field(
        default=None, description="of the outcome ladder; `way` and `rung` place a claim beside those of other studies"
    )


class Deviation(Strict):
    """A departure of a hypothesis from what was registered, or what was known of its result when it was written."""

    hypothesis: Name = Field(description="changed, added or dropped")
    date: date
    what: Text
    why: Text
    after_results: bool = Field(description="whether results that bear on it had been seen; it is exploratory then")
    dropped: bool = Field(default=False, description="the hypothesis is no longer in the study file")


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
    covariates: dict[Name, Covariate] = Field(default={})
    models: dict[Name, Model] = Field(min_length=1)
    hypotheses: dict[Name, Hypothesis] = Field(min_length=1)
    families: dict[Name, Literal["holm", "bh", "romano_wolf"]] = Field(
        default={},
        description="how the p-values of a family of hypotheses are adjusted: holm where it is not named here, bh for "
        "the false discovery rate, romano_wolf for joint resampling, which knows how its members depend on each other",
    )
    deviations: list[Deviation] = Field(default=[], description="log of departures from the registered hypotheses")
    robustness: dict[Name, Robustness] = Field(default={}, description="model: what its estimate must survive")
    optional_notebooks: list[Literal["04_case", "06_event_study", "07_threshold", "08_duration", "10_worlds"]] = Field(
        default=[]
    )
    parameters: dict[Text, str | int | float | bool] = Field(
        default={},
        description="what notebooks' parameters are where the command line does not say: `name`, or `notebook:name`",
    )
    limitations: list[Annotated[Limitation, BeforeValidator(limitation)]] = Field(
        default=[], description="threats, each with the estimates that measure it, or a plain sentence"
    )
    causal_diagram: CausalDiagram | None = Field(default=None, description="what is assumed of causes, as a graph")
    truth: dict[Text, float] = Field(default={}, description="`model:term` to its planted value, in a simulated study")
