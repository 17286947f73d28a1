"""The block `lead_lag` of a study file: mistakes are refused at their line, and its terms can decide a hypothesis."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from analysis.errors import InputError
from analysis.models.fit import fit_models
from analysis.study import read_study

VALID = """\
name: small
title: Small
question: Who leads?
summary: Written for the tests.
source: {adapter: attention}
unit: {noun: topic, plural: topics, grain: day}
exposures:
  public: {label: public, indicators: [public]}
  legislators: {label: legislators, indicators: [legislators]}
  media: {label: media, indicators: [media]}
outcomes:
  attention: {label: attention, type: continuous, indicators: [legislators]}
models:
  lead:
    label: who leads
    design: lead_lag
    formula: attention ~ public + legislators + media
    absorb: [unit_id]
    cluster: unit_id
    lead_lag:
      groups: {everyone: [public, media]}
      pairs: [public>legislators, legislators>public, everyone>legislators]
      contrasts: {first: [public>legislators, legislators>public]}
      published: {public>legislators: 0.5}
hypotheses:
  h:
    statement: The public leads.
    origin: [barbera]
    expects: positive
    decided_by: {model: lead, term: "difference:first"}
    smallest_effect: 0.1
"""


def problems(folder: Path, old: str, new: str) -> list[tuple[int, str]]:
    assert VALID.count(old) == 1
    (folder / "small.yml").write_text(VALID.replace(old, new))
    with pytest.raises(InputError) as caught:
        read_study(folder / "small.yml", root=folder)
    return [(p.line, p.rule) for p in caught.value.problems]


def test_the_block_is_read_as_written(tmp_path: Path) -> None:
    (tmp_path / "small.yml").write_text(VALID)
    block = read_study(tmp_path / "small.yml").models["lead"].lead_lag
    assert block is not None
    assert block.lags == 7
    assert block.contrasts == {"first": ["public>legislators", "legislators>public"]}


WRONG = {
    "a group of strangers": ("everyone: [public, media]", "everyone: [public, medium]", 21, "did you mean 'media'"),
    "a group like a series": ("{everyone: [public, media]}", "{media: [public]}", 21, "a name of its own"),
    "a strange pair": ("everyone>legislators]", "nobody>legislators]", 22, "'nobody' is neither a series"),
    "a pair that leads itself": ("everyone>legislators]", "everyone>public]", 22, "a series on both sides"),
    "not a pair": ("everyone>legislators]", "everyone]", 22, "as in `public>legislators`"),
    "a contrast of strangers": ("{first: [public>legislators,", "{first: [media>legislators,", 23, "not among `pairs`"),
    "published without reverse": ("{public>legislators: 0.5}", "{everyone>legislators: 0.5}", 24, "the reverse"),
    "no fixed effects": ("absorb: [unit_id]", "absorb: [period]", 18, "every unit has a mean of its own"),
    "another cluster": ("cluster: unit_id", "cluster: [unit_id, period]", 19, "which the bootstrap draws"),
    "blocks without length": ("cluster: unit_id", "cluster: period", 20, "needs `block`"),
    "one series": ("~ public + legislators + media", "~ public", 17, "two or more exposures"),
    "an offset of levels": ("lead_lag:\n", "lead_lag:\n      offset: 0.1\n", 21, "`scale: log_odds` only"),
    "too few compared": ("lead_lag:\n", "lead_lag:\n      compared_lags: 3\n", 21, "at least `lags`"),
    "no periods": (", grain: day", "", 16, "observed over time"),
    "another design": ("design: lead_lag", "design: ols", 20, "no system of series"),
    "a strange term": ('"difference:first"', '"difference:second"', 30, "difference:first"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_refused_at_its_line(tmp_path: Path, name: str) -> None:
    old, new, line, rule = WRONG[name]
    assert any(found == line and rule in told for found, told in problems(tmp_path, old, new))


def test_a_block_without_its_design_and_a_design_without_its_block(tmp_path: Path) -> None:
    bare = VALID[VALID.index("    lead_lag:\n") : VALID.index("hypotheses:")]
    assert any("needs a block `lead_lag`" in rule for _, rule in problems(tmp_path, bare, ""))


def test_what_cannot_be_fitted_has_a_row_for_every_term(tmp_path: Path) -> None:
    (tmp_path / "small.yml").write_text(VALID)
    study = read_study(tmp_path / "small.yml")
    empty = pd.DataFrame(columns=["outcome", "unit_id", "period", "excluded", "value"])
    found = fit_models(study, empty).set_index("term")
    assert found.loc["difference:first", "note"] == "not estimable: no rows"
    assert found.loc["difference:first", "hypothesis"] == "h"
    assert {"sustained:public>legislators", "sustained:everyone>legislators"} < set(found.index)
