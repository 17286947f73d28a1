"""The kernel installed for the tests, and a checkout for each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_checkout import Checkout, make_checkout

from analysis.run.kernel.__main__ import install


@pytest.fixture(scope="session", autouse=True)
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    prefix = tmp_path_factory.mktemp("prefix")
    install(prefix)
    before = os.environ.get("JUPYTER_PATH")
    os.environ["JUPYTER_PATH"] = str(prefix / "share" / "jupyter")
    yield
    os.environ.pop("JUPYTER_PATH")
    if before is not None:
        os.environ["JUPYTER_PATH"] = before


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    made = make_checkout(tmp_path / "checkout")
    monkeypatch.setenv("CLICKS_ROOT", str(made.root))
    return made
