"""Staggered adoption: what happens around the moment exposure arrives (notebook 06)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit
from scipy.stats import norm

from analysis.models.adoption import Adoption, adoption_in
from analysis.models.batched import one_thread
from analysis.models.descriptive import Description
from analysis.models.design_matrix import NotEstimableError
from analysis.models.estimates import Estimate
from analysis.models.honest import relative_magnitudes, smoothness
from analysis.models.imputed import imputation
from analysis.models.pretrends import detectable_slope, joint_test, power
from analysis.models.staggered import Found, Rules, callaway_santanna, stacked
from analysis.models.staggered_panel import NEVER, Panel
from analysis.models.sun_abraham import sun_abraham
from analysis.models.two_way import bacon, twfe
from analysis.study.spec import EventStudy, Model, Study

DESIGN = "event_study"
MOST_CELLS = 60
"""Effects of single cohorts in single periods are listed where there are no more than this."""
ESTIMATORS: dict[str, tuple[str, Callable[[Panel, Rules], Found]]] = {
    "callaway_santanna": ("Callaway and Sant’Anna", callaway_santanna),
    "sun_abraham": ("Sun and Abraham", sun_abraham),
    "imputation": ("imputation", imputation),
    "stacked": ("stacked", stacked),
}
ADJUSTED = "callaway_santanna"
"""The estimator that can make parallel trends conditional on covariates."""


def event_study(study: Study, model: Model, rows: pd.DataFrame, title: str) -> list[Estimate]:
    """Estimate the effect of an exposure that arrives at different times, and all that speaks for or against it.

    The estimand of `overall` is the mean effect on the exposed unit-periods. It is causal only if without exposure the
    exposed would have moved in parallel with those they are compared with, if exposure does not act before its time
    (`anticipation`), and if no unit's exposure acts on another unit.

    Parameters
    ----------
    rows : of the analysis table, as `analysis.models.design_matrix.sample` gives them; exposure is 0 or 1 and stays.
    title : name of the fit.

    Returns
    -------
    Terms, of the design `event_study`: `overall` and `event[-3]` … `event[4]` of the first estimator, and
    `overall:<estimator>`, `event[-3]:<estimator>` of those beside it; `average` (mean of event times 0 to `lags`);
    `pretrend` (joint test of the leads), `pretrend_slope` (difference in trends that it finds with a chance of 80%),
    `pretrend_power` (its chance to find `pretrend_alternative`); `honest[M]` and `honest_relative[M]` (robust intervals
    of `average`); `twfe`, and what it averages: `bacon:clean`, `bacon:clean_weight`, `bacon:forbidden`,
    `bacon:forbidden_weight`; `group_time[cohort,period]` where there are few. Descriptive: `units_exposed`,
    `units_never`, `units_always`, `cohorts`, `missing`. Intervals are from the t distribution with clusters − 1 degrees
    of freedom. A term that cannot be estimated has no numbers, but the reason in its note.

    Raises
    ------
    NotEstimableError : exposure that ends again, or anything that `staggered_panel` refuses.

    References
    ----------
    Those of `analysis.models.staggered`, `sun_abraham`, `pretrends` and `honest`.
    """
    spec = model.event_study or EventStudy()
    rules = Rules(spec.comparison, spec.anticipation, spec.leads, spec.lags)
    with one_thread():
        return list(_Report(title, adoption_in(study, model, spec, rows), spec, rules).rows())


class _Report:
    """Everything that one event study says, as rows of the estimates table."""

    def __init__(self, title: str, adoption: Adoption, spec: EventStudy, rules: Rules) -> None:
        self.adoption, self.spec, self.rules, self.title = adoption, spec, rules, title
        self.panel = adoption.panel
        self.df = self.panel.n_clusters - 1
        self.effect = f"effect of {adoption.exposure} on {adoption.outcome}"

    def rows(self) -> Iterator[Estimate]:
        """Fit all estimators; the first decides, and without it there is nothing to report."""
        first, *others = self.spec.estimators
        try:
            primary = self.found(first)
        except NotEstimableError as error:
            yield self.row("overall", f"mean {self.effect}", note=f"not estimable: {error}")
            yield from self.described()
            return
        yield from self.overall(first, primary, "")
        yield from self.events(first, primary, "")
        yield from self.average(primary)
        for name in others:
            yield from self.beside(name)
        yield from self.two_way()
        yield from self.cells(primary)
        yield from self.described()

    def found(self, name: str) -> Found:
        """Fit one estimator, with the covariates where it takes them."""
        panel = self.panel if name == ADJUSTED else replace(self.panel, covariates=())
        found = ESTIMATORS[name][1](panel, self.rules)
        ignored = (
            "its fixed effects leave no room for the covariates" if name != ADJUSTED and self.panel.covariates else ""
        )
        return replace(found, note="; ".join(filter(None, [found.note, ignored])))

    def row(self, term: str, estimand: str, estimator: str = "", **numbers: Any) -> Estimate:
        """Make a row, with the interval where there is an error."""
        if np.isfinite(numbers.get("std_error", np.nan)):
            value, error = numbers["estimate"], numbers["std_error"]
            reach = stdtrit(self.df, 0.975) * error
            tested = {"statistic": value / error, "p_value": float(2 * stdtr(self.df, -abs(value / error)))}
            numbers = {**tested, "ci_low": value - reach, "ci_high": value + reach, **numbers}
            numbers["vcov"] = f"CR1({self.adoption.cluster})"
        label = ESTIMATORS[estimator][0] if estimator else ""
        note = "; ".join(filter(None, [label, numbers.pop("note", "")]))
        return Estimate(
            self.title, DESIGN, self.adoption.outcome, term, estimand, n_obs=len(self.panel.rows),
            n_units=len(self.panel.cohorts), n_clusters=self.panel.n_clusters, note=note, **numbers,
        )  # fmt: skip

    def overall(self, name: str, found: Found, suffix: str) -> Iterator[Estimate]:
        """Report the mean effect of one estimator."""
        over = "the exposed unit-periods"
        if name == "stacked":
            over = f"the exposed, over event times 0 to {self.rules.lags}"
        cells = 0 if found.cells is None or suffix else len(found.cells)
        unlisted = f"the effects in {cells:,} cohort-periods are not listed" if cells > MOST_CELLS else ""
        note = "; ".join(filter(None, [found.note, self.adoption.note, unlisted]))
        yield self.row(
            f"overall{suffix}", f"mean {self.effect}, on {over}", name,
            estimate=found.overall, std_error=found.error, note=note,
        )  # fmt: skip

    def beside(self, name: str) -> Iterator[Estimate]:
        """Report an estimator that stands beside the first."""
        try:
            found = self.found(name)
        except NotEstimableError as error:
            yield self.row(f"overall:{name}", f"mean {self.effect}", note=f"not estimable: {error}")
            return
        yield from self.overall(name, found, f":{name}")
        yield from self.events(name, found, f":{name}")

    def events(self, name: str, found: Found, suffix: str) -> Iterator[Estimate]:
        """Report the effect at each event time of the window."""
        numbers = found.events[["estimate", "std_error", "cohorts"]].astype("float64").to_numpy()
        known = dict(zip(found.events.index, numbers, strict=True))
        for time in range(-self.rules.leads, self.rules.lags + 1):
            term, count = f"event[{time}]{suffix}", f"{abs(time)} period{'s' if abs(time) > 1 else ''}"
            when = f"{count} {'before' if time < 0 else 'after'} its first" if time else "in its first period"
            estimand = f"{self.effect}, {when}"
            if time == self.rules.reference:
                yield self.row(term, estimand, name, estimate=0.0, note="the reference period, 0 by definition")
            elif time not in known or not known[time][1] > 0:
                yield self.row(term, estimand, note="not estimable: no cohort is observed at this event time")
            else:
                value, error, cohorts = map(float, known[time])
                borne = f"{int(cohorts)} cohorts" if np.isfinite(cohorts) else ""
                yield self.row(term, estimand, name, estimate=value, std_error=error, note=borne)

    def average(self, found: Found) -> Iterator[Estimate]:
        """Report the mean over the window, its robust intervals, and the test of the leads."""
        reference, leads, lags = self.rules.reference, self.rules.leads, self.rules.lags
        average = f"mean {self.effect}, over event times 0 to {lags}"
        window = [e for e in range(-leads, lags + 1) if e != reference]
        try:
            if found.vcov is None:
                raise NotEstimableError(
                    f"{self.spec.estimators[0]} gives no covariance of event times; put another first"
                )
            variances = dict(zip(found.vcov.index, np.diag(found.vcov), strict=True))
            absent = [e for e in window if not variances.get(e, 0.0) > 0]
            if absent:
                told = ", ".join(map(str, absent))
                raise NotEstimableError(f"no cohort is observed at event times {told}; set fewer `leads` or `lags`")
        except NotEstimableError as error:
            for term, estimand in (("average", average), ("pretrend", "joint test that all leads are 0")):
                yield self.row(term, estimand, note=f"not estimable: {error}")
            return
        beta = found.events.loc[window, "estimate"].to_numpy("float64")
        sigma = found.vcov.loc[window, window].to_numpy("float64")
        before = np.array(window) < reference
        after = np.array([e >= 0 for e in window if e > reference]) / (lags + 1)
        weights = np.concatenate([np.zeros(int(before.sum())), after])
        spread = float(np.sqrt(weights @ sigma @ weights))
        yield self.row("average", average, estimate=float(weights @ beta), std_error=spread)
        yield from self.leads(np.array(window)[before] - reference, beta[before], sigma[np.ix_(before, before)])
        # At a bound of 0 the normal interval is then that of t with as many degrees of freedom as all others here.
        wider = float(stdtrit(self.df, 0.975) / norm.ppf(0.975)) ** 2
        yield from self.honest(average, beta, sigma * wider, int(before.sum()), after)

    def leads(self, times: np.ndarray, leads: np.ndarray, sigma: np.ndarray) -> Iterator[Estimate]:
        """Report whether trends differed before exposure, and what the test could have seen."""
        estimand, clusters = "joint test that all leads are 0", self.panel.n_clusters
        try:
            statistic, p_value = joint_test(leads, sigma, clusters)
            slope = detectable_slope(times.astype("float64"), sigma, clusters)
        except NotEstimableError as error:
            yield self.row("pretrend", estimand, note=f"not estimable: {error}")
            return
        told = f"F({len(leads)}, {clusters - len(leads)}) of {len(leads)} leads"
        yield self.row("pretrend", estimand, statistic=statistic, p_value=p_value, note=told)
        slope_of = f"difference in slopes of {self.adoption.outcome} per period"
        yield self.row("pretrend_slope", f"{slope_of} that the joint test finds with a chance of 80%", estimate=slope)
        alternative = self.spec.pretrend_alternative
        if alternative is not None:
            chance = power(times * alternative, sigma, clusters)
            yield self.row("pretrend_power", f"chance that it finds a {slope_of} of {alternative:g}", estimate=chance)

    def honest(
        self, average: str, beta: np.ndarray, sigma: np.ndarray, n_pre: int, weights: np.ndarray
    ) -> Iterator[Estimate]:
        """Report the robust intervals of the mean over the window."""
        kinds: tuple[tuple[str, list[float], Callable[..., tuple[float, float]], str], ...] = (
            ("honest", self.spec.honest, smoothness,
             "trends' difference may change its slope by {} from one period to the next"),
            ("honest_relative", self.spec.honest_relative, relative_magnitudes,
             "trends' difference may change by {} times its largest change among the leads"),
        )  # fmt: skip
        for term, bounds, interval, claim in kinds:
            for bound in bounds:
                name, estimand = f"{term}[{bound:g}]", f"{average}, if the {claim.format(f'{bound:g}')}"
                try:
                    low, high = interval(beta, sigma, n_pre, weights, bound)
                except ValueError as error:
                    yield self.row(name, estimand, note=f"not estimable: {error}")
                else:
                    yield self.row(name, estimand, ci_low=low, ci_high=high, note="an interval without a point")

    def two_way(self) -> Iterator[Estimate]:
        """Report what two-way fixed effects would have said, and what that averages."""
        value, error = twfe(self.panel)
        estimand = f"coefficient of {self.adoption.exposure} on {self.adoption.outcome} beside unit and period effects"
        yield self.row("twfe", estimand, estimate=value, std_error=error)
        names = {
            "bacon:clean": f"mean {self.effect}, by comparisons with units not exposed",
            "bacon:clean_weight": "weight of comparisons with units not exposed in the two-way coefficient",
            "bacon:forbidden": f"mean {self.effect}, by comparisons with units exposed before",
            "bacon:forbidden_weight": "weight of comparisons with units exposed before in the two-way coefficient",
        }
        try:
            found = bacon(self.panel)
        except NotEstimableError as reason:
            yield from (self.row(term, name, note=f"not estimable: {reason}") for term, name in names.items())
            return
        for (term, name), number in zip(
            names.items(), (found.clean, found.clean_weight, found.forbidden, found.forbidden_weight), strict=True
        ):
            yield self.row(
                term, name, estimate=number, note="" if np.isfinite(number) else "not estimable: there are none"
            )

    def cells(self, found: Found) -> Iterator[Estimate]:
        """Report the effect on each cohort in each period, where they are few."""
        if found.cells is None or len(found.cells) > MOST_CELLS:
            return
        for cohort, period, value, error in found.cells[["cohort", "period", "estimate", "std_error"]].to_numpy():
            first, then = self.adoption.periods.get(int(cohort), str(int(cohort))), self.adoption.periods[int(period)]
            yield self.row(
                f"group_time[{first},{then}]", f"{self.effect}, in {then} on units first exposed in {first}",
                estimate=value, std_error=error,
            )  # fmt: skip

    def described(self) -> list[Estimate]:
        """Count units and cohorts."""
        cohorts = self.panel.cohorts
        described = Description(self.title, self.adoption.outcome)
        described.quantity("units_exposed", (cohorts != NEVER).sum(), "units that become exposed while observed")
        described.quantity("units_never", (cohorts == NEVER).sum(), "units that are not exposed while observed")
        described.quantity("units_always", self.panel.n_always, "units exposed from their first period on, left out")
        described.quantity("cohorts", cohorts[cohorts != NEVER].nunique(), "periods in which units become exposed")
        cells = len(self.panel.rows) + self.panel.n_missing
        described.quantity("missing", self.panel.n_missing / cells, "share of the unit-periods that are missing")
        return described.rows
