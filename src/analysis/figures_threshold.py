"""Figures of the threshold design: the jump, the density and what the jump survives (notebook 07)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from analysis.figures import BLUE, GREY, INK, ORANGE, RULE, canvas, tell
from analysis.models.threshold import Sample


def jump_figure(data: Sample, estimates: pd.DataFrame) -> Figure:
    """Draw the share with the outcome by bins of the running variable, and the local linear fits on both sides.

    Parameters
    ----------
    data : the rows that the model compares.
    estimates : the model's rows of the estimates table.
    """
    rows = estimates.set_index("term")
    width = float(rows["estimate"]["bandwidth"])
    figure, axes = canvas(1, 1, 4.2)
    axis: Axes = axes[0, 0]
    axis.axvspan(-width, width, color=RULE, alpha=0.4, lw=0)
    axis.axvline(0, color=INK, lw=0.8)
    for side, colour in ((data.x < 0, ORANGE), (data.x >= 0, BLUE)):
        x, y = data.x[side], data.y[side]
        shown = x.abs() <= 3 * width
        bins = pd.qcut(x[shown], min(20, max(2, int(shown.sum()) // 15)), duplicates="drop")
        by_bin = pd.DataFrame({"x": x[shown], "y": y[shown]}).groupby(bins, observed=True)
        means = by_bin.agg(x=("x", "mean"), y=("y", "mean"), n=("y", "size"))
        axis.scatter(means["x"], means["y"], s=2 * means["n"], color=colour, alpha=0.6, lw=0)
        near = x.abs() <= width
        slope, level = np.polyfit(x[near], y[near], 1, w=np.sqrt(1 - x[near].abs() / width))
        ends = np.array([x[near].min(), x[near].max()])
        axis.plot(ends, level + slope * ends, color=colour, lw=2)
        side_name, place, align = ("below", 0.02, "left") if colour == ORANGE else ("at or above", 0.98, "right")
        text = f"{side_name} the threshold: {y.mean():.0%} of {len(y):,}"
        axis.annotate(text, (place, 1.03), xycoords="axes fraction", color=colour, ha=align)
    axis.set(xlabel=data.label, ylabel=f"share {data.y.name}", ylim=(-0.05, 1.05))
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    jump = rows.loc["jump"]
    finding = (
        f"At the threshold, the share {data.y.name} jumps by {100 * jump['estimate']:.0f} points "
        f"(95% interval {100 * jump['ci_low']:.0f} to {100 * jump['ci_high']:.0f})"
    )
    alt = "Shares by bin of the running variable, area by size; lines are local linear fits in the shaded bandwidth."
    return tell(figure, finding, alt)


def density_figure(data: Sample, estimates: pd.DataFrame) -> Figure:
    """Draw how many units lie where, near the cut-off and over the whole range.

    Parameters
    ----------
    data : the rows that the model compares.
    estimates : the model's rows of the estimates table.
    """
    tests = estimates.set_index("term").loc[["density", "balance"]]
    figure, axes = canvas(1, 2, 3.4)
    spread = float(data.x.quantile(0.99) - data.x.quantile(0.01))
    for axis, reach, title in zip(axes[0], (spread, spread / 6), ("whole range", "near the threshold"), strict=True):
        edges = np.linspace(-reach, reach, 41)
        for side, colour in ((data.x < 0, ORANGE), (data.x >= 0, BLUE)):
            shown = data.x[side & (data.x.abs() <= reach)]
            axis.hist(shown, edges, color=colour, alpha=0.7)
        axis.axvline(0, color=INK, lw=0.8)
        axis.set(title=f"{title} (n = {int((data.x.abs() <= reach).sum()):,})", xlabel=data.label, ylabel="units")
        axis.set_xlim(max(-reach, data.x.min()), min(reach, data.x.max()))
    smooth, even = (f"p\u00a0=\u00a0{p:.3f}" if p >= 0.001 else "p\u00a0<\u00a00.001" for p in tests["p_value"])
    near = int(tests["n_obs"]["balance"])
    finding = (
        f"Of the {near} units nearest to the threshold, {tests['estimate']['balance']:.0%} lie above it ({even}); "
        f"test of a jump in the density: {smooth}"
    )
    return tell(figure, finding, "Histograms of the normalised running variable, bins aligned with the threshold.")


def sweep_figure(estimates: pd.DataFrame) -> Figure:
    """Draw the jump under other bandwidths, donuts and moderators, and the jumps where none is due.

    Parameters
    ----------
    estimates : the model's rows of the estimates table.
    """
    rows = estimates[estimates["design"] == "threshold"].set_index("term")
    rows = rows[~rows.index.isin(["density", "balance"]) & rows["estimate"].notna()].iloc[::-1]
    placebo = rows.index.str.contains("cutoff=|continuity:")
    figure, axes = canvas(1, 1, 0.28 * len(rows) + 1.4)
    axis: Axes = axes[0, 0]
    colours = np.where(placebo, GREY, BLUE)
    axis.axvline(0, color=INK, lw=0.8)
    axis.hlines(range(len(rows)), rows["ci_low"], rows["ci_high"], color=colours, lw=1.6)
    axis.scatter(rows["estimate"], range(len(rows)), c=colours, s=22, zorder=3)
    axis.set_yticks(range(len(rows)), [f"{term}  (n = {n:,})" for term, n in rows["n_obs"].items()])
    axis.set(xlabel="jump, 95% interval; grey: none is due", ylim=(-0.7, len(rows) - 0.3))
    axis.tick_params(axis="y", length=0, labelsize=8)
    due = rows[~placebo & rows.index.str.startswith("jump")]
    surviving = int(((due["ci_low"] > 0) | (due["ci_high"] < 0)).sum())
    found = int(((rows["ci_low"] > 0) | (rows["ci_high"] < 0))[placebo].sum())
    finding = (
        f"{surviving} of {len(due)} estimates of the jump differ from zero, and so do {found} of {int(placebo.sum())} "
        "where no jump is due"
    )
    return tell(figure, finding, "Estimates of the jump with 95% intervals by bandwidth, donut, group and placebo.")
