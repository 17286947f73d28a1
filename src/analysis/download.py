"""Download the public raw files that studies list with an address: ``python -m analysis.download [STUDY ...]``.

A file is kept only where its sha256 is the one that the study lists; until then it has a temporary name beside its
final one. Files that are already there and right are not downloaded again, and half a file is completed
(`analysis.resume`), so that a run that was stopped goes on where it was. ``CLICKS_MIRROR`` names a folder, laid out as
``host/path`` of the addresses, that is read instead of the network.
"""

from __future__ import annotations

import argparse
import errno
import json
import logging
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pooch
import requests

from analysis.errors import InputError, Problem
from analysis.hashing import sha256
from analysis.project import Project
from analysis.resume import resume
from analysis.study import read_study
from analysis.study.spec import RawFile, Source, Study

RETRIES = 2
TIMEOUT_SECONDS = 30
PROVENANCE = "provenance.json"


class _RefusedError(Exception):
    """A download that must not be tried again: the message says what was found and what to do."""


def download(studies: Iterable[Study], project: Project, mirror: Path | None = None) -> list[Problem]:
    """Download what is missing or changed among the raw files of studies, and record where it came from.

    Parameters
    ----------
    studies : their raw files without an address are left alone.
    project : files go under its root, provenance beside them in ``data/raw/<source>/provenance.json``.
    mirror : folder laid out as ``host/path``, read instead of the network.

    Returns
    -------
    One problem per file that could not be had; a file with a problem is not written, and the file that was there before
    stays. Without a network, one problem for the first file, and the rest is not tried.
    """
    problems: list[Problem] = []
    for study in studies:
        for name, file in study.source.raw.items():
            if file.address is None or _is_right(project.root / name, file):
                continue
            try:
                _fetch(project.root / name, file, mirror)
            except requests.ConnectionError as error:
                rule = (
                    f"no connection to {urlsplit(file.address).hostname} ({_reason(error)}); try again with a network, "
                    "or set CLICKS_MIRROR to a folder that holds the files"
                )
                return [*problems, Problem(name, 0, "address", file.address, rule)]
            except (_RefusedError, requests.RequestException, OSError) as error:
                problems.append(Problem(name, 0, "address", file.address, _explained(error)))
            else:
                print(f"{name}: {(project.root / name).stat().st_size:,} bytes, sha256 as listed", file=sys.stderr)
        _record(study.source, project)
    return problems


def _is_right(path: Path, file: RawFile) -> bool:
    return path.is_file() and sha256(path) == file.sha256


def _fetch(path: Path, file: RawFile, mirror: Path | None) -> None:
    address = str(file.address)

    def checked(url: str, output: str, _: object) -> None:
        if mirror is not None:
            _copy(url, Path(output), mirror)
        else:
            _request(url, path.with_name(f"{path.name}.part"), Path(output))
        _verify(Path(output), file)

    fetcher = pooch.create(
        path=path.parent, base_url="", registry={path.name: file.sha256}, urls={path.name: address},
        retry_if_failed=0 if mirror else RETRIES,
    )  # fmt: skip
    fetcher.fetch(path.name, downloader=checked)
    path.chmod(0o644)


def _request(url: str, part: Path, output: Path) -> None:
    try:
        resume(url, part, TIMEOUT_SECONDS)
    except requests.HTTPError as error:
        answer = error.response
        if answer is None or answer.status_code >= 500:
            raise
        reason = f"the server answered {answer.status_code} {answer.reason}"
        raise _RefusedError(f"{reason}; the file may have moved: look for it, and correct its address") from None
    part.replace(output)


def _copy(url: str, output: Path, mirror: Path) -> None:
    address = urlsplit(url)
    relative = Path(str(address.hostname), unquote(address.path).lstrip("/"))
    held = mirror / relative
    if not held.is_file():
        raise _RefusedError(f"CLICKS_MIRROR has no {relative}; put the file there, or unset CLICKS_MIRROR")
    with held.open("rb") as source, output.open("wb") as copy:
        shutil.copyfileobj(source, copy)


def _verify(path: Path, file: RawFile) -> None:
    size, found = path.stat().st_size, sha256(path)
    if found == file.sha256:
        return
    if file.bytes is not None and size < file.bytes:
        raise _RefusedError(f"is truncated: {size:,} of {file.bytes:,} bytes arrived; run the download again")
    raise _RefusedError(
        f"is not the file that the study lists: {size:,} bytes with sha256 {found} instead of {file.sha256}; if the "
        "source published a new version and it is meant, enter its hash in the study"
    )


def _explained(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "the disk is full; free some space and run the download again"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "is truncated: the connection ended before the file did; run the download again"
    return str(error) if isinstance(error, _RefusedError) else f"{_reason(error)}; run the download again"


def _reason(error: Exception) -> str:
    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT_SECONDS} seconds"
    return type(error).__name__ if isinstance(error, requests.ConnectionError) else str(error)


def _record(source: Source, project: Project) -> None:
    """Complete the provenance of the files that are there; what is recorded of an unchanged file stays."""
    folders: dict[Path, dict[str, RawFile]] = {}
    for name, file in source.raw.items():
        if file.address is not None and _is_right(project.root / name, file):
            folders.setdefault(Path(*Path(name).parts[:3]), {})[name] = file
    for folder, files in folders.items():
        path = project.root / folder / PROVENANCE
        known: Mapping[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        entries = {name: _entry(project.root / name, file, source, known.get(name)) for name, file in files.items()}
        merged = {
            name: entry for name, entry in sorted({**known, **entries}.items()) if (project.root / name).is_file()
        }
        if merged != known:
            with Project(project.root, project.root).writing(folder / PROVENANCE) as temporary:
                temporary.write_text(json.dumps(merged, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _entry(path: Path, file: RawFile, source: Source, known: Mapping[str, Any] | None) -> dict[str, Any]:
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
    same = known is not None and known["sha256"] == file.sha256
    return {
        "address": file.address,
        "sha256": file.sha256,
        "bytes": path.stat().st_size,
        "retrieved": known["retrieved"] if known is not None and same else written,
        "licence": file.licence or source.licence or "unknown",
        "citation": file.citation or source.citation or "unknown",
    }


def main(argv: list[str]) -> int:
    """Download from the command line.

    Returns
    -------
    The exit code: 0, or 1 where a study was refused or a file could not be had.
    """
    parser = argparse.ArgumentParser("python -m analysis.download", description="Download the raw files of studies.")
    parser.add_argument("studies", nargs="*", metavar="STUDY", help="default: every study that lists an address")
    names = parser.parse_args(argv).studies
    project = Project.here()
    logging.getLogger("pooch").setLevel(logging.ERROR)
    pooch.get_logger().setLevel(logging.ERROR)
    try:
        wanted = names or sorted(path.stem for path in (project.root / "studies").glob("*.yml"))
        studies = [read_study(project.study_file(name), root=project.root) for name in wanted]
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    mirror = os.environ.get("CLICKS_MIRROR")
    try:
        problems = download(studies, project, Path(mirror).expanduser() if mirror else None)
    except KeyboardInterrupt:
        print("Stopped. Run again to go on from here.", file=sys.stderr)
        return 130
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
