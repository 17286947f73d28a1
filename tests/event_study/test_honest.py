"""Robust intervals equal those of R's HonestDiD on published examples; the dual's vertices, the linear program's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from analysis.models.fixed_effects import Effects
from analysis.models.honest import _vertices, relative_magnitudes, smoothness
from analysis.models.vcov import crv1, least_squares

HERE = Path(__file__).parent

# Benzarti and Carloni (2019), event study of profits, BCdata_EventStudy of R's HonestDiD: 4 leads, 4 later periods.
BETA = np.array([0.006696351804, 0.02934503369, -0.006472972222, 0.0730149895, 0.1959611177, 0.3120639026,
                 0.2395415455, 0.1260425001])  # fmt: skip
UPPER = """
8.428358124e-4 4.768686777e-4 2.618051076e-4 2.354220342e-4 1.676371467e-4 1.128707663e-4 1.992816215e-5 -1.368265366e-4
6.425420288e-4 3.987425007e-4 2.435515198e-4 2.201960306e-4 1.804591157e-4 3.84376508e-5 -2.960421989e-5
5.229949602e-4 2.11768609e-4 1.840722252e-4 1.45852784e-4 7.005197403e-5 5.952994979e-5
3.089541327e-4 1.197866077e-4 1.334081317e-4 1.016335009e-4 1.079051726e-4
3.59970436e-4 2.478818642e-4 1.749579242e-4 1.654256921e-4
4.263949813e-4 2.171437809e-4 2.892747871e-4
4.886697861e-4 3.805322049e-4
7.61739444e-4
"""
SIGMA = np.zeros((8, 8))
SIGMA[np.triu_indices(8)] = [float(number) for number in UPPER.split()]
SIGMA = SIGMA + np.triu(SIGMA, 1).T
FIRST = np.array([1.0, 0.0, 0.0, 0.0])


def medicaid(readme: bool) -> tuple[np.ndarray, np.ndarray]:
    """Event study of states that expanded in 2014, with the data and the samples of the two published examples."""
    wide = pd.read_csv(HERE / "medicaid.csv")
    wide = wide[wide["cohort"] != 2015] if readme else wide[wide["cohort"].isna() | (wide["cohort"] < 2015)]
    rows = wide.melt(["state", "cohort"], var_name="year", value_name="y").astype({"year": "int64"})
    rows = rows[rows["year"] < 2016].reset_index(drop=True)
    years = [year for year in range(2008, 2016) if year != 2013]
    exposed = np.column_stack([(rows["year"] == year) & (rows["cohort"] == 2014) for year in years]).astype("float64")
    effects = Effects.of(rows[["state", "year"]])
    columns = effects.remove(np.column_stack([rows["y"], exposed]))
    beta, fit = least_squares(columns[:, 0], columns[:, 1:], effects)
    return beta, crv1(fit, "state", pd.factorize(rows["state"], sort=True)[0]).matrix


# README of R's HonestDiD, and Mixtape-Sessions/Advanced-DID, Exercise 2: the effect in 2014.
SMOOTH = {
    (True, 0.0): (0.0259, 0.0607), (True, 0.01): (0.0132, 0.0787), (True, 0.03): (-0.00714, 0.101),
    (False, 0.0): (0.0262, 0.0583), (False, 0.01): (0.00724, 0.0649), (False, 0.02): (-0.00273, 0.0748),
}  # fmt: skip
RELATIVE = {
    (True, 0.5): (0.0240, 0.0672), (True, 1.0): (0.0170, 0.0720), (True, 1.5): (0.00824, 0.0797),
    (True, 2.0): (-0.000916, 0.0881),
    (False, 0.0): (0.0261, 0.0584), (False, 0.5): (0.0208, 0.0634), (False, 1.0): (0.0125, 0.0714),
    (False, 1.5): (0.00283, 0.0810), (False, 2.0): (-0.00782, 0.0917),
}  # fmt: skip


@pytest.mark.parametrize(("readme", "bound"), SMOOTH)
def test_smoothness_equals_the_published_intervals_of_medicaid(readme: bool, bound: float) -> None:
    beta, sigma = medicaid(readme)
    found = smoothness(beta, sigma, 5, np.array([1.0, 0.0]), bound)
    # Published with three digits.
    assert found == pytest.approx(SMOOTH[readme, bound], abs=0.0003 if max(found) > 0.1 else 0.00008)


@pytest.mark.parametrize(("readme", "bound"), RELATIVE)
def test_relative_magnitudes_equal_the_published_intervals_of_medicaid(readme: bool, bound: float) -> None:
    beta, sigma = medicaid(readme)
    grid = 40 * np.sqrt(sigma[5, 5]) / 999
    found = relative_magnitudes(beta, sigma, 5, np.array([1.0, 0.0]), bound)
    assert found == pytest.approx(RELATIVE[readme, bound], abs=grid)


def test_both_equal_r_with_four_later_periods() -> None:
    # createSensitivityResults of R's HonestDiD 0.2 for the first later period, normal theory; 1,000 grid points.
    for bound, expected in {0.0: (0.131411316, 0.2161696482), 0.1: (0.1194440001, 0.4185082143)}.items():
        assert smoothness(BETA, SIGMA, 4, FIRST, bound) == pytest.approx(expected, abs=1e-4)
    # R's interval ends on a grid, and its first critical value is from 1,000 draws.
    grid = 1.5 * 40 * np.sqrt(SIGMA[4, 4]) / 999
    expected_relative = {
        0.5: (0.11812948578, 0.27158386603), 1.0: (0.06723125075, 0.31868372531), 1.5: (0.01329431512, 0.36958196034),
    }  # fmt: skip
    for bound, expected in expected_relative.items():
        assert relative_magnitudes(BETA, SIGMA, 4, FIRST, bound) == pytest.approx(expected, abs=grid)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16), later=st.integers(2, 5), leads=st.integers(1, 4), bound=st.floats(0.1, 3),
    first=st.booleans(),
)  # fmt: skip
def test_the_vertices_give_the_value_of_the_linear_program(
    seed: int, later: int, leads: int, bound: float, first: bool
) -> None:
    rng = np.random.default_rng(seed)
    k = leads + later
    root = rng.normal(size=(k, k))
    sigma, beta = root @ root.T, rng.normal(size=k)
    weights = np.eye(later)[0] if first else np.full(later, 1 / later)
    changes = np.diff(np.insert(np.eye(k), leads, 0.0, axis=0), axis=0)
    theta = float(rng.normal())
    rows, effect = _vertices(changes[leads:], changes[0], sigma, weights, bound)
    # min eta over eta and the later effects tau with weights @ tau = theta, so that no inequality is more than eta
    # standard deviations off.
    moments = np.vstack([changes[leads:] - bound * changes[0], -changes[leads:] - bound * changes[0]])
    of_tau = np.vstack([changes[leads:, leads:], -changes[leads:, leads:]])
    spread = np.sqrt(np.einsum("ik,kl,il->i", moments, sigma, moments))
    solved = linprog(
        [1.0, *np.zeros(later)], A_ub=np.column_stack([-spread, -of_tau]), b_ub=-moments @ beta,
        A_eq=[[0.0, *weights]], b_eq=[theta], bounds=(None, None),
    )  # fmt: skip
    assert (rows @ beta + effect * theta).max() == pytest.approx(solved.fun, abs=1e-8)


@settings(max_examples=10, deadline=None)
@given(scale=st.floats(0.01, 100), bound=st.floats(0.1, 2))
def test_relative_intervals_scale_with_the_outcome_and_hold_those_of_lower_bounds(scale: float, bound: float) -> None:
    low, high = relative_magnitudes(BETA, SIGMA, 4, FIRST, bound)
    scaled = relative_magnitudes(scale * BETA, scale**2 * SIGMA, 4, FIRST, bound)
    assert scaled == pytest.approx((scale * low, scale * high), abs=1e-3 * scale)
    wider = relative_magnitudes(BETA, SIGMA, 4, FIRST, 1.2 * bound)
    assert wider[0] < low < high < wider[1]


def test_smooth_intervals_lengthen_with_the_bound_and_scale_with_the_outcome() -> None:
    found = [smoothness(BETA, SIGMA, 4, FIRST, bound) for bound in (0.0, 0.02, 0.1)]
    assert np.diff([high - low for low, high in found]).min() > 0
    assert smoothness(7 * BETA, 49 * SIGMA, 4, FIRST, 0.14) == pytest.approx([7 * end for end in found[1]], abs=2e-3)


def test_with_one_lead_and_one_later_period_too() -> None:
    low, high = relative_magnitudes(np.array([0.1, 1.0]), 0.01 * np.eye(2), 1, np.ones(1), 1.0)
    assert low < 1.0 < high
    assert smoothness(np.array([0.1, 1.0]), 0.01 * np.eye(2), 1, np.ones(1), 0.0)[0] < 1.1


@pytest.mark.parametrize("interval", [smoothness, relative_magnitudes], ids=lambda f: f.__name__)
def test_bad_input_is_refused(interval: object) -> None:
    for beta, sigma, n_pre, weights, bound, reason in [
        (BETA, SIGMA, 0, np.ones(8), 0.1, "not 0 leads, at least one"),
        (BETA, SIGMA, 4, np.ones(3), 0.1, "8 estimates are not 4 leads"),
        (BETA, SIGMA, 4, FIRST, -0.1, "below 0"),
        (BETA, np.ones((8, 8)), 4, FIRST, 0.1, "singular"),
    ]:
        with pytest.raises(ValueError, match=reason):
            interval(beta, sigma, n_pre, weights, bound)  # type: ignore[operator]
