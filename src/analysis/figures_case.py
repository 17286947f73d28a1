"""One unit on its own: what was counted, and what changed, along the days (notebook 04_case)."""

from __future__ import annotations

import pandas as pd
from matplotlib.dates import ConciseDateFormatter
from matplotlib.figure import Figure

from analysis.cases import chronicle
from analysis.figures import BLUE, GREY, INK, ORANGE, RULE, canvas, tell
from analysis.study.spec import Study
from analysis.tables import STAGES


def case_figures(study: Study, units: pd.DataFrame, process: pd.DataFrame, outcomes: pd.DataFrame) -> dict[str, Figure]:
    """Draw the chronicle of each unit that the study tells on its own.

    Parameters
    ----------
    units, process, outcomes : the canonical tables.

    Returns
    -------
    Figures by ``case_<unit_id>``.
    """
    launched = units.set_index("unit_id")["launched_start"]
    names = units.set_index("unit_id")["name"]
    return {
        f"case_{unit}": _chronicle(names[unit], launched[unit], chronicle(unit, process, outcomes))
        for unit in study.unit.cases
    }


def _chronicle(name: str, launched: pd.Timestamp, rows: pd.DataFrame) -> Figure:
    dated = rows.dropna(subset="start").reset_index(drop=True)
    figure, axes = canvas(1, 1, 0.42 * len(dated) + 1.6)
    axis = axes[0, 0]
    axis.axvline(launched, color=INK, lw=0.8)
    axis.annotate("launch", (launched, 1.0), xycoords=("data", "axes fraction"), xytext=(3, -2),
                  textcoords="offset points", color=GREY, va="top", fontsize=8)  # fmt: skip
    labels = []
    for row, entry in dated.iterrows():
        colour = ORANGE if entry["kind"] == "changed" else BLUE
        axis.plot([entry["start"], entry["end"]], [row, row], color=colour, lw=4, solid_capstyle="butt")
        axis.scatter([entry["start"], entry["end"]], [row, row], color=colour, s=22, zorder=3, lw=0)
        what = str(entry["what"]).replace("_", " ")
        if entry["kind"] == "changed":
            sign = {1: "", 0: ", no direction", -1: ", against the demand"}[int(entry["direction"])]
            told = f"rung {entry['stage']}, {STAGES.get(int(entry['stage']), 'nothing observed')}{sign}"
        else:
            told = f"{entry['value']:,.0f} ({str(entry['value_type']).replace('_', ' ')})"
        labels.append(f"{what}: {told}")
    axis.set_yticks(range(len(dated)), labels, fontsize=8)
    axis.set(ylim=(len(dated) - 0.5, -0.9), xlabel="day, or all the days that a date may mean")
    axis.xaxis.set_major_formatter(ConciseDateFormatter(axis.xaxis.get_major_locator()))  # type: ignore[no-untyped-call]
    axis.grid(axis="y", color=RULE, lw=0.5)
    axis.tick_params(axis="y", length=0)
    counted, changed = (dated[dated["kind"] == kind] for kind in ("counted", "changed"))
    finding = f"{name}: {len(counted)} counts, {len(changed)} changes"
    if len(counted) and len(changed):
        before = int((counted["end"] < changed["start"].min()).sum())
        none = "no count is" if before == 0 else f"{before} of {len(counted)} counts {'is' if before == 1 else 'are'}"
        finding = f"{name}: {none} surely dated before the first change"
    alt = (
        f"Days from launch on. Blue, {len(counted)} reported counts; orange, {len(changed)} outcomes with their "
        "rung of the ladder. A bar spans the days that an imprecise date may mean."
    )
    return tell(figure, finding, alt)
