"""All studies in one figure."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures import BLUE, GREEN, GREY, INK, ORANGE, RULE, canvas, tell
from analysis.report.across_claims import Claim
from analysis.tables import STAGES

WAYS = {"social_media": BLUE, "advocacy_network": ORANGE, "epistemic_community": GREEN}
MARKERS = {1: "o", 2: "s", 3: "D", 4: "^"}
COMPARED = ["between units", "time to change", "within units", "threshold, adoption"]
LIMIT = 20.0
"""Beyond so many smallest effects of interest, an interval is cut, and an arrow says so."""


def across_figure(claims: Sequence[Claim]) -> Figure:
    """Draw the deciding estimates of claims with a rung and a way, in units of the smallest effect of interest."""
    placed = [
        (claim, int(claim.hypothesis.rung), claim.scaled)
        for claim in claims
        if claim.hypothesis.way and claim.hypothesis.rung and claim.scaled
    ]
    placed.sort(key=lambda each: (-each[1], str(each[0].hypothesis.way), each[0].study.name, each[0].name))
    count = len(placed)
    figure, axes = canvas(1, 1, 0.32 * count + 2.6)
    axis: Axes = axes[0, 0]
    axis.axvspan(-1, 1, color=RULE, alpha=0.5, lw=0)
    axis.axvline(0, color=INK, lw=0.8)
    for height, (claim, _, scaled) in zip(range(count - 1, -1, -1), placed, strict=True):
        _draw(axis, height, claim, scaled)
    names = [f"{claim.study.name}: {claim.name.replace('_', ' ')}" for claim, _, _ in placed]
    axis.set_yticks(range(count - 1, -1, -1), names)
    axis.tick_params(axis="y", length=0, labelsize=8)
    axis.set_xscale("symlog", linthresh=1, linscale=1)
    axis.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set(
        xlim=(-LIMIT * 1.15, LIMIT * 1.15), ylim=(-0.8, count - 0.2),
        xlabel="smallest effects of interest, positive as the literature expects; 95% interval",
    )  # fmt: skip
    _name_rungs(axis, [rung for _, rung, _ in placed])
    lines = [mpl.lines.Line2D([], [], color=colour, lw=3) for colour in WAYS.values()]
    marks = [mpl.lines.Line2D([], [], color=INK, marker=marker, lw=0) for marker in MARKERS.values()]
    labels = [*(way.replace("_", " ") for way in WAYS), *COMPARED]
    figure.legend([*lines, *marks], labels, frameon=False, fontsize=8, ncols=4, loc="outside lower center")
    expected = sum(scaled[1] > 0 for _, _, scaled in placed)
    opposite = sum(scaled[2] < 0 for _, _, scaled in placed)
    finding = (
        f"{expected} of {count} deciding estimates differ from zero in the direction that the literature expects, "
        f"{opposite} in the other"
    )
    alt = (
        f"{count} estimates with 95% intervals by rung of the outcome ladder. The grey band holds effects below the "
        "smallest of interest; colours are ways that norms travel, and markers what a design compares."
    )
    return tell(figure, finding, alt)


def _draw(axis: Axes, height: int, claim: Claim, scaled: tuple[float, float, float]) -> None:
    colour = WAYS[str(claim.hypothesis.way)]
    at, low, high = (float(np.clip(value, -LIMIT, LIMIT)) for value in scaled)
    axis.hlines(height, low, high, color=colour, lw=1.6)
    for bound, reached, marker in ((low, scaled[1], "<"), (high, scaled[2], ">")):
        if abs(reached) > LIMIT:
            axis.plot(bound, height, marker=marker, color=colour, ms=5)
    axis.plot(at, height, marker=MARKERS[claim.strength], color=colour, ms=6)


def _name_rungs(axis: Axes, rungs: list[int]) -> None:
    """Write each rung beside the first of its claims; `rungs` is one per claim, from top to bottom."""
    for position, rung in enumerate(rungs):
        if position and rungs[position - 1] == rung:
            continue
        top = len(rungs) - position - 0.5
        axis.axhline(top, color=GREY, lw=0.6)
        place = ("axes fraction", "data")
        axis.annotate(
            f"{rung} {STAGES[rung]}", (1.01, top - 0.1), xycoords=place, color=GREY, va="top", fontsize=8,
            annotation_clip=False,
        )  # fmt: skip
