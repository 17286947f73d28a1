"""The registry, read once, and copies of it to break."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from derived import Derived, derive

from analysis.project import Project
from analysis.sources import ingest
from analysis.study import read_study
from analysis.study.spec import Study
from analysis.tables import CanonicalTables

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def campaigns() -> Study:
    return read_study(ROOT / "studies" / "campaigns.yml", root=ROOT)


@pytest.fixture(scope="session")
def registry(campaigns: Study) -> CanonicalTables:
    return ingest(campaigns, Project(ROOT, ROOT), seed=0)


@pytest.fixture(scope="session")
def derived(campaigns: Study, registry: CanonicalTables) -> Derived:
    return derive(campaigns, registry)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project that holds a copy of the registry's raw files."""
    shutil.copytree(ROOT / "data" / "raw" / "registry", tmp_path / "data" / "raw" / "registry")
    return Project(tmp_path, tmp_path)
