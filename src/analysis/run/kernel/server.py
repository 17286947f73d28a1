"""The warm server: a process that imported the field's libraries once and forks each kernel from itself.

It runs as a plain script, so that nothing of `analysis` is ever imported in it: a kernel reads the package's code as it
is when the kernel starts. It has one thread and no ZeroMQ context, because neither survives a fork. It reads one JSON
line per request from a socket that its client holds the other end of; when that end closes, it ends its kernels and
itself.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import importlib.util
import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

PRELOAD = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.debugger",
    "debugpy.server.api",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.pylabtools",
    "IPython.extensions.storemagic",
    "tornado.platform.asyncio",
    "tornado.queues",
    "pandas",
    "pyarrow.parquet",
    # Only pyplot, never the inline backend: that one must meet a running shell, or it silently drops every figure.
    "matplotlib.pyplot",
    "matplotlib.backends.backend_agg",
    "seaborn",
    "scipy.stats",
    "formulaic",
    "statsmodels.api",
    "statsmodels.formula.api",
    "pandera.pandas",
    "networkx",
    "pydantic",
    "ruamel.yaml",
    "jinja2",
)
IDLE_SECONDS = 600
_PR_SET_PDEATHSIG = 1


def main(handle: int) -> None:
    """Serve kernels on an inherited socket until its other end closes, or none was wanted for a while."""
    del sys.path[0]
    os.environ["JPY_PARENT_PID"] = str(os.getpid())
    for module in PRELOAD:
        try:
            importlib.import_module(module)
        except ImportError:
            continue
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        sys.exit("the warm kernel server found a second thread; kernels start the ordinary way")
    gc.collect()
    gc.freeze()
    launch = _serve(socket.socket(fileno=handle))
    if launch is not None:
        _become_kernel(launch)


def _serve(control: socket.socket) -> dict[str, Any] | None:
    """Answer requests; returns in a forked child with its request, in the server when it is to end."""
    requests = control.makefile("rb")
    alive: dict[int, int] = {}
    statuses: dict[int, int] = {}
    while True:
        readable = select.select([control.fileno(), *alive], [], [], IDLE_SECONDS)[0]
        if not readable and not alive:
            return None
        for pidfd in [fd for fd in readable if fd in alive]:
            pid, status = os.waitpid(alive.pop(pidfd), 0)
            statuses[pid] = os.waitstatus_to_exitcode(status)
            os.close(pidfd)
        if control.fileno() not in readable:
            continue
        line = requests.readline()
        if not line:
            for pidfd in alive:
                _kill(alive[pidfd])
            return None
        request = json.loads(line)
        if "status" in request:
            control.sendall(json.dumps(statuses.get(request["status"])).encode())
            continue
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            _die_with(server)
            requests.close()
            control.close()
            for pidfd in alive:
                os.close(pidfd)
            return dict(request)
        os.setpgid(pid, pid)
        pidfd = os.pidfd_open(pid)
        alive[pidfd] = pid
        socket.send_fds(control, [json.dumps(pid).encode()], [pidfd])


def _kill(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _die_with(server: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server:
        os._exit(1)


def _path(module: str) -> str:
    spec = importlib.util.find_spec(module)
    return str(spec.origin) if spec else module


def _become_kernel(request: dict[str, Any]) -> None:
    """Do what a fresh interpreter would have done with the command, environment and folder."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.environ.clear()
    os.environ.update(request["env"], JPY_PARENT_PID=str(os.getppid()))
    time.tzset()
    os.chdir(request["cwd"])
    import numpy as np
    from ipykernel.kernelapp import launch_new_instance

    sys.argv = [_path("ipykernel_launcher"), *request["argv"]]
    # Each process draws its own randomness, as it would have on its own.
    np.random.seed()  # noqa: NPY002
    launch_new_instance()


if __name__ == "__main__":
    main(int(sys.argv[1]))
