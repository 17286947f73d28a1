"""Figures and tables as Markdown, each with its provenance under it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from analysis.errors import nearest
from analysis.models.estimates import Estimate
from analysis.report import formats
from analysis.report.figures import Figure
from analysis.report.markdown import Markdown, attribute, escape, identifier, table
from analysis.report.provenance import Provenance
from analysis.report.results import ModelName, Results, UnknownEstimateError
from analysis.study.grammar import split_estimate
from analysis.study.spec import Study

SHORT = 8
_SCALED = {"value": "", "within_sd": ", in standard deviations within units"}
MOST_FILES = 8
"""A caption names at most so many data files."""
SYNTHESIS = "11_synthesis"
NOTHING = Markdown("")


class UnknownFigureError(LookupError):
    """A template names a figure that no notebook has drawn."""


CURVES = {"kaplan_meier", "cumulative_incidence", "event_study"}
"""Designs whose many estimates are points of a curve: a figure shows them, and the notebook lists them."""


def origin(provenance: Provenance, notebooks: Iterable[str]) -> Markdown:
    """Write the line that ends a caption: notebooks and their parameters, data, commit, manifest."""
    parts = []
    for stem in dict.fromkeys(notebooks):
        parameters = provenance.parameters.get(stem, {})
        values = ", ".join(f"{name} = {value}" for name, value in sorted(parameters.items()))
        link = Markdown(f"[{escape(stem)}](notebooks/{stem}.html)")
        parts.append(link + (escape(f" ({values})") if values else NOTHING))
    hashes = [f"{path.rsplit('/', 1)[-1]}\u00a0{digest[:SHORT]}" for path, digest in sorted(provenance.data.items())]
    if len(hashes) > MOST_FILES:
        parts.append(escape(f"{len(hashes)} data files, hashed in the manifest"))
    elif hashes:
        parts.append(escape(f"data {', '.join(hashes)}"))
    sha, _, dirty = provenance.commit.partition("-")
    parts.append(escape(f"commit\u00a0{sha[:SHORT]}" + (f"-{dirty}" if dirty else "")))
    parts.append(Markdown("[manifest](manifest.json)"))
    return Markdown("[") + Markdown(" · ").join(parts) + Markdown("]{.provenance}")


def _with_interval(low: float | None, high: float | None) -> Markdown:
    if not formats.known(low) and not formats.known(high):
        return Markdown("–")
    return formats.interval(low, high)


def _or_dash(value: float | None, form: Callable[[float | int | None], Markdown]) -> Markdown:
    return form(value) if formats.known(value) else Markdown("–")


def _share_with_interval(row: Estimate) -> Markdown:
    if not formats.known(row.estimate):
        return formats.percent(row.estimate)
    return (
        formats.percent(row.estimate, 0)
        + Markdown(" (")
        + formats.interval(row.ci_low, row.ci_high, lambda value: formats.percent(value, 0))
        + Markdown(")")
    )


def _p(value: float | int | None) -> Markdown:
    return formats.p_value(value, symbol=False)


@dataclass
class Exhibits:
    """The figures and tables that a template may show.

    A figure or model shown once is not shown again by `other_figures` and `other_models`, so that nothing is left out.
    """

    study: Study
    results: Results
    verdicts: pd.DataFrame
    figures: dict[str, Figure]
    provenance: Provenance
    _shown_figures: set[str] = field(default_factory=set)
    _shown_models: set[str] = field(default_factory=set)

    def figure(self, name: str) -> Markdown:
        """Show one figure with its finding as caption.

        Raises
        ------
        UnknownFigureError : there is no such figure; the message names the nearest.
        """
        if name not in self.figures:
            raise UnknownFigureError(f"no figure {name!r} was drawn; {nearest(name, self.figures)}")
        self._shown_figures.add(name)
        figure = self.figures[name]
        caption = Markdown(f"[{escape(figure.title)}]{{.finding}} {origin(self.provenance, [figure.source])}")
        anchor = identifier("figure", name)
        alt = attribute(figure.description)
        return Markdown(f"\n\n![{caption}](figures/{figure.path.name}){{#{anchor} alt={alt}}}\n\n")

    def figures_of(self, notebook: str) -> Markdown:
        """Show the figures that one notebook drew and that are not shown yet."""
        names = [n for n, f in self.figures.items() if f.source == notebook and n not in self._shown_figures]
        return NOTHING.join(self.figure(name) for name in names)

    def other_figures(self) -> Markdown:
        """Show the figures that are not shown yet."""
        return NOTHING.join(self.figure(name) for name in self.figures if name not in self._shown_figures)

    def _table(
        self, header: Sequence[str], rows: Sequence[Sequence[object]], *, title: object, anchor: str, align: str,
        models: Iterable[str] = (), notebooks: Iterable[str] = (),
    ) -> Markdown:  # fmt: skip
        if not rows:
            return NOTHING
        made_by = [self.provenance.made_by.get(model, SYNTHESIS) for model in models]
        sources = origin(self.provenance, sorted({*made_by, *notebooks} or {SYNTHESIS}))
        caption = Markdown(f"[{escape(title)}]{{.finding}} {sources}")
        return table(header, rows, caption=caption, anchor=identifier("table", anchor), align=align)

    def model_table(self, base: str) -> Markdown:
        """Show every estimate of a model that obeys the study's time order, in each of its levels.

        Raises
        ------
        UnknownEstimateError : there is no such model.
        """
        found = list(self.results.named(base))
        if not found:
            bases = dict.fromkeys(ModelName.of(name).base for name in self.results.models)
            raise UnknownEstimateError(f"no model {base!r} among the estimates; {nearest(base, bases)}")
        self._shown_models.add(base)
        declared = self.study.models.get(base)
        rows = [row for row in found if not ModelName.of(row.model).variant] or found
        return self._estimates(rows, declared.label if declared else base, anchor=base)

    def other_models(self) -> Markdown:
        """Show the study's pre-specified models that are not shown yet; curves are drawn, not tabulated."""
        estimated = {ModelName.of(row.model).base for row in self.results.rows}
        tabulated = [base for base, model in self.study.models.items() if model.design not in CURVES]
        left = [base for base in tabulated if base in estimated and base not in self._shown_models]
        return NOTHING.join(self.model_table(base) for base in left)

    def estimates_of(self, notebook: str) -> Markdown:
        """Show the estimates that one notebook made, in one table; nothing where it made none."""
        rows = [row for row in self.results.rows if self.provenance.made_by.get(row.model) == notebook]
        return self._estimates(rows, f"Estimates of {notebook}", anchor=notebook) if rows else NOTHING

    def _estimates(self, rows: list[Estimate], title: str, anchor: str) -> Markdown:
        names = [ModelName.of(row.model) for row in rows]
        several_models = len({row.model for row in rows}) > 1
        by_level = len({(name.base, name.variant) for name in names}) == 1
        several_outcomes = len({row.outcome for row in rows}) > 1
        estimands = dict.fromkeys(row.estimand for row in rows if row.estimand)
        several_estimands = len(estimands) > 1
        header = ["Term", "Estimate", "95% CI", "p", "n"]
        align = "lrrrr"
        shown = []
        for row, name in zip(rows, names, strict=True):
            cells: list[object] = [row.term]
            if several_models:
                cells.append(name.level if by_level else row.model)
            if several_outcomes:
                cells.append(row.outcome)
            cells += [
                formats.number(row.estimate)
                if not formats.known(row.p_value)
                else _or_dash(row.estimate, formats.number),
                _with_interval(row.ci_low, row.ci_high),
                _or_dash(row.p_value, _p),
                _or_dash(row.n_obs, formats.count),
            ]
            if several_estimands:
                cells.append(row.estimand)
            shown.append(cells)
        extra = [
            name
            for name, wanted in (("Sample" if by_level else "Model", several_models), ("Outcome", several_outcomes))
            if wanted
        ]
        header[1:1] = extra
        align = "l" + "l" * len(extra) + align[1:]
        if several_estimands:
            header, align = [*header, "Estimand"], align + "l"
        vcov = ", ".join(dict.fromkeys(row.vcov for row in rows if row.vcov))
        estimand = f" Estimand: {next(iter(estimands))}." if len(estimands) == 1 else ""
        errors = f" Standard errors and intervals: {vcov}." if vcov else ""
        noted = _table_notes(rows)
        block = self._table(
            header,
            shown,
            title=f"{title[:1].upper()}{title[1:]}.{estimand}{errors}",
            anchor=anchor,
            align=align,
            models=[r.model for r in rows],
        )
        return block + noted

    def time_order_table(self) -> Markdown:
        """Show each exposure's estimate under the strict and the naive time order, side by side."""
        rows = []
        models = []
        for row in self.results.rows:
            name = ModelName.of(row.model)
            if name.variant != "naive" or not self._has_exposure(row.term):
                continue
            strict = row.model.removesuffix("@naive")
            if not self.results.has(strict, row.term, row.outcome):
                continue
            kept = self.results.est(strict, row.term, row.outcome)
            models += [strict, row.model]
            rows.append([strict, row.term, *self._side(kept), *self._side(row)])
        header = ["Model", "Term", "Strict", "95% CI", "n", "Naive", "95% CI", "n"]
        title = (
            "What the time-order rule changes: strict uses only engagement dated before the outcome, naive all of it."
        )
        return self._table(header, rows, title=title, anchor="time-order", align="llrrrrrr", models=models)

    def _has_exposure(self, term: str) -> bool:
        return any(factor.partition("[")[0] in self.study.exposures for factor in term.split(":"))

    @staticmethod
    def _side(row: Estimate) -> list[Markdown]:
        interval = _with_interval(row.ci_low, row.ci_high)
        return [formats.number(row.estimate), interval, _or_dash(row.n_obs, formats.count)]

    def verdict_records(self) -> list[dict[str, Any]]:
        """Return the verdicts row by row, each with estimand and number of observations of its deciding estimate."""
        records = []
        for record in self.verdicts.to_dict("records"):
            verdict = {str(name): value for name, value in record.items()}
            if self.results.has(verdict["model"], verdict["term"]):
                row = self.results.est(verdict["model"], verdict["term"])
                verdict = {"estimand": row.estimand, "n_obs": row.n_obs} | verdict
            anchor = Markdown(identifier("hypothesis", verdict["hypothesis"]))
            absent = {"estimand": "", "n_obs": None, "status": "", "adjustment": "", "registered": "", "sha256": ""}
            day, sha = self.provenance.registered.get(verdict["hypothesis"], ("", ""))
            verdict = {"registered": day, "sha256": sha[:SHORT]} | verdict
            records.append(absent | {"anchor": anchor} | verdict)
        return records

    def verdict_table(self) -> Markdown:
        """Show every hypothesis with the estimate that decides it and its verdict."""
        rows = [
            [
                Markdown(f"[{escape(v['hypothesis'].replace('_', ' '))}](#{v['anchor']})"),
                v["expects"], Markdown(f"[{escape(v['verdict'])}]{{.verdict}}") + _marked(v["status"]),
                formats.number(v["estimate"]), _with_interval(v["ci_low"], v["ci_high"]), _or_dash(v["p_adjusted"], _p),
                formats.number(v["smallest_effect"]), _or_dash(v["n_obs"], formats.count),
            ]
            for v in self.verdict_records()
        ]  # fmt: skip
        header = ["Hypothesis", "Expects", "Verdict", "Estimate", "95% CI", "p, adjusted", "Smallest effect", "n"]
        title = "Hypotheses, each with the one estimate that the study file names for it."
        return self._table(header, rows, title=title, anchor="verdicts", align="lllrrrrr", notebooks=[SYNTHESIS])

    def deviations_table(self) -> Markdown:
        """Show the log of departures from the registered hypotheses; nothing where there are none."""
        rows = [
            [
                d.hypothesis.replace("_", " "), str(d.date), d.what, d.why,
                "yes: exploratory" if d.after_results else "no",
            ]
            for d in self.study.deviations
        ]  # fmt: skip
        header = ["Hypothesis", "Date", "What changed", "Why", "Results seen"]
        title = "Deviations from the registered hypotheses."
        return self._table(header, rows, title=title, anchor="deviations", align="lllll", notebooks=[SYNTHESIS])

    def truth_table(self) -> Markdown:
        """Show the planted value beside its estimate, in a simulated study; nothing in any other."""
        rows = []
        models = []
        for key, planted in self.study.truth.items():
            model, term = split_estimate(key)
            row = self.results.est(model, term)
            models.append(model)
            covered = "not estimable"
            if formats.known(row.ci_low) and formats.known(row.ci_high):
                covered = "yes" if row.ci_low <= planted <= row.ci_high else "no"
            rows.append([model, term, formats.number(planted), *self._side(row), covered])
        header = ["Model", "Term", "Planted", "Estimate", "95% CI", "n", "Interval covers it"]
        return self._table(
            header, rows, title="Planted truth beside its estimate.", anchor="truth", align="llrrrrl", models=models
        )

    def breakdown_table(self, covariate: str) -> Markdown:
        """Show the share of units with each outcome by the levels of a covariate, one row per frame and level.

        Raises
        ------
        UnknownEstimateError : the covariate was not described.
        """
        base = f"by_{covariate}"
        found = list(self.results.named(base))
        if not found:
            described = [name for name in self.study.covariates if any(self.results.named(f"by_{name}"))]
            raise UnknownEstimateError(
                f"no shares by {covariate!r} among the estimates; {nearest(covariate, described)}"
            )
        outcomes = [name for name in self.study.outcomes if any(row.outcome == name for row in found)]
        cells = {(row.model, row.term, row.outcome): row for row in found}
        rows: list[list[object]] = []
        for model, level in dict.fromkeys((row.model, row.term) for row in found):
            of_level = [cells[model, level, outcome] for outcome in outcomes]
            shares = [_share_with_interval(row) for row in of_level]
            most = max(row.n_obs or 0 for row in of_level)
            rows.append([ModelName.of(model).level, level.replace("_", " "), formats.count(most), *shares])
        header = ["Sample", str(self.study.covariates[covariate].label), "n", *map(self._outcome, outcomes)]
        title = f"Share of {self.study.unit.plural} with each outcome, by {self.study.covariates[covariate].label}."
        align = "llr" + "r" * len(outcomes)
        return self._table(header, rows, title=title, anchor=base, align=align, models=[row.model for row in found])

    def sample_flow(self, base: str = "flow") -> Markdown:
        """Show how many units remain at each step: the terms of a descriptive model in their order, a row per outcome.

        Nothing where the study made no such model.
        """
        steps = list(self.results.named(base))
        terms = {row.term: row.estimand or row.term for row in steps}
        flows: dict[tuple[str, str], dict[str, Markdown]] = {}
        for row in steps:
            level = ModelName.of(row.model).level
            flows.setdefault((level, row.outcome), {})[row.term] = formats.count(row.estimate)
        framed = any(level for level, _ in flows)
        rows = [
            [self._outcome(outcome), *([level] if framed else []), *(cells.get(term, "–") for term in terms)]
            for (level, outcome), cells in flows.items()
        ]
        header = ["Outcome", *(["Frame"] if framed else []), *(name[:1].upper() + name[1:] for name in terms.values())]
        align = ("ll" if framed else "l") + "r" * len(terms)
        title = f"Sample flow: {self.study.unit.plural} from first to last, and why the others left."
        return self._table(header, rows, title=title, anchor=base, align=align, models=[r.model for r in steps])

    def _outcome(self, name: str) -> str:
        declared = self.study.outcomes.get(name)
        return declared.label if declared else name

    def indicator_table(self) -> Markdown:
        """Show the study's exposures and outcomes as declared."""
        rows: list[list[object]] = [
            [
                "process",
                e.label,
                ", ".join(e.indicators),
                f"{e.aggregate}, {e.transform}{_SCALED[e.scale]}",
                f"{e.time_order} time order" + (f", lag {e.lag}" if self.study.unit.grain else ""),
            ]
            for e in self.study.exposures.values()
        ]
        rows += [
            [
                "outcome",
                o.label,
                ", ".join(o.indicators or ["every outcome code"]),
                o.type,
                f"stage {o.min_stage} or higher",
            ]
            for o in self.study.outcomes.values()
        ]
        title = "Indicators: process is what a campaign did or reached, outcome is what changed."
        return self._table(
            ["Kind", "Indicator", "Source codes", "Form", "Rule"], rows, title=title, anchor="indicators",
            align="lllll", notebooks=["02_process_indicators", "03_outcome_indicators"],
        )  # fmt: skip


def _marked(status: str) -> Markdown:
    """Mark the verdict on a hypothesis that took its form after results were seen."""
    return Markdown(", exploratory") if status == "exploratory" else NOTHING


def _table_notes(rows: list[Estimate]) -> Markdown:
    notes: dict[str, list[str]] = {}
    for row in rows:
        if row.note:
            notes.setdefault(row.note, []).append(row.term)
    if not notes:
        return NOTHING
    every = {row.term for row in rows}
    lines = [
        f"- {escape(note)}" + (f" ({escape(', '.join(dict.fromkeys(terms)))})" if set(terms) != every else "")
        for note, terms in notes.items()
    ]
    return Markdown("\n\n::: notes\nNotes:\n\n" + "\n".join(lines) + "\n:::\n\n")
