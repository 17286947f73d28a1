"""The rows that a lead–lag model makes: what they recover, what they say, and what changes nothing."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_panels import PUBLIC_LEADS, model, rows_of, simulated
from threadpoolctl import threadpool_limits

from analysis.models.design_matrix import NotEstimableError
from analysis.models.estimates import tidy
from analysis.models.lead_lag import lead_lag
from analysis.models.lead_lag_checks import half_panel
from analysis.models.lead_lag_fit import fitted_to
from analysis.study.spec import Model

PANEL = simulated(40, 80, PUBLIC_LEADS, seed=1)


def estimates(rows: pd.DataFrame, of: Model) -> pd.DataFrame:
    table = tidy(lead_lag(None, of, rows, "m"), "made_up")  # type: ignore[arg-type]
    return table.set_index(["model", "term"])


def test_the_leader_that_was_planted_leads() -> None:
    found = estimates(rows_of(PANEL), model())
    wanted = 0.3 * sum(0.5**day for day in range(5))
    row = found.loc[("m", "sustained:public>legislators")]
    assert row["ci_low"] < wanted < row["ci_high"]
    assert row["std_error"] < 0.05
    assert found.loc[("m", "sustained:legislators>public"), "p_value"] > 0.01
    difference = found.loc[("m", "difference:public_leads")]
    assert difference["ci_low"] > 0
    assert difference["n_obs"] == 40 * 79
    assert difference["n_clusters"] == difference["n_units"] == 40
    assert found.loc[("m:granger", "public>legislators"), "p_value"] < 1e-6
    assert found.loc[("m:granger", "legislators>public"), "p_value"] > 0.01
    assert found.loc[("m:path", "public>legislators[5]"), "estimate"] == pytest.approx(row["estimate"], abs=1e-12)
    assert found.loc[("m:fit", "lags:bic"), "estimate"] == 1


def test_bootstrap_errors_are_those_of_repeated_samples() -> None:
    term = "sustained:public>legislators"
    short = model(draws=199, contrasts={})
    runs = [fitted_to(short, rows_of(simulated(25, 40, PUBLIC_LEADS, seed)), "m") for seed in range(60)]
    spread = np.std([run.once[term][0] for run in runs], ddof=1)
    assert np.mean([run.many[term].std(ddof=1) for run in runs]) == pytest.approx(spread, rel=0.25)


def test_the_half_panel_jackknife_removes_most_of_the_bias_of_unit_means() -> None:
    wanted = 0.3 * sum(0.6**day for day in range(5))
    panel = simulated(800, 20, np.array([[0.6, 0.3], [0.0, 0.6]]), seed=3)
    fitted = fitted_to(model(), rows_of(panel), "m")
    bias = fitted.once["sustained:public>legislators"][0] - wanted
    left = {row.term: row.estimate for row in half_panel(fitted)}["public>legislators"] - wanted
    assert bias < -0.05
    assert abs(left) < abs(bias) / 3


def test_units_that_differ_are_averaged() -> None:
    follows, ignores = PUBLIC_LEADS, np.array([[0.5, 0.0], [0.0, 0.6]])
    panel = np.concatenate([simulated(30, 300, follows, seed=4), simulated(30, 300, ignores, seed=5)])
    found = estimates(rows_of(panel), model(horizon=1))
    row = found.loc[("m:mean_group", "public>legislators")]
    assert row["estimate"] == pytest.approx(0.15, abs=0.02)
    assert row["n_units"] == 60
    assert row["vcov"] == "between units"


def test_published_responses_are_compared_both_ways() -> None:
    plain = estimates(rows_of(PANEL), model())
    pairs = ("public>legislators", "legislators>public")
    once = {pair: float(plain.loc[("m:once", pair), "estimate"]) for pair in pairs}
    swapped = {">".join(reversed(pair.split(">"))): value for pair, value in once.items()}
    found = estimates(rows_of(PANEL), model(published=swapped))
    assert found.loc[("m:published", "distance:exchanged"), "estimate"] == pytest.approx(0, abs=1e-12)
    assert found.loc[("m:published", "correlation:as_labelled"), "estimate"] == pytest.approx(-1)
    assert found.loc[("m:published", "distance:as_labelled"), "estimate"] > 0.5


def test_standardised_series_have_no_unit() -> None:
    standard = model(standardise=True)
    one, other = (estimates(rows_of(PANEL * scale), standard) for scale in (1.0, np.array([1.0, 1000.0])))
    assert np.abs(one["estimate"] - other["estimate"]).max() < 1e-9


def test_log_odds_are_taken_of_shares() -> None:
    shares = 1 / (1 + np.exp(-PANEL / 4))
    mine = estimates(rows_of(shares), model(scale="log_odds"))
    theirs = estimates(rows_of(PANEL / 4), model())
    assert np.abs(mine["estimate"] - theirs["estimate"]).max() < 1e-8
    assert "log odds" in mine.loc[("m", "sustained:public>legislators"), "estimand"]


def test_blocks_of_periods_are_drawn_together() -> None:
    found = estimates(rows_of(PANEL), model(cluster=["period"], block=10))
    row = found.loc[("m", "difference:public_leads")]
    assert row["n_clusters"] == 8
    assert row["vcov"] == "bootstrap of blocks of 10 periods, 99 draws"
    assert "m:half_panel" not in found.index


@settings(max_examples=8)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(random: object) -> None:
    rows = rows_of(PANEL[:8, :30])
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    small = model(draws=19)
    pd.testing.assert_frame_equal(estimates(rows, small), estimates(rows.iloc[order], small), check_exact=True)


def test_the_number_of_threads_changes_nothing() -> None:
    once = estimates(rows_of(PANEL), model())
    with threadpool_limits(limits=2):
        again = estimates(rows_of(PANEL), model())
    pd.testing.assert_frame_equal(once, again, check_exact=True)


DIGEST = """
import hashlib, sys
sys.path.insert(0, "{folder}")
from made_up_panels import PUBLIC_LEADS, model, rows_of, simulated
from analysis.models.lead_lag import lead_lag
from analysis.models.lead_lag_checks import half_panel
from analysis.models.lead_lag_fit import fitted_to
rows = lead_lag(None, model(), rows_of(simulated(12, 40, PUBLIC_LEADS, seed=1)), "m")
print(hashlib.sha256(repr(rows).encode()).hexdigest())
"""


@pytest.mark.slow
def test_the_hash_seed_changes_nothing() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", DIGEST.format(folder=Path(__file__).parent)],
            env=os.environ | {"PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True,
        ).stdout.strip()
        for seed in ("0", "7")
    }  # fmt: skip
    assert len(found) == 1
    assert len(found.pop()) == len(hashlib.sha256().hexdigest())


def test_rows_without_all_lags_are_counted() -> None:
    gaps = PANEL.copy()
    gaps[0, 10] = np.nan
    row = estimates(rows_of(gaps).dropna(), model()).loc[("m", "difference:public_leads")]
    assert row["n_obs"] == 40 * 79 - 2
    assert row["note"].startswith("41 of 3199 rows left out")


def test_shares_without_log_odds_are_refused() -> None:
    shares = np.clip(PANEL, 0, 0.9)
    with pytest.raises(NotEstimableError, match=r"values of legislators, public have no log odds.*once 0 is added"):
        lead_lag(None, model(scale="log_odds"), rows_of(shares), "m")  # type: ignore[arg-type]


def test_impulses_that_do_not_die_out_are_said() -> None:
    walk = PANEL.cumsum(axis=1) * np.linspace(1, 3, 80)[None, :, None]
    note = estimates(rows_of(walk), model()).loc[("m", "difference:public_leads"), "note"]
    assert "impulses do not die out: the largest root is 1." in note


def test_a_panel_too_short_to_compare_lags_says_so() -> None:
    found = estimates(rows_of(PANEL[:, :12]), model(compared_lags=14, contrasts={}))
    assert found.loc[("m:fit", "lags"), "note"] == "not estimable: 12 periods are too few for 14 lags"
    assert found.loc[("m", "sustained:public>legislators"), "n_obs"] == 40 * 11


def test_a_contrast_is_fitted_without_each_unit_in_turn() -> None:
    small = PANEL[:6]
    found = estimates(rows_of(small), model())
    without = [estimates(rows_of(np.delete(small, unit, axis=0)), model()) for unit in range(6)]
    values = [table.loc[("m", "difference:public_leads"), "estimate"] for table in without]
    assert found.loc[("m:fit", "lowest:public_leads"), "estimate"] == pytest.approx(min(values), abs=1e-9)
    assert found.loc[("m:fit", "highest:public_leads"), "estimate"] == pytest.approx(max(values), abs=1e-9)


def test_the_detectable_effect_is_found_four_times_in_five() -> None:
    found = estimates(rows_of(PANEL), model())
    error = found.loc[("m", "sustained:public>legislators"), "std_error"]
    effect = found.loc[("m:fit", "detectable:public>legislators"), "estimate"]
    draws = np.random.default_rng(1).standard_t(39, 100_000) + effect / error
    assert (np.abs(draws) > 2.0227).mean() == pytest.approx(0.8, abs=0.01)
