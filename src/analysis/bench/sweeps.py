"""How much faster batched estimation is than one regression at a time, with the same numbers.

The slow way is timed on a few regressions and extrapolated.
"""

from __future__ import annotations

from itertools import combinations
from time import perf_counter

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf

from analysis.bench.ratio import Ratio
from analysis.models.batched import fit_exposures, fit_subsets, one_thread
from analysis.robustness.permutation import permutations

ROWS, CLUSTERS, COVARIATES = 1_000, 50, 14
FITS = 10_000
SLOW_FITS = 20


def specifications(seed: int = 1) -> Ratio:
    """Time 10,000 specifications with clustered errors against a loop over statsmodels formulas."""
    table, x, y, clusters = _data(seed)
    names = list(table.columns[2:-1])
    every = [s for size in range(COVARIATES + 1) for s in combinations(range(1, COVARIATES + 1), size)][:FITS]
    subsets = np.array([np.isin(np.arange(COVARIATES + 1), (0, *some)) for some in every])
    with one_thread():
        start = perf_counter()
        fits = fit_subsets(x, y, subsets, 0, clusters)
        seconds = perf_counter() - start
    chosen = np.linspace(0, FITS - 1, SLOW_FITS).astype(int)
    slow = np.empty((SLOW_FITS, 2))
    start = perf_counter()
    for position, i in enumerate(chosen):
        formula = " + ".join(["y ~ exposure", *(names[j - 1] for j in every[i])])
        fit = smf.ols(formula, table).fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
        slow[position] = fit.params["exposure"], fit.bse["exposure"]
    slow_seconds = (perf_counter() - start) * FITS / SLOW_FITS
    fast = np.column_stack([fits.estimate, fits.std_error])[chosen]
    what = "10,000 specifications with clustered errors"
    return Ratio(what, "statsmodels formulas, one by one", "s", seconds, slow_seconds, _difference(fast, slow), 1 / 50)


def randomisations(seed: int = 1) -> Ratio:
    """Time 10,000 permutations of an exposure, drawing included, against refitting by statsmodels formulas."""
    table, x, y, clusters = _data(seed)
    covariates = x[:, 1:8]
    estimates, errors = [], []
    first = None
    with one_thread():
        start = perf_counter()
        for block in permutations(np.random.default_rng(seed), np.zeros(ROWS, int), np.arange(ROWS), FITS):
            first = block if first is None else first
            fits = fit_exposures(x[:, 0][block], y, covariates, clusters)
            estimates.append(fits.estimate)
            errors.append(fits.std_error)
        seconds = perf_counter() - start
    assert first is not None  # noqa: S101
    formula = " + ".join(["y ~ exposure", *table.columns[2:9]])
    slow = np.empty((SLOW_FITS, 2))
    start = perf_counter()
    for i in range(SLOW_FITS):
        permuted = table.assign(exposure=x[:, 0][first[:, i]])
        fit = smf.ols(formula, permuted).fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
        slow[i] = fit.params["exposure"], fit.bse["exposure"]
    slow_seconds = (perf_counter() - start) * FITS / SLOW_FITS
    fast = np.column_stack([np.concatenate(estimates), np.concatenate(errors)])[:SLOW_FITS]
    return Ratio("10,000 permutations", "refitting each", "s", seconds, slow_seconds, _difference(fast, slow), 1 / 30)


def _data(seed: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    clusters = rng.integers(CLUSTERS, size=ROWS)
    x = rng.normal(size=(ROWS, COVARIATES + 1)) + rng.normal(size=(CLUSTERS, 1))[clusters]
    y = (rng.random(ROWS) < 0.5 + 0.1 * np.tanh(x[:, 0])).astype(float)
    columns = ["exposure", *(f"covariate_{i}" for i in range(1, COVARIATES + 1))]
    table = pd.DataFrame(x, columns=columns)
    table.insert(0, "y", y)
    return table.assign(cluster=clusters), x, y, clusters.astype(np.intp)


def _difference(fast: np.ndarray, slow: np.ndarray) -> float:
    return float(np.abs(fast / slow - 1).max())
