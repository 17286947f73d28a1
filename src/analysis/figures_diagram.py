"""The causal diagram, with the paths that the deciding models leave open (notebook 04)."""

from __future__ import annotations

import textwrap
from collections import Counter
from itertools import pairwise

import networkx as nx
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as Curve

from analysis.assumptions import FIXED, Reading, graph_of, read_diagram
from analysis.assumptions_table import told
from analysis.backdoor import colliders, on_the_way
from analysis.diagram_layout import BOX, WIDTH, Plan, planned
from analysis.figures import BLUE, GREY, INK, ORANGE, canvas, tell
from analysis.study.diagram import CausalDiagram, Node
from analysis.study.spec import Study

PALE = "#a8b2bb"
NOTE = 0.19
"""Height of a line under the diagram, in inches."""
MOST_NODES = 15
"""In a larger diagram what every comparison holds constant is not drawn."""


def diagram_figures(study: Study) -> dict[str, Figure]:
    """Draw a study's causal diagram; nothing where it states none."""
    return {"diagram": diagram_figure(study, study.causal_diagram)} if study.causal_diagram else {}


def diagram_figure(study: Study, diagram: CausalDiagram) -> Figure:
    """Draw the diagram, causes above their effects, so that its labels can be read on a phone.

    What fixed effects hold constant in every comparison, and in a large diagram what anything does, is named and not
    drawn where no open path leads through it. Nodes with the same causes, effects and role stand in one box.
    """
    graph, readings = graph_of(diagram), read_diagram(study)
    hidden = _held_throughout(graph, readings)
    plan = planned(graph.subgraph(set(graph.nodes) - hidden), diagram, readings)
    notes = _notes(hidden, diagram)
    foot = NOTE * (len(notes) + 1)
    figure, axes = canvas(1, 1, foot - plan.bottom + 0.7)
    axis: Axes = axes[0, 0]
    axis.set_axis_off()
    axis.set(xlim=(plan.left, plan.left + WIDTH), ylim=(plan.bottom - foot, 0.03))
    unseen, asked = _steps(readings, graph, diagram, plan.box_of)
    for edge in sorted(plan.routes, key=lambda edge: (edge in unseen, edge in asked, edge)):
        _arrow(axis, plan.through(edge), ORANGE if edge in unseen else BLUE if edge in asked else PALE)
    ends = {node for reading in readings for node in (*reading.exposures, reading.outcome)}
    for box, nodes in plan.boxes.items():
        _box(axis, plan, box, diagram.nodes[box], bold=bool(ends & set(nodes)))
    for i, (text, colour) in enumerate(notes[::-1]):
        axis.text(plan.left + 0.05, plan.bottom - foot + NOTE * (i + 0.2), text, size=9, color=colour)
    named = {box: " · ".join(told(nodes, diagram)) for box, nodes in plan.boxes.items()}
    causes = {
        cause: [box for before, box in sorted(plan.routes) if before == cause] for cause, _ in sorted(plan.routes)
    }
    arrows = "; ".join(
        f"{named[cause]} → {', '.join(named[box] for box in effects)}" for cause, effects in causes.items()
    )
    return tell(figure, finding(study, diagram, readings), f"Causal diagram. Arrows: {arrows}.")


def _box(axis: Axes, plan: Plan, box: str, node: Node, *, bold: bool) -> None:
    (x, y), width, tall = plan.middle(box), BOX * plan.unit, plan.tall[box]
    style = "square,pad=0" if node.selected else "round,pad=0,rounding_size=0.06"
    axis.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - tall / 2), width, tall, boxstyle=style, zorder=3,
            facecolor="#f2f4f6" if node.unobserved else "white", edgecolor=GREY if node.unobserved else INK,
            linestyle=(0, (4, 2.5)) if node.unobserved else "-", linewidth=2.2 if node.selected else 1.0,
        )
    )  # fmt: skip
    text, weight = "\n".join(plan.lines[box]), "bold" if bold else "normal"
    axis.text(x, y, text, ha="center", va="center", size=plan.size, weight=weight, color=INK, zorder=4)


