"""One comparison of two ways to the same numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """What this project's way takes, beside another's.

    Attributes
    ----------
    what : is computed.
    other : way, in words.
    unit : of both.
    ours, theirs : in `unit`.
    difference : largest relative difference between the two ways' numbers.
    goal : what ours is to be of theirs, at most.
    """

    what: str
    other: str
    unit: str
    ours: float
    theirs: float
    difference: float
    goal: float

    @property
    def ratio(self) -> float:
        """Ours as a share of theirs."""
        return self.ours / self.theirs

    def row(self) -> str:
        """Write it as a row of a Markdown table."""
        sizes = " | ".join(f"{size:.2f} {self.unit}" for size in (self.ours, self.theirs))
        return f"| {self.what} | {self.other} | {sizes} | {self.ratio:.2g} | {self.goal:.2g} | {self.difference:.0e} |"
