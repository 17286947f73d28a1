"""What a study's `robustness` names must exist and fit, or the study is refused by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.errors import InputError
from analysis.study import read_study

STUDY = """\
name: small
title: A small study
question: Does a count come before change?
summary: Written for the tests.
source: {adapter: registry}
unit: {noun: campaign, plural: campaigns, attributes: [country, region]}
exposures:
  counted: {label: Counted, indicators: [posts], transform: present, absent: zero}
  early: {label: Early, indicators: [posts], transform: present, absent: zero}
outcomes:
  improved: {label: Improved, type: binary}
  stage: {label: Stage, type: ordinal}
covariates:
  kind: {label: Kind, attribute: region}
models:
  main: {label: Main, design: lpm, formula: improved ~ counted + kind}
  ladder: {label: Ladder, design: ordered_logit, formula: stage ~ counted}
hypotheses:
  works:
    statement: It works.
    origin: [keck-sikkink]
    expects: positive
    decided_by: {model: main, term: counted}
    smallest_effect: 0.1
robustness:
"""
FIRST = STUDY.count("\n") + 1


def problems(tmp_path: Path, block: str) -> str:
    path = tmp_path / "small.yml"
    path.write_text(STUDY + block)
    with pytest.raises(InputError) as caught:
        read_study(path, root=tmp_path)
    return str(caught.value)


def test_what_fits_is_read(tmp_path: Path) -> None:
    (tmp_path / "small.yml").write_text(
        STUDY + "  main: {terms: [counted], adjust: [kind], exposures: [early], clusters: [none, country],"
        " samples: {south: {keep: {region: [south]}}}, strata: [region], benchmarks: [kind]}\n"
    )
    assert read_study(tmp_path / "small.yml", root=tmp_path).robustness["main"].adjust == ["kind"]


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ("  mian: {}", "robustness.mian: 'mian': is not a declared model; did you mean 'main'?"),
        ("  ladder: {}", "has the design ordered_logit; only lpm, ols, logit, firth, poisson, event_study are probed"),
        ("  main: {adjust: [knid]}", "adjust[0]: 'knid': is neither a covariate nor an exposure of the formula"),
        ("  main: {exposures: [counted]}", "is not an exposure that the formula is without; valid: early"),
        ("  main: {terms: [early]}", "'early' is not a term of the formula"),
        ("  main: {clusters: [contry]}", "did you mean 'country'?"),
        ("  main: {samples: {south: {}}}", "must `keep` or `drop` something"),
        ("  main: {samples: {south: {drop: {rgion: [a]}}}}", "is neither a unit attribute nor a covariate"),
        ("  main: {permute: clusters}", "needs a model with `cluster`"),
        ("  main: {negative_control_outcomes: [stage]}", "is not another such outcome"),
        ("  main: {benchmarks: [early]}", "is not a variable of the formula"),
        ("  main: {strata: [early]}", "is neither a unit attribute nor a covariate"),
        ("  main: {placebo_exposures: [counted]}", "is not an exposure that the formula is without"),
        ("  main: {covariates: [kind]}", "unknown key"),
    ],
)
def test_what_does_not_fit_is_refused_by_line(tmp_path: Path, block: str, told: str) -> None:
    found = problems(tmp_path, block + "\n")
    assert f"small.yml, line {FIRST}" in found
    assert told in found
