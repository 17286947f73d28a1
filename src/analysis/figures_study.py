"""Which figures a study's grain, indicators and designs call for (notebooks 02 to 05)."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures import engagement_figure, time_to_change_figure, timing_figure
from analysis.figures_lead_lag import lead_lag_figures
from analysis.figures_panel import course_figure, coverage_figure, levels_figure
from analysis.study.spec import Study


def engagement_figures(reported: pd.DataFrame, study: Study, frame: pd.Series) -> dict[str, Figure]:
    """Draw counts on a log scale, and levels in standard deviations; what the study does not have is left out.

    Parameters
    ----------
    reported : table `ENGAGEMENT`.
    frame : (units,) sampling frame of each unit, indexed by `unit_id`.
    """
    level = reported["counting"] == "level"
    figures = {}
    if not level.all():
        figures["engagement"] = engagement_figure(reported[~level], frame)
    if level.any():
        figures["levels"] = levels_figure(reported[level], study)
    return figures


def change_figure(changed: pd.DataFrame, study: Study, frame: pd.Series) -> Figure:
    """Draw time to the first outcome's first event or, where units are observed over time, every outcome's course.

    Parameters
    ----------
    changed : table `CHANGE`.
    """
    if study.unit.grain is not None:
        return course_figure(changed, study)
    return time_to_change_figure(changed[changed["outcome"] == next(iter(study.outcomes))], frame)


def order_figure(
    reported: pd.DataFrame, changed: pd.DataFrame, table: pd.DataFrame, study: Study, frame: pd.Series
) -> Figure:
    """Draw how long before or after the first change values are dated or, over time, what is known before each period.

    Parameters
    ----------
    reported, changed, table : tables `ENGAGEMENT` and `CHANGE`, and the analysis table.
    """
    if study.unit.grain is not None:
        return coverage_figure(table, study)
    return timing_figure(reported, changed[changed["outcome"] == next(iter(study.outcomes))], frame)


def design_figures(estimates: pd.DataFrame, study: Study) -> dict[str, Figure]:
    """Draw what the designs that a study uses call for beyond their coefficients; nothing where none does.

    Parameters
    ----------
    estimates : of the study's regressions.
    """
    return lead_lag_figures(estimates, study)
