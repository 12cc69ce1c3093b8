from __future__ import annotations

import json


def test_metrics_and_targets_in_columns(project, command):
    listed = command("list", "shop.toml")
    assert listed.code == 0
    assert listed.out.splitlines() == [
        "METRIC        TYPE     SERIES AT MOST  LABELS",
        "prices_total  counter              12  name",
        "cart_items    gauge                 1",
        "",
        "TARGET          FEEDS         WHEN",
        "shop:price      prices_total  exit",
        "shop:Cart       cart_items    sample",
        "shop:open_shop                after: exporter.start",
    ]


def test_no_module_of_the_program_is_needed(project, command):
    (project.path / "shop.py").unlink()
    assert command("list", "shop.toml").code == 0


def test_the_same_for_programs(project, command):
    listed = json.loads(command("list", "--json", "shop.toml").out)
    assert listed["metrics"][0] == {
        "name": "prices_total",
        "type": "counter",
        "labels": ["name"],
        "series_at_most": 12,
    }
    assert listed["targets"][2] == {
        "target": "shop:open_shop",
        "feeds": "",
        "when": "after: exporter.start",
    }


def test_a_hook_before_the_call(project, command):
    project.write("shop.toml", project.map.replace("after =", "before ="))
    assert "before: exporter.start" in command("list", "shop.toml").out


def test_mistakes_are_a_line_each(project, command):
    project.write("shop.toml", project.map.replace("version = 1", "version = 2\nx = 1"))
    listed = command("list", "shop.toml")
    assert listed.code == 2
    lines = listed.err.splitlines()
    assert [line.split(":")[:3] for line in lines] == [
        ["ancestry-obs", " shop.toml", "1"],
        ["ancestry-obs", " shop.toml", "2"],
    ]


def test_a_map_on_standard_input(project, command, standard_input):
    standard_input(project.map.encode())
    assert command("list", "-").out == command("list", "shop.toml").out


def test_standard_input_that_is_no_map(project, command, standard_input):
    standard_input(b"version = 2")
    listed = command("list", "-")
    assert (listed.code, listed.out) == (2, "")
    assert listed.err == "ancestry-obs: <stdin>:1: version: found the number 2; allowed is 1\n"
