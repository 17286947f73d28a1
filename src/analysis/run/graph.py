"""The graph: what there is to do for a study, what each task is made from, and what must come before it."""

from __future__ import annotations

import json
import sys
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from analysis.errors import InputError
from analysis.hashing import sha256
from analysis.project import Project
from analysis.run.code import Package
from analysis.run.record import Files, Record, digest
from analysis.run.source import Notebook, Value, resolve

_STARTS = (1, 2, 4, 5, 11)
"""Notebook numbers that wait for all lower ones; those in between run side by side."""

DECIDING = "05_regressions"
"""The first notebook that estimates what decides a hypothesis."""

SOURCE = Path(__file__).parents[2]
PAGE = "analysis.report.notebook_page.render"
MANIFEST = "analysis.report.manifest.write"

Kind = Literal["notebook", "page", "manifest"]


@dataclass(frozen=True)
class Task:
    """One thing to do: execute a notebook, render its page, or write the study's manifest."""

    study: str
    name: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.study} {self.name}" + (" (page)" if self.kind == "page" else "")

    @property
    def record(self) -> Path:
        """Where its record is, under the root."""
        return Path(".clicks/state", self.study, f"{self.name}.{self.kind}.json")


def step(notebook: str) -> int:
    """Return which step of the pipeline a notebook belongs to; it reads only what earlier steps wrote."""
    return bisect_right(_STARTS, int(notebook[:2]))


@dataclass(frozen=True)
class Plan:
    """What a study is to run.

    Attributes
    ----------
    study : its name.
    content : its file's top-level keys, each with the hash of its parsed content.
    raw : raw files that it declares.
    words : its values that are text.
    notebooks : in order.
    parameters : notebook name to the values that are injected.
    unregistered : hypotheses that are not registered, or not since their last deviation.
    """

    study: str
    content: dict[str, str]
    raw: list[str]
    words: list[str]
    notebooks: list[Notebook]
    parameters: dict[str, dict[str, Value]]
    unregistered: list[str]

    @cached_property
    def tasks(self) -> dict[Task, set[Task]]:
        """Each task and those that must have finished before it."""
        executions = [Task(self.study, n.name, "notebook") for n in self.notebooks]
        tasks = {t: {e for e in executions if step(e.name) < step(t.name)} for t in executions}
        if exists(PAGE):
            tasks |= {Task(self.study, e.name, "page"): {e} for e in executions}
        if exists(MANIFEST):
            tasks[Task(self.study, "manifest", "manifest")] = set(tasks)
        return tasks

    def notebook(self, task: Task) -> Notebook:
        """Return the notebook that a task is about."""
        return next(n for n in self.notebooks if n.name == task.name)


def exists(function: str) -> bool:
    """Whether the package has the module of a function."""
    return find_spec(function.rpartition(".")[0]) is not None


