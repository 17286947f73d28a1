"""The hand-written estimators give the numbers that R and the literature publish."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.hazard_regression import PHReg

from analysis.models.curves import cumulative_incidence, kaplan_meier
from analysis.models.partial_likelihood import (
    RiskTime,
    kaplan_meier_clock,
    maximise,
    partial_likelihood,
    proportional_hazards_test,
    subdistribution,
)

HERE = Path(__file__).parent


def at_risk(stop: list[float], event: list[int], x: list[float], start: list[float] | None = None) -> RiskTime:
    n = len(stop)
    begin = np.zeros(n) if start is None else np.array(start, dtype=float)
    return RiskTime(
        begin, np.array(stop, dtype=float), np.array(event, dtype=bool), np.array(x, dtype=float)[:, None], np.ones(n)
    )


# Data set 1 of Therneau and Grambsch (2000), appendix E; solved in closed form in survival's tests/book2.R and zph.R.
BOOK = at_risk([9, 1, 1, 6, 6, 8], [1, 1, 0, 1, 1, 0], [0, 1, 1, 1, 0, 0])
EFRON = np.log(2 * np.sqrt(23 / 3) * np.cos(np.arccos((45 / 23) * np.sqrt(3 / 23)) / 3))
BRESLOW = np.log((3 + np.sqrt(33)) / 2)


def test_coefficient_with_ties_is_the_closed_form() -> None:
    assert maximise(BOOK) == pytest.approx([EFRON], abs=1e-10)
    assert maximise(BOOK, "breslow") == pytest.approx([BRESLOW], abs=1e-10)


def test_score_residuals_are_those_of_coxph() -> None:
    r = np.exp(EFRON)
    a, b, d = r + 1, r + 3, r + 5
    both = 2 * r * (177 + r * (282 + r * (182 + r * (50 + 5 * r)))) / (3 * (a * b * d) ** 2)
    expected = [
        both,
        (2 * r + 3) / (3 * a**2),
        -r / (3 * a**2),
        (675 + r * (1305 + r * (756 + r * (-4 + r * (-79 - 13 * r))))) / (3 * (a * b * d) ** 2),
        r * (1 / (3 * a**2) - a / (2 * b**2) - b / (2 * d**2)),
        both,
    ]
    found = partial_likelihood(BOOK, np.array([EFRON])).residuals.ravel()
    assert found == pytest.approx(expected, abs=1e-10)
    assert found == pytest.approx([0.2208584, 0.1132780, -0.0442340, -0.1029199, -0.4078409, 0.2208584], abs=5e-8)


@pytest.mark.parametrize(
    ("ties", "beta", "deaths", "clock"),
    [
        ("breslow", BRESLOW, lambda r: ([1 / (r + 1), 3 / (r + 3), -r / (r + 3)], [r + 1, r + 3, r + 3]), np.array),
        ("efron", EFRON, lambda r: ([1 / (r + 1), 3 / (r + 3), -r / (r + 5)], [r + 1, r + 3, r + 5]), np.log),
    ],
)
def test_proportional_hazards_test_is_the_exact_score_test(ties, beta, deaths, clock) -> None:
    r = np.exp(beta)
    score, total = (np.array(part) for part in deaths(r))
    information = r * (total - r) / total**2
    g = clock([1.0, 6.0, 6.0])
    first = np.array([score.sum(), g @ score])
    second = np.array([[information.sum(), g @ information], [g @ information, g**2 @ information]])
    expected = first @ np.linalg.solve(second, first)
    fitted = partial_likelihood(BOOK, np.array([beta]), ties)
    test = proportional_hazards_test(fitted, clock(fitted.times))
    assert test.statistic == pytest.approx([expected], rel=1e-9)
    assert test.global_statistic == pytest.approx(expected, rel=1e-9)


def test_kaplan_meier_clock_is_the_share_with_the_event_just_before() -> None:
    assert kaplan_meier_clock(BOOK, np.array([1.0, 6.0, 9.0])) == pytest.approx([0, 1 / 6, 1 - 5 / 6 * 2 / 4])


@pytest.fixture(scope="module")
def heart() -> pd.DataFrame:
    """Stanford heart transplants (Crowley and Hu 1977) as `jasa1` of R's survival: a transplant begins when it does."""
    return pd.read_csv(HERE / "jasa1.csv")


