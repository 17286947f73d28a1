"""What a study's causal diagram says of each of its hypotheses: what the deciding model closes, and what stays open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import networkx as nx

from analysis.backdoor import Names, Path, lacking, on_the_way, open_paths, results, sufficient_sets
from analysis.study.compared import Compared, compared, deciding_model
from analysis.study.diagram import CausalDiagram
from analysis.study.diagram_rules import columns_of
from analysis.study.grammar import INTERCEPT, Formula, ModelId
from analysis.study.spec import Model, Study

IN_FORMULA, FIXED, ONE_VALUE, AT_CUTOFF, SELECTED = "formula", "fixed effects", "sample", "cut-off", "selection"
"""How a model holds something constant."""
ON_THE_WAY, FOLLOWS = "on the way", "follows from it"
"""What is held constant and should not be: it lies between exposure and outcome, or follows from what does."""
DIFFERENCED = ("event_study", "stacked")
"""Designs that compare changes, which takes out what unit and period effects do."""


@dataclass(frozen=True)
class Reading:
    """One comparison that decides a hypothesis, read against the diagram.

    Attributes
    ----------
    exposures, outcome : nodes.
    adjusted : node to how the model holds it constant: by its formula, by fixed effects, because the sample has one
        value of it, at the cut-off, or because the data are selected by it.
    narrowed : nodes of which the sample keeps some values only.
    acts : whether the diagram has the exposures act on the outcome at all.
    paths : those that carry association without effect and that the model leaves open.
    results : node that is held constant though it should not be, to whether it is on the way from the exposures to the
        outcome or follows from what is.
    sufficient : sets of nodes that would close every path; an empty set where nothing need be held constant.
    missing : where no set is sufficient, the fewest nodes that would complete one: nobody observed them, or exposures
        do not vary within them.
    """

    hypothesis: str
    model: str
    design: str
    exposures: tuple[str, ...]
    outcome: str
    adjusted: dict[str, str]
    narrowed: tuple[str, ...]
    acts: bool
    paths: tuple[Path, ...]
    results: dict[str, str]
    sufficient: tuple[frozenset[str], ...]
    missing: frozenset[str]

    @property
    def blocked(self) -> bool:
        """Whether no path is left open that carries association without effect, if the diagram is right."""
        return not self.paths


def graph_of(diagram: CausalDiagram) -> nx.DiGraph:
    """Return the diagram as a graph of names."""
    graph = nx.DiGraph()
    graph.add_nodes_from(sorted(diagram.nodes))
    graph.add_edges_from(sorted((cause, effect) for cause, effects in diagram.arrows.items() for effect in effects))
    return graph


def read_diagram(study: Study) -> list[Reading]:
    """Read every hypothesis against the study's causal diagram.

    Returns
    -------
    At least one reading for each hypothesis, in their order, and one for each pair of series that a contrast compares;
    none where the study states no diagram.
    """
    if study.causal_diagram is None:
        return []
    reader = _Reader(study, study.causal_diagram)
    readings: list[Reading] = []
    for name, hypothesis in study.hypotheses.items():
        model = deciding_model(study, hypothesis)
        if model is None:
            continue
        for comparison in compared(study, hypothesis):
            for reading in reader.readings(name, hypothesis.decided_by.model, model, comparison):
                readings += [reading] if reading not in readings else []
    return readings


class _Reader:
    """One study's diagram, and which of its nodes models hold constant."""

    def __init__(self, study: Study, diagram: CausalDiagram) -> None:
        self.study, self.diagram = study, diagram
        self.graph = graph_of(diagram)
        self.measured = diagram.measured(columns_of(study))
        self.crossing = {node.threshold_of: name for name, node in diagram.nodes.items() if node.threshold_of}
        self.following = {node.next_of: name for name, node in diagram.nodes.items() if node.next_of}

    def readings(self, hypothesis: str, model_id: str, model: Model, comparison: Compared) -> Iterator[Reading]:
        ends = self.crossing if model.design == "threshold" else self.measured
        exposures = frozenset(ends[column] for column in comparison.exposures)
        for outcome in dict.fromkeys(self.measured[column] for column in comparison.outcomes):
            explained = self.following[outcome] if model.design == "lead_lag" else outcome
            yield self._reading(hypothesis, model_id, model, comparison, exposures, explained)

    def _reading(
        self, hypothesis: str, model_id: str, model: Model, comparison: Compared, exposures: Names, outcome: str
    ) -> Reading:
        ends = {*exposures, outcome}
        held = {node: how for node, how in self._held(model, model_id, comparison).items() if node not in ends}
        selection = {node: wholly for node, wholly in self._selection(model, model_id) if node not in ends}
        always = frozenset(node for node, wholly in selection.items() if wholly)
        held |= dict.fromkeys(sorted(always), SELECTED)
        narrowed = frozenset({*self._narrowed(model), *selection} - set(held) - ends)
        candidates = frozenset(name for name in self.diagram.nodes if self._can_be_held(name, exposures))
        others = frozenset(self.diagram.nodes) - candidates - always - set(self.following.values())
        sets = sufficient_sets(self.graph, exposures, outcome, candidates, always)
        way = on_the_way(self.graph, exposures, outcome)
        followed = results(self.graph, exposures, outcome) & {*held, *narrowed}
        return Reading(
            hypothesis=hypothesis,
            model=model_id,
            design=model.design,
            exposures=tuple(sorted(exposures)),
            outcome=outcome,
            adjusted=held,
            narrowed=tuple(sorted(narrowed)),
            acts=bool(way),
            paths=tuple(open_paths(self.graph, exposures, outcome, frozenset(held), narrowed)),
            results={node: ON_THE_WAY if node in way else FOLLOWS for node in sorted(followed)},
            sufficient=tuple(sets),
            missing=frozenset()
            if sets
            else lacking(self.graph, exposures, outcome, candidates, others, always - set(followed)),
        )

    def _held(self, model: Model, model_id: str, comparison: Compared) -> dict[str, str]:
        formula = Formula.parse(model.formula)
        written_out = [term for term in formula.terms if term != INTERCEPT and ":" not in term]
        in_formula = [c for c in dict.fromkeys([*written_out, *sorted(formula.variables)]) if c in self.measured]
        moderators = [self.measured[column] for column in comparison.moderators]
        how = AT_CUTOFF if model.design == "threshold" else IN_FORMULA
        held = {self.measured[c]: how if c in comparison.exposures else IN_FORMULA for c in in_formula}
        held |= dict.fromkeys(moderators, IN_FORMULA)
        absorbed = [*model.absorb, *(["unit_id", "period"] if model.design in DIFFERENCED else [])]
        single = [name for name, values in model.sample.items() if len(values) == 1]
        single += [model.each] if model.each and ModelId.parse(model_id).value else []
        for groupings, by in ((absorbed, FIXED), (single, ONE_VALUE)):
            known = [self._known(grouping.split("^")) for grouping in groupings]
            for name in self.diagram.nodes:
                ways = self._constant(name) if by == FIXED else self._constant(name) + self._columns(name)
                if name not in held and any(way <= k for k in known for way in ways):
                    held[name] = by
        return held

    def _narrowed(self, model: Model) -> set[str]:
        columns = {column for name in model.sample for column in self._known([name])}
        return {self.measured[column] for column in columns if column in self.measured}

    def _selection(self, model: Model, model_id: str) -> Iterator[tuple[str, bool]]:
        """Give the nodes that the data are selected by in a model's sample, and whether they are in all of it."""
        value = ModelId.parse(model_id).value
        for name, node in self.diagram.nodes.items():
            if not node.selected:
                continue
            kept = {**model.sample, **({model.each: [value]} if model.each and value else {})}
            samples = [(set(kept.get(attribute, [])), set(values)) for attribute, values in node.where.items()]
            if all(sample and sample <= selected for sample, selected in samples):
                yield name, True
            elif all(sample & selected or not sample for sample, selected in samples):
                yield name, False

    def _can_be_held(self, name: str, exposures: Names) -> bool:
        """Say whether a column or fixed effects could hold a node constant and leave the exposures to vary."""
        if self.diagram.nodes[name].selected or name in self.following.values():
            return False
        of_exposures = [way for exposure in exposures for way in self._constant(exposure)]
        effects = [self._known(way) for way in (*self._constant(name), *self._columns(name))]
        return any(not any(way <= effect for way in of_exposures) for effect in effects)

    def _columns(self, name: str) -> list[set[str]]:
        return [{column} for column, of in self.measured.items() if of == name]

    def _constant(self, name: str) -> list[set[str]]:
        """Return the sets of groupings and columns each of which, constant together, leave a node no variation."""
        columns = set().union(*self._columns(name))
        return [*(set(g.split("^")) for g in self.diagram.nodes[name].fixed_within), *([columns] if columns else [])]

    def _known(self, groupings: Iterable[str]) -> set[str]:
        """Return all groupings and columns that are constant where some are."""
        known = set(groupings)
        if "unit_id" in known:
            known |= set(self.study.unit.attributes)
        for name, covariate in self.study.covariates.items():
            if name in known and covariate.attribute and covariate.recode is None:
                known.add(covariate.attribute)
        return known | {n for n, c in self.study.covariates.items() if c.attribute in known}
