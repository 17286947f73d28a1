"""What a scenario is: a process that makes worlds, the models that are fitted to each, and what they should find."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.models.duration import DurationData
from analysis.study.spec import Study

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """One draw of a scenario, as the notebooks find a study.

    Attributes
    ----------
    table : the analysis table.
    durations : what the duration designs read besides; None where the scenario has none.
    """

    table: pd.DataFrame
    durations: DurationData | None = None


@dataclass(frozen=True)
class Target:
    """One estimate that is made in every world of a scenario, and the truth that it should find.

    Attributes
    ----------
    name : of its rows in the estimates table: the design, and what sets it apart from others of the scenario.
    model, term : where the estimate stands among those of the scenario's study.
    truth : the planted value; 0 of a planted null.
    broken : what breaks an assumption of the design, in words; empty where all hold.
    kind : `interval`; `p_value` alone; `bounds` that hold the truth between the terms ``:lower`` and ``:upper``, and
        may be wider than they need; or `test` of an assumption, without truth, which should reject where `broken`.
    """

    name: str
    model: str
    term: str
    truth: float
    broken: str = ""
    kind: str = "interval"


@dataclass(frozen=True)
class Scenario:
    """A data-generating process with the models that are fitted to its worlds.

    Attributes
    ----------
    label : in words.
    study : holds the models, as a study file would.
    draw : makes one world of so many units.
    units : of a world.
    targets : the estimates that are judged.
    """

    label: str
    study: Study
    draw: Callable[[np.random.Generator, int], World]
    units: int
    targets: tuple[Target, ...]


def study_of(
    models: Mapping[str, Mapping[str, Any]],
    outcomes: Mapping[str, str],
    exposures: Sequence[str],
    covariates: Sequence[str] = (),
    attributes: Sequence[str] = (),
    grain: str | None = None,
) -> Study:
    """Write the study that a scenario's models belong to.

    Parameters
    ----------
    models : name to what a study file says of the model, without its label.
    outcomes : name to type.
    exposures, covariates, attributes : names. A covariate is a context variable unless it is an attribute too.
    grain : of the periods, where units are observed over time.
    """
    first, declared = next(iter(models.items()))
    return Study.model_validate(
        {
            "name": "worlds",
            "title": "Simulated worlds",
            "question": "What does each design do where the truth is known?",
            "summary": "Each world is drawn anew.",
            "source": {"adapter": "benchmark"},
            "unit": {"noun": "campaign", "plural": "campaigns", "attributes": list(attributes), "grain": grain},
            "exposures": {
                name: {"label": name, "indicators": [name], "transform": "present", "absent": "zero"}
                for name in exposures
            },
            "outcomes": {name: {"label": name, "type": kind} for name, kind in outcomes.items()},
            "covariates": {
                name: {"label": name, "attribute" if name in attributes else "context": name} for name in covariates
            },
            "models": {name: {"label": name, **model} for name, model in models.items()},
            "hypotheses": {
                "recovered": {
                    "statement": "The model recovers what was planted.",
                    "origin": ["hernan-robins"],
                    "expects": "positive",
                    "decided_by": {"model": first, "term": str(declared["formula"]).split("~")[1].split()[0]},
                    "smallest_effect": 1.0,
                }
            },
        }
    )


def table_of(outcome: str, value: Floats, columns: Mapping[str, Any], period: Any = "") -> pd.DataFrame:
    """Make the rows of an analysis table for one outcome.

    Parameters
    ----------
    value : (n,) outcome; NaN where nobody reported it.
    columns : exposures, covariates and attributes, and `unit_id` where units have several rows.
    """
    n = len(value)
    unit = columns.get("unit_id", names("unit", np.arange(n)))
    excluded = np.where(np.isnan(value), "no outcome row", "")
    start = {"outcome": outcome, "unit_id": unit, "period": period, "excluded": excluded, "value": value}
    return pd.DataFrame({**start, **columns})


def names(kind: str, codes: NDArray[Any]) -> pd.api.extensions.ExtensionArray:
    """Name units, clusters or periods by their numbers, in an order that sorting keeps."""
    width = len(str(int(codes.max(initial=0))))
    known = pd.array([f"{kind}-{code:0{width}d}" for code in range(int(codes.max(initial=0)) + 1)], dtype="str")
    return known.take(codes)