def finding(study: Study, diagram: CausalDiagram, readings: list[Reading]) -> str:
    """Say which unobserved common causes leave most comparisons open or, where none does, what else does."""
    graph, total = graph_of(diagram), len(study.hypotheses)
    left_open = {r.hypothesis for r in readings if r.paths}
    if not left_open:
        return f"If the diagram is right, all paths are closed that would bias one of the {total} comparisons"
    causes: Counter[str] = Counter()
    for hypothesis in left_open:
        paths = [path for r in readings if r.hypothesis == hypothesis for path in r.paths]
        causes.update({node for path in paths for node in _forks(graph, path) if diagram.nodes[node].unobserved})
    if not causes:
        return f"{len(left_open)} of {total} comparisons leave open a path that could be closed"
    most = max(causes.values())
    named = sorted(diagram.nodes[node].label for node, count in causes.items() if count == most)
    return f"{most} of {total} comparisons are open to causes that nobody observed: {', '.join(named)}"


def _forks(graph: nx.DiGraph, path: tuple[str, ...]) -> list[str]:
    """Return the nodes of a path that are causes of both their neighbours on it."""
    triples = zip(path, path[1:], path[2:], strict=False)
    return [node for left, node, right in triples if graph.has_edge(node, left) and graph.has_edge(node, right)]


def _held_throughout(graph: nx.DiGraph, readings: list[Reading]) -> set[str]:
    """Return the nodes that are not drawn: held constant wherever they matter, and with no open path through them."""
    shown = {node for r in readings for node in (*r.exposures, r.outcome, *r.results)}
    shown |= {node for r in readings for path in r.paths for node in path}
    shown |= {node for r in readings for path in r.paths for node in _opening(graph, path, r)}
    free = {
        node
        for r in readings
        for end in (*r.exposures, r.outcome)
        for node in nx.ancestors(graph, end)
        if node not in r.adjusted or (len(graph) <= MOST_NODES and r.adjusted[node] != FIXED)
    }
    return {node for r in readings for node in r.adjusted} - shown - free


def _opening(graph: nx.DiGraph, path: tuple[str, ...], reading: Reading) -> set[str]:
    """Return what is held constant that opens a path's colliders."""
    held = {*reading.adjusted, *reading.narrowed}
    return {node for middle in colliders(graph, path) for node in nx.descendants(graph, middle) & held}


def _notes(hidden: set[str], diagram: CausalDiagram) -> list[tuple[str, str]]:
    """Return the lines under the diagram, each with its colour."""
    notes = [
        ("→ from a cause that nobody observed, on a path that stays open", ORANGE),
        ("→ on the way of an effect that is asked for", BLUE),
        ("Dashed: not observed. Thick: the data are selected by it. Bold: compared.", INK),
    ]
    if hidden:
        text = f"Held constant in every comparison, and not drawn: {', '.join(sorted(told(list(hidden), diagram)))}."
        notes += [(line, GREY) for line in textwrap.wrap(text, 92)]
    return notes


def _steps(
    readings: list[Reading], graph: nx.DiGraph, diagram: CausalDiagram, box_of: dict[str, str]
) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Return the arrows between boxes that lead from unobserved causes along open paths, and those of effects."""
    unseen, asked = set(), set()
    for r in readings:
        steps = {(a, b) if graph.has_edge(a, b) else (b, a) for path in r.paths for a, b in pairwise(path)}
        unseen |= {(box_of[a], box_of[b]) for a, b in steps if diagram.nodes[a].unobserved}
        way = {*r.exposures, *on_the_way(graph, frozenset(r.exposures), r.outcome)}
        inside = [(a, b) for a, b in graph.edges if a in way - {r.outcome} and b in way - set(r.exposures)]
        asked |= {(box_of[a], box_of[b]) for a, b in inside if a in box_of and b in box_of}
    return unseen, asked


def _arrow(axis: Axes, points: list[tuple[float, float]], colour: str) -> None:
    vertices, codes = [points[0]], [Curve.MOVETO]
    for (x, y), (to_x, to_y) in pairwise(points):
        vertices += [(x, (y + to_y) / 2), (to_x, (y + to_y) / 2), (to_x, to_y)]
        codes += [Curve.CURVE4] * 3
    head = "-|>,head_length=4.5,head_width=2.2"
    front = colour != PALE
    width = 1.4 if front else 0.9
    path = Curve(vertices, codes)
    axis.add_patch(
        FancyArrowPatch(path=path, arrowstyle=head, color=colour, lw=width, zorder=2 if front else 1, clip_on=False)
    )
