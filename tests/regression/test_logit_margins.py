"""The logit has Stata's average marginal effects, and interactions and factors move as they should."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from regression_data import by_term, design
from scipy.special import expit

from analysis.models import vcov
from analysis.models.design_matrix import NotEstimableError
from analysis.models.logit import logit


def made_up(n: int = 300, seed: int = 1) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
    random = np.random.default_rng(seed)
    kind = random.choice(["u", "v", "w"], n)
    x = {"a": random.normal(size=n), "kind[T.v]": (kind == "v") * 1.0, "kind[T.w]": (kind == "w") * 1.0}
    x["a:kind[T.v]"], x["a:kind[T.w]"] = x["a"] * x["kind[T.v]"], x["a"] * x["kind[T.w]"]
    index = 0.7 * x["a"] - 0.5 * x["kind[T.v]"] + x["a:kind[T.w]"]
    return (random.random(n) < expit(index)).astype(float), x, random.integers(60, size=n)


def test_average_marginal_effects_as_in_stata() -> None:
    # Stata 11, margins, dydx(*) on Spector and Mazzeo's data with i.psi, as quoted in statsmodels' tests.
    data = sm.datasets.spector.load_pandas()
    rows = by_term(logit(design(data.endog, dict(data.exog.items())), "m", "y"))
    published = {
        "GPA": (0.36258084688424, 0.1094412), "TUCE": (0.01220841099085, 0.0177942),
        "PSI": (0.35751515254729, 0.1420034),
    }  # fmt: skip
    for term, (effect, error) in published.items():
        assert rows[term].estimate == pytest.approx(effect, rel=1e-6)
        assert rows[term].std_error == pytest.approx(error, abs=6e-8)
        assert rows[term].vcov == "information matrix"
    coefficients = {"GPA": (2.82611297201, 1.26294114526), "PSI": (2.37868772835, 1.06456430165)}
    for term, numbers in coefficients.items():
        row = rows[f"{term}:log_odds"]
        assert (row.estimate, row.std_error) == pytest.approx(numbers, rel=1e-6)
    assert rows["Intercept:log_odds"].estimate == pytest.approx(-13.0213483201, rel=1e-6)


def test_factors_and_interactions_move_together() -> None:
    y, x, _ = made_up()
    rows = by_term(logit(design(y, x), "m", "y"))
    columns = pd.DataFrame({"Intercept": 1.0, **x})
    beta = np.array([rows[f"{c}:log_odds"].estimate for c in columns])

    def chance(a: np.ndarray, kind: str) -> np.ndarray:
        v, w = float(kind == "v"), float(kind == "w")
        return expit(np.column_stack([np.ones(len(a)), a, a * 0 + v, a * 0 + w, a * v, a * w]) @ beta)

    levels = {kind: chance(x["a"], kind).mean() for kind in "uvw"}
    assert rows["kind[T.v]"].estimate == pytest.approx(levels["v"] - levels["u"])
    assert rows["kind[T.w]"].estimate == pytest.approx(levels["w"] - levels["u"])
    kinds = np.where(x["kind[T.v]"] == 1, "v", np.where(x["kind[T.w]"] == 1, "w", "u"))
    step = 1e-5
    slope = sum(
        (chance(x["a"] + step, k) - chance(x["a"] - step, k))[kinds == k].sum() / (2 * step) for k in "uvw"
    ) / len(y)
    assert rows["a"].estimate == pytest.approx(slope, rel=1e-6)
    assert "a:kind[T.v]" not in rows, "an interaction has no marginal effect of its own"
    assert "a:kind[T.v]:log_odds" in rows


def test_the_delta_method_is_the_gradient_by_finite_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    y, x, clusters = made_up()
    monkeypatch.setattr(vcov, "MANY_WEIGHTED", 60)
    rows = by_term(logit(design(y, x, {"g": clusters}), "m", "y"))
    m = np.column_stack([np.ones(len(y)), *x.values()])
    beta = np.array([rows[f"{c}:log_odds"].estimate for c in ("Intercept", *x)])
    p = expit(m @ beta)
    bread = np.linalg.inv((m * (p * (1 - p))[:, None]).T @ m)
    scores = np.array([m[clusters == g].T @ (y - p)[clusters == g] for g in range(60)])
    n = len(y)
    variance = bread @ scores.T @ scores @ bread * 60 / 59 * (n - 1) / (n - 6)
    assert rows["a:log_odds"].std_error == pytest.approx(np.sqrt(variance[1, 1]))
    assert (rows["a"].vcov, rows["a"].n_clusters) == ("CRV1(g)", 60)

    def effect(b: np.ndarray) -> float:
        high, low = m.copy(), m.copy()
        high[:, 2], high[:, 3], high[:, 4], high[:, 5] = 1, 0, x["a"], 0
        low[:, 2:] = 0
        return float((expit(high @ b) - expit(low @ b)).mean())

    gradient = np.array([(effect(beta + d) - effect(beta - d)) / 2e-6 for d in 1e-6 * np.eye(6)])
    assert rows["kind[T.v]"].std_error == pytest.approx(np.sqrt(gradient @ variance @ gradient), rel=1e-6)


def test_a_separated_outcome_is_refused_by_name_whatever_the_unit() -> None:
    y, x, _ = made_up()
    for unit in (1e-6, 1.0, 1e6):
        once = np.zeros(len(y))
        once[np.flatnonzero(y)[:3]] = unit
        with pytest.raises(NotEstimableError, match="once separates y: infinite; use the design firth"):
            logit(design(y, {"a": x["a"], "once": once}), "m", "y")
    with pytest.raises(NotEstimableError, match=r"no variation: y is 1.0 in all 300 rows"):
        logit(design(np.ones(300), {"a": x["a"]}), "m", "y")


def test_weights_are_repetitions_as_far_as_estimates_go() -> None:
    y, x, _ = made_up(n=80)
    times = np.arange(80) % 3 + 1
    weighted = by_term(logit(design(y, {"a": x["a"]}, weights=times), "m", "y"))
    repeated = by_term(logit(design(np.repeat(y, times), {"a": np.repeat(x["a"], times)}), "m", "y"))
    for term in ("a", "a:log_odds"):
        assert weighted[term].estimate == pytest.approx(repeated[term].estimate, rel=1e-8)
    assert weighted["a"].vcov == "HC1"
