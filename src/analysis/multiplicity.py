"""Adjusting the p-values of a family of hypotheses for their number (notebook 11).

Families and their methods are fixed in the study file. A hypothesis whose estimate does not exist counts as p = 1, so
that a family does not become smaller, and its tests easier to pass, because data turned out to be missing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

METHODS = {"holm": ("holm", "Holm"), "bh": ("fdr_bh", "Benjamini and Hochberg (false discovery rate)")}
"""Method of a family: its name in statsmodels, and in words."""

ROMANO_WOLF = ":romano_wolf"
"""Ends the model of the rows in which notebook 09 leaves p-values from joint resampling."""


def adjusted(judged: pd.DataFrame, families: Mapping[str, str], estimates: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Adjust p-values within families.

    Parameters
    ----------
    judged : (h, k) one row per hypothesis: `family`, `model`, `term`, `p_value` (missing where not estimable).
    families : method of each family, ``holm`` where it is not named.
    estimates : of the whole study; its rows ``<model>:romano_wolf`` are read for families of that method.

    Returns
    -------
    The adjusted p-value of each hypothesis, missing where its own is, and how it came about, in words. A family whose
    method is romano_wolf, but one of whose members could not be resampled, is adjusted by Holm's method and says why.

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure. Benjamini and Hochberg (1995), Controlling the
    false discovery rate. Romano and Wolf (2005), Stepwise multiple testing as formalized data snooping.
    """
    p_adjusted = pd.Series(np.nan, index=judged.index)
    told = pd.Series("", index=judged.index)
    for family, members in judged.groupby("family"):
        method = families.get(str(family), "holm")
        note = ""
        if method == "romano_wolf":
            resampled, why = _resampled(members, estimates)
            if not why:
                p_adjusted[members.index] = resampled
                told[members.index] = f"Romano and Wolf, {_size(members)}"
                continue
            method, note = "holm", f"; Romano and Wolf was not possible: {why}"
        key, name = METHODS[method]
        counted = multipletests(members["p_value"].fillna(1.0), method=key)[1]
        p_adjusted[members.index] = np.where(members["p_value"].isna(), np.nan, counted)
        told[members.index] = f"{name}, {_size(members)}{note}"
    return p_adjusted, told


def _size(members: pd.DataFrame) -> str:
    lost = int(members["p_value"].isna().sum())
    counted = f", of which {lost} not estimable and counted as p = 1" if lost else ""
    return f"{len(members)} in the family{counted}"


def _resampled(members: pd.DataFrame, estimates: pd.DataFrame) -> tuple[pd.Series, str]:
    """Return the p-values from joint resampling, and why there are none, empty where there are."""
    rows = estimates[estimates["model"].str.endswith(ROMANO_WOLF)].set_index(["model", "term"])
    found = pd.Series(np.nan, index=members.index)
    for position, (_, member) in enumerate(members.iterrows()):
        key = (f"{member['model']}{ROMANO_WOLF}", member["term"])
        if pd.isna(member["p_value"]):
            return found, f"{member['model']}:{member['term']} is not estimable"
        if key not in rows.index:
            return found, f"{member['model']}:{member['term']} was not resampled"
        row = rows.loc[[key]].iloc[0]
        if pd.isna(row["p_value"]):
            return found, str(row["note"]).removeprefix("not estimable: ")
        found.iloc[position] = row["p_value"]
    return found, ""
