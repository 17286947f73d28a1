"""Where things are: the folders of a checkout, and where a running notebook may write.

Three environment variables steer it. ``CLICKS_ROOT`` names the folder whose ``studies/``, ``data/`` and ``reports/``
are used (default: the checkout that holds this file). ``CLICKS_STAGE`` names a folder, laid out like the root, into
which everything is written until the runner moves a finished notebook's outputs into place together. ``CLICKS_READS``
names a file to which every path read is added, so that the runner knows a notebook's inputs.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Project:
    """The folders of one checkout.

    Parameters
    ----------
    root : holds ``studies/``, ``data/``, ``notebooks/`` and ``reports/``.
    stage : receives what is written, under the same relative names; the root itself where none is set.
    """

    root: Path
    stage: Path

    @classmethod
    def here(cls) -> Project:
        """Open the checkout that the environment names, or the one that holds this file."""
        root = Path(os.environ.get("CLICKS_ROOT") or Path(__file__).parents[2]).resolve()
        return cls(root, Path(os.environ.get("CLICKS_STAGE") or root).resolve())

    def study_file(self, name: str) -> Path:
        """Return where a study's file is, whether or not it exists."""
        return self.root / "studies" / f"{name}.yml"

    def find(self, relative: str | Path) -> Path:
        """Return where a file is to be read: as staged by this run, else as it stands in the checkout."""
        if reads := os.environ.get("CLICKS_READS"):
            with Path(reads).open("a", encoding="utf-8") as log:
                log.write(f"{Path(relative).as_posix()}\n")
        staged = self.stage / relative
        return staged if staged.exists() else self.root / relative

    @contextmanager
    def writing(self, relative: str | Path) -> Iterator[Path]:
        """Give a temporary path beside the final one and rename it when the block ends well.

        A block that raises leaves the final name as it was.
        """
        final = self.stage / relative
        final.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=final.parent, prefix=f".{final.stem}-", suffix=final.suffix)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)
            temporary.replace(final)
        finally:
            temporary.unlink(missing_ok=True)
