"""The raw files of countries and protests, laid out as the adapters find them, each large one read once."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd
import pytest

from analysis.sources import countries, countryfiles, protests
from analysis.sources.rfile import read_r
from analysis.study import read_study
from analysis.study.spec import Study
from analysis.tables import CanonicalTables

STUDIES = Path(__file__).parents[2] / "studies"

read_once = cache(read_r)


@pytest.fixture(scope="session")
def countries_study() -> Study:
    return read_study(STUDIES / "countries.yml")


@pytest.fixture(scope="session")
def protests_study() -> Study:
    return read_study(STUDIES / "protests.yml")


@pytest.fixture(scope="session")
def project(
    mirror: Path, countries_study: Study, protests_study: Study, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    root = tmp_path_factory.mktemp("project")
    for name, raw in (countries_study.source.raw | protests_study.source.raw).items():
        address = urlsplit(str(raw.address))
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(mirror / str(address.hostname) / unquote(address.path).lstrip("/"))
    return root


@pytest.fixture(scope="session", autouse=True)
def _read_large_files_once() -> None:
    countryfiles.read_r = read_once


@pytest.fixture(scope="session")
def country_tables(project: Path, countries_study: Study) -> CanonicalTables:
    loaded = countries.load(project, countries.Options(), 1)
    return loaded.validated(countries_study.unit.attributes, "countries")


@pytest.fixture(scope="session")
def protest_tables(project: Path, protests_study: Study) -> CanonicalTables:
    loaded = protests.load(project, protests.Options(), 1)
    return loaded.validated(protests_study.unit.attributes, "protests")


@pytest.fixture(scope="session")
def society(project: Path) -> pd.DataFrame:
    """The Digital Society Project as the file has it."""
    return read_once(project, countries.Options().organising, "DSP_Dataset_v1")


@pytest.fixture(scope="session")
def mobilization(project: Path) -> pd.DataFrame:
    """Mass Mobilization as the file has it."""
    return read_once(project, protests.Options().protests, "mmALL_073120_csv")
