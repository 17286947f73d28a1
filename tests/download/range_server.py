"""A server on the loopback that knows ranges of bytes, and can be made to misbehave."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """A server of one file, whose manners can be changed between requests."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.headers = {"ETag": '"first"'}
        self.cut: int | None = None  # bytes after which the connection ends, once
        self.ranges = True
        self.heeds_if_range = True
        self.status = 0
        self.asked: list[str | None] = []

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted, condition = request.headers.get("Range"), request.headers.get("If-Range")
        self.asked.append(wanted)
        start = 0
        same = condition in self.headers.values() or not self.heeds_if_range
        if wanted and self.ranges and same:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        whole = len(self.content)
        status = self.status or (416 if start >= whole else 206 if start else 200)
        body = self.content[start:] if status < 400 else b""
        request.send_response(status)
        for name, value in self.headers.items():
            request.send_header(name, value)
        if status == 206:
            request.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        cut, self.cut = self.cut, None  # before the answer is out, as whoever gets it may set another
        request.wfile.write(body[:cut])

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Yield the address of the file."""
        answer = self.answer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
            threading.Thread(target=listening.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{listening.server_port}/file.bin"
            listening.shutdown()
