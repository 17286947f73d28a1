"""What would run and why, and the graph as a drawing."""

from __future__ import annotations

from analysis.run.graph import Graph, Task


def why(graph: Graph) -> str:
    """Say per task whether it would run, and which input changed.

    Returns
    -------
    One line per task, and one more per reason. What comes after a task that would run is only known once that has run,
    because it runs only if that one writes something else than before.
    """
    lines = []
    stale: set[Task] = set()
    for task, before in graph.tasks.items():
        if task.kind == "page" and task not in stale and any(t in stale for t in before):
            continue
        reasons = graph.reasons(task)
        upstream = [t.name for t in graph.tasks if t in before and t in stale]
        if reasons:
            lines.append(f"{task}: would run")
            lines += [f"    {reason}" for reason in reasons]
        elif upstream:
            lines.append(f"{task}: would run if {' or '.join(upstream)} writes something new")
        else:
            lines.append(f"{task}: up to date")
        if reasons:
            stale.add(task)
    return "\n".join(lines)


def mermaid(graph: Graph) -> str:
    """Draw the notebooks of a graph and what each reads from which, as a Mermaid flowchart.

    A notebook that has not run yet is drawn after all notebooks of the step before it.
    """
    lines = ["flowchart LR"]
    for study, plan in graph.plans.items():
        notebooks = [task for task in plan.tasks if task.kind == "notebook"]
        lines.append(f"  subgraph {study}")
        lines += [f"    {_id(task)}[{task.name}]" for task in notebooks]
        for task in notebooks:
            lines += [f"    {_id(source)} --> {_id(task)}" for source in notebooks if source in _sources(graph, task)]
        lines.append("  end")
    return "\n".join(lines)


def _id(task: Task) -> str:
    return f"{task.study}_{task.name}"


def _sources(graph: Graph, task: Task) -> set[Task]:
    before = graph.tasks[task]
    record = graph.records[task]
    if record and record.reads:
        return {t for t in before if graph.outputs(t).keys() & set(record.reads)}
    return {t for t in before if not any(t in graph.tasks[other] for other in before)}
