"""Figures of units that are observed over time (notebooks 02 to 04)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from analysis.dates import numbered, period_bounds
from analysis.figures import BLUE, GREY, INK, canvas, tell
from analysis.study.spec import Study

MOST_CELLS = 1_000
"""A picture of more cells than this is stored as pixels, not as so many shapes."""


def levels_figure(reported: pd.DataFrame, study: Study) -> Figure:
    """Draw how measured levels are spread, and how much of that is differences between units.

    Parameters
    ----------
    reported : table `ENGAGEMENT`, levels only.
    """
    order = sorted(reported["indicator"].unique(), reverse=True)
    figure, axes = canvas(1, 1, 0.42 * len(order) + 1.6)
    axis: Axes = axes[0, 0]
    axis.axvline(0, color=INK, lw=0.8)
    between = {}
    for height, name in enumerate(order):
        rows = reported[reported["indicator"] == name]
        spread = rows["value"].std(ddof=0)
        scaled = (rows["value"] - rows["value"].mean()) / (spread or 1.0)
        low, quarter, middle, three, high = scaled.quantile([0.025, 0.25, 0.5, 0.75, 0.975])
        axis.hlines(height, low, high, color=BLUE, lw=1.2)
        axis.hlines(height, quarter, three, color=BLUE, lw=6, alpha=0.6)
        axis.plot(middle, height, "o", color=INK, ms=4)
        of_units = rows.groupby("unit_id")["value"].transform("mean")
        between[name] = float(of_units.var(ddof=0) / spread**2) if spread else 0.0
        axis.annotate(f"n = {len(rows):,}", (1.0, height), xycoords=("axes fraction", "data"), color=GREY, ha="right")
    axis.set_yticks(range(len(order)), [name.replace("_", " ") for name in order])
    axis.set(xlabel="standard deviations from the mean: median, middle half, middle 95%", ylim=(-0.6, len(order) - 0.2))
    axis.margins(x=0.2)
    least, most = min(between.values()), max(between.values())
    told = f"{least:.0%} to {most:.0%}" if f"{least:.0%}" != f"{most:.0%}" else f"{most:.0%}"
    finding = f"{told} of the variation in levels is between {study.unit.plural}, which fixed effects take away"
    if study.unit.grain is None:
        measured = reported["unit_id"].nunique()
        finding = f"{len(order)} measured level{'s' if len(order) > 1 else ''} of {measured:,} {study.unit.plural}"
    alt = f"Median, middle half and middle 95% of {len(order)} measured levels over all units and periods."
    return tell(figure, finding, alt)


def course_figure(changed: pd.DataFrame, study: Study) -> Figure:
    """Draw the mean of every outcome by period, with the middle half of the units where it is a level.

    Parameters
    ----------
    changed : table `CHANGE`, by period.
    """
    names = [name for name in study.outcomes if (changed["outcome"] == name).any()]
    columns = 1 if len(names) == 1 else 2
    rows = -(-len(names) // columns)
    figure, axes = canvas(rows, columns, 2.3 * rows + 0.8)
    moved = []
    for axis, name in zip(axes.flat, names, strict=False):
        of_outcome = changed[changed["outcome"] == name]
        by_period = of_outcome.groupby("period")["value"]
        mean = by_period.mean()
        when, _ = period_bounds(numbered(pd.Series(mean.index)), str(study.unit.grain))
        days = when.to_numpy()
        if study.outcomes[name].type == "continuous":
            axis.fill_between(days, by_period.quantile(0.25), by_period.quantile(0.75), color=BLUE, alpha=0.2, lw=0)
        axis.plot(days, mean, color=BLUE, lw=1.4)
        if study.outcomes[name].type == "binary":
            axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
            axis.set_ylim(bottom=0)
        axis.xaxis.set_major_locator(_years())
        units = of_outcome["unit_id"].nunique()
        label = study.outcomes[name].label
        axis.set_title(f"{label}\n(n = {units:,} {study.unit.plural})", fontsize=9)
        moved.append(f"{label} from {mean.iloc[0]:.3g} to {mean.iloc[-1]:.3g}")
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    finding = f"Mean over {study.unit.plural} from the first to the last period: {'; '.join(moved[:2])}"
    alt = "Mean of each outcome by period; shaded the middle half of the units, where the outcome is a level."
    return tell(figure, finding, alt)


def coverage_figure(table: pd.DataFrame, study: Study) -> Figure:
    """Draw for every exposure the share of units, by period, that have a value dated before the period.

    Parameters
    ----------
    table : the analysis table.
    """
    rows = table[table["outcome"] == next(iter(study.outcomes))]
    strict = [name for name, spec in study.exposures.items() if spec.time_order == "strict"]
    figure, axes = canvas(1, 1, 0.3 * len(strict) + 1.8)
    axis: Axes = axes[0, 0]
    shares = rows[strict].notna().groupby(rows["period"]).mean()
    when, _ = period_bounds(numbered(pd.Series(shares.index)), str(study.unit.grain))
    image = axis.pcolormesh(
        when.to_numpy(),
        np.arange(len(strict)),
        shares.to_numpy().T,
        vmin=0,
        vmax=1,
        cmap="cividis",
        shading="nearest",
        rasterized=shares.size > MOST_CELLS,
    )
    axis.set_yticks(
        range(len(strict)), [f"{study.exposures[name].label} ({shares[name].mean():.0%})" for name in strict]
    )
    axis.tick_params(axis="y", length=0, labelsize=8)
    axis.xaxis.set_major_locator(_years())
    bar = figure.colorbar(image, ax=axis, format=PercentFormatter(1, decimals=0), shrink=0.8)
    bar.set_label(f"share of {study.unit.plural}")
    fewest = min(strict, key=lambda name: shares[name].mean())
    finding = (
        f"Every exposure comes from periods before the outcome's; the scarcest, {study.exposures[fewest].label}, is "
        f"known in {shares[fewest].mean():.0%} of {len(rows):,} {study.unit.noun}-{study.unit.grain}s"
    )
    alt = "Each row is an exposure and each column a period; brighter where more units have a value dated before it."
    return tell(figure, finding, alt)


def _years() -> AutoDateLocator:
    """Place ticks at the start of years, or of months where there are few years."""
    return AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
