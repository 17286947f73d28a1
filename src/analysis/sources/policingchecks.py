"""What the policing adapter counted while it read: rows that repeat, protests left out, how far sources differ."""

from __future__ import annotations

import pandas as pd

from analysis.models.descriptive import Description
from analysis.models.estimates import Estimate

PEAK = "2020-Q2"
"""The quarter of George Floyd's killing."""
BEGIN, BEGAN = "2014-Q3", 20143
"""The first quarter with protests in the panel, as written here and in the source."""
UNCODED = "2404000"
"""Baltimore, whose decree the published coding leaves out. Ferguson, the other, is not in the panel."""


def reading(stack: pd.DataFrame) -> list[Estimate]:
    """Count the rows of a stack, and what is left of them once none repeats another.

    Parameters
    ----------
    stack : rows with `unit_id`, `qtr`, `event`, `protests`, one for each cohort that a unit is compared with.
    """
    told = Description("reading", "rows")
    once = stack.drop_duplicates(["unit_id", "qtr"])
    early = once.groupby("unit_id")["protests"].sum() > 0
    told.quantity("stacked", len(stack), "rows of the published stack")
    told.quantity("repeated", len(stack) - len(once), "rows that repeat a unit's quarter for another cohort")
    told.quantity("once", len(once), "unit-quarters once nothing repeats")
    told.quantity("units", len(early), "units")
    told.quantity("early", int(early.sum()), "units with a protest while observed")
    told.quantity("later", int((~early).sum()), "units whose first protest comes after they are observed")
    return told.rows


def protests(daily: pd.DataFrame, units: pd.DataFrame) -> list[Estimate]:
    """Count the protests of the daily list, who is not in the panel, and when the comparison places first protested.

    Parameters
    ----------
    daily : unit_id, date, participants of every protest until 2021, of places of any size.
    units : canonical table.
    """
    quarter = daily["date"].dt.to_period("Q").astype("str").str.replace("Q", "-Q")
    first = quarter.groupby(daily["unit_id"]).min()
    later = first[units.loc[units["first_protest"] == "later", "unit_id"]]
    early = first[~first.index.isin(units["unit_id"]) & (first < PEAK)]
    told = Description("daily", "protests")
    told.quantity("protests", len(daily), "protests in the daily list, 2014 to 2021")
    told.share("uncounted", daily["participants"].isna(), "share of protests whose participants nobody counted")
    told.quantity("places", len(first), "places with a protest in the daily list")
    told.share("peak", later == PEAK, f"share of the comparison places that first protested in {PEAK}")
    told.quantity("early_outside", len(early), f"places that first protested before {PEAK} and are not in the panel")
    return told.rows


def sources(panel: pd.DataFrame, since: int) -> list[Estimate]:
    """Compare the two counts of killings, and whether the second is more complete after protest.

    Parameters
    ----------
    panel : one row per place and quarter, with `killings`, `killings_mpv` and `protests`.
    since : first quarter, written 20131, of the second count.
    """
    both = panel[panel["qtr"] >= since]
    protested = both.groupby("unit_id")["protests"].cumsum() > 0
    early = both.groupby("unit_id")["protests"].transform("sum") > 0
    told = Description("sources", "killings")
    told.quantity("first", both["killings"].sum(), "killings counted by Fatal Encounters since 2013")
    told.quantity("second", both["killings_mpv"].sum(), "killings counted by Mapping Police Violence since 2013")
    differ = both["killings"] != both["killings_mpv"]
    told.share("differ", differ, "share of place-quarters in which the two counts differ")
    either = (both["killings"] > 0) | (both["killings_mpv"] > 0)
    told.share("differ_if_any", differ[either], "share of place-quarters with a killing in which the two counts differ")
    told.quantity("correlation", both["killings"].corr(both["killings_mpv"]), "correlation of the two counts")
    for term, rows in (("before", early & ~protested), ("after", early & protested), ("never", ~early)):
        ratio = both.loc[rows, "killings_mpv"].sum() / both.loc[rows, "killings"].sum()
        where = {"before": "early places before their first protest", "after": "early places from it on"}
        told.quantity(f"ratio_{term}", ratio, f"second count over the first, {where.get(term, 'comparison places')}")
    return told.rows


