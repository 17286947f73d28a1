"""Who moves first: a vector autoregression of several series in a panel of units (notebook 05)."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from analysis.models.batched import one_thread
from analysis.models.estimates import Estimate
from analysis.models.lead_lag_checks import checks
from analysis.models.lead_lag_fit import DIFFERENCE, ONCE, PATH, SUSTAINED, Fitted, estimand, fitted_to
from analysis.study.spec import Model, Study


def lead_lag(study: Study, model: Model, rows: pd.DataFrame, title: str) -> list[Estimate]:
    """Estimate how series follow the past of one another, and which of two follows the other more.

    Every series is regressed on `lags` periods of all of them, with a mean of each unit and, if absorbed, of each
    period. The estimand of `sustained:a>b` is by how much b is higher at the horizon if a is held one unit higher from
    period 0 on. It is a prediction; it is causal only if nothing unobserved moves a before b. What a and b do within
    one period is ascribed to nobody (``impulse: alone``), or to the series that stands first in the formula.

    Parameters
    ----------
    rows : of the analysis table, as `analysis.models.design_matrix.sample` gives them.
    title : name of the fit.

    Returns
    -------
    Under `title`: `sustained:a>b` of each pair and `difference:<contrast>` of two pairs. Those of the contrasts again
    under ``title:half_panel`` (without most of the bias that unit means bring) and ``title:mean_group`` (each unit
    fitted apart), as `a>b` and `<contrast>`. Under ``title:path``: `a>b[period]`, the way there, of the pairs that are
    contrasted. Under ``title:once``: `a>b`, the response to one impulse, of one unit or, where orthogonal, one standard
    deviation, added up to the horizon. Under ``title:granger``: `a>b`, the joint test and the share of variance that it
    explains. Under ``title:fit``: lags that criteria choose, the largest root, correlation left in the residuals, each
    contrast without each cluster, the effects that could have been seen, and `same_period:a>b`, the correlation of
    innovations that no order of time can ascribe. Under ``title:published``: published values of `once`, and the mean
    distance and the correlation of the estimates with them as labelled, and with leader and follower exchanged.

    Standard errors come from a bootstrap of whole units, or of blocks of periods with ``cluster: period``; intervals
    and p-values from the t distribution with clusters − 1 degrees of freedom.

    Raises
    ------
    NotEstimableError : a share has no log odds, no unit has enough periods in a row, or a series repeats another.

    References
    ----------
    Holtz-Eakin, Newey and Rosen (1988), Econometrica 56(6). Lütkepohl (2005), New Introduction to Multiple Time Series
    Analysis, ch. 2 to 4. Nickell (1981), Econometrica 49(6), and Dhaene and Jochmans (2015), Review of Economic Studies
    82(3), for the half-panel jackknife. Pesaran and Smith (1995), Journal of Econometrics 68(1), for the mean group.
    """
    with one_thread():
        fitted = fitted_to(model, rows, title)
        return [*_estimates(fitted), *checks(fitted)]


def _estimates(fitted: Fitted) -> Iterator[Estimate]:
    """Make the rows of a fit, the pairs and contrasts first and the paths to them last."""
    order = [SUSTAINED, DIFFERENCE, ONCE, PATH]
    for term in sorted(fitted.once, key=lambda term: order.index(term.partition(":")[0])):
        kind, _, name = term.partition(":")
        own = kind in (SUSTAINED, DIFFERENCE)
        error = float(fitted.many[term].std(ddof=1))
        yield fitted.row(
            "" if own else kind, term if own else name, estimand(fitted.data.spec, term),
            float(fitted.once[term][0]), error, int(fitted.blank.n_clusters or 0) - 1,
        )  # fmt: skip
