"""The fit behind a lead–lag model: its series, its coefficients, its bootstrap draws, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from analysis.dates import numbered
from analysis.link import NAIVE
from analysis.models import impulse_responses, panel_var
from analysis.models.design_matrix import NotEstimableError
from analysis.models.estimates import Estimate
from analysis.models.formulas import outcome_of, parsed
from analysis.models.panel_var import Codes, Fit, Floats, Lagged, Moments
from analysis.study.spec import LeadLag, Model

DESIGN = "lead_lag"
SUSTAINED, ONCE, PATH, DIFFERENCE = "sustained", "once", "path", "difference"
LEVEL = 0.05

Quantities = Mapping[str, Floats]
"""Term, and its value in each of d fits, (d,)."""


@dataclass(frozen=True)
class System:
    """The series of one model, side by side, and what is asked of them.

    Attributes
    ----------
    values : (units, periods, k), on the model's scale; NaN where a unit is not observed.
    names : (k,) exposures in the formula's order.
    spec : the model's block.
    zeros : (k,) share of each series' values that are 0 before they are put on a scale.
    """

    values: Floats
    names: list[str]
    spec: LeadLag
    zeros: Floats

    def sides(self, pair: str) -> tuple[list[int], list[int]]:
        """Return the positions of a pair's leading and following series."""
        leader, follower = (self.spec.groups.get(side, [side]) for side in pair.split(">"))
        return [self.names.index(name) for name in leader], [self.names.index(name) for name in follower]

    @property
    def contrasted(self) -> list[str]:
        """The pairs that a contrast compares."""
        return list(dict.fromkeys(pair for pairs in self.spec.contrasts.values() for pair in pairs))


@dataclass(frozen=True)
class Fitted:
    """One model, fitted to its rows and to each draw of the bootstrap.

    Attributes
    ----------
    observed : the rows with all lags.
    clusters : (n,) code of each row's cluster.
    absorbed : whether period means are taken off too.
    by_period : whether clusters are blocks of periods, and not units.
    summed : cross-products of the clusters.
    weights : (draws, g) how often each cluster is drawn.
    point : the fit.
    once, many : its quantities, and those of the draws.
    blank : what all rows of the estimates have in common.
    """

    data: System
    observed: Lagged
    clusters: Codes
    absorbed: bool
    by_period: bool
    summed: Moments
    weights: Floats
    point: Fit
    once: Quantities
    many: Quantities
    blank: Estimate

    def row(self, within: str, term: str, estimand: str, value: float, error: float, df: int) -> Estimate:
        """Make a row whose interval is that of the t distribution."""
        statistic = value / error if error > 0 else np.nan
        reach = float(stdtrit(df, 1 - LEVEL / 2)) * error
        return replace(
            self.blank, model=self.named(within), term=term, estimand=estimand, estimate=value, std_error=error,
            statistic=statistic, p_value=float(2 * stdtr(df, -abs(statistic))),
            ci_low=value - reach, ci_high=value + reach,
        )  # fmt: skip

    def named(self, within: str) -> str:
        """Name the part of the model that a row belongs to."""
        return f"{self.blank.model}:{within}" if within else self.blank.model


def system(model: Model, rows: pd.DataFrame) -> System:
    """Take a model's series from its rows, and put them on its scale.

    Raises
    ------
    NotEstimableError : no rows, or a share that has no log odds.
    """
    spec = model.lead_lag or LeadLag(pairs=[])
    names = [str(term) for term in parsed(model.formula).rhs if str(term) != "1"]
    used = rows[rows["excluded"] == ""]
    if used.empty:
        raise NotEstimableError("no rows")
    number = numbered(used["period"]).to_numpy("int64")
    unit, place = np.unique(used["unit_id"].to_numpy("str"), return_inverse=True)
    values = np.full((len(unit), number.max() - number.min() + 1, len(names)), np.nan)
    values[place, number - number.min()] = used[[name + NAIVE for name in names]].to_numpy("float64")
    zeros = np.asarray(np.nanmean(np.where(np.isnan(values), np.nan, values == 0), axis=(0, 1)))
    if spec.scale == "log_odds":
        values = values + spec.offset
        wrong = (values <= 0) | (values >= 1)
        if wrong.any():
            of = ", ".join(names[i] for i in np.unique(np.nonzero(wrong)[2]))
            rule = f"they must lie between 0 and 1 once {spec.offset:g} is added"
            raise NotEstimableError(f"{int(wrong.sum())} values of {of} have no log odds; {rule}")
        values = np.log(values / (1 - values))
    if spec.standardise:
        spread = np.sqrt(np.nanmean((values - np.nanmean(values, axis=1, keepdims=True)) ** 2, axis=(0, 1)))
        if not (spread > 0).all():
            raise NotEstimableError(f"no variation: {', '.join(np.array(names)[~(spread > 0)])}")
        values = values / spread
    return System(values, names, spec, zeros)


