"""Notebooks in a real kernel of Jupyter, executed as their users do it, and scraped over HTTP."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import nbformat
import pytest
from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

MAP = """\
version = 1
[metrics.calls_total]
type = "counter"
help = "Calls."
labels.target = { max_values = 20 }
"""
TARGET = """\
[[instrument]]
target = "TARGET"
record = [{ metric = "calls_total", labels = { target = "'TARGET'" } }]
"""
STATES = (
    "import ancestry_obs\n"
    "print([(each.target, each.state, each.calls) for each in ancestry_obs.status().targets])"
)
EXAMPLE = Path(__file__).parents[2] / "docs/examples/notebook.ipynb"

pytestmark = pytest.mark.live


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder that kernels start in, with settings by `.env`; nothing of the user's is read."""
    for variable in ("INSTRUMENTATION_MAP", "PROMETHEUS_METRICS_ENABLED", "METRICS_EXPORT_PORT"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / ".env").write_text("METRICS_EXPORT_PORT=0\nMETRICS_NAMESPACE=shop\n")
    return folder


@pytest.fixture
def write_map(folder):
    def write(*targets):
        parts = [TARGET.replace("TARGET", each) for each in targets]
        (folder / "obs.toml").write_text(MAP + "".join(parts))

    return write


@pytest.fixture
def kernel(folder):
    """A notebook's client; its kernel runs until the test is over."""
    client = NotebookClient(new_notebook(), resources={"metadata": {"path": str(folder)}})
    with client.setup_kernel():
        yield client


def run(client, *texts):
    """Execute cells; give what each has shown."""
    shown = []
    for text in texts:
        cell = new_code_cell(text)
        client.nb.cells.append(cell)
        client.execute_cell(cell, len(client.nb.cells) - 1)
        shown.append(shown_by(cell))
    return shown


def shown_by(cell):
    return "".join(
        each.get("text", "") or each.get("data", {}).get("text/plain", "") for each in cell.outputs
    )


def scraped(client):
    """Scrape the kernel from outside; give the count of each target."""
    (url,) = run(client, "print(ancestry_obs.status().url)")
    with urllib.request.urlopen(url.strip(), timeout=60) as answer:
        page = answer.read().decode()
    lines = [line for line in page.splitlines() if line.startswith("shop_calls_total{")]
    return {line.split('"')[1]: float(line.rpartition(" ")[2]) for line in lines}


def test_a_kernel_that_loads_the_extension(kernel, write_map):
    names = ("f", "aio", "Cart.add", "absent")
    write_map(*(f"__main__:{name}" for name in names))
    shown = run(
        kernel,
        "%load_ext ancestry_obs",
        STATES,
        "def f(x): return x\nf(1)\nf(2)",
        "import asyncio\n"
        "async def aio():\n    await asyncio.sleep(0)\n    return f(3)\nawait aio()\nawait aio()",
        "%%time\nclass Cart:\n    def add(self): return self\nx = Cart().add().add()",
        "old = f\ndef f(x): return -x\n[old(1), f(1)]",
        "import inspect\nprint(inspect.getsource(f), inspect.getsource(aio))",
        STATES,
    )
    assert shown[0] == ""
    assert shown[1] == str([(f"__main__:{name}", "pending", 0) for name in names]) + "\n"
    assert (shown[2], shown[3], shown[5]) == ("2", "3", "[1, -1]")
    assert shown[6].startswith("def f(x): return -x\n async def aio():\n    await asyncio")
    counts = {"f": 6, "aio": 2, "Cart.add": 2}
    told = [(f"__main__:{name}", "installed", count) for name, count in counts.items()]
    assert eval(shown[7]) == [*told, ("__main__:absent", "pending", 0)]
    assert scraped(kernel) == {f"__main__:{name}": count for name, count in counts.items()}


def test_a_kernel_that_installs_in_a_cell(kernel, write_map, folder):
    (folder / "shop.py").write_text("def price(): return 1\n")
    write_map("__main__:f", "shop:price")
    text = (
        "import ancestry_obs\n"
        "settings = ancestry_obs.ObservabilitySettings(\n"
        "    enable_prometheus_metrics=True, metrics_export_port=0, metrics_namespace='shop')\n"
        "ancestry_obs.install(settings=settings)\n"
        "def f(): return 1\n"
        "f()"
    )
    run(kernel, text, "import shop\n[f(), shop.price()]")
    assert scraped(kernel) == {"__main__:f": 2, "shop:price": 1}


def test_a_kernel_that_is_restarted_takes_the_same_port(kernel, write_map, folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (folder / ".env").write_text(f"METRICS_EXPORT_PORT={port}\nMETRICS_NAMESPACE=shop\n")
    write_map("__main__:f")
    cells = ("%load_ext ancestry_obs", "import ancestry_obs\ndef f(): return 1\nf()")
    run(kernel, *cells, "%load_ext ancestry_obs", "f()")
    assert scraped(kernel) == {"__main__:f": 2}
    run_sync(kernel.km.restart_kernel)(now=False)
    run_sync(kernel.kc.wait_for_ready)(timeout=60)
    run(kernel, *cells)
    assert scraped(kernel) == {"__main__:f": 1}
    assert run(kernel, "print(ancestry_obs.status().url)") == [f"http://127.0.0.1:{port}/metrics\n"]


def test_an_error_names_the_lines_of_its_cell(kernel, write_map):
    write_map("__main__:f")
    run(kernel, "%load_ext ancestry_obs")
    kernel.allow_errors = True
    run(kernel, "def f(x):\n    return 1 / x\n\n\nf(0)")
    (error,) = kernel.nb.cells[-1].outputs
    text = "\n".join(error.traceback)
    plain = "".join(
        part.partition("m")[2] if i else part for i, part in enumerate(text.split("\x1b"))
    )
    assert error.ename == "ZeroDivisionError"
    assert [line for line in plain.splitlines() if line.startswith(("Cell", "File"))] == [
        "Cell In[2], line 5",
        "Cell In[2], line 2, in f(x)",
    ]
    assert "ancestry_obs" not in plain


def test_the_example_shows_what_it_shows(folder):
    """`jupyter execute` runs the notebook of the documents; its outputs are those that it has."""
    (folder / ".env").unlink()
    shutil.copy(EXAMPLE, folder)
    command = Path(sys.executable).with_name("jupyter")
    done = subprocess.run(
        [command, "execute", "--inplace", EXAMPLE.name],
        cwd=folder,
        env={**os.environ, "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outputs = [
        [shown_by(cell) for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
        for path in (EXAMPLE, folder / EXAMPLE.name)
    ]
    assert outputs[0] == outputs[1]
    assert any("__main__:price" in text for text in outputs[0])
    assert json.loads(EXAMPLE.read_text("utf-8"))["nbformat"] == 4
