"""Warm kernels by Jupyter's own extension point: whatever starts the kernel by name gets one forked from a warm server.

papermill, nbclient, nbval and JupyterLab all go through here. Each process that starts kernels has a server of its own,
which ends with it. Where there is nothing to fork (other systems than Linux), or the server fails, the ordinary kernel
starts instead: slower, with the same outputs. ``CLICKS_WARM=0`` asks for that.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from analysis.run.kernel.warm import ForkedProcess, warm_server

_LAUNCHER = ["-m", "ipykernel_launcher"]


class WarmProvisioner(LocalProvisioner):
    """Starts a kernel by forking it from the warm server, or the ordinary way where that can't be done."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start a kernel; see `LocalProvisioner.launch_kernel`."""
        process = await asyncio.to_thread(_fork, cmd, kwargs["env"], str(kwargs.get("cwd") or Path.cwd()))
        if process is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.process: Any = process
        self.pid = self.pgid = process.pid
        self.cwd = kwargs.get("cwd", Path.cwd())
        return self.connection_info

    async def kill(self, restart: bool = False) -> None:
        """End the kernel at once; it has ended when this returns, so that nobody needs to ask every so often."""
        process = self.process
        await super().kill(restart)
        if isinstance(process, ForkedProcess):
            await asyncio.to_thread(process.wait)


def _fork(cmd: list[str], environment: dict[str, str], folder: str) -> ForkedProcess | None:
    if cmd[1:3] != _LAUNCHER:
        return None
    try:
        server = warm_server(cmd[0], environment)
        return server.launch(cmd[3:], environment, folder) if server else None
    except OSError:
        return None
