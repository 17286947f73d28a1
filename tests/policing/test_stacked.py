"""The stacked design: against another implementation, against what a simulation planted, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.models.design_matrix import NotEstimableError
from analysis.models.estimates import Estimate
from analysis.models.stacked import stacked
from analysis.study.spec import Covariate, Exposure, Model, Outcome, Stacked, Study

PERIODS = [f"{year}-Q{quarter}" for year in range(2010, 2015) for quarter in range(1, 5)]
STARTS = {8: 8, 10: 6}
"""First exposed period, and how many units have it; all others are never exposed."""


def study(formula: str = "y ~ d + C(tenth) + C(tenth):size", **options: Any) -> Study:
    block = {"before": 4, "after": 6, "reference": 2, **options.pop("stacked", {})}
    model = Model(label="m", design="stacked", formula=formula, stacked=Stacked(**block), **options)
    exposure = Exposure(label="d", indicators=["d"], transform="present", window="all", absent="zero")
    covariates = {name: Covariate(label=name, context=name) for name in ("tenth", "size", "w")}
    outcome = Outcome(label="y", type="count")
    return Study.model_construct(
        exposures={"d": exposure}, outcomes={"y": outcome}, covariates=covariates, models={"m": model}
    )


def table(effect: float = -2.0, units: int = 40, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    starts = np.repeat([*STARTS, 99], [*STARTS.values(), units - sum(STARTS.values())])
    unit, time = (a.ravel() for a in np.meshgrid(np.arange(units), np.arange(len(PERIODS)), indexing="ij"))
    size = rng.uniform(1, 5, units)[unit] + 0.05 * time
    exposed = time >= starts[unit]
    tenth = (size > 3).astype(float)
    y = rng.normal(size=units)[unit] + np.sin(time) + tenth * size * 0.3 + effect * exposed + rng.normal(size=len(unit))
    weights = rng.uniform(0.2, 2.0, units)
    return pd.DataFrame(
        {"unit_id": [f"u{i:02d}" for i in unit], "period": np.array(PERIODS)[time], "excluded": "", "y": y,
         "d": exposed.astype(float), "tenth": tenth, "size": size, "w": weights[unit], "region": unit % 12}
    )  # fmt: skip


def fit(rows: pd.DataFrame, given: Study) -> dict[str, Estimate]:
    return {row.term: row for row in stacked(given, given.models["m"], rows, "m")}


def stack(rows: pd.DataFrame, before: int = 4, after: int = 6) -> pd.DataFrame:
    """Build the stack by hand."""
    rows = rows.assign(number=rows["period"].map(PERIODS.index))
    first = rows[rows["d"] == 1].groupby("unit_id")["number"].min().reindex(rows["unit_id"].unique(), fill_value=99)
    parts = []
    for start in STARTS:
        member = first[(first == start) | (first > start + after - 1)].index
        part = rows[rows["unit_id"].isin(member) & rows["number"].between(start - before, start + after - 1)]
        own = part["unit_id"].map(first) == start
        parts.append(part.assign(event=start, now=((part["number"] >= start) & own).astype(float), own=own))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("weights", [None, "w"])
def test_it_equals_a_regression_with_dummies(weights: str | None) -> None:
    pyfixest = pytest.importorskip("pyfixest")
    rows = table()
    found = fit(rows, study(weights=weights, cluster="unit_id"))
    by_hand = stack(rows)
    for event in STARTS:
        for level in (0.0, 1.0):
            own = (by_hand["event"] == event) & (by_hand["tenth"] == level)
            by_hand[f"s{event}_{level:.0f}"] = by_hand["size"].where(own, 0.0)
        by_hand[f"t{event}"] = by_hand["tenth"].where(by_hand["event"] == event, 0.0)
    controls = " + ".join(c for c in by_hand if c.startswith(("s1", "s8", "t1", "t8")))
    other = pyfixest.feols(
        f"y ~ now + {controls} | unit_id^event + number^event", data=by_hand, weights=weights,
        vcov={"CRV1": "unit_id"}, fixef_tol=1e-12,
    )  # fmt: skip
    assert found["d"].estimate == pytest.approx(other.coef()["now"], abs=1e-8)
    assert found["d"].std_error == pytest.approx(other.se()["now"], rel=0.02)
    assert found["d"].n_obs == len(by_hand)


def test_share_and_total_are_the_effect_in_other_units() -> None:
    rows = table()
    found = fit(rows, study(stacked={"published": {"share": -0.1}}))
    by_hand = stack(rows)
    before = by_hand["own"] & (by_hand["number"] < by_hand["event"]) & (by_hand["number"] >= by_hand["event"] - 2)
    assert found["baseline"].estimate == pytest.approx(by_hand.loc[before, "y"].mean())
    assert found["exposed"].estimate == sum(STARTS.values()) * 6
    assert found["share"].estimate == pytest.approx(found["d"].estimate / found["baseline"].estimate)
    assert found["total"].ci_high == pytest.approx(found["d"].ci_high * found["exposed"].estimate)
    assert found["published:share"].estimate == -0.1
    assert found["cohorts"].estimate == 2


def test_it_covers_what_a_simulation_planted() -> None:
    given_study = study(cluster="unit_id")
    fits = [fit(table(effect=-2.0, seed=seed), given_study)["d"] for seed in range(20)]
    covered = np.mean([row.ci_low <= -2 <= row.ci_high for row in fits])
    assert abs(np.mean([row.estimate for row in fits]) + 2) < 0.1
    assert covered >= 0.8


@settings(max_examples=5)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(random: Any) -> None:
    rows = table()
    order = list(range(len(rows)))
    random.shuffle(order)
    given_study = study(weights="w", cluster="region")
    mixed = fit(rows.iloc[order], given_study)["d"]
    assert mixed.estimate == pytest.approx(fit(rows, given_study)["d"].estimate, rel=1e-10)


def test_exposed_units_are_no_comparison() -> None:
    rows = table()
    never = 40 - sum(STARTS.values())
    assert fit(rows, study())["d"].n_obs == sum(count + never for count in STARTS.values()) * 10
    alone = rows[~rows["unit_id"].isin([f"u{i:02d}" for i in range(8)])]
    without_first = fit(alone, study())["d"]
    assert without_first.n_obs == (STARTS[10] + never) * 10


def test_units_without_a_value_are_left_out_and_counted() -> None:
    rows = table()
    rows.loc[rows["unit_id"].eq("u39") & rows["period"].eq(PERIODS[9]), "size"] = np.nan
    found = fit(rows, study())["d"]
    assert found.n_units == 39
    assert found.note.startswith("1 of 800 unit-periods lack a value")


def test_exposure_that_ends_is_refused() -> None:
    rows = table()
    rows.loc[rows["period"] == PERIODS[-1], "d"] = 0.0
    with pytest.raises(NotEstimableError, match="must be 0 until it is 1 for good"):
        fit(rows, study())


def test_a_window_that_nobody_is_observed_over_is_refused() -> None:
    with pytest.raises(NotEstimableError, match="no cohort is observed over its whole window"):
        fit(table(), study(stacked={"before": 15}))
