"""A figure is drawn the same way whatever else has been imported, drawn or set before."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

from analysis.figures import canvas, tell, write_svg


def drawn(path: Path) -> bytes:
    figure, axes = canvas(1, 1)
    axes[0, 0].plot([0, 1], [2, 1])
    axes[0, 0].set(xlabel="days", ylabel="signatures", title="n = 2")
    write_svg(tell(figure, "Signatures fall", "A falling line."), path, "test")
    return path.read_bytes()


def test_what_others_set_changes_no_byte(tmp_path: Path) -> None:
    before = drawn(tmp_path / "before.svg")
    with mpl.rc_context({"axes.labelsize": 30, "lines.linewidth": 9, "xtick.labelsize": 3, "font.family": "serif"}):
        assert drawn(tmp_path / "after.svg") == before
    mpl.rcdefaults()
    assert drawn(tmp_path / "defaults.svg") == before
