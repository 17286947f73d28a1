"""Least squares, with and without fixed effects, has the numbers that were published for other software."""

from __future__ import annotations

import linearmodels.datasets.munnell as munnell
import numpy as np
import pandas as pd
import pytest
from nist_filip import CLASSICAL_ERRORS, COEFFICIENTS, X, Y
from regression_data import by_term, design, grunfeld, petersen

from analysis.models.linear import fitted, ols
from analysis.models.usable_rows import usable_rows
from analysis.models.vcov import crv1, least_squares, robust


def test_coefficients_and_errors_as_certified_by_nist_for_filip() -> None:
    # The hardest of NIST's linear problems: a polynomial of degree 10, condition number 1.8e15.
    powers = np.vander(X, 11, increasing=True)
    coefficients, fit = least_squares(np.array(Y), powers)
    assert coefficients.tolist() == pytest.approx(COEFFICIENTS, rel=1e-6)
    variance = fit.residuals @ fit.residuals / (82 - 11)
    assert np.sqrt(np.diag(fit.bread) * variance).tolist() == pytest.approx(CLASSICAL_ERRORS, rel=1e-6)
    rows = ols(design(Y, {f"x{k}": powers[:, k] for k in range(1, 11)}), "m", "y")
    assert [row.estimate for row in rows] == pytest.approx(COEFFICIENTS, rel=1e-6)


def test_two_way_fixed_effects_of_grunfeld_as_in_r() -> None:
    # Baltagi (2013), Econometric analysis of panel data, table 3.1 (two-way within): 0.118 and 0.358. R, fixest:
    # feols(inv ~ value + capital | firm + year, Grunfeld, cluster = ~firm) has the error 0.010824 for value.
    data = grunfeld().query("firm != 'American Steel'")
    effects = {"firm": data["firm"], "year": data["year"]}
    regressors = {"value": data["value"], "capital": data["capital"]}
    usable = usable_rows(design(data["invest"], regressors, absorb=effects))
    coefficients, fit, _ = fitted(usable)
    assert coefficients.tolist() == pytest.approx([0.118, 0.358], abs=5e-4)
    error = crv1(fit, "firm", pd.factorize(data["firm"])[0]).std_error[0]
    assert error == pytest.approx(0.010824, abs=5e-7)
    assert fit.parameters([pd.factorize(data["firm"])[0]]) == 2 + 20, "effects nested in clusters count once"


@pytest.mark.parametrize(("cluster", "published"), [("firm", (0.0670, 0.0506)), ("year", (0.0234, 0.0334))])
def test_clustered_errors_as_published_by_petersen(cluster: str, published: tuple[float, float]) -> None:
    # Petersen (2009), test data and results on his page, as quoted by statsmodels: errors of constant and slope.
    data = petersen()
    _, fit, _ = fitted(usable_rows(design(data["y"], {"x": data["x"]})))
    assert robust(fit, data[[cluster]]).std_error.tolist() == pytest.approx(published, abs=5e-5)


def test_two_way_clustered_errors_as_published_by_petersen() -> None:
    # As above, by firm and year: 0.0651 and 0.0536, with each variance's own factor G/(G - 1). Here, as in R's fixest,
    # all three have that of the fewer clusters, which is 10/9 of the 10 years; it is taken back for the comparison.
    data = petersen()
    coefficients, fit, _ = fitted(usable_rows(design(data["y"], {"x": data["x"]})))
    both = robust(fit, data[["firm", "year"]])
    firm, year = robust(fit, data[["firm"]]).matrix, robust(fit, data[["year"]]).matrix
    cells = firm * 499 / 500 + year * 9 / 10 - both.matrix * 9 / 10
    own = firm + year - cells * 5000 / 4999
    assert np.sqrt(np.diag(own)).tolist() == pytest.approx([0.0651, 0.0536], abs=5e-5)
    assert (both.name, both.n_clusters, both.df.tolist()) == ("CRV1(firm, year)", 10, [9, 9])
    assert both.notes == ("clusters are few (10 of year): intervals may be too narrow",)
    assert coefficients.tolist() == pytest.approx([0.0297, 1.0348], abs=5e-5)


def test_bias_reduced_errors_as_published_by_clubsandwich() -> None:
    # clubSandwich 0.5.8, reference page of vcovCR.plm: vcovCR(plm_FE, type = "CR2") of the productivity of 48 states.
    data = munnell.load()
    published = {"pcap": 3.900840e-03, "pc": 4.177767e-03, "emp": 0.0073152051, "unemp": 6.745842e-06}
    regressors = {
        "pcap": np.log(data["P_CAP"]), "pc": np.log(data["PC"]), "emp": np.log(data["EMP"]), "unemp": data["UNEMP"]
    }  # fmt: skip
    state = {"state": data["STATE"]}
    rows = by_term(ols(design(np.log(data["GSP"]), regressors, state, absorb=state), "m", "y"))
    assert {t: rows[t].std_error ** 2 for t in published} == pytest.approx(published, rel=2e-7)
    assert rows["pcap"].vcov == "CR2+Satterthwaite(state), 48 clusters"
