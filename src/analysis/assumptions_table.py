"""A causal diagram's readings in words: paths, what is held constant, which sets would be enough."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import networkx as nx
import pandas as pd

from analysis.assumptions import SELECTED, Reading, graph_of, read_diagram
from analysis.backdoor import Path, colliders
from analysis.study.diagram import CausalDiagram
from analysis.study.spec import Study


def assumptions_table(study: Study) -> pd.DataFrame:
    """Tabulate the readings in words.

    Returns
    -------
    One row per reading: hypothesis, model, exposure, outcome, adjusted, acts, blocked, open_paths, bad_controls and
    sufficient (``nothing``, sets in braces, or ``none`` and why).
    """
    diagram = study.causal_diagram
    columns = ["hypothesis", "model", "exposure", "outcome", "adjusted", "acts", "blocked", "open_paths"]
    columns += ["bad_controls", "sufficient"]
    if diagram is None:
        return pd.DataFrame(columns=columns)
    graph = graph_of(diagram)
    rows = [
        [
            r.hypothesis, r.model, ", ".join(told(r.exposures, diagram)), diagram.nodes[r.outcome].label,
            "; ".join(f"{diagram.nodes[node].label} ({how})" for node, how in r.adjusted.items()), r.acts, r.blocked,
            "; ".join(written(path, graph, diagram) for path in r.paths),
            "; ".join(f"{diagram.nodes[node].label}: {why}" for node, why in r.results.items()),
            sufficient_words(r, diagram),
        ]
        for r in read_diagram(study)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def written(path: Path, graph: nx.DiGraph, diagram: CausalDiagram) -> str:
    """Write a path with its arrows, as in ``engagement ← salience → change``; colliders stand in square brackets."""
    opened = set(colliders(graph, path))
    labels = [f"[{label}]" if node in opened else label for node, label in zip(path, told(path, diagram), strict=True)]
    arrows = ["→" if graph.has_edge(left, right) else "←" for left, right in pairwise(path)]
    return " ".join(word for pair in zip(labels, [*arrows, ""], strict=True) for word in pair).rstrip()


def told(nodes: Iterable[str], diagram: CausalDiagram) -> list[str]:
    """Return the labels of nodes."""
    return [diagram.nodes[node].label for node in nodes]


def sufficient_words(reading: Reading, diagram: CausalDiagram) -> str:
    """Say which sets would be enough, and where there is none, why."""
    if reading.sufficient:
        sets = ["{" + ", ".join(told(sorted(nodes), diagram)) + "}" for nodes in reading.sufficient]
        return "nothing" if not reading.sufficient[0] else " or ".join(sets)
    why = [
        f"{words} {', '.join(told(sorted(nodes), diagram))}" for words, nodes in obstacles(reading, diagram) if nodes
    ]
    return "none: " + ("; ".join(why) or "the outcome is a cause of the exposure")


def obstacles(reading: Reading, diagram: CausalDiagram) -> list[tuple[str, list[str]]]:
    """Return why no set is sufficient: what the data are selected by, what nobody observed, what cannot be held."""
    unobserved = [node for node in reading.missing if diagram.nodes[node].unobserved]
    return [
        ("the data are selected by", [node for node in reading.results if reading.adjusted.get(node) == SELECTED]),
        ("nobody observed", unobserved),
        ("the exposure would be constant, too, within", [node for node in reading.missing if node not in unobserved]),
    ]
