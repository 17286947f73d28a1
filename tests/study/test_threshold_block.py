"""The block `threshold`, and raw files with an address: mistakes are refused at their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.errors import InputError
from analysis.study import read_study

SHA = "ab" * 32
VALID = f"""\
name: small
title: Small
question: Does crossing matter?
summary: Written for the tests.
source:
  adapter: petitions
  raw:
    data/raw/embedded.csv: {SHA}
    data/raw/small/part.csv:
      address: https://example.org/part.csv
      sha256: {SHA}
unit: {{noun: petition, plural: petitions, attributes: [kind]}}
exposures:
  signatures: {{label: signatures, indicators: [signatures]}}
  size: {{label: size, indicators: [signatures], transform: log10}}
outcomes:
  responded: {{label: a response, type: binary}}
covariates:
  limit: {{label: limit, context: limit}}
  kind: {{label: kind, attribute: kind}}
models:
  jump:
    label: responded, at the threshold
    design: threshold
    formula: responded ~ signatures + limit
    threshold:
      cutoff_from: limit
      scale: log10_ratio
      placebo_cutoffs: [-0.5, 0.5]
      continuity: [kind]
      moderator: kind
hypotheses:
  h:
    statement: Crossing matters.
    origin: [yasseri]
    expects: positive
    decided_by: {{model: jump, term: "difference:kind"}}
    smallest_effect: 0.1
optional_notebooks: [07_threshold]
"""


def problems(folder: Path, text: str) -> list[tuple[int, str, str]]:
    (folder / "small.yml").write_text(text)
    with pytest.raises(InputError) as caught:
        read_study(folder / "small.yml", root=folder)
    return [(p.line, p.column, p.rule) for p in caught.value.problems]


def test_the_block_is_read_as_written(tmp_path: Path) -> None:
    (tmp_path / "small.yml").write_text(VALID)
    study = read_study(tmp_path / "small.yml")
    assert study.models["jump"].threshold is not None
    assert study.models["jump"].threshold.cutoff_from == "limit"
    assert study.source.hashes == {"data/raw/embedded.csv": SHA, "data/raw/small/part.csv": SHA}
    assert study.source.raw["data/raw/embedded.csv"].address is None
    assert study.source.raw["data/raw/small/part.csv"].address == "https://example.org/part.csv"


WRONG = {
    "key misspelt": ("      scale:", "      scal:", 28, "models.jump.threshold.scal", "did you mean 'scale'?"),
    "no such scale": ("log10_ratio", "log_ratio", 28, "models.jump.threshold.scale", "did you mean 'log10_ratio'?"),
    "two cut-offs": ("      scale:", "      cutoff: 5\n      scale:", 26, "models.jump.threshold", "exactly one"),
    "no cut-off": ("      cutoff_from: limit\n", "", 26, "models.jump.threshold", "exactly one"),
    "not above zero": ("cutoff_from: limit", "cutoff: 0", 27, "models.jump.threshold.cutoff", "greater than 0"),
    "no number": ("cutoff_from: limit", "cutoff_from: kind", 27, "models.jump.threshold.cutoff_from", "valid: limit"),
    "placebo": ("[-0.5, 0.5]", "[-0.5, 0.0]", 29, "models.jump.threshold.placebo_cutoffs[1]", "the cut-off itself"),
    "covariate": ("[kind]\n      mod", "[kin]\n      mod", 30, "models.jump.threshold.continuity[0]", "mean 'kind'?"),
    "moderator": ("moderator: kind", "moderator: kin", 31, "models.jump.threshold.moderator", "mean 'kind'?"),
    "no block": (VALID[VALID.index("    threshold:\n") : VALID.index("hypo")], "", 24, "models.jump.design", "needs a"),
    "other design": ("design: threshold", "design: lpm", 26, "models.jump.threshold", "has no cut-off"),
    "two running": ("+ limit", "+ size", 25, "models.jump.formula", "one exposure on the right side"),
    "no running": ("~ signatures + limit", "~ limit", 25, "models.jump.formula", "one exposure on the right side"),
    "transformed": ("~ signatures", "~ size", 25, "models.jump.formula", "is transformed"),
    "page not run": ("[07_threshold]", "[]", 24, "models.jump.design", "optional_notebooks"),
    "no such term": ('"difference:kind"', "signatures", 37, "hypotheses.h.decided_by.term", "of the design threshold"),
    "no address": ("https://example.org", "example.org", 10, "source.raw.data/raw/small/part.csv.address", "https://host"),
    "no folder": ("raw/small/part.csv:", "raw/part.csv:", 9, "source.raw.data/raw/part.csv", "folder of its source"),
    "hash missing": (f"      sha256: {SHA}\n", "", 9, "source.raw.data/raw/small/part.csv.sha256", "required"),
    "neither": (f"embedded.csv: {SHA}", "embedded.csv: 5", 8, "source.raw.data/raw/embedded.csv", "block of keys"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_a_mistake_is_refused_at_its_line(tmp_path: Path, case: tuple[str, str, int, str, str]) -> None:
    old, new, line, column, remedy = case
    assert VALID.count(old) == 1
    found = problems(tmp_path, VALID.replace(old, new))
    assert (line, column) in [(at, key) for at, key, rule in found if remedy in rule], found
