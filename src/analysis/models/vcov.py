"""Which errors a coefficient gets: the one place that decides, by rule, and names what it chose.

=====================================  ===========================================================================
a linear model                         errors
=====================================  ===========================================================================
without clusters                       HC3; HC1 where effects are absorbed or a row is fitted exactly
`MANY_CLUSTERS` clusters or more       CRV1, t with clusters − 1 degrees of freedom
fewer                                  CR2, t with Satterthwaite's degrees of freedom (`analysis.models.cr2`)
two ways of clustering                 CRV1 of each way less that of both, t with the fewer clusters − 1
=====================================  ===========================================================================

=====================================  ===========================================================================
a Poisson model or a logit             errors
=====================================  ===========================================================================
without clusters                       HC1 (a logit without weights, the information matrix), normal distribution
`MANY_WEIGHTED` clusters or more       CRV1, t with clusters − 1 degrees of freedom
fewer                                  CR3, t with Satterthwaite's degrees of freedom, in the last weighted step
two ways of clustering                 as in a linear model
=====================================  ===========================================================================

Other models that are not linear have HC1 or CRV1, and a note where clusters are few, as have these where rows or
effects are too many for CR3. A Poisson model needs more clusters than a linear one, as its weights leave much to few of
them: with 60 and two-way effects CRV1 intervals held the truth in 91% of simulated worlds, those of CR2 in 93%, those
of CR3 in 94%.

CRV1 counts parameters as R's fixest does (`Effects.parameters`) and has its factor G/(G − 1) (n − 1)/(n − K), with the
fewer clusters for G where there are two ways.

References
----------
MacKinnon and White (1985), for HC3. Cameron, Gelbach and Miller (2011), Robust inference with multiway clustering.
Cameron and Miller (2015), A practitioner's guide to cluster-robust inference, sec. II and VI. MacKinnon, Nielsen and
Webb (2023), Cluster-robust inference: A guide to empirical practice, Journal of Econometrics 232(2), for CR3 (CV3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import linalg, stats

from analysis.models.cr2 import MOST_COLUMNS, MOST_ROWS, bias_reduced
from analysis.models.design_matrix import NotEstimableError
from analysis.models.fixed_effects import Effects

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

MANY_CLUSTERS = 50
"""From this number of clusters on CRV1 is close to its limit; see Cameron and Miller (2015), sec. VI."""

MANY_WEIGHTED = 100
"""The same for a model that is fitted by iterated least squares, whose weights make clusters unequal."""

FEWEST_CLUSTERS = 30
"""Below this number models that have no bias-reduced errors are not clustered at all, and say so."""

_EXACT = 1 - 1e-9


@dataclass(frozen=True)
class Fit:
    """What the errors of a fit by (weighted) least squares, or of its last step, are made from.

    Attributes
    ----------
    x : (n, k) regressors less what the effects explain, in rows multiplied by the root of their weight.
    residuals : (n,) in such rows.
    bread : (k, k) inverse of x'x.
    effects : that were absorbed, or None.
    weights : (n,) or None.
    partialled : other regressors that were taken out of all columns beforehand.
    """

    x: Floats
    residuals: Floats
    bread: Floats
    effects: Effects | None = None
    weights: Floats | None = None
    partialled: int = 0

    def parameters(self, codes: Sequence[Codes] = ()) -> int:
        """Count what the fit takes from the degrees of freedom, where errors are clustered by `codes`."""
        effects = 0 if self.effects is None else self.effects.parameters(codes)
        return int(self.x.shape[1]) + self.partialled + effects


@dataclass(frozen=True)
class Variance:
    """The variance of k coefficients.

    Attributes
    ----------
    matrix : (k, k); NaN in the rows and columns of a coefficient that has no error.
    df : (k,) degrees of freedom of the t distribution; infinite for the normal.
    name : of the estimator, for the estimates table.
    n_clusters : None where errors are not clustered; the fewer of two ways.
    notes : what a reader must know.
    """

    matrix: Floats
    df: Floats
    name: str
    n_clusters: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def std_error(self) -> Floats:
        """Standard errors, (k,)."""
        return np.sqrt(np.diag(self.matrix))

    def inference(self, estimates: Floats) -> list[dict[str, Any]]:
        """Return std_error, statistic, p_value, ci_low and ci_high of each estimate, (k,)."""
        errors = self.std_error
        with np.errstate(divide="ignore", invalid="ignore"):
            statistics = estimates / errors
        reach = stats.t.ppf(0.975, self.df) * errors
        p_values = 2 * stats.t.sf(np.abs(statistics), self.df)
        columns = (errors, statistics, p_values, estimates - reach, estimates + reach)
        names = ("std_error", "statistic", "p_value", "ci_low", "ci_high")
        return [dict(zip(names, map(float, row), strict=True)) for row in zip(*columns, strict=True)]


def least_squares(
    y: Floats, x: Floats, effects: Effects | None = None, weights: Floats | None = None
) -> tuple[Floats, Fit]:
    """Fit coefficients, (k,), to rows as `Fit` has them: less what the effects explain, multiplied by root weights.

    An orthogonal decomposition keeps the digits that the normal equations or the pseudo-inverse lose.
    """
    q, r = np.linalg.qr(x)
    root = linalg.solve_triangular(r, np.eye(len(r)))
    coefficients = linalg.solve_triangular(r, q.T @ y)
    return coefficients, Fit(x, y - x @ coefficients, root @ root.T, effects, weights)


def inverse(matrix: Floats) -> Floats:
    """Invert a matrix, (k, k)."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def linear(fit: Fit, names: list[str], clusters: pd.DataFrame | None) -> Variance:
    """Choose and compute the errors of a linear model.

    Parameters
    ----------
    fit : by least squares.
    names : (k,) of the regressors, for messages.
    clusters : as in `DesignMatrix`.

    Raises
    ------
    NotEstimableError : all rows are in one cluster.
    """
    if clusters is None:
        return _heteroskedastic(fit)
    codes = _codes(clusters)
    if len(codes) == 2:
        return _two_ways(fit, clusters, codes)
    name, count = str(clusters.columns[0]), int(codes[0].max()) + 1
    if count >= MANY_CLUSTERS:
        return crv1(fit, name, codes[0])
    found = _bias_reduced(fit, codes[0], name, jackknife=False)
    if isinstance(found, str):
        return crv1(fit, name, codes[0], f"{count} clusters are few, but {found} for CR2")
    alone = [names[j] for j in np.flatnonzero(np.isnan(found.df))]
    return replace(found, notes=(_resting(alone, name),) if alone else ())


