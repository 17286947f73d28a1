"""Raw files are downloaded whole and right, or not at all, and every failure says what to do."""

from __future__ import annotations

import errno
import hashlib
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from range_server import Server

from analysis import download
from analysis.hashing import sha256

CONTENT = b"petition,signatures\n1,25000\n" * 100
STUDY = """\
name: small
title: Small
question: Does it download?
summary: Written for the tests.
source:
  adapter: petitions
  licence: CC0-1.0
  citation: Someone (2013)
  raw:
    data/raw/embedded.csv: {sha}
    data/raw/small/part.csv: {{address: "{address}", sha256: {sha}, bytes: {size}}}
unit: {{noun: petition, plural: petitions}}
exposures:
  signatures: {{label: signatures, indicators: [signatures]}}
outcomes:
  responded: {{label: a response, type: binary}}
models:
  all: {{label: all, design: lpm, formula: responded ~ signatures}}
hypotheses:
  h:
    statement: More is more.
    origin: [yasseri]
    expects: positive
    decided_by: {{model: all, term: signatures}}
    smallest_effect: 0.1
"""
TARGET = "data/raw/small/part.csv"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "project/studies").mkdir(parents=True)
    monkeypatch.setenv("CLICKS_ROOT", str(tmp_path / "project"))
    monkeypatch.delenv("CLICKS_MIRROR", raising=False)
    monkeypatch.setattr(download, "RETRIES", 0)
    return tmp_path / "project"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Path]:
    """A folder served on the loopback."""
    (tmp_path / "served").mkdir()
    handler = partial(Quiet, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (tmp_path / "address").write_text(f"http://127.0.0.1:{server.server_port}")
        yield tmp_path / "served"
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class Breaking(BaseHTTPRequestHandler):
    """Promises all of a file and sends half."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) // 2])

    def log_message(self, *_: object) -> None:
        pass


def declare(project: Path, address: str, content: bytes = CONTENT) -> None:
    text = STUDY.format(sha=hashlib.sha256(content).hexdigest(), address=address, size=len(content))
    (project / "studies/small.yml").write_text(text)


def mirrored(project: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None = CONTENT) -> Path:
    declare(project, "https://example.org/data/part%20one.csv")
    mirror = project.parent / "mirror"
    if content is not None:
        (mirror / "example.org/data").mkdir(parents=True)
        (mirror / "example.org/data/part one.csv").write_bytes(content)
    monkeypatch.setenv("CLICKS_MIRROR", str(mirror))
    return mirror


def refused(project: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run, expect failure and no trace of a half-written file, and return what was said."""
    assert download.main([]) == 1
    folder = (project / TARGET).parent
    assert [p.name for p in folder.glob("*")] == ([Path(TARGET).name] if (project / TARGET).is_file() else [])
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    assert said.startswith(TARGET)
    return said


def test_a_file_comes_from_its_address_and_its_origin_is_recorded(project: Path, served: Path) -> None:
    (served / "part.csv").write_bytes(CONTENT)
    address = f"{(served.parent / 'address').read_text()}/part.csv"
    declare(project, address)
    assert download.main(["small"]) == 0
    assert (project / TARGET).read_bytes() == CONTENT
    entry = json.loads((project / "data/raw/small/provenance.json").read_text())[TARGET]
    assert entry["address"] == address
    assert entry["sha256"] == sha256(project / TARGET)
    assert (entry["licence"], entry["citation"]) == ("CC0-1.0", "Someone (2013)")
    assert entry["retrieved"].startswith("20")


def test_a_file_that_is_there_and_right_needs_no_network(project: Path) -> None:
    declare(project, "http://127.0.0.1:1/part.csv")
    (project / TARGET).parent.mkdir(parents=True)
    (project / TARGET).write_bytes(CONTENT)
    assert download.main([]) == 0
    before = (project / "data/raw/small/provenance.json").read_bytes()
    assert download.main([]) == 0
    assert (project / "data/raw/small/provenance.json").read_bytes() == before


def test_the_mirror_is_read_instead_of_the_network(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirrored(project, monkeypatch)
    assert download.main([]) == 0
    assert (project / TARGET).read_bytes() == CONTENT
    assert not (project / "data/raw/embedded.csv").exists()


def test_a_file_missing_from_the_mirror_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mirrored(project, monkeypatch, content=None)
    assert "CLICKS_MIRROR has no example.org/data/part one.csv" in refused(project, capsys)


def test_a_changed_file_is_refused_and_the_good_one_stays(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = CONTENT.replace(b"25000", b"25001")
    mirrored(project, monkeypatch, changed)
    said = refused(project, capsys)
    assert hashlib.sha256(changed).hexdigest() in said
    assert hashlib.sha256(CONTENT).hexdigest() in said
    assert "https://example.org/data/part%20one.csv" in said


def test_a_changed_local_file_is_not_replaced_by_a_wrong_one(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mirrored(project, monkeypatch, b"wrong")
    (project / TARGET).parent.mkdir(parents=True)
    (project / TARGET).write_bytes(b"mine")
    refused(project, capsys)
    assert (project / TARGET).read_bytes() == b"mine"


def test_a_truncated_file_is_called_so(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mirrored(project, monkeypatch, CONTENT[:1000])
    assert f"truncated: 1,000 of {len(CONTENT):,} bytes" in refused(project, capsys)


def test_a_connection_that_breaks_is_called_truncated(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Breaking) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        declare(project, f"http://127.0.0.1:{server.server_port}/part.csv")
        assert "truncated" in refused(project, capsys)
        server.shutdown()


def test_a_run_that_lost_its_connection_goes_on_where_it_was(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = Server(CONTENT * 100)
    with server.serving() as address:
        declare(project, address, server.content)
        server.cut = 200_000
        assert download.main([]) == 1
        assert "truncated" in capsys.readouterr().err
        assert not (project / TARGET).exists()
        assert download.main([]) == 0
    assert server.asked[0] is None
    assert server.asked[1] is not None
    assert (project / TARGET).read_bytes() == server.content
    assert sorted(p.name for p in (project / TARGET).parent.iterdir()) == [Path(TARGET).name, "provenance.json"]


def test_a_retry_goes_on_where_the_connection_ended(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(CONTENT * 100)
    monkeypatch.setattr(download, "RETRIES", 1)
    with server.serving() as address:
        declare(project, address, server.content)
        server.cut = 200_000
        assert download.main([]) == 0
    assert [bool(wanted) for wanted in server.asked] == [False, True]
    assert (project / TARGET).read_bytes() == server.content


def test_a_wrong_whole_file_leaves_no_part(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = Server(CONTENT[::-1])
    with server.serving() as address:
        declare(project, address)
        assert "is not the file that the study lists" in refused(project, capsys)


def test_an_address_that_is_gone_says_404(project: Path, served: Path, capsys: pytest.CaptureFixture[str]) -> None:
    declare(project, f"{(served.parent / 'address').read_text()}/gone.csv")
    said = refused(project, capsys)
    assert "404" in said
    assert "correct its address" in said


def test_no_network_says_so_and_names_the_way_out(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    declare(project, "http://127.0.0.1:1/part.csv")
    said = refused(project, capsys)
    assert "no connection to 127.0.0.1" in said
    assert "CLICKS_MIRROR" in said


def test_a_full_disk_says_so(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mirrored(project, monkeypatch)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download.shutil, "copyfileobj", full)
    assert "disk is full" in refused(project, capsys)


def test_an_unknown_study_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    declare(project, "https://example.org/a.csv")
    assert download.main(["smal"]) == 1
    assert "did you mean 'small'?" in capsys.readouterr().err


@pytest.mark.parametrize("study", sorted(p.stem for p in Path(__file__).parents[2].glob("studies/*.yml")))
def test_the_mirror_holds_what_the_studies_list(study: str, mirror: Path) -> None:
    from analysis.study import read_study

    listed = read_study(Path(__file__).parents[2] / f"studies/{study}.yml").source.raw.values()
    for file in (f for f in listed if f.address):
        address = urlsplit(str(file.address))
        held = mirror / str(address.hostname) / address.path.lstrip("/")
        assert (sha256(held), held.stat().st_size) == (file.sha256, file.bytes or held.stat().st_size)
