"""Reading Stata files, in and outside of archives, and what is said where they cannot be read."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.errors import InputError
from analysis.sources import statafile
from analysis.sources.statafile import read_stata

COLUMNS = {"size": "residents", "city": "name", "day": "date", "kind": "kind"}


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "city": ["Ferguson", "New York"],
            "size": [21_000.0, np.nan],
            "day": pd.to_datetime(["2014-08-09", "2014-07-17"]),
            "kind": pd.Categorical(["town", "metropolis"]),
            "unused": [1, 2],
        }
    )


@pytest.fixture
def root(tmp_path: Path, table: pd.DataFrame) -> Path:
    table.to_stata(tmp_path / "places.dta", write_index=False)
    with zipfile.ZipFile(tmp_path / "places.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "places.dta", "../../outside/places.dta")
        archive.writestr("readme.txt", "about")
    return tmp_path


@pytest.mark.parametrize("name", ["places.dta", "places.zip"])
def test_columns_are_read_in_the_order_and_under_the_names_asked_for(
    root: Path, table: pd.DataFrame, name: str
) -> None:
    found = read_stata(root, name, COLUMNS, labelled=("kind",))
    assert list(found.columns) == ["residents", "name", "date", "kind"]
    assert found["residents"].equals(table["size"].rename("residents"))
    assert found["name"].tolist() == ["Ferguson", "New York"]
    assert found["kind"].tolist() == ["town", "metropolis"]
    assert (found["date"] == table["day"]).all()


def test_codes_are_kept_where_labels_are_not_asked_for(root: Path) -> None:
    assert read_stata(root, "places.dta", {"kind": "kind"})["kind"].tolist() == [1, 0]


def test_an_archive_is_read_in_memory(root: Path) -> None:
    before = sorted(root.rglob("*")) + sorted(root.parent.glob("outside*"))
    read_stata(root, "places.zip", {"city": "name"})
    assert sorted(root.rglob("*")) + sorted(root.parent.glob("outside*")) == before


def test_missing_columns_are_all_named_with_the_nearest(root: Path) -> None:
    with pytest.raises(InputError) as error:
        read_stata(root, "places.zip", {"sise": "residents", "town": "name"})
    assert "places.zip, sise: the column is missing; did you mean 'size'?" in str(error.value)
    assert "places.zip, town" in str(error.value)


def test_a_code_without_a_label_is_named(tmp_path: Path) -> None:
    table = pd.DataFrame({"kind": [1, 2, 7]})
    table.to_stata(tmp_path / "codes.dta", write_index=False, value_labels={"kind": {1: "town", 2: "city"}})
    with pytest.raises(InputError, match="kind: '7': is a code without a label"):
        read_stata(tmp_path, "codes.dta", {"kind": "kind"}, labelled=("kind",))


def test_a_column_without_labels_is_refused(root: Path) -> None:
    with pytest.raises(InputError, match="unused: has no value labels"):
        read_stata(root, "places.dta", {"unused": "unused"}, labelled=("unused",))


def test_an_archive_of_several_files_needs_a_name(root: Path) -> None:
    with zipfile.ZipFile(root / "two.zip", "w") as archive:
        archive.write(root / "places.dta", "a.dta")
        archive.write(root / "places.dta", "b.dta")
    assert len(read_stata(root, "two.zip", {"city": "name"}, member="b.dta")) == 2
    with pytest.raises(InputError, match=r"must hold one Stata file, or the study say which; it has: a\.dta, b\.dta"):
        read_stata(root, "two.zip", {"city": "name"})
    with pytest.raises(InputError, match=r"'c\.dta': is not a Stata file of this archive"):
        read_stata(root, "two.zip", {"city": "name"}, member="c.dta")


def test_what_is_not_an_archive_or_not_stata_is_refused(root: Path) -> None:
    content = (root / "places.zip").read_bytes()
    (root / "cut.zip").write_bytes(content[: len(content) // 2])
    (root / "text.dta").write_text("no such thing")
    whole = (root / "places.dta").read_bytes()
    cuts = {f"cut{length}.dta": whole[:length] for length in (0, 1, 40, 400)}
    for name, part in cuts.items():
        (root / name).write_bytes(part)
    for name in ("cut.zip", "text.dta", "absent.dta", *cuts):
        with pytest.raises(InputError, match=f"{name}.*cannot be read"):
            read_stata(root, name, {"city": "name"})


def test_a_file_that_would_fill_the_memory_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statafile, "LARGEST", 100)
    with pytest.raises(InputError, match="bytes unpacked, more than the 100 that are read"):
        read_stata(root, "places.zip", {"city": "name"})
