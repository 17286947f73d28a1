"""Every figure, in one style: the title states the finding, labels stand at the data, intervals and n are shown."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from statsmodels.duration.survfunc import SurvfuncRight

from analysis.tables import STAGES, VALUE_TYPES
from analysis.timing import timing

INK, GREY, RULE = "#1f2933", "#7b8794", "#cbd2d9"
BLUE, ORANGE, GREEN, PURPLE, SKY = "#0072b2", "#d55e00", "#009e73", "#aa4499", "#56b4e9"
"""Colours of Okabe and Ito (2008) and Tol (2021), told apart with any colour vision."""

MOST_POINTS = 800
"""A scatter plot shows at most so many points in a panel."""

STYLE: dict[str, Any] = {
    "svg.hashsalt": "clicks-to-change",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.constrained_layout.use": True,
}

THEME = {
    **sns.plotting_context("paper"),
    **sns.axes_style("ticks"),
    "axes.prop_cycle": mpl.rcsetup.cycler(color=sns.color_palette("deep")),
    "patch.facecolor": sns.color_palette("deep")[0],
    **STYLE,
}
"""What every figure is drawn with. Set anew for each, as whatever else is imported may have changed it."""


def canvas(rows: int = 1, columns: int = 1, height: float = 3.6, **options: object) -> tuple[Figure, np.ndarray]:
    """Make a figure in the project's style, 7.2 inches wide.

    Returns
    -------
    The figure, and its (rows, columns) axes.
    """
    mpl.rcParams.update(THEME)
    figure, axes = plt.subplots(rows, columns, figsize=(7.2, height), squeeze=False, **options)  # type: ignore[call-overload]
    plt.close(figure)
    return figure, axes


def tell(figure: Figure, finding: str, alt: str) -> Figure:
    """Give a figure its finding as title, and a description for those who cannot see it."""
    figure.suptitle(textwrap.fill(finding, 66), x=0.01, ha="left", fontsize=12, fontweight="bold")
    figure.set_label(finding + "\n" + " ".join(alt.split()))
    return figure


def write_svg(figure: Figure, path: Path, source: str) -> None:
    """Store a figure as SVG with its finding, its description for those who cannot see it, and where it was made.

    Parameters
    ----------
    source : name of the notebook.
    """
    finding, alt = str(figure.get_label()).split("\n", 1)
    about = {"Title": finding, "Description": alt, "Source": source, "Date": None, "Creator": None}
    with mpl.rc_context(THEME):
        figure.savefig(path, format="svg", metadata=about)


def engagement_figure(reported: pd.DataFrame, frame: pd.Series) -> Figure:
    """Draw every reported value by indicator, one panel per sampling frame.

    Parameters
    ----------
    reported : table `ENGAGEMENT`.
    frame : (units,) sampling frame of each unit, indexed by `unit_id`.
    """
    data = reported.assign(frame=reported["unit_id"].map(frame)).dropna(subset="magnitude")
    order = list(data.groupby("indicator")["magnitude"].median().sort_values().index)
    frames = sorted(data["frame"].unique())
    figure, axes = canvas(1, len(frames), 0.42 * len(order) + 1.8, sharex=True, sharey=True)
    for axis, name in zip(axes[0], frames, strict=True):
        inside = data[data["frame"] == name]
        shown, note = _some(inside)
        heights = shown["indicator"].map(order.index) + np.random.default_rng(1).uniform(-0.28, 0.28, len(shown))
        for value_type, colour in zip(VALUE_TYPES, (BLUE, ORANGE, GREY), strict=True):
            rows = shown["value_type"] == value_type
            axis.scatter(shown.loc[rows, "value"], heights[rows], s=12, color=colour, alpha=0.6, lw=0)
        axis.set(xscale="log", title=f"{name} (n = {len(inside):,}{note})", xlabel="reported value (log scale)")
        axis.set_yticks(range(len(order)), order)
        for i, indicator in enumerate(order):
            place = (1.0, i)
            count = f"{(inside['indicator'] == indicator).sum():,}"
            axis.annotate(count, place, xycoords=("axes fraction", "data"), color=GREY, ha="right", va="center")
    kinds = [f"{kind.replace('_', ' ')} ({(data['value_type'] == kind).sum():,})" for kind in VALUE_TYPES]
    dots = [mpl.lines.Line2D([], [], color=c, marker="o", ms=4, lw=0) for c in (BLUE, ORANGE, GREY)]
    figure.legend(dots, kinds, frameon=False, fontsize=9, loc="outside lower center", ncols=3, handletextpad=0.1)
    share = (data["value_type"] == "lower_bound").mean()
    most = data["indicator"].value_counts().index[0]
    finding = f"{share:.0%} of the reported values are lower bounds; {most} are reported most often"
    alt = f"Strip plot of {len(data):,} reported values by indicator and sampling frame on a log scale."
    return tell(figure, finding, alt)


def _some(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Take a fixed random sample where there are more points than an eye can tell apart, and say so."""
    if len(rows) <= MOST_POINTS:
        return rows, ""
    return rows.sample(MOST_POINTS, random_state=1), f"; {MOST_POINTS:,} drawn at random"


