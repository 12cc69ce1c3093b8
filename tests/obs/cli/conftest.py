"""What the command's tests share: a small project to run it in, here and as a process."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace

import pytest

from ancestry_obs.cli import main

PROGRAM = """
    import sys

    class Cart:
        def __init__(self):
            self.items = []
        def add(self, item):
            self.items.append(item)
        def size(self):
            return len(self.items)

    def price(name):
        return len(name)

    def open_shop():
        return "open"

    if __name__ == "__main__":
        print(price("book"), sys.argv[1:])
"""
METRICS = """\
version = 1
[metrics.prices_total]
type = "counter"
help = "Prices asked for."
labels.name = { max_values = 10 }
[metrics.cart_items]
type = "gauge"
help = "Items in all carts."
"""
MAP = (
    METRICS
    + """\
[[instrument]]
target = "shop:price"
record = [{ metric = "prices_total", labels = { name = "name" } }]
[[sample]]
target = "shop:Cart"
metric = "cart_items"
value = "self.size()"
[[hook]]
target = "shop:open_shop"
after = "exporter.start"
"""
)


@pytest.fixture
def project(tmp_path, monkeypatch, make_module):
    """Stand in a folder with a program `shop.py` and its map `shop.toml`."""
    monkeypatch.chdir(tmp_path)
    # The command puts its folder on the path by itself; here it is for `make_module` to clean up.
    make_module("shop", PROGRAM)

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    write("shop.toml", MAP)
    return SimpleNamespace(path=tmp_path, write=write, metrics=METRICS, map=MAP)


@pytest.fixture
def command(capsys):
    """Run a command in this process; gives its exit code and what it wrote."""

    def run(*argv: str) -> SimpleNamespace:
        try:
            code = main(argv)
        except SystemExit as end:
            code = end.code
        written = capsys.readouterr()
        return SimpleNamespace(code=code, out=written.out, err=written.err)

    return run


@pytest.fixture
def encoded(monkeypatch):
    """Run a command whose standard output has another encoding; gives its code and the output."""

    def run(*argv: str, encoding: str = "ascii", errors: str = "strict") -> SimpleNamespace:
        written = io.BytesIO()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding, errors))
            code = main(argv)
            return SimpleNamespace(code=code, out=written.getvalue().decode(encoding))

    return run


@pytest.fixture
def standard_input(monkeypatch):
    """Give what standard input has."""

    def give(data):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))

    return give


@pytest.fixture(scope="session")
def environment():
    """Give an environment without settings of ours."""
    names = ("METRICS_", "PROMETHEUS_METRICS", "INSTRUMENTATION_MAP")
    return {name: value for name, value in os.environ.items() if not name.startswith(names)}


@pytest.fixture(scope="session")
def script():
    """Give the command as it is installed."""
    return [sys.executable, str(Path(sys.executable).with_name("ancestry-obs"))]


@pytest.fixture
def launch(project, environment, script):
    """Run the installed command to its end in the project's folder."""

    def run(*argv: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*script, *argv],
            cwd=project.path,
            env={**environment, **variables},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


_MAIN = "import sys; from ancestry_obs.cli import main; raise SystemExit(main(sys.argv[1:]))"


@pytest.fixture
def shown():
    """Run a program, the command if it is not said, and give what its terminal shows."""

    def run(*argv: str, program: str = _MAIN, columns: int = 80, **variables: str) -> str:
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, columns))
        environment = {n: v for n, v in os.environ.items() if n not in {"NO_COLOR", "COLUMNS"}}
        with subprocess.Popen(
            [sys.executable, "-c", program, *argv],
            env={**environment, "TERM": "xterm", **variables}, stdout=theirs, stderr=theirs,
        ) as process:  # fmt: skip
            os.close(theirs)
            written = b"".join(iter(lambda: _read(ours), b""))
            process.wait(timeout=60)
        os.close(ours)
        return written.decode().replace("\r\n", "\n")

    return run


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when nobody has the other end any more
        return b""
