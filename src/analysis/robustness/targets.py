"""Which estimates are probed, and the linear model that stands for each."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from zlib import crc32

import numpy as np
import pandas as pd

from analysis.link import TimeOrder
from analysis.models.batched import Codes, Floats, codes
from analysis.models.design_matrix import (
    DesignMatrix,
    NotEstimableError,
    design_matrix,
    effect_codes,
    sample,
)
from analysis.models.estimates import Estimate
from analysis.models.fixed_effects import Effects
from analysis.models.formulas import INTERCEPT, outcome_of
from analysis.models.usable_rows import usable_rows
from analysis.models.vcov import FEWEST_CLUSTERS
from analysis.study.grammar import ModelId, parse_term
from analysis.study.references import PROBED
from analysis.study.spec import Model, Robustness, Study


@dataclass(frozen=True)
class Target:
    """One term of one fitted model, and everything needed to fit its linear form again.

    Attributes
    ----------
    study, model, choices : as declared; `choices` is the default where the study declares none for the model.
    model_id : such as ``counted[w4r]``.
    term : such as ``counted`` or ``modality[T.mixed]``.
    hypothesis : that the term decides; empty where none.
    rows : the model's rows of the analysis table, complete or not, ordered by unit and period.
    data : outcome and regressors of the rows that the model uses.
    absorb : fixed effects of these rows, or None.
    """

    study: Study
    model: Model
    choices: Robustness
    model_id: str
    term: str
    hypothesis: str
    rows: pd.DataFrame
    data: DesignMatrix
    absorb: Effects | None = None

    @property
    def outcome(self) -> str:
        """Name of the outcome."""
        return str(self.data.y.name)

    @property
    def variable(self) -> str:
        """The column that the term is made from."""
        return parse_term(self.term)[0].column

    @property
    def cluster(self) -> str | None:
        """The attribute that errors are clustered by, the first where there are two, or None."""
        return next(iter(self.model.cluster), None)

    @cached_property
    def complete(self) -> pd.DataFrame:
        """The rows of the analysis table that the model uses, (n, k)."""
        return self.rows.loc[self.data.x.index]

    @cached_property
    def regressors(self) -> list[str]:
        """Columns of the design matrix, without the intercept."""
        return [str(c) for c in self.data.x.columns if c != INTERCEPT]

    @property
    def focal(self) -> int:
        """Position of the term among the regressors."""
        return self.regressors.index(self.term)

    @cached_property
    def compared(self) -> tuple[str, str] | None:
        """The two levels that the term compares, its own and the reference; None where the variable is a number."""
        level = parse_term(self.term)[0].level
        if level is None:
            return None
        own = f"{self.term.split('[')[0]}["
        dummies = self.data.x[[c for c in self.data.x.columns if str(c).startswith(own) and ":" not in str(c)]]
        reference = self.complete.loc[dummies.sum(axis=1) == 0, self.variable].iloc[0]
        return level, str(reference)

    def exposure_values(self, rows: pd.DataFrame, exposure: str) -> Floats:
        """Return the exposure in its place in a regression: its value, or 1 at the term's level, (n,)."""
        if self.compared is not None:
            return np.asarray(rows[exposure] == self.compared[0], dtype=np.float64)
        return rows[exposure].to_numpy(np.float64)

    @cached_property
    def x(self) -> Floats:
        """Regressors without the intercept, (n, k)."""
        return self.data.x[self.regressors].to_numpy(np.float64)

    @cached_property
    def y(self) -> Floats:
        """Outcome, (n,)."""
        return self.data.y.to_numpy(np.float64)

    @cached_property
    def clusters(self) -> Codes | None:
        """Cluster of each row where there are enough of them for clustered errors, else None."""
        return cluster_codes(self.data.cluster)

    @cached_property
    def columns(self) -> dict[str, pd.DataFrame]:
        """Columns of terms, filled as they are first needed by `block`."""
        return {}

    def block(self, term: str) -> pd.DataFrame:
        """Return the columns of one term of a formula, in the at-risk rows that have it; none if it is constant."""
        if term not in self.columns:
            margins = " + ".join(term.split(":")) + f" + {term}" if ":" in term else term
            model = self.model.model_copy(update={"formula": f"{self.outcome} ~ {margins}"})
            try:
                x = design_matrix(self.study, model, self.rows).x
            except NotEstimableError:
                x = pd.DataFrame(index=self.rows.index)
            self.columns[term] = x[[c for c in x.columns if re.sub(r"\[[^\]]*\]", "", str(c)) == term]]
        return self.columns[term]

    @property
    def vcov(self) -> str:
        """Name of the variance estimator that the model's linear form has in these checks."""
        return vcov_name(self.data.cluster, self.absorb)

    @property
    def unit(self) -> str:
        """The unit of the estimate, in words."""
        return f"difference in {self.outcome}" if self.model.design == "ols" else "difference in probability"

    def effects_of(self, rows: pd.DataFrame) -> Effects | None:
        """Return the model's fixed effects of some rows of the analysis table, or None."""
        if not self.model.absorb:
            return None
        return Effects.of(pd.DataFrame({effect: effect_codes(rows, effect) for effect in self.model.absorb}))

    @property
    def n_clusters(self) -> int | None:
        """Number of clusters, None where errors are not clustered."""
        return number_of_clusters(self.data.cluster)

    def estimate(self, check: str, what: str, estimand: str, note: str = "", **numbers: object) -> Estimate:
        """Make a row of the estimates table about this target.

        Parameters
        ----------
        check : follows the model's id, such as ``leave_one_out``.
        what : follows the term, such as ``min``; nothing follows where empty.
        numbers : fields of `Estimate`.
        """
        row = Estimate(
            f"{self.model_id}:{check}",
            "robustness",
            self.outcome,
            f"{self.term}:{what}" if what else self.term,
            estimand,
            n_obs=len(self.data.y),
            n_units=self.data.n_units,
            n_clusters=self.n_clusters,
            note="; ".join(filter(None, (note, self.stand_in))),
        )
        return replace(row, **numbers)  # type: ignore[arg-type]

    @property
    def stand_in(self) -> str:
        """What a reader must know where the linear form is not the model itself."""
        design = self.model.design
        linear = design in PROBED and design not in ("lpm", "ols")
        return f"of the linear probability model that stands for {design}" if linear else ""

    def rng(self, seed: int, check: str) -> np.random.Generator:
        """Return random numbers of this target and check alone, so that other targets don't change them."""
        return np.random.default_rng([seed, crc32(f"{self.model_id}:{self.term}:{check}".encode())])


