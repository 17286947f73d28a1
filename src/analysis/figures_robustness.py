"""Figures of notebooks 09 and 10: the specification curve, what moves an estimate, and power."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures import BLUE, GREEN, GREY, INK, ORANGE, RULE, canvas, tell
from analysis.study.spec import Study

CHOICES = ("exposure", "covariates", "sample", "cluster")
_MOST_ROWS = 24


def specification_figure(curves: Mapping[str, pd.DataFrame], estimates: pd.DataFrame) -> Figure:
    """Draw the longest specification curve, of equals the widest: the estimates in order, and their choices.

    Parameters
    ----------
    curves : specification curves by ``model:term``, as in `Checks`.
    estimates : rows of the estimates table that hold their joint tests.
    """
    if not curves:
        return _nothing_probed("by other specifications")
    name = max(curves, key=lambda key: (len(curves[key]), np.ptp(curves[key]["estimate"].dropna())))
    model, term = name.split(":", 1)
    curve = curves[name].dropna(subset=["estimate"]).sort_values("estimate", kind="stable", ignore_index=True)
    choices = _choices(curve)
    marks = max(1, len(choices))
    figure, axes = canvas(2, 1, 3.2 + 0.2 * marks, sharex=True, height_ratios=[2.4, 0.2 * marks])
    _draw_curve(axes[0, 0], curve, term)
    _draw_choices(axes[1, 0], curve, choices)
    joint = estimates[estimates["model"] == f"{model}:specification_curve"].set_index("term")
    p_value, significant = joint["p_value"][f"{term}:median"], joint["estimate"][f"{term}:share_significant"]
    low, median, high = (_signed(value) for value in curve["estimate"].quantile([0, 0.5, 1]))
    noun = "specification" if len(curve) == 1 else "specifications"
    finding = (
        f"{len(curve):,} {noun} of {model}: {low} to {high}, median {median} "
        f"(joint p\u00a0=\u00a0{p_value:.3f}); {significant:.0%} significant in one direction"
    )
    alt = (
        f"Above, {len(curve)} estimates of {term} with 95% intervals, in increasing order, the pre-specified marked. "
        f"Below, a mark for each choice that a specification makes. n = {_range(curve['n_obs'])}."
    )
    return tell(figure, finding, alt)


def _nothing_probed(how: str) -> Figure:
    """Say that there is nothing to draw, where every deciding model is of a design that the checks do not probe."""
    figure, axes = canvas(1, 1, 1.2)
    axes[0, 0].set_axis_off()
    axes[0, 0].text(0, 0.5, "See the reasons among the estimates.", va="center", color=INK)
    return tell(
        figure,
        f"No estimate of this study is fitted again {how}",
        "An empty figure: the designs of this study have checks of their own.",
    )


def _draw_curve(axis: Axes, curve: pd.DataFrame, term: str) -> None:
    significant = (curve["p_value"] < 0.05).to_numpy()
    colours = np.where(significant, BLUE, GREY)
    axis.axhline(0, color=INK, lw=0.8, zorder=2)
    axis.vlines(curve.index, curve["ci_low"], curve["ci_high"], color=RULE, lw=0.8)
    axis.scatter(curve.index, curve["estimate"], c=colours, s=8, zorder=3)
    registered = curve.index[curve["registered"]]
    if len(registered):
        at = int(registered[0])
        axis.scatter([at], curve["estimate"][[at]], marker="D", s=34, color=ORANGE, zorder=4)
        axis.annotate(
            "pre-specified", (at, curve["estimate"][at]), xytext=(0, 10), textcoords="offset points",
            color=ORANGE, ha="left" if at < len(curve) / 2 else "right",
        )  # fmt: skip
    low, high = curve["estimate"].min(), curve["estimate"].max()
    reach = max(high, 0) - min(low, 0)
    axis.set_ylim(
        max(curve["ci_low"].min(), min(low, 0) - 1.2 * reach), min(curve["ci_high"].max(), max(high, 0) + 1.2 * reach)
    )
    axis.set_ylabel(f"difference in probability\nwith {term}, 95% CI")
    axis.set_title(f"n = {_range(curve['n_obs'])}; blue: significant at 5%", fontweight="normal", color=GREY)
    axis.tick_params(axis="x", length=0)


def _choices(curve: pd.DataFrame) -> list[tuple[str, str, np.ndarray]]:
    """List the choices that vary: axis, label, and which specifications make it."""
    found: list[tuple[str, str, np.ndarray]] = []
    for axis in CHOICES:
        if axis == "covariates":
            sets = [set(text.split(" + ")) for text in curve[axis]]
            for term in sorted(set().union(*sets) - {"none"}):
                made = np.array([term in some for some in sets])
                if not made.all():
                    found.append(("adjusted for", term, made))
        elif len(curve[axis].unique()) > 1:
            label = {"cluster": "clusters"}.get(axis, axis)
            found += [(label, str(value), (curve[axis] == value).to_numpy()) for value in dict.fromkeys(curve[axis])]
    return found[:_MOST_ROWS]


def _draw_choices(axis: Axes, curve: pd.DataFrame, choices: list[tuple[str, str, np.ndarray]]) -> None:
    significant = (curve["p_value"] < 0.05).to_numpy()
    for row, (_, _, made) in enumerate(choices):
        axis.hlines(row, -0.5, len(curve) - 0.5, color=RULE, lw=0.5)
        colours = np.where(significant, BLUE, GREY)[made]
        axis.scatter(np.flatnonzero(made), np.full(made.sum(), row), c=colours, marker="|", s=26, lw=1)
    labels = [f"{kind}: {name}" if kind != "adjusted for" else f"adjusted for {name}" for kind, name, _ in choices]
    axis.set_yticks(range(len(choices)), labels)
    axis.tick_params(axis="both", length=0, labelsize=8)
    axis.set(ylim=(len(choices) - 0.4, -0.6), xticks=[], xlabel=f"specifications by estimate (n = {len(curve):,})")
    axis.spines[["left", "bottom"]].set_visible(False)


def stability_figure(curves: Mapping[str, pd.DataFrame], left_out: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw how far each estimate moves: over specifications, and when one unit or cluster is left out.

    Parameters
    ----------
    curves, left_out : by ``model:term``, as in `Checks`.
    """
    names = [name for name in curves if curves[name]["estimate"].notna().any()]
    if not names:
        return _nothing_probed("without one unit or cluster")
    figure, axes = canvas(1, 1, 0.75 * len(names) + 1.7)
    axis = axes[0, 0]
    axis.axvline(0, color=INK, lw=0.8)
    flips = 0
    for row, name in enumerate(names):
        own = curves[name][curves[name]["registered"]].iloc[0]
        left = left_out[name].dropna(subset="estimate")
        moved = left.loc[(left["estimate"] - own["estimate"]).abs().idxmax()]
        flips += bool((np.sign(left["estimate"]) != np.sign(own["estimate"])).any())
        axis.hlines(row - 0.22, own["ci_low"], own["ci_high"], color=GREY, lw=1.2)
        axis.scatter([own["estimate"]], [row - 0.22], color=GREY, s=18, zorder=3)
        for offset, values, colour in ((0.0, curves[name]["estimate"], ORANGE), (0.2, left["estimate"], BLUE)):
            axis.hlines(row + offset, values.min(), values.max(), color=colour, lw=3.5, alpha=0.9)
        axis.annotate(
            f"most moved without {moved['id']}", (left["estimate"].max(), row + 0.2), xytext=(5, 0),
            textcoords="offset points", va="center", color=BLUE, fontsize=7.5,
        )  # fmt: skip
    labels = [f"{name.replace(':', chr(10), 1)}  (n = {int(curves[name]['n_obs'].iloc[0]):,})" for name in names]
    axis.set_yticks(range(len(names)), labels, fontsize=8)
    axis.set(ylim=(len(names) - 0.5, -0.7), xlabel="estimate, in its own unit")
    axis.tick_params(axis="y", length=0)
    keys = [
        mpl.lines.Line2D([], [], color=colour, lw=width) for colour, width in ((GREY, 1.2), (ORANGE, 3.5), (BLUE, 3.5))
    ]
    told = ["95% interval", "range over specifications", "range without one unit or cluster"]
    figure.legend(keys, told, frameon=False, fontsize=8, loc="outside lower center", ncols=3)
    finding = (
        f"{flips} of {len(names)} estimates change sign when one unit or cluster is left out"
        if flips
        else f"No single unit or cluster decides the sign of any of {len(names)} estimates"
    )
    alt = (
        "Per estimate three lines: its interval, its range over specifications, its range without one unit or cluster."
    )
    return tell(figure, finding, alt)