def ladder_figure(described: pd.DataFrame) -> Figure:
    """Draw the share of followed units by the highest rung they reached, per sampling frame.

    Parameters
    ----------
    described : estimates with models `ladder[frame]`.
    """
    models = [m for m in described["model"].unique() if m.startswith("ladder[")]
    figure, axes = canvas(1, len(models), 3.4, sharex=True, sharey=True)
    for axis, model in zip(axes[0], models, strict=True):
        rows = described[described["model"] == model].set_index("term")
        rungs = rows.loc[[f"highest_{stage}" for stage in range(6)]]
        colours = [RULE, SKY, SKY, SKY, BLUE, BLUE]
        axis.barh(range(6), rungs["estimate"], color=colours, height=0.7)
        low, high = rungs["estimate"] - rungs["ci_low"], rungs["ci_high"] - rungs["estimate"]
        axis.errorbar(rungs["estimate"], range(6), xerr=[low, high], fmt="none", ecolor=INK, elinewidth=0.8)
        measured = rows["estimate"].reindex([f"measured_{stage}" for stage in range(6)])
        if measured.notna().any():
            axis.scatter(measured, range(6), marker="D", s=30, facecolor="none", edgecolor=ORANGE, zorder=4)
        axis.set_yticks(range(6), ["0 nothing observed", *(f"{stage} {label}" for stage, label in STAGES.items())])
        axis.xaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=0))
        followed = int(rungs["n_obs"].iloc[0])
        missing = int(rows.loc["units", "estimate"]) - followed
        name = model.removeprefix("ladder[").removesuffix("]")
        axis.set(
            title=f"{name}: n = {followed:,}\n({missing:,} not followed)",
            xlabel="share of followed units, 95% interval",
        )
    tops = described[described["term"].isin(["highest_4", "highest_5"])].groupby("model")["estimate"].sum()
    told = ", ".join(f"{tops[m]:.0%} in {m.removeprefix('ladder[').removesuffix(']')}" for m in models)
    finding = f"Policy or behaviour moved towards the demand: {told}" if len(models) > 1 else (
        f"Policy or behaviour moved towards the demand for {tops.iloc[0]:.0%} of the followed units"
    )  # fmt: skip
    levels = described[described["term"].str.startswith("measured_")]
    if len(levels):
        rungs_measured = sorted({int(term[-1]) for term in levels["term"]})
        named = " and ".join(f"{stage}, {STAGES[stage]}" for stage in rungs_measured)
        axes[0, 0].annotate("measured as a level", (1, 1.02), xycoords="axes fraction", color=ORANGE, ha="right")
        if not described["term"].str.fullmatch("stage_[1-5]").mul(described["estimate"].fillna(0)).any():
            finding = f"No events are coded: what is measured are levels of stage {named}"
    alt = f"Bars: share of followed units by highest rung of the outcome ladder, for {told}."
    return tell(figure, finding, alt + (" Diamonds: share of units with a measured level." if len(levels) else ""))


