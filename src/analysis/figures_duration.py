"""Figures of notebook 08: what comes first and when, and what immortal time does to a hazard ratio."""

from __future__ import annotations

import textwrap

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures import BLUE, GREY, INK, ORANGE, canvas, corners, tell
from analysis.models.curves import Curve, cumulative_incidence
from analysis.study.spec import Study

YEARS = 3
KINDS = {
    "so far": (BLUE, "exposed from its as-of date, or from the landmark"),
    "ever": (ORANGE, "exposed from launch, if ever before the event: immortal time"),
    "at any date": (GREY, "exposed from launch, whatever the date"),
    "at launch": (BLUE, "by what the unit is: no exposure is dated"),
}
"""How an exposure of a hazard model counts, and its colour; where no model has one, covariates are drawn."""


def first_events_figure(events: pd.DataFrame, study: Study) -> Figure:
    """Draw the share whose first event is the outcome, and is the competing one, by time since launch.

    Parameters
    ----------
    events : as `first_events` returns it; drawn is its first model with a competing outcome, or else its first.
    study : names outcomes.
    """
    with_competing = events["competing"] != ""
    chosen = events[with_competing] if with_competing.any() else events
    drawn = events[events["model"] == chosen["model"].iloc[0]]
    values = list(drawn["value"].unique())
    outcomes = [name for name in (drawn["outcome"].iloc[0], drawn["competing"].iloc[0]) if name]
    figure, axes = canvas(1, len(values), 3.9, sharex=True, sharey=True)
    grid = np.arange(YEARS * 365 + 1)
    shown_years = min(YEARS, float(drawn["days"].max()) / 365)
    told: dict[str, list[str]] = {name: [] for name in outcomes}
    for axis, value in zip(axes[0], values, strict=True):
        rows = drawn[drawn["value"] == value]
        bands = [cumulative_incidence(part["days"], part["status"]) for _, part in rows.groupby("dates")]
        labelled: list[float] = []
        for outcome, colour, *ends in zip(outcomes, (BLUE, ORANGE), *bands, strict=False):
            low, high = sorted((_steps(curve, grid) for curve in ends), key=lambda curve: float(np.nansum(curve)))
            days = corners(low, high)
            axis.fill_between(grid[days] / 365, low[days], high[days], step="post", color=colour, alpha=0.3, lw=0)
            for curve in (low, high):
                axis.step(grid[days] / 365, curve[days], where="post", color=colour, lw=0.9)
            last = int(np.flatnonzero(np.isfinite(high))[-1])
            place = (grid[last] / 365, (low[last] + high[last]) / 2)
            crowded = any(abs(place[1] - height) < 0.1 for height in labelled)
            labelled.append(place[1])
            axis.annotate(
                textwrap.fill(study.outcomes[outcome].label, 30), place, xytext=(-2, 22 if crowded else 8),
                textcoords="offset points", color=colour, ha="right", va="bottom", fontsize=8,
            )  # fmt: skip
            where = f" in {value}" if value != "all" else ""
            told[outcome].append(_between(low[365], high[365]) + where)
        n = rows["unit_id"].nunique()
        axis.set(title=f"{value} (n = {n:,})" if value != "all" else f"n = {n:,}", xlabel="years since launch")
        axis.set(xlim=(0, shown_years), ylim=(0, 1.05))
        axis.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=0))
    axes[0, 0].set_ylabel("share with this first event")
    first = "; ".join(f"{study.outcomes[name].label}: {', '.join(shares)}" for name, shares in told.items())
    finding = f"What came first, within a year of launch. {first[0].upper()}{first[1:]}"
    alt = "Cumulative incidence by sampling frame; each band lies between the earliest and the latest possible dates."
    return tell(figure, finding, alt)


def _steps(curve: Curve, grid: np.ndarray) -> np.ndarray:
    share = np.concatenate([[0.0], curve.share])[np.searchsorted(curve.times, grid, side="right")]
    return np.where(grid <= curve.last, share, np.nan)


def _between(low: float, high: float) -> str:
    return f"{low:.0%}" if f"{low:.0%}" == f"{high:.0%}" else f"{low:.0%} to {high:.0%}"


