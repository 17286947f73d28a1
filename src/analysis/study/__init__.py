"""Study files: their typed shape, and the reader that refuses a wrong one with file, line and remedy."""

from analysis.study.grammar import formula_columns
from analysis.study.pipeline import notebooks
from analysis.study.reader import read_study
from analysis.study.spec import Study

__all__ = ["Study", "formula_columns", "notebooks", "read_study"]