def selection(units: pd.DataFrame, context: pd.DataFrame, outcomes: pd.DataFrame) -> list[Estimate]:
    """Set places with early protests beside the others as they were before any protest."""
    before = context[(context["variable"] == "population") & (context["time"] < BEGIN)]
    killed = outcomes[(outcomes["indicator"] == "police_killing") & (outcomes["time"] < BEGIN)]
    residents = before.groupby("unit_id")["value"].agg(["mean", "size"])
    residents["killings"] = killed.groupby("unit_id")["value"].sum()
    told = Description("selection", "places")
    for name, ids in units.groupby("first_protest")["unit_id"]:
        rows = residents.loc[ids].fillna(0.0)
        told.quantity(f"population_{name}", rows["mean"].median(), f"median residents before {BEGIN}, {name}")
        mean = rows["killings"].sum() / rows["size"].sum()
        told.quantity(f"killings_{name}", mean, f"killings per place and quarter before {BEGIN}, {name}")
        rate = rows["killings"].sum() / (rows["mean"] * rows["size"]).sum() * 1e6
        told.quantity(f"rate_{name}", rate, f"killings per million residents and quarter before {BEGIN}, {name}")
        small = units.loc[units["unit_id"].isin(ids), "size"] == "small"
        told.share(f"small_{name}", small, f"share of places with fewer than 50,000 residents, {name}")
    told.share("tweets", units["tweets_known"] == "yes", "share of places whose tweets are known")
    return told.rows


def decrees(units: pd.DataFrame, outcomes: pd.DataFrame, panel: pd.DataFrame, unread: str) -> list[Estimate]:
    """Count consent decrees around the first protests, and how many were under way before them.

    Parameters
    ----------
    panel : one row per place and quarter, with the steps as the source marks them.
    unread : state whose steps the source does not show, as it marks another decree over them.
    """
    steps = outcomes[outcomes["indicator"].isin(["investigation", "finding", "consent_decree"])]
    wave = units.set_index("unit_id")["first_protest"]
    new = steps[(steps["indicator"] == "consent_decree") & (steps["time"] >= BEGIN)]
    marked = (panel[["investigated", "found"]] == 1).any(axis=1) & (panel["qtr"] < BEGAN)
    opened = panel.loc[marked & (panel["unit_id"].map(units.set_index("unit_id")["state"]) != unread), "unit_id"]
    told = Description("decrees", "decree")
    told.quantity(
        "coded", (steps["indicator"] == "consent_decree").sum(), "places with a decree in the published coding"
    )
    for name in ("observed", "later"):
        count = int((new["unit_id"].map(wave) == name).sum())
        told.quantity(f"new_{name}", count, f"decrees since {BEGIN}, places whose first protest is {name}")
    under_way = new["unit_id"].isin(opened)
    told.quantity("under_way", int(under_way.sum()), f"of these, places with a step towards one before {BEGIN}")
    coded = bool(steps["unit_id"].eq(UNCODED).any())
    told.quantity("baltimore", float(coded), "whether the decree of Baltimore is coded, 1 or 0")
    return told.rows


def cameras(stack: pd.DataFrame, reasons: list[str]) -> list[Estimate]:
    """Count agencies with cameras, and why these say that they got them.

    Parameters
    ----------
    stack : rows with `unit_id`, `qtr`, `cameras`, `protests`, `population` and the reasons, 0 or 1, missing where an
        agency has no cameras.
    reasons : names of their columns.
    """
    rows = stack.sort_values("qtr", kind="stable").drop_duplicates(["unit_id", "qtr"])
    by_agency = rows.groupby("unit_id")
    first, last = by_agency["cameras"].first() == 1, by_agency["cameras"].last() == 1
    early = by_agency["protests"].sum() > 0
    unknown = ~(by_agency["population"].max() > 0)
    told = Description("cameras", "cameras")
    told.share("at_first", first, "share of agencies with cameras when first observed")
    told.share("at_last", last, "share of agencies with cameras when last observed")
    told.share("at_last_early", last[early], "share with cameras when last observed, protest while observed")
    told.share("at_last_later", last[~early], "share with cameras when last observed, protest later")
    told.share("population_unknown", unknown, "share of agencies whose population is not known")
    for reason in reasons:
        given = by_agency[reason].first().dropna() == 1
        theirs = early.reindex(given.index)
        about = reason.replace("_", " ")
        told.share(reason, given, f"share of agencies with cameras that name {about} as a reason")
        told.difference(
            f"{reason}_early", given[theirs], given[~theirs], f"difference between early and later protest: {about}"
        )
    return told.rows
