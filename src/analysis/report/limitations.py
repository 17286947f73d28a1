"""The part of a report that says what may be wrong with it, each threat beside the estimates that measure it."""

from __future__ import annotations

import re

from analysis.errors import InputError, Problem
from analysis.models.estimates import Estimate
from analysis.report import formats
from analysis.report.exhibits import NOTHING, SYNTHESIS, Exhibits
from analysis.report.markdown import Markdown, escape, identifier
from analysis.report.results import UnknownEstimateError, interval
from analysis.study.limitations import THREATS, Measure, Threat

TITLES: dict[Threat, str] = {
    "under_reporting": "Under-reporting",
    "inflated_counts": "Inflated counts and misinformation",
    "measurement_error": "Measurement error",
    "lags": "Lags",
    "selection": "Selection",
    "confounding": "Confounding",
    "reverse_order": "Engagement that follows change",
    "interference": "Interference",
    "backlash": "Backlash",
    "scope": "What the estimates do not speak of",
    "analysis": "Choices made after results were seen",
    "other": "Other limitations",
}
_BASE = re.compile(r"[\[:@]")


def threats(exhibits: Exhibits) -> Markdown:
    """Show a study's limitations by threat, each sentence with the estimates that measure it.

    Raises
    ------
    InputError : estimates are named that the study has not made; all of them, each with its place in the study file.
    """
    told: dict[Threat, list[Markdown]] = {threat: [] for threat in THREATS}
    problems: list[Problem] = []
    for place, limitation in enumerate(exhibits.study.limitations):
        lines = [Markdown("- ") + escape(limitation.says) + Markdown("\n")]
        for position, measure in enumerate(limitation.measured_by):
            try:
                row = exhibits.results.est(measure.model, measure.term, measure.outcome)
            except UnknownEstimateError as error:
                key = f"limitations[{place}].measured_by[{position}]"
                problems.append(Problem(f"studies/{exhibits.study.name}.yml", 0, key, "", str(error)))
                continue
            lines.append(Markdown("    - ") + _line(exhibits, measure, row) + Markdown("\n"))
        if limitation.not_measured is not None:
            unmeasured = formats.sentence(f"not measured here: {limitation.not_measured}")
            lines.append(Markdown("    - ") + unmeasured + Markdown("\n"))
        told[limitation.threat].append(NOTHING.join(lines))
    if problems:
        raise InputError(problems)
    titled = any(told[threat] for threat in THREATS if threat != "other")
    parts = []
    for threat, entries in told.items():
        if entries:
            heading = f"\n## {TITLES[threat]} {{#{identifier('threat', threat)}}}\n\n" if titled else "\n"
            parts.append(Markdown(heading) + NOTHING.join(entries))
    return NOTHING.join(parts)


def _line(exhibits: Exhibits, measure: Measure, row: Estimate) -> Markdown:
    """Write what an estimate is, its value, interval and number of observations, with a link to its notebook."""
    notebook = exhibits.provenance.made_by.get(row.model, SYNTHESIS)
    name = escape(f"{row.model}, {row.term}" + (f", {row.outcome}" if measure.outcome else ""))
    source = Markdown(" [") + name + Markdown(f"](notebooks/{notebook}.html)")
    declared = exhibits.study.models.get(_BASE.split(row.model)[0])
    label = declared.label + (", exposures of any date" if "@naive" in row.model else "") if declared else ""
    estimand = row.estimand.removeprefix("log ") if measure.form == "ratio" else row.estimand
    what = escape("; ".join(filter(None, [label, estimand])) + ": ")
    behind = [escape(f"n{formats.NO_BREAK}={formats.NO_BREAK}") + formats.count(row.n_obs)] if row.n_obs else []
    form = formats.FORMATS[measure.form]
    if measure.form == "p_value":
        value = form(row.p_value)
    elif not formats.known(row.ci_low) and not formats.known(row.ci_high):
        value = form(row.estimate) if formats.known(row.estimate) else escape(row.note or formats.NOT_ESTIMABLE)
    elif formats.known(row.estimate):
        value = form(row.estimate)
        behind.insert(0, interval(row.ci_low, row.ci_high, measure.form))
    else:
        value = interval(row.ci_low, row.ci_high, measure.form)
    told = Markdown(" (") + Markdown("; ").join(behind) + Markdown(")") if behind else NOTHING
    return what + Markdown("**") + value + Markdown("**") + told + source
