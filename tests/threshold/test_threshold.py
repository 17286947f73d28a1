"""The threshold design equals published numbers, recovers what was planted, and refuses what it cannot estimate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rdrobust.datasets import rdrobust_RDsenate
from scipy.stats import binomtest

from analysis.models.estimates import Estimate, tidy
from analysis.models.fit import fit_models
from analysis.models.threshold import balance, density, normalise, threshold
from analysis.study import read_study
from analysis.study.spec import Study

STUDY = """\
name: small
title: Small
question: Does crossing matter?
summary: Written for the tests.
source: {adapter: petitions}
unit: {noun: petition, plural: petitions, attributes: [kind, town]}
exposures:
  signatures: {label: signatures, indicators: [signatures], time_order: naive}
outcomes:
  responded: {label: a response, type: binary}
covariates:
  limit: {label: limit, context: limit}
  kind: {label: kind, attribute: kind, reference: a}
  wealth: {label: wealth, context: wealth}
models:
  jump:
    label: responded, at the threshold
    design: threshold
    formula: responded ~ signatures
    threshold:
      cutoff: 0
      bandwidths: [0.5, 2.0]
      donuts: [0.05]
      placebo_cutoffs: [-0.5, 0.5]
      continuity: [wealth, kind]
      moderator: kind
hypotheses:
  h:
    statement: Crossing matters.
    origin: [yasseri]
    expects: positive
    decided_by: {model: jump, term: jump}
    smallest_effect: 0.1
