"""Maps that include others, in a program: what is measured, and what a reload makes of them."""

from __future__ import annotations

import importlib
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

import ancestry_obs
from ancestry_obs.cli import main
from ancestry_obs.exceptions import MapError

COMMON = """\
version = 1

[metrics.prices_total]
type = "counter"
help = "Prices asked for."

[[instrument]]
name = "prices"
target = "composed_shop:price"
record = [{ metric = "prices_total" }]
"""
CLICK = "click.core:Command.invoke"


@pytest.fixture
def shop(make_module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_module("composed_shop", "def price(name): return len(name)\ndef sell(name): ...\n")
    (tmp_path / "common.toml").write_text(COMMON, "utf-8")
    (tmp_path / "root.toml").write_text('version = 1\ninclude = ["common.toml"]\n', "utf-8")
    module = importlib.import_module("composed_shop")
    yield module
    ancestry_obs.uninstall()


def counted():
    return ancestry_obs.get_registry().get_sample_value("shop_prices_total")


def targets():
    return sorted(each.target for each in ancestry_obs.status().targets)


def test_a_reload_reads_included_files_again(shop, enabled, tmp_path, monkeypatch):
    ancestry_obs.install("root.toml", settings=enabled, registry=CollectorRegistry())
    shop.price("tea")
    assert not ancestry_obs.reload()
    (tmp_path / "common.toml").write_text(COMMON.replace(":price", ":sell"), "utf-8")
    # Wherever the program is by then.
    monkeypatch.chdir("/")
    changes = ancestry_obs.reload()
    assert (changes.targets_added, changes.targets_removed) == (
        ("composed_shop:sell",),
        ("composed_shop:price",),
    )
    shop.price("tea")
    shop.sell("tea")
    assert counted() == 2


def test_a_mistake_in_an_included_file_keeps_the_map_in_force(shop, enabled, tmp_path):
    ancestry_obs.install("root.toml", settings=enabled, registry=CollectorRegistry())
    (tmp_path / "common.toml").write_text(COMMON.replace('"counter"', '"countr"'), "utf-8")
    with pytest.raises(MapError, match=r"common\.toml:4: metrics\.prices_total\.type: found"):
        ancestry_obs.reload()
    shop.price("tea")
    assert counted() == 1


def test_the_same_function_in_two_maps_counts_in_both(shop, enabled, tmp_path):
    other = COMMON.replace("prices_total", "sales_total").replace('"prices"', '"sales"')
    (tmp_path / "other.toml").write_text(other, "utf-8")
    ancestry_obs.install(
        ["root.toml", "other.toml", "pack:click"], settings=enabled, registry=CollectorRegistry()
    )
    shop.price("tea")
    assert counted() == 1
    assert ancestry_obs.get_registry().get_sample_value("shop_sales_total") == 1
    assert targets() == [CLICK, "composed_shop:price"]
    assert ancestry_obs.status().map == "root.toml, other.toml, pack:click"
    assert not ancestry_obs.reload()


@pytest.mark.parametrize(
    ("given", "map_setting", "expected"),
    [
        (None, None, [CLICK]),
        (None, "root.toml", [CLICK, "composed_shop:price"]),
        ("root.toml", "lost.toml", [CLICK, "composed_shop:price"]),
        ("pack:click", None, [CLICK]),
    ],
)
def test_packs_by_the_settings(shop, enabled, tmp_path, given, map_setting, expected):
    (tmp_path / "obs.toml").write_text("no map\n", "utf-8")
    settings = replace(enabled, instrumentation_packs="click", instrumentation_map=map_setting)
    ancestry_obs.install(given, settings=settings, registry=CollectorRegistry())
    assert targets() == expected
    assert not ancestry_obs.reload()
    assert ancestry_obs.reload("common.toml").targets_added == (
        () if "composed_shop:price" in expected else ("composed_shop:price",)
    )
    assert targets() == [CLICK, "composed_shop:price"]


def test_packs_with_metrics_off(shop, enabled):
    settings = replace(enabled, enable_prometheus_metrics=False, instrumentation_packs="click")
    assert not ancestry_obs.install(settings=settings).enabled
    ancestry_obs.metrics().cli_command_errors_total.inc("shop", "ValueError")


OWN = """\
version = 1
namespace = ""
[metrics.shop_prices_total]
type = "counter"
help = "Mine."
"""
CLASH = (
    "common.toml:3: metrics.prices_total: 'prices_total' and 'shop_prices_total' of own.toml:3 "
    "would both expose 'shop_prices', as METRICS_NAMESPACE is 'shop'; rename one of them, or set "
    "another METRICS_NAMESPACE"
)


def test_two_metrics_of_one_name_once_the_namespace_is_known(shop, enabled, tmp_path):
    (tmp_path / "own.toml").write_text(OWN, "utf-8")
    both = 'version = 1\ninclude = ["own.toml", "common.toml"]\n'
    (tmp_path / "both.toml").write_text(both, "utf-8")
    with pytest.raises(MapError) as caught:
        ancestry_obs.install("both.toml", settings=enabled, registry=CollectorRegistry())
    assert str(caught.value) == CLASH
    ancestry_obs.install("root.toml", settings=enabled, registry=CollectorRegistry())
    shop.price("tea")
    with pytest.raises(MapError):
        ancestry_obs.reload("both.toml")
    shop.price("tea")
    assert counted() == 2
    ancestry_obs.uninstall()
    other = replace(enabled, metrics_namespace="corner")
    ancestry_obs.install("both.toml", settings=other, registry=CollectorRegistry())


def test_the_namespace_of_the_toolkit_is_no_other_metric_s(shop, enabled):
    settings = replace(enabled, metrics_namespace="ancestry_obs")
    with pytest.raises(MapError, match="'ancestry_obs_prices_total' begins with 'ancestry_obs_'"):
        ancestry_obs.install("root.toml", settings=settings, registry=CollectorRegistry())


def test_the_check_knows_the_namespace_of_the_program(shop, tmp_path, monkeypatch, capsys):
    (tmp_path / "own.toml").write_text(OWN, "utf-8")
    both = 'version = 1\ninclude = ["own.toml", "common.toml"]\n'
    (tmp_path / "both.toml").write_text(both, "utf-8")
    monkeypatch.setenv("METRICS_NAMESPACE", "shop")
    assert main(["check", "both.toml"]) == 1
    assert capsys.readouterr().out.splitlines()[0] == CLASH
    assert main(["rules", "both.toml"]) == 2
    assert capsys.readouterr().err == f"ancestry-obs: {CLASH}\n"
    monkeypatch.setenv("METRICS_NAMESPACE", "corner")
    assert main(["rules", "both.toml"]) == 0
