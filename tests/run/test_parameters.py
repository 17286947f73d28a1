"""Parameters are checked against what a notebook declares, before any kernel starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.errors import InputError
from analysis.run.source import Notebook, Value, resolve

DECLARED = """\
study: str = "demo"
draws: int = 100
share: float = 0.5
profile: Literal["quick", "full"] = "quick"
limit: int | None = None
strict: bool = True
"""


def notebook(*lines: str, name: str = "05_regressions") -> Notebook:
    tagged = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "\n".join(lines)}
    return Notebook(Path(f"{name}.ipynb"), [{"cell_type": "markdown", "metadata": {}, "source": "#"}, tagged])


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("draws", "7", 7),
        ("share", "7", 7),
        ("share", "0.25", 0.25),
        ("profile", "full", "full"),
        ("limit", "None", None),
        ("limit", "3", 3),
        ("strict", "false", False),
        ("study", "7", "demo"),
    ],
)
def test_a_text_becomes_a_value_of_the_declared_type(name: str, text: str, value: Value) -> None:
    given = {} if name == "study" else {name: text}
    assert resolve([notebook(DECLARED)], "demo", given)["05_regressions"][name] == value


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("draws", "many", "parameter draws: 'many': is not of the declared type int"),
        ("draws", "1.5", "is not of the declared type int"),
        ("draws", "true", "is not of the declared type int"),
        ("profile", "fast", "is not of the declared type Literal['quick', 'full']"),
        ("drws", "3", "parameter drws: '3': no notebook of the study declares this parameter; did you mean 'draws'?"),
        ("04_link:draws", "3", "no notebook of the study declares this parameter"),
    ],
)
def test_a_wrong_parameter_is_refused(name: str, text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        resolve([notebook(DECLARED)], "demo", {name: text})
    assert said in str(refused.value)


def test_a_parameter_may_be_for_one_notebook() -> None:
    notebooks = [notebook(DECLARED), notebook(DECLARED, name="10_power")]
    values = resolve(notebooks, "demo", {"10_power:draws": "3"})
    assert values == {"05_regressions": {"study": "demo"}, "10_power": {"study": "demo", "draws": 3}}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (['study: str = "demo"', "draws: int"], "parameter draws: has no default: give one with -p draws=..."),
        (['study: str = "demo"', "draws: int = 1.5"], "draws: '1.5': the default is not of the declared type int"),
        (['study: str = "demo"', "draws = 3"], "a parameter needs a type, such as `draws: int = ...`"),
        (["draws: int = 3"], "declare `study: str` in a code cell tagged `parameters`"),
    ],
)
def test_a_wrong_declaration_is_refused(lines: list[str], said: str) -> None:
    with pytest.raises(InputError) as refused:
        resolve([notebook(*lines)], "demo", {})
    assert said in str(refused.value)
