"""Figures of the lead–lag design: who follows whom, under which choices, beside what was published (notebook 05)."""

from __future__ import annotations

import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures import BLUE, GREY, INK, ORANGE, canvas, tell
from analysis.study.spec import LeadLag, Study

DESIGN = "lead_lag"


def lead_lag_figures(estimates: pd.DataFrame, study: Study) -> dict[str, Figure]:
    """Draw what the models of the design lead_lag call for; nothing where a study has none, or none could be fitted.

    Parameters
    ----------
    estimates : of the study.
    """
    models = {name: model.lead_lag for name, model in study.models.items() if model.lead_lag is not None}
    figures: dict[str, Figure] = {}
    for name, spec in models.items():
        paths = estimates[estimates["model"] == f"{name}:path"]
        if not figures and spec.contrasts and len(paths):
            figures["responses"] = response_figure(paths, spec, study)
            figures["followers"] = follower_figure(estimates[estimates["model"] == name])
            figures["choices"] = choice_figure(estimates, next(iter(spec.contrasts)), study)
        if spec.published and (estimates["model"] == f"{name}:published").any():
            figures["published"] = published_figure(estimates, name, spec)
    return figures


def response_figure(paths: pd.DataFrame, spec: LeadLag, study: Study) -> Figure:
    """Draw, for up to two contrasts, how both sides respond from period to period to a rise that lasts.

    Parameters
    ----------
    paths : rows `a>b[period]` of one model.
    """
    shown = list(spec.contrasts.items())[:2]
    figure, axes = canvas(1, len(shown), 3.8, sharey=True)
    parts = paths["term"].str.extract(r"(?P<pair>[^\[]+)\[(?P<period>\d+)\]")
    rows = paths.assign(pair=parts["pair"], period=parts["period"].astype(int))
    for axis, (_, pairs) in zip(axes[0], shown, strict=True):
        axis.axhline(0, color=INK, lw=0.8)
        ends = []
        for pair, colour in zip(pairs, (BLUE, ORANGE), strict=True):
            line = rows[rows["pair"] == pair].sort_values("period")
            axis.fill_between(line["period"], line["ci_low"], line["ci_high"], color=colour, alpha=0.18, lw=0)
            axis.plot(line["period"], line["estimate"], color=colour, lw=2)
            ends.append((line["estimate"].iloc[-1], pair, colour))
        for value, pair, colour in ends:
            text = pair.replace("_", " ").replace(">", " → ")
            place = (spec.horizon, value)
            axis.annotate(
                text, place, (0, 5), textcoords="offset points", color=colour, ha="right", va="bottom",
                fontweight="bold", fontsize=9,
            )  # fmt: skip
        axis.set_xlabel(f"{study.unit.grain}s since the leader's rise")
        axis.margins(x=0.02)
    axes[0, 0].set_ylabel(
        "rise of those who follow, log odds" if spec.scale == "log_odds" else "rise of those who follow"
    )
    last = rows[rows["period"] == spec.horizon].set_index("pair")["estimate"]
    sides = [(pair.split(">"), float(last[pair])) for pair in shown[0][1]]
    told = [f"{follower} rise by {end:.2f} after {leader}" for (leader, follower), end in sides]
    units, n = int(paths["n_units"].iloc[0]), int(paths["n_obs"].iloc[0])
    finding = f"Held one unit higher for {spec.horizon} {study.unit.grain}s: {told[0]}, {told[1]}".replace("_", " ")
    axes[0, 0].annotate(
        f"{units} {study.unit.plural}, n = {n:,}", (0, 1.02), xycoords="axes fraction", color=GREY, fontsize=8
    )
    return tell(figure, finding, "Responses by period with 95% intervals from a bootstrap, in both directions.")


def follower_figure(rows: pd.DataFrame) -> Figure:
    """Draw the response of every pair of a model, with intervals, in the study's order.

    Parameters
    ----------
    rows : of one model.
    """
    shown = rows[rows["term"].str.startswith("sustained:") & rows["estimate"].notna()].iloc[::-1]
    pairs = shown["term"].str.removeprefix("sustained:").str.replace("_", " ").str.replace(">", " → ")
    figure, axes = canvas(1, 1, 0.27 * len(shown) + 1.5)
    axis: Axes = axes[0, 0]
    clear = (shown["ci_low"] > 0) | (shown["ci_high"] < 0)
    _forest(axis, shown, list(pairs), [BLUE if differs else GREY for differs in clear])
    axis.set_xlabel("rise of the follower, 95% interval")
    largest = shown.sort_values("estimate").iloc[-1]
    leader, follower = (side.replace("_", " ") for side in str(largest["term"]).removeprefix("sustained:").split(">"))
    finding = (
        f"{int(clear.sum())} of {len(shown)} responses differ from zero; the largest is that of {follower} to {leader} "
        f"({largest['estimate']:.2f}, 95% interval {largest['ci_low']:.2f} to {largest['ci_high']:.2f})"
    )
    alt = (
        "Responses of each follower to its leader, held one unit higher, with 95% intervals; grey where zero is inside."
    )
    return tell(figure, finding, alt)


