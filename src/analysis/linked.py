"""Everything that notebook 04 describes once exposures and outcomes are side by side."""

from __future__ import annotations

import pandas as pd

from analysis.breakdown import breakdown
from analysis.models.estimates import Estimate
from analysis.study.spec import Study
from analysis.threats import delay, interference
from analysis.timing import counts_follow_success, exposed, sample_flow


def describe_link(
    study: Study,
    units: pd.DataFrame,
    reported: pd.DataFrame,
    changed: pd.DataFrame,
    table: pd.DataFrame,
    frame: pd.Series,
) -> list[Estimate]:
    """Describe the sample flow, who was exposed, delays, interference, and whether counts follow success.

    Where units are observed over time, every exposure is dated before its period by construction, and the shares by
    what the units are would count the same unit many times: both are left out.

    Parameters
    ----------
    units, reported, changed, table : tables `units`, `ENGAGEMENT`, `CHANGE` and the analysis table.
    frame : (units,) sampling frame of each unit, indexed by `unit_id`.

    Returns
    -------
    Estimates with design `descriptive`; see the functions that they come from.
    """
    rows = [*sample_flow(table, frame), *exposed(study, table, frame)]
    rows += [*delay(study, reported, changed, frame), *interference(study, units, table, frame)]
    if study.unit.grain is None:
        first = changed[changed["outcome"] == next(iter(study.outcomes))]
        rows += [*counts_follow_success(reported, first, frame), *breakdown(study, table, frame)]
    return rows
