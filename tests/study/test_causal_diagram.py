"""The block `causal_diagram`: what is refused at its line, and what a diagram says of the estimates that decide."""

from __future__ import annotations

import io
import random
import re
import subprocess
import sys
from functools import cache
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.patches import FancyArrowPatch

from analysis.assumptions import FIXED, ONE_VALUE, SELECTED, Reading, graph_of, read_diagram
from analysis.assumptions_table import assumptions_table, sufficient_words, written
from analysis.backdoor import lacking, on_the_way, open_paths, results, sufficient_sets
from analysis.errors import InputError
from analysis.figures import ORANGE
from analysis.figures_diagram import diagram_figures
from analysis.layered import layered
from analysis.report.assumptions import assumptions
from analysis.report.exhibits import Exhibits
from analysis.report.markdown import identifier
from analysis.report.template import TEMPLATES, environment
from analysis.study import read_study
from analysis.study.diagram import CausalDiagram
from analysis.study.registration import content_of
from analysis.study.spec import Decision, Study

ROOT = Path(__file__).parents[2]
NAMES = sorted(file.stem for file in (ROOT / "studies").glob("*.yml"))


@cache
def published(name: str) -> Study:
    return read_study(ROOT / "studies" / f"{name}.yml")


PEARL = nx.DiGraph(
    [("x1", "x3"), ("x1", "x4"), ("x2", "x4"), ("x2", "x5"), ("x3", "xi"), ("x4", "xi"), ("x4", "xj"), ("x5", "xj"),
     ("xi", "x6"), ("x6", "xj")]
)  # fmt: skip
"""Pearl (2009), Causality, figure 3.4."""
M_BIAS = nx.DiGraph([("u1", "x"), ("u1", "m"), ("u2", "m"), ("u2", "y"), ("x", "y")])
"""Hernán and Robins (2020), Causal Inference: What If, section 7.3."""


def test_pearls_figure_has_the_sets_that_pearl_names() -> None:
    everything = frozenset({"x1", "x2", "x3", "x4", "x5", "x6"})
    assert sufficient_sets(PEARL, {"xi"}, "xj", {"x3", "x4", "x5"}) == [{"x3", "x4"}, {"x4", "x5"}]
    assert not open_paths(PEARL, {"xi"}, "xj", {"x3", "x4"})
    assert not open_paths(PEARL, {"xi"}, "xj", {"x4", "x5"})
    # x4 alone joins its causes.
    assert open_paths(PEARL, {"xi"}, "xj", {"x4"}) == [("xi", "x3", "x1", "x4", "x2", "x5", "xj")]
    assert open_paths(PEARL, {"xi"}, "xj", frozenset())[0] == ("xi", "x4", "xj")
    assert results(PEARL, {"xi"}, "xj") == {"x6", "xj"}
    assert all("x4" in found and len(found) == 2 for found in sufficient_sets(PEARL, {"xi"}, "xj", everything))
    assert sufficient_sets(PEARL, {"xi"}, "xj", {"x3", "x5"}) == []
    assert lacking(PEARL, {"xi"}, "xj", {"x3", "x5"}, {"x1", "x2", "x4"}) == {"x4"}


def test_a_common_effect_joins_its_causes_once_it_or_its_effect_is_held_constant() -> None:
    graph = nx.DiGraph([*M_BIAS.edges, ("m", "child")])
    opened = [("x", "u1", "m", "u2", "y")]
    assert sufficient_sets(graph, {"x"}, "y", {"m"}) == [frozenset()]
    assert open_paths(graph, {"x"}, "y", frozenset()) == []
    assert open_paths(graph, {"x"}, "y", {"m"}) == opened
    assert open_paths(graph, {"x"}, "y", {"child"}) == opened
    # A sample with several of its values joins them, too, and does not close what leads through it.
    assert open_paths(graph, {"x"}, "y", frozenset(), {"m"}) == opened
    through = nx.DiGraph([("m", "x"), ("m", "y")])
    assert open_paths(through, {"x"}, "y", frozenset(), {"m"}) == [("x", "m", "y")]


def test_what_is_on_the_way_must_not_be_held_constant() -> None:
    graph = nx.DiGraph([("x", "m"), ("m", "y"), ("u", "m"), ("u", "y"), ("y", "late")])
    assert on_the_way(graph, {"x"}, "y") == {"m", "y"}
    assert results(graph, {"x"}, "y") == {"m", "y", "late"}
    assert open_paths(graph, {"x"}, "y", {"m"}) == [("x", "m", "u", "y")]
    assert sufficient_sets(graph, {"x"}, "y", {"m", "late"}) == [frozenset()]
    assert sufficient_sets(graph, {"x"}, "y", {"m"}, always={"late"}) == []


