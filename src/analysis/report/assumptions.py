"""What a report says of a study's causal diagram: for each comparison what is closed, what is open, what would do."""

from __future__ import annotations

from collections.abc import Iterable

from analysis.assumptions import (
    AT_CUTOFF,
    FIXED,
    IN_FORMULA,
    ON_THE_WAY,
    ONE_VALUE,
    SELECTED,
    Reading,
    graph_of,
    read_diagram,
)
from analysis.assumptions_table import obstacles, told, written
from analysis.backdoor import colliders
from analysis.report.exhibits import NOTHING, Exhibits
from analysis.report.markdown import Markdown, escape, identifier
from analysis.study.diagram import CausalDiagram

HELD = {
    IN_FORMULA: "by the formula",
    FIXED: "by fixed effects",
    ONE_VALUE: "as the sample has one value of it",
    AT_CUTOFF: "at the cut-off",
    SELECTED: "as the data are selected by it",
}
CLOSES = {
    "threshold": "At the cut-off the running variable is the same on both sides, which closes what acts through it "
    "alone, observed or not; what else jumps there stays open.",
    "event_study": "Changes are compared within units and periods, which closes what is constant in either, if it acts "
    "on all alike (parallel trends).",
    "iv": "An instrument closes what moves the exposure besides, if it acts on the outcome through the exposure alone; "
    "the paths are those that it would have to close.",
    "lead_lag": "The past of every series is held constant, which closes what acts through it; what moves several "
    "series at once stays open.",
}
"""What a design closes by itself."""
CLOSES["stacked"] = CLOSES["event_study"]
BY_EFFECTS = "Fixed effects close what does not vary within them, if it acts on all alike."
MOST_PATHS = 6
"""At most so many paths of a kind are written out."""


def assumptions(exhibits: Exhibits) -> Markdown:
    """Say for each comparison what the deciding model holds constant, which paths it leaves open and what would do.

    Returns
    -------
    A paragraph and a list, hypotheses that share a comparison together; nothing where the study states no diagram.
    """
    diagram = exhibits.study.causal_diagram
    readings = read_diagram(exhibits.study)
    if diagram is None or not readings:
        return NOTHING
    throughout = dict(set.intersection(*(set(reading.adjusted.items()) for reading in readings)))
    groups: dict[Markdown, list[Reading]] = {}
    for reading in readings:
        groups.setdefault(_of_one(reading, diagram, throughout), []).append(reading)
    items = [Markdown("- ") + _heading(same, diagram) + Markdown(" ") + text for text, same in groups.items()]
    fixed = (BY_EFFECTS for r in readings if FIXED in r.adjusted.values())
    closed = dict.fromkeys(CLOSES[r.design] for r in readings if r.design in CLOSES) or dict.fromkeys(fixed)
    common = [_held("Held constant in every comparison", throughout, diagram)] if throughout else []
    before = Markdown(" ").join([_summary(readings), *common, *map(escape, closed)])
    return Markdown("\n\n") + before + Markdown("\n\n") + Markdown("\n").join(items) + Markdown("\n\n")


def _summary(readings: list[Reading]) -> Markdown:
    names = list(dict.fromkeys(r.hypothesis for r in readings))
    left_open = {r.hypothesis for r in readings if r.paths}
    hopeless = {r.hypothesis for r in readings if not r.sufficient}
    way = {r.hypothesis for r in readings if r.results}
    return escape(
        f"If the diagram is right, the estimate that decides leaves a path open for {len(left_open)} of {len(names)} "
        f"hypotheses; for {len(hopeless)} nothing that is observed could close all paths; for {len(way)} it holds "
        "constant what lies on the way from the exposure, or follows from what is compared."
    )


