"""The claims of all studies, each with the verdict that its report came to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.study import read_study
from analysis.study.grammar import ModelId
from analysis.study.spec import Hypothesis, Model, Study

STRENGTHS = {
    1: "between units, at one time",
    2: "over time to change",
    3: "within units, from one period to the next",
    4: "around a threshold or the moment of exposure",
}
"""What a design compares, the weakest ground for a causal reading first; none of them is an experiment."""

_DESIGNS = {
    "threshold": 4, "event_study": 4, "lead_lag": 3, "cox": 2, "hazard": 2, "fine_gray": 2, "kaplan_meier": 2,
    "cumulative_incidence": 2,
}  # fmt: skip


def strength(model: Model) -> int:
    """Grade a model by what it compares; see `STRENGTHS`."""
    return 3 if "unit_id" in model.absorb else _DESIGNS.get(model.design, 1)


@dataclass(frozen=True)
class Claim:
    """One hypothesis of one study, and what its report found.

    Attributes
    ----------
    study, name, hypothesis : where it stands.
    strength : grade of the deciding design; see `STRENGTHS`.
    estimate, low, high : the deciding estimate and its 95% interval, in its own unit; None where not known.
    detectable : smallest effect that the study would find four times out of five; None where not known.
    verdict, reason : as the report gives them.
    """

    study: Study
    name: str
    hypothesis: Hypothesis
    strength: int
    estimate: float | None
    low: float | None
    high: float | None
    detectable: float | None
    verdict: str
    reason: str

    @property
    def scaled(self) -> tuple[float, float, float] | None:
        """Estimate and interval in units of the smallest effect of interest, positive as the literature expects.

        None where there is no estimate or interval, or the literature expects none.
        """
        if self.estimate is None or self.low is None or self.high is None or self.hypothesis.expects == "zero":
            return None
        unit = self.hypothesis.smallest_effect * (1 if self.hypothesis.expects == "positive" else -1)
        low, high = sorted((self.low / unit, self.high / unit))
        return self.estimate / unit, low, high


def claims(root: Path) -> list[Claim]:
    """Gather the claims of every report that has a manifest, in the order of studies and of their files.

    Parameters
    ----------
    root : the checkout; no data are needed.
    """
    found: list[Claim] = []
    for file in sorted((root / "reports").glob("*/manifest.json")):
        manifest = json.loads(file.read_text("utf-8"))
        study = read_study(root / "studies" / f"{manifest['study']}.yml", root=root)
        found += _of_study(study, manifest)
    return found


def _of_study(study: Study, manifest: Mapping[str, Any]) -> Iterator[Claim]:
    detectable = {
        (row["model"].removesuffix(":power"), row["term"].removesuffix(":mde_80")): row["estimate"]
        for row in manifest["estimates"]
        if row["model"].endswith(":power") and row["term"].endswith(":mde_80")
    }
    for verdict in manifest["verdicts"]:
        name = verdict["hypothesis"]
        yield Claim(
            study, name, study.hypotheses[name], strength(study.models[ModelId.parse(verdict["model"]).model]),
            verdict["estimate"], verdict["ci_low"], verdict["ci_high"],
            detectable.get((verdict["model"], verdict["term"])), verdict["verdict"], verdict["reason"],
        )  # fmt: skip