def likelihood(fit: Fit, names: list[str], clusters: pd.DataFrame | None, contrasts: Floats | None = None) -> Variance:
    """Choose and compute the errors of a model that is fitted by iterated least squares, `fit` being the last step.

    Parameters
    ----------
    names : (k,) of the regressors, for messages.
    contrasts : (k, m) of the coefficients, whose variance is wanted besides, such as gradients for the delta method.

    Returns
    -------
    The variance of the k coefficients and the m contrasts.

    Raises
    ------
    NotEstimableError : all rows are in one cluster.
    """
    wanted = np.eye(fit.x.shape[1]) if contrasts is None else np.column_stack([np.eye(fit.x.shape[1]), contrasts])
    why = ""
    if clusters is not None and clusters.shape[1] == 1:
        codes, name = _codes(clusters)[0], str(clusters.columns[0])
        if int(codes.max()) + 1 < MANY_WEIGHTED:
            found = _bias_reduced(replace(fit, bread=fit.bread @ wanted), codes, name, jackknife=True)
            if not isinstance(found, str):
                alone = [names[j] for j in np.flatnonzero(np.isnan(found.df[: len(names)]))]
                return replace(found, notes=(_resting(alone, name),) if alone else ())
            why = f"{int(codes.max()) + 1} clusters are few, but {found} for CR3"
    plain = by_scores(fit, clusters)
    df = np.full(wanted.shape[1], plain.df[0])
    return replace(plain, matrix=wanted.T @ plain.matrix @ wanted, df=df, notes=(why,) if why else plain.notes)


def by_scores(fit: Fit, clusters: pd.DataFrame | None) -> Variance:
    """Return HC1 errors with the normal distribution or, with clusters, CRV1, of a fit by maximum likelihood."""
    found = robust(fit, clusters)
    return replace(found, df=np.full(len(found.df), np.inf)) if clusters is None else found


def _bias_reduced(fit: Fit, codes: Codes, name: str, *, jackknife: bool) -> Variance | str:
    """Return CR2 errors, or CR3 ones; or why they cannot be computed."""
    if len(fit.x) > MOST_ROWS:
        return f"{len(fit.x):,} rows too many"
    basis: Floats = np.empty((len(fit.x), 0))
    if fit.effects is not None:
        weights = np.ones(len(fit.x)) if fit.weights is None else fit.weights
        found = fit.effects.unnested_basis(codes, weights, MOST_COLUMNS)
        if found is None:
            return "effects that cross clusters too many"
        basis = found
    matrix, df = bias_reduced(fit.x, fit.residuals, fit.bread, basis, codes, jackknife=jackknife)
    count, kind = int(codes.max()) + 1, "CR3" if jackknife else "CR2"
    return Variance(matrix, df, f"{kind}+Satterthwaite({name}), {count} clusters", count)


