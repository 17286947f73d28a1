"""What a study's authors assume about causes: a directed acyclic graph, as the block `causal_diagram` states it."""

from __future__ import annotations

from collections.abc import Container
from graphlib import CycleError, TopologicalSorter
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

from analysis.study.block import Name, Strict, Text

Grouping = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\^[a-z][a-z0-9_]*)*$")]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Node(Strict):
    """One thing that has causes or effects: observed, or believed to be there."""

    label: Text
    measured_by: Annotated[list[Name], BeforeValidator(_listed)] = Field(
        default=[],
        description="exposures, outcomes, covariates or attributes each of which measures it; the one of its own name "
        "where absent. What a column measures badly is a node of its own, which is a cause of the column's",
    )
    unobserved: bool = Field(default=False, description="no column measures it")
    fixed_within: Annotated[list[Grouping], BeforeValidator(_listed)] = Field(
        default=[],
        description="groupings within each of which it does not vary, so that fixed effects of any of them, or of a "
        "finer one, hold it constant: attributes, covariates, `unit_id` or `period`; `a^b` is each pair of them",
    )
    selected: bool = Field(default=False, description="only units with one value of it are among the data at all")
    where: dict[Name, list[str]] = Field(
        default={}, description="attribute: the values for which it is so, where the data are selected only in some"
    )
    threshold_of: Name | None = Field(
        default=None, description="exposure whose crossing of a cut-off it is; what the design threshold compares"
    )
    next_of: Name | None = Field(
        default=None, description="node of which it is the next period; what the design lead_lag explains"
    )


class CausalDiagram(Strict):
    """Nodes, and arrows from each cause to what it causes. An arrow that is not drawn is the stronger assumption."""

    after_results: bool = Field(description="whether results had been seen when it was drawn, or last changed")
    nodes: dict[Name, Node] = Field(min_length=1)
    arrows: dict[Name, list[Name]] = Field(min_length=1, description="cause: what it causes directly")

    def measured(self, columns: Container[str]) -> dict[str, str]:
        """Return the node that each column measures.

        Parameters
        ----------
        columns : names that measure the node of the same name where that names no others.
        """
        found = {}
        for name, node in self.nodes.items():
            own = [name] if name in columns and not node.measured_by else []
            found.update(dict.fromkeys([*node.measured_by, *own], name))
        return found

    def circle(self) -> list[str]:
        """Return nodes each of which causes the next, the last being the first again; empty where there are none."""
        sorter: TopologicalSorter[str] = TopologicalSorter()
        for cause in sorted(self.arrows):
            for effect in sorted(self.arrows[cause]):
                sorter.add(effect, cause)
        try:
            sorter.prepare()
        except CycleError as error:
            around: list[str] = error.args[1][:-1]
            first = around.index(min(around))
            return [*around[first:], *around[: first + 1]]
        return []
