"""Placebo dates: an exposure that is dated too early should show nothing."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.dates import numbered
from analysis.models.design_matrix import NotEstimableError, design_matrix
from analysis.models.estimates import Estimate
from analysis.robustness.refit import linear_estimate
from analysis.robustness.targets import Target
from analysis.study.spec import Exposure


def arrives_and_stays(exposure: Exposure) -> bool:
    """Say whether an exposure is 0 until it arrives and 1 from then on."""
    return exposure.transform == "present" and exposure.window == "all"


def placebo_dates(target: Target) -> Iterator[Estimate]:
    """Fit a target as if its exposure had arrived some periods before it did, in the periods before it did.

    What differs then was there before the exposure: units that would be exposed already moved apart from the others.

    Returns
    -------
    A row ``<model>:placebo_shift`` with the term ``<term>:<k>_earlier`` for each number of periods k that the study
    declares; none where units are observed once, or the exposure may end again.

    References
    ----------
    Granger (1969), on leads. Roth (2022), Pretest with caution, for what such a test can and cannot show.
    """
    exposure = target.study.exposures.get(target.variable)
    if exposure is None or target.study.unit.grain is None or not arrives_and_stays(exposure):
        return
    rows, name = target.rows, target.variable
    period = numbered(rows["period"])
    arrival = rows["unit_id"].map(period[rows[name] == 1].groupby(rows["unit_id"]).min())
    before = rows[name].eq(0) & (arrival.isna() | (period < arrival))
    for shift in target.choices.placebo_shift:
        early = (period >= arrival - shift).astype("float64")
        shifted = rows.assign(**{name: early})[before]
        note = f"{name} as if it had arrived {shift} periods earlier; only periods before it arrived"
        try:
            numbers, _ = linear_estimate(design_matrix(target.study, target.model, shifted), target.term)
        except NotEstimableError as error:
            yield target.estimate("placebo_shift", f"{shift}_earlier", "", f"not estimable: {error}", n_obs=0)
            continue
        yield target.estimate("placebo_shift", f"{shift}_earlier", target.unit, note, **numbers)
