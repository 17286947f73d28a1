"""What departs from the registration is told in the report, where the verdict is read."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from analysis.report.exhibits import Exhibits
from analysis.report.provenance import Provenance
from analysis.report.results import Results
from analysis.report.template import fill
from analysis.study.spec import Deviation, Study

EXPLORATORY = Deviation(
    hypothesis="more_is_more", date=date(2026, 1, 5), what="Another sample, <b>bold</b>.", why="Two were miscoded.",
    after_results=True,
)  # fmt: skip


def page(study: Study, estimates: pd.DataFrame, verdicts: pd.DataFrame, **more: object) -> str:
    provenance = Provenance("unknown", registered={"more_is_more": ("2026-01-02", "ab12cd34" + "0" * 56)})
    return fill(Exhibits(study, Results(estimates), verdicts.assign(**more), {}, provenance))


def test_a_deviation_after_results_marks_the_verdict_and_stands_in_the_log(
    study: Study, estimates: pd.DataFrame, verdicts: pd.DataFrame
) -> None:
    text = page(study.model_copy(update={"deviations": [EXPLORATORY]}), estimates, verdicts, status="exploratory")
    assert "[not supported]{.verdict}, exploratory" in text
    assert "This verdict is *exploratory*: [the log of deviations](#deviations)" in text
    assert "# Deviations {#deviations}" in text
    assert "2026-01-05" in text.replace("\\", "")
    assert "yes: exploratory" in text.replace("\\", "")
    assert "<b>" not in text, "text of a study file is escaped"


def test_a_hypothesis_as_registered_says_when_and_has_no_log(
    study: Study, estimates: pd.DataFrame, verdicts: pd.DataFrame
) -> None:
    text = page(study, estimates, verdicts, status="as registered", adjustment="Holm, 2 in the family")
    assert "Registered on 2026-01-02, hash ab12cd34." in text.replace("\\", "")
    assert "exploratory" not in text
    assert "#deviations" not in text
    assert "by\nHolm, 2 in the family" in text.replace("\\", "")


@pytest.mark.parametrize("name", ["campaigns", "petitions"])
def test_the_committed_studies_log_what_was_known(name: str, request: pytest.FixtureRequest) -> None:
    from analysis.study import read_study
    from analysis.synthesis import status

    root: Path = request.config.rootpath
    study = read_study(root / f"studies/{name}.yml", root=root)
    told = {hypothesis: status(study, hypothesis) for hypothesis in study.hypotheses}
    expected = {
        "campaigns": {
            "engagement": "exploratory",
            "counted_prospective": "exploratory",
            "social_rights": "as registered",
        },
        "petitions": {"crossing": "exploratory", "same_count": "exploratory", "rights_issues": "logged"},
    }[name]
    assert expected.items() <= told.items()
