"""Regression discontinuity: what just crossing a threshold does (notebook 07)."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest, norm

from analysis.models.descriptive import Description
from analysis.models.design_matrix import NotEstimableError, design_matrix, sample
from analysis.models.estimates import Estimate
from analysis.models.formulas import INTERCEPT
from analysis.study.spec import Model, Study, Threshold

DESIGN = "threshold"
JUMP, CONVENTIONAL, ADJUSTED, DENSITY = "jump", "jump:conventional", "jump:adjusted", "density"
FEWEST = 20
"""Rows, and half as many distinct values of the running variable, that each side of a cut-off must have."""
LEVEL = 0.05
_LABELS = {
    "difference": "{}, minus the threshold",
    "share": "{} above the threshold, as a share of it",
    "log10_ratio": "log10 of {} over the threshold",
}


@dataclass(frozen=True)
class Sample:
    """The rows of one regression discontinuity, sorted by running variable and unit.

    Attributes
    ----------
    x : (n,) normalised running variable; the cut-off is 0, and units at 0 or above are treated.
    y : (n,) outcome.
    running : (n,) running variable as reported.
    adjust : (n, k) covariates of the formula; k may be 0.
    clusters : (n,) cluster of each row, or None.
    label : of `x`, for an axis.
    """

    x: pd.Series
    y: pd.Series
    running: pd.Series
    adjust: pd.DataFrame
    clusters: pd.Series | None
    label: str

    def where(self, kept: pd.Series) -> Sample:
        """Keep the rows that a mask marks."""
        clusters = None if self.clusters is None else self.clusters[kept]
        return Sample(self.x[kept], self.y[kept], self.running[kept], self.adjust[kept], clusters, self.label)


def threshold(study: Study, model: Model, rows: pd.DataFrame, title: str) -> list[Estimate]:
    """Estimate the jump of an outcome at a cut-off of a running variable, and all that speaks for or against it.

    The estimand of `jump` is the mean effect of crossing on units at the cut-off. It is causal only if nothing else
    jumps there and units cannot sort across it. A density that jumps, mass points and heaps speak against that.

    Parameters
    ----------
    rows : of the analysis table, as `analysis.models.design_matrix.sample` gives them.
    title : name of the fit.

    Returns
    -------
    Terms, of the design `threshold`: `jump` (bias-corrected estimate with robust interval; local linear, triangular
    kernel, bandwidth optimal in mean squared error), `jump:conventional`, `jump:adjusted` where the formula has
    covariates, `jump:bandwidth=<multiple>`, `jump:donut=<half-width>`, `jump:cutoff=<placebo>` (on its own side of the
    cut-off), `jump:<moderator>=<level>`, `difference:<moderator>`, `continuity:<covariate>`, `density` (its jump) and
    `balance` (share above, near the cut-off). Descriptive: `below` and `above` (shares with the outcome), `bandwidth`,
    `effective_below`, `effective_above`, `mass_points` and `heap:<multiple>`. What `density` and `balance` find stands
    first in the notes of the jump and of the moderator's difference.

    Where a side has too few rows or distinct values, or nothing varies near the cut-off, `jump` has no numbers but the
    reason in its note, and the descriptive terms alone stand beside it.

    Raises
    ------
    NotEstimableError : no complete rows, or an outcome or regressor that does not vary.

    References
    ----------
    Calonico, Cattaneo and Titiunik (2014), Econometrica 82(6), for the robust interval. Cattaneo, Jansson and Ma
    (2020), Journal of the American Statistical Association 115(531), for the density. Cattaneo, Titiunik and
    Vazquez-Bare (2017), Journal of Policy Analysis and Management 36(3), for the balance. Barreca, Lindo and Waddell
    (2016), Economic Inquiry 54(1), for heaps and donuts.
    """
    spec = model.threshold or Threshold()
    data, covariates, lost = _sample(study, model, spec, rows)
    outcome = str(data.y.name)
    described = Description(title, outcome)
    _describe(described, data, spec)
    try:
        _refuse_sparse(data)
        first, widths = _fit(data, title, outcome, JUMP)
    except NotEstimableError as error:
        estimand, note = f"jump in the mean of {outcome} at the cut-off", f"not estimable: {error}"
        return [Estimate(title, DESIGN, outcome, JUMP, estimand, n_obs=len(data.y), note=note), *described.rows]
    sorting = [density(data.x, title, outcome), balance(data.x, title, outcome)]
    warned = _warning(*sorting)
    found = [
        *first,
        *_variants(data, spec, widths, title, outcome),
        *_moderated(data, model, covariates, title, outcome),
    ]
    told = {JUMP, CONVENTIONAL, ADJUSTED, f"difference:{spec.moderator}"}
    jumps = [replace(row, note="; ".join(filter(None, [warned, row.note, lost]))) if row.term in told else row
             for row in found]  # fmt: skip
    near = data.x.abs() <= widths[0]
    described.quantity("bandwidth", widths[0], "bandwidth, on the normalised scale")
    described.quantity("effective_below", (near & (data.x < 0)).sum(), "units within the bandwidth, below the cut-off")
    described.quantity("effective_above", (near & (data.x >= 0)).sum(), "units within the bandwidth, at or above it")
    return [*jumps, *_continuity(data, spec, covariates, title, outcome), *sorting, *described.rows]


def discontinuity(study: Study, name: str, table: pd.DataFrame) -> Sample:
    """Return the rows that a model of the design threshold compares, to be looked at.

    Parameters
    ----------
    name : of the model.
    table : the analysis table.

    Raises
    ------
    NotEstimableError : no complete rows, or no variation.
    """
    model = study.models[name]
    return _sample(study, model, model.threshold or Threshold(), sample(study, model, table, None, "strict"))[0]


def normalise(running: pd.Series, cutoff: pd.Series, scale: str) -> pd.Series:
    """Shift the running variable so that the cut-off is 0.

    Parameters
    ----------
    running, cutoff : (n,) in the same unit.
    scale : `difference`; `share` of the cut-off above it; or `log10_ratio` of the two.

    Returns
    -------
    (n,) 0 or more exactly where `running` is at `cutoff` or above.
    """
    if scale == "difference":
        return running - cutoff
    if scale == "share":
        return running / cutoff - 1
    return pd.Series(np.log10(running / cutoff), index=running.index)


def density(x: pd.Series, title: str, outcome: str) -> Estimate:
    """Test whether the density of the running variable jumps at 0, as it would where units sort across the cut-off."""
    from rddensity import rddensity

    estimand = "jump of the running variable's density at the cut-off"
    try:
        with _quietly():
            found = rddensity(x.to_numpy(), vce="jackknife")
        value, error = float(found.hat["diff"]), float(found.sd_jk["diff"])
        if not np.isfinite(error) or error <= 0:
            raise NotEstimableError("too few units near the cut-off")
    except NotEstimableError as problem:
        return Estimate(title, DESIGN, outcome, DENSITY, estimand, n_obs=len(x), note=f"not estimable: {problem}")
    reach = norm.ppf(1 - LEVEL / 2) * error
    note = (
        f"{int(found.n['eff_left']):,} below and {int(found.n['eff_right']):,} above within bandwidths "
        f"{found.h['left']:.3g} and {found.h['right']:.3g}"
    )
    return Estimate(
        title, DESIGN, outcome, DENSITY, estimand,
        estimate=value, std_error=error, statistic=value / error, p_value=float(found.test["p_jk"]),
        ci_low=value - reach, ci_high=value + reach, n_obs=len(x), vcov="local polynomial density, jackknife",
        note=note,
    )  # fmt: skip


def balance(x: pd.Series, title: str, outcome: str) -> Estimate:
    """Test whether as many units lie just above 0 as just below, in the narrowest window with `FEWEST` on each side.

    Where the density is steep, the counts differ without sorting too: read it beside `density`.
    """
    near = max(x[side].abs().nsmallest(FEWEST).iloc[-1] for side in (x < 0, x >= 0))
    inside = x[x.abs() <= near]
    above = int((inside >= 0).sum())
    test = binomtest(above, len(inside), 0.5)
    limits = test.proportion_ci(method="wilson")
    return Estimate(
        title, DESIGN, outcome, "balance", "share of the units near the cut-off that are at or above it",
        estimate=above / len(inside), p_value=float(test.pvalue), ci_low=float(limits.low), ci_high=float(limits.high),
        n_obs=len(inside), vcov="exact binomial test of one half, Wilson",
        note=f"{len(inside) - above:,} below and {above:,} above within {near:.3g} of the cut-off",
    )  # fmt: skip


def _sample(study: Study, model: Model, spec: Threshold, rows: pd.DataFrame) -> tuple[Sample, pd.DataFrame, str]:
    data = design_matrix(study, model, rows)
    used = rows.loc[data.y.index]
    name = next(str(column) for column in data.x.columns if column in study.exposures)
    cutoff = used[spec.cutoff_from] if spec.cutoff_from else pd.Series(spec.cutoff, index=used.index, dtype="float64")
    x = normalise(data.x[name], cutoff, spec.scale)
    if not np.isfinite(x).all():
        raise NotEstimableError(
            f"{int((~np.isfinite(x)).sum())} rows have no finite {spec.scale} of {name} to the cut-off"
        )
    order = pd.DataFrame({"x": x, "unit": used["unit_id"]}).sort_values(["x", "unit"], kind="stable").index
    adjust = data.x.drop(columns=[name, INTERCEPT], errors="ignore").loc[order]
    clusters = None if data.cluster is None else data.cluster.loc[order]
    label = _LABELS[spec.scale].format(study.exposures[name].label)
    return Sample(x[order], data.y[order], data.x.loc[order, name], adjust, clusters, label), used.loc[order], data.note


def _refuse_sparse(data: Sample) -> None:
    for side, inside in (("below", data.x < 0), ("at or above", data.x >= 0)):
        count, distinct = int(inside.sum()), data.x[inside].nunique()
        if count < FEWEST or distinct < FEWEST / 2:
            found = f"{count} rows with {distinct} distinct values of the running variable {side} the cut-off"
            raise NotEstimableError(f"{found}; at least {FEWEST} rows and {FEWEST // 2} values are needed")
    if data.y.nunique() < 2:
        raise NotEstimableError(f"no variation: {data.y.name} is {data.y.iloc[0]} in all {len(data.y)} rows")


def _fit(
    data: Sample, title: str, outcome: str, term: str,
    *, cutoff: float = 0.0, widths: tuple[float, float] | None = None, adjusted: bool = False, estimand: str = "",
) -> tuple[list[Estimate], tuple[float, float]]:  # fmt: skip
    """Fit one discontinuity: the robust and the conventional estimate, and the main and the bias bandwidth used."""
    from rdrobust import rdrobust

    _refuse_sparse(replace(data, x=data.x - cutoff))
    options: dict[str, object] = {}
    if data.clusters is not None:
        options |= {"cluster": pd.factorize(data.clusters, sort=True)[0], "vce": "cr1"}
    if adjusted:
        options |= {"covs": data.adjust.to_numpy(dtype="float64")}
    if widths is not None:
        options |= {"h": widths[0], "b": widths[1]}
    with _quietly():
        found = rdrobust(data.y.to_numpy(), data.x.to_numpy(), c=cutoff, masspoints="adjust", **options)
    if not (found.se.to_numpy(dtype="float64") > 0).all():
        raise NotEstimableError(f"no variation of {outcome} within the bandwidth")
    used = (float(found.bws.loc["h"].iloc[0]), float(found.bws.loc["b"].iloc[0]))
    left, right = (int(n) for n in found.N_h)
    note = f"{left:,} below and {right:,} above within bandwidth {used[0]:.3g} (bias {used[1]:.3g})"
    robust = "NN" if data.clusters is None else f"CR1({data.clusters.name})"
    kinds = [("Robust", term, "robust bias-corrected"), ("Conventional", CONVENTIONAL, "conventional")]
    n = len(data.y)
    clusters = None if data.clusters is None else data.clusters.nunique()
    rows = [
        Estimate(
            title, DESIGN, outcome, name, estimand or f"jump in the mean of {outcome} at the cut-off",
            estimate=float(found.coef.loc[kind].iloc[0]), std_error=float(found.se.loc[kind].iloc[0]),
            statistic=float(found.z.loc[kind].iloc[0]), p_value=float(found.pv.loc[kind].iloc[0]),
            ci_low=float(found.ci.loc[kind].iloc[0]), ci_high=float(found.ci.loc[kind].iloc[1]),
            n_obs=n, n_units=n, n_clusters=clusters, vcov=f"{vcov}, {robust}", note=note,
        )
        for kind, name, vcov in kinds
    ]  # fmt: skip
    return rows, used


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep what the libraries print to themselves, and turn their refusals into a reason."""
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    except Exception as error:
        # The libraries refuse sparse data by a plain Exception; anything else of another type is a mistake of ours.
        if type(error) not in {Exception, ValueError, np.linalg.LinAlgError}:
            raise
        reason = str(error).split(". ")[0].rstrip(".")
        raise NotEstimableError(f"too little variation near the cut-off ({reason})") from None