def test_an_outcome_that_acts_back_cannot_be_adjusted_away() -> None:
    graph = nx.DiGraph([("y", "x"), ("u", "x"), ("u", "y")])
    assert open_paths(graph, {"x"}, "y", {"u"}) == [("x", "y")]
    assert sufficient_sets(graph, {"x"}, "y", {"u"}) == []
    assert lacking(graph, {"x"}, "y", {"u"}, frozenset()) == frozenset()


def test_joint_exposures_do_not_lead_through_each_other() -> None:
    graph = nx.DiGraph([("a", "b"), ("b", "y"), ("u", "b"), ("u", "y"), ("a", "y")])
    assert open_paths(graph, {"a", "b"}, "y", frozenset()) == [("b", "u", "y")]
    assert sufficient_sets(graph, {"a", "b"}, "y", {"u"}) == [{"u"}]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[nx.DiGraph, frozenset[str]]:
    """A random graph of x, y and five more, and what is held constant of the five."""
    order = draw(st.permutations(["x", "y", "a", "b", "c", "d", "e"]))
    pairs = list(combinations(order, 2))
    kept = draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs)))
    graph = nx.DiGraph()
    graph.add_nodes_from(order)
    graph.add_edges_from(pair for pair, keep in zip(pairs, kept, strict=True) if keep)
    return graph, draw(st.frozensets(st.sampled_from(["a", "b", "c", "d", "e"])))


def without_effects(graph: nx.DiGraph) -> nx.DiGraph:
    """Take out the first step of each way from x to y."""
    copy = graph.copy()
    copy.remove_edges_from([(a, b) for a, b in graph.out_edges("x") if b == "y" or nx.has_path(graph, b, "y")])
    return copy


def regression_slope(graph: nx.DiGraph, held: frozenset[str]) -> tuple[float, float]:
    """Return the coefficient of x in the regression of y on x and what is held, and the total effect of x on y.

    In a linear world with fixed random coefficients and noise of variance 1, from its covariances: no graph theory.
    """
    names = sorted(graph.nodes)
    generator = np.random.default_rng(1)
    weights = {(a, b): generator.uniform(0.5, 1.5) * generator.choice([-1, 1]) for a in names for b in names}
    direct = np.array([[weights[a, b] if graph.has_edge(a, b) else 0.0 for a in names] for b in names])
    total = np.linalg.inv(np.eye(len(names)) - direct)
    covariance = total @ total.T
    rows = [names.index(name) for name in ("x", *sorted(held))]
    slopes = np.linalg.solve(covariance[np.ix_(rows, rows)], covariance[rows, names.index("y")])
    return float(slopes[0]), float(total[names.index("y"), names.index("x")])


@given(graphs())
def test_paths_agree_with_separation_and_with_linear_regressions(case: tuple[nx.DiGraph, frozenset[str]]) -> None:
    graph, held = case
    if held & results(graph, {"x"}, "y"):
        return
    blocked = not open_paths(graph, {"x"}, "y", held)
    assert blocked == nx.is_d_separator(without_effects(graph), {"x"}, {"y"}, set(held))
    slope, effect = regression_slope(graph, held)
    assert blocked == bool(np.isclose(slope, effect, atol=1e-9))


@given(graphs())
def test_sufficient_sets_are_sufficient_and_none_can_be_left_out(case: tuple[nx.DiGraph, frozenset[str]]) -> None:
    graph, candidates = case
    found = sufficient_sets(graph, {"x"}, "y", candidates)
    for held in found:
        slope, effect = regression_slope(graph, held)
        assert held <= candidates
        assert np.isclose(slope, effect, atol=1e-9)
        assert all(open_paths(graph, {"x"}, "y", held - {node}) for node in held)
    if not found:
        allowed = sorted(candidates - results(graph, {"x"}, "y"))
        subsets = (frozenset(c) for size in range(len(allowed) + 1) for c in combinations(allowed, size))
        assert all(open_paths(graph, {"x"}, "y", subset) for subset in subsets)


