"""The rows of a design matrix that a fit can use: weights checked, singletons left out, effects to be absorbed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.models.design_matrix import DesignMatrix, NotEstimableError
from analysis.models.fixed_effects import ABSORBED, Effects

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_COLLINEAR = 1e-9
_COLLINEAR_AS_GIVEN = 1e-14
"""Effects are removed to about twelve digits; without effects only rounding hides that columns are collinear."""


@dataclass(frozen=True)
class UsableRows:
    """What is left of a design matrix, and what a reader must know of the rest.

    Attributes
    ----------
    data : of the rows that are used.
    effects : of those rows, or None.
    notes : rows lost, and weights.
    """

    data: DesignMatrix
    effects: Effects | None
    notes: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Names of the regressors."""
        return [str(name) for name in self.data.x.columns]

    @cached_property
    def y(self) -> Floats:
        """Outcome, (n,)."""
        return self.data.y.to_numpy(np.float64)

    @cached_property
    def x(self) -> Floats:
        """Regressors, (n, k)."""
        return self.data.x.to_numpy(np.float64)

    @cached_property
    def weights(self) -> Floats | None:
        """Weights, (n,), or None."""
        return None if self.data.weights is None else self.data.weights.to_numpy(np.float64)

    def keep(self, rows: Flags, note: str) -> UsableRows:
        """Leave rows out, (n,) flags of those kept, and say so; singletons that this makes are left out too."""
        data = _taken(self.data, rows)
        effects = None if self.effects is None else self.effects.keep(rows)
        return _without_singletons(UsableRows(data, effects, (*self.notes, note)))

    def remove(self, columns: Floats, weights: Floats | None = None) -> Floats:
        """Take the effects out of columns, (n, m), with the rows' weights or other ones."""
        if self.effects is None:
            return columns
        return self.effects.remove(columns, self.weights if weights is None else weights)

    def weighted(self, columns: Floats) -> Floats:
        """Multiply rows, (n, …), by the root of their weight."""
        if self.weights is None:
            return columns
        root = np.sqrt(self.weights)
        return columns * (root if columns.ndim == 1 else root[:, None])

    def regressors(self, weights: Floats | None = None) -> Floats:
        """Return the regressors less what the effects explain, (n, k), not yet weighted.

        Raises
        ------
        NotEstimableError : the effects determine a regressor, or regressors are collinear beside them; it is named.
        """
        x = self.remove(self.x, weights)
        if self.effects is not None:
            before, after = self.x.var(axis=0), (x**2).mean(axis=0)
            gone = [n for n, b, a in zip(self.names, before, after, strict=True) if a <= ABSORBED * b]
            if gone:
                raise NotEstimableError(
                    f"the fixed effects of {', '.join(self.effects.names)} determine {', '.join(gone)}: it does not "
                    "vary within them; leave the effects or the regressor out"
                )
        collinear = self.collinear(x)
        if collinear:
            raise NotEstimableError(
                f"the other regressors{' and fixed effects' if self.effects is not None else ''} determine "
                f"{', '.join(collinear)} in {len(x)} rows: they are collinear; leave one out"
            )
        return x

    def collinear(self, x: Floats) -> list[str]:
        """Name the columns of x, (n, k), that those before them determine."""
        length = np.sqrt((x**2).sum(axis=0))
        tolerance = _COLLINEAR_AS_GIVEN if self.effects is None else _COLLINEAR
        left = np.abs(np.diag(np.linalg.qr(x, mode="r"))) if len(x) >= x.shape[1] else np.zeros(x.shape[1])
        return [name for name, own, all_ in zip(self.names, left, length, strict=True) if own <= tolerance * all_]


def usable_rows(data: DesignMatrix) -> UsableRows:
    """Check weights, and leave out rows that no coefficient can rest on.

    Raises
    ------
    NotEstimableError : a weight is missing, infinite or negative, or no row varies within the fixed effects.
    """
    notes = [data.note] if data.note else []
    if data.weights is not None:
        weights = data.weights.to_numpy(np.float64)
        wrong = ~np.isfinite(weights) | (weights < 0)
        if wrong.any():
            raise NotEstimableError(
                f"{int(wrong.sum())} of {len(weights)} weights ({data.weights.name}) are missing, infinite or "
                "negative; mend them, or leave `weights` out"
            )
        notes.append(f"weighted by {data.weights.name}")
        if (weights == 0).any():
            notes.append(f"{int((weights == 0).sum())} rows of weight 0 left out")
            data = _taken(data, weights > 0)
    effects = None if data.absorb is None or data.absorb.shape[1] == 0 else Effects.of(data.absorb)
    return _without_singletons(UsableRows(data, effects, tuple(notes)))


def _without_singletons(rows: UsableRows) -> UsableRows:
    effects = rows.effects
    if effects is None:
        return rows
    alone = effects.singletons()
    if not alone.any():
        return rows
    told = f"{int(alone.sum())} rows left out that are alone at a level of {', '.join(effects.names)}"
    if alone.all():
        raise NotEstimableError(f"every row is alone at a level of {', '.join(effects.names)}; absorb fewer effects")
    return UsableRows(_taken(rows.data, ~alone), effects.keep(~alone), (*rows.notes, told))


def _taken(data: DesignMatrix, rows: Flags) -> DesignMatrix:
    parts = ("y", "x", "clusters", "absorb", "weights", "errors", "instruments", "units")
    taken: dict[str, Any] = {name: part[rows] for name in parts if (part := getattr(data, name)) is not None}
    if "units" in taken:
        taken["n_units"] = taken["units"].nunique()
    return replace(data, **taken)
