"""What each design does where the truth is known: coverage, bias and false positives (notebook 10_worlds)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from analysis.figures import BLUE, GREY, INK, ORANGE, RULE, canvas, tell
from analysis.worlds.goals import COVERAGE, FALSE_POSITIVES, MET, MISSED, UNDECIDED, judged

_ROW = 0.19
"""Inches."""


def coverage_figure(estimates: pd.DataFrame) -> Figure:
    """Draw the share of 95% intervals that hold the truth, of each design in each scenario.

    Parameters
    ----------
    estimates : rows of `analysis.worlds.performance.performance`, as an estimates table.
    """
    rows = judged(estimates, "coverage")
    figure, axis = _panel(rows)
    axis.axvspan(*COVERAGE, color=BLUE, alpha=0.15, lw=0)
    _dots(axis, rows)
    axis.set(xlabel=f"share of 95% intervals that hold the truth; band: goal {COVERAGE[0]:.1%} to {COVERAGE[1]:.1%}")
    axis.set_xlim(-0.02, 1.02)
    axis.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    sound = rows[rows["broken"] == ""]
    finding = f"{_counted(sound['goal'], 'designs cover the truth as often as they should')}{_failing(rows)}"
    alt = (
        f"Dot plot: coverage of {len(rows)} designs, from {int(rows['estimate'].min() * 100)}% to "
        f"{int(rows['estimate'].max() * 100)}%, with Monte Carlo intervals, by scenario. Orange where an assumption is "
        "broken; what breaks it stands beside the dot."
    )
    return tell(figure, finding, alt)


def bias_figure(estimates: pd.DataFrame) -> Figure:
    """Draw the mean error of each design, as a share of the planted effect; nulls have none and are left out.

    Parameters
    ----------
    estimates : as in `coverage_figure`.
    """
    rows = judged(estimates, "bias")
    rows = rows[rows["planted"] != 0]
    for name in ("estimate", "ci_low", "ci_high"):
        rows[name] = rows[name] / rows["planted"].abs()
    figure, axis = _panel(rows)
    axis.axvline(0, color=INK, lw=0.8)
    _dots(axis, rows)
    axis.set(xlabel="mean error of the estimates, as a share of the planted effect")
    axis.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    sound, broken = (rows.loc[(rows["broken"] == "") == holds, "estimate"].abs().max() for holds in (True, False))
    finding = (
        f"Where assumptions hold, bias is at most {sound:.0%} of the planted effect; where one is broken, up to "
        f"{broken:.0%}"
    )
    alt = f"Dot plot: bias of {len(rows)} designs by scenario, with Monte Carlo intervals. Orange: assumption broken."
    return tell(figure, finding, alt)


def false_positives_figure(estimates: pd.DataFrame) -> Figure:
    """Draw how often each design finds an effect where none was planted.

    Parameters
    ----------
    estimates : as in `coverage_figure`.
    """
    rows = judged(estimates, "false_positives")
    figure, axis = _panel(rows)
    axis.axvspan(0, FALSE_POSITIVES, color=BLUE, alpha=0.15, lw=0)
    axis.axvline(FALSE_POSITIVES, color=BLUE, lw=0.8)
    _dots(axis, rows)
    axis.set(xlabel=f"share of planted nulls that a test at 5% rejects; band: goal, at most {FALSE_POSITIVES:.0%}")
    axis.set_xlim(-0.02, 1.02)
    axis.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    sound = rows[rows["broken"] == ""]
    claim = "designs find something in nothing no more often than they may"
    finding = f"{_counted(sound['goal'], claim)}{_failing(rows)}"
    alt = f"Dot plot: false positives of {len(rows)} designs by scenario, with Monte Carlo intervals."
    return tell(figure, finding, alt)


def _counted(goals: pd.Series, claim: str) -> str:
    known = {goal: int((goals == goal).sum()) for goal in (MET, UNDECIDED, MISSED)}
    text = f"Where assumptions hold, {known[MET]} of {len(goals)} {claim}"
    if known[UNDECIDED]:
        text += f", so few worlds cannot tell for {known[UNDECIDED]}"
    return text + (f", and {known[MISSED]} miss the goal" if known[MISSED] else "")


def _failing(rows: pd.DataFrame) -> str:
    broken = rows[rows["broken"] != ""]
    return f"; where one is broken, {int((broken['goal'] == MISSED).sum())} of {len(broken)} miss the goal"


def _panel(rows: pd.DataFrame) -> tuple[Figure, Axes]:
    scenarios = rows["scenario"].nunique()
    figure, axes = canvas(1, 1, _ROW * (len(rows) + 1.3 * scenarios) + 1.6)
    return figure, axes[0, 0]


def _dots(axis: Axes, rows: pd.DataFrame) -> None:
    """Draw a row for each design under the name of its scenario, and name the broken assumptions."""
    places, labels, place = [], [], 0.0
    for scenario, inside in rows.groupby("scenario", sort=False):
        n = f"{int(inside['n_obs'].max()):,}"
        text = f"{str(scenario).replace('_', ' ')} (n = {n} worlds)"
        axis.annotate(
            text, (0, place), xycoords=("axes fraction", "data"), xytext=(-4, 0), textcoords="offset points",
            ha="right", va="center", fontsize=8, fontweight="bold",
        )  # fmt: skip
        place += 1
        for row in inside.to_dict("records"):
            colour = ORANGE if row["broken"] else BLUE
            axis.hlines(place, row["ci_low"], row["ci_high"], color=colour, lw=1.4)
            axis.plot(row["estimate"], place, "o", ms=4, color=colour)
            if row["broken"]:
                _name(axis, rows, row, place)
            places.append(place)
            labels.append(str(row["target"]).replace("_", " "))
            place += 1
        place += 0.3
    axis.set_yticks(places, labels, fontsize=7.5)
    axis.set_ylim(place - 0.3, -0.8)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.grid(axis="x", color=RULE, lw=0.4)
    axis.set_axisbelow(True)
    keys = [Line2D([], [], color=colour, marker="o", ms=4, lw=1.4) for colour in (BLUE, ORANGE)]
    told = ["assumptions hold", "an assumption is broken: what breaks it"]
    axis.figure.legend(keys, told, frameon=False, fontsize=8, loc="outside lower center", ncols=2)


def _name(axis: Axes, rows: pd.DataFrame, row: Mapping[Hashable, Any], place: float) -> None:
    """Write what breaks an assumption on the side of the dot that has room."""
    right = row["estimate"] < (rows["ci_low"].min() + rows["ci_high"].max()) / 2
    axis.annotate(
        row["broken"], (row["ci_high" if right else "ci_low"], place), xytext=(5 if right else -5, 0),
        textcoords="offset points", ha="left" if right else "right", va="center", fontsize=7, color=GREY,
    )  # fmt: skip
