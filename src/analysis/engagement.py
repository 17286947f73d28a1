"""Process indicators: how much engagement was reported, and how well it is measured (notebook 02)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.models.descriptive import Description
from analysis.models.estimates import Estimate
from analysis.tables import VALUE_TYPES, checked

ROUND = 1000
"""A count of at least so many that is a multiple of it was probably rounded."""
FEWEST_PER_UNIT = 5
"""With fewer values per unit, on average, what varies within units is not told from error."""


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
    `units`, `unreported` (share of units without a value), `median`, `exact`, `rounded`, `lower_bound`, `dated`,
    `dated_to_day`; `heaped` where there are counts called exact, and `reliability` and `reliability_within` where the
    standard errors of values are known. Shares have Wilson intervals.
    """
    rows: list[Estimate] = []
    for name, in_frame in reported.groupby(reported["unit_id"].map(frame)):
        of_frame = frame.index[frame == name]
        for indicator, values in [("all", in_frame), *in_frame.groupby("indicator")]:
            described = Description(f"measurement[{name}]", str(indicator), rows)
            described.quantity("values", len(values), "values reported")
            units = values["unit_id"].unique()
            described.quantity("units", len(units), "units with a value")
            described.share("unreported", pd.Series(~of_frame.isin(units)), "share of units without a value")
            if indicator != "all":
                described.quantity("median", values["value"].median(), "median value")
            for value_type in VALUE_TYPES:
                described.share(value_type, values["value_type"] == value_type, f"share of values: {value_type}")
            described.share("dated", values["dated"], "share of values that are dated")
            described.share("dated_to_day", values["uncertain_days"] == 0, "share of values dated to the day")
            if indicator != "all":
                _heaped(described, values)
                _reliability(described, values)
    return rows


def _heaped(described: Description, values: pd.DataFrame) -> None:
    """Say how many counts that are called exact end in three zeros, as one in a thousand would by chance.

    References
    ----------
    Myers (1940), Errors and bias in the reporting of ages in census data, on the preference for round numbers.
    """
    counts = values[(values["value_type"] == "exact") & (values["counting"] != "level") & (values["value"] >= ROUND)]
    if len(counts):
        estimand = "share of the values of a thousand and more, called exact, that are whole thousands"
        described.share("heaped", counts["value"] % ROUND == 0, estimand)


def _reliability(described: Description, values: pd.DataFrame) -> None:
    """Say which share of the variance of the values is not error of measurement, where their errors are known.

    References
    ----------
    Fuller (1987), Measurement Error Models, sec. 1.1 (the reliability ratio).
    """
    known = values.dropna(subset=["std_error"])
    error = float((known["std_error"] ** 2).mean())
    n, units = len(known), known["unit_id"].nunique()
    if n > 1 and (known["value"] != known["value"].iloc[0]).any():
        estimand = "share of the variance of the values that is not error of their measurement"
        described.quantity("reliability", 1 - error / float(known["value"].var()), estimand, n)
    within = known["value"] - known.groupby("unit_id")["value"].transform("mean")
    if n >= FEWEST_PER_UNIT * units and (within.abs() > 0).any():
        estimand = "share of their variance within units that is not error, were errors independent over time"
        described.quantity("reliability_within", 1 - error * (n - units) / float((within**2).sum()), estimand, n)