def choice_figure(estimates: pd.DataFrame, contrast: str, study: Study) -> Figure:
    """Draw one contrast under every model that has it, and with bias and differences between units allowed for.

    Parameters
    ----------
    estimates : of the study.
    contrast : its name.
    """
    names = [name for name, model in study.models.items() if model.lead_lag is not None]
    said = {name: study.models[name].label.removeprefix("the same, ") for name in names}
    said |= {
        f"{names[0]}:half_panel": "half-panel jackknife",
        f"{names[0]}:mean_group": f"mean of {study.unit.plural} fitted apart",
    }
    terms = [f"difference:{contrast}", contrast]
    rows = estimates[estimates["model"].isin(said) & estimates["term"].isin(terms) & estimates["ci_low"].notna()]
    scaled = rows["model"].map(lambda name: _scale(study, name.partition(":")[0]))
    labels = [textwrap.fill(said[model], 44) for model in rows["model"]]
    panels = list(dict.fromkeys(scaled))
    counts = [int((scaled == panel).sum()) for panel in panels]
    figure, axes = canvas(len(panels), 1, 0.36 * len(rows) + 0.85 * len(panels) + 0.9, height_ratios=counts)
    for axis, panel in zip(axes[:, 0], panels, strict=True):
        inside = (scaled == panel).to_numpy()
        shown = rows[inside].iloc[::-1]
        clear = (shown["ci_low"] > 0) | (shown["ci_high"] < 0)
        text = [label for label, here in zip(labels, inside, strict=True) if here][::-1]
        _forest(axis, shown, text, [BLUE if c else GREY for c in clear])
        axis.set_xlabel(f"difference, {panel}, 95% interval")
    differ = int(((rows["ci_low"] > 0) | (rows["ci_high"] < 0)).sum())
    positive = int((rows["estimate"] > 0).sum())
    finding = (
        f"{contrast.replace('_', ' ').capitalize()}: {positive} of {len(rows)} differences are above zero, "
        f"and {differ} differ from zero"
    )
    return tell(figure, finding, "The difference between two responses, under every choice; grey where it may be zero.")


def published_figure(estimates: pd.DataFrame, model: str, spec: LeadLag) -> Figure:
    """Draw published responses against estimated ones, as labelled and with leader and follower exchanged.

    Parameters
    ----------
    model : whose responses were published.
    """
    once = estimates[estimates["model"] == f"{model}:once"].set_index("term")["estimate"]
    there = estimates[estimates["model"] == f"{model}:published"].set_index("term")["estimate"]
    figure, axes = canvas(1, 2, 4.0, sharex=True, sharey=True)
    top = 1.12 * max(once[list(spec.published)].max(), max(spec.published.values()))
    for axis, name, colour in zip(axes[0], ("as_labelled", "exchanged"), (ORANGE, BLUE), strict=True):
        axis.plot([0, top], [0, top], color=GREY, lw=0.8)
        for pair, value in spec.published.items():
            other = pair if name == "as_labelled" else ">".join(reversed(pair.split(">")))
            axis.scatter(value, once[other], color=colour, s=26, zorder=3)
        told = f"{name.replace('_', ' ')}: correlation {there[f'correlation:{name}']:.2f}".replace("-", "−")
        axis.set_title(told, color=colour)
        axis.set(xlabel="published response, log odds", xlim=(0, top), ylim=(0, top))
    axes[0, 0].set_ylabel("response estimated here, log odds")
    labelled, exchanged = (f"{there[f'correlation:{name}']:.2f}" for name in ("as_labelled", "exchanged"))
    finding = (
        f"The {len(spec.published)} published responses correlate with those estimated here at {labelled} as they are "
        f"labelled, at {exchanged} with leader and follower exchanged"
    ).replace("-", "−")
    return tell(figure, finding, "Published against estimated responses; on the grey line they are equal.")


def _forest(axis: Axes, rows: pd.DataFrame, labels: list[str], colours: list[str]) -> None:
    axis.axvline(0, color=INK, lw=0.8)
    axis.hlines(range(len(rows)), rows["ci_low"], rows["ci_high"], color=colours, lw=1.8)
    axis.scatter(rows["estimate"], range(len(rows)), c=colours, s=24, zorder=3)
    axis.set_yticks(range(len(rows)), labels)
    axis.set_ylim(-0.6, len(rows) - 0.4)
    axis.tick_params(axis="y", length=0, labelsize=8)


def _scale(study: Study, model: str) -> str:
    spec = study.models[model].lead_lag
    if spec is None:
        return ""
    if spec.standardise:
        return "standard deviations per standard deviation"
    return "log odds per log odds" if spec.scale == "log_odds" else "points per point"
