"""What a template may hold: numbers by name, and nothing typed by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.errors import InputError
from analysis.report import template
from analysis.report.exhibits import Exhibits
from analysis.report.results import Results


@pytest.fixture
def fill(tmp_path: Path, study, estimates, verdicts, provenance):
    def _fill(text: str, **others: str) -> str:
        folder = tmp_path / "templates"
        folder.mkdir(exist_ok=True)
        for name, content in {"base": text, **others}.items():
            (folder / f"{name}.md").write_text(content)
        return template.fill(Exhibits(study, Results(estimates), verdicts, {}, provenance), folder)

    return _fill


def problems(error: pytest.ExceptionInfo[InputError]) -> list[tuple[str, int, str]]:
    return [(p.file, p.line, p.value) for p in error.value.problems]


def test_numbers_come_by_name(fill):
    text = fill('{{ est("counted[w4r]", "counted").estimate | points }} ({{ n("counted[w4r]", "counted") }})')
    assert text.replace("\\", "") == "−4.3\u00a0percentage points (1\u202f310)"


def test_every_digit_typed_by_hand_is_listed_with_its_line(fill):
    with pytest.raises(InputError) as error:
        fill("No number here.\n\nAbout 62% improved,\n{{ n('counted[w4r]') }} or ½ in 2014.\n")
    assert problems(error) == [("base.md", 3, "62%"), ("base.md", 4, "2014."), ("base.md", 4, "½")]


def test_digit_in_an_included_template_is_found(fill):
    with pytest.raises(InputError) as error:
        fill('{% include "part.md" %}', part="\nAbout 7.")
    assert problems(error) == [("part.md", 2, "7.")]


def test_digit_in_the_template_that_is_extended_is_found(fill):
    with pytest.raises(InputError) as error:
        fill("About 7.", sample='{% extends "base.md" %}')
    assert problems(error) == [("base.md", 1, "7.")]


@pytest.mark.parametrize("text", ["{{ 62 }}", "{{ 0.62 | percent }}", "{{ '62' }}"])
def test_number_typed_inside_a_tag_is_refused(fill, text):
    with pytest.raises(InputError, match="typed by hand inside a tag"):
        fill(text)


def test_digits_may_stand_in_tags_citations_and_targets(fill):
    fill('{## 12 ##}{% if has("x1") %}no{% endif %} [paper](figures/a1.svg) {{ n("counted[w4r]") }} [@keck-sikkink]')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('\n{{ est("counted[w4]", "counted").estimate }}', r"line 2: no model 'counted\[w4\]'.*'counted\[w4r\]'\?"),
        ('\n\n{{ share("timing[w4r]", "share_before") }}', r"line 3: .*'share_before'; .*'share_before_improvement'\?"),
        ('{{ figure("timng") }}', "line 1: no figure 'timng'"),
        ("\n{{ nonsense }}", "line 2: 'nonsense' is undefined"),
        ("As [@keck-sikink] say.", "line 1: '@keck-sikink': is not in the bibliography; did you mean 'keck-sikkink'"),
        ("{{ 'a' ~ study.title }}", "joins text past the escaping"),
    ],
)  # fmt: skip
def test_unknown_name_is_refused_with_line_and_nearest(fill, text, message):
    with pytest.raises(InputError, match=message):
        fill(text)


def test_templates_are_sandboxed(fill):
    with pytest.raises(InputError, match=r"base\.md, line 1: .*unsafe"):
        fill("{{ study.__class__.__mro__ }}")


def test_conclusion_may_depend_on_what_was_estimated(fill):
    assert fill('{% if has("dose[w4r]", "signatures") %}yes{% endif %}{% if has("dose[xx]") %}no{% endif %}') == "yes"


def test_study_template_extends_the_base_and_keeps_its_text(fill):
    base = "{% block a %}{{ study.title }}{% endblock %}!"
    assert fill(base, sample='{% extends "base.md" %}{% block a %}*More:* {{ super() }}{% endblock %}') == (
        "*More:* Signatures and release!"
    )


@pytest.mark.parametrize("name", sorted(path.name for path in template.TEMPLATES.glob("*.md")))
def test_template_of_this_project_holds_no_number_typed_by_hand(name):
    env = template.environment()
    template.check(template.family(name, env), env)


def test_bibliography_keys_hold_no_digit():
    assert template.citation_keys() and not any(c.isdigit() for key in template.citation_keys() for c in key)
