"""The client's end of the warm server: start it, ask it for kernels, learn how they ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path

from analysis.run.kernel import ENVIRONMENT


class ForkedProcess:
    """A kernel that is not this process's child, with the part of `subprocess.Popen` that Jupyter uses.

    Parameters
    ----------
    server : which forked it, and is asked how it ended.
    pid : its process, and the leader of its process group.
    pidfd : a handle that can't come to mean another process.
    """

    stdin = stdout = stderr = None

    def __init__(self, server: WarmServer, pid: int, pidfd: int) -> None:
        self._server, self.pid, self._pidfd = server, pid, pidfd
        self.returncode: int | None = None

    def __del__(self) -> None:
        os.close(self._pidfd)

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal, or None while it runs."""
        if self.returncode is None and select.select([self._pidfd], [], [], 0)[0]:
            self.returncode = self._server.status(self.pid)
        return self.returncode

    def wait(self) -> int | None:
        """Wait until it has ended."""
        select.select([self._pidfd], [], [])
        return self.poll()

    def send_signal(self, signum: int) -> None:
        """Signal the kernel itself; nothing happens where it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signum)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


class WarmServer:
    """The client's end of one warm server.

    Parameters
    ----------
    python : the interpreter that kernels run in.
    environment : that the server starts in; what libraries read from it at import holds for all its kernels.
    """

    def __init__(self, python: str, environment: dict[str, str]) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603
                [python, str(Path(__file__).with_name("server.py")), str(theirs.fileno())],
                env=environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._turn = threading.Lock()

    def launch(self, arguments: list[str], environment: dict[str, str], folder: str) -> ForkedProcess:
        """Fork a kernel; waits for the server's imports where it has just been started.

        Raises
        ------
        OSError : the server has ended.
        """
        request = {"argv": arguments, "env": environment, "cwd": folder}
        with self._turn:
            self._control.sendall(json.dumps(request).encode() + b"\n")
            reply, handles, _, _ = socket.recv_fds(self._control, 1024, 1)
        if not handles:
            raise ConnectionError("the warm kernel server ended")
        return ForkedProcess(self, json.loads(reply), handles[0])

    def status(self, pid: int) -> int:
        """Return how a kernel that has ended did so; -9 where the server has ended too."""
        try:
            with self._turn:
                self._control.sendall(json.dumps({"status": pid}).encode() + b"\n")
                reply = self._control.recv(1024)
            return int(json.loads(reply))
        except (OSError, ValueError, TypeError):
            return -signal.SIGKILL

    @property
    def ended(self) -> bool:
        """Whether the server has ended, as it does after a while without kernels."""
        return self._process.poll() is not None


_servers: dict[object, WarmServer] = {}
_starting = threading.Lock()


def warm_server(python: str, environment: dict[str, str]) -> WarmServer | None:
    """Return this process's server for an interpreter and environment, started where there is none.

    Returns
    -------
    None where kernels can't be forked, or are not to be.
    """
    if sys.platform != "linux" or not hasattr(os, "pidfd_open") or environment.get("CLICKS_WARM") == "0":
        return None
    read_at_start = {k: v for k, v in environment.items() if k in ENVIRONMENT or k.startswith(("PYTHON", "MPL", "LD_"))}
    # Installing or removing a package renews its folder's time: kernels started after that get a new server.
    installed = Path(sysconfig.get_path("purelib")).stat().st_mtime_ns
    key = (os.getpid(), python, installed, tuple(sorted(read_at_start.items())))
    with _starting:
        server = _servers.get(key)
        if server is None or server.ended:
            server = _servers[key] = WarmServer(python, environment)
        return server
