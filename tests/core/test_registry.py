"""What the registry's README says of its data comes out of the pipeline again."""

from __future__ import annotations

from derived import Derived

from analysis.models.estimates import Estimate
from analysis.study.spec import Study
from analysis.tables import CanonicalTables
from analysis.timing import counts_follow_success, sample_flow


def by_term(rows: list[Estimate], model: str, outcome: str = "improved") -> dict[str, Estimate]:
    return {row.term: row for row in rows if row.model == model and row.outcome == outcome}


def test_two_frames_of_131_and_90_campaigns(registry: CanonicalTables) -> None:
    assert registry.units["frame"].value_counts().to_dict() == {"w4r": 131, "purposive": 90}


def test_fifteen_prospective_cases_have_no_outcome_row_and_are_missing_not_failures(
    campaigns: Study, registry: CanonicalTables, derived: Derived
) -> None:
    frame = registry.units.set_index("unit_id")["frame"]
    flow = sample_flow(derived.analysis, frame)
    assert {t: r.estimate for t, r in by_term(flow, "flow[w4r]").items()} == {
        "units": 131, "no_outcome_row": 15, "outcome_before_launch": 3, "at_risk": 113
    }  # fmt: skip
    assert {t: r.estimate for t, r in by_term(flow, "flow[purposive]").items()} == {
        "units": 90, "no_outcome_row": 0, "outcome_before_launch": 0, "at_risk": 90
    }  # fmt: skip
    missing = derived.analysis[derived.analysis["excluded"] == "no outcome row"]
    assert missing["value"].isna().all()
    assert missing["unit_id"].nunique() == 15


def test_counts_follow_success(registry: CanonicalTables, derived: Derived) -> None:
    first = derived.changed[derived.changed["outcome"] == "improved"]
    frame = registry.units.set_index("unit_id")["frame"]
    rows = counts_follow_success(derived.reported, first, frame)
    w4r = by_term(rows, "timing[w4r]")
    assert (round(w4r["improved_if_counted"].estimate * 49), w4r["improved_if_counted"].n_obs) == (39, 49)
    assert (round(w4r["improved_if_uncounted"].estimate * 67), w4r["improved_if_uncounted"].n_obs) == (41, 67)
    assert w4r["improved_difference"].estimate == 39 / 49 - 41 / 67
    assert (round(w4r["before"].estimate * 58), w4r["before"].n_obs) == (5, 58)


def test_the_outcomes_before_launch_are_those_that_the_coder_noted(registry: CanonicalTables, derived: Derived) -> None:
    early = set(derived.changed.loc[derived.changed["before_launch"], "unit_id"])
    noted = registry.units["coder_note"].str.contains("PRE-LAUNCH")
    assert early == set(registry.units.loc[noted, "unit_id"])
    assert len(early) == 3
