"""Where the nodes and arrows of a causal diagram stand, in inches, with labels as large as the page allows."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import networkx as nx
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from analysis.assumptions import Reading
from analysis.assumptions_table import told
from analysis.layered import Route, layered
from analysis.study.diagram import CausalDiagram

WIDTH = 7.2
BOLD = FontProperties(family="DejaVu Sans", weight="bold")
LETTERS = 13
"""A line of a node's label has about so many letters."""
LARGEST, LINE = 11.0, 1.25
"""Size of the largest labels in points, and height of a line in sizes."""
BOX, FILLED, BETWEEN = 0.9, 0.92, 0.42
"""Share of a node's width that its box takes, of a box that its widest line takes, and inches between two layers."""


@dataclass(frozen=True)
class Plan:
    """Where everything stands, in inches from the middle and from the top; a box is known by the first of its nodes.

    Attributes
    ----------
    boxes : the nodes that stand in each box.
    lines : each box's text.
    places, routes : of boxes and of arrows between them, as `layered` gives them.
    unit : width of a node, with what is left free beside its box.
    size : of the labels, in points.
    """

    boxes: dict[str, list[str]]
    lines: dict[str, list[str]]
    places: dict[str, tuple[int, float]]
    routes: dict[tuple[str, str], Route]
    unit: float
    size: float

    @property
    def box_of(self) -> dict[str, str]:
        """The box of each node."""
        return {node: box for box, nodes in self.boxes.items() for node in nodes}

    @property
    def left(self) -> float:
        """Where the drawing begins."""
        return self.unit * min(_sides(self.places, self.routes))

    @property
    def bottom(self) -> float:
        """Where the last layer ends."""
        return self.middles[-1] - self.bands[-1]

    @cached_property
    def tall(self) -> dict[str, float]:
        """Height of each box."""
        return {box: (len(text) + 0.7) * LINE * self.size / 72 for box, text in self.lines.items()}

    @cached_property
    def bands(self) -> list[float]:
        """Half the height of each layer."""
        layers = range(1 + max(layer for layer, _ in self.places.values()))
        return [max(self.tall[box] for box, (of, _) in self.places.items() if of == layer) / 2 for layer in layers]

    @cached_property
    def middles(self) -> list[float]:
        """Height of each layer's middle, below the top."""
        before = [0.0, *accumulate(2 * band + BETWEEN for band in self.bands)]
        return [-above - band for above, band in zip(before, self.bands, strict=False)]

    def middle(self, box: str) -> tuple[float, float]:
        """Return the middle of a box."""
        layer, x = self.places[box]
        return x * self.unit, self.middles[layer]

    def through(self, edge: tuple[str, str]) -> list[tuple[float, float]]:
        """Return the points of an arrow: straight within layers, so that it meets no box, and bent between them."""
        points = []
        for layer, x in self.routes[edge]:
            points += [(x * self.unit, self.middles[layer] + side * self.bands[layer]) for side in (1, -1)]
        (x, y), (to_x, to_y) = self.middle(edge[0]), self.middle(edge[1])
        points[0], points[-1] = (x, y - self.tall[edge[0]] / 2), (to_x, to_y + self.tall[edge[1]] / 2)
        return [*points[:1], *(p for p in points[1:-1] if p not in (points[0], points[-1])), points[-1]]


def planned(graph: nx.DiGraph, diagram: CausalDiagram, readings: list[Reading]) -> Plan:
    """Lay out the nodes of a graph that are to be drawn."""
    boxes = _joined(graph, diagram, readings)
    box_of = {node: box for box, nodes in boxes.items() for node in nodes}
    drawn = nx.DiGraph()
    drawn.add_nodes_from(sorted(boxes))
    drawn.add_edges_from(sorted({(box_of[a], box_of[b]) for a, b in graph.edges}))
    places, routes = layered(drawn)
    sides = _sides(places, routes)
    unit = WIDTH / (max(sides) - min(sides))
    lines = {box: _label(nodes, diagram) for box, nodes in boxes.items()}
    widest = max(TextPath((0, 0), line, 1, prop=BOLD).get_extents().width for text in lines.values() for line in text)
    return Plan(boxes, lines, places, routes, unit, min(LARGEST, FILLED * 72 * BOX * unit / widest))


def _sides(places: dict[str, tuple[int, float]], routes: dict[tuple[str, str], Route]) -> list[float]:
    ends = [x + half for _, x in places.values() for half in (-0.5, 0.5)]
    return ends + [x for route in routes.values() for _, x in route]


def _joined(graph: nx.DiGraph, diagram: CausalDiagram, readings: list[Reading]) -> dict[str, list[str]]:
    exposures = {node for r in readings for node in r.exposures}
    outcomes = {r.outcome for r in readings}
    boxes: dict[object, list[str]] = {}
    for name in sorted(graph.nodes):
        node = diagram.nodes[name]
        role = (node.unobserved, node.selected, name in exposures, name in outcomes)
        boxes.setdefault((role, frozenset(graph.pred[name]), frozenset(graph.succ[name])), []).append(name)
    return {nodes[0]: nodes for nodes in boxes.values()}


def _label(nodes: list[str], diagram: CausalDiagram) -> list[str]:
    labels = ",\n".join(told(nodes, diagram)).split("\n")
    return [line for label in labels for line in textwrap.wrap(label, LETTERS, break_long_words=False)]
