"""Reading R's data files (``.RData``, ``.rda``) as data frames, without running anything that is in them."""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd
import rdata

from analysis.errors import InputError, Problem


def read_r(root: Path, name: str, table: str) -> pd.DataFrame:
    """Read one data frame of an R data file.

    Parameters
    ----------
    root, name : folder, and path under it, as shown in errors.
    table : the data frame's name in the file.

    Returns
    -------
    (n, k) as R stored it: text, numbers, factors as categories. R's date-times stay seconds since 1970, in UTC.

    Raises
    ------
    InputError : the file cannot be read, or has no such data frame.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            objects = rdata.read_rda(root / name)
    except (ValueError, EOFError, OSError, NotImplementedError) as error:
        raise InputError([Problem(name, 0, "", "", f"cannot be read as an R data file ({error})")]) from None
    found = objects.get(table)
    if not isinstance(found, pd.DataFrame):
        names = ", ".join(str(key) for key, value in objects.items() if isinstance(value, pd.DataFrame))
        raise InputError([Problem(name, 0, "", table, f"is not a data frame of this file; it has: {names or 'none'}")])
    return found.reset_index(drop=True)
