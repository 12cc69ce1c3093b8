"""What the tests of the toolkit share: a small program to instrument, and a clean slate."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
from textwrap import dedent

import pytest

import ancestry_obs


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
