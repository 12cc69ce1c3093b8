"""`sample` in a map: what is refused, and what an installed map counts and times."""

from __future__ import annotations

import importlib

import pytest
from prometheus_client import CollectorRegistry

import ancestry_obs
from ancestry_obs.checking.remarks import remarks
from ancestry_obs.cli import main
from ancestry_obs.exceptions import MapError
from ancestry_obs.mapfile import load
from ancestry_obs.settings import ObservabilitySettings

SHOP = """
def price(name): return len(name)
async def send(name): return name
"""
SECONDS = {"metric": "price_seconds"}
CALLS = {"metric": "calls_total", "labels": {"name": "name"}}


def spec(sample=0.1, records=(SECONDS, CALLS), **more):
    return {
        "version": 1,
        "metrics": {
            "price_seconds": {"type": "histogram", "help": "Seconds.", "buckets": [1]},
            "calls_total": {"type": "counter", "help": "C.", "labels": {"name": ["a", "b"]}},
        },
        "instrument": [
            {"target": "sampled_shop:price", "sample": sample, "record": [*records], **more}
        ],
    }


@pytest.mark.parametrize("sample", [0, 0.0009, 1.01, -1, True, "1%", float("nan"), float("inf")])
def test_what_is_no_share_is_refused(sample):
    with pytest.raises(MapError, match=r"sample: found .*allowed is a number from 0\.001 to 1"):
        load(spec(sample))


@pytest.mark.parametrize("sample", [0.001, 0.5, 1, 1.0])
def test_shares(sample):
    assert load(spec(sample)).instruments[0].sample == sample


SLOW = "elapsed > 1"


@pytest.mark.parametrize(
    "record",
    [
        {**CALLS, "when": SLOW},
        {**CALLS, "value": "elapsed"},
        {"metric": "calls_total", "labels": {"name": "'a' if elapsed > 1 else 'b'"}},
        {"metric": "price_seconds", "value": "elapsed * 2", "on": "return"},
    ],
)
def test_what_has_to_know_how_long_each_call_took_is_refused(record):
    told = r"sample: record\[1\] reads elapsed, which is not known of a call that is not timed;"
    with pytest.raises(MapError, match=told):
        load(spec(records=(SECONDS, record)))
    load(spec(1, records=(SECONDS, record)))
    # A parameter that is called so.
    load(spec(records=(SECONDS, {**CALLS, "on": "call", "when": SLOW})))


@pytest.mark.parametrize(
    ("records", "is_told"),
    [((CALLS,), True), (({**SECONDS, "value": "length(name)"},), True), ((CALLS, SECONDS), False)],
)
def test_check_notes_a_sample_of_nothing(records, is_told):
    told = "note: <mapping>: instrument[0]: sample does nothing here: no record of it takes a time"
    assert (told in [*remarks(load(spec(records=records)))]) is is_told


def test_all_calls_are_counted_and_a_reload_times_them_all(make_module):
    make_module("sampled_shop", SHOP)
    shop = importlib.import_module("sampled_shop")
    registry = CollectorRegistry()
    settings = ObservabilitySettings(enable_prometheus_metrics=True, metrics_export_port=0)
    ancestry_obs.install(spec(0.5), settings=settings, registry=registry)
    try:
        for _ in range(200):
            shop.price("a")
        assert registry.get_sample_value("ancestry_calls_total", {"name": "a"}) == 200
        assert registry.get_sample_value("ancestry_price_seconds_count") == 200
        changes = ancestry_obs.reload(spec(1))
        assert changes.targets_changed == ("sampled_shop:price",)
        for _ in range(3):
            shop.price("b")
        assert registry.get_sample_value("ancestry_price_seconds_count") == 203
        assert registry.get_sample_value("ancestry_price_seconds_bucket", {"le": "1.0"}) == 203
    finally:
        ancestry_obs.uninstall()


def test_explain_shows_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "told_shop.py").write_text(SHOP)
    (tmp_path / "shop.toml").write_text(
        "version = 1\n[metrics.price_seconds]\ntype = 'histogram'\nhelp = 'Seconds.'\n"
        "buckets = [1]\n[[instrument]]\ntarget = 'told_shop:price'\nsample = 0.01\n"
        "record = [{ metric = 'price_seconds' }]\n"
    )
    assert main(["explain", "shop.toml", "told_shop:price"]) == 0
    told = capsys.readouterr().out
    assert "sample = 0.01: all calls are counted, some are timed" in told
    assert "_obs_countdown.left -= 1" in told
