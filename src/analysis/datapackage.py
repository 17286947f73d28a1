"""A Data Package descriptor of a study's tables, so that they can be read without this code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.study.spec import Study

_TYPES = {"str": "string", "float64": "number", "int64": "integer", "Int64": "integer", "bool": "boolean"}


def descriptor(study: Study, tables: Mapping[str, pd.DataFrame], keys: Mapping[str, list[str]]) -> dict[str, Any]:
    """Describe tables by the Data Package standard.

    Parameters
    ----------
    tables : name of the Parquet file, without its ending, and its content.
    keys : name and primary key of the tables that have one.

    Returns
    -------
    The content of ``datapackage.json``.

    References
    ----------
    Data Package standard, version 2.0: Data Package, Data Resource and Table Schema.
    """
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": study.name,
        "title": study.title,
        "description": study.question,
        "licenses": [{"name": "CC-BY-4.0", "path": "https://creativecommons.org/licenses/by/4.0/"}],
        "resources": [
            {
                "name": name,
                "path": f"{name}.parquet",
                "format": "parquet",
                "mediatype": "application/vnd.apache.parquet",
                "schema": {
                    "fields": [{"name": str(c), "type": _field_type(table[c])} for c in table.columns],
                    "primaryKey": keys.get(name, []),
                },
            }
            for name, table in tables.items()
        ],
    }


def _field_type(column: pd.Series) -> str:
    return "date" if pd.api.types.is_datetime64_any_dtype(column) else _TYPES[str(column.dtype)]
