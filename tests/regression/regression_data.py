"""Designs made by hand, and the data sets of other packages that published numbers are about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm

from analysis.models.design_matrix import DesignMatrix
from analysis.models.estimates import Estimate


def design(y: Any, x: dict[str, Any], clusters: dict[str, Any] | None = None, **parts: Any) -> DesignMatrix:
    """A design matrix; `absorb`, `errors` and `instruments` are dicts of columns, and effects leave no intercept."""
    absorb = parts.pop("absorb", None)
    columns = pd.DataFrame(x if absorb else {"Intercept": 1.0, **x}).astype("float64")
    frames = {name: pd.DataFrame(parts.pop(name)) for name in ("errors", "instruments") if name in parts}
    weights = parts.pop("weights", None)
    return DesignMatrix(
        pd.Series(np.asarray(y, dtype="float64"), name="y"),
        columns.reset_index(drop=True),
        None if clusters is None else pd.DataFrame(clusters).astype("str"),
        parts.pop("n_units", len(columns)),
        parts.pop("note", ""),
        absorb=None if absorb is None else pd.DataFrame({k: pd.factorize(v)[0] for k, v in absorb.items()}),
        weights=None if weights is None else pd.Series(np.asarray(weights, dtype="float64"), name="size"),
        **frames,
        **parts,
    )


def by_term(rows: list[Estimate]) -> dict[str, Estimate]:
    return {row.term: row for row in rows}


def grunfeld() -> pd.DataFrame:
    """Grunfeld's investment data: 11 firms in 20 years."""
    return sm.datasets.grunfeld.load_pandas().data


def petersen() -> pd.DataFrame:
    """Petersen's simulated test data: 500 firms in 10 years."""
    path = Path(sm.__file__).parent / "stats/tests/test_data.txt"
    return pd.read_csv(path, sep=r"\s+", header=None, names=["firm", "year", "x", "y"])


def panel(seed: int = 1, units: int = 60, periods: int = 8, lost: float = 0.2) -> pd.DataFrame:
    """An unbalanced panel; effects of units and periods go with a and b, whose own are 0.5 and -1."""
    random = np.random.default_rng(seed)
    cells = pd.MultiIndex.from_product([range(units), range(periods)], names=["unit", "period"])
    table = cells.to_frame(index=False)
    table = table[random.random(len(table)) > lost].reset_index(drop=True)
    n = len(table)
    of_unit, of_period = random.normal(size=units), random.normal(size=periods)
    table["a"] = random.normal(size=n) + of_unit[table["unit"]]
    table["b"] = random.normal(size=n) + of_period[table["period"]]
    shared = random.normal(size=units)[table["unit"]] * random.normal(size=n)
    effects = of_unit[table["unit"]] + of_period[table["period"]]
    table["y"] = 0.5 * table["a"] - table["b"] + effects + 0.5 * shared + random.normal(size=n)
    table["count"] = random.poisson(np.exp(0.3 * table["a"] - 0.2 * table["b"] + 0.5 * of_unit[table["unit"]] - 1))
    table["size"] = random.uniform(0.5, 2, size=n)
    table["region"] = table["unit"] % 5
    return table


def dummies(table: pd.DataFrame, effects: list[str]) -> np.ndarray:
    """All levels of the first effect, and all but the first of each other."""
    parts = [pd.get_dummies(table[effect], dtype="float64", drop_first=i > 0) for i, effect in enumerate(effects)]
    return np.column_stack([part.to_numpy() for part in parts])
