"""Fixed effects of any number of groupings, taken out of outcome and regressors (Frisch, Waugh and Lovell).

The columns are demeaned by the compiled kernel of pyfixest (`pyfixest.core`), and nothing else of pyfixest is used at
run time. Measured with version 0.60: its estimators take 5 to 8 seconds to import where the kernel takes 0.2; with two
or more effects the degrees of freedom of their clustered errors depend on PYTHONHASHSEED; and the last digits of their
default solver depend on the number of threads, which those of alternating projections, used here, do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import linalg, sparse
from scipy.sparse.linalg import lsmr

from analysis.models.design_matrix import NotEstimableError

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Flags = NDArray[np.bool_]

_TOLERANCE = 1e-12
_PASSES = 2_000
_LEFT = 1e-8
"""Largest mean that a level may keep, in standard deviations of the column."""

_MANY_COLUMNS = 24
_DENSE = 20_000_000
"""From so many columns on, and up to so many cells of dummies, a basis of them projects faster than iterating."""

ABSORBED = 1e-10
"""A regressor that keeps a smaller share of its variance than this is determined by the effects."""


@dataclass(frozen=True)
class Effects:
    """The fixed effects of the rows of one fit, in an order that does not depend on the one they were declared in.

    Attributes
    ----------
    names : (e,) of the effects, the one with most levels first.
    levels : (n, e) of each row, numbered from 0; every number up to the largest occurs.
    """

    names: tuple[str, ...]
    levels: NDArray[np.uint64]

    @classmethod
    def of(cls, absorb: pd.DataFrame) -> Effects:
        """Take the columns of `DesignMatrix.absorb`, (n, e)."""
        columns = {str(name): pd.factorize(absorb[name], sort=True)[0] for name in absorb.columns}
        names = sorted(columns, key=lambda name: (-int(columns[name].max(initial=-1)), name))
        return cls(tuple(names), np.column_stack([columns[name] for name in names]).astype(np.uint64))

    @property
    def counts(self) -> list[int]:
        """Number of levels of each effect."""
        return [int(column.max()) + 1 for column in self.levels.T]

    def within(self, columns: Floats) -> Floats:
        """Remove the effects from columns, (n, k); one that they determine becomes zero."""
        found = self.remove(columns)
        gone = (found**2).mean(axis=0) <= ABSORBED * columns.var(axis=0)
        return np.where(gone, 0.0, found)

    def keep(self, rows: Flags) -> Effects:
        """Return the effects of some rows, (n,) flags."""
        kept = [np.unique(column[rows], return_inverse=True)[1] for column in self.levels.T]
        return Effects(self.names, np.column_stack(kept).astype(np.uint64))

    def singletons(self) -> Flags:
        """Flag the rows, (n,), that are alone at a level, also once other such rows are gone.

        References
        ----------
        Correia (2015), Singletons, cluster-robust standard errors and fixed effects: a bad mix.
        """
        gone = np.zeros(len(self.levels), dtype=np.bool_)
        while True:
            alone = np.zeros_like(gone)
            for column in self.levels.T.astype(np.intp):
                alone |= ~gone & (np.bincount(column, ~gone)[column] == 1)
            if not alone.any():
                return gone
            gone |= alone

    def remove(self, columns: Floats, weights: Floats | None = None) -> Floats:
        """Return columns, (n, k), less their projection on the effects, weighted by `weights`, (n,).

        Raises
        ------
        NotEstimableError : the projection does not converge.
        """
        from pyfixest.core.demean import demean

        if columns.shape[1] == 0:
            return columns.copy()
        if columns.shape[1] >= _MANY_COLUMNS and len(columns) * sum(self.counts[1:]) <= _DENSE:
            return self._by_basis(columns, np.ones(len(columns)) if weights is None else weights)
        # Powers of two, so that scaling changes no digit.
        spread = columns.std(axis=0)
        scale = np.exp2(np.round(np.log2(np.where(spread > 0, spread, 1.0))))
        w = np.ones(len(columns)) if weights is None else weights
        found, converged = demean(columns / scale, self.levels, w, _TOLERANCE, _PASSES)
        if not converged or self._left(found, w) > _LEFT:
            found = self._by_least_squares(columns / scale, w)
            if self._left(found, w) > _LEFT:
                told = ", ".join(f"{n} of {name}" for n, name in zip(self.counts, self.names, strict=True))
                raise NotEstimableError(
                    f"the fixed effects ({told}) could not be told apart in {len(columns)} rows; leave one out"
                )
        return np.asarray(found * scale)

    def _by_basis(self, columns: Floats, weights: Floats) -> Floats:
        """Project on the largest effect by its means, and on what the others add to it by an orthonormal basis."""
        first, root = self.levels[:, 0].astype(np.intp), np.sqrt(weights)[:, None]
        alike = bool((weights == 1).all())
        inside = self._dummies(0).T.tocsr()
        means = (inside @ (columns * root**2)) / np.maximum(inside @ weights, np.finfo(float).tiny)[:, None]
        basis = self._basis if alike else self._crossing_basis(weights)
        left = (columns - means[first]) * root
        return np.asarray((left - basis @ (basis.T @ left)) / np.where(root > 0, root, 1.0))

    @cached_property
    def _basis(self) -> Floats:
        return self._crossing_basis(np.ones(len(self.levels)))

    def _crossing_basis(self, weights: Floats) -> Floats:
        basis = self.unnested_basis(self.levels[:, 0].astype(np.intp), weights, int(sum(self.counts)))
        assert basis is not None  # noqa: S101
        return basis

    def _by_least_squares(self, columns: Floats, weights: Floats) -> Floats:
        """Project by sparse least squares, slower but sure where few rows connect the levels of different effects."""
        root = np.sqrt(weights)
        dummies = sparse.hstack([self._dummies(e) for e in range(len(self.names))]).multiply(root[:, None]).tocsr()
        length = np.sqrt(np.asarray(dummies.multiply(dummies).sum(axis=0)).ravel())
        scaled = dummies @ sparse.diags_array(1 / np.where(length > 0, length, 1.0))
        found = np.empty_like(columns)
        with np.errstate(divide="ignore", invalid="ignore"):
            for j, column in enumerate(columns.T):
                solved = lsmr(scaled, root * column, atol=1e-15, btol=1e-15, conlim=0, maxiter=20 * scaled.shape[1])[0]
                found[:, j] = np.where(root > 0, column - scaled @ solved / root, 0.0)
        return found

    def _left(self, columns: Floats, weights: Floats) -> float:
        """Return the largest weighted mean that any level has left, relative to a spread of about one."""
        largest = 0.0
        for level in self.levels.T.astype(np.intp):
            total = np.bincount(level, weights)
            for column in columns.T:
                mean = np.bincount(level, weights * column) / np.where(total > 0, total, 1.0)
                largest = max(largest, float(np.abs(mean).max()))
        return largest

    def _dummies(self, effect: int) -> sparse.csr_array:
        n = len(self.levels)
        level = self.levels[:, effect].astype(np.intp)
        return sparse.csr_array((np.ones(n), (np.arange(n), level)), shape=(n, self.counts[effect]))

    def nested(self, clusters: Sequence[Codes]) -> list[bool]:
        """Say of each effect whether all rows of each of its levels are in one cluster, of one of the clusterings."""
        return [
            any(_constant_within(level, cluster, count) for cluster in clusters)
            for level, count in zip(self.levels.T.astype(np.intp), self.counts, strict=True)
        ]

    def nested_in(self, groups: Codes) -> Effects | None:
        """Return the effects of which each level lies in one group, (n,); None where there are none."""
        inside = [e for e, nested in enumerate(self.nested([groups])) if nested]
        return Effects(tuple(self.names[e] for e in inside), self.levels[:, inside]) if inside else None

    def parameters(self, clusters: Sequence[Codes] = ()) -> int:
        """Count the parameters that the effects take from the degrees of freedom.

        The convention is that of R's fixest (`ssc(K.fixef = "nonnested")`): all levels, less one for each effect after
        the first; without the levels of effects that are nested in clusters, for which one is counted each.
        """
        nested = self.nested(clusters)
        inside = sum(count - 1 for count, within in zip(self.counts, nested, strict=True) if within)
        return sum(self.counts) - (len(self.names) - 1) - inside

    def unnested_basis(self, clusters: Codes, weights: Floats, most: int) -> Floats | None:
        """Return an orthonormal basis of what the effects that cross clusters span beside those nested in them.

        Parameters
        ----------
        clusters : (n,) of each row.
        most : columns that may be needed.

        Returns
        -------
        (n, b) in rows multiplied by the root of their weight; None where more than `most` columns are needed.
        """
        crossing = [e for e, nested in enumerate(self.nested([clusters])) if not nested]
        if sum(self.counts[e] for e in crossing) > most:
            return None
        if not crossing:
            return np.empty((len(self.levels), 0))
        columns = sparse.hstack([self._dummies(e) for e in crossing]).toarray()
        own = self.nested_in(clusters)
        columns = columns if own is None else own.remove(columns, weights)
        q, r, _ = linalg.qr(columns * np.sqrt(weights)[:, None], mode="economic", pivoting=True)
        size = np.abs(np.diag(r))
        return np.asarray(q[:, size > 1e-9 * size.max(initial=1.0)])

    def leverage(self, weights: Floats, most: int) -> Floats | None:
        """Return the diagonal of the projection on the effects, (n,); None where it needs more than `most` columns."""
        first = self.levels[:, 0].astype(np.intp)
        basis = self.unnested_basis(first, weights, most)
        return None if basis is None else weights / np.bincount(first, weights)[first] + (basis**2).sum(axis=1)


def _constant_within(level: Codes, cluster: Codes, count: int) -> bool:
    first = np.zeros(count, dtype=np.intp)
    first[level] = cluster
    return bool((first[level] == cluster).all())
