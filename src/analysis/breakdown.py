"""How often change came, by what the units are: the side-by-side tables that no model adjusts (notebook 04)."""

from __future__ import annotations

import pandas as pd

from analysis.models.descriptive import Description
from analysis.models.estimates import Estimate
from analysis.study.spec import Study


def breakdown(study: Study, table: pd.DataFrame, frame: pd.Series) -> list[Estimate]:
    """Describe every binary outcome by every categorical covariate, in each sampling frame apart.

    Parameters
    ----------
    table : the analysis table.
    frame : (units,) sampling frame of each unit, indexed by `unit_id`.

    Returns
    -------
    Estimates with model ``by_<covariate>[frame]`` and the levels as terms: share of the analysed units with the
    outcome, with Wilson intervals. Covariates that do not vary in a frame are left out there.
    """
    binary = [name for name, outcome in study.outcomes.items() if outcome.type == "binary"]
    analysed = table[(table["excluded"] == "") & table["outcome"].isin(binary)]
    rows: list[Estimate] = []
    for name in study.covariates:
        if pd.api.types.is_numeric_dtype(analysed[name]):
            continue
        for (sample, outcome), units in analysed.groupby([analysed["unit_id"].map(frame), "outcome"]):
            if units[name].nunique() < 2:
                continue
            described = Description(f"by_{name}[{sample}]", str(outcome), rows)
            for level, of_level in units.groupby(name):
                label = study.outcomes[str(outcome)].label
                described.share(str(level), of_level["value"] == 1, f"share of units: {label}")
    return rows
