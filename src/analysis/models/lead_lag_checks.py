"""What speaks for or against a panel vector autoregression: tests, bias, differences between units, what is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy import stats

from analysis.models import panel_var
from analysis.models.descriptive import Description
from analysis.models.design_matrix import NotEstimableError
from analysis.models.estimates import Estimate
from analysis.models.lead_lag_fit import DIFFERENCE, ONCE, SUSTAINED, Fitted, estimand, quantities

POWER = 0.8
HALVES, APART, GRANGER, PUBLISHED, FIT = "half_panel", "mean_group", "granger", "published", "fit"


def checks(fitted: Fitted) -> Iterator[Estimate]:
    """Yield the rows of every check; see `analysis.models.lead_lag.lead_lag` for what they are."""
    yield from half_panel(fitted)
    yield from mean_group(fitted)
    yield from joint_tests(fitted)
    yield from published(fitted)
    yield from described(fitted)


def half_panel(fitted: Fitted) -> Iterator[Estimate]:
    """Take the mean of the two halves' quantities from twice the whole panel's.

    The bias that unit means bring is twice as large in half as many periods, so that it cancels. What differs between
    the halves for other reasons does not.

    References
    ----------
    Dhaene and Jochmans (2015), Review of Economic Studies 82(3).
    """
    if fitted.by_period:
        return
    late = fitted.observed.period > np.median(np.unique(fitted.observed.period))
    try:
        halves = [
            panel_var.moments(fitted.observed.where(half), fitted.clusters[half], fitted.absorbed)
            for half in (~late, late)
        ]
        if any(len(half.n) != len(fitted.summed.n) for half in halves):
            raise NotEstimableError("a unit is observed in one half only")
    except NotEstimableError as error:
        yield from _refused(fitted, HALVES, error)
        return
    points = [quantities(fitted.data, panel_var.fit(half)) for half in halves]
    drawn = [quantities(fitted.data, panel_var.fit(half, fitted.weights)) for half in halves]
    for term in _contrasted(fitted):
        value = 2 * fitted.once[term][0] - np.mean([half[term][0] for half in points])
        draws = 2 * fitted.many[term] - np.mean([half[term] for half in drawn], axis=0)
        told = f"{estimand(fitted.data.spec, term)}, half-panel jackknife"
        df = len(fitted.summed.n) - 1
        yield fitted.row(HALVES, term.partition(":")[2], told, float(value), float(draws.std(ddof=1)), df)


def mean_group(fitted: Fitted) -> Iterator[Estimate]:
    """Fit each unit apart and take the mean, with its standard error over units.

    Least squares with common coefficients is biased, however long the panel, where units differ in theirs.

    References
    ----------
    Pesaran and Smith (1995), Journal of Econometrics 68(1).
    """
    units = len(np.unique(fitted.observed.unit))
    alone = panel_var.fit_apart(fitted.observed)
    still = alone.largest_root < 1
    lost = units - int(still.sum())
    note = f"{lost} of {units} units cannot be fitted apart, or their impulses do not die out" if lost else ""
    if still.sum() < 2:
        yield from _refused(fitted, APART, NotEstimableError(note))
        return
    found = quantities(fitted.data, panel_var.Fit(alone.coefficients[still], alone.residuals[still]))
    for term in _contrasted(fitted):
        values = found[term]
        told = f"{estimand(fitted.data.spec, term)}, mean of units fitted apart"
        error = float(values.std(ddof=1) / np.sqrt(len(values)))
        row = fitted.row(APART, term.partition(":")[2], told, float(values.mean()), error, len(values) - 1)
        yield replace(row, n_units=len(values), n_clusters=None, vcov="between units", seed=None, note=note)


def joint_tests(fitted: Fitted) -> Iterator[Estimate]:
    """Say how much each pair's lags explain, and test them jointly, with errors clustered as the bootstrap draws."""
    for pair in fitted.data.spec.pairs:
        sides = fitted.data.sides(pair)
        told = "share of the variance of {1}'s innovations that the past of {0} explains".format(*pair.split(">"))
        gain = panel_var.explained(fitted.summed, *sides)
        row = replace(fitted.blank, model=fitted.named(GRANGER), term=pair, estimand=told, estimate=gain, seed=None)
        try:
            test = panel_var.granger(fitted.summed, *sides)
        except NotEstimableError as error:
            yield replace(row, vcov="", note=f"no test: {error}")
            continue
        by = "period" if fitted.by_period else "unit_id"
        vcov = f"F({test.df}, {test.df_error}) test of all lags, CRV1({by})"
        yield replace(row, statistic=test.statistic, p_value=test.p_value, vcov=vcov)