def time_to_change_figure(changed: pd.DataFrame, frame: pd.Series) -> Figure:
    """Draw the share of units without an event by time since launch, as a band between the dates' extremes.

    Curves end with the last day on which a unit was observed.

    Parameters
    ----------
    changed : rows of table `CHANGE` of one outcome.
    frame : (units,) sampling frame of each unit, indexed by `unit_id`.
    """
    data = changed.dropna(subset=["min_days", "max_days"])
    data = data.assign(frame=data["unit_id"].map(frame))
    figure, axes = canvas(1, 1, 3.8)
    axis: Axes = axes[0, 0]
    grid = np.arange(0, 366 * 5 + 1)
    halves, followed = [], []
    for (name, rows), colour in zip(data.groupby("frame"), (BLUE, ORANGE, GREEN, PURPLE), strict=False):
        early, late = (_survival(rows[bound], rows["event"], grid) for bound in ("min_days", "max_days"))
        days = corners(early, late)
        axis.fill_between(grid[days] / 365.25, early[days], late[days], step="post", color=colour, alpha=0.35, lw=0)
        for curve in (early, late):
            axis.step(grid[days] / 365.25, curve[days], where="post", color=colour, lw=0.7)
        last = int(np.flatnonzero(np.isfinite(early) & np.isfinite(late))[-1])
        end = (grid[last] / 365.25 + 0.05, (early[last] + late[last]) / 2)
        axis.annotate(f"{name} (n = {len(rows):,})", end, color=colour, va="center", annotation_clip=False)
        followed.append(last)
        shares = list(dict.fromkeys(f"{1 - curve[min(365, last)]:.0%}" for curve in (late, early)))
        halves.append(f"{' to '.join(shares)} of {name}")
    axis.set(xlim=(0, 5), ylim=(0, 1), xlabel="years since launch", ylabel="share without an event (Kaplan–Meier)")
    axis.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=0))
    when = "within a year of launch" if min(followed) >= 364 else "while they were observed"
    finding = f"A first change came {when} for {' and '.join(halves)}"
    alt = "Kaplan–Meier curves by sampling frame; each band lies between the earliest and latest possible dates."
    return tell(figure, finding, alt)


def corners(*steps: np.ndarray) -> np.ndarray:
    """Return the positions on both sides of every step, so that a drawing holds no point more than it needs.

    Parameters
    ----------
    steps : (n,) values of step functions on one grid; missing values are steps like others.
    """
    moves = np.any([~np.isclose(step[1:], step[:-1], rtol=0, atol=1e-12, equal_nan=True) for step in steps], axis=0)
    ends = [True]
    return np.flatnonzero(np.concatenate([ends, moves]) | np.concatenate([moves, ends]))


def _survival(days: pd.Series, event: pd.Series, grid: np.ndarray) -> np.ndarray:
    curve = SurvfuncRight(days.to_numpy(), event.to_numpy().astype(int))
    steps = np.concatenate([[1.0], curve.surv_prob])
    return np.where(grid <= days.max(), steps[np.searchsorted(curve.surv_times, grid, side="right")], np.nan)


def timing_figure(reported: pd.DataFrame, first_change: pd.DataFrame, frame: pd.Series) -> Figure:
    """Draw, for each reported value of an improved unit, how long before or after the improvement it is dated.

    Parameters
    ----------
    reported : table `ENGAGEMENT`.
    first_change : rows of table `CHANGE` of one outcome.
    frame : (units,) sampling frame of each unit, indexed by `unit_id`.
    """
    ordered = timing(reported, first_change).assign(frame=lambda t: t["unit_id"].map(frame))
    shown = ordered.dropna(subset="days_after")
    frames = sorted(ordered["frame"].unique())
    figure, axes = canvas(len(frames), 1, 1.5 * len(frames) + 1.2, sharex=True)
    shares = []
    for axis, name in zip(axes[:, 0], frames, strict=True):
        rows = shown[shown["frame"] == name]
        of_frame = ordered[ordered["frame"] == name]
        drawn, note = _some(rows)
        height = np.random.default_rng(1).uniform(-1, 1, len(drawn))
        colours = np.where(drawn["days_after"] < 0, BLUE, ORANGE)
        axis.scatter(drawn["days_after"] / 365.25, height, s=14, c=colours, alpha=0.6, lw=0)
        axis.axvline(0, color=INK, lw=0.8)
        axis.set(ylim=(-1.4, 1.4), yticks=[])
        axis.spines["left"].set_visible(False)
        unplaced = len(of_frame) - len(rows)
        axis.set_title(f"{name}: {len(rows):,} placed{note}; {unplaced:,} undated, uncertain or without improvement")
        before = (of_frame["order"] == "before").sum()
        shares.append(f"{before:,} of {len(of_frame):,} in {name}")
    axes[0, 0].annotate("count comes first", (0.0, 1.0), xycoords="axes fraction", color=BLUE, va="top")
    axes[0, 0].annotate("count follows", (1.0, 1.0), xycoords="axes fraction", color=ORANGE, va="top", ha="right")
    axes[-1, 0].set_xscale("symlog", linthresh=1)
    axes[-1, 0].set_xlabel("years from first improvement to the count (log scale beyond one year)")
    axes[-1, 0].xaxis.set_major_formatter(mpl.ticker.ScalarFormatter())
    finding = f"Counts surely dated before the first improvement: {', '.join(shares)}"
    alt = "Each dot is a reported value: left of the line where dated before the first improvement, right where after."
    return tell(figure, finding, alt)


