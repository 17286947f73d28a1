"""Lee's bounds trim the surplus of observed outcomes, cover what was planted, and refuse what they cannot bound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.errors import InputError
from analysis.models.design_matrix import NotEstimableError
from analysis.models.estimates import Estimate
from analysis.models.lee import DRAWS, SEED, lee_bounds
from analysis.study import read_study


def table(exposed: list[float], unexposed: list[float]) -> pd.DataFrame:
    values = [*exposed, *unexposed]
    return pd.DataFrame(
        {
            "unit_id": [f"u{i:05d}" for i in range(len(values))],
            "x": [1.0] * len(exposed) + [0.0] * len(unexposed),
            "y": values,
        }
    )


def bounds(rows: pd.DataFrame, cluster: str | None = None) -> dict[str, Estimate]:
    return {row.term: row for row in lee_bounds(rows, "x", "m", "y", cluster)}


NAN = np.nan


def test_the_surplus_is_trimmed_from_both_ends() -> None:
    # 4 of 4 observed against 2 of 4: half of the exposed's outcomes are surplus.
    found = bounds(table([4.0, 1, 3, 2], [NAN, 2, 1, NAN]))
    assert (found["x:lower"].estimate, found["x:upper"].estimate) == (0.0, 2.0)
    assert found["x:trimmed"].estimate == 0.5
    assert "2 of 8 outcomes are missing; observed more often with than without x, by 50.0%" in found["x:lower"].note


def test_the_unexposed_are_trimmed_where_they_are_observed_more_often() -> None:
    found = bounds(table([NAN, 2, 1, NAN], [4.0, 1, 3, 2]))
    assert (found["x:lower"].estimate, found["x:upper"].estimate) == (-2.0, 0.0)
    assert "more often without than with x" in found["x:lower"].note


def test_ties_and_the_value_at_the_cut_are_trimmed_in_part() -> None:
    # 10 of 10 against 7 of 10: of the exposed's ten outcomes, six of them 1, three are surplus.
    exposed, unexposed = [1.0] * 6 + [0.0] * 4, [1.0] * 2 + [0.0] * 5 + [NAN] * 3
    found = bounds(table(exposed, unexposed))
    assert found["x:lower"].estimate == pytest.approx(3 / 7 - 2 / 7)
    assert found["x:upper"].estimate == pytest.approx(6 / 7 - 2 / 7)
    # 3 of 3 against 1 of 2: one and a half of the exposed's three outcomes are surplus.
    found = bounds(table([1.0, 2.0, 4.0], [0.0, NAN]))
    assert found["x:lower"].estimate == pytest.approx((1 + 2 / 2) / 1.5)
    assert found["x:upper"].estimate == pytest.approx((4 + 2 / 2) / 1.5)


def test_without_missing_outcomes_both_bounds_are_the_difference_in_means() -> None:
    rng = np.random.default_rng(1)
    exposed, unexposed = rng.normal(1, 1, 80), rng.normal(0, 2, 60)
    found = bounds(table(list(exposed), list(unexposed)))
    assert found["x:lower"].estimate == pytest.approx(exposed.mean() - unexposed.mean())
    assert found["x:upper"].estimate == pytest.approx(exposed.mean() - unexposed.mean())
    error = np.sqrt(exposed.var() / 80 + unexposed.var() / 60)
    assert found["x:lower"].std_error == pytest.approx(error, rel=0.1)
    reach = (found["x:upper"].ci_high - found["x:lower"].ci_low) / 2
    assert reach == pytest.approx(1.96 * found["x:lower"].std_error, rel=0.02)


def planted(seed: int, n: int = 4_000, effect: float = 1.0) -> tuple[pd.DataFrame, tuple[float, float]]:
    """Normal outcomes; observed for 60% either way and for 20% more only with the exposure, who do better by 1.

    With the exposure, a quarter of the observed are surplus. The bounds follow from the mixture of two normals.
    """
    rng = np.random.default_rng(seed)
    x = (rng.random(n) < 0.5).astype(float)
    kind = rng.choice(3, n, p=[0.6, 0.2, 0.2])
    y = rng.normal(size=n) + effect * x + (kind == 1)
    seen = (kind == 0) | ((kind == 1) & (x == 1))
    rows = pd.DataFrame({"unit_id": [f"u{i:05d}" for i in range(n)], "x": x, "y": np.where(seen, y, NAN)})
    mixture = np.concatenate(
        [np.random.default_rng(0).normal(size=750_000), np.random.default_rng(1).normal(1, 1, 250_000)]
    )
    mixture.sort()
    quarter = len(mixture) // 4
    return rows, (mixture[:-quarter].mean() + effect, mixture[quarter:].mean() + effect)


def test_what_was_planted_lies_between_the_bounds_and_they_are_where_they_should_be() -> None:
    rows, (lower, upper) = planted(1, n=6_000)
    found = bounds(rows)
    assert lower < 1.0 < upper
    assert found["x:lower"].estimate == pytest.approx(lower, abs=4 * found["x:lower"].std_error)
    assert found["x:upper"].estimate == pytest.approx(upper, abs=4 * found["x:upper"].std_error)
    assert found["x:trimmed"].estimate == pytest.approx(0.25, abs=4 * found["x:trimmed"].std_error)
    naive = rows.groupby("x")["y"].mean()
    assert naive[1.0] - naive[0.0] > 1.2, "comparing who is observed is biased, or this test would show nothing"


@pytest.mark.slow
def test_errors_are_the_spread_over_worlds_and_the_interval_covers() -> None:
    worlds = [planted(seed, n=800) for seed in range(60)]
    found = [bounds(rows) for rows, _ in worlds]
    for term in ("x:lower", "x:upper"):
        spread = np.std([f[term].estimate for f in found], ddof=1)
        assert np.mean([f[term].std_error for f in found]) == pytest.approx(spread, rel=0.25)
    lower, upper = worlds[0][1]
    for truth in (lower, upper):
        covered = np.mean([f["x:lower"].ci_low <= truth <= f["x:upper"].ci_high for f in found])
        assert covered >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / len(found))


def test_the_bootstrap_is_that_of_drawing_clusters_one_after_the_other() -> None:
    rng = np.random.default_rng(3)
    rows = table(
        list(rng.normal(size=30)), [NAN if i % 3 == 0 else float(v) for i, v in enumerate(rng.normal(size=30))]
    )
    rows["place"] = [f"p{i % 12:02d}" for i in range(60)]
    found = bounds(rows, "place")
    names = sorted(rows["place"].unique())
    weights = np.random.default_rng(SEED).multinomial(12, np.full(12, 1 / 12), size=DRAWS)
    lower = []
    for draw in weights[:100]:
        drawn = pd.concat(
            [rows[rows["place"] == name] for name, times in zip(names, draw, strict=True) for _ in range(times)]
        )
        q = drawn.groupby("x")["y"].apply(lambda y: y.notna().mean())
        exposed, unexposed = (np.sort(drawn.loc[drawn["x"] == v, "y"].dropna()) for v in (1.0, 0.0))
        cut = (1 - q[0.0] / q[1.0]) * len(exposed)
        kept = np.clip(np.cumsum(np.ones(len(exposed))) - cut, 0, 1)
        lower.append((exposed[::-1] @ kept) / kept.sum() - unexposed.mean())
    assert found["x:lower"].std_error == pytest.approx(np.std(lower, ddof=1), rel=0.2)
    assert found["x:lower"].n_clusters == 12
    assert found["x:lower"].vcov.startswith("bootstrap(place)")


def test_rows_in_another_order_change_nothing() -> None:
    rows, _ = planted(2, n=400)
    again = rows.sample(frac=1, random_state=1).set_index(pd.Index([7] * len(rows)))
    for term, row in bounds(rows).items():
        other = bounds(again)[term]
        assert (row.estimate, row.std_error) == pytest.approx((other.estimate, other.std_error), rel=1e-9)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (table([1.0, 2.0], []), "x is the same in all 2 rows"),
        (table([NAN, NAN], [1.0, 2.0]), "no unit with x has an observed outcome"),
        (table([1.0, 2.0], [NAN, NAN]), "no unit without x has an observed outcome"),
        (table([1.0], [1.0]).assign(x=[0.5, 1.0]), "other values than 0 and 1"),
    ],
)
def test_what_cannot_be_bounded_is_refused(rows: pd.DataFrame, told: str) -> None:
    with pytest.raises(NotEstimableError, match=told):
        lee_bounds(rows, "x", "m", "y")


def test_a_study_may_use_the_design_with_one_exposure_alone(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    text = (request.config.rootpath / "studies/campaigns.yml").read_text().replace("name: campaigns", "name: mine")
    text = text.replace("design: manski_bounds", "design: lee_bounds")
    (tmp_path / "mine.yml").write_text(text)
    assert read_study(tmp_path / "mine.yml").models["counted_bounds"].design == "lee_bounds"
    (tmp_path / "mine.yml").write_text(
        text.replace("formula: improved ~ counted\n", "formula: improved ~ counted + reach\n")
    )
    with pytest.raises(InputError, match="lee_bounds compares exposed with unexposed units"):
        read_study(tmp_path / "mine.yml")
