"""Figures of the event study: who becomes exposed when, effects by event time, and robust intervals (notebook 06)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.figures import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, RULE, canvas, tell
from analysis.models.adoption import Adoption
from analysis.models.event_study import ESTIMATORS
from analysis.models.pretrends import LEVEL
from analysis.models.staggered_panel import NEVER

COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
KINDS = {
    "honest": ("by how much the trends’ difference\nmay change its slope between periods", BLUE),
    "honest_relative": ("how many times its largest change before\nthe trends’ difference may change", ORANGE),
}

TOLD = {
    "honest": ("differs from zero if slopes change by up to {}", "is not told from zero under any bound on slopes"),
    "honest_relative": (
        "differs from zero if changes are up to {} times those before",
        "is not told from zero under any bound on relative changes",
    ),
}


def adoption_figures(adoptions: Mapping[str, Adoption], noun: str) -> dict[str, Figure]:
    """Draw how many units have been exposed by each period; models that follow the same units share a figure.

    Parameters
    ----------
    adoptions : by model.
    noun : plural of the unit.

    Returns
    -------
    Figures by name.
    """
    alike: dict[tuple[tuple[int, int], ...], list[str]] = {}
    for model, found in adoptions.items():
        cohorts = found.panel.cohorts
        span = (int(found.panel.rows["period"].min()), int(found.panel.rows["period"].max()))
        counts = sorted(Counter(cohorts.tolist()).items())
        alike.setdefault((span, *counts), []).append(model)
    return _named(
        "adoption", {models[0]: _adoption(adoptions[models[0]], ", ".join(models), noun) for models in alike.values()}
    )


def event_time_figures(estimates: pd.DataFrame) -> dict[str, Figure]:
    """Draw the effects by event time of every estimator side by side, one figure per model.

    Parameters
    ----------
    estimates : of the estimates table, of the design event_study.

    Returns
    -------
    Figures by name.
    """
    found = _events(estimates)
    models = dict.fromkeys(found["model"])
    drawn = {model: _event_time(found[found["model"] == model], _of(estimates, model)) for model in models}
    return _named("event_time", drawn)


def honest_figures(estimates: pd.DataFrame) -> dict[str, Figure]:
    """Draw the robust intervals of the mean effect by how far trends may differ, one figure per model.

    Parameters
    ----------
    estimates : of the estimates table, of the design event_study.

    Returns
    -------
    Figures by name.
    """
    parts = estimates["term"].str.extract(r"^(?P<kind>honest|honest_relative)\[(?P<bound>[^\]]+)\]$")
    found = estimates.assign(kind=parts["kind"], bound=parts["bound"].astype("float64"))
    found = found.dropna(subset=["ci_low", "kind"])
    models = dict.fromkeys(found["model"])
    drawn = {model: _honest(found[found["model"] == model], _of(estimates, model)) for model in models}
    return _named("honest", drawn)


def _named(name: str, drawn: Mapping[str, Figure]) -> dict[str, Figure]:
    """Name a figure of its own by what it shows, several by their models too."""
    if len(drawn) == 1:
        return {name: next(iter(drawn.values()))}
    return {f"{name}_{re.sub(r'[^a-z0-9]+', '_', model.lower()).strip('_')}": figure for model, figure in drawn.items()}


def _of(estimates: pd.DataFrame, model: str) -> pd.DataFrame:
    return estimates[estimates["model"] == model].set_index("term")


def _adoption(found: Adoption, models: str, noun: str) -> Figure:
    figure, axes = canvas(1, 1, 3.4)
    axis: Axes = axes[0, 0]
    cohorts = found.panel.cohorts
    periods = np.arange(found.panel.rows["period"].min(), found.panel.rows["period"].max() + 1)
    exposed = cohorts[cohorts != NEVER]
    arriving = exposed.value_counts().reindex(periods, fill_value=0)
    so_far = arriving.cumsum()
    axis.fill_between(periods, so_far, step="post", color=BLUE, alpha=0.2, lw=0)
    axis.step(periods, so_far, where="post", color=BLUE, lw=1.6)
    axis.bar(periods, arriving, width=0.8, color=INK)
    axis.axhline(len(cohorts), color=GREY, lw=0.8)
    axis.annotate(f"all {len(cohorts):,} {noun}", (periods[0], len(cohorts)), color=GREY, va="bottom", fontsize=8)
    axis.annotate("exposed so far", (periods[-1], so_far.iloc[-1]), color=BLUE, ha="right", va="bottom", fontsize=8)
    bars = "bars: exposed in this period for the first time"
    axis.annotate(bars, (1, 1.02), xycoords="axes fraction", ha="right", fontsize=8)
    axis.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ticks = [int(tick) for tick in axis.get_xticks() if int(tick) in found.periods]
    axis.set_xticks(ticks, [found.periods[tick] for tick in ticks])
    axis.set(xlabel="period", ylabel=noun, ylim=(0, 1.12 * len(cohorts)), xlim=(periods[0] - 0.6, periods[-1] + 0.6))
    finding = (
        f"{len(exposed):,} of {len(cohorts):,} {noun} become exposed, in {exposed.nunique()} periods, and "
        f"{len(cohorts) - len(exposed):,} do not while they are observed"
    )
    alt = f"Steps: units exposed so far, by period. Bars: units exposed for the first time. Models: {models}."
    return tell(figure, finding, alt)


def _event_time(rows: pd.DataFrame, by_term: pd.DataFrame) -> Figure:
    figure, axes = canvas(1, 1, 4.0)
    axis: Axes = axes[0, 0]
    names = list(dict.fromkeys(rows["estimator"]))
    axis.axhline(0, color=INK, lw=0.8)
    axis.axvline(-0.5, color=RULE, lw=1.2, zorder=0)
    for place, (name, colour) in enumerate(zip(names, COLOURS, strict=False)):
        shown = rows[rows["estimator"] == name]
        at = shown["time"] + 0.16 * (place - (len(names) - 1) / 2)
        axis.vlines(at, shown["ci_low"], shown["ci_high"], color=colour, lw=1.4)
        axis.scatter(at, shown["estimate"], color=colour, s=18, zorder=3)
        label = f"{name} (n = {shown['n_obs'].max():,})"
        axis.annotate(label, (0.01, 0.99 - 0.065 * place), xycoords="axes fraction", color=colour, va="top")
    low, high = axis.get_ylim()
    axis.set_ylim(low, high + 0.08 * len(names) * (high - low))
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set(xlabel="periods since exposure arrived", ylabel=f"effect on {rows['outcome'].iloc[0]}, 95% interval")
    axis.set_title(rows["model"].iloc[0])
    alt = "Effects by periods since exposure with 95% intervals, one colour per estimator; 0 in the reference period."
    return tell(figure, _overall(by_term), alt)


def _honest(found: pd.DataFrame, by_term: pd.DataFrame) -> Figure:
    kinds = list(dict.fromkeys(found["kind"]))
    figure, axes = canvas(1, len(kinds), 3.6)
    told = []
    for axis, kind in zip(axes[0], kinds, strict=True):
        rows = found[found["kind"] == kind]
        label, colour = KINDS[kind]
        average = [float(by_term[column]["average"]) for column in ("estimate", "ci_low", "ci_high")]
        _intervals(axis, average, rows, colour)
        axis.set(xlabel=label, ylabel="mean effect, 95% interval")
        kept = rows[(rows["ci_low"] > 0) | (rows["ci_high"] < 0)]["bound"]
        told.append(TOLD[kind][0].format(f"{kept.max():g}") if len(kept) else TOLD[kind][1])
    axes[0, 0].set_title(found["model"].iloc[0])
    alt = "95% intervals of the mean effect, the first under parallel trends, the others under wider bounds."
    return tell(figure, f"The mean effect on {found['outcome'].iloc[0]} {', and '.join(told)}", alt)


def _events(estimates: pd.DataFrame) -> pd.DataFrame:
    parts = estimates["term"].str.extract(r"^event\[(?P<time>-?\d+)\](?::(?P<estimator>\w+))?$")
    rows = estimates.assign(time=parts["time"].astype("float64"), beside=parts["estimator"])
    rows = rows.dropna(subset=["time", "estimate"])
    first = rows["note"].str.split(";").str[0]
    labels = {name: label for name, (label, _) in ESTIMATORS.items()}
    return rows.assign(estimator=rows["beside"].map(labels).fillna(first))


def _overall(by_term: pd.DataFrame) -> str:
    """State the mean effect and what the leads say."""
    value, low, high = by_term.loc["overall", ["estimate", "ci_low", "ci_high"]].astype("float64")
    finding = f"The mean effect on {by_term['outcome'].iloc[0]} is {value:.3g} (95% interval {low:.3g} to {high:.3g})"
    p_value = float(by_term["p_value"].get("pretrend", np.nan))
    if np.isnan(p_value):
        return finding
    seen = "differ" if p_value < LEVEL else "are not seen to differ"
    return f"{finding}; before exposure, trends {seen} (p = {p_value:.2g})"


def _intervals(axis: Axes, average: list[float], rows: pd.DataFrame, colour: str) -> None:
    places = range(1, len(rows) + 1)
    axis.axhline(0, color=INK, lw=0.8)
    axis.vlines(places, rows["ci_low"], rows["ci_high"], color=colour, lw=5)
    value, low, high = average
    axis.vlines([0], low, high, color=GREY, lw=5)
    axis.scatter([0], value, color=INK, s=16, zorder=3)
    axis.set_xticks([0, *places], ["parallel\ntrends", *(f"{bound:g}" for bound in rows["bound"])])
    axis.annotate(f"n = {int(rows['n_obs'].max()):,}", (1, 1.02), xycoords="axes fraction", ha="right", color=GREY)
    axis.set_xlim(-0.6, len(rows) + 0.6)
