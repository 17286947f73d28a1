"""One adapter per source: raw files in, the four canonical tables out.

An adapter is a module with a typed ``Options`` block for the study file and a function
``load(root, options, seed) -> CanonicalTables``. Everything after it is common code. Where an adapter codes or drops
something on its way, ``described(root, options) -> list[Estimate]`` says how much, so that a report can name it.
"""

from __future__ import annotations

import importlib

from analysis import raw
from analysis.errors import InputError
from analysis.models.estimates import Estimate
from analysis.project import Project
from analysis.study.spec import Study
from analysis.tables import CanonicalTables


def ingest(study: Study, project: Project, seed: int) -> CanonicalTables:
    """Check a study's raw files, read them with its adapter and check the tables that come out.

    Raises
    ------
    InputError : a raw file is missing or changed, or has rows that break a rule.
    """
    problems = raw.problems_in(project.root, study.source.hashes)
    if any(not (project.root / name).is_file() for name in study.source.raw):
        raise InputError(problems)
    adapter = importlib.import_module(f"analysis.sources.{study.source.adapter}")
    options = adapter.Options.model_validate(study.source.options)
    try:
        tables: CanonicalTables = adapter.load(project.root, options, seed)
    except InputError as error:
        raise InputError([*problems, *error.problems]) from None
    if problems:
        raise InputError(problems)
    return tables.validated(study.unit.attributes, f"source {study.source.adapter}")


def described(study: Study, project: Project) -> list[Estimate]:
    """Return what a study's adapter counted while it read: rows lost and why, or how often its coding errs.

    Returns
    -------
    Descriptive estimates; none where the adapter has no function `described`.
    """
    adapter = importlib.import_module(f"analysis.sources.{study.source.adapter}")
    options = adapter.Options.model_validate(study.source.options)
    found: list[Estimate] = adapter.described(project.root, options) if hasattr(adapter, "described") else []
    return found
