"""How fast fixed effects and the wild bootstrap are, beside the field's libraries and with the same numbers.

The wild bootstrap's library is installed for tests only. Peak memory is that of a process that fits and nothing else.
"""

from __future__ import annotations

import json
import subprocess
import sys
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from analysis.bench.ratio import Ratio
from analysis.models.batched import one_thread
from analysis.models.design_matrix import DesignMatrix
from analysis.models.wild import wild_bootstrap

ROWS, UNITS, PERIODS = 10_000_000, 500_000, 200
DRAWS, CLUSTERS, OBSERVATIONS = 9_999, 50, 1_000


def fixed_effects(rows: int = ROWS) -> list[Ratio]:
    """Time a regression with two-way fixed effects and clustered errors against pyfixest, each in its own process."""
    ours, theirs = (_alone(way, rows) for way in ("ours", "theirs"))
    pairs = zip(ours["numbers"], theirs["numbers"], strict=True)
    difference = max(abs(a / b - 1) for a, b in pairs)
    name = f"two-way fixed effects, {rows:,} rows"
    return [
        Ratio(f"{name}: time", "pyfixest", "s", ours["seconds"], theirs["seconds"], difference, 1.1),
        Ratio(f"{name}: peak memory", "pyfixest", "GB", ours["gigabytes"], theirs["gigabytes"], difference, 1.1),
    ]


def bootstrap(seed: int = 1) -> Ratio:
    """Time 9,999 draws of the wild cluster bootstrap against wildboottest, after it has compiled itself."""
    from wildboottest.wildboottest import WildboottestCL  # type: ignore[import-untyped]

    rng = np.random.default_rng(seed)
    codes = rng.integers(CLUSTERS, size=OBSERVATIONS).astype(np.intp)
    x = np.column_stack(
        [np.ones(OBSERVATIONS), rng.normal(size=(OBSERVATIONS, 3)) + rng.normal(size=(CLUSTERS, 3))[codes]]
    )
    y = rng.normal(size=OBSERVATIONS) + rng.normal(size=CLUSTERS)[codes]
    slow = np.inf
    for _ in range(2):
        start = perf_counter()
        library = WildboottestCL(X=x, Y=y, cluster=codes, R=np.array([0.0, 1, 0, 0]), B=DRAWS, seed=seed)
        library.get_scores(bootstrap_type="11", impose_null=True)
        library.get_weights(weights_type="rademacher")
        for step in ("numer", "denom", "tboot", "vcov", "tstat"):
            getattr(library, f"get_{step}")()
        library.get_pvalue(pval_type="two-tailed")
        slow = min(slow, perf_counter() - start)
    with one_thread():
        start = perf_counter()
        basis = np.linalg.qr(x[:, [0, 2, 3]])[0]

        def remove(columns: np.ndarray) -> np.ndarray:
            return np.asarray(columns - basis @ (basis.T @ columns))

        prepared = wild_bootstrap(remove(x[:, 1]), remove(y), remove, codes, DRAWS, seed)
        p_value = prepared.p_value()
        seconds = perf_counter() - start
    name = f"wild cluster bootstrap, {DRAWS:,} draws, {CLUSTERS} clusters"
    return Ratio(name, "wildboottest", "s", seconds, slow, abs(p_value / float(library.pvalue) - 1), 0.2)


def _alone(way: str, rows: int) -> dict[str, Any]:
    ran = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "analysis.bench.estimators", way, str(rows)], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def _fit(way: str, rows: int) -> None:
    """Fit once in this process and write seconds, peak memory and numbers."""
    import resource

    rng = np.random.default_rng(1)
    unit, period = rng.integers(UNITS * rows // ROWS, size=rows), rng.integers(PERIODS, size=rows)
    table = pd.DataFrame({"a": rng.normal(size=rows) + period / PERIODS, "b": rng.normal(size=rows)})
    table["y"] = table["a"] - table["b"] + rng.normal(size=rows)
    table["unit"], table["period"] = unit, period
    if way == "ours":
        from analysis.models.linear import ols

        start = perf_counter()
        design = DesignMatrix(
            table["y"], table[["a", "b"]], table[["unit"]], UNITS, "", absorb=table[["unit", "period"]]
        )
        fitted = ols(design, "bench", "y")
        numbers = [row.estimate for row in fitted] + [row.std_error for row in fitted]
    else:
        import pyfixest

        start = perf_counter()
        fit = pyfixest.feols("y ~ a + b | unit + period", table, vcov={"CRV1": "unit"})
        numbers = [*fit.coef(), *fit.se()]
    seconds = perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds, "gigabytes": peak, "numbers": list(map(float, numbers))}))


if __name__ == "__main__":
    _fit(sys.argv[1], int(sys.argv[2]))