def power_figure(study: Study, curves: Mapping[str, pd.DataFrame], estimates: pd.DataFrame) -> Figure:
    """Draw power by size of effect for every hypothesis, with the detectable beside the smallest interesting effect.

    Parameters
    ----------
    curves : power curves by hypothesis, as in `Power`.
    estimates : rows of the estimates table with design `power`.
    """
    numbers = estimates.set_index(["model", "term"])
    columns = 2 if len(curves) > 1 else 1
    rows = max(-(-len(curves) // columns), 1)
    figure, axes = canvas(rows, columns, 1.75 * rows + 0.9, sharey=True)
    for axis in axes.flat[len(curves) :]:
        axis.set_visible(False)
    enough = 0
    for axis, (name, curve) in zip(axes.flat, curves.items(), strict=False):
        hypothesis = study.hypotheses[name]
        key = (f"{hypothesis.decided_by.model}:power", f"{hypothesis.decided_by.term}:mde_80")
        mde, n_obs, unit = (numbers[column][key] for column in ("estimate", "n_obs", "estimand"))
        enough += mde <= hypothesis.smallest_effect
        _draw_power(axis, curve, float(mde), hypothesis.smallest_effect)
        axis.set_title(f"{name.replace('_', ' ')} (n = {n_obs:,})", fontsize=9)
        axis.set_xlabel(str(unit), fontsize=8)
    figure.supylabel("power of a test at 5%", fontsize=9)
    finding = f"The smallest effect of interest was detectable for {enough} of {len(curves)} hypotheses"
    alt = (
        "One panel per hypothesis: power rises with the size of the effect. A green dot marks the effect detected with "
        "80% power, an orange line the smallest effect of interest."
    )
    return tell(figure, finding, alt)


def _draw_power(axis: Axes, curve: pd.DataFrame, mde: float, smallest: float) -> None:
    axis.plot(curve["effect"], curve["power"], color=BLUE, lw=1.6)
    axis.axhline(0.8, color=RULE, lw=0.8)
    axis.axvline(smallest, color=ORANGE, lw=1.2)
    axis.plot([mde], [0.8], "o", color=GREEN, ms=5)
    axis.annotate(
        f"detectable {mde:.2g}", (mde, 0.8), xytext=(6, -5), textcoords="offset points",
        color=GREEN, fontsize=8, ha="left", va="top",
    )  # fmt: skip
    above = float(np.interp(smallest, curve["effect"], curve["power"])) < 0.5
    axis.annotate(
        f"of interest {smallest:.2g}", (smallest, 0.99 if above else 0.03), xytext=(4, 0), textcoords="offset points",
        color=ORANGE, fontsize=8, ha="left", va="top" if above else "bottom",
    )  # fmt: skip
    axis.set(xlim=(0, curve["effect"].iloc[-1]), ylim=(0, 1.02))
    axis.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=0))
    axis.tick_params(labelsize=8)


def _signed(value: float) -> str:
    text = f"{value:+.2f}"
    return "0.00" if text in {"+0.00", "-0.00"} else text.replace("-", "−")


def _range(values: pd.Series) -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
