"""Half a file is completed where it is half of what the server still has, and never of anything else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from range_server import Server

from analysis.resume import CHUNK_BYTES, resume, version_file

CONTENT = bytes(range(256)) * 512
TIMEOUT = 30


@pytest.fixture
def server() -> Server:
    return Server(CONTENT)


@pytest.fixture
def url(server: Server) -> Iterator[str]:
    with server.serving() as address:
        yield address


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "file.bin.part"


@pytest.fixture
def interrupted(server: Server, url: str, part: Path) -> Callable[[int], None]:
    def attempt(cut: int) -> None:
        server.cut = cut
        with pytest.raises(requests.RequestException):
            resume(url, part, TIMEOUT)

    return attempt


def complete(part: Path, content: bytes) -> None:
    assert part.read_bytes() == content
    assert list(part.parent.iterdir()) == [part]


def test_the_second_attempt_asks_for_what_the_first_did_not_get(
    server: Server, url: str, part: Path, interrupted: Callable[[int], None]
) -> None:
    interrupted(100_000)
    arrived = part.stat().st_size
    assert part.read_bytes() == CONTENT[:arrived]
    assert 100_000 - CHUNK_BYTES < arrived <= 100_000
    resume(url, part, TIMEOUT)
    assert server.asked == [None, f"bytes={arrived}-"]
    complete(part, CONTENT)


def test_a_connection_that_ends_again_and_again_gets_there(
    server: Server, url: str, part: Path, interrupted: Callable[[int], None]
) -> None:
    for _ in range(3):
        interrupted(2 * CHUNK_BYTES)
    resume(url, part, TIMEOUT)
    assert server.asked == [None, *(f"bytes={2 * times * CHUNK_BYTES}-" for times in (1, 2, 3))]
    complete(part, CONTENT)


@pytest.mark.parametrize("heeds_if_range", [True, False])
def test_a_file_that_changed_on_the_server_starts_anew(
    server: Server, url: str, part: Path, interrupted: Callable[[int], None], heeds_if_range: bool
) -> None:
    interrupted(100_000)
    server.content, server.headers = CONTENT[::-1], {"ETag": '"second"'}
    server.heeds_if_range = heeds_if_range
    resume(url, part, TIMEOUT)
    complete(part, CONTENT[::-1])


def test_a_server_without_ranges_starts_anew(
    server: Server, url: str, part: Path, interrupted: Callable[[int], None]
) -> None:
    server.ranges = False
    interrupted(100_000)
    resume(url, part, TIMEOUT)
    complete(part, CONTENT)


def test_a_part_that_is_longer_than_the_file_starts_anew(
    server: Server, url: str, part: Path, interrupted: Callable[[int], None]
) -> None:
    interrupted(100_000)
    server.content = CONTENT[:50_000]
    resume(url, part, TIMEOUT)
    assert [bool(wanted) for wanted in server.asked] == [False, True, False]
    complete(part, CONTENT[:50_000])


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}])
def test_without_a_strong_name_of_the_version_nothing_is_kept(
    server: Server, url: str, part: Path, interrupted: Callable[[int], None], headers: dict[str, str]
) -> None:
    server.headers = headers
    interrupted(100_000)
    assert not part.exists()
    assert not version_file(part).exists()
    resume(url, part, TIMEOUT)
    assert server.asked == [None, None]
    complete(part, CONTENT)


def test_the_date_of_the_last_change_names_a_version_too(
    server: Server, url: str, part: Path, interrupted: Callable[[int], None]
) -> None:
    server.headers = {"Last-Modified": "Sun, 09 Jun 2013 20:15:34 GMT", "ETag": 'W/"weak"'}
    interrupted(100_000)
    resume(url, part, TIMEOUT)
    assert server.asked[1] is not None
    complete(part, CONTENT)


def test_an_address_that_is_gone_leaves_nothing(
    server: Server, url: str, part: Path, interrupted: Callable[[int], None]
) -> None:
    interrupted(100_000)
    server.status = 404
    with pytest.raises(requests.HTTPError):
        resume(url, part, TIMEOUT)
    assert list(part.parent.iterdir()) == []


def test_a_server_in_trouble_leaves_the_part(
    server: Server, url: str, part: Path, interrupted: Callable[[int], None]
) -> None:
    interrupted(100_000)
    server.status = 503
    with pytest.raises(requests.HTTPError):
        resume(url, part, TIMEOUT)
    server.status = 0
    resume(url, part, TIMEOUT)
    assert server.asked[-1] is not None
    complete(part, CONTENT)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(min_value=1, max_value=len(CONTENT) // 6), max_size=5))
def test_wherever_the_connection_ends_the_file_is_whole(server: Server, url: str, part: Path, cuts: list[int]) -> None:
    part.unlink(missing_ok=True)
    for cut in cuts:
        server.cut = cut
        with pytest.raises(requests.RequestException):
            resume(url, part, TIMEOUT)
    resume(url, part, TIMEOUT)
    complete(part, CONTENT)
