"""A run registers what decides a study's hypotheses before the first notebook that estimates it, and never before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_checkout import STUDY, WRITE, Checkout

LOG = """\
deviations:
  - {hypothesis: h1, date: 2026-01-05, what: Another size., why: Ten per cent were too many., after_results: false}
"""
SMALLER = ("smallest_effect: 0.1", "smallest_effect: 0.05")


def registration(checkout: Checkout) -> Path:
    return checkout.root / "studies/registrations/demo.json"


def versions(checkout: Checkout) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(registration(checkout).read_text())["hypotheses"]["h1"]
    return found


def change(checkout: Checkout, text: str) -> None:
    file = checkout.root / "studies/demo.yml"
    file.write_text(file.read_text().replace(*SMALLER) + text)


def test_the_first_notebook_that_estimates_registers(checkout: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    checkout.pipeline()
    assert checkout.run() == 0
    assert not registration(checkout).exists(), "nothing has been estimated yet"
    checkout.notebook("05_regressions", WRITE, 'write("seen.csv", read("analysis.csv"))')
    assert checkout.run() == 0
    assert "registered h1 in studies/registrations/demo.json; commit it" in capsys.readouterr().err
    before = registration(checkout).read_bytes()
    assert len(versions(checkout)) == 1
    assert checkout.run("--force") == 0
    assert registration(checkout).read_bytes() == before


def test_a_departure_runs_nothing_until_it_is_logged(checkout: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    checkout.pipeline()
    checkout.notebook("05_regressions", WRITE, 'write("seen.csv", read("analysis.csv"))')
    assert checkout.run() == 0
    made = checkout.outputs()
    change(checkout, "")
    assert checkout.run() == 2
    line = STUDY.splitlines().index(f"    {SMALLER[0]}") + 1
    told = f"studies/demo.yml, line {line}, hypotheses.h1.smallest_effect: '0.05': was 0.1 when 'h1' was registered"
    assert told in capsys.readouterr().err
    assert checkout.outputs() == made
    change(checkout, LOG)
    assert checkout.run() == 0
    assert [version["content"]["smallest_effect"] for version in versions(checkout)] == [0.1, 0.05]
    assert checkout.run() == 0
    assert "Up to date" in capsys.readouterr().err