def _tried(data: Sample, title: str, outcome: str, term: str, estimand: str = "", **options: Any) -> Estimate:
    """Fit a variant; where that cannot be, say why in its row."""
    try:
        return _fit(data, title, outcome, term, estimand=estimand, **options)[0][0]
    except NotEstimableError as error:
        estimand = estimand or f"jump in the mean of {outcome} at the cut-off"
        return Estimate(title, DESIGN, outcome, term, estimand, n_obs=len(data.y), note=f"not estimable: {error}")


def _variants(
    data: Sample, spec: Threshold, bandwidth: tuple[float, float], title: str, outcome: str
) -> Iterator[Estimate]:
    if data.adjust.shape[1]:
        yield _tried(data, title, outcome, ADJUSTED, adjusted=True)
    for multiple in spec.bandwidths:
        widths = (multiple * bandwidth[0], multiple * bandwidth[1])
        yield _tried(data, title, outcome, f"{JUMP}:bandwidth={multiple:g}", widths=widths)
    for width in spec.donuts:
        yield _tried(data.where(data.x.abs() >= width), title, outcome, f"{JUMP}:donut={width:g}")
    for cutoff in spec.placebo_cutoffs:
        same_side = data.where((data.x >= 0) == (cutoff >= 0))
        estimand = f"jump in the mean of {outcome} at {cutoff:g}, where none is due"
        yield _tried(same_side, title, outcome, f"{JUMP}:cutoff={cutoff:g}", estimand, cutoff=cutoff)


