"""What tests of several packages share."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples everywhere, so that a change is judged and not luck; HYPOTHESIS_PROFILE=search looks for new ones.
settings.register_profile("fixed", derandomize=True, database=None, deadline=None)
settings.register_profile("search", max_examples=500, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The local copies of the public files, laid out like their addresses; tests that need it skip where it is not."""
    beside = Path(__file__).parents[2] / "shared/mirror"
    folder = Path(os.environ.get("CLICKS_MIRROR") or beside)
    if not folder.is_dir():
        pytest.skip("needs the mirror of the public files: set CLICKS_MIRROR to it")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long, so that no core waits for the last of them alone."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: (item.path.parent.name != "pipeline", -slow[item.path]))
