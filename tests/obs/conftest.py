"""What the tests of the toolkit share: a small program to instrument, and a clean slate."""

from __future__ import annotations

import contextlib
import http.server
import os
import pickle
import resource
import subprocess
import sys
import threading
from functools import partial
from textwrap import dedent
from types import SimpleNamespace

import pytest
from hypothesis import settings

import ancestry_obs

# How long an example takes says nothing on a busy machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture
def make_module(tmp_path, monkeypatch):
    """Write a module that can be imported until the test is over."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def make(name: str, source: str) -> None:
        path = tmp_path.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        for package in path.relative_to(tmp_path).parents[:-1]:
            (tmp_path / package / "__init__.py").touch()
        path.write_text(dedent(source))

    yield make
    for name in set(sys.modules) - before:
        if str(tmp_path) in (getattr(sys.modules[name], "__file__", "") or ""):
            del sys.modules[name]


@pytest.fixture
def enabled():
    """Give settings with metrics on and any free port; whatever got installed is taken out."""
    yield ancestry_obs.ObservabilitySettings(
        enable_prometheus_metrics=True, metrics_export_port=0, metrics_namespace="shop"
    )
    ancestry_obs.uninstall()


# Longer than anything takes that ends at all.
_LIMIT = 300


class Workers:
    """Threads that do a piece of work again and again until they are told to stop.

    How fast they are decides nothing: whoever needs them to have got somewhere waits for it. What
    is raised in one of them is raised where they are waited for, and at the end.

    Args:
        work: does one piece; it is given the number of its thread.
        threads: how many there are.
        at_least: how many pieces each does in any case.
    """

    def __init__(self, work, *, threads=8, at_least=0):
        self._work = work
        self._at_least = at_least
        self._stop = False
        self._failure = None
        self._done = [0] * threads
        self._turn = threading.Condition()
        self._threads = [
            threading.Thread(target=self._loop, args=(number,), daemon=True)
            for number in range(threads)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self._stop = True
        for thread in self._threads:
            thread.join(_LIMIT)
        if kind is None:
            self._check()
            assert not any(thread.is_alive() for thread in self._threads)

    @property
    def pieces(self):
        """How many pieces all threads together have done."""
        self._check()
        return sum(self._done)

    @property
    def at_their_share(self):
        """Whether a thread has not yet done what it does in any case."""
        self._check()
        return min(self._done) < self._at_least

    def let_them_work(self):
        """Wait until a piece of work is done that began after this call."""
        # One of them has done two pieces then, and began the second meanwhile.
        enough = self.pieces + len(self._threads) + 1
        with self._turn:
            assert self._turn.wait_for(lambda: self._failure or sum(self._done) >= enough, _LIMIT)
        self._check()

    def _check(self):
        if self._failure is not None:
            raise self._failure

    def _loop(self, number):
        try:
            while self._failure is None and not (
                self._stop and self._done[number] >= self._at_least
            ):
                self._work(number)
                with self._turn:
                    self._done[number] += 1
                    self._turn.notify_all()
        except BaseException as error:
            with self._turn:
                self._failure = error
                self._turn.notify_all()


@pytest.fixture(scope="session")
def workers():
    """Threads that work until they are told to stop: see `Workers`."""
    return Workers


@pytest.fixture(scope="session")
def in_child():
    """Runs a function in a forked child and gives what it returned."""

    def run(function):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException), os.fdopen(writer, "wb") as pipe:
                pickle.dump(function(), pipe)
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            answer = pipe.read()
        os.waitpid(pid, 0)
        return pickle.loads(answer)

    return run


_SHOP_MAP = """\
version = 1
[metrics.prices_total]
type = "counter"
help = "Prices asked for."
[[instrument]]
target = "shop:price"
record = [{ metric = "prices_total" }]
"""
_SHOP_HOOK = """\
[[hook]]
target = "shop:open_shop"
after = "exporter.start"
"""
_SHOP_PROGRAM = """\
import ancestry_obs, logging, os, sys
logging.basicConfig(format="%(message)s")
ancestry_obs.install()
import shop
shop.price("book")
"""


@pytest.fixture
def gateway():
    """Stand in for a Pushgateway; gives its address and what was sent to it."""
    received = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            received.append((self.path, body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_): ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        yield SimpleNamespace(url=url, received=received)
        server.shutdown()
        thread.join()


@pytest.fixture
def program(tmp_path):
    """Run a program whose `.env` has the settings, to its end."""
    (tmp_path / "shop.py").write_text("def price(name): ...\ndef open_shop(): ...\n")

    def run(ending="", *, hook=True, largest_file=resource.RLIM_INFINITY, **variables):
        (tmp_path / "shop.toml").write_text(_SHOP_MAP + (_SHOP_HOOK if hook else ""))
        (tmp_path / "program.py").write_text(_SHOP_PROGRAM + ending)
        settings = {
            "PROMETHEUS_METRICS_ENABLED": "true",
            "METRICS_EXPORT_PORT": "0",
            "INSTRUMENTATION_MAP": "shop.toml",
        } | variables
        (tmp_path / ".env").write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
        return subprocess.run(
            [sys.executable, "program.py"],
            cwd=tmp_path,
            env={k: v for k, v in os.environ.items() if k not in settings},
            preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (largest_file,) * 2),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    run.folder = tmp_path
    return run
