"""What a notebook needs: open a study, read tables, save results, show figures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from IPython.display import SVG, display
from matplotlib.figure import Figure

from analysis import figures
from analysis.models.estimates import Estimate, tidy
from analysis.models.fit import deciding
from analysis.project import Project
from analysis.sources import ingest
from analysis.study import notebooks, read_study
from analysis.study.spec import Study
from analysis.tables import CanonicalTables, read_parquet, write_parquet


@dataclass(frozen=True)
class OpenStudy:
    """A study opened by one notebook.

    Attributes
    ----------
    study : the study file, typed.
    notebook : the notebook's name without its ending, such as ``04_link``; its estimates and figures carry it.
    project : where files are.
    """

    study: Study
    notebook: str
    project: Project

    def ingest(self, seed: int) -> CanonicalTables:
        """Read the raw files into the canonical tables, checked; nothing is stored yet."""
        return ingest(self.study, self.project, seed)

    def read(self, table: str) -> pd.DataFrame:
        """Read a table that an earlier notebook saved.

        Raises
        ------
        FileNotFoundError : no notebook has saved it yet.
        """
        path = self.project.find(self._table(table))
        if not path.is_file():
            raise FileNotFoundError(
                f"{self._table(table)} does not exist; run the notebooks before {self.notebook} first"
            )
        return read_parquet(path)

    def save(self, table: pd.DataFrame, name: str) -> None:
        """Store a table under ``data/processed/<study>/``."""
        with self.project.writing(self._table(name)) as path:
            write_parquet(table, path)

    def save_json(self, content: object, name: str) -> None:
        """Store a JSON document under ``data/processed/<study>/``."""
        with self.project.writing(self._processed(f"{name}.json")) as path:
            path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    def save_estimates(self, rows: Iterable[Estimate] | pd.DataFrame) -> pd.DataFrame:
        """Store this notebook's rows of the estimates table and return them."""
        table = rows if isinstance(rows, pd.DataFrame) else tidy(rows, self.study.name, deciding(self.study))
        self.save(table, f"estimates/{self.notebook}")
        return table

    def estimates(self) -> pd.DataFrame:
        """Read the estimates of all notebooks that have saved any, in the notebooks' order."""
        stems = [path.stem for path in notebooks(self.study, self.project.root / "notebooks")]
        saved = [stem for stem in stems if self.project.find(self._table(f"estimates/{stem}")).is_file()]
        return pd.concat([self.read(f"estimates/{stem}") for stem in saved], ignore_index=True)

    def frame(self) -> pd.Series:
        """Return the sampling frame of each unit, indexed by `unit_id`; `all` where none is declared."""
        units = self.read("units").set_index("unit_id")
        name = self.study.unit.frame
        return units[name] if name else pd.Series("all", index=units.index)

    def show(self, figure: Figure, name: str) -> None:
        """Display a figure and store it under ``reports/<study>/figures/``."""
        with self.project.writing(Path("reports", self.study.name, "figures", f"{name}.svg")) as path:
            figures.write_svg(figure, path, self.notebook)
            display(SVG(filename=str(path)))  # type: ignore[no-untyped-call]

    def show_each(self, drawn: Mapping[str, Figure]) -> None:
        """Display and store several figures, by name, in their order."""
        for name, figure in drawn.items():
            self.show(figure, name)

    def _processed(self, name: str) -> Path:
        return Path("data", "processed", self.study.name, name)

    def _table(self, name: str) -> Path:
        return self._processed(f"{name}.parquet")


def open_study(name: str, notebook: str) -> OpenStudy:
    """Open a study for a notebook.

    Parameters
    ----------
    name : of the file under ``studies/``, without its ending.
    notebook : name of the notebook, such as ``04_link``.

    Raises
    ------
    InputError : the study file is wrong; every mistake in it.
    """
    pd.set_option("display.max_colwidth", None)
    project = Project.here()
    return OpenStudy(read_study(project.study_file(name), root=project.root), notebook, project)
