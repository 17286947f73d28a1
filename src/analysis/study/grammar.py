"""The small languages inside a study file: formulas, the terms they estimate, and the models that estimate them.

They are parsed, never evaluated: a study file is data and must not be able to run code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from formulaic.errors import FormulaParsingError
from formulaic.parser import DefaultFormulaParser
from formulaic.parser.algos.tokenize import tokenize
from formulaic.parser.types import Token

_NAME = r"[a-z][a-z0-9_]*"
_VARIABLE = rf"(?:{_NAME}|C\(\s*{_NAME}\s*\))"
_FACTOR = re.compile(rf"(?P<variable>{_VARIABLE})(?:\[(?P<contrast>T\.)?(?P<level>[^\[\]]+)\])?")
_MODEL = re.compile(r"(?P<model>[^\[\]@:]+)(?:\[(?P<value>[^\[\]]+)\])?(?P<naive>@naive)?")
_ESTIMATE = re.compile(r"(?P<model>[^\[\]@:]+(?:\[[^\[\]]+\])?(?:@naive)?):(?P<term>.+)")
INTERCEPT = "Intercept"


@dataclass(frozen=True)
class Formula:
    """A formula, taken apart.

    Parameters
    ----------
    outcome : the left side.
    terms : the right side expanded, in formulaic's spelling: ``a * b`` is ``a``, ``b``, ``a:b``.
    variables : the columns that the right side uses.
    """

    outcome: str
    terms: tuple[str, ...]
    variables: frozenset[str]

    @classmethod
    def parse(cls, formula: str) -> Formula:
        """Take apart a formula in formulaic's grammar that holds names, ``+``, ``:``, ``*``, ``C(name)``, 1, 0 or -1.

        Raises
        ------
        ValueError : anything else, such as a function call.
        """
        try:
            tokens = list(tokenize(formula))
            _refuse_code(formula, tokens)
            right = DefaultFormulaParser().get_terms(formula).rhs
        except FormulaParsingError:
            raise ValueError("is not a formula; write it as in `outcome ~ exposure + covariate`") from None
        variables = {_column(token.token) for token in tokens[1:] if token.kind in _VARIABLE_KINDS}
        terms = (INTERCEPT if str(term) == "1" else str(term) for term in right)
        return cls(tokens[0].token, tuple(terms), frozenset(variables))


_VARIABLE_KINDS = {Token.Kind.NAME, Token.Kind.PYTHON}


def formula_columns(formula: str) -> tuple[str, set[str]]:
    """Return the columns that a formula needs.

    Returns
    -------
    The outcome on its left side, and the variables on its right side.

    Raises
    ------
    ValueError : the formula holds more than names, ``+``, ``:``, ``*``, ``C(name)``, ``1``, ``0`` and ``-1``.
    """
    parsed = Formula.parse(formula)
    return parsed.outcome, set(parsed.variables)


@dataclass(frozen=True)
class Factor:
    """One factor of a term: ``modality[T.mixed]`` is the variable ``modality`` at the level ``mixed``.

    Parameters
    ----------
    expression : as the formula writes it, such as ``modality`` or ``C(modality)``.
    level : of a categorical variable, else None.
    contrast : the level is compared with a reference level (``T.``).
    """

    expression: str
    level: str | None
    contrast: bool

    @property
    def column(self) -> str:
        """The variable's column."""
        return _column(self.expression)


def parse_term(term: str) -> tuple[Factor, ...]:
    """Take apart the name of an estimate's term, such as ``a``, ``a[T.level]`` or ``a:b``.

    Raises
    ------
    ValueError : the name can't be one of a term.
    """
    factors, position = [], 0
    while match := _FACTOR.match(term, position):
        factors.append(Factor(match["variable"], match["level"], match["contrast"] is not None))
        position = match.end()
        if position == len(term):
            return tuple(factors)
        if term[position] != ":":
            break
        position += 1
    raise ValueError("is not a term; write it as in `exposure`, `covariate[T.level]` or `exposure:covariate`")


@dataclass(frozen=True)
class ModelId:
    """Which fit of a model: ``<model>``, or ``<model>[<value>]`` where it has `each`, with ``@naive`` after it or not.

    Parameters
    ----------
    model : a model of the study.
    value : of the attribute in each value of which the model is fitted.
    naive : the fit with naive instead of time-ordered exposures.
    """

    model: str
    value: str | None
    naive: bool

    @classmethod
    def parse(cls, text: str) -> ModelId:
        """Take apart a model id.

        Raises
        ------
        ValueError : the text is not one.
        """
        match = _MODEL.fullmatch(text)
        if match is None:
            raise ValueError("is not a model id; write it as in `model`, `model[value]` or `model[value]@naive`")
        return cls(match["model"], match["value"], match["naive"] is not None)


def split_estimate(text: str) -> tuple[str, str]:
    """Split ``<model id>:<term>``.

    Raises
    ------
    ValueError : the text is not of this form.
    """
    match = _ESTIMATE.fullmatch(text)
    if match is None:
        raise ValueError("must be a model id and a term, as in `model:term` or `model[value]@naive:term`")
    return match["model"], match["term"]


def _column(expression: str) -> str:
    return expression.removeprefix("C(").removesuffix(")").strip()


def _refuse_code(formula: str, tokens: list[Token]) -> None:
    """Refuse what formulaic would look up under a quoted name or evaluate, and operators that drop terms."""
    if set("`{}") & set(formula):
        raise ValueError("a formula has no backticks or braces; use the declared names as they are")
    for token in tokens:
        if token.kind in _VARIABLE_KINDS and not re.fullmatch(_VARIABLE, token.token):
            raise ValueError(f"{token.token!r} is code; a formula may hold only names and C(name), because it is data")
        if token.kind is Token.Kind.VALUE and token.token not in {"0", "1"}:
            raise ValueError(
                f"{token.token!r} can't be in a formula; its only numbers are those of the intercept, 1, 0 and -1"
            )
        if token.kind is Token.Kind.CONTEXT or (token.kind is Token.Kind.OPERATOR and not _is_operator(token.token)):
            raise ValueError(f"{token.token!r} can't be in a formula; its operators are `+`, `:` and `*`")
    words = [token.token for token in tokens]
    for left, right in pairwise(words):
        if left.endswith("-") and right != "1":
            raise ValueError("only the intercept can be removed, by `- 1`; leave other terms out")
        if {left, right} & {"0", "1"} and set(":*") & {*left, *right}:
            raise ValueError("1 and 0 stand for the intercept, which can't be part of an interaction")
    one_outcome = len(words) > 2 and tokens[0].kind is Token.Kind.NAME and words[1].startswith("~")
    if not one_outcome or "".join(words).count("~") != 1:
        raise ValueError("must have one outcome on its left side, as in `outcome ~ exposure + covariate`")


def _is_operator(token: str) -> bool:
    return set(token) <= set("~+:*-") and "**" not in token
