"""Which paths of a causal diagram an adjustment leaves open, and which adjustments would close them all.

A path between exposure and outcome that does not lead from cause to effect all along carries association without
effect. It is blocked by a non-collider that is held constant, or by a collider that is not and has no effect that is.

References
----------
Pearl (2009), Causality, sections 1.2.3 (d-separation) and 3.3.1 (the back-door criterion).
Perković, Textor, Kalisch and Maathuis (2018), Complete graphical characterization and construction of adjustment sets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from itertools import combinations, pairwise

import networkx as nx

Path = tuple[str, ...]
Names = Set[str]

MOST_SETS = 3
"""At most so many sufficient sets are listed."""
MOST_CHOSEN = 4
"""Sufficient sets are looked for up to so many nodes beyond those that all of them need."""
NONE: Names = frozenset()


def open_paths(
    graph: nx.DiGraph, exposures: Names, outcome: str, adjusted: Names, narrowed: Names = NONE
) -> list[Path]:
    """List the paths that carry association without effect.

    Parameters
    ----------
    graph : acyclic; an arrow leads from cause to effect.
    exposures : asked for together: no path leads through another of them.
    adjusted : nodes held constant.
    narrowed : nodes of which the sample keeps several values only. That opens colliders and blocks nothing.

    Returns
    -------
    Paths from an exposure to the outcome, the shortest first, without those that lead through all nodes of another.
    """
    opened = _ancestors(graph, adjusted | narrowed)
    found: list[Path] = []
    longer: list[Path] = [(exposure,) for exposure in sorted(exposures)]
    while longer:
        reached = [step for path in longer for step in _steps(graph, path, exposures, adjusted, opened)]
        # A path that leads through all nodes of a shorter one says nothing more.
        kept = [path for path in reached if not any(_shorter(known, path, outcome) for known in found)]
        found += sorted(path for path in kept if path[-1] == outcome and not _leads(graph, path))
        longer = [path for path in kept if path[-1] != outcome]
    return found


def _steps(graph: nx.DiGraph, path: Path, exposures: Names, adjusted: Names, opened: Names) -> Iterator[Path]:
    """Extend a path by whatever its last node leaves open."""
    last = path[-1]
    for following in sorted({*graph.predecessors(last), *graph.successors(last)} - exposures - set(path)):
        if len(path) > 1:
            collides = graph.has_edge(path[-2], last) and graph.has_edge(following, last)
            if (collides and last not in opened) or (not collides and last in adjusted):
                continue
        yield (*path, following)


def _shorter(known: Path, path: Path, outcome: str) -> bool:
    return known[0] == path[0] and len(known) > 2 and {*known} <= {*path, outcome}


def on_the_way(graph: nx.DiGraph, exposures: Names, outcome: str) -> frozenset[str]:
    """Return the nodes through which the exposures act on the outcome, the outcome among them; empty where none do."""
    free = graph.subgraph(set(graph.nodes) - exposures)
    first = {effect for exposure in exposures for effect in graph.successors(exposure)} - exposures
    after = first.union(*(nx.descendants(free, effect) for effect in first))
    return frozenset(after & _ancestors(free, {outcome}))


def results(graph: nx.DiGraph, exposures: Names, outcome: str) -> frozenset[str]:
    """Return what must not be held constant: nodes through which the exposures act, and what follows from these."""
    way = on_the_way(graph, exposures, outcome)
    return frozenset(way.union(*(nx.descendants(graph, node) for node in way)) - exposures)


def colliders(graph: nx.DiGraph, path: Path) -> list[str]:
    """Return the nodes of a path that both their neighbours on it are causes of."""
    triples = zip(path, path[1:], path[2:], strict=False)
    return [node for before, node, after in triples if graph.has_edge(before, node) and graph.has_edge(after, node)]


def sufficient_sets(
    graph: nx.DiGraph, exposures: Names, outcome: str, candidates: Names, always: Names = NONE
) -> list[frozenset[str]]:
    """List the smallest sets that close every path that carries association without effect.

    Parameters
    ----------
    candidates : what could be held constant.
    always : what is held constant in any case, as the data are selected by it.

    Returns
    -------
    Sets without `always` none of which contains another, the smallest first; empty where there is none. With an empty
    set nothing need be held constant.
    """
    judge = _Separation(graph, exposures, outcome, always)
    widest = judge.widest(candidates)
    if not judge.separates(widest):
        return []
    needed = {node for node in widest - always if not judge.separates(widest - {node})}
    optional = sorted(widest - always - needed)
    found: list[frozenset[str]] = []
    for size in range(min(MOST_CHOSEN, len(optional)) + 1):
        for chosen in combinations(optional, size):
            smaller = any(other - needed <= set(chosen) for other in found)
            if len(found) < MOST_SETS and not smaller and judge.separates(always | needed | set(chosen)):
                found.append(frozenset(needed.union(chosen)))
    if not found:
        least = nx.find_minimal_d_separator(
            judge.graph, set(exposures), {outcome}, included=set(always), restricted=set(widest)
        )
        found = [frozenset(least - always)]
    return found


def lacking(
    graph: nx.DiGraph, exposures: Names, outcome: str, candidates: Names, unobserved: Names, always: Names = NONE
) -> frozenset[str]:
    """Return the fewest unobserved nodes that, were they observed, would complete a sufficient set.

    Returns
    -------
    Empty where none are needed, and where even all of them would not do.
    """
    judge = _Separation(graph, exposures, outcome, always)
    for size in range(len(unobserved) + 1):
        for chosen in combinations(sorted(unobserved), size):
            if judge.separates(judge.widest(candidates | set(chosen))):
                return frozenset(chosen)
    return frozenset()


class _Separation:
    """Whether a set separates exposures from outcome once the first steps of their effects are taken out."""

    def __init__(self, graph: nx.DiGraph, exposures: Names, outcome: str, always: Names) -> None:
        way = on_the_way(graph, exposures, outcome)
        self.graph = graph.copy()
        self.graph.remove_edges_from([(cause, effect) for cause, effect in graph.out_edges(exposures) if effect in way])
        self.exposures, self.outcome, self.always = set(exposures), outcome, frozenset(always)
        self.refused = results(graph, exposures, outcome)
        self.near = _ancestors(self.graph, exposures | {outcome} | always) - exposures - {outcome} - self.refused

    def widest(self, candidates: Names) -> frozenset[str]:
        """Return all candidates that may be held constant; where they do not separate, no part of them does."""
        return frozenset(candidates & self.near) | self.always

    def separates(self, held: Names) -> bool:
        if held & self.refused:
            return False
        return bool(nx.is_d_separator(self.graph, self.exposures, {self.outcome}, set(held)))


def _ancestors(graph: nx.DiGraph, nodes: Iterable[str]) -> set[str]:
    own = set(nodes)
    return own.union(*(nx.ancestors(graph, node) for node in own))


def _leads(graph: nx.DiGraph, path: Path) -> bool:
    return all(graph.has_edge(cause, effect) for cause, effect in pairwise(path))