@given(graphs(), st.randoms(use_true_random=False))
def test_the_order_of_nodes_and_arrows_changes_nothing(
    case: tuple[nx.DiGraph, frozenset[str]], generator: random.Random
) -> None:
    graph, held = case
    nodes, arrows = list(graph.nodes), list(graph.edges)
    generator.shuffle(nodes)
    generator.shuffle(arrows)
    shuffled = nx.DiGraph()
    shuffled.add_nodes_from(nodes)
    shuffled.add_edges_from(arrows)
    for ask in (open_paths, sufficient_sets):
        assert ask(graph, {"x"}, "y", held) == ask(shuffled, {"x"}, "y", held)
    assert layered(graph) == layered(shuffled)


def test_arrows_lead_down_and_share_their_way() -> None:
    places, routes = layered(nx.DiGraph([("a", "b"), ("b", "c"), ("c", "d"), ("a", "c"), ("a", "d"), ("e", "d")]))
    assert [places[node][0] for node in "abcde"] == [0, 1, 2, 3, 2]
    assert [layer for layer, _ in routes["a", "d"]] == [0, 1, 2, 3]
    assert routes["a", "d"][:2] == routes["a", "c"][:2]
    for layer in range(4):
        across = [x for of, x in places.values() if of == layer]
        assert all(abs(a - b) >= 1 for a, b in combinations(across, 2))


VALID = """\
name: small
title: Small
question: Does protest change policy?
summary: Written for the tests.
source:
  adapter: petitions
unit: {noun: place, plural: places, grain: year, attributes: [state, size, frame]}
exposures:
  protested: {label: protested, indicators: [protests], transform: present, window: all, absent: zero}
  tweets: {label: tweets, indicators: [tweets]}
outcomes:
  policy: {label: policy, type: continuous}
covariates:
  income: {label: income, context: income}
  size: {label: size, attribute: size}
causal_diagram:
  after_results: false
  nodes:
    place: {label: the place, unobserved: true, fixed_within: unit_id}
    politics: {label: politics, unobserved: true, fixed_within: [state^period]}
    salience: {label: salience, unobserved: true}
    income: {label: income}
    protest: {label: protest, measured_by: [protested]}
    online: {label: online, measured_by: [tweets]}
    policy: {label: policy}
    news: {label: news, selected: true, where: {frame: [press]}}
  arrows:
    place: [protest, policy, online]
    politics: [protest, policy]
    salience: [online, protest]
    income: [protest, policy, news]
    protest: [policy, news, online]
    policy: [news]
models:
  plain: {label: plain, design: ols, formula: policy ~ protested}
  within: {label: within, design: ols, formula: policy ~ protested + income, absorb: [unit_id, period]}
  states: {label: states, design: ols, formula: policy ~ protested + income, absorb: [unit_id, state^period]}
  press: {label: press, design: ols, formula: policy ~ protested + income, absorb: [unit_id], each: frame}
  around: {label: around, design: event_study, formula: policy ~ protested + income, event_study: {}}
  online: {label: online, design: ols, formula: policy ~ tweets + protested + protested:tweets + income}
hypotheses:
  h:
    statement: Protest changes policy.
    origin: [gillion]
    expects: positive
    decided_by: {model: within, term: protested}
    smallest_effect: 0.1
optional_notebooks: [06_event_study]
"""


def written_to(folder: Path, text: str) -> Study:
    (folder / "small.yml").write_text(text)
    return read_study(folder / "small.yml", root=folder)


SELECTION = "selected: true, where: {frame: [press]}"
UNSELECTED = VALID.replace(SELECTION, "unobserved: true")


def reading(folder: Path, model: str, term: str = "protested", text: str = UNSELECTED) -> Reading:
    text = text.replace("{model: within, term: protested}", f'{{model: "{model}", term: "{term}"}}')
    (found,) = read_diagram(written_to(folder, text))
    return found


def test_fixed_effects_close_what_does_not_vary_within_them(tmp_path: Path) -> None:
    plain, within, states, around = (
        reading(tmp_path, *model) for model in (("plain",), ("within",), ("states",), ("around", "average"))
    )
    doors = [("protest", "income", "policy"), ("protest", "place", "policy"), ("protest", "politics", "policy")]
    assert list(plain.paths) == doors
    assert within.adjusted == {"income": "formula", "place": FIXED}
    assert within.paths == (("protest", "politics", "policy"),)
    assert states.blocked and states.adjusted["politics"] == FIXED
    assert around.paths == within.paths
    assert within.sufficient == ({"income", "place", "politics"},)
    assert within.missing == frozenset() and within.acts
    # A place lies in one state: what does not vary within states does not vary within places.
    constant = UNSELECTED.replace("[state^period]", "state")
    assert reading(tmp_path, "within", text=constant).blocked
    assert not reading(tmp_path, "plain", text=constant).blocked