def test_time_varying_cox_model_of_heart_transplants(heart: pd.DataFrame) -> None:
    """Kalbfleisch and Prentice (1980), p. 139, as printed in survival's tests/jasa.Rout.save."""
    x = heart.assign(
        age_transplant=heart["age"] * heart["transplant"], surgery_transplant=heart["surgery"] * heart["transplant"]
    )[["age", "surgery", "transplant", "age_transplant", "surgery_transplant"]]
    rows = counting(heart, x)
    beta = maximise(rows, "breslow")
    errors = np.sqrt(np.diag(np.linalg.inv(partial_likelihood(rows, beta, "breslow").information.sum(axis=0))))
    assert beta == pytest.approx([0.01386, -0.54652, 0.11572, 0.03473, -0.29037], abs=5e-6)
    assert errors == pytest.approx([0.01813, 0.61091, 0.32729, 0.02725, 0.75819], abs=5e-6)
    year = heart.assign(year_transplant=heart["year"] * heart["transplant"])
    beta = maximise(counting(heart, year[["year", "transplant", "year_transplant"]]), "breslow")
    assert beta == pytest.approx([-0.2652, -0.2871, 0.1371], abs=5e-5)


def test_immortal_time_makes_transplants_look_protective(heart: pd.DataFrame) -> None:
    """What Crowley and Hu's data are known for: whoever dies soon cannot be transplanted first."""
    fair = maximise(counting(heart, heart[["transplant"]]))[0]
    by_patient = heart.groupby("id").agg(start=("start", "min"), stop=("stop", "max"), event=("event", "max"),
                                         transplant=("transplant", "max"))  # fmt: skip
    ever = maximise(counting(by_patient, by_patient[["transplant"]]))[0]
    assert abs(fair) < 0.2
    assert ever < -1


def counting(table: pd.DataFrame, x: pd.DataFrame) -> RiskTime:
    start, stop = table["start"].to_numpy(dtype=float), table["stop"].to_numpy(dtype=float)
    return RiskTime(start, stop, table["event"].to_numpy(dtype=bool), x.to_numpy(dtype=float), np.ones(len(table)))


def test_cox_model_agrees_with_the_library_where_all_enter_at_zero(heart: pd.DataFrame) -> None:
    x = heart[["age", "year"]]
    rows = counting(heart.assign(start=0.0), x)
    for ties in ("efron", "breslow"):
        library = PHReg(rows.stop, rows.x, status=rows.event.astype(int), ties=ties).fit()
        beta = maximise(rows, ties)
        assert beta == pytest.approx(library.params, abs=1e-8)
        information = partial_likelihood(rows, beta, ties).information.sum(axis=0)
        assert np.sqrt(np.diag(np.linalg.inv(information))) == pytest.approx(library.bse, rel=1e-6)


# 6-mercaptopurine in acute leukaemia: Freireich et al. (1963), as analysed by Gehan (1965) and Cox (1972).
TREATED = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+"
PLACEBO = "1 1 2 2 3 4 4 5 5 8 8 8 8 11 11 12 12 15 17 22 23"


def test_leukaemia_remissions() -> None:
    """Kaplan–Meier of Kalbfleisch and Prentice (1980), table 1.2; coxph of MASS, `gehan`: 1.5721 (0.4124)."""
    remissions = pd.Series(f"{TREATED} {PLACEBO}".split())
    days, event = remissions.str.rstrip("+").astype(float), ~remissions.str.endswith("+")
    curve = kaplan_meier(days[:21], event[:21])
    for week, survival in {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}.items():
        assert 1 - curve.at(week)[0] == pytest.approx(survival, abs=5e-4)
    rows = at_risk(days.to_list(), event.astype(int).to_list(), [0.0] * 21 + [1.0] * 21)
    beta = maximise(rows)
    information = partial_likelihood(rows, beta).information.sum(axis=0)
    assert (beta[0], information[0, 0] ** -0.5) == pytest.approx((1.5721, 0.4124), abs=5e-5)


