"""The estimates table as a report reads it: by name, and never a wrong name in silence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property

import pandas as pd

from analysis.errors import nearest
from analysis.models.estimates import Estimate
from analysis.report import formats
from analysis.report.markdown import Markdown, escape

_MODEL = re.compile(r"^(?P<base>[^\[@]+)(?:\[(?P<level>.*)\])?(?:@(?P<variant>.+))?$")
_FIELDS = [field.name for field in fields(Estimate)]


class UnknownEstimateError(LookupError):
    """A template names an estimate that the study has not made."""


@dataclass(frozen=True)
class ModelName:
    """The parts of a model's name, ``base[level]@variant``."""

    base: str
    level: str
    variant: str

    @classmethod
    def of(cls, name: str) -> ModelName:
        """Take a model's name apart."""
        match = _MODEL.match(name)
        if match is None:
            return cls(name, "", "")
        return cls(match["base"], match["level"] or "", match["variant"] or "")


class Results:
    """Look up estimates by model, term and, where a model explains several, outcome.

    Parameters
    ----------
    table : (n, 19) estimates table; model, outcome and term are unique together.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table

    @cached_property
    def rows(self) -> list[Estimate]:
        """Every estimate, in the table's order."""
        plain = self.table[_FIELDS].astype(object).where(self.table[_FIELDS].notna(), None)
        return [Estimate(**{str(k): v for k, v in row.items()}) for row in plain.to_dict("records")]

    @cached_property
    def models(self) -> list[str]:
        """The models' names, in the table's order."""
        return list(dict.fromkeys(row.model for row in self.rows))

    def of(self, model: str) -> list[Estimate]:
        """Return a model's estimates.

        Raises
        ------
        UnknownEstimateError : there is no such model; the message names the nearest.
        """
        found = [row for row in self.rows if row.model == model]
        if not found:
            raise UnknownEstimateError(f"no model {model!r} among the estimates; {nearest(model, self.models)}")
        return found

    def named(self, base: str) -> Iterator[Estimate]:
        """Yield the estimates of a model in every level and variant."""
        return (row for row in self.rows if ModelName.of(row.model).base == base)

    def est(self, model: str, term: str, outcome: str | None = None) -> Estimate:
        """Return one estimate.

        Raises
        ------
        UnknownEstimateError : model, term or outcome is unknown, or the outcome must be said; nearest names are given.
        """
        rows = self.of(model)
        found = [row for row in rows if row.term == term]
        if not found:
            terms = dict.fromkeys(row.term for row in rows)
            raise UnknownEstimateError(f"model {model!r} has no term {term!r}; {nearest(term, terms)}")
        chosen = [row for row in found if outcome in (None, row.outcome)]
        if len(chosen) != 1:
            outcomes = [row.outcome for row in found]
            problem = f"has no outcome {outcome!r}" if outcome else "explains several outcomes: say which"
            raise UnknownEstimateError(f"term {term!r} of model {model!r} {problem}; {nearest(outcome, outcomes)}")
        return chosen[0]

    def has(self, model: str, term: str | None = None, outcome: str | None = None) -> bool:
        """Say whether there is such an estimate, for text that holds only where there is."""
        return any(
            row.model == model and term in (None, row.term) and outcome in (None, row.outcome) for row in self.rows
        )

    def n(self, model: str, term: str | None = None, outcome: str | None = None) -> Markdown:
        """Write the number of observations behind an estimate, or the largest behind a model's."""
        if term is not None:
            return formats.count(self.est(model, term, outcome).n_obs)
        known = [row.n_obs for row in self.of(model) if row.n_obs is not None]
        return formats.count(max(known, default=None))

    def share(self, model: str, term: str, outcome: str | None = None) -> Markdown:
        """Write an estimated share as a percentage."""
        return formats.percent(self.est(model, term, outcome).estimate)

    def ci(self, model: str, term: str, outcome: str | None = None, form: str = "number") -> Markdown:
        """Write the 95% interval of an estimate.

        Parameters
        ----------
        form : ``number``, ``points`` or ``percent``.
        """
        row = self.est(model, term, outcome)
        return interval(row.ci_low, row.ci_high, form)


def interval(low: float, high: float, form: str = "number") -> Markdown:
    """Write a 95% interval, named as such."""
    return escape(f"95% CI{formats.NO_BREAK}") + formats.interval(low, high, formats.FORMATS[form])
