"""Download a file over HTTP, from where an earlier attempt ended.

What has arrived is kept in a part beside the file, with the validator by which the server names that version of it
(`ETag`, or else `Last-Modified`). The next attempt asks for the rest, on condition that the server still has the same
version (RFC 9110, sec. 13.1.5 and 14: `If-Range`, `Range`). A server that names no version is never resumed: the two
halves might be of two files.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import requests
from tqdm import tqdm  # type: ignore[import-untyped]

CHUNK_BYTES = 1 << 13
"""Of what arrives, at most so much is lost when a connection ends."""
_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")
_RANGE_NOT_SATISFIABLE = 416


def resume(url: str, part: Path, timeout: float) -> None:
    """Complete a part, or download the whole where there is none, or none of the server's version.

    Parameters
    ----------
    part : holds the whole file in the end. After an interruption it holds what arrived, and `<part>.version` names the
        version; where the server names none, or refuses, neither is left.
    timeout : seconds without any byte after which the attempt fails.

    Raises
    ------
    requests.RequestException : no connection, one that ended too early, or an answer that is an error.
    """
    start = part.stat().st_size if part.is_file() and version_file(part).is_file() else 0
    version = version_file(part).read_text("utf-8") if start else ""
    wanted = {"Range": f"bytes={start}-", "If-Range": version} if start else {}
    # A compressed answer has another length, and ranges of its own.
    with requests.get(url, headers={"Accept-Encoding": "identity", **wanted}, stream=True, timeout=timeout) as answer:
        continued = _continues(answer, start, version)
        if start and not continued and answer.status_code in {requests.codes.partial, _RANGE_NOT_SATISFIABLE}:
            forget(part)
            return resume(url, part, timeout)
        if 400 <= answer.status_code < 500:
            forget(part)
        answer.raise_for_status()
        if not continued:
            forget(part)
            version = _version(answer)
            if version:
                version_file(part).write_text(version, "utf-8")
        try:
            _write(answer, part, start if continued else 0)
        except BaseException:
            if not version:
                forget(part)
            raise
    version_file(part).unlink(missing_ok=True)
    return None


def version_file(part: Path) -> Path:
    """Return the file that names the version that a part is of."""
    return part.with_name(f"{part.name}.version")


def forget(part: Path) -> None:
    """Delete a part and the name of its version."""
    part.unlink(missing_ok=True)
    version_file(part).unlink(missing_ok=True)


def _version(answer: requests.Response) -> str:
    """Return the validator that a condition may use, empty where there is none; a weak one tells no bytes apart."""
    tag = answer.headers.get("ETag", "")
    return answer.headers.get("Last-Modified", "") if not tag or tag.startswith("W/") else tag


def _continues(answer: requests.Response, start: int, version: str) -> bool:
    """Say whether an answer is the rest of the same version, which some servers get wrong."""
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    same = _version(answer) in ("", version)
    return answer.status_code == requests.codes.partial and found is not None and int(found[1]) == start and same


def _write(answer: requests.Response, part: Path, start: int) -> None:
    total = start + int(answer.headers.get("Content-Length", 0)) or None
    quiet = not sys.stderr.isatty()
    with (
        part.open("ab" if start else "wb") as file,
        tqdm(total=total, initial=start, ncols=79, unit="B", unit_scale=True, disable=quiet) as progress,
    ):
        for chunk in answer.iter_content(CHUNK_BYTES):
            progress.update(file.write(chunk))