def test_what_the_data_are_selected_by_is_held_constant_where_it_selects(tmp_path: Path) -> None:
    press, other, pooled = (reading(tmp_path, model, text=VALID) for model in ("press[press]", "press[web]", "within"))
    assert press.adjusted["news"] == SELECTED and press.results == {"news": "follows from it"}
    assert ("protest", "news", "policy") in press.paths and press.sufficient == ()
    assert "news" not in other.adjusted and not other.results and not other.narrowed
    # Where only a part of the sample was selected, it joins what it follows from all the same.
    assert pooled.narrowed == ("news",) and ("protest", "news", "policy") in pooled.paths
    diagram = written_to(tmp_path, VALID).causal_diagram
    assert diagram is not None
    assert written(("protest", "news", "policy"), graph_of(diagram), diagram) == "protest → [news] ← policy"
    assert sufficient_words(press, diagram) == "none: the data are selected by news"


def test_a_product_asks_for_its_first_exposure_where_the_others_are_held(tmp_path: Path) -> None:
    found = reading(tmp_path, "online", "protested:tweets")
    assert found.exposures == ("protest",)
    assert found.adjusted["online"] == "formula"
    # Online attention follows protest; it acts on nothing, so that to hold it constant leaves nothing out.
    assert not found.results
    # The way by salience and place says nothing that the way by place alone does not.
    assert found.paths == (("protest", "place", "policy"), ("protest", "politics", "policy"))


def test_a_sample_of_one_value_holds_it_and_one_of_several_does_not(tmp_path: Path) -> None:
    model = "formula: policy ~ protested}"
    for values, how in (("[large]", {"size": ONE_VALUE}), ("[large, small]", {})):
        text = UNSELECTED.replace(model, model[:-1] + f", sample: {{size: {values}}}}}").replace(
            "model: within", "model: plain"
        )
        text = text.replace("    news: {label", "    size: {label: size}\n    news: {label").replace(
            "    policy: [news]", "    policy: [news]\n    size: [protest, policy]"
        )
        (found,) = read_diagram(written_to(tmp_path, text))
        assert found.adjusted == how
        assert found.narrowed == (() if how else ("size",))
        assert (("protest", "size", "policy") in found.paths) == (not how)


