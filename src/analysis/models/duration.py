"""How long until change: curves, hazards and competing outcomes, with no unit immortal (notebook 08)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from analysis.link import TimeOrder
from analysis.models.curves import Curve, competing_risks, cumulative_incidence, kaplan_meier
from analysis.models.design_matrix import DesignMatrix, NotEstimableError, design_matrix, sample
from analysis.models.estimates import Estimate, tidy
from analysis.models.fit import deciding
from analysis.models.formulas import INTERCEPT, outcome_of, regressors_of
from analysis.models.hazard import fit_hazard
from analysis.models.partial_likelihood import (
    RiskTime,
    kaplan_meier_clock,
    maximise,
    partial_likelihood,
    proportional_hazards_test,
    subdistribution,
)
from analysis.models.person_periods import Dates, exposure_steps, person_periods, risk_time
from analysis.models.vcov import FEWEST_CLUSTERS
from analysis.study.pipeline import models_of
from analysis.study.spec import Model, Study

NOTEBOOK = "08_duration"
Floats = NDArray[np.float64]
CURVES = ("kaplan_meier", "cumulative_incidence")
EXTREMES: tuple[Dates, Dates] = ("early", "late")
FEWEST_EVENTS = 10
"""With fewer events per coefficient estimates are unstable; see Peduzzi, Concato, Feinstein and Holford (1995)."""


@dataclass(frozen=True)
class DurationData:
    """The tables that the duration designs read.

    Attributes
    ----------
    table : the analysis table.
    changed : table `CHANGE`.
    reported : table `ENGAGEMENT`.
    units : canonical table.
    """

    table: pd.DataFrame
    changed: pd.DataFrame
    reported: pd.DataFrame
    units: pd.DataFrame


def fit_durations(study: Study, data: DurationData) -> pd.DataFrame:
    """Fit every duration model of a study, as `durations_of` does, and return the estimates table."""
    return tidy(durations_of(study, data), study.name, deciding(study))


def durations_of(study: Study, data: DurationData) -> list[Estimate]:
    """Fit every duration model of a study, apart in each value of its `each`, and under both time orders if it asks.

    The estimands, by design:

    - `kaplan_meier`: the share with an event by the end of each of the model's periods, were nobody lost.
    - `cumulative_incidence`: the share whose first event by then is the outcome, and the share whose first is the
      competing one.
    - `cox`: log hazard ratios, with Efron's ties and the score test of proportional hazards.
    - `hazard`: log hazard ratios; the baseline is constant within periods, and an event lies anywhere in the interval
      that its date stands for.
    - `fine_gray`: log ratios of subdistribution hazards, which say what the share whose first event is the outcome
      grows with; they do not compare rates among those still at risk.

    In `cox` and `hazard` an exposure counts from its as-of date. A naive one (``…@naive``) or one `exposed_from` launch
    counts from launch, which makes the exposed immortal until they are exposed; it is there to show the difference.
    Hazard ratios are associations. They would be causal only if nothing else changed both the exposure and the hazard,
    and if whoever was lost had been like those who were not.

    Returns
    -------
    Rows of the estimates table. `n_obs` counts units, not the stretches into which their risk time is cut. Terms ending
    in ``:early_dates`` and ``:late_dates`` are refitted with every imprecise date at an extreme (see `Dates`). A curve
    has the terms ``within_<days>`` and `median`, a test of proportional hazards the term `proportional_hazards`.

    References
    ----------
    Therneau and Grambsch (2000), Modeling Survival Data. Suissa (2008), Immortal time bias in pharmacoepidemiology.
    """
    rows: list[Estimate] = []
    for fit in _fits(study, data):
        try:
            rows += fit.curves() if fit.model.design in CURVES else fit.hazard_ratios()
        except NotEstimableError as error:
            names = fit.regressors or [f"within_{days}" for days in fit.model.periods]
            rows += [fit.estimate(name, "", n_obs=0, note=f"not estimable: {error}") for name in names]
    return rows


def first_events(study: Study, data: DurationData) -> pd.DataFrame:
    """Return the first events that the study's curves are drawn from.

    Returns
    -------
    Of each model with a curve, and both extremes of the dates: `model`, `value` (of the model's `each`), `outcome`,
    `competing`, `dates`, `unit_id`, `days`, `status` (1 the outcome, 2 the competing one, 0 neither).
    """
    tables = []
    for fit in _fits(study, data):
        if fit.model.design in CURVES:
            for dates in EXTREMES:
                found, _ = fit.first_event(dates)
                tables.append(found.assign(model=fit.name, value=fit.value or "all", outcome=fit.outcome,
                                           competing=fit.model.competing or "", dates=dates))  # fmt: skip
    columns = ["model", "value", "outcome", "competing", "dates", "unit_id", "days", "status"]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def _fits(study: Study, data: DurationData) -> list[_Fit]:
    @cache
    def at_risk(outcome: str, dates: Dates) -> pd.DataFrame:
        first = data.changed[data.changed["outcome"] == outcome]
        return risk_time(first, data.units, dates).sort_values("unit_id", ignore_index=True)

    @cache
    def steps(name: str, dates: Dates) -> pd.DataFrame:
        return exposure_steps(data.reported, data.units, study.exposures[name], name, dates)

    fits = []
    for name, model in models_of(study, NOTEBOOK).items():
        values = sorted(data.table[model.each].unique()) if model.each else [None]
        orders: tuple[TimeOrder, ...] = get_args(TimeOrder) if model.contrast_time_order else ("strict",)
        fits += [_Fit(study, data, at_risk, steps, name, model, value, order) for value in values for order in orders]
    return fits


@dataclass(frozen=True)
class _Sandwich:
    """A fit as its covariance needs it: the score of each row, and whose row it is."""

    terms: list[str]
    coefficients: Floats
    information: Floats
    score: Floats
    unit: pd.Series
    cluster: pd.Series | None
    design: DesignMatrix
    events: int
    notes: dict[str, str]
    tests: list[Estimate]


@dataclass(frozen=True)
class _Fit:
    """One model in one value of its `each`, under one time order.

    Attributes
    ----------
    everyone_at_risk : `risk_time` of an outcome, of all units; worked out once for all models.
    steps : `exposure_steps` of an exposure, likewise.
    """

    study: Study
    data: DurationData
    everyone_at_risk: Callable[[str, Dates], pd.DataFrame]
    steps: Callable[[str, Dates], pd.DataFrame]
    name: str
    model: Model
    value: str | None
    order: TimeOrder

    @property
    def outcome(self) -> str:
        return outcome_of(self.model.formula)

    @property
    def regressors(self) -> list[str]:
        return list(regressors_of(self.model.formula))

    @property
    def exposures(self) -> list[str]:
        return [name for name in self.regressors if name in self.study.exposures]

    def estimate(self, term: str, estimand: str, **numbers: object) -> Estimate:
        value, naive = f"[{self.value}]" if self.value else "", "@naive" if self.order == "naive" else ""
        title = f"{self.name}{value}{naive}"
        return Estimate(title, self.model.design, self.outcome, term, estimand, **numbers)  # type: ignore[arg-type]

    @cached_property
    def rows(self) -> pd.DataFrame:
        return sample(self.study, self.model, self.data.table, self.value, self.order)

    @cached_property
    def wanted(self) -> pd.Series:
        """The units that the model compares."""
        return self.rows.loc[self.rows["excluded"] == "", "unit_id"]

    def at_risk(self, outcome: str, dates: Dates) -> tuple[pd.DataFrame, str]:
        """Return the risk time of the model's units, and a note on those without a known one."""
        everyone = self.everyone_at_risk(outcome, dates)
        wanted = self.wanted
        found = everyone[pd.Index(wanted).get_indexer(pd.Index(everyone["unit_id"])) >= 0].reset_index(drop=True)
        if found.empty:
            raise NotEstimableError(f"no units at risk among {len(self.rows)}")
        lost = len(wanted) - len(found)
        return found, f"{lost} of {len(wanted)} units left out: launch or end of observation unknown" if lost else ""

    @cached_property
    def imprecise(self) -> bool:
        """Whether the extremes of any date that the model reads can differ."""
        indicators = [name for exposure in self.exposures for name in self.study.exposures[exposure].indicators]
        reported = self.data.reported[self.data.reported["indicator"].isin(indicators)]
        if (reported["uncertain_days"] > 0).any():
            return True
        outcomes = [name for name in (self.outcome, self.model.competing) if name]
        early, late = ([self.at_risk(name, dates)[0] for name in outcomes] for dates in EXTREMES)
        return not all(one.equals(other) for one, other in zip(early, late, strict=True))

    def first_event(self, dates: Dates) -> tuple[pd.DataFrame, str]:
        """Return each unit's first event, of the outcome and of the competing one where there is one."""
        own, note = self.at_risk(self.outcome, dates)
        if self.model.competing is None:
            first = own.rename(columns={"stop": "days"}).assign(status=own["event"].astype(int))
            return first[["unit_id", "days", "status"]], note
        first = competing_risks(own, self.at_risk(self.model.competing, dates)[0])
        tied = int(first["tied"].sum())
        return first, _joined(note, f"{tied} met both on the same day, counted as {self.outcome}" if tied else "")

    def curves(self) -> list[Estimate]:
        label = self.study.outcomes[self.outcome].label
        rows = []
        for dates in EXTREMES:
            first, note = self.first_event(dates)
            _refuse_without_events(first["status"] > 0)
            if self.model.competing is None:
                curve = kaplan_meier(first["days"], first["status"] == 1)
                rows += self._read(curve, "within", dates, f"share with {label}", len(first), note)
                rows.append(self._median(curve, dates, f"days within which half have {label}", len(first), note))
                continue
            labels = {self.outcome: label, self.model.competing: self.study.outcomes[self.model.competing].label}
            for (outcome, told), curve in zip(
                labels.items(), cumulative_incidence(first["days"], first["status"]), strict=True
            ):
                estimand = f"share whose first event is {told}"
                rows += self._read(curve, f"{outcome}_within", dates, estimand, len(first), note)
        return rows

    def _read(self, curve: Curve, prefix: str, dates: str, estimand: str, n: int, note: str) -> list[Estimate]:
        rows = []
        for days in self.model.periods:
            share, error, low, high = curve.at(days)
            told = note if share == share else f"not estimable: nobody was followed for {days} days"
            rows.append(
                self.estimate(
                    f"{prefix}_{days}:{dates}_dates", f"{estimand} in the first {days} days", estimate=share,
                    std_error=error, ci_low=low, ci_high=high, n_obs=n, n_units=n, vcov="log–log", note=told,
                )
            )  # fmt: skip
        return rows

    def _median(self, curve: Curve, dates: str, estimand: str, n: int, note: str) -> Estimate:
        middle, low, high = curve.median()
        term = f"median:{dates}_dates"
        if np.isnan(middle):
            told = "not estimable: fewer than half had the event while they were followed"
            return self.estimate(term, estimand, n_obs=n, n_units=n, note=told)
        return self.estimate(
            term, estimand, estimate=middle, ci_low=low, ci_high=high, n_obs=n, n_units=n, vcov="log–log", note=note
        )

    def hazard_ratios(self) -> list[Estimate]:
        main: Dates = "window" if self.model.design == "hazard" else "early"
        fitted = self._fitted(main)
        rows = [*self._tidied(fitted), *fitted.tests]
        for dates in EXTREMES:
            if dates != main and self.imprecise:
                extreme = self._tidied(self._fitted(dates))
                focus = [row for row in extreme if set(row.term.split(":")) & set(self.exposures)]
                rows += [replace(row, term=f"{row.term}:{dates}_dates") for row in focus or extreme]
        return rows

    def _fitted(self, dates: Dates) -> _Sandwich:
        if self.model.design == "hazard":
            return self._hazard(dates)
        return self._cox(dates) if self.model.design == "cox" else self._fine_gray(dates)

    def _stretches(self, found: pd.DataFrame, dates: Dates, cuts: tuple[float, ...] = ()) -> tuple[pd.DataFrame, str]:
        """Return the model's stretches of risk time, with every column that its formula uses, and who has none."""
        declared = {name: self.study.exposures[name] for name in self.exposures}
        landmarks = [spec.landmark_days for spec in declared.values() if spec.landmark_days and self.order == "strict"]
        if self.order == "naive" or self.model.exposed_from == "launch":
            declared = {}
        varying = {name: spec for name, spec in declared.items() if not spec.landmark_days}
        steps = {name: self.steps(name, dates) for name in varying}
        absent = {name: 0.0 for name, spec in varying.items() if spec.absent == "zero"}
        entry = max((days + 1.0 for days in landmarks), default=0.0)
        stretches = person_periods(found.assign(entry=entry), steps, absent, cuts)
        used = ["unit_id", "excluded", *self.model.cluster, *self.regressors]
        fixed = self.rows[[name for name in dict.fromkeys(used) if name not in varying]]
        late = len(found) - stretches["unit_id"].nunique()
        note = (
            f"{late} of {len(found)} units left out: event or end of observation before day {entry:.0f}" if late else ""
        )
        return stretches.merge(fixed, on="unit_id", how="inner", validate="many_to_one"), note

    def _cox(self, dates: Dates) -> _Sandwich:
        found, note = self.at_risk(self.outcome, dates)
        _refuse_without_events(found["event"])
        stretches, late = self._stretches(found, dates)
        design = self._design(stretches, stretches["event"], _joined(note, late))
        used, terms, x = _regressors(stretches, design)
        event = used["event"].to_numpy(dtype=bool)
        rows = RiskTime(used["start"].to_numpy(), used["stop"].to_numpy(), event, x, np.ones(len(x)))
        beta = maximise(rows)
        at = partial_likelihood(rows, beta)
        test = proportional_hazards_test(at, kaplan_meier_clock(rows, at.times))
        notes = {
            term: f"hazards are not proportional (p = {p:.3f}): the ratio is an average over time"
            for term, p in zip(terms, test.p_value, strict=True)
            if p < 0.05
        }
        overall = self.estimate(
            "proportional_hazards", "score test that the hazard ratios do not change with time, chi-squared",
            statistic=test.global_statistic, p_value=test.global_p_value, n_obs=design.n_units, n_units=design.n_units,
            note=f"{len(terms)} degrees of freedom" if len(at.times) > 1 else "not testable: all events on one day",
        )  # fmt: skip
        return _Sandwich(
            terms, beta, at.information.sum(axis=0), at.residuals, used["unit_id"], design.cluster, design,
            int(event.sum()), notes, [overall],
        )  # fmt: skip

    def _hazard(self, dates: Dates) -> _Sandwich:
        found, note = self.at_risk(self.outcome, dates)
        _refuse_without_events(found["event"])
        cuts = _periods_with_events(self.model.periods, found)
        stretches, late = self._stretches(found, dates, cuts)
        note = _joined(note, late)
        complete = stretches.dropna(subset=self.regressors)
        before = stretches.groupby(["unit_id", "window"])["start"].transform("size")
        after = complete.groupby(["unit_id", "window"])["start"].transform("size")
        partly = complete["window"] & (after < before[complete.index])
        if partly.any():
            # The event may have happened before the exposure had its first value, when the unit was not yet at risk.
            dropped = complete.loc[partly, "unit_id"].nunique()
            note = _joined(note, f"{dropped} events left out: they may precede the first value")
            stretches = stretches.drop(index=complete.index[partly])
        design = self._design(stretches, stretches["window"], note)
        used, terms, x = _regressors(stretches, design)
        spell, _ = pd.factorize(used["unit_id"] + used["window"].map({True: "+", False: "-"}), sort=True)
        first = pd.Series(np.arange(len(used))).groupby(spell).first().to_numpy()
        event = used["window"].to_numpy(dtype=bool)[first]
        period = np.searchsorted(np.asarray(cuts), used["start"].to_numpy(), side="right")
        baseline = (period[:, None] == np.unique(period)).astype(np.float64)
        fit = fit_hazard((used["stop"] - used["start"]).to_numpy(), np.hstack([x, baseline]), spell, event)
        cluster = design.cluster.iloc[first] if design.cluster is not None else None
        return _Sandwich(
            terms, fit.coefficients, fit.information, fit.score, used["unit_id"].iloc[first], cluster, design,
            int(event.sum()), {}, [],
        )  # fmt: skip

    def _fine_gray(self, dates: Dates) -> _Sandwich:
        first, note = self.first_event(dates)
        _refuse_without_events(first["status"] == 1)
        # A study may have attributes of these names; none can have a colon.
        met = first.rename(columns={name: f"first:{name}" for name in first.columns.drop("unit_id")})
        rows = met.merge(self.rows.drop(columns=self.outcome), on="unit_id", how="inner", validate="one_to_one")
        design = self._design(rows, rows["first:status"] == 1, note)
        used, terms, x = _regressors(rows, design)
        weighted, of = subdistribution(used["first:days"].to_numpy(), used["first:status"].to_numpy(), x)
        beta = maximise(weighted)
        at = partial_likelihood(weighted, beta)
        cluster = design.cluster.iloc[of] if design.cluster is not None else None
        return _Sandwich(
            terms, beta, at.information.sum(axis=0), at.residuals * weighted.weight[:, None], used["unit_id"].iloc[of],
            cluster, design, int(weighted.event.sum()), {}, [],
        )  # fmt: skip

    def _design(self, rows: pd.DataFrame, event: pd.Series, note: str) -> DesignMatrix:
        """Build the design matrix, and count what is missing in units rather than in stretches of their risk time."""
        # Where every unit has had its event, the outcome does not vary, and its time still tells.
        design = design_matrix(self.study, self.model, rows.assign(**{self.outcome: np.arange(len(rows))}))
        if not event[design.x.index].any():
            raise NotEstimableError(f"all censored: none of {design.n_units} units had an event while measured")
        used = self.regressors
        known = rows[used].notna().groupby(rows["unit_id"])
        never, always = ~known.any(), known.all()
        lost = ", ".join(f"{never[name].sum()} without {name}" for name in used if never[name].any())
        dropped = len(never) - design.n_units
        later = ~never & ~always
        joined = ", ".join(f"{later[name].sum()} from their first {name}" for name in used if later[name].any())
        return replace(
            design,
            note=_joined(
                note,
                f"{dropped} of {len(never)} units left out: {lost}" if dropped else "",
                f"at risk only later: {joined}" if joined else "",
            ),
        )

    def _tidied(self, fitted: _Sandwich) -> list[Estimate]:
        covariance, vcov, freedom = self._covariance(fitted)
        design, k = fitted.design, len(fitted.terms)
        few = f"only {fitted.events} events for {k} coefficients" if fitted.events < FEWEST_EVENTS * k else ""
        critical = float(student.ppf(0.975, freedom))
        fine_gray = self.model.design == "fine_gray"
        rows = []
        for i, term in enumerate(fitted.terms):
            estimate, error = float(fitted.coefficients[i]), float(np.sqrt(covariance[i, i]))
            rows.append(
                self.estimate(
                    term, "log subdistribution hazard ratio" if fine_gray else "log hazard ratio",
                    estimate=estimate, std_error=error, statistic=estimate / error,
                    p_value=float(2 * student.sf(abs(estimate / error), freedom)),
                    ci_low=estimate - critical * error, ci_high=estimate + critical * error,
                    n_obs=design.n_units, n_units=design.n_units,
                    n_clusters=design.cluster.nunique() if design.cluster is not None else None,
                    vcov=vcov, note=_joined(design.note, few, fitted.notes.get(term, "")),
                )
            )  # fmt: skip
        return rows

    def _covariance(self, fitted: _Sandwich) -> tuple[Floats, str, float]:
        """Return covariance, its name and its degrees of freedom: clustered where clusters are enough."""
        inverse = np.asarray(np.linalg.inv(fitted.information), dtype=np.float64)
        cluster = fitted.cluster
        if cluster is not None and cluster.nunique() >= FEWEST_CLUSTERS:
            groups, name, freedom = cluster, f"CRV1({cluster.name})", float(cluster.nunique() - 1)
        elif self.model.design == "fine_gray":
            groups, name, freedom = fitted.unit, "CRV1(unit_id), weights taken as known", np.inf
        else:
            return inverse, "information matrix", np.inf
        codes = pd.factorize(groups, sort=True)[0]
        sums = np.zeros((codes.max() + 1, len(inverse)))
        np.add.at(sums, codes, fitted.score)
        return inverse @ (sums.T @ sums) @ inverse * (len(sums) / (len(sums) - 1)), name, freedom


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def _refuse_without_events(event: pd.Series) -> None:
    if not event.any():
        raise NotEstimableError(f"all censored: none of {len(event)} units had an event")


def _regressors(rows: pd.DataFrame, design: DesignMatrix) -> tuple[pd.DataFrame, list[str], Floats]:
    """Return the rows that the design matrix kept, the terms but the intercept, and their columns."""
    terms = [str(column) for column in design.x.columns if column != INTERCEPT]
    return rows.loc[design.x.index], terms, design.x[terms].to_numpy(dtype=np.float64)


def _periods_with_events(periods: list[int], found: pd.DataFrame) -> tuple[float, ...]:
    """Keep the ends of periods that have events on both sides, so that every period's hazard can be estimated."""
    middle = ((found["clear"] + found["stop"]) / 2)[found["event"]]
    cuts: list[float] = []
    for end in map(float, periods):
        since = middle[middle > (cuts[-1] if cuts else 0.0)]
        if (since <= end).any() and (since > end).any():
            cuts.append(end)
    return tuple(cuts)
