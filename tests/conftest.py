"""What tests of several packages share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The local copies of the public files, laid out like their addresses; tests that need it skip where it is not."""
    beside = Path(__file__).parents[2] / "shared/mirror"
    folder = Path(os.environ.get("CLICKS_MIRROR") or beside)
    if not folder.is_dir():
        pytest.skip("needs the mirror of the public files: set CLICKS_MIRROR to it")
    return folder