class Graph:
    """The tasks of studies, and the state of the checkout that they are compared with.

    Parameters
    ----------
    root : the checkout.
    studies : names.
    given : parameters as text; see `analysis.run.source.resolve`.
    ahead : called before work that only a run which executes notebooks has, so that what it needs can start meanwhile.

    Raises
    ------
    InputError : every problem of the study files, parameters and notebooks.
    """

    def __init__(
        self, root: Path, studies: list[str], given: Mapping[str, str], ahead: Callable[[], object] = lambda: None
    ) -> None:
        self.root = root
        self._ahead = ahead
        self.files = Files(root)
        known = root / ".clicks/code.json"
        if not known.exists():
            ahead()
        self.package = Package(SOURCE, "analysis", known)
        self.plans: dict[str, Plan] = {}
        problems = []
        for study in studies:
            try:
                self.plans[study] = self._plan(study, given)
            except InputError as e:
                problems += e.problems
        if problems:
            raise InputError(problems)
        self.tasks = {task: before for plan in self.plans.values() for task, before in plan.tasks.items()}
        self.records = {task: Record.load(root / task.record) for task in self.tasks}
        self._code: dict[str, dict[str, str]] = {}
        self._fixed: dict[Task, dict[str, str]] = {}

    def _plan(self, study: str, given: Mapping[str, str]) -> Plan:
        known = self._validated(study)
        notebooks = [Notebook.read(self.root / "notebooks" / f"{name}.ipynb") for name in known["notebooks"]]
        parameters = resolve(notebooks, study, {**_unless(known["parameters"], given), **given})
        return Plan(study, known["content"], known["raw"], known["words"], notebooks, parameters, known["unregistered"])

    def _validated(self, study: str) -> dict[str, Any]:
        """Validate a study and say what a run needs of it; once per content, as its imports cost a second."""
        file = self.root / "studies" / f"{study}.yml"
        folder = self.root / "notebooks"
        names = sorted(p.name for p in folder.glob("*.ipynb"))
        validator = self.package.used_by_function("analysis.study.read_study")
        registered = file.parent / "registrations" / f"{study}.json"
        key = digest([*(sha256(f) if f.is_file() else "" for f in (file, registered)), names, validator])
        cache = Path(".clicks/studies") / f"{study}.json"
        try:
            known: dict[str, Any] = json.loads((self.root / cache).read_text(encoding="utf-8"))
            if known["key"] == key:
                return known
        except (FileNotFoundError, ValueError, KeyError):
            pass
        self._ahead()
        from analysis.study import notebooks, read_study
        from analysis.study.registration import read_registration, unregistered

        parsed = read_study(file, root=self.root)
        content = parsed.model_dump(mode="json")
        known = {
            "key": key,
            "content": {name: digest(value) for name, value in content.items()},
            "raw": sorted(parsed.source.raw),
            "words": sorted(_words(content)),
            "notebooks": [path.stem for path in notebooks(parsed, folder)],
            "parameters": {name: str(value) for name, value in parsed.parameters.items()},
            "unregistered": unregistered(parsed, read_registration(registered, registered.name)),
        }
        with Project(self.root, self.root).writing(cache) as temporary:
            temporary.write_text(json.dumps(known), encoding="utf-8")
        return known

    def register(self, study: str) -> str:
        """Register a study's hypotheses, and remember that they are, so that the next run need not validate anew."""
        from analysis.study.register import register_study

        said = register_study(study, self.root)
        self._validated(study)
        self.plans[study].unregistered.clear()
        return said

    def fixed_inputs(self, task: Task) -> dict[str, str]:
        """Hash what a task is made from, as it is when this is first asked, apart from the files it reads."""
        if task not in self._fixed:
            self._fixed[task] = self._fixed_inputs(task)
        return self._fixed[task]

    def _fixed_inputs(self, task: Task) -> dict[str, str]:
        plan = self.plans[task.study]
        match task.kind:
            case "page":
                return self._function(PAGE)
            case "manifest":
                return self._function(MANIFEST)
        notebook = plan.notebook(task)
        sources = notebook.sources()
        code = self.package.used_by([text for kind, text in sources if kind == "code"], plan.words)
        return {
            f"notebook {notebook.path.name}": digest(sources),
            **{f"studies/{task.study}.yml {key}": value for key, value in plan.content.items()},
            **{f"parameter {name}": repr(value) for name, value in plan.parameters[task.name].items()},
            **{f"code {name}": value for name, value in code.items()},
            "requirements.lock": self.files.digest("requirements.lock"),
            "the version of Python": "{}.{}".format(*sys.version_info),
        }

    def _function(self, function: str) -> dict[str, str]:
        if function not in self._code:
            used = self.package.used_by_function(function)
            self._code[function] = {f"code {name}": value for name, value in used.items()}
        return self._code[function]

    def file_inputs(self, task: Task, reads: list[str] | None) -> dict[str, str]:
        """Hash the files that a task reads.

        Parameters
        ----------
        reads : what it was seen to read; where that is unknown, all that earlier steps wrote.
        """
        plan = self.plans[task.study]
        match task.kind:
            case "page":
                names = {f"reports/{task.study}/notebooks/{task.name}.ipynb"}
            case "manifest":
                names = {name for t in plan.tasks if t != task for name in self.outputs(t)} | set(plan.raw)
            case _:
                earlier = {name for t in self.tasks[task] for name in self.outputs(t) if name.startswith("data/")}
                names = set(plan.raw) | (set(reads) if reads else earlier)
        return {f"file {name}": value for name, value in self.files.digests(names).items()}

    def outputs(self, task: Task) -> dict[str, str]:
        """Return the files that a task wrote when it last finished, with their hashes."""
        record = self.records.get(task)
        return record.outputs if record else {}

    def reasons(self, task: Task) -> list[str]:
        """List why a task is to be done, given the checkout as it is now; empty where it need not."""
        record = self.records[task]
        if record is None:
            return ["it has not run yet"]
        return record.differences(self.fixed_inputs(task) | self.file_inputs(task, record.reads), self.files)

    def strays(self, study: str) -> list[tuple[Path, Record]]:
        """List the records of tasks that the study no longer has."""
        current = {self.root / task.record for task in self.plans[study].tasks}
        files = sorted((self.root / ".clicks/state" / study).glob("[!.]*.json"))
        return [(f, record) for f in files if f not in current and (record := Record.load(f))]


def _unless(declared: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Take the parameters that a study declares, without those that are given for the notebook or for all."""
    return {name: value for name, value in declared.items() if not {name, name.rpartition(":")[2]} & given.keys()}


def _words(content: object) -> set[str]:
    match content:
        case str():
            return {content}
        case dict():
            return set().union(*(_words(v) for v in content.values()), content)
        case list():
            return set().union(*(_words(v) for v in content))
    return set()
