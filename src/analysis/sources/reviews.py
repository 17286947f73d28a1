"""The Universal Periodic Review, 2008 to 2014: states that had not ratified a treaty when they were reviewed.

As described in ``docs/data/reviews.md``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from analysis.dates import intervals
from analysis.models.estimates import Estimate
from analysis.sources import reviewchecks
from analysis.sources.countrycodes import country_names
from analysis.sources.countryfiles import conditions, organising
from analysis.sources.reviewfiles import FOLLOWED, asked, bound, coded_by_hand, recommendations, reviews, risk_set
from analysis.sources.treatynames import PROTOCOLS, TREATIES
from analysis.study.spec import Strict
from analysis.tables import CONTEXT, OUTCOMES, PROCESS, CanonicalTables

ANSWERED_WITHIN = pd.Timedelta(days=240)
"""A state answers by the time the Council adopts the report on it, in a later session, at most so much later."""


class Options(Strict):
    """Options of the reviews adapter: where each raw file is."""

    recommendations: tuple[str, ...] = tuple(
        f"data/raw/reviews/{name}.csv" for name in ("1-5", "6-9", "10-13", "14-17", "17-20")
    )
    sample: str = "data/raw/reviews_sample/sample.csv"
    ratifications: str = "data/raw/countries/hr_commitments_updated_2022.csv"
    organising: str = "data/raw/countries/DSP_original.Rdata"
    conditions: str = "data/raw/countries/vdemlite.rda"


def load(root: Path, options: Options, seed: int) -> CanonicalTables:
    """Read the reviews into the canonical tables.

    Parameters
    ----------
    root, options : the project's folder, and the files under it.
    seed : not used; nothing is random.

    Returns
    -------
    One unit per review and treaty that the state had not ratified by the end of the year before. Recommendations of
    this and of later reviews, dated by their sessions; use of social media to organise in the year before; ratification
    dated by its year, followed to the end of the fourth calendar year after the review's; what held the year before.
    """
    recommended = recommendations(root, options.recommendations)
    parties = bound(root, options.ratifications)
    cells = risk_set(reviews(recommended), parties, options.ratifications)
    units = _units(cells, recommended)
    context = _context(units, parties, conditions(root, options.conditions))
    return CanonicalTables(
        units,
        pd.concat([_recommended(units, recommended), _organised(units, organising(root, options.organising))]),
        pd.concat([_outcomes(units), _before(units, context)])[list(OUTCOMES.columns)],
        context,
    )


def described(root: Path, options: Options) -> list[Estimate]:
    """Count what was read and what was lost, and how often the coding of the text errs; see `reviewchecks`."""
    recommended = recommendations(root, options.recommendations)
    cells = risk_set(reviews(recommended), bound(root, options.ratifications), options.ratifications)
    sample = coded_by_hand(root, options.sample, recommended)
    return [
        *reviewchecks.reading(recommended, cells),
        *reviewchecks.coding(recommended, sample),
        *reviewchecks.associations(cells, asked(recommended)),
        *reviewchecks.lags(cells),
        *reviewchecks.reliability(cells, organising(root, options.organising)),
    ]


def _units(cells: pd.DataFrame, recommended: pd.DataFrame) -> pd.DataFrame:
    units = cells[cells["status"].isin(["at risk", "same year"])].reset_index(drop=True)
    answers = asked(recommended).groupby(["iso3", "session", "treaty"])["accepted"].any()
    answer = answers.reindex(pd.MultiIndex.from_frame(units[["iso3", "session", "treaty"]])).to_numpy()
    years = units["ratified"] - units["year"]
    review = units["iso3"] + "-" + units["session"].map("{:02d}".format)
    names = units["iso3"].map(dict(zip(codes := sorted(set(units["iso3"])), country_names(codes), strict=True)))
    protocols = {protocol for own in PROTOCOLS.values() for protocol in own}
    units = units.assign(
        unit_id=review + "-" + units["treaty"],
        name=names + ": " + units["treaty"].map(TREATIES) + ", " + units["year"].astype("str"),
        review=review,
        kind=np.where(units["treaty"].isin(protocols), "protocol", "treaty"),
        asked=np.where(pd.isna(answer), "not asked", "asked"),
        answer=np.select([pd.isna(answer), answer == True], ["not asked", "accepted"], "noted"),  # noqa: E712
        when=np.select(
            [units["status"] == "same year", years <= FOLLOWED, years > FOLLOWED],
            ["in the year of the review", "within four years", "later"],
            "not by the end of the file",
        ),
    )  # fmt: skip
    common = ["unit_id", "name", "launched", "launched_start", "launched_end"]
    attributes = ["iso3", "region", "treaty", "kind", "cycle", "review", "asked", "answer", "when"]
    return units[[*common, *attributes, "session", "year", "received", "ratified", "status"]]


def _recommended(units: pd.DataFrame, recommended: pd.DataFrame) -> pd.DataFrame:
    """Count recommendations by unit and indicator: of its own review, and of the state's later and earlier ones."""
    pairs = asked(recommended)
    pairs["regional"] = pairs["sender"].where(pairs["sender_region"] == pairs["region"])
    by_review = pairs.groupby(["iso3", "treaty", "session"]).agg(
        recommendations=("treaty", "size"), senders=("sender", "nunique"), regional_senders=("regional", "nunique"),
        accepted_recommendations=("accepted", "sum"), action_mean=("action", "mean"), action_max=("action", "max"),
    ).reset_index()  # fmt: skip
    dates = units.drop_duplicates("session").set_index("session")[["launched", "launched_start", "launched_end"]]
    keyed = units[["unit_id", "iso3", "treaty", "session"]].rename(columns={"session": "own"})
    joined = keyed.merge(by_review, on=["iso3", "treaty"], how="inner", validate="many_to_many")
    joined = joined.merge(dates, left_on="session", right_index=True, how="inner", validate="many_to_one")
    order = np.sign(joined["session"] - joined["own"])
    own, later, earlier = (joined[order == sign] for sign in (0, 1, -1))
    counts = ["recommendations", "senders", "regional_senders", "accepted_recommendations"]
    flows = [own.assign(indicator=name, value=own[name]) for name in counts]
    flows += [later.assign(indicator="recommendations", value=later["recommendations"])]
    flows += [earlier.assign(indicator="earlier_recommendations", value=earlier["recommendations"])]
    totals = pairs.groupby(["iso3", "session"]).size().rename("all").reset_index()
    others = keyed.rename(columns={"own": "session"}).merge(totals, on=["iso3", "session"], how="inner")
    others = others.merge(by_review, on=["iso3", "treaty", "session"], how="left", validate="one_to_one")
    others = others.merge(dates, left_on="session", right_index=True, how="inner", validate="many_to_one")
    elsewhere = others["all"] - others["recommendations"].fillna(0)
    flows += [others.assign(indicator="other_recommendations", value=elsewhere)]
    flowing = pd.concat(flows).assign(counting="flow")
    flowing = flowing[flowing["value"] > 0]
    levels = [own.assign(indicator=name, value=own[name], counting="level") for name in ("action_mean", "action_max")]
    rows = pd.concat([flowing, *levels]).rename(columns={"launched_start": "start", "launched_end": "end"})
    answered = rows["indicator"] == "accepted_recommendations"
    rows["end"] = rows["end"].mask(answered, rows["end"] + ANSWERED_WITHIN)
    rows["time"] = rows["start"].dt.strftime("%Y-%m-%d") + "/" + rows["end"].dt.strftime("%Y-%m-%d")
    rows = rows.assign(source="upr_info", value_type="exact", scope="country", grade="B", std_error=np.nan)
    found: pd.DataFrame = rows[list(PROCESS.columns)]
    return found