@dataclass(frozen=True)
class Probe:
    """One estimate that is to be probed, of a model of any design.

    Attributes
    ----------
    model, choices : as declared; `choices` is the default where the study declares none for the model.
    model_id, term, hypothesis : as of a `Target`.
    rows : the model's rows of the analysis table, ordered by unit and period.
    """

    study: Study
    model: Model
    choices: Robustness
    model_id: str
    term: str
    hypothesis: str
    rows: pd.DataFrame

    def target(self, data: DesignMatrix, absorb: Effects | None) -> Target:
        """Make the target, of the rows that the model uses."""
        at_risk = self.rows[self.rows["excluded"] == ""]
        return Target(
            self.study, self.model, self.choices, self.model_id, self.term, self.hypothesis, at_risk, data, absorb
        )

    def without_numbers(self, error: NotEstimableError) -> Estimate:
        """Make the row that says why nothing is probed."""
        outcome = outcome_of(self.model.formula)
        name, note = f"{self.model_id}:randomisation", f"not estimable: {error}"
        return Estimate(name, "robustness", outcome, self.term, "", n_obs=0, note=note)


def probes(study: Study, table: pd.DataFrame, designs: Collection[str]) -> Iterator[Probe]:
    """List the estimates to probe: those that decide hypotheses, and those that `robustness` names.

    Parameters
    ----------
    table : the analysis table.
    designs : of the models to be listed.

    Returns
    -------
    Probes in the study's order.
    """
    probed = dict.fromkeys((h.decided_by.model, h.decided_by.term) for h in study.hypotheses.values())
    for name, choices in study.robustness.items():
        each = study.models[name].each
        values = sorted(table[each].unique()) if each else [None]
        probed |= dict.fromkeys((f"{name}[{v}]" if v else name, term) for v in values for term in choices.terms)
    decides = {(h.decided_by.model, h.decided_by.term): name for name, h in study.hypotheses.items()}
    for model_id, term in probed:
        wanted = ModelId.parse(model_id)
        model = study.models[wanted.model]
        if model.design not in designs:
            continue
        choices = study.robustness.get(wanted.model, Robustness())
        order: TimeOrder = "naive" if wanted.naive else "strict"
        rows = sample(study, model, table, wanted.value, order)
        rows = rows.sort_values([c for c in ("unit_id", "period") if c in rows], kind="stable")
        yield Probe(study, model, choices, model_id, term, decides.get((model_id, term), ""), rows)


def targets(study: Study, table: pd.DataFrame) -> Iterator[Target | Estimate]:
    """List the estimates to probe that have a linear form.

    Parameters
    ----------
    table : the analysis table.

    Returns
    -------
    Targets in the study's order. In place of one whose linear form cannot be estimated, a row that says why.
    """
    for probe in probes(study, table, PROBED):
        try:
            if probe.model.weights is not None:
                raise NotEstimableError("the checks do not weigh rows, and would be of another model")
            usable = usable_rows(design_matrix(study, probe.model, probe.rows))
            usable.regressors()
            refuse_unknown(probe.term, usable.data)
        except NotEstimableError as error:
            yield probe.without_numbers(error)
            continue
        yield probe.target(usable.data, usable.effects)


def refuse_unknown(term: str, data: DesignMatrix) -> None:
    """Refuse a term that is not a regressor, as a level that no row has."""
    if term not in data.x.columns:
        raise NotEstimableError(f"{term} is not a regressor; there are {', '.join(map(str, data.x.columns))}")


def cluster_codes(clusters: pd.Series | None) -> Codes | None:
    """Number clusters from 0 where there are enough for clustered errors, else None."""
    if clusters is None or clusters.nunique() < FEWEST_CLUSTERS:
        return None
    return codes(clusters)


def vcov_name(clusters: pd.Series | None, absorb: Effects | None = None) -> str:
    """Name the variance estimator for these clusters."""
    if cluster_codes(clusters) is None or clusters is None:
        return "HC3" if absorb is None else "HC1"
    return f"CRV1({clusters.name})"


def number_of_clusters(clusters: pd.Series | None) -> int | None:
    """Count the clusters that errors are clustered by, None where they are not."""
    return None if cluster_codes(clusters) is None or clusters is None else int(clusters.nunique())