def hazard_ratio_figure(estimates: pd.DataFrame, study: Study) -> Figure:
    """Draw the hazard ratio of each exposure as it is exposed so far, ever, and at any date, side by side.

    Parameters
    ----------
    estimates : rows of the estimates table; the extremes of imprecise dates are drawn as ticks. Where no model has an
        exposure, the ratios of covariates are drawn.
    study : says how each model's exposures count.
    """
    ratios = estimates[estimates["estimate"].notna() & estimates["estimand"].str.endswith("hazard ratio")]
    of_exposures = ratios[ratios["term"].isin(study.exposures)]
    rows = of_exposures if len(of_exposures) else ratios[~ratios["term"].str.endswith("_dates")]
    names = rows["model"].str.split(r"[\[@]", regex=True).str[0]
    kinds = np.select(
        [
            ~rows["term"].isin(study.exposures), rows["model"].str.endswith("@naive"),
            names.map(lambda n: study.models[n].exposed_from) == "launch",
        ],
        ["at launch", "at any date", "ever"], "so far",
    )  # fmt: skip
    value = rows["model"].str.extract(r"\[(.*)\]", expand=False).fillna("")
    rows = rows.assign(kind=kinds, value=value, order=[list(KINDS).index(kind) for kind in kinds])
    rows = rows.sort_values(
        ["outcome", "value", "design", "term", "order"], kind="stable", ascending=False, ignore_index=True
    )
    figure, axes = canvas(1, 1, 0.34 * len(rows) + 1.9)
    axis = axes[0, 0]
    axis.axvline(1, color=INK, lw=0.8)
    for kind, (colour, _) in KINDS.items():
        of_kind = rows[rows["kind"] == kind]
        axis.hlines(of_kind.index, np.exp(of_kind["ci_low"]), np.exp(of_kind["ci_high"]), color=colour, lw=1.6)
        axis.scatter(np.exp(of_kind["estimate"]), of_kind.index, color=colour, s=24, zorder=3)
        for position, row in of_kind.iterrows():
            extremes = estimates[
                (estimates["model"] == row["model"]) & estimates["term"].str.startswith(f"{row['term']}:")
            ]
            axis.scatter(
                np.exp(extremes["estimate"]), [position] * len(extremes), marker="|", color=INK, s=40, zorder=4
            )
    labels = [f"{m}  {t}  (n = {n:,})" for m, t, n in zip(rows["model"], rows["term"], rows["n_units"], strict=True)]
    axis.set_yticks(rows.index, labels)
    axis.tick_params(axis="y", length=0, labelsize=8)
    axis.set(xscale="log", xlabel="hazard ratio, 95% interval; ticks: imprecise dates")
    axis.set_ylim(-0.7, len(rows) - 0.3)
    left, right = axis.get_xlim()
    axis.xaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1.0, 2.0, 5.0) if right < 1000 * left else (1.0,)))
    axis.xaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    axis.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    shown = [kind for kind in KINDS if (rows["kind"] == kind).any()]
    for place, kind in enumerate(shown):
        axis.annotate(
            KINDS[kind][1], (0.0, 1.02 + 0.05 * (len(shown) - 1 - place)), xycoords="axes fraction",
            color=KINDS[kind][0], fontsize=8, va="bottom",
        )  # fmt: skip
    finding = _contrast(rows, study)
    alt = "Hazard ratios with 95% intervals by model, sampling frame and how the exposure counts."
    return tell(figure, finding, alt)


def _contrast(rows: pd.DataFrame, study: Study) -> str:
    """State, of the first design and exposure counted both ways, what immortal time does to the hazard ratio."""
    keys = ["outcome", "value", "design", "term"]
    fair, ever = (rows[rows["kind"] == kind].drop_duplicates(keys, keep="last") for kind in ("so far", "ever"))
    both = fair.merge(ever[[*keys, "estimate"]], on=keys, suffixes=("", "_ever"), validate="one_to_one")[::-1]
    if both.empty:
        differ = (rows["ci_low"] > 0) | (rows["ci_high"] < 0)
        if (rows["kind"] == "at launch").all():
            return f"{differ.sum()} of {len(rows)} hazard ratios differ from one, by what the {study.unit.plural} are"
        naive = rows["kind"] == "at any date"
        return (
            f"{(differ & ~naive).sum()} of {(~naive).sum()} hazard ratios differ from one with exposures that came "
            f"before, {(differ & naive).sum()} of {naive.sum()} with exposures of any date"
        )
    design = "hazard" if (both["design"] == "hazard").any() else str(both["design"].iloc[0])
    told = both[(both["design"] == design) & (both["outcome"] == both["outcome"].iloc[0])]
    told = told[told["term"] == told["term"].iloc[0]]
    where = told["value"].map(lambda value: f" in {value}" if value else "")
    ratios = np.exp(told[["estimate", "ci_low", "ci_high", "estimate_ever"]]).map("{:.2f}".format)
    of = ", ".join(ratios["estimate"] + " (" + ratios["ci_low"] + " to " + ratios["ci_high"] + ")" + where)
    label = study.exposures[str(told["term"].iloc[0])].label
    return f"Hazard ratio of change with {label} so far: {of}; immortal time makes that " + ", ".join(
        ratios["estimate_ever"] + where
    )