def _moderated(data: Sample, model: Model, covariates: pd.DataFrame, title: str, outcome: str) -> Iterator[Estimate]:
    name = model.threshold.moderator if model.threshold else None
    if name is None:
        return
    levels = sorted(covariates[name].dropna().unique())
    apart = [
        _tried(data.where(covariates[name] == level), title, outcome, f"{JUMP}:{name}={level}") for level in levels
    ]
    yield from apart
    term = f"difference:{name}"
    if len(apart) != 2:
        note = f"not estimable: {name} has {len(levels)} levels, a difference needs two"
        yield Estimate(title, DESIGN, outcome, term, f"difference of the jumps by {name}", note=note)
        return
    base, other = apart
    value, error = other.estimate - base.estimate, float(np.hypot(other.std_error, base.std_error))
    reach = norm.ppf(1 - LEVEL / 2) * error
    yield Estimate(
        title, DESIGN, outcome, term, f"difference of the jumps, {levels[1]} minus {levels[0]}",
        estimate=value, std_error=error, statistic=value / error, p_value=float(2 * norm.sf(abs(value / error))),
        ci_low=value - reach, ci_high=value + reach, n_obs=len(data.y), n_units=len(data.y), vcov=base.vcov,
        note="" if np.isfinite(value) else "not estimable: one of the jumps is not",
    )  # fmt: skip


