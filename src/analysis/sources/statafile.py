"""Reading Stata's data files (``.dta``), on their own or in a zip archive, as data frames.

An archive is read in memory: nothing is unpacked, so that no name in it can lead out of a folder.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from analysis.errors import InputError, Problem, nearest

LARGEST = 512 * 1024**2
"""Bytes that a file may have once it is decompressed; a larger one is refused before it is."""


def read_stata(
    root: Path, name: str, columns: Mapping[str, str], labelled: tuple[str, ...] = (), member: str | None = None
) -> pd.DataFrame:
    """Read columns of one Stata file.

    Parameters
    ----------
    root, name : folder, and path under it, as shown in errors; a name that ends in ``.zip`` is an archive.
    columns : names in the file, and the names to give them.
    labelled : those of the file's names whose codes are to be replaced with their value labels, as text.
    member : the file in the archive, where there are several.

    Returns
    -------
    (n, k) in the file's order of rows and in the order of `columns`: numbers with missing values as NaN, text, days as
    datetime64.

    Raises
    ------
    InputError : the archive or the file cannot be read, has no such member or columns, is too large, or has a code
    without a label in a labelled column.
    """
    content = _unpacked(root, name, member) if name.endswith(".zip") else _read(root, name)
    try:
        with pd.read_stata(io.BytesIO(content), iterator=True) as stata:
            known = list(stata.variable_labels())
        missing = [column for column in columns if column not in known]
        if missing:
            raise InputError(
                Problem(name, 0, column, "", f"the column is missing; {nearest(column, known)}") for column in missing
            )
        table = pd.read_stata(io.BytesIO(content), columns=list(columns), convert_categoricals=False)
        codes = table[list(labelled)]
        for column in labelled:
            table[column] = _texts(content, name, column)
    except InputError:
        raise
    except (ValueError, LookupError, OverflowError, OSError, NotImplementedError, struct.error) as error:
        raise InputError([Problem(name, 0, "", "", f"cannot be read as a Stata file ({error})")]) from None
    problems = [
        Problem(name, 0, column, str(code), "is a code without a label")
        for column in labelled
        for code in sorted(set(codes.loc[table[column].isna() & codes[column].notna(), column]))
    ]
    if problems:
        raise InputError(problems)
    return table[list(columns)].rename(columns=dict(columns))


def _texts(content: bytes, name: str, column: str) -> pd.Series:
    labels = pd.read_stata(io.BytesIO(content), columns=[column], convert_categoricals=True)[column]
    if not isinstance(labels.dtype, pd.CategoricalDtype):
        raise InputError([Problem(name, 0, column, "", "has no value labels")])
    texts = {level: level for level in labels.cat.categories if isinstance(level, str)}
    written: pd.Series = labels.astype("object").map(texts)
    return written


def _read(root: Path, name: str) -> bytes:
    try:
        return (root / name).read_bytes()
    except OSError as error:
        raise InputError([Problem(name, 0, "", "", f"cannot be read ({error.strerror})")]) from None


def _unpacked(root: Path, name: str, member: str | None) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(_read(root, name))) as archive:
            files = [entry for entry in archive.infolist() if entry.filename.endswith(".dta")]
            wanted = [entry for entry in files if member is None or entry.filename == member]
            if len(wanted) != 1:
                held = ", ".join(entry.filename for entry in files) or "none"
                told = f"is not a Stata file of this archive; it has: {held}"
                rule = told if member else f"must hold one Stata file, or the study say which; it has: {held}"
                raise InputError([Problem(name, 0, "", member or "", rule)])
            if wanted[0].file_size > LARGEST:
                rule = f"has {wanted[0].file_size:,} bytes unpacked, more than the {LARGEST:,} that are read"
                raise InputError([Problem(name, 0, "", wanted[0].filename, rule)])
            return archive.read(wanted[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise InputError([Problem(name, 0, "", "", f"cannot be read as a zip archive ({error})")]) from None