def _organised(units: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    before = units[["unit_id", "iso3"]].assign(year=units["year"] - 1)
    scores = scores.rename(columns={"unit_id": "iso3"})
    rows = before.merge(scores, on=["iso3", "year"], how="inner", validate="many_to_one")
    rows["time"] = rows["year"].astype("str")
    start, end = intervals(rows["time"])
    rows = rows.assign(
        indicator="organising", source="digital_society_project", start=start, end=end, value=rows["organising"],
        value_type="exact", counting="level", scope="country", grade="B",
    )  # fmt: skip
    return rows[list(PROCESS.columns)]


def _outcomes(units: pd.DataFrame) -> pd.DataFrame:
    """Date ratification, stage 4, by its year, and acceptance, a discursive position at stage 2, by when it was due."""
    happened = units["when"].isin(["in the year of the review", "within four years"])
    ratified = units[happened].assign(
        indicator=np.where(units.loc[happened, "status"] == "same year", "ratified_in_review_year", "ratified"),
        stage=4,
        time=units.loc[happened, "ratified"]
        .where(units["status"] != "same year", units["year"])
        .astype("int64")
        .astype("str"),
    )
    ratified["start"], ratified["end"] = intervals(ratified["time"])
    answered = units[units["answer"] == "accepted"].assign(indicator="accepted", stage=2)
    answered = answered.assign(start=answered["launched_start"], end=answered["launched_end"] + ANSWERED_WITHIN)
    answered["time"] = answered["start"].dt.strftime("%Y-%m-%d") + "/" + answered["end"].dt.strftime("%Y-%m-%d")
    nothing = units[~happened & (units["answer"] != "accepted")]
    nothing = nothing.assign(indicator="none_observed", stage=0, time="")
    rows = pd.concat([ratified, answered, nothing])
    rows["observed_until"] = (rows["year"] + FOLLOWED).astype("str") + "-12-31"
    last_day = pd.to_datetime(rows["observed_until"]).astype("datetime64[ns]")
    rows = rows.assign(
        value=1.0, direction=(rows["stage"] > 0).astype("int64"), observed_start=last_day, observed_end=last_day,
        grade="B", source=np.where(rows["stage"] == 2, "upr_info", "hr_commitments"),
    )  # fmt: skip
    return rows


def _before(units: pd.DataFrame, context: pd.DataFrame) -> pd.DataFrame:
    """Count what the state ratified in the years before its review, which no recommendation of it can have caused."""
    recent = context[context["variable"] == "recent"].set_index("unit_id")["value"]
    first = (units["year"] - FOLLOWED).astype("str") + "-01-01"
    last = (units["year"] - 1).astype("str") + "-12-31"
    until = (units["year"] + FOLLOWED).astype("str") + "-12-31"
    return units[["unit_id"]].assign(
        indicator="other_treaties_before", value=units["unit_id"].map(recent), stage=4, direction=0,
        time=first + "/" + last, start=pd.to_datetime(first).astype("datetime64[ns]"),
        end=pd.to_datetime(last).astype("datetime64[ns]"), observed_until=until,
        observed_start=pd.to_datetime(until).astype("datetime64[ns]"),
        observed_end=pd.to_datetime(until).astype("datetime64[ns]"), grade="B", source="hr_commitments",
    )  # fmt: skip


def _context(units: pd.DataFrame, parties: pd.DataFrame, regimes: pd.DataFrame) -> pd.DataFrame:
    """Say what held at the end of the year before the review: the state's other commitments, its peers', its regime."""
    regions = units.drop_duplicates("iso3").set_index("iso3")["region"]
    others = regions.value_counts() - 1
    rows = []
    for year, of_year in units.groupby(units["year"] - 1):
        held = parties[year].fillna(0.0)
        gained = (held - parties[year - FOLLOWED].fillna(0.0)).clip(lower=0)
        states, treaties = held.index.get_level_values("iso3"), held.index.get_level_values("treaty")
        by_region = held.groupby([states.map(regions.to_dict()).rename("region"), treaties]).sum()
        peers = by_region.reindex(pd.MultiIndex.from_frame(of_year[["region", "treaty"]])).to_numpy()
        own = gained.reindex(pd.MultiIndex.from_frame(of_year[["iso3", "treaty"]])).to_numpy()
        values = {
            "commitments": held.groupby("iso3").sum().reindex(of_year["iso3"]).to_numpy(),
            "recent": gained.groupby("iso3").sum().reindex(of_year["iso3"]).to_numpy() - own,
            "peers": peers / others.reindex(of_year["region"]).to_numpy(),
            "received": np.log(of_year["received"].to_numpy()),
        }
        rows.append(pd.DataFrame({"unit_id": of_year["unit_id"].to_numpy(), "time": str(year)} | values))
    known = pd.concat(rows).melt(["unit_id", "time"], var_name="variable")
    regimes = regimes.rename(columns={"unit_id": "iso3", "polyarchy": "value"})[["iso3", "year", "value"]]
    democracy = units[["unit_id", "iso3"]].assign(year=units["year"] - 1)
    democracy = democracy.merge(regimes, on=["iso3", "year"], how="inner", validate="many_to_one").dropna()
    known = pd.concat([known, democracy.assign(variable="democracy", time=democracy["year"].astype("str"))])
    known["start"], known["end"] = intervals(known["time"])
    return known[list(CONTEXT.columns)]