def _resting(alone: list[str], name: str) -> str:
    return f"no error for {', '.join(alone)}: the coefficient rests on one {name} alone"


def robust(fit: Fit, clusters: pd.DataFrame | None) -> Variance:
    """Return HC1 or, with clusters, CRV1 errors, for designs that neither leverage nor bias reduction is defined for.

    Parameters
    ----------
    clusters : as in `DesignMatrix`.

    Raises
    ------
    NotEstimableError : all rows are in one cluster.
    """
    if clusters is None:
        return _hc1(fit)
    codes = _codes(clusters)
    if len(codes) == 2:
        return _two_ways(fit, clusters, codes)
    return crv1(fit, str(clusters.columns[0]), codes[0], few_clusters(clusters))


def few_clusters(clusters: pd.DataFrame) -> str:
    """Say what a reader must know of CRV1 with these clusters; empty where they are many."""
    few = [f"{count} of {name}" for name, count in clusters.nunique().items() if count < MANY_CLUSTERS]
    return f"clusters are few ({', '.join(few)}): intervals may be too narrow" if few else ""


def _codes(clusters: pd.DataFrame) -> list[Codes]:
    """Number the clusters of each way from 0."""
    found = []
    for name in clusters.columns:
        code = np.asarray(pd.factorize(clusters[name], sort=True)[0], dtype=np.intp)
        if code.max(initial=-1) < 1:
            raise NotEstimableError(
                f"all {len(code)} rows are in one {name}, so that errors cannot be clustered by it; leave `cluster` out"
            )
        found.append(code)
    return found


def _heteroskedastic(fit: Fit) -> Variance:
    if fit.effects is not None:
        return _hc1(fit)
    leverage = ((fit.x @ fit.bread) * fit.x).sum(axis=1)
    if (leverage > _EXACT).any():
        return _hc1(fit)
    scores = fit.x * (fit.residuals / (1 - leverage))[:, None]
    df = np.full(fit.x.shape[1], float(len(fit.x) - fit.parameters()))
    return Variance(fit.bread @ (scores.T @ scores) @ fit.bread, df, "HC3")


def _hc1(fit: Fit) -> Variance:
    scores = fit.x * fit.residuals[:, None]
    left = len(fit.x) - fit.parameters()
    matrix = fit.bread @ (scores.T @ scores) @ fit.bread * len(fit.x) / left
    return Variance(matrix, np.full(fit.x.shape[1], float(left)), "HC1")


def crv1(fit: Fit, name: str, codes: Codes, note: str = "") -> Variance:
    """Return the clustered variance without bias reduction, whatever the number of clusters."""
    count = int(codes.max()) + 1
    matrix = fit.bread @ cluster_meat(fit.x, fit.residuals, codes) @ fit.bread * _factor(fit, [codes], count)
    df = np.full(len(matrix), count - 1.0)
    return Variance(matrix, df, f"CRV1({name})", count, (note,) if note else ())


def _two_ways(fit: Fit, clusters: pd.DataFrame, codes: list[Codes]) -> Variance:
    both = np.asarray(pd.factorize(codes[0] * (codes[1].max() + 1) + codes[1], sort=True)[0], dtype=np.intp)
    first, second, joint = (cluster_meat(fit.x, fit.residuals, code) for code in (*codes, both))
    counts = [int(code.max()) + 1 for code in codes]
    matrix = fit.bread @ (first + second - joint) @ fit.bread * _factor(fit, codes, min(counts))
    name = f"CRV1({', '.join(map(str, clusters.columns))})"
    notes = [few_clusters(clusters)]
    values, vectors = np.linalg.eigh(matrix)
    if values.min() < -1e-12 * values.max():
        # As in Cameron, Gelbach and Miller (2011), sec. 2.3.
        matrix = (vectors * np.maximum(values, 0)) @ vectors.T
        notes.append("the two-way variance was not positive: its negative eigenvalues are taken as zero")
    return Variance(matrix, np.full(len(matrix), min(counts) - 1.0), name, min(counts), tuple(filter(None, notes)))


def _factor(fit: Fit, codes: list[Codes], count: int) -> float:
    n = len(fit.x)
    return count / (count - 1) * (n - 1) / (n - fit.parameters(codes))


def cluster_meat(x: Floats, residuals: Floats, codes: Codes) -> Floats:
    """Return the sum over clusters of the outer products of their scores, (k, k)."""
    scores = np.column_stack([np.bincount(codes, column * residuals) for column in x.T])
    return np.asarray(scores.T @ scores)
