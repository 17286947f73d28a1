"""How numbers are written in a report: true minus signs, thin separators, and words where there is no number."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd

from analysis.report.markdown import Markdown, escape

MINUS = "\u2212"
SEPARATOR = "\u202f"
NO_BREAK = "\u00a0"
NOT_ESTIMABLE = "not estimable"

Number = float | int | None


def known(value: Number) -> bool:
    """Say whether there is a number to write."""
    return value is not None and not pd.isna(value)


def _missing(value: Number) -> bool:
    return not known(value)


def _digits(value: float, digits: int) -> str:
    if math.isinf(value):
        return f"{MINUS if value < 0 else ''}∞"
    return f"{value:,.{digits}f}".replace(",", SEPARATOR).replace("-", MINUS)


def _rounded(value: float, digits: int) -> str:
    text = _digits(value, digits)
    return text.removeprefix(MINUS) if not any(c in "123456789∞" for c in text) else text


def number(value: Number, digits: int = 3) -> Markdown:
    """Write a number with fixed decimals; what would round to zero is written in scientific notation."""
    if _missing(value):
        return Markdown(NOT_ESTIMABLE)
    x = float(value or 0)
    if x and abs(x) < 0.5 * 10**-digits:
        mantissa, exponent = f"{x:.1e}".split("e")
        power = f"{MINUS if int(exponent) < 0 else ''}{abs(int(exponent))}"
        return escape(mantissa.replace("-", MINUS) + "×10") + Markdown(f"^{power}^")
    return escape(_digits(x, 0 if abs(x) >= 1e4 else digits))


def points(value: Number, digits: int = 1) -> Markdown:
    """Write a difference of probabilities in percentage points."""
    if _missing(value):
        return Markdown(NOT_ESTIMABLE)
    return escape(_rounded(100 * float(value or 0), digits) + f"{NO_BREAK}percentage points")


def percent(value: Number, digits: int = 1) -> Markdown:
    """Write a share as a percentage."""
    if _missing(value):
        return Markdown(NOT_ESTIMABLE)
    return escape(_rounded(100 * float(value or 0), digits) + "%")


def count(value: Number) -> Markdown:
    """Write a whole number with thin separators."""
    if _missing(value):
        return Markdown(NOT_ESTIMABLE)
    return escape(_digits(round(float(value or 0)), 0))


def ratio(value: Number, digits: int = 3) -> Markdown:
    """Write the logarithm of a ratio as the ratio."""
    return number(None if _missing(value) else math.exp(float(value or 0)), digits)


def p_value(value: Number, symbol: bool = True) -> Markdown:
    """Write a p-value to three decimals, ``p < 0.001`` below that."""
    if _missing(value):
        return Markdown(NOT_ESTIMABLE)
    x = float(value or 0)
    relation, shown = ("<", "0.001") if x < 0.001 else ("=", f"{x:.3f}")
    if symbol:
        return Markdown("*p*") + escape(NO_BREAK + relation + NO_BREAK + shown)
    return escape(f"<{NO_BREAK}{shown}" if relation == "<" else shown)


def interval(low: Number, high: Number, form: Callable[[Number], Markdown] = number) -> Markdown:
    """Write the two ends of an interval, the unit once; of a one-sided one, the end that there is."""
    if _missing(low) and _missing(high):
        return Markdown(NOT_ESTIMABLE)
    if _missing(low) or _missing(high):
        return escape("up to ") + form(high) if _missing(low) else escape("from ") + form(low)
    ends = [form(low), form(high)]
    units = [escape(f"{NO_BREAK}percentage points"), escape("%")]
    for unit in units:
        if ends[0].endswith(unit) and ends[1].endswith(unit):
            ends[0] = Markdown(ends[0].removesuffix(unit))
    return Markdown(" to ").join(ends)


def sentence(text: str) -> Markdown:
    """Make a clause a sentence: a capital at its beginning, a full stop at its end."""
    clause = text.strip()
    ends = clause.endswith((".", "!", "?"))
    return escape(clause[:1].upper() + clause[1:] + ("" if ends or not clause else "."))


FORMATS: dict[str, Callable[..., Markdown]] = {
    "number": number,
    "points": points,
    "percent": percent,
    "count": count,
    "ratio": ratio,
    "p_value": p_value,
    "sentence": sentence,
}
