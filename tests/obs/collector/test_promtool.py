"""What Prometheus' own checker says of a page with every kind of metric."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from ancestry_obs.collector import render

pytestmark = pytest.mark.real


@pytest.fixture
def check():
    promtool = shutil.which("promtool")
    if promtool is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("promtool is not installed")

    def run(page):
        return subprocess.run(
            [promtool, "check", "metrics"], input=page, capture_output=True, timeout=60, check=False
        )

    return run


def test_the_page_is_in_order(setting, specs, check):
    store = setting.store
    store.family(specs.metric("calls_total", "counter", ["b", "a"])).inc(('"y"\n', "x\\"), 2.5e9)
    store.family(specs.metric("level", "gauge")).set((), -1.25)
    store.family(specs.metric("hit_ratio", "ratio", ["service"])).observe(("größe",), 1.0)
    store.family(specs.metric("busy", "in_flight")).observe((), 1.0)
    waits = store.family(specs.metric("wait_seconds", "histogram", ["a"], buckets=[0.5, 1, 2e6]))
    waits.observe(("one",), 3.0)
    store.count_failure("program.api:fetch", "calls_total", "a")
    done = check(render(setting.registry)[0])
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_checker_does_check(setting, specs, check):
    setting.store.family(specs.metric("odd_total", "gauge")).set((), 1)
    done = check(render(setting.registry)[0])
    assert done.returncode != 0
    assert b"app_odd_total" in done.stderr + done.stdout