def fitted_to(model: Model, rows: pd.DataFrame, title: str) -> Fitted:
    """Fit a model to its rows and to each draw of its bootstrap."""
    data = system(model, rows)
    spec, absorbed, by_period = data.spec, "period" in model.absorb, model.cluster == ["period"]
    observed = panel_var.lagged(data.values, spec.lags)
    codes = observed.period // (spec.block or 1) if by_period else observed.unit
    clusters = np.asarray(np.unique(codes, return_inverse=True)[1], dtype=np.intp)
    summed = panel_var.moments(observed, clusters, absorbed)
    g = len(summed.n)
    weights = np.random.default_rng(spec.seed).multinomial(g, np.full(g, 1 / g), size=spec.draws).astype("float64")
    point = panel_var.fit(summed)
    by = f"blocks of {spec.block} periods" if by_period else "units"
    blank = Estimate(
        title, DESIGN, outcome_of(model.formula), "", "", n_obs=len(observed.y),
        n_units=len(np.unique(observed.unit)), n_clusters=g, vcov=f"bootstrap of {by}, {spec.draws:,} draws",
        seed=spec.seed, note=_note(data, observed, point),
    )  # fmt: skip
    once, many = quantities(data, point), quantities(data, panel_var.fit(summed, weights))
    return Fitted(data, observed, clusters, absorbed, by_period, summed, weights, point, once, many, blank)


def quantities(data: System, fitted: Fit) -> Quantities:
    """Return every pair's and contrast's quantities in each of d fits."""
    spec = data.spec
    found = impulse_responses.responses(fitted, spec.horizon)
    if spec.impulse == "orthogonal":
        found = impulse_responses.orthogonal(fitted, found)
    terms: dict[str, Floats] = {}
    for pair in spec.pairs:
        path = impulse_responses.sustained(found, *data.sides(pair))
        terms[f"{SUSTAINED}:{pair}"] = path[:, -1]
        terms[f"{ONCE}:{pair}"] = impulse_responses.accumulated(found, *data.sides(pair))[:, -1]
        if pair in data.contrasted:
            terms |= {f"{PATH}:{pair}[{period}]": path[:, period] for period in range(1, spec.horizon + 1)}
    for name, (first, second) in spec.contrasts.items():
        terms[f"{DIFFERENCE}:{name}"] = terms[f"{SUSTAINED}:{first}"] - terms[f"{SUSTAINED}:{second}"]
    return terms


def estimand(spec: LeadLag, term: str) -> str:
    """Say what a term estimates."""
    unit = "log odds" if spec.scale == "log_odds" else "the series' own unit"
    unit = f"standard deviations of {unit}" if spec.standardise else unit
    kind, _, name = term.partition(":")
    if kind == DIFFERENCE:
        first, second = (" to ".join(reversed(_named(pair))) for pair in spec.contrasts[name])
        return f"response of {first} minus that of {second}, in period {spec.horizon} of a sustained rise, {unit}"
    pair, _, period = name.rstrip("]").partition("[")
    leader, follower = _named(pair)
    if kind == ONCE:
        size = "one standard deviation" if spec.impulse == "orthogonal" else "one unit"
        return f"rise in {follower} after an impulse of {size} in {leader}, added up to period {spec.horizon}, {unit}"
    when = period or spec.horizon
    return f"rise in {follower} in period {when} while {leader} is held one unit higher from period 0 on, {unit}"


def _named(pair: str) -> list[str]:
    return pair.replace("_", " ").split(">")


def _note(data: System, observed: Lagged, point: Fit) -> str:
    cells = int(np.isfinite(data.values).any(axis=2).sum())
    told = f"{cells - len(observed.y)} of {cells} rows left out: a value or one of its {data.spec.lags} lags is missing"
    root = float(point.largest_root[0])
    return told + (f"; impulses do not die out: the largest root is {root:.3f}" if root >= 1 else "")
