"""The design event_study, from a study's analysis table to the estimates table, the figures and notebook 06."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import adoption_study as made
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from analysis.figures_event_study import adoption_figures, event_time_figures, honest_figures
from analysis.models.adoption import adoption, adoptions
from analysis.models.fit import fit_models
from analysis.models.staggered import Rules, callaway_santanna
from analysis.models.staggered_panel import staggered_panel

ROOT = Path(__file__).parents[2]
BLOCK = {"pretrend_alternative": 0.1, "honest": [0.0], "honest_relative": [0.0, 1.0]}


def fit(rows: pd.DataFrame, block: dict[str, object] | None = None, **model: object) -> pd.DataFrame:
    study = made.study(block, **model)
    return fit_models(study, made.table(rows), "06_event_study").set_index("term")


@pytest.fixture(scope="module")
def estimates() -> pd.DataFrame:
    return fit(made.panel(n=120), BLOCK | {"estimators": ["callaway_santanna", "sun_abraham", "imputation", "stacked"]})


def test_every_term_is_there_with_its_estimand_and_the_deciding_one_is_marked(estimates: pd.DataFrame) -> None:
    times = [f"event[{e}]" for e in range(-4, 4)]
    beside = [f"{term}:{name}" for name in ("sun_abraham", "imputation", "stacked") for term in ("overall", *times)]
    main = ["overall", *times, "average", "pretrend", "pretrend_slope", "pretrend_power", "honest[0]"]
    main += ["honest_relative[0]", "honest_relative[1]"]
    after = ["twfe", "bacon:clean", "bacon:clean_weight", "bacon:forbidden", "bacon:forbidden_weight"]
    listed = [term for term in estimates.index if not term.startswith("group_time")]
    assert listed == [*main, *beside, *after, "units_exposed", "units_never", "units_always", "cohorts", "missing"]
    assert estimates["estimand"]["event[-3]"] == "effect of protested on force, 3 periods before its first"
    assert estimates["estimand"]["event[0]"] == "effect of protested on force, in its first period"
    assert estimates["hypothesis"]["overall"] == "works"
    assert estimates["note"]["overall"] == "Callaway and Sant’Anna"
    cells = estimates[estimates.index.str.startswith("group_time")]
    assert (
        cells["estimand"]["group_time[2014,2016]"]
        == "effect of protested on force, in 2016 on units first exposed in 2014"
    )
    assert (estimates["estimate"].notna() | (estimates["note"] != "")).all()


def test_numbers_are_those_of_the_estimators_with_t_intervals(estimates: pd.DataFrame) -> None:
    rows = made.panel(n=120).drop(columns=["cluster", "weight"])
    found = callaway_santanna(staggered_panel(rows), Rules(leads=4, lags=3))
    row = estimates.loc["overall"]
    assert (row["estimate"], row["std_error"]) == pytest.approx((found.overall, found.error))
    assert (row["ci_high"] - row["ci_low"]) / 2 / row["std_error"] == pytest.approx(1.980, abs=0.001)
    assert (row["n_obs"], row["n_units"], row["n_clusters"], row["vcov"]) == (1440, 120, 120, "CR1(unit_id)")
    events = estimates["estimate"][["event[0]", "event[1]", "event[2]", "event[3]"]]
    assert estimates["estimate"]["average"] == pytest.approx(events.mean())
    plain = estimates.loc["average", ["ci_low", "ci_high"]].astype("float64")
    parallel = estimates.loc["honest_relative[0]", ["ci_low", "ci_high"]].astype("float64")
    assert parallel.tolist() == pytest.approx(plain.tolist(), abs=0.02)
    assert estimates["p_value"]["pretrend"] > 0.05


def test_a_trend_before_exposure_is_found_and_widens_the_interval() -> None:
    found = fit(made.panel(n=300, trend=0.4), BLOCK)
    assert found["p_value"]["pretrend"] < 0.001
    assert found["estimate"]["pretrend_slope"] < 0.2
    low, high = found.loc["honest[0]", ["ci_low", "ci_high"]].astype("float64")
    truth = np.mean([1, 1.5, 2, 2.5])
    assert low < truth < high
    assert found["ci_low"]["average"] > truth


def test_clusters_weights_covariates_and_missing_rows_are_used_and_told() -> None:
    rows = made.panel(n=120)
    rows.loc[[5, 50, 500], "y"] = np.nan
    found = fit(
        rows, {"estimators": ["callaway_santanna", "sun_abraham"]},
        cluster="region", weights="people", formula="force ~ protested + size",
    )  # fmt: skip
    note = found["note"]["overall"]
    assert "3 of 1,440 unit-periods are missing" in note
    assert "clusters are few (30 of region)" in note
    assert found["vcov"]["overall"] == "CR1(region)"
    assert found["n_clusters"]["overall"] == 30
    assert found["note"]["bacon:clean"].startswith("not estimable: 3 unit-periods are missing")
    assert "no room for the covariates" in found["note"]["overall:sun_abraham"]
    assert "no room" not in note
    unweighted = fit(rows, {"estimators": ["callaway_santanna"]})
    assert unweighted["estimate"]["overall"] != pytest.approx(found["estimate"]["overall"], abs=1e-6)


def test_fits_apart_and_with_naive_exposures_have_names_of_their_own() -> None:
    rows = made.panel(n=80)
    table = made.table(rows).assign(region=np.where(rows["unit"] < "town-040", "north", "south"))
    study = made.study({"estimators": ["callaway_santanna"]}, each="region", contrast_time_order=True)
    found = fit_models(study, table, "06_event_study")
    assert set(found["model"]) == {f"main[{r}]{o}" for r in ("north", "south") for o in ("", "@naive")}


def wrong(what: str) -> pd.DataFrame:
    table = made.table(made.panel(n=40))
    if what == "ends again":
        table.loc[(table["unit_id"] == "town-003") & (table["period"] == "2015"), "protested"] = 1.0
        table.loc[(table["unit_id"] == "town-003") & (table["period"] == "2016"), "protested"] = 0.0
    if what == "not 0 or 1":
        table.loc[(table["unit_id"] == "town-003") & (table["period"] == "2015"), "protested"] = 0.5
    if what == "nobody":
        table["protested"] = 0.0
    if what == "missing":
        table["protested"] = np.nan
    if what == "no outcome":
        table["value"] = np.nan
    return table


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (
            "ends again",
            "protested ends again in 1 unit-periods, the first town-003 in 2016; an event study needs exposure",
        ),
        ("not 0 or 1", "protested is 0.5 for town-003 in 2015; an event study needs 0 or 1"),
        ("nobody", "no unit is ever exposed: protested is 0 in all 480 rows"),
        ("missing", "protested is missing in all rows"),
        ("no outcome", "no complete rows among 480"),
    ],
)
def test_what_cannot_be_estimated_has_a_row_that_says_why(what: str, reason: str) -> None:
    table = wrong(what)
    if what == "ends again":
        # A unit without later exposure, so that one year of it is what ends.
        table.loc[(table["unit_id"] == "town-003") & (table["period"] != "2015"), "protested"] = 0.0
    found = fit_models(made.study(), table, "06_event_study")
    assert found["term"].tolist() == ["overall"]
    assert found["note"][0].startswith(f"not estimable: {reason}")


def test_terms_that_the_data_cannot_give_say_why() -> None:
    found = fit(made.panel(n=60), {"leads": 11, "lags": 3, "comparison": "never_treated", "estimators": ["imputation"]})
    assert found["note"]["average"].startswith("not estimable: imputation gives no covariance of event times")
    found = fit(made.panel(n=60), {"leads": 9, "estimators": ["callaway_santanna", "stacked"]})
    assert found["note"]["event[-9]"] == "not estimable: no cohort is observed at this event time"
    assert "no cohort is observed at event times -9, -8; set fewer `leads` or `lags`" in found["note"]["pretrend"]
    assert found["note"]["overall:stacked"].startswith("not estimable: ")
    few = made.panel(n=60)
    few["cluster"] = "region-" + few["cluster"].str[-1]
    found = fit(few, {"leads": 6, "lags": 5, "honest": [0.1], "honest_relative": [1]}, cluster="region")
    for term in ("honest[0.1]", "honest_relative[1]"):
        assert found["note"][term].startswith("not estimable: the covariance of the 11 estimates is singular")
    assert np.isfinite(found["p_value"]["pretrend"])


def test_figures_state_the_finding_and_hold_with_several_models(estimates: pd.DataFrame) -> None:
    study = made.study(BLOCK)
    twice = study.model_copy(update={"models": {**study.models, "again": study.models["main"]}})
    table = made.table(made.panel(n=120))
    found = fit_models(twice, table, "06_event_study")
    shown = adoption_figures(adoptions(twice, table), "towns") | event_time_figures(found) | honest_figures(found)
    assert list(shown) == ["adoption", "event_time_main", "event_time_again", "honest_main", "honest_again"]
    assert list(event_time_figures(estimates.reset_index())) == ["event_time"]
    finding = {name: str(figure.get_label()).split("\n")[0] for name, figure in shown.items()}
    exposed = (adoption(study, "main", table).panel.cohorts > 0).sum()
    assert finding["adoption"] == (
        f"{exposed} of 120 towns become exposed, in 3 periods, and {120 - exposed} do not while they are observed"
    )
    value, low, high = estimates.loc["overall", ["estimate", "ci_low", "ci_high"]].astype("float64")
    assert finding["event_time_main"].startswith(
        f"The mean effect on force is {value:.3g} (95% interval {low:.3g} to {high:.3g}); before exposure, trends are"
    )
    assert finding["honest_again"].startswith(
        "The mean effect on force differs from zero if slopes change by up to 0, and "
    )
    assert all(axis.get_xlabel() and axis.get_ylabel() for figure in shown.values() for axis in figure.axes)
    nothing = fit_models(study, wrong("nobody"), "06_event_study")
    assert event_time_figures(nothing) == honest_figures(nothing) == {}
    assert adoptions(study, wrong("nobody")) == {}
    mpl.rcdefaults()


@pytest.mark.parametrize("what", ["several models", "unbalanced", "nobody"])
def test_the_notebook_runs_and_its_claims_hold(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    study = made.study(BLOCK)
    study = study.model_copy(update={"models": {**study.models, "again": study.models["main"]}})
    rows = made.panel(n=60)
    if what == "unbalanced":
        rows.loc[7, "y"] = np.nan
    table = wrong("nobody") if what == "nobody" else made.table(rows)
    shown: list[str] = []
    opened = SimpleNamespace(
        study=study,
        read=lambda name: table,
        save_estimates=lambda rows: rows,
        show_each=shown.extend,
    )
    monkeypatch.setattr("analysis.notebook.open_study", lambda name, notebook: opened)
    notebook = json.loads((ROOT / "notebooks" / "06_event_study.ipynb").read_text("utf-8"))
    scope: dict[str, object] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), scope)  # noqa: S102 - the notebook's own cells
    many = ["event_time_main", "event_time_again", "honest_main", "honest_again"]
    assert shown == ([] if what == "nobody" else ["adoption", *many])
