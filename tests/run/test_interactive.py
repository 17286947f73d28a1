"""A student in JupyterLab has all of a kernel: interrupt, restart, and the debugger, in a warm one too."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from analysis.run.kernel.warm import ForkedProcess

SECONDS = 60


@pytest.fixture(params=["warm", "ordinary"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[KernelManager]:
    if request.param == "warm" and sys.platform != "linux":
        pytest.skip("kernels are forked on Linux only")
    monkeypatch.setenv("CLICKS_WARM", "1" if request.param == "warm" else "0")
    manager = KernelManager(kernel_name="clicks")
    manager.start_kernel()
    assert isinstance(manager.provisioner.process, ForkedProcess) == (request.param == "warm")
    yield manager
    manager.shutdown_kernel(now=True)


def connected(kernel: KernelManager) -> BlockingKernelClient:
    client: BlockingKernelClient = kernel.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=SECONDS)
    return client


def printed(client: BlockingKernelClient, code: str) -> tuple[str, str]:
    said: list[str] = []
    reply = client.execute_interactive(
        code, timeout=SECONDS, output_hook=lambda m: said.append(m["content"].get("text", ""))
    )
    return str(reply["content"]["status"]), "".join(said)


def debug(client: BlockingKernelClient, command: str, **arguments: Any) -> dict[str, Any]:
    content = {"type": "request", "seq": 1, "command": command, "arguments": arguments}
    message = client.session.msg("debug_request", content)
    client.control_channel.send(message)
    while True:
        reply = client.get_control_msg(timeout=SECONDS)
        if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
            return dict(reply["content"])


@pytest.mark.slow
def test_a_restarted_kernel_has_forgotten_everything_and_an_interrupted_one_nothing(kernel: KernelManager) -> None:
    client = connected(kernel)
    assert printed(client, "kept = 7")[0] == "ok"
    running = client.execute("import time\nprint('begun', flush=True)\ntime.sleep(60)")
    while client.get_iopub_msg(timeout=SECONDS)["content"].get("text") != "begun\n":
        pass
    kernel.interrupt_kernel()
    reply = client.get_shell_msg(timeout=SECONDS)
    assert reply["parent_header"]["msg_id"] == running
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    assert printed(client, "print(kept)") == ("ok", "7\n")
    client.stop_channels()
    kernel.restart_kernel(now=True)
    client = connected(kernel)
    assert printed(client, "print('kept' in globals())") == ("ok", "False\n")
    client.stop_channels()


@pytest.mark.slow
def test_the_debugger_stops_at_a_breakpoint_and_shows_what_is_there(kernel: KernelManager) -> None:
    client = connected(kernel)
    assert "debugger" in client.kernel_info(reply=True, timeout=SECONDS)["content"]["supported_features"]
    assert debug(client, "initialize", clientID="test", adapterID="", linesStartAt1=True)["success"]
    assert debug(client, "attach")["success"]
    code = "signatures = 95\nsignatures += 5\nprint(signatures)"
    source = debug(client, "dumpCell", code=code)["body"]["sourcePath"]
    found = debug(client, "setBreakpoints", breakpoints=[{"line": 3}], source={"path": source}, sourceModified=False)
    assert found["body"]["breakpoints"][0]["verified"]
    assert debug(client, "configurationDone")["success"]
    client.execute(code)
    while True:
        event = client.get_iopub_msg(timeout=SECONDS)
        if event["msg_type"] == "debug_event" and event["content"]["event"] == "stopped":
            break
    assert event["content"]["body"]["reason"] == "breakpoint"
    shown = debug(client, "inspectVariables")["body"]["variables"]
    assert [v["value"] for v in shown if v["name"] == "signatures"] == ["100"]
    assert debug(client, "continue", threadId=event["content"]["body"]["threadId"])["success"]
    assert client.get_shell_msg(timeout=SECONDS)["content"]["status"] == "ok"
    client.stop_channels()