optional_notebooks: [07_threshold]
"""


@pytest.fixture
def study(tmp_path: Path) -> Study:
    (tmp_path / "small.yml").write_text(STUDY)
    return read_study(tmp_path / "small.yml")


def table(x: np.ndarray, y: np.ndarray, **columns: object) -> pd.DataFrame:
    """An analysis table of one outcome."""
    n = len(x)
    defaults = {"kind": "a", "town": "t", "limit": 100.0, "wealth": np.linspace(0, 1, n)}
    units = [f"u{i:05d}" for i in range(n)]
    return pd.DataFrame(
        {"outcome": "responded", "unit_id": units, "excluded": "", "value": y, "signatures": x, **defaults, **columns}
    )


def senate() -> pd.DataFrame:
    data = rdrobust_RDsenate()[["margin", "vote", "state"]].dropna()
    return table(data["margin"].to_numpy(), data["vote"].to_numpy(), town=data["state"].astype("str").to_numpy())


def planted(seed: int, n: int = 3000, effect: float = 0.3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, n)
    kind = rng.choice(["a", "b"], n)
    chance = 0.3 + 0.1 * x + effect * (x >= 0) * (kind == "a")
    return table(x, (rng.random(n) < chance).astype(float), kind=kind, wealth=rng.normal(size=n))


def fitted(study: Study, rows: pd.DataFrame, **changes: object) -> dict[str, Estimate]:
    model = study.models["jump"]
    if changes:
        spec = model.threshold.model_copy(update={k: v for k, v in changes.items() if k not in {"cluster", "formula"}})  # type: ignore[union-attr]
        kept = {k: v for k, v in changes.items() if k in {"cluster", "formula"}}
        model = model.model_copy(update={"threshold": spec, **kept})
    return {row.term: row for row in threshold(study, model, rows.rename(columns={"value": "responded"}), "jump")}


def test_senate_elections_give_the_published_numbers(study: Study) -> None:
    """Calonico, Cattaneo, Farrell and Titiunik (2017), Stata Journal 17(2): US Senate, default options."""
    rows = fitted(study, senate(), continuity=[], moderator=None, placebo_cutoffs=[], donuts=[])
    plain, robust = rows["jump:conventional"], rows["jump"]
    published = [7.4141, 1.4587, 5.0826, 4.5551, 10.2732]
    found = [plain.estimate, plain.std_error, plain.statistic, plain.ci_low, plain.ci_high]
    assert found == pytest.approx(published, abs=5e-5)
    assert [robust.statistic, robust.ci_low, robust.ci_high] == pytest.approx([4.3110, 4.0937, 10.9193], abs=6e-5)
    assert robust.note.startswith("360 below and 323 above within bandwidth 17.8 (bias 28)")
    assert rows["bandwidth"].estimate == pytest.approx(17.754, abs=5e-4)


def test_senate_density_gives_the_published_test() -> None:
    """Cattaneo, Jansson and Ma (2018), Stata Journal 18(1): T = -0.8753, p = 0.3814."""
    found = density(rdrobust_RDsenate()["margin"].dropna(), "m", "y")
    assert (found.statistic, found.p_value) == (pytest.approx(-0.8753, abs=5e-5), pytest.approx(0.3814, abs=5e-5))


def test_intervals_cover_a_planted_jump(study: Study) -> None:
    options = {"continuity": [], "placebo_cutoffs": [], "donuts": [], "bandwidths": []}
    runs = [fitted(study, planted(seed), **options) for seed in range(25)]
    jumps = [run["jump:kind=a"] for run in runs]
    nulls = [run["jump:kind=b"] for run in runs]
    differences = [run["difference:kind"] for run in runs]
    for truth, rows in ((0.3, jumps), (0.0, nulls), (-0.3, differences)):
        covered = sum(row.ci_low <= truth <= row.ci_high for row in rows)
        # 19 or fewer of 25 would happen to 95% intervals in about one of a thousand tries.
        assert covered >= 20
        assert np.mean([row.estimate for row in rows]) == pytest.approx(truth, abs=4 * rows[0].std_error / np.sqrt(25))


def test_nothing_jumps_where_nothing_was_planted(study: Study) -> None:
    rows = fitted(study, planted(3))
    for term in ("jump:cutoff=-0.5", "jump:cutoff=0.5", "continuity:wealth", "continuity:kind[b]", "density"):
        assert rows[term].ci_low <= 0 <= rows[term].ci_high, term
    assert rows["jump"].note.startswith(f"{int(rows['effective_below'].estimate):,} below")


def test_a_placebo_is_fitted_on_its_own_side_of_the_threshold(study: Study) -> None:
    data = planted(3)
    rows = fitted(study, data)
    assert rows["jump:cutoff=-0.5"].n_obs == (data["signatures"] < 0).sum()
    assert rows["jump:cutoff=0.5"].n_obs == (data["signatures"] >= 0).sum()
    assert rows["jump:donut=0.05"].n_obs == (data["signatures"].abs() >= 0.05).sum()


def test_sorting_across_the_threshold_is_the_first_thing_said(study: Study) -> None:
    data = planted(4)
    pushed = data["signatures"].between(-0.15, 0) & (np.arange(len(data)) % 4 > 0)
    data.loc[pushed, "signatures"] += 0.15
    rows = fitted(study, data)
    assert rows["density"].p_value < 0.001
    assert rows["balance"].estimate > 0.7
    for term in ("jump", "jump:conventional", "difference:kind"):
        assert rows[term].note.startswith("the density of the running variable jumps at the cut-off (p < 0.001)")
        assert "need not be the effect of crossing" in rows[term].note


def test_balance_counts_the_narrowest_window_with_enough_on_both_sides() -> None:
    x = pd.Series([*np.linspace(-1, -0.01, 30), *np.linspace(0, 0.5, 100)])
    found = balance(x, "m", "y")
    width = np.sort(-x[x < 0])[19]
    inside = x[x.abs() <= width]
    assert (found.n_obs, found.estimate) == (len(inside), pytest.approx((inside >= 0).mean()))
    assert found.p_value == pytest.approx(binomtest(int((inside >= 0).sum()), len(inside)).pvalue)


def test_heaps_and_mass_points_are_counted(study: Study) -> None:
    data = planted(5)
    data["signatures"] = (data["signatures"] * 1000).round()
    data.loc[:299, "signatures"] = (data.loc[:299, "signatures"] / 100).round() * 100
    rows = fitted(study, data, donuts=[], placebo_cutoffs=[])
    assert rows["heap:100"].estimate == pytest.approx((data["signatures"] % 100 == 0).mean())
    assert rows["mass_points"].estimate == pytest.approx(data["signatures"].duplicated(keep=False).mean())
    assert np.isfinite(rows["jump"].estimate)


def test_row_order_changes_nothing(study: Study) -> None:
    data = planted(6, n=800)
    data["signatures"] = data["signatures"].round(2)
    shuffled = data.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(
        tidy(fitted(study, data).values(), "s"), tidy(fitted(study, shuffled).values(), "s"), check_exact=True
    )


def test_clusters_and_covariates_are_used(study: Study) -> None:
    data = planted(7, n=1500)
    data["town"] = [f"t{i % 60}" for i in range(len(data))]
    rows = fitted(study, data, cluster=["town"], formula="responded ~ signatures + wealth")
    assert rows["jump"].vcov == "robust bias-corrected, CR1(town)"
    assert rows["jump"].n_clusters == 60
    assert rows["jump:adjusted"].estimate != rows["jump"].estimate


@pytest.mark.parametrize("scale", ["difference", "share", "log10_ratio"])
def test_every_scale_puts_the_threshold_at_zero(scale: str) -> None:
    running = pd.Series([99.0, 100.0, 101.0, 5000.0, 4999.0])
    limit = pd.Series([100.0, 100.0, 100.0, 5000.0, 5000.0])
    assert (normalise(running, limit, scale) >= 0).tolist() == [False, True, True, True, False]


def test_each_unit_may_have_its_own_threshold(study: Study) -> None:
    data = planted(8)
    limit = np.where(np.arange(len(data)) % 2, 100.0, 1000.0)
    own = data.assign(signatures=(1 + data["signatures"] / 2) * limit, limit=limit)
    rows = fitted(study, own, cutoff=None, cutoff_from="limit", scale="share", continuity=[])
    same = fitted(study, data.assign(signatures=data["signatures"] / 2), continuity=[])
    assert rows["jump"].estimate == pytest.approx(same["jump"].estimate, rel=1e-6)


REFUSED = {
    "nothing above": (lambda d: d.assign(signatures=-d["signatures"].abs() - 0.1), "0 rows with 0 distinct values"),
    "few below": (lambda d: d[(d["signatures"] >= 0) | (d.index < 12)], "at least 20 rows and 10 values are needed"),
    "three values": (lambda d: d.assign(signatures=np.sign(d["signatures"].round(1))), "distinct values"),
    "no variation": (lambda d: d.assign(value=1.0), "no variation: responded is 1.0 in all"),
    "nobody followed": (lambda d: d.assign(excluded="no outcome row"), "no complete rows"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_estimated_says_why(study: Study, case: tuple) -> None:  # type: ignore[type-arg]
    spoil, reason = case
    found = fit_models(study, spoil(planted(9, n=400)), "07_threshold")
    assert found["term"].iloc[0] == "jump"
    assert found.loc[found["design"] == "threshold", "estimate"].isna().all()
    assert reason in found["note"].iloc[0]


def test_a_jump_without_exceptions_is_described_where_it_has_no_interval(study: Study) -> None:
    data = planted(13, n=400)
    rows = fitted(study, data.assign(value=(data["signatures"] >= 0).astype(float)))
    assert np.isnan(rows["jump"].estimate)
    assert "variation" in rows["jump"].note
    assert (rows["below"].estimate, rows["above"].estimate) == (0, 1)


def test_a_variant_that_fails_leaves_the_others_standing(study: Study) -> None:
    rows = fitted(study, planted(10, n=400), placebo_cutoffs=[0.99], donuts=[0.95])
    for term in ("jump:cutoff=0.99", "jump:donut=0.95"):
        assert np.isnan(rows[term].estimate)
        assert rows[term].note.startswith("not estimable: ")
    assert np.isfinite(rows["jump"].estimate)


def test_a_rare_outcome_makes_a_placebo_not_estimable_rather_than_exact(study: Study) -> None:
    data = planted(12, n=600)
    below = data["signatures"] < 0
    data.loc[below, "value"] = (data.loc[below, "signatures"].abs().rank() <= 2).astype(float)
    row = fitted(study, data, placebo_cutoffs=[-0.6])["jump:cutoff=-0.6"]
    assert np.isnan(row.estimate)
    assert "variation" in row.note


def test_the_regressions_page_leaves_thresholds_to_their_own(study: Study) -> None:
    assert fit_models(study, planted(11, n=200)).empty
