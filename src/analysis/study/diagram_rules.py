"""What the block `causal_diagram` may say: names that are declared, no circle, and all that decides drawn in it."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.errors import Problem, nearest
from analysis.study.compared import compared, deciding_model
from analysis.study.diagram import CausalDiagram, Node
from analysis.study.document import Document, KeyPath
from analysis.study.grammar import Formula
from analysis.study.spec import Study

NODES: KeyPath = ("causal_diagram", "nodes")
ARROWS: KeyPath = ("causal_diagram", "arrows")


def diagram_problems(study: Study, document: Document) -> Iterator[Problem]:
    """Check a study's causal diagram against the rest of the file; nothing where there is none."""
    diagram = study.causal_diagram
    if diagram is None:
        return
    before = list(_nodes(study, diagram, document))
    yield from before
    yield from _arrows(diagram, document)
    if not before:
        yield from _deciding(study, diagram, document)


def columns_of(study: Study) -> list[str]:
    """Return the names of a study that a node may be measured by."""
    return list(dict.fromkeys([*study.exposures, *study.outcomes, *study.covariates, *study.unit.attributes]))


def _nodes(study: Study, diagram: CausalDiagram, document: Document) -> Iterator[Problem]:
    columns = columns_of(study)
    owners: dict[str, str] = {}
    for name, node in diagram.nodes.items():
        place = (*NODES, name)
        for position, column in enumerate(node.measured_by):
            if column not in columns:
                rule = (
                    f"is neither an exposure, an outcome, a covariate nor a unit attribute; {nearest(column, columns)}"
                )
                yield document.problem((*place, "measured_by", position), rule)
            elif owners.setdefault(column, name) != name:
                rule = f"measures the node {owners[column]!r} already; a column measures one node"
                yield document.problem((*place, "measured_by", position), rule)
        if not node.measured_by and name in columns and owners.setdefault(name, name) != name:
            rule = f"is a column that measures the node {owners[name]!r} already; name this node otherwise"
            yield document.problem(place, rule, at_key=True)
        yield from (document.problem((*place, *key), rule) for key, rule in _observed(name, node, columns))
        yield from (document.problem((*place, *key), rule, at_key=True) for key, rule in _where(study, node))
        yield from (document.problem((*place, *key), rule) for key, rule in _links(study, diagram, name, node))


def _observed(name: str, node: Node, columns: list[str]) -> Iterator[tuple[KeyPath, str]]:
    declared = bool(node.measured_by) or name in columns
    if node.unobserved and (declared or node.threshold_of):
        yield ("unobserved",), "is measured by a column of the study; remove it, or name the node otherwise"
    if not (node.unobserved or declared or node.threshold_of or node.next_of or node.selected):
        hint = nearest(name, columns)
        near = f"; {hint}" if hint.startswith("did you mean") else ""
        yield (), f"is no column of the study{near}; say what it is `measured_by`, or `unobserved: true`"


def _where(study: Study, node: Node) -> Iterator[tuple[KeyPath, str]]:
    if node.where and not node.selected:
        yield ("where",), "says where the data are `selected`; add `selected: true`, or remove it"
    for attribute in node.where:
        if attribute not in study.unit.attributes:
            rule = f"is not among unit.attributes; {nearest(attribute, study.unit.attributes)}"
            yield ("where", attribute), rule


def _links(study: Study, diagram: CausalDiagram, name: str, node: Node) -> Iterator[tuple[KeyPath, str]]:
    groupings = [*study.unit.attributes, *(c for c in study.covariates if c not in study.unit.attributes)]
    groupings += ["unit_id", "period"] if study.unit.grain else []
    for position, grouping in enumerate(node.fixed_within):
        unknown = [part for part in grouping.split("^") if part not in groupings]
        if unknown:
            rule = f"{unknown[0]!r} is neither a unit attribute nor a covariate; {nearest(unknown[0], groupings)}"
            yield ("fixed_within", position), rule
    if node.threshold_of is not None and node.threshold_of not in study.exposures:
        yield ("threshold_of",), f"is not a declared exposure; {nearest(node.threshold_of, study.exposures)}"
    if node.next_of is not None and (node.next_of == name or node.next_of not in diagram.nodes):
        yield ("next_of",), f"is not another node; {nearest(node.next_of, [n for n in diagram.nodes if n != name])}"


def _arrows(diagram: CausalDiagram, document: Document) -> Iterator[Problem]:
    joined: set[str] = set()
    for cause, effects in diagram.arrows.items():
        if cause not in diagram.nodes:
            rule = f"is not a node of the diagram; {nearest(cause, diagram.nodes)}"
            yield document.problem((*ARROWS, cause), rule, at_key=True)
        for position, effect in enumerate(effects):
            if effect not in diagram.nodes:
                rule = f"is not a node of the diagram; {nearest(effect, diagram.nodes)}"
                yield document.problem((*ARROWS, cause, position), rule)
            elif effect in effects[:position]:
                yield document.problem((*ARROWS, cause, position), f"is an effect of {cause!r} already; draw it once")
        joined |= {cause, *effects}
    for name in diagram.nodes:
        if name not in joined:
            rule = "is joined to nothing; draw an arrow to or from it, or remove it"
            yield document.problem((*NODES, name), rule, at_key=True)
    circle = diagram.circle()
    if circle:
        rule = f"closes a circle, {' → '.join(circle)}; what acts back later needs a node of its own"
        yield document.problem((*ARROWS, circle[0], diagram.arrows[circle[0]].index(circle[1])), rule)


def _deciding(study: Study, diagram: CausalDiagram, document: Document) -> Iterator[Problem]:
    """Find what a deciding estimate uses and the diagram does not know."""
    measured = diagram.measured(columns_of(study))
    crossed = {node.threshold_of for node in diagram.nodes.values()}
    followed = {node.next_of for node in diagram.nodes.values()}
    for name, hypothesis in study.hypotheses.items():
        model = deciding_model(study, hypothesis)
        comparisons = compared(study, hypothesis)
        if model is None or not comparisons:
            continue
        used = [*(c for one in comparisons for c in (*one.exposures, *one.outcomes, *one.moderators))]
        used += sorted(Formula.parse(model.formula).variables)
        place: KeyPath = ("hypotheses", name, "decided_by", "term")
        for column in dict.fromkeys(used):
            if column not in measured:
                rule = f"uses {column!r}, which is in no node of `causal_diagram`; name it in a node's `measured_by`"
                yield document.problem(place, rule)
        if model.design == "threshold":
            for column in {c for one in comparisons for c in one.exposures} - crossed:
                rule = f"crosses a cut-off of {column!r}, and no node of `causal_diagram` is its `threshold_of`"
                yield document.problem(place, rule)
        if model.design == "lead_lag":
            explained = {measured[c] for one in comparisons for c in one.outcomes if c in measured}
            for node in sorted(explained - followed):
                rule = f"explains the next period of {node!r}, and no node of `causal_diagram` is its `next_of`"
                yield document.problem(place, rule)
