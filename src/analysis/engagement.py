"""Process indicators: how much engagement was reported, and how well it is measured (notebook 02)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.models.descriptive import Description
from analysis.models.estimates import Estimate
from analysis.tables import VALUE_TYPES, checked


def engagement(process: pd.DataFrame) -> pd.DataFrame:
    """Add to every reported value whether and how precisely it is dated, and its order of magnitude.

    Parameters
    ----------
    process : (n, 11) canonical table.

    Returns
    -------
    (n, 14) table `ENGAGEMENT`: `uncertain_days` is 0 for a date of day precision; `magnitude` is log10, missing for 0.
    """
    return checked(
        process.assign(
            dated=process["start"].notna(),
            uncertain_days=(process["end"] - process["start"]).dt.days,
            magnitude=np.log10(process["value"].where(process["value"] > 0)),
        ),
        "engagement",
    )


def measurement(reported: pd.DataFrame, frame: pd.Series) -> list[Estimate]:
    """Describe by sampling frame and indicator how the values were reported.

    Indicators are different things, so nothing is added or averaged over them.

    Parameters
    ----------
    reported : table `ENGAGEMENT`.
    frame : (units,) name of each unit's sampling frame, indexed by `unit_id`.

    Returns
    -------
    Estimates with model `measurement[frame]`, outcome the indicator (`all` counts values only), terms `values`,
    `units`, `median`, `exact`, `rounded`, `lower_bound`, `dated`, `dated_to_day`. Shares have Wilson intervals.
    """
    rows: list[Estimate] = []
    for name, in_frame in reported.groupby(reported["unit_id"].map(frame)):
        for indicator, values in [("all", in_frame), *in_frame.groupby("indicator")]:
            described = Description(f"measurement[{name}]", str(indicator), rows)
            described.quantity("values", len(values), "values reported")
            described.quantity("units", values["unit_id"].nunique(), "units with a value")
            if indicator != "all":
                described.quantity("median", values["value"].median(), "median value")
            for value_type in VALUE_TYPES:
                described.share(value_type, values["value_type"] == value_type, f"share of values: {value_type}")
            described.share("dated", values["dated"], "share of values that are dated")
            described.share("dated_to_day", values["uncertain_days"] == 0, "share of values dated to the day")
    return rows