def _heading(same: list[Reading], diagram: CausalDiagram) -> Markdown:
    first = same[0]
    ends = escape(f"{_and(told(first.exposures, diagram))} → {diagram.nodes[first.outcome].label}")
    links = [
        Markdown(f"[{escape(name.replace('_', ' '))}](#{identifier('hypothesis', name)})")
        for name in dict.fromkeys(r.hypothesis for r in same)
    ]
    return Markdown(f"**{ends}** (") + Markdown(", ").join(links) + Markdown(").")


def _of_one(reading: Reading, diagram: CausalDiagram, throughout: dict[str, str]) -> Markdown:
    adjusted = {node: how for node, how in reading.adjusted.items() if node not in throughout}
    sentences = [
        _held("Also held constant" if throughout else "Held constant", adjusted, diagram) if adjusted else NOTHING,
        _acting(reading, diagram),
        _open(reading, diagram),
        _results(reading, diagram),
        _sufficient(reading, diagram),
    ]
    return Markdown(" ").join(sentence for sentence in sentences if sentence)


def _held(said: str, adjusted: dict[str, str], diagram: CausalDiagram) -> Markdown:
    parts = []
    for how, words in HELD.items():
        nodes = [node for node in diagram.nodes if adjusted.get(node) == how]
        parts += [f"{_and(told(nodes, diagram))} {words}"] if nodes else []
    return escape(f"{said}: {'; '.join(parts)}.")


def _acting(reading: Reading, diagram: CausalDiagram) -> Markdown:
    if reading.acts:
        return NOTHING
    exposure, outcome = _and(told(reading.exposures, diagram)), diagram.nodes[reading.outcome].label
    return escape(f"The diagram has no way for {exposure} to act on {outcome}: what goes with it is no effect.")


def _open(reading: Reading, diagram: CausalDiagram) -> Markdown:
    graph = graph_of(diagram)
    if not reading.paths:
        return escape("Every path that carries association without effect is blocked.")
    doors = [path for path in reading.paths if not colliders(graph, path)]
    joined = [path for path in reading.paths if colliders(graph, path)]
    # What opens at a node that is held constant opens at that node's causes, too, which says little more.
    held = {*reading.adjusted, *reading.narrowed}
    plain = [path for path in joined if held.issuperset(colliders(graph, path))] or joined
    sentences = []
    for said, paths, total in (("Open", doors, len(doors)), ("Opened by what is held constant", plain, len(joined))):
        shown = [Markdown("*") + escape(written(path, graph, diagram)) + Markdown("*") for path in paths[:MOST_PATHS]]
        more = escape(f"; and {total - len(shown)} more" if total > len(shown) else "")
        sentences += [escape(f"{said}: ") + Markdown("; ").join(shown) + more + escape(".")] if shown else []
    return Markdown(" ").join(sentences)


def _results(reading: Reading, diagram: CausalDiagram) -> Markdown:
    way = [node for node, why in reading.results.items() if why == ON_THE_WAY]
    after = [node for node in reading.results if node not in way]
    sentences = []
    if way:
        sentences.append(f"On the way, so that what goes through it is left out: {_and(told(way, diagram))}.")
    if after:
        sentences.append(
            f"A result of what is compared, which should not be held constant: {_and(told(after, diagram))}."
        )
    return escape(" ".join(sentences))


def _sufficient(reading: Reading, diagram: CausalDiagram) -> Markdown:
    if reading.sufficient:
        if not reading.sufficient[0]:
            return escape("Nothing needs to be held constant.")
        sets = [_and(told(sorted(nodes), diagram)) for nodes in reading.sufficient]
        return escape(f"Enough to hold constant: {'; or '.join(sets)}.")
    why = [words + " " + _and(told(sorted(nodes), diagram)) for words, nodes in obstacles(reading, diagram) if nodes]
    return escape(f"No set is enough: {'; '.join(why) or 'the outcome is a cause of the exposure'}.")


def _and(words: Iterable[str]) -> str:
    listed = list(words)
    return " and ".join([", ".join(listed[:-1]), listed[-1]]) if len(listed) > 1 else "".join(listed)