def coefficient_figure(estimates: pd.DataFrame, truth: Mapping[str, float]) -> Figure:
    """Draw estimates with 95% intervals, one panel per estimand, strict and naive side by side.

    Parameters
    ----------
    estimates : rows of the estimates table.
    truth : planted value by ``model:term``, drawn as a diamond; empty for real data.
    """
    rows = estimates[estimates["estimate"].notna()]
    several = rows.groupby("model")["term"].transform("nunique") > 1
    rows = rows.assign(base=rows["model"].str.removesuffix("@naive") + (": " + rows["term"]).where(several, ""))
    panels = {str(estimand): panel for estimand, panel in rows.groupby("estimand", sort=False)}
    counts = [panel["base"].nunique() for panel in panels.values()]
    figure, axes = canvas(len(panels), 1, 0.36 * sum(counts) + 0.8 * len(panels) + 1.0, height_ratios=counts)
    for axis, (estimand, panel) in zip(axes[:, 0], panels.items(), strict=True):
        lines = list(dict.fromkeys(panel["base"]))[::-1]
        axis.axvline(0, color=INK, lw=0.8)
        is_naive = panel["model"].str.endswith("@naive")
        for shown, colour, shift in ((panel[~is_naive], BLUE, 0.14), (panel[is_naive], ORANGE, -0.14)):
            height = shown["base"].map(lines.index).astype("float64") + shift
            axis.hlines(height, shown["ci_low"], shown["ci_high"], color=colour, lw=1.6)
            axis.scatter(shown["estimate"], height, color=colour, s=20, zorder=3)
            planted = (shown["model"] + ":" + shown["term"]).map(dict(truth))
            axis.scatter(planted, height, marker="D", s=32, facecolor="none", edgecolor=INK, zorder=4)
            for x, y, n in zip(shown["ci_high"], height, shown["n_obs"], strict=True):
                axis.annotate(f" n = {n:,}", (x, y), color=colour, fontsize=7, va="center")
        axis.set_yticks(range(len(lines)), lines)
        axis.set(xlabel=f"{estimand}, 95% interval", ylim=(-0.6, len(lines) - 0.4))
        axis.margins(x=0.12)
        axis.tick_params(axis="y", length=0, labelsize=8)
    axes[0, 0].annotate("dated before the outcome", (0, 1.02), xycoords="axes fraction", color=BLUE)
    axes[0, 0].annotate("of any date", (1, 1.02), xycoords="axes fraction", color=ORANGE, ha="right")
    naive = rows["model"].str.endswith("@naive")
    excludes_zero = (rows["ci_low"] > 0) | (rows["ci_high"] < 0)
    finding = (
        f"{(excludes_zero & ~naive).sum()} of {(~naive).sum()} estimates differ from zero with exposures dated before "
        f"the outcome, {(excludes_zero & naive).sum()} of {naive.sum()} with exposures of any date"
    )
    alt = "Estimates with 95% intervals by model; blue with the time-order rule, orange without it."
    return tell(figure, finding, alt + (" Diamonds mark the planted truth." if truth else ""))