def _continuity(
    data: Sample, spec: Threshold, covariates: pd.DataFrame, title: str, outcome: str
) -> Iterator[Estimate]:
    for name in spec.continuity:
        values = covariates[name]
        numeric = pd.api.types.is_numeric_dtype(values)
        columns = {name: values.astype("float64")} if numeric else {
            f"{name}[{level}]": (values == level).astype("float64") for level in sorted(values.dropna().unique())[1:]
        }  # fmt: skip
        for column, y in columns.items():
            estimand = f"jump in the mean of {column} at the cut-off, where none is due"
            known = replace(data, y=y.rename(column)).where(values.notna())
            yield _tried(known, title, outcome, f"continuity:{column}", estimand)


def _describe(described: Description, data: Sample, spec: Threshold) -> None:
    below, above = data.x < 0, data.x >= 0
    if set(data.y.unique()) <= {0, 1}:
        described.share("below", data.y[below] == 1, f"share with {described.outcome}, below the cut-off")
        described.share("above", data.y[above] == 1, f"share with {described.outcome}, at or above the cut-off")
    repeated = data.x.duplicated(keep=False)
    described.share("mass_points", repeated, "share of units that share their value of the running variable")
    for multiple in spec.heaps:
        heaped = data.running % multiple == 0
        described.share(f"heap:{multiple}", heaped, f"share of values that are multiples of {multiple}")


def _warning(density: Estimate, balance: Estimate) -> str:
    told = []
    if density.p_value < LEVEL:
        told.append(f"the density of the running variable jumps at the cut-off ({_p(density)})")
    if balance.p_value < LEVEL:
        told.append(f"the counts on its two sides differ ({balance.note}; {_p(balance)})")
    if told:
        return f"{' and '.join(told)}: units may sort across it, and the jump need not be the effect of crossing"
    return "the density test at the cut-off could not be made" if np.isnan(density.p_value) else ""


def _p(test: Estimate) -> str:
    return "p < 0.001" if test.p_value < 0.001 else f"p = {test.p_value:.3f}"
