"""Formulas, terms and model ids are parsed by one small grammar, and never run as code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.study import formula_columns
from analysis.study.grammar import Formula, ModelId, parse_term, split_estimate


@pytest.mark.parametrize(
    ("formula", "columns"),
    [
        ("y ~ a", {"a"}),
        ("y ~ a * b + C(m):c - 1", {"a", "b", "c", "m"}),
        ("y~0+C( m )", {"m"}),
        ("y ~ a + -1", {"a"}),
        ("y ~ 1", set()),
    ],
)
def test_the_columns_of_a_formula(formula: str, columns: set[str]) -> None:
    assert formula_columns(formula) == ("y", columns)


def test_the_terms_of_a_formula_are_expanded() -> None:
    assert Formula.parse("y ~ a * C(m) + b").terms == ("Intercept", "a", "C(m)", "a:C(m)", "b")
    assert "Intercept" not in Formula.parse("y ~ a - 1").terms


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ log(a)",
        "y ~ __import__('os').system('true')",
        "y ~ a.b",
        "y ~ a[0]",
        "y ~ {a}",
        "y ~ {a + 1}",
        "y ~ `a`",
        "y ~ 'a'",
        "y ~ C(a, contr.sum)",
        "y ~ C(a)(b)",
        "log(y) ~ a",
        "y ~ poly(a, 2)",
        "y ~ a ** b",
        "y ~ (a + b)",
        "y ~ a / b",
        "y ~ a | b",
        "y ~ .",
        "y ~ a + 2",
        "y ~ a - b",
        "y ~ 0:a",
        "y ~ 1*a",
        "y ~ a b",
        "y ~ a +",
        "y ~ a:*b",
        "y ~",
        "~ a",
        "y",
        "y + z ~ a",
        "y ~ a ~ b",
        "y ~ a # b",
        "y ~ C(a",
        "",
    ],
)
def test_anything_else_in_a_formula_is_refused(formula: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        formula_columns(formula)
    assert "\x1b" not in str(caught.value)


@given(st.text(st.sampled_from("yabC~+:*-10 ()[]{}`'\".|#@^%/=<>,;\\\n"), max_size=20))
def test_any_text_is_either_a_formula_of_names_or_refused(text: str) -> None:
    try:
        outcome, columns = formula_columns(text)
    except ValueError:
        return
    assert all(name.isidentifier() for name in {outcome, *columns})


def test_a_term_is_taken_apart_into_its_factors() -> None:
    posts, kind = parse_term("posts:C(kind)[T.mixed: both]")
    assert (posts.column, posts.level) == ("posts", None)
    assert (kind.column, kind.expression, kind.level, kind.contrast) == ("kind", "C(kind)", "mixed: both", True)
    assert not parse_term("kind[mixed]")[0].contrast


@pytest.mark.parametrize("term", ["", "a:", ":a", "a[T.b", "a[]", "a b", "log(a)", "a::b"])
def test_what_is_not_a_term_is_refused(term: str) -> None:
    with pytest.raises(ValueError, match="is not a term"):
        parse_term(term)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("counted", ("counted", None, False)),
        ("counted[w4r]", ("counted", "w4r", False)),
        ("counted@naive", ("counted", None, True)),
        ("counted[w4r: a]@naive", ("counted", "w4r: a", True)),
    ],
)
def test_a_model_id_is_taken_apart(text: str, parts: tuple[str, str | None, bool]) -> None:
    found = ModelId.parse(text)
    assert (found.model, found.value, found.naive) == parts
    assert split_estimate(f"{text}:a:b[T.c]") == (text, "a:b[T.c]")


@pytest.mark.parametrize("text", ["", "counted[", "counted[]", "counted@strict", "counted@naive[w4r]", "[w4r]"])
def test_what_is_not_a_model_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a model id"):
        ModelId.parse(text)
