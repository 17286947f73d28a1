"""Placing a directed acyclic graph in layers, causes before effects, with few crossings.

References
----------
Sugiyama, Tagawa and Toda (1981), Methods for visual understanding of hierarchical system structures.
"""

from __future__ import annotations

from itertools import combinations, pairwise
from statistics import mean

import networkx as nx

Route = tuple[tuple[int, float], ...]
SWEEPS = 24
BEND = 0.14
"""Width that a passing arrow takes in a layer, in widths of a node."""


def layered(graph: nx.DiGraph) -> tuple[dict[str, tuple[int, float]], dict[tuple[str, str], Route]]:
    """Place nodes and arrows.

    Returns
    -------
    Layer of each node, counted from the first causes, and its place across, in widths of a node around a common middle;
    and for each arrow the points that it leads through, its ends among them. Arrows from one node share their way as
    far as they can. The order of nodes and arrows changes nothing.
    """
    layer = _layers(graph)
    chains = {
        (cause, effect): [cause, *(f"{cause}>{step}" for step in range(layer[cause] + 1, layer[effect])), effect]
        for cause, effect in sorted(graph.edges)
    }
    columns: list[list[str]] = [[] for _ in range(max(layer.values()) + 1)]
    for node in sorted(graph.nodes):
        columns[layer[node]].append(node)
    bends = {name: layer[chain[0]] + step for chain in chains.values() for step, name in enumerate(chain[:-1]) if step}
    for bend, step in bends.items():
        columns[step].append(bend)
    links = sorted({pair for chain in chains.values() for pair in pairwise(chain)})
    ordered = _uncrossed(columns, links)
    across: dict[str, float] = {}
    for column in ordered:
        widths = [1.0 if name in graph else BEND for name in column]
        start = -sum(widths) / 2
        for name, width in zip(column, widths, strict=True):
            across[name] = start + width / 2
            start += width
    places = {node: (layer[node], across[node]) for node in graph.nodes}
    routes = {
        edge: tuple((layer[edge[0]] + step, across[name]) for step, name in enumerate(chain))
        for edge, chain in chains.items()
    }
    return places, routes


def _layers(graph: nx.DiGraph) -> dict[str, int]:
    """Number the topological generations; what nothing causes stands in the layer before its first effect."""
    layer = {node: i for i, nodes in enumerate(nx.topological_generations(graph)) for node in nodes}
    for node in graph.nodes:
        if graph.in_degree(node) == 0 and graph.out_degree(node) > 0:
            layer[node] = min(layer[effect] for effect in graph.successors(node)) - 1
    return layer


def _uncrossed(columns: list[list[str]], links: list[tuple[str, str]]) -> list[list[str]]:
    """Order each column by the mean place of its neighbours, back and forth, and keep what crosses least."""
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for left, right in links:
        before.setdefault(right, []).append(left)
        after.setdefault(left, []).append(right)
    best, fewest = columns, _crossings(columns, after)
    current = columns
    for sweep in range(SWEEPS):
        forth = sweep % 2 == 0
        neighbours = before if forth else after
        place = {name: i / len(column) for column in current for i, name in enumerate(column)}
        following = []
        for column in current if forth else current[::-1]:
            means = [(mean(place[n] for n in neighbours.get(name, [name])), name) for name in column]
            ordered = [name for _, name in sorted(means)]
            place |= {name: i / len(ordered) for i, name in enumerate(ordered)}
            following.append(ordered)
        current = following if forth else following[::-1]
        crossings = _crossings(current, after)
        if crossings < fewest:
            best, fewest = current, crossings
    return best


def _crossings(columns: list[list[str]], after: dict[str, list[str]]) -> int:
    count = 0
    for left, right in pairwise(columns):
        place = {name: i for i, name in enumerate(right)}
        ends = [sorted(place[effect] for effect in after.get(name, [])) for name in left]
        count += sum(a > b for upper, lower in combinations(ends, 2) for a in upper for b in lower)
    return count