@pytest.fixture(scope="module")
def transplants() -> pd.DataFrame:
    """Bone marrow transplants: relapse (1) or death of the transplant (2). Scrucca, Santucci and Aversa (2010)."""
    return pd.read_csv(HERE / "bmtcrr.csv")


def test_cumulative_incidence_of_bone_marrow_transplants(transplants: pd.DataFrame) -> None:
    """``cuminc(ftime, Status, D)`` of cmprsk."""
    published = {
        "ALL": {20: (0.3713851, 0.3698630), 40: (0.3875571, 0.3860350)},
        "AML": {20: (0.2414530, 0.4439103), 40: (0.2663827, 0.4551473), 60: (0.2810390, 0.4551473)},
    }
    for disease, at in published.items():
        group = transplants[transplants["D"] == disease]
        relapse, death = cumulative_incidence(group["ftime"], group["Status"])
        for months, expected in at.items():
            assert (relapse.at(months)[0], death.at(months)[0]) == pytest.approx(expected, abs=5e-8)


def test_fine_gray_model_of_bone_marrow_transplants(transplants: pd.DataFrame) -> None:
    """Scrucca, Santucci and Aversa (2010), first model: age −0.0185, women −0.0352; ``crr`` of cmprsk for codes."""
    t = transplants
    dummies = [t["Age"], t["Sex"] == "F", t["D"] == "AML", *(t["Phase"] == p for p in ("CR1", "CR2", "CR3")),
               t["Source"] == "PB"]  # fmt: skip
    beta = fine_gray(t, np.column_stack(dummies).astype(float))
    assert beta[:2] == pytest.approx([-0.0185, -0.0352], abs=5e-5)
    codes = [t[name].astype("category").cat.codes for name in ("Sex", "D", "Phase")]
    beta = fine_gray(t, np.column_stack([*codes, t["Age"], t["Source"] == "PB"]).astype(float))
    assert beta == pytest.approx([0.0494, -0.4860, 0.4144, -0.0174, 0.9526], abs=5e-5)


def fine_gray(table: pd.DataFrame, x: np.ndarray) -> np.ndarray:
    rows, _ = subdistribution(table["ftime"].to_numpy(dtype=float), table["Status"].to_numpy(), x)
    return maximise(rows, "breslow")


def test_fine_gray_weights_are_those_of_finegray() -> None:
    """Test data set 1 of survival's tests/finegray.R."""
    days = np.array([1, 2, 3, 4, 4, 4, 5, 5, 6, 8, 8, 9, 10, 12.0])
    status = np.array([1, 2, 0, 1, 0, 0, 2, 1, 0, 0, 2, 0, 1, 0])
    rows, of = subdistribution(days, status, np.zeros((14, 1)))
    curve = dict(zip((3, 4, 6, 8, 9), np.cumprod([11 / 12, 8 / 10, 5 / 6, 3 / 4, 2 / 3]), strict=True))

    def weight(row: int, day: float) -> float:
        return float(rows.weight[(of == row) & (rows.start < day) & (day <= rows.stop)][0])

    for day, expected in {1: 1.0, 4: curve[3], 5: curve[4], 10: curve[9]}.items():
        assert weight(1, day) == pytest.approx(expected, abs=1e-12)
    assert weight(6, 10) == pytest.approx(5 / 12, abs=1e-12)
    assert weight(10, 10) == pytest.approx(1 / 2, abs=1e-12)
    assert (rows.weight[np.isin(of, np.flatnonzero(status != 2))] == 1).all()


def test_without_a_competing_event_the_fine_gray_model_is_the_cox_model() -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((60, 2))
    days, status = rng.integers(1, 30, 60).astype(float), rng.integers(0, 2, 60)
    rows, _ = subdistribution(days, status, x)
    cox = RiskTime(np.zeros(60), days, status == 1, x, np.ones(60))
    assert maximise(rows) == pytest.approx(maximise(cox), abs=1e-12)
