from __future__ import annotations

import platform
from types import SimpleNamespace

from ancestry_obs.collector import render


def target(name, state="installed", calls=0):
    return SimpleNamespace(target=name, state=state, calls=calls)


def test_targets_with_state_and_calls(setting):
    setting.targets[:] = [target("a:f", calls=7), target("b:g", state="pending")]
    assert setting.value("ancestry_obs_target_info", target="a:f", state="installed") == 1
    assert setting.value("ancestry_obs_target_info", target="b:g", state="pending") == 1
    assert setting.value("ancestry_obs_calls_total", target="a:f") == 7
    assert setting.value("ancestry_obs_calls_total", target="b:g") == 0


def test_a_target_of_two_patterns_is_one_series(setting):
    setting.targets[:] = [target("a:f", calls=7), target("a:f", calls=7)]
    body, _ = render(setting.registry)
    assert body.count(b'ancestry_obs_calls_total{target="a:f"}') == 1


def test_failed_expressions(setting):
    setting.store.count_failure("a:f", "calls_total", "path")
    setting.store.count_failure("a:f", "calls_total", "path")
    found = setting.value(
        "ancestry_obs_expression_errors_total", target="a:f", metric="calls_total", label="path"
    )
    assert found == 2


def test_items_that_were_left_out(setting):
    setting.store.leave_out("a:f", 3)
    setting.store.leave_out("a:f", 4)
    setting.store.leave_out("b:g", 1)
    assert setting.value("ancestry_obs_items_left_out_total", target="a:f") == 7
    assert setting.value("ancestry_obs_items_left_out_total", target="b:g") == 1


def test_overflows_start_at_zero_for_every_label(setting, specs):
    family = setting.store.family(specs.metric("calls_total", "counter", ["path", "way"], most=1))
    name = "ancestry_obs_label_overflow_total"
    assert setting.value(name, metric="calls_total", label="path") == 0
    for path in ("/a", "/b", "/c"):
        family.inc((path, "up"))
    assert setting.value(name, metric="calls_total", label="path") == 2
    assert setting.value(name, metric="calls_total", label="way") == 0


def test_series_of_each_metric(setting, specs):
    family = setting.store.family(specs.metric("level", "gauge", ["a"]))
    family.set(("x",), 1)
    family.set(("y",), 1)
    assert setting.value("ancestry_obs_series", metric="level") == 2


def test_exporters_that_failed_to_start_count_from_zero(setting):
    assert setting.value("ancestry_obs_exporter_failures_total") == 0
    setting.self_metrics.exporter_failed()
    assert setting.value("ancestry_obs_exporter_failures_total") == 1


def test_build(setting):
    python = platform.python_version()
    assert setting.value("ancestry_obs_build_info", version="1.2.3", python=python) == 1


def test_a_scrape_is_timed_until_its_last_family_is_written(setting):
    scrape = setting.collector.collect()
    next(scrape)
    setting.now = 2.5
    list(scrape)
    assert setting.value("ancestry_obs_scrape_seconds_count") == 1
    assert setting.value("ancestry_obs_scrape_seconds_sum") == 2.5


def test_scrapes_are_counted_by_the_fast_way_too(setting):
    render(setting.registry)
    render(setting.registry)
    assert b"\nancestry_obs_scrape_seconds_count 2.0\n" in render(setting.registry)[0]
