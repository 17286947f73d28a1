"""Estimators of staggered adoption, on any panel: each says what exposure did overall and by time since it arrived.

They are a thin layer over diff-diff, which equals R's `did`. Its Sun–Abraham regression is written anew in
`analysis.models.sun_abraham`, as it needs gigabytes where there are many cohorts, and its imputation in
`analysis.models.imputed`, as it takes one horizon at a time.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd

from analysis.models.design_matrix import NotEstimableError
from analysis.models.staggered_panel import NEVER, Panel

T = TypeVar("T")
Comparison = Literal["never_treated", "not_yet_treated"]


@dataclass(frozen=True)
class Found:
    """What one estimator says.

    Attributes
    ----------
    overall, error : mean effect on the exposed unit-periods, and its standard error.
    events : indexed by event time, 0 for the first exposed period; estimate, std_error, cohorts (how many bear on it;
        missing where not known). A reference period has estimate 0 and no error.
    vcov : covariance of the event times with an error, labelled by them; None where not known.
    cells : cohort, period, estimate, std_error of each cohort and period; None where not known.
    note : what a reader must know.
    """

    overall: float
    error: float
    events: pd.DataFrame
    vcov: pd.DataFrame | None = None
    cells: pd.DataFrame | None = None
    note: str = ""


@dataclass(frozen=True)
class Rules:
    """How units are compared.

    Attributes
    ----------
    comparison : units that are never exposed, or those and units not exposed yet.
    anticipation : periods before exposure in which it may act already; the reference is the one before these.
    leads, lags : periods before and after exposure that are looked at.
    """

    comparison: Comparison = "not_yet_treated"
    anticipation: int = 0
    leads: int = 5
    lags: int = 5

    @property
    def reference(self) -> int:
        """Event time that the others are compared with."""
        return -1 - self.anticipation


def callaway_santanna(panel: Panel, rules: Rules) -> Found:
    """Compare each cohort, period by period, with units that are not exposed, and average.

    Doubly robust where there are covariates, taken in the reference period; otherwise differences of means. The
    reference period is the same for all periods of a cohort, so that leads are comparable with lags.

    References
    ----------
    Callaway and Sant'Anna (2021), Journal of Econometrics 225(2), eq. 2.4, 3.5 and 3.8 (`overall`: theta_W^O).
    """
    from diff_diff import CallawaySantAnna  # type: ignore[import-untyped]

    if rules.comparison == "never_treated" and (panel.rows["cohort"] != NEVER).all():
        raise NotEstimableError("no unit is never exposed; use `comparison: not_yet_treated`")
    estimator = CallawaySantAnna(
        control_group=rules.comparison, anticipation=rules.anticipation, base_period="universal",
        cluster=None if panel.weighted else "cluster",
    )  # fmt: skip
    fit = quietly(lambda: estimator.fit(panel.rows, **_columns(panel, list(panel.covariates))))
    cells = [
        (int(g), int(t), cell["effect"], cell["se"])
        for (g, t), cell in fit.group_time_effects.items()
        if t - g != rules.reference
    ]
    table = pd.DataFrame(cells, columns=["cohort", "period", "estimate", "std_error"]).dropna(subset="std_error")
    if table.empty:
        raise NotEstimableError("no cohort has units to compare with in its reference period and after")
    overall = fit.aggregate("simple").to_dataframe().iloc[0]
    surface = fit.aggregate("event_study")
    labels = [int(e) for e in surface.vcov_index]
    lost = len(cells) - len(table)
    return Found(
        float(overall["att"]), float(overall["se"]), _events(surface),
        pd.DataFrame(surface.vcov, index=labels, columns=labels), table,
        f"{lost} of {len(cells)} cohort-periods have nothing to compare with" if lost else "",
    )  # fmt: skip


def stacked(panel: Panel, rules: Rules) -> Found:
    """Stack an experiment for each cohort, over the same event times, weighted to the share of its exposed units.

    Only cohorts that are observed over all of these event times take part, and `overall` is the mean effect of those
    from 0 to `lags`.

    References
    ----------
    Wing, Freedman and Hollingsworth (2024), Stacked difference-in-differences, NBER Working Paper 32054.
    """
    from diff_diff import StackedDiD, SurveyDesign

    estimator = StackedDiD(
        kappa_pre=rules.leads, kappa_post=rules.lags, anticipation=rules.anticipation, control_group=rules.comparison
    )
    design = SurveyDesign(weights="weight" if panel.weighted else None, psu="cluster")
    fit = quietly(lambda: estimator.fit(panel.rows, **{**_columns(panel), "survey_design": design}))
    left_out = sorted(int(g) for g in fit.trimmed_groups)
    note = f"{len(left_out)} cohorts are not observed from {-rules.leads} to {rules.lags} and left out"
    events = _events(quietly(lambda: fit.aggregate("event_study"))).assign(cohorts=len(fit.groups))
    return Found(float(fit.overall_att), float(fit.overall_se), events, note=note if left_out else "")


def _columns(panel: Panel, covariates: list[str] | None = None) -> dict[str, Any]:
    """Name the columns to diff-diff, and the weights where there are any."""
    named: dict[str, Any] = {"outcome": "y", "unit": "unit", "time": "period", "first_treat": "cohort"}
    if covariates:
        named["covariates"] = covariates
    if panel.weighted:
        from diff_diff import SurveyDesign

        named["survey_design"] = SurveyDesign(weights="weight", psu="cluster")
    return named


def _events(surface: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {"estimate": surface.att, "std_error": surface.se, "cohorts": surface.n},
        index=pd.Index([int(e) for e in surface.event_time], name="event_time"),
    ).sort_index()


def quietly(call: Callable[[], T]) -> T:
    """Keep a library's warnings to itself, and turn its refusal into a reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call()
        except (ValueError, np.linalg.LinAlgError) as error:
            raise NotEstimableError(str(error).split(". ")[0].rstrip(".")) from None
