"""Counts, shares and differences of shares, as rows of the estimates table, so that prose can name them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import binom
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from analysis.models.estimates import Estimate


@dataclass
class Description:
    """Descriptive estimates of one outcome or indicator in one sampling frame.

    Parameters
    ----------
    model, outcome : name the rows in the estimates table.
    rows : grows with every call.
    """

    model: str
    outcome: str
    rows: list[Estimate] = field(default_factory=list)

    def quantity(self, term: str, value: float, estimand: str, n: int | None = None) -> None:
        """Add a count, median or other number that needs no interval, and the number of rows behind it."""
        self._add(term, estimand, estimate=float(value), n_obs=n)

    def median(self, term: str, values: pd.Series, estimand: str) -> None:
        """Add a median with the interval between two order statistics that covers it at least 95% of the time.

        Parameters
        ----------
        values : (n,) numbers, without those that are missing; of fewer than six there is no such interval.

        References
        ----------
        Thompson (1936), On confidence ranges for the median and other expectation distributions.
        """
        ordered = np.sort(values.dropna().to_numpy(dtype=np.float64))
        n = len(ordered)
        if n == 0:
            self._add(term, estimand, n_obs=0, note="not estimable: no rows")
            return
        rank = int(binom.ppf(0.025, n, 0.5))
        low, high = (ordered[rank - 1], ordered[n - rank]) if rank else (np.nan, np.nan)
        middle = float(np.median(ordered))
        self._add(term, estimand, estimate=middle, ci_low=low, ci_high=high, n_obs=n, vcov="order statistics")

    def share(self, term: str, is_so: pd.Series, estimand: str) -> None:
        """Add a share with its Wilson interval.

        Parameters
        ----------
        is_so : (n,) bool.

        References
        ----------
        Wilson (1927), Probable inference, the law of succession, and statistical inference.
        """
        n = len(is_so)
        if n == 0:
            self._add(term, estimand, n_obs=0, note="not estimable: no rows")
            return
        value = float(is_so.mean())
        low, high = proportion_confint(int(is_so.sum()), n, method="wilson")
        low, high = min(low, value), max(high, value)  # of 0 in 921, rounding leaves a limit above 0
        self._add(term, estimand, estimate=value, ci_low=low, ci_high=high, n_obs=n, vcov="Wilson")

    def difference(self, term: str, first: pd.Series, second: pd.Series, estimand: str) -> None:
        """Add the difference of two shares with Newcombe's hybrid score interval.

        Parameters
        ----------
        first, second : (n,) and (m,) bool.

        References
        ----------
        Newcombe (1998), Interval estimation for the difference between independent proportions, method 10.
        """
        n, m = len(first), len(second)
        if not n or not m:
            self._add(term, estimand, n_obs=n + m, note="not estimable: one of the two groups is empty")
            return
        low, high = confint_proportions_2indep(
            int(first.sum()), n, int(second.sum()), m, method="newcomb", compare="diff"
        )
        value = float(first.mean() - second.mean())
        self._add(term, estimand, estimate=value, ci_low=low, ci_high=high, n_obs=n + m, vcov="Newcombe")

    def _add(self, term: str, estimand: str, **numbers: object) -> None:
        self.rows.append(Estimate(self.model, "descriptive", self.outcome, term, estimand, **numbers))  # type: ignore[arg-type]
