"""What a study may choose for checks of models without a linear form."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.errors import InputError
from analysis.study import read_study

ROOT = Path(__file__).parents[2]
POLICING = (ROOT / "studies/policing.yml").read_text("utf-8")


@pytest.mark.parametrize(
    ("model", "choice", "rule"),
    [
        ("relative", "adjust: [log_population]", "is not for the design poisson, whose checks know strata and permute"),
        ("killings_after", "permute: cells", "is not for the design event_study, whose checks know strata alone"),
        ("killings_after", "strata: [sise]", "did you mean 'size'?"),
    ],
)
def test_checks_that_only_exchange_exposures_take_no_other_choices(
    tmp_path: Path, model: str, choice: str, rule: str
) -> None:
    written = f"  {model}: {{strata: [size]}}\n"
    assert written in POLICING
    (tmp_path / "policing.yml").write_text(POLICING.replace(written, f"  {model}: {{{choice}}}\n"), "utf-8")
    with pytest.raises(InputError) as refused:
        read_study(tmp_path / "policing.yml", root=ROOT)
    (problem,) = refused.value.problems
    assert rule in problem.rule
    assert POLICING.splitlines()[problem.line - 1] == written.rstrip()
