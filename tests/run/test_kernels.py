"""Warm kernels give what ordinary ones give, leak nothing, and leave nobody behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from made_checkout import SPEC, WRITE, Checkout, command

forked = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")

TELLING = [
    "import matplotlib.pyplot as plt\nplt.plot([1, 2, 4]);",
    "import seaborn as sns\nimport pandas as pd\nframe = pd.DataFrame({'x': [1, 2, 3, 4], 'y': [1.0, 2.5, 2.0, 4.0]})\n"
    "sns.regplot(frame, x='x', y='y', seed=1)\nplt.show()\nframe.plot()\nframe",
    "import statsmodels.formula.api as smf\nsmf.ols('y ~ x', frame).fit().summary().tables[1]",
    "import warnings\nwarnings.warn('careful')",
    "import os, sys, time, locale\nos.system('echo from a child')\n"
    "print(time.tzname, locale.setlocale(locale.LC_ALL, ''), hash('a'), sys.path[0])",
    "print(sys.flags, sys.argv[0].endswith('ipykernel_launcher.py'), __name__, os.getcwd(), plt.get_backend())",
    "from IPython.display import Markdown\nMarkdown('**bold**')",
    "print([m for m in sys.modules if m.partition('.')[0] == 'analysis'])",
]


@forked
def test_a_warm_kernel_gives_what_an_ordinary_one_gives(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout.notebook("01_ingest", *TELLING)
    assert checkout.run() == 0
    warm = checkout.executed("01_ingest").read_bytes()
    monkeypatch.setenv("CLICKS_WARM", "0")
    assert checkout.run("--force") == 0
    assert checkout.executed("01_ingest").read_bytes() == warm
    figures = [o for c in json.loads(warm)["cells"] for o in c.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(figures) == 3


@forked
def test_notebooks_leave_nothing_to_each_other(checkout: Checkout) -> None:
    change = "import pandas as pd\npd.options.display.max_rows = 3\nimport os\nos.environ['LEFT'] = 'behind'\n"
    look = "import pandas as pd\nimport os\nprint(pd.options.display.max_rows, 'LEFT' in os.environ)"
    draw = "import numpy as np, random\n" + 'write(f"{drawn}.csv", f"{np.random.rand()} {random.random()}")'
    checkout.notebook("01_ingest", WRITE, change, "drawn = 'a'\n" + draw)
    checkout.notebook("02_process_indicators", WRITE, look, "drawn = 'b'\n" + draw)
    assert checkout.run() == 0
    looked = json.loads(checkout.executed("02_process_indicators").read_text())["cells"][-2]
    assert looked["outputs"][0]["text"] == ["60 False\n"]
    drawn = [set((checkout.root / f"data/processed/demo/{n}.csv").read_text().split()) for n in "ab"]
    assert not drawn[0] & drawn[1]


def test_papermill_runs_a_notebook_by_the_kernels_name(checkout: Checkout) -> None:
    notebook = checkout.notebook(
        "01_ingest", WRITE, 'write("a.csv", study)', "import matplotlib.pyplot as plt\nplt.plot([1]);"
    )
    checkout.run()
    ours = json.loads(checkout.executed("01_ingest").read_text())
    (checkout.root / "data/processed/demo/a.csv").unlink()
    out = checkout.root / "out.ipynb"
    done = subprocess.run(
        [sys.executable, "-m", "papermill", str(notebook), str(out), "-p", "study", "demo", "--no-progress-bar"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (checkout.root / "data/processed/demo/a.csv").read_text() == "demo"
    theirs = json.loads(out.read_text())
    assert [c.get("outputs") for c in theirs["cells"]] == [c.get("outputs") for c in ours["cells"]]


@pytest.mark.slow
def test_nbval_runs_a_notebook_by_the_kernels_name(checkout: Checkout) -> None:
    checkout.notebook("01_ingest", "import pandas as pd\npd.DataFrame({'x': [1]})")
    checkout.run()
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--nbval",
            "-p",
            "no:cacheprovider",
            str(checkout.executed("01_ingest")),
        ],
        capture_output=True,
        text=True,
        cwd=checkout.root,
    )
    assert done.returncode == 0, done.stdout


def test_a_kernel_that_dies_is_reported_with_its_cell(checkout: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    checkout.notebook("01_ingest", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert checkout.run() == 1
    said = capsys.readouterr().err
    assert "demo: 01_ingest.ipynb failed in cell 3 of 3" in said
    assert "The kernel was killed. If nobody did, the machine had no memory left." in said
    assert "Traceback" not in said


def test_a_cell_that_hangs_is_stopped_at_the_limit(checkout: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    checkout.notebook("01_ingest", "import time\ntime.sleep(600)")
    began = time.monotonic()
    assert checkout.run("--cell-seconds", "2") == 1
    assert time.monotonic() - began < 30
    said = capsys.readouterr().err
    assert "failed in cell 3 of 3" in said
    assert "took longer than 2 s and was stopped. Allow more with --cell-seconds." in said


def processes(root: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("CLICKS_ROOT") == str(root) and process.pid != os.getpid():
                found.append(process)
        except psutil.Error:
            continue
    return [p for p in found if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def wait_until(condition: object, seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    ("number", "warm", "code"),
    [
        pytest.param(signal.SIGINT, "1", 130, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, "0", 130, id="SIGTERM, ordinary kernel"),
        pytest.param(signal.SIGKILL, "1", -9, id="SIGKILL"),
        pytest.param(signal.SIGKILL, "0", -9, id="SIGKILL, ordinary kernel"),
    ],
)
def test_an_ended_run_leaves_nothing_running(checkout: Checkout, number: int, warm: str, code: int) -> None:
    begun = checkout.root / "begun"
    checkout.notebook("01_ingest", WRITE, f'open({str(begun)!r}, "w")\nimport time\ntime.sleep(600)')
    # A group of its own keeps the signal from this test.
    run = subprocess.Popen(
        command(),
        env={**os.environ, "CLICKS_WARM": warm},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert wait_until(begun.exists)
        assert processes(checkout.root)
        run.send_signal(number)
        said = run.communicate(timeout=20)[1]
    finally:
        run.kill()
    assert run.returncode == code
    assert wait_until(lambda: not processes(checkout.root), 10), processes(checkout.root)
    if code == 130:
        assert said.endswith("Stopped. Run again to go on from here.\n")
        assert "Traceback" not in said
    assert checkout.outputs() == {}


@forked
def test_a_killed_server_takes_its_kernels_along(checkout: Checkout) -> None:
    begun = checkout.root / "begun"
    # This holds the interpreter's lock, so that nothing inside the kernel can notice.
    checkout.notebook("01_ingest", f'open({str(begun)!r}, "w")\nsum(range(10**13))')
    run = subprocess.Popen(command(), stderr=subprocess.PIPE, text=True)
    try:
        assert wait_until(begun.exists)
        server = next(p for p in psutil.Process(run.pid).children() if "server.py" in " ".join(p.cmdline()))
        server.kill()
        said = run.communicate(timeout=20)[1]
    finally:
        run.kill()
    assert run.returncode == 1
    assert "The kernel was killed." in said
    assert wait_until(lambda: not processes(checkout.root), 5)


def test_stored_notebooks_name_the_kernel(checkout: Checkout) -> None:
    checkout.notebook("01_ingest", "1")
    checkout.run()
    assert json.loads(checkout.executed("01_ingest").read_text())["metadata"]["kernelspec"] == SPEC
