"""What packs cost is told from one file, which only the benchmark writes."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from ancestry_obs.cli import pack_costs, packs
from ancestry_obs.cli.pack_costs import PYTHON, PackCost, read_costs, write_costs
from ancestry_obs.mapfile.map_files import packs_there_are

MEASURED = PackCost("task", 97, 7.5, 83, None, {PYTHON: 0.09, "3.11": 0.11})


@pytest.fixture
def costs(tmp_path, monkeypatch):
    """Stand in for the file that ships."""
    monkeypatch.setattr(pack_costs, "COSTS_FILE", tmp_path / "costs.json")
    return tmp_path / "costs.json"


def test_what_is_measured_is_of_packs_that_there_are():
    costs = read_costs()
    assert {*costs} <= {*packs_there_are()}
    for name, each in costs.items():
        if each.theirs is None:
            assert (each.ratio, each.basis) == (None, None)
            continue
        assert {*each.ratios} == {"3.11", "3.12", "3.13"}, name
        # The figures are told in fewer digits than the ratio was worked out of.
        assert each.ours / each.theirs == pytest.approx(each.ratio, abs=0.006), name


def test_what_is_written_is_read(costs):
    alone = PackCost("request", 90, 7.5, None, None, {})
    jinja2 = PackCost("template", 14, 2.6, 63, 22, {PYTHON: 0.04})
    told = {"celery": MEASURED, "jinja2": jinja2, "gunicorn": alone}
    write_costs(told)
    assert read_costs() == told
    assert [each.basis for each in told.values()] == ["metrics", "spans", None]


def test_a_pack_is_listed_with_its_cost_or_without(costs, command, monkeypatch):
    monkeypatch.setattr(packs, "installed_version", {"celery": "5.4.0"}.get)
    write_costs({"celery": MEASURED, "gunicorn": PackCost("request", 90, 7.5, None, None, {})})
    told = command("packs").out.splitlines()
    assert told[0].split()[-3:] == ["TARGETS", "COST", "RATIO"]
    rows = {line.split()[0]: line.split() for line in told if line[:1] not in {" ", ""}}
    assert rows["celery"][-5:] == ["5.4.0", "yes", "6", "7.5", "0.09x"]
    assert rows["click"][-4:] == ["-", "1", "-", "-"]
    assert rows["gunicorn"][-4:] == ["-", "1", "7.5", "-"]
    assert f"on Python {PYTHON} and the machine of docs/performance.md" in " ".join(
        " ".join(told).split()
    )


def test_the_same_for_programs(costs, command):
    write_costs({"celery": MEASURED})
    told = {each["name"]: each["cost"] for each in json.loads(command("packs", "--json").out)}
    assert told["click"] is None
    assert told["celery"] == {
        "per": "task",
        "microseconds": 7.5,
        "opentelemetry_microseconds": 83,
        "opentelemetry_basis": "metrics",
        "ratio": 0.09,
        "python": PYTHON,
        "ratios": {PYTHON: 0.09, "3.11": 0.11},
    }


@pytest.fixture
def benchmark(costs, monkeypatch):
    """Give what keeps the figures of the benchmark."""
    monkeypatch.syspath_prepend(Path(__file__).parents[3] / "benchmarks")
    return importlib.import_module("_pack_costs")


def test_the_benchmark_keeps_what_it_has_measured(benchmark, monkeypatch):
    write_costs({"celery": MEASURED})
    monkeypatch.setattr(benchmark, "_HERE", PYTHON)
    spans = {"OpenTelemetry, unsampled": 21.6e-6}
    jinja2 = {"plain": 14.2e-6, "ours": 2.61e-6, "OpenTelemetry": 63.4e-6, **spans}
    celery = {"plain": 90e-6, "ours": 8.04e-6, "OpenTelemetry": 80.2e-6}
    benchmark.keep({"jinja2": jinja2, "celery": celery})
    assert read_costs() == {
        "celery": PackCost("task", 90, 8.0, 80, None, {PYTHON: 0.1, "3.11": 0.11}),
        "jinja2": PackCost("template", 14, 2.6, 63, 22, {PYTHON: 0.04}),
    }


def test_of_other_pythons_the_ratio_alone(benchmark, monkeypatch):
    write_costs({"celery": MEASURED})
    monkeypatch.setattr(benchmark, "_HERE", "3.11")
    measured = {"plain": 1e-6, "ours": 1e-6, "OpenTelemetry": 4e-6}
    benchmark.keep({"celery": measured})
    told = read_costs()["celery"]
    assert (told.plain, told.ours, told.ratios) == (97, 7.5, {PYTHON: 0.09, "3.11": 0.25})
    measured.pop("OpenTelemetry")
    benchmark.keep({"celery": measured})
    assert read_costs()["celery"] == told
    with pytest.raises(SystemExit, match=r"click: measure it on Python 3\.13 first"):
        benchmark.keep({"click": measured})
