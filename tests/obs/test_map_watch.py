"""A map is read again when one of its files has changed, and only then."""

from __future__ import annotations

import importlib
import logging
import os
import threading
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

import ancestry_obs
from ancestry_obs import lifecycle, map_watch
from ancestry_obs.cli.status import describe

COMMON = """\
version = 1

[metrics.prices_total]
type = "counter"
help = "Prices asked for."

[[instrument]]
target = "watched_shop:price"
record = [{ metric = "prices_total" }]
"""
ROOT = 'version = 1\ninclude = ["common.toml"]\n'


@pytest.fixture
def shop(make_module, tmp_path, monkeypatch, enabled, caplog):
    """Install a map of two files; give what looks at them, which no thread does by itself."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(map_watch.MapWatch, "start", lambda _: None)
    make_module("watched_shop", "def price(name): return len(name)\ndef sell(name): ...\n")
    (tmp_path / "common.toml").write_text(COMMON, "utf-8")
    (tmp_path / "root.toml").write_text(ROOT, "utf-8")
    module = importlib.import_module("watched_shop")
    caplog.set_level(logging.INFO)
    settings = replace(enabled, map_watch=True)
    ancestry_obs.install("root.toml", settings=settings, registry=CollectorRegistry())
    module.look = lifecycle._current.watch.look
    caplog.clear()
    return module


def targets():
    return [each.target for each in ancestry_obs.status().targets]


@pytest.mark.parametrize("way", ["in place", "exchanged", "same time and size"])
def test_a_file_that_has_changed_at_two_looks(shop, tmp_path, caplog, way):
    path = tmp_path / "common.toml"
    status = path.stat()
    changed = COMMON.replace(":price", ":sell ".strip())
    if way == "in place":
        path.write_text(changed, "utf-8")
    else:
        new = tmp_path / "new"
        new.write_text(changed, "utf-8")
        os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
        new.replace(path)
    shop.look()
    assert targets() == ["watched_shop:price"]
    shop.look()
    assert targets() == ["watched_shop:sell"]
    (line,) = caplog.messages
    assert line.startswith("a file of the map has changed; targets added: watched_shop:sell")
    for _ in range(3):
        shop.look()
    assert len(caplog.messages) == 1


def test_a_file_that_is_being_written_is_left_alone(shop, tmp_path, caplog):
    for length in (10, 50, 90):
        (tmp_path / "common.toml").write_text(COMMON[:length], "utf-8")
        shop.look()
    (tmp_path / "common.toml").write_text(COMMON, "utf-8")
    shop.look()
    assert caplog.messages == []


def test_nothing_is_read_while_nothing_changes(shop, monkeypatch):
    monkeypatch.setattr(lifecycle, "_load", None)
    for _ in range(3):
        shop.look()
    assert targets() == ["watched_shop:price"]


def test_mistakes_leave_the_map_in_force_and_are_told_once(shop, tmp_path, caplog):
    bad = COMMON.replace('"counter"', '"countr"').replace("help", "halp")
    (tmp_path / "common.toml").write_text(bad, "utf-8")
    for _ in range(5):
        shop.look()
    (line,) = caplog.messages
    assert line.startswith("the map stays as it was: ")
    assert "common.toml:4: metrics.prices_total.type: found the text 'countr'" in line
    assert line.endswith("(and 1 more)")
    error = line.removeprefix("the map stays as it was: ")
    assert ancestry_obs.status().map_error == error
    assert f"\nmap: it stays as it was: {error}" in describe(ancestry_obs.status())
    shop.price("tea")
    assert ancestry_obs.get_registry().get_sample_value("shop_prices_total") == 1
    (tmp_path / "common.toml").write_text(COMMON.replace(":price", ":sell"), "utf-8")
    shop.look()
    shop.look()
    assert targets() == ["watched_shop:sell"]
    assert not ancestry_obs.status().map_error


@pytest.mark.parametrize("way", ["as it was", "by a reload"])
def test_a_mistake_that_is_over_is_told_no_more(shop, tmp_path, way):
    path = tmp_path / "common.toml"
    status = path.stat()
    path.write_text("[[[", "utf-8")
    shop.look()
    shop.look()
    assert "not TOML" in ancestry_obs.status().map_error
    path.write_text(COMMON, "utf-8")
    if way == "by a reload":
        ancestry_obs.reload()
    else:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        shop.look()
        shop.look()
    assert not ancestry_obs.status().map_error


def test_a_file_that_comes_back_and_one_that_is_new(shop, tmp_path, caplog):
    (tmp_path / "root.toml").write_text(ROOT.replace("common", "lost"), "utf-8")
    shop.look()
    shop.look()
    (line,) = caplog.messages
    assert "there is no file 'lost.toml'" in line
    # Nothing that was read has changed since; what was missing is there now.
    (tmp_path / "lost.toml").write_text(COMMON.replace(":price", ":sell"), "utf-8")
    shop.look()
    assert targets() == ["watched_shop:sell"]
    (tmp_path / "lost.toml").write_text(COMMON, "utf-8")
    shop.look()
    shop.look()
    assert targets() == ["watched_shop:price"]
    (tmp_path / "lost.toml").unlink()
    for _ in range(3):
        shop.look()
    assert targets() == ["watched_shop:price"]


def test_another_map_is_watched_after_a_reload(shop, tmp_path):
    (tmp_path / "other.toml").write_text(COMMON, "utf-8")
    ancestry_obs.reload("other.toml")
    (tmp_path / "root.toml").unlink()
    (tmp_path / "other.toml").write_text(COMMON.replace(":price", ":sell"), "utf-8")
    shop.look()
    shop.look()
    assert targets() == ["watched_shop:sell"]
    ancestry_obs.reload({"version": 1})
    shop.look()
    shop.look()
    assert targets() == []


def test_what_is_no_mistake_of_the_map_is_told_too(shop, tmp_path, monkeypatch, caplog):
    def refuse(spec):
        raise RuntimeError("no way")

    monkeypatch.setattr(ancestry_obs.lifecycle._current.instrumentation, "reload", refuse)
    (tmp_path / "root.toml").write_text(ROOT + "\n", "utf-8")
    for _ in range(3):
        shop.look()
    assert caplog.messages == ["the map stays as it was: RuntimeError: no way"]


def test_a_thread_looks_and_so_does_that_of_a_forked_child(monkeypatch):
    looked = threading.Event()
    monkeypatch.setattr(map_watch, "_SECONDS", 0)
    monkeypatch.setattr(map_watch.MapWatch, "look", lambda _: looked.set())
    watch = map_watch.MapWatch(tuple, dict, str)
    watch.start()
    assert looked.wait(60)
    # What a child does first: it has the parent's objects and none of its threads.
    watch._repeater.stop()
    looked.clear()
    map_watch._begin_children()
    assert looked.wait(60)
    watch.stop()
    assert watch not in map_watch._WATCHES


def test_uninstall_ends_it_and_off_is_the_default(shop, enabled):
    ancestry_obs.uninstall()
    assert lifecycle._current.watch is None
    ancestry_obs.install("root.toml", settings=enabled, registry=CollectorRegistry())
    assert lifecycle._current.watch is None