WRONG = {
    "not said when": ("  after_results: false\n", "", 16, "after_results", "this key is required"),
    "key misspelt": (
        "unobserved: true, fixed_within: unit_id",
        "unobservd: true",
        19,
        "nodes.place.unobservd",
        "unobserved",
    ),
    "no bool": (
        "salience, unobserved: true",
        "salience, unobserved: 1",
        21,
        "nodes.salience.unobserved",
        "true or false",
    ),
    "no column": (
        "measured_by: [protested]",
        "measured_by: [protestd]",
        23,
        "nodes.protest.measured_by[0]",
        "mean 'protested'?",
    ),
    "twice": (
        "measured_by: [tweets]",
        "measured_by: [protested]",
        24,
        "nodes.online.measured_by[0]",
        "node 'protest' already",
    ),
    "own name taken": ("measured_by: [tweets]", "measured_by: [policy]", 25, "nodes.policy", "node 'online' already"),
    "nothing measures it": (
        "income: {label: income}\n    protest:",
        "incom: {label: income}\n    protest:",
        22,
        "nodes.incom",
        "mean 'income'?",
    ),
    "observed": (
        "    policy: {label: policy}",
        "    policy: {label: policy, unobserved: true}",
        25,
        "nodes.policy.unobserved",
        "is measured by a column",
    ),
    "no grouping": ("[state^period]", "[stat^period]", 20, "nodes.politics.fixed_within[0]", "mean 'state'?"),
    "not selected": ("selected: true, where", "where", 26, "nodes.news.where", "add `selected: true`"),
    "no attribute": ("where: {frame:", "where: {fram:", 26, "nodes.news.where.fram", "mean 'frame'?"),
    "no exposure": ("measured_by: [tweets]", "threshold_of: twets", 24, "nodes.online.threshold_of", "mean 'tweets'?"),
    "no node": ("measured_by: [tweets]", "next_of: polic", 24, "nodes.online.next_of", "mean 'policy'?"),
    "no such cause": ("    salience: [online", "    saliense: [online", 30, "arrows.saliense", "mean 'salience'?"),
    "no such effect": (
        "politics: [protest, policy]",
        "politics: [protest, polic]",
        29,
        "arrows.politics[1]",
        "mean 'policy'?",
    ),
    "drawn twice": (
        "politics: [protest, policy]",
        "politics: [protest, protest]",
        29,
        "arrows.politics[1]",
        "draw it once",
    ),
    "lonely": ("    salience: [online, protest]\n", "", 21, "nodes.salience", "joined to nothing"),
    "circle": ("    policy: [news]", "    policy: [news, income]", 31, "arrows.income[1]", "income → policy → income"),
    "of itself": ("    policy: [news]", "    policy: [policy]", 33, "arrows.policy[0]", "policy → policy"),
    "exposure unknown": (
        "protest: {label: protest, measured_by: [protested]}",
        "protest: {label: protest, unobserved: true}",
        46,
        "hypotheses.h.decided_by.term",
        "'protested', which is in no node",
    ),
    "covariate unknown": (
        "    income: {label: income}\n",
        "    income: {label: income, measured_by: size}\n",
        46,
        "hypotheses.h.decided_by.term",
        "'income', which is in no node",
    ),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_a_mistake_is_refused_at_its_line(tmp_path: Path, case: tuple[str, str, int, str, str]) -> None:
    old, new, line, column, remedy = case
    assert VALID.count(old) == 1
    with pytest.raises(InputError) as caught:
        written_to(tmp_path, VALID.replace(old, new))
    place = column if column.startswith("hypotheses") else f"causal_diagram.{column}"
    found = [(p.line, p.column, p.rule) for p in caught.value.problems]
    assert (line, place) in [(at, key) for at, key, rule in found if remedy in rule], found


def test_the_diagram_is_optional_and_registers_nothing(tmp_path: Path) -> None:
    with_diagram = written_to(tmp_path, VALID)
    block = VALID[VALID.index("causal_diagram:") : VALID.index("models:")]
    without = written_to(tmp_path, VALID.replace(block, ""))
    assert without.causal_diagram is None
    assert content_of(with_diagram, "h") == content_of(without, "h")
    assert read_diagram(without) == [] and diagram_figures(without) == {}
    assert list(assumptions_table(without).columns) == list(assumptions_table(with_diagram).columns)


def test_reading_a_study_does_not_import_networkx() -> None:
    code = (
        "import sys; from pathlib import Path; from analysis.study import read_study;"
        f"read_study(Path({str(ROOT / 'studies/campaigns.yml')!r})); sys.exit('networkx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", NAMES)
def test_every_hypothesis_of_every_study_is_read_against_its_diagram(name: str) -> None:
    study = published(name)
    table = assumptions_table(study)
    assert set(table["hypothesis"]) == set(study.hypotheses)
    for found in read_diagram(study):
        assert found.blocked == (not found.paths)
        # No set is said to be enough that leaves a path open.
        diagram = study.causal_diagram
        assert diagram is not None
        selected = {node for node, how in found.adjusted.items() if how == SELECTED}
        for held in found.sufficient:
            assert not open_paths(graph_of(diagram), set(found.exposures), found.outcome, held | selected)


def test_in_the_benchmark_what_is_blocked_is_what_recovers_the_truth() -> None:
    study = published("benchmark")
    assert all(found.blocked and not found.results for found in read_diagram(study))
    hypothesis = study.hypotheses["policy_planted"]
    unadjusted = hypothesis.model_copy(update={"decided_by": Decision(model="policy_unadjusted", term="signatures")})
    (found,) = read_diagram(study.model_copy(update={"hypotheses": {"policy_planted": unadjusted}}))
    assert found.paths == (
        ("signatures", "media_salience", "policy"),
        ("signatures", "rights_category", "policy"),
    )


def test_designs_close_what_they_close() -> None:
    petitions = {found.hypothesis: found for found in read_diagram(published("petitions"))}
    crossing = petitions["crossing"]
    assert crossing.exposures == ("crossing",) and crossing.adjusted["final_count"] == "cut-off"
    assert ("crossing", "push", "response") in crossing.paths
    assert petitions["rights_issues"].adjusted["rights"] == "formula"
    attention = read_diagram(published("attention"))
    leads = next(found for found in attention if found.hypothesis == "public_leads")
    assert leads.exposures == ("supporters", "wider_public") and leads.outcome == "legislators_next"
    assert {"legislators", "media", "issue"} <= set(leads.adjusted)
    assert leads.paths[0] == ("supporters", "news", "legislators_next")
    contrast = [(f.exposures, f.outcome) for f in attention if f.hypothesis == "public_leads_more"]
    assert len(contrast) == 3 and (("legislators",), "wider_public_next") in contrast


def shuffled(diagram: CausalDiagram, generator: random.Random) -> CausalDiagram:
    nodes, arrows = list(diagram.nodes.items()), [(k, [*v]) for k, v in diagram.arrows.items()]
    generator.shuffle(nodes)
    generator.shuffle(arrows)
    for _, effects in arrows:
        generator.shuffle(effects)
    return CausalDiagram(after_results=diagram.after_results, nodes=dict(nodes), arrows=dict(arrows))


@pytest.mark.parametrize("name", ["campaigns", "petitions"])
def test_the_order_in_the_file_changes_neither_table_nor_figure(name: str) -> None:
    study = published(name)
    assert study.causal_diagram is not None
    other = study.model_copy(update={"causal_diagram": shuffled(study.causal_diagram, random.Random(3))})  # noqa: S311
    kept = ["hypothesis", "outcome", "blocked", "open_paths", "sufficient"]
    assert assumptions_table(study)[kept].equals(assumptions_table(other)[kept])
    drawn = []
    for version in (study, other):
        figure = diagram_figures(version)["diagram"]
        finding, alt = str(figure.get_label()).split("\n")
        assert re.match(r"\d+ of \d+ comparisons are open to causes that nobody observed: ", finding)
        assert alt.startswith("Causal diagram. Arrows: ") and "→" in alt
        content = io.BytesIO()
        figure.savefig(content, format="svg", metadata={"Date": None})
        drawn.append((finding, alt, content.getvalue()))
    assert drawn[0] == drawn[1]


def test_arrows_of_unobserved_causes_are_coloured_where_they_leave_a_path_open(tmp_path: Path) -> None:
    def coloured(study: Study) -> int:
        arrows = diagram_figures(study)["diagram"].axes[0].patches
        return sum(isinstance(a, FancyArrowPatch) and to_hex(a.get_edgecolor()) == ORANGE for a in arrows)

    assert coloured(published("benchmark")) == 0
    # Politics has two effects, on the one path that is left open.
    assert coloured(written_to(tmp_path, UNSELECTED)) == 2


@pytest.mark.parametrize("name", NAMES)
def test_the_report_tells_every_hypothesis_with_what_stays_open(name: str) -> None:
    study = published(name)
    exhibits = cast("Exhibits", SimpleNamespace(study=study))
    text = str(assumptions(exhibits)).replace("\\", "")
    summary, *items = text.strip().split("\n\n")
    assert summary.startswith("If the diagram is right, the estimate that decides leaves a path open for ")
    for hypothesis in study.hypotheses:
        assert f"](#{identifier('hypothesis', hypothesis)})" in items[0]
    blocked = all(found.blocked for found in read_diagram(study))
    assert ("Open: " not in text) == blocked
    assert not any(line.startswith("- ") and "  " in line for line in items[0].splitlines())


def test_what_every_comparison_holds_constant_is_said_once(tmp_path: Path) -> None:
    two = UNSELECTED.replace("  h:\n", "  g: &same\n").replace("optional", "  h: *same\noptional")
    exhibits = cast("Exhibits", SimpleNamespace(study=written_to(tmp_path, two)))
    text = str(assumptions(exhibits)).replace("\\", "")
    assert text.count("Held constant in every comparison: income by the formula; the place by fixed effects.") == 1
    assert (
        "- **protest → policy** ([g](#hypothesis-g), [h](#hypothesis-h)). Open: *protest ← politics → policy*." in text
    )
    assert "Enough to hold constant: income, the place and politics." in text
    assert "Fixed effects close what does not vary within them" in text
    without = written_to(tmp_path, two[: two.index("causal_diagram")] + two[two.index("models:") :])
    assert assumptions(cast("Exhibits", SimpleNamespace(study=without))) == ""


def test_every_report_has_the_section() -> None:
    env = environment()
    assert env.loader is not None
    for path in TEMPLATES.glob("*.md"):
        blocks = re.findall(r"{% block (\w+) %}", path.read_text("utf-8"))
        assert (path.stem == "base") == ("assumptions" in blocks), path.name
