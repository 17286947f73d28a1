"""The table of a report that sets each design beside its goals, over simulated worlds."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from analysis.report import formats
from analysis.report.exhibits import NOTHING, Exhibits, origin
from analysis.report.markdown import Markdown, escape, identifier, table
from analysis.worlds.goals import judged

NOTEBOOK = "10_worlds"


def worlds_table(exhibits: Exhibits, holds: bool) -> Markdown:
    """Show bias, coverage and false positives of every design, with how each meets its goal.

    Parameters
    ----------
    holds : designs whose assumptions hold, or those with a broken one.

    Returns
    -------
    One row per scenario and design; nothing where the study simulated no worlds.
    """
    measures = ("coverage", "bias", "false_positives")
    tables = {measure: judged(exhibits.results.table, measure) for measure in measures}
    by_key = {
        measure: {
            (row["scenario"], row["target"]): row for row in rows.to_dict("records") if (row["broken"] == "") == holds
        }
        for measure, rows in tables.items()
    }
    keys = dict.fromkeys(key for measure in measures for key in by_key[measure])
    if not keys:
        return NOTHING
    places = {name: place for place, name in enumerate(dict.fromkeys(tables["coverage"]["scenario"]))}
    rows = []
    for scenario, target in sorted(keys, key=lambda key: places.get(key[0], len(places))):
        found = [by_key[measure].get((scenario, target)) for measure in measures]
        known = next(row for row in found if row is not None)
        covered, bias, false = found
        cells: list[object] = [str(scenario).replace("_", " "), str(target).replace("_", " ")]
        cells += [] if holds else [known["broken"]]
        cells.append(formats.number(known["planted"]) if formats.known(known["planted"]) else Markdown("–"))
        cells.append(formats.number(bias["estimate"], 3) if bias is not None else Markdown("–"))
        for row in (covered, false):
            cells += [_share(row), Markdown("–") if row is None else str(row["goal"])]
        cells.append(formats.count(int(known["n_obs"])))
        rows.append(cells)
    header = ["World", "Design", *([] if holds else ["Broken"]), "Planted", "Bias", "Coverage", "Goal"]
    header += ["False positives", "Goal", "Worlds"]
    align = "ll" + ("" if holds else "l") + "rrrlrlr"
    title = "Designs whose assumptions hold" if holds else "Designs of which an assumption is broken"
    caption = Markdown(f"[{escape(title)}, with Monte Carlo intervals.]{{.finding}} ") + origin(
        exhibits.provenance, [NOTEBOOK]
    )
    return table(header, rows, caption=caption, anchor=identifier("table", "worlds", title), align=align)


def _share(row: Mapping[Hashable, Any] | None) -> Markdown:
    if row is None:
        return Markdown("–")
    limits = formats.interval(row["ci_low"], row["ci_high"], formats.percent)
    return formats.percent(row["estimate"]) + Markdown(" (") + limits + Markdown(")")
