"""What the page `/status` tells besides the states."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import ancestry_obs
from ancestry_obs.mapfile import load
from ancestry_obs.status_page import label_limits, places, processes

MAP = """\
version = 1
[metrics.calls_total]
type = "counter"
help = "Calls."
labels.kind = ["a", "b"]
labels.user = { max_values = 7 }
[[instrument]]
target = ["shop:price", "shop:Cart.*"]
record = [{ metric = "calls_total", labels = { kind = "'a'", user = "'me'" } }]
[[instrument]]
target = "shop:price"
record = [{ metric = "calls_total", labels = { kind = "'b'", user = "'me'" } }]
[metrics.size]
type = "gauge"
help = "Size."
[[sample]]
target = "shop:Cart"
metric = "size"
value = "self.size"
[[hook]]
target = "shop:start"
before = "exporter.start"
"""


@pytest.fixture
def spec(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.toml").write_text(MAP)
    return load("shop.toml")


def test_places_are_those_of_the_map(spec):
    assert places(spec) == {
        "shop:price": ["shop.toml:7", "shop.toml:10"],
        "shop:Cart.*": ["shop.toml:7"],
        "shop:Cart.__init__": ["shop.toml:16"],
        "shop:start": ["shop.toml:20"],
    }


def test_limits_are_those_of_labels_that_have_one(spec):
    told = {"metric": "calls_total", "label": "user", "limit": 7}
    assert label_limits(spec, "my") == [told | {"full_name": "my_calls_total"}]
    assert label_limits(spec, "")[0]["full_name"] == "calls_total"


def test_processes_are_told_with_who_has_started_them():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        own, other = processes([os.getpid(), child.pid])
    finally:
        child.communicate()
    assert own["serves"]
    assert own["parent"] == os.getppid()
    assert other == {
        "pid": child.pid, "name": other["name"], "parent": os.getpid(), "serves": False,
    }  # fmt: skip
    assert other["name"]


def test_of_a_process_that_is_gone_its_number_is_told():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    told = {"pid": child.pid, "name": "", "parent": None, "serves": False}
    assert processes([child.pid]) == [told]


@pytest.mark.live
@pytest.mark.parametrize("live", [True, False])
def test_the_exporter_of_an_installation_has_it_and_the_page_if_it_is_wanted(
    enabled, make_module, spec, live
):
    from dataclasses import replace

    from ancestry_obs.metrics_exporter.client import get

    make_module("shop", "def price(): ...\ndef start(): ...\nclass Cart:\n  def add(self): ...\n")
    ancestry_obs.install("shop.toml", settings=replace(enabled, metrics_export_page=live))
    url = ancestry_obs.start_exporter().url
    told = json.loads(get(url.replace("/metrics", "/status")))
    assert told["places"]["shop:price"] == ["shop.toml:7", "shop.toml:10"]
    assert told["label_limits"][0]["limit"] == 7
    assert told["costs"] == {}
    assert [each["pid"] for each in told["processes"]] == [os.getpid()]
    page = get(url.removesuffix("metrics")).decode()
    assert ("page/page.js" in page) is live
