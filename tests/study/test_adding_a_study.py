"""The guide to adding a study holds: its adapter and study file are run as they stand there."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import sources
from analysis.change import change
from analysis.engagement import engagement
from analysis.errors import InputError
from analysis.hashing import sha256
from analysis.link import analysis_table, link
from analysis.models.fit import fit_models
from analysis.project import Project
from analysis.study import read_study
from analysis.synthesis import verdicts

GUIDE = (Path(__file__).parents[2] / "docs/adding-a-study.md").read_text("utf-8")
LONGEST = 60


def block(language: str) -> str:
    (text,) = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.S)
    return str(text)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A folder with the guide's raw file, adapter and study file, 400 petitions, answered more often when larger."""
    random = np.random.default_rng(7)
    signatures = np.round(10 ** random.uniform(1, 5, 400)).astype(int)
    answered = random.uniform(size=400) < 0.05 + 0.15 * np.log10(signatures)
    raw = pd.DataFrame(
        {
            "id": [f"p{i}" for i in range(400)],
            "title": [f"Petition {i}" for i in range(400)],
            "opened": "2020-01-01",
            "closed": "2020-06",
            "topic": np.where(random.uniform(size=400) < 0.3, "rights", "other"),
            "signatures": signatures,
            "answered": np.where(answered, "2021", ""),
        }
    )
    file = tmp_path / "data/raw/letters/letters.csv"
    file.parent.mkdir(parents=True)
    raw.to_csv(file, index=False)
    (tmp_path / "adapters").mkdir()
    (tmp_path / "adapters/letters.py").write_text(block("python"), encoding="utf-8")
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies/letters.yml").write_text(block("yaml").replace("SHA256", sha256(file)), encoding="utf-8")
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(tmp_path / "adapters")])
    yield Project(tmp_path, tmp_path)
    sys.modules.pop("analysis.sources.letters", None)


def test_the_adapter_is_short() -> None:
    assert len(block("python").splitlines()) < LONGEST


def test_the_study_runs_from_raw_file_to_verdict(checkout: Project) -> None:
    study = read_study(checkout.study_file("letters"), root=checkout.root)
    tables = sources.ingest(study, checkout, 1)
    reported = engagement(tables.process)
    changed = change(tables.outcomes, tables.units, study.outcomes)
    linked = {o: link(reported, changed, tables.units, study.exposures, o) for o in ("strict", "naive")}
    table = analysis_table(study, tables.units, changed, tables.context, linked)
    estimates = fit_models(study, table)
    (verdict,) = verdicts(study, estimates).to_dict("records")
    assert verdict["verdict"] == "supported"
    assert verdict["estimate"] == pytest.approx(0.15, abs=0.06)


def test_a_bad_cell_of_it_is_named(checkout: Project) -> None:
    file = checkout.root / "data/raw/letters/letters.csv"
    file.write_text(file.read_text("utf-8").replace(",2020-06,", ",June 2020,", 1), encoding="utf-8")
    study = read_study(checkout.study_file("letters"), root=checkout.root)
    with pytest.raises(InputError, match=r"letters\.csv.*line 2.*closed.*June 2020"):
        sources.ingest(study, checkout, 1)
