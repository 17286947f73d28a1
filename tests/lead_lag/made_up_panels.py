"""Panels whose vector autoregression is known, and studies that fit it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.study.spec import Model

Floats = NDArray[np.float64]

PUBLIC_LEADS = np.array([[0.5, 0.3], [0.0, 0.6]])
"""Series 0 follows series 1 with 0.3; series 1 does not follow series 0."""


def simulated(units: int, periods: int, coefficients: Floats, seed: int, burn: int = 50) -> Floats:
    """Simulate a stationary first-order system with unit means, (units, periods, k)."""
    rng = np.random.default_rng(seed)
    k = len(coefficients)
    mean = rng.normal(size=(units, k))
    value = np.zeros((units, k))
    path = []
    for _ in range(burn + periods):
        value = value @ coefficients.T + rng.normal(size=(units, k))
        path.append(mean + value)
    return np.stack(path[burn:], axis=1)


def rows_of(values: Floats, names: tuple[str, ...] = ("legislators", "public")) -> pd.DataFrame:
    """Write a panel as rows of an analysis table, one a unit and day."""
    units, periods, _ = values.shape
    days = pd.date_range("2013-01-01", periods=periods).strftime("%Y-%m-%d")
    index = pd.MultiIndex.from_product([[f"u{i:03d}" for i in range(units)], days], names=["unit_id", "period"])
    table = pd.DataFrame(values.reshape(-1, len(names)), index=index, columns=[f"{name}_naive" for name in names])
    return table.reset_index().assign(excluded="")


def model(**block: object) -> Model:
    """Declare a model of two series; keys other than `cluster` and `absorb` go into its block."""
    pairs = ["public>legislators", "legislators>public"]
    given: dict[str, object] = {"lags": 1, "compared_lags": 3, "horizon": 5, "draws": 99, "pairs": pairs}
    given |= {"contrasts": {"public_leads": pairs}} | block
    outside = {"absorb": given.pop("absorb", ["unit_id"]), "cluster": given.pop("cluster", ["unit_id"])}
    formula = "attention ~ legislators + public"
    return Model.model_validate(
        {"label": "made up", "design": "lead_lag", "formula": formula, "lead_lag": given, **outside}
    )
