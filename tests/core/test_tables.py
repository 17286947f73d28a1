"""Canonical tables are checked as a whole, and described for those who do not have this code."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from derived import Derived, shuffled

from analysis.datapackage import descriptor
from analysis.errors import InputError
from analysis.study.spec import Study
from analysis.tables import KEYS, CanonicalTables, overview


def refused(tables: CanonicalTables) -> list[tuple[str, str, str]]:
    with pytest.raises(InputError) as error:
        tables.validated(["frame"], "made up")
    return [(p.file, p.column, p.value) for p in error.value.problems]


def test_the_order_of_rows_and_the_index_are_forgotten(registry: CanonicalTables) -> None:
    again = shuffled(registry, seed=3).validated(["frame"], "registry")
    for field in fields(registry):
        pd.testing.assert_frame_equal(getattr(again, field.name), getattr(registry, field.name))


def test_a_row_of_no_unit_is_refused_in_every_table(registry: CanonicalTables) -> None:
    def orphaned(table: pd.DataFrame, unit: str) -> pd.DataFrame:
        return pd.concat([table, table.head(1).assign(unit_id=unit)])

    broken = replace(
        registry, process=orphaned(registry.process, "ghost-1"), outcomes=orphaned(registry.outcomes, "ghost-2")
    )
    found = refused(broken)
    assert ("made up (process)", "unit_id", "ghost-1") in found
    assert ("made up (outcomes)", "unit_id", "ghost-2") in found


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("process", "value", -1.0),
        ("process", "value", np.nan),
        ("process", "grade", "D"),
        ("process", "counting", "both"),
        ("process", "indicator", ""),
        ("outcomes", "stage", 6),
        ("outcomes", "direction", 2),
    ],
)
def test_a_value_out_of_range_is_refused(registry: CanonicalTables, table: str, column: str, value: object) -> None:
    rows = getattr(registry, table).copy()
    rows[column] = [value, *rows[column].iloc[1:]]
    assert (f"made up ({table})", column) in {
        (file, where) for file, where, _ in refused(replace(registry, **{table: rows}))
    }


def test_an_interval_that_ends_before_it_begins_is_refused(registry: CanonicalTables) -> None:
    process = registry.process.assign(start=registry.process["end"], end=registry.process["start"])
    with pytest.raises(InputError, match="start is not after end"):
        replace(registry, process=process).validated(["frame"], "made up")


def test_missing_and_unknown_columns_are_refused(registry: CanonicalTables) -> None:
    broken = replace(
        registry,
        units=registry.units.drop(columns="frame"),
        process=registry.process.assign(colour="red"),
        outcomes=registry.outcomes.drop(columns="stage"),
    )
    assert {(file, value) for file, _, value in refused(broken)} >= {
        ("made up (units)", "frame"),
        ("made up (process)", "colour"),
        ("made up (outcomes)", "stage"),
    }


def test_a_repeated_key_is_refused(registry: CanonicalTables) -> None:
    process = pd.concat([registry.process, registry.process.head(1)])
    assert {file for file, _, _ in refused(replace(registry, process=process))} == {"made up (process)"}


def test_the_overview_counts_rows_units_and_undated_rows(registry: CanonicalTables) -> None:
    table = overview(registry)
    assert table["rows"].to_dict() == {"units": 221, "process": 220, "outcomes": 275, "context": 0}
    assert table.loc["process", "undated rows"] == (registry.process["time"] == "").sum()


def test_the_descriptor_describes_every_column_of_every_table(
    campaigns: Study, registry: CanonicalTables, derived: Derived
) -> None:
    tables = {"units": registry.units, "change": derived.changed, "analysis": derived.analysis}
    package = descriptor(campaigns, tables, KEYS)
    for resource, table in zip(package["resources"], tables.values(), strict=True):
        assert [f["name"] for f in resource["schema"]["fields"]] == list(table.columns)
        assert set(resource["schema"]["primaryKey"]) <= set(table.columns)
        assert not table.duplicated(resource["schema"]["primaryKey"]).any()
    change = {f["name"]: f["type"] for f in package["resources"][1]["schema"]["fields"]}
    expected = {"unit_id": "string", "value": "number", "event": "boolean", "stage": "integer", "event_start": "date"}
    assert change.items() >= expected.items()