def published(fitted: Fitted) -> Iterator[Estimate]:
    """Set published responses beside those estimated, as labelled and with leader and follower exchanged."""
    values = fitted.data.spec.published
    described = Description(fitted.named(PUBLISHED), fitted.blank.outcome)
    for pair, value in values.items():
        described.quantity(pair, value, f"published: {estimand(fitted.data.spec, f'{ONCE}:{pair}')}")
    exchanged = {">".join(reversed(pair.split(">"))): value for pair, value in values.items()}
    for name, labels in (("as_labelled", values), ("exchanged", exchanged)):
        both = [(value, float(fitted.once[f"{ONCE}:{pair}"][0])) for pair, value in labels.items()]
        if len(both) > 1:
            there, here = np.array(both).T
            told = f"between published and estimated responses, leader and follower {name.replace('_', ' ')}"
            described.quantity(f"distance:{name}", float(np.abs(there - here).mean()), f"mean distance {told}")
            described.quantity(f"correlation:{name}", float(np.corrcoef(there, here)[0, 1]), f"correlation {told}")
    yield from described.rows


def described(fitted: Fitted) -> Iterator[Estimate]:
    """Describe the fit: lags that criteria choose, the largest root, and what its residuals still hold."""
    data, spec = fitted.data, fitted.data.spec
    rows = Description(fitted.named(FIT), fitted.blank.outcome)
    try:
        longer = panel_var.lagged(data.values, spec.compared_lags)
        summed = panel_var.moments(longer, np.zeros(len(longer.y), dtype=np.intp), fitted.absorbed)
        criteria = panel_var.criteria(summed)
    except NotEstimableError as error:
        told = f"not estimable: {error}"
        yield replace(fitted.blank, model=fitted.named(FIT), term="lags", vcov="", seed=None, note=told)
        criteria = {}
    for name, values in criteria.items():
        rows.quantity(f"lags:{name}", 1 + int(values.argmin()), f"lags that {name} chooses among 1 to {len(values)}")
        rows.quantity(
            f"{name}:declared", values[spec.lags - 1] - values.min(), f"{name} of {spec.lags} lags above best"
        )
    rows.quantity("largest_root", float(fitted.point.largest_root[0]), "largest root; impulses die out below 1")
    without = quantities(data, panel_var.fit(fitted.summed, 1 - np.eye(len(fitted.summed.n))))
    left_out = "block of periods" if fitted.by_period else "unit"
    for name in spec.contrasts:
        values = without[f"{DIFFERENCE}:{name}"]
        rows.quantity(f"lowest:{name}", float(values.min()), f"smallest difference without one {left_out}")
        rows.quantity(f"highest:{name}", float(values.max()), f"largest difference without one {left_out}")
    df = len(fitted.summed.n) - 1
    reach = float(stats.t.ppf(0.975, df) + stats.t.ppf(POWER, df))
    for term in _contrasted(fitted):
        told = f"effect that a test at 5% finds with probability {POWER:g}: {estimand(spec, term)}"
        rows.quantity(f"detectable:{term.partition(':')[2]}", reach * float(fitted.many[term].std(ddof=1)), told)
    within = fitted.observed.demeaned(fitted.absorbed)
    left = within.y - within.x @ fitted.point.coefficients[0]
    rows.quantity("autocorrelation", _autocorrelation(fitted, left), "largest correlation of residuals with past ones")
    for name, share in zip(data.names, data.zeros, strict=True):
        rows.quantity(f"zeros:{name}", float(share), f"share of the values of {name} that are zero")
    scale = np.sqrt(np.diag(fitted.point.residuals[0]))
    correlation = fitted.point.residuals[0] / np.outer(scale, scale)
    for pair in data.contrasted:
        leaders, followers = data.sides(pair)
        between = float(correlation[np.ix_(leaders, followers)].mean())
        rows.quantity(f"same_period:{pair}", between, "mean correlation of innovations within one period")
    yield from rows.rows


def _autocorrelation(fitted: Fitted, left: panel_var.Floats) -> float:
    """Return the largest absolute correlation of a series' residuals with its own, 1 to `lags` periods before."""
    shape = (*fitted.data.values.shape[:2], left.shape[1])
    cube = np.full(shape, np.nan)
    cube[fitted.observed.unit, fitted.observed.period] = left
    largest = 0.0
    for lag in range(1, fitted.data.spec.lags + 1):
        product = np.nanmean(cube[:, lag:] * cube[:, :-lag], axis=(0, 1))
        largest = max(largest, float(np.abs(product / np.nanmean(cube**2, axis=(0, 1))).max()))
    return largest


def _contrasted(fitted: Fitted) -> list[str]:
    spec = fitted.data.spec
    return [*(f"{SUSTAINED}:{pair}" for pair in fitted.data.contrasted), *(f"{DIFFERENCE}:{n}" for n in spec.contrasts)]


def _refused(fitted: Fitted, within: str, error: NotEstimableError) -> Iterator[Estimate]:
    blank = replace(fitted.blank, model=fitted.named(within), vcov="", seed=None, note=f"not estimable: {error}")
    for term in _contrasted(fitted):
        yield replace(blank, term=term.partition(":")[2], estimand=estimand(fitted.data.spec, term))
