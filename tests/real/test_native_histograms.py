"""Native histograms as a real Prometheus stores them, and the quantiles that it has of them."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.real.programs.native import MAP, values

from ancestry_obs.mapfile.specs import NativeSpec
from ancestry_obs.monitoring import dashboard_questions
from ancestry_obs.recording import NativeHistogramSeries

pytestmark = [pytest.mark.real, pytest.mark.live]

NUMBER = 5000
QUANTILES = (0.5, 0.95, 0.99)
METRICS = ("exact_seconds", "beside_seconds", "few_seconds", "again_seconds")


class Program:
    """The program, the Prometheus that watches it, and what it has been told to observe."""

    def __init__(self, running, prometheus, real):
        self._running = running
        self._real = real
        self.prometheus = prometheus
        self.said = 0

    def say(self, line):
        self._running.say(line)
        self.said += 1
        self._real.wait_until(
            lambda: self._running.out.count("done") == self.said, f"the program to do {line}"
        )

    def counted(self, metric, kind, number):
        """Wait until Prometheus has as many observations."""
        query = f'histogram_count(app_{metric}{{kind="{kind}"}})'

        def seen():
            return [float(each["value"][1]) for each in self.prometheus.query(query)] == [number]

        self._real.wait_until(seen, lambda: f"{query}: {self.prometheus.query(query)}")

    def summed(self, metric, kind, total):
        """Wait until Prometheus has the sum of them."""
        query = f'histogram_sum(app_{metric}{{kind="{kind}"}})'

        def seen():
            found = self.prometheus.query(query)
            return bool(found) and math.isclose(float(found[0]["value"][1]), total)

        self._real.wait_until(seen, lambda: f"{query}: {self.prometheus.query(query)}")

    def quantile(self, metric, kind, share):
        query = f'histogram_quantile({share}, app_{metric}{{kind="{kind}"}})'
        return self.prometheus.number(query)


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """The folder with the dashboard and the rules that are made of the map."""
    folder = tmp_path_factory.mktemp("generated")
    for what, where in (("dashboards", folder), ("rules", folder / "rules.yml")):
        job = ("--job", "native") if what == "rules" else ()
        command = [sys.executable, "-m", "ancestry_obs", what, str(MAP), *job, "-o", str(where)]
        subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def program(real, start_prometheus, generated):
    path = Path(__file__).with_name("programs") / "native.py"
    running = real.start("native", [sys.executable, str(path), str(real.free_port())])
    address = running.wait_for(r"http://(127.0.0.1:\d+)/metrics")[1]
    scraped = {"job_name": "native", "static_configs": [{"targets": [address]}]}
    features = ("native-histograms,exemplar-storage",)
    config = {"scrape_configs": [scraped], "rule_files": [str(generated / "rules.yml")]}
    began = time.time()
    prometheus = start_prometheus(config, features=features)
    program = Program(running, prometheus, real)
    program.began = began
    yield program
    assert running.finish() == 0


def growth(schema):
    return 2.0**2.0**-schema


def assert_close(found, numbers, share, schema):
    """Prometheus knows the bucket of a value, which is as wide as the schema has it."""
    ordered = sorted(numbers)
    rank = share * len(ordered)
    # Between the two values next to the rank any is right.
    low, high = ordered[max(0, math.ceil(rank) - 2)], ordered[min(len(ordered) - 1, int(rank) + 1)]
    if low >= 0:
        assert low / growth(schema) <= found <= high * growth(schema)
    else:
        assert low * growth(schema) <= found <= max(high * growth(schema), high / growth(schema))


@pytest.mark.parametrize("kind", ["uniform", "lognormal", "two_peaks", "pareto", "negative"])
def test_quantiles_are_within_the_bound_of_the_schema(program, kind):
    program.say(f"exact_seconds {kind} {NUMBER} 1")
    program.counted("exact_seconds", kind, NUMBER)
    numbers = values(kind, NUMBER, 1)
    for share in QUANTILES:
        assert_close(program.quantile("exact_seconds", kind, share), numbers, share, 3)
    total = program.prometheus.number(f'histogram_sum(app_exact_seconds{{kind="{kind}"}})')
    assert total == pytest.approx(sum(numbers))


def test_no_panel_of_the_generated_dashboard_is_without_data(program, generated, real):
    dashboard = json.loads((generated / "native_overview.json").read_text())
    # What is about targets has no answer: the program has none.
    questions = [each for each in dashboard_questions(dashboard) if "app_" in each.expression]
    assert not any("_bucket" in each.expression for each in questions)

    def unanswered():
        # Asked for this moment alone: hundreds of moments of histograms take seconds.
        return [each for each in questions if not program.prometheus.query(each.expression)]

    def answered():
        for metric in METRICS:
            program.say(f"{metric} uniform 10 7")
            program.say(f"{metric} lognormal 10 7")
        return not unanswered()

    real.wait_until(answered, unanswered)


def test_the_generated_rules_have_results_and_the_objectives_are_right(program, real):
    def failing():
        for metric in METRICS:
            program.say(f"{metric} uniform 100 8")
            program.say(f"{metric} lognormal 300 8")
        return program.prometheus.failing_rules()

    real.wait_until(lambda: not failing(), failing)
    numbers = [*values("uniform", 100, 8), *values("lognormal", 300, 8)]
    slow = sum(value > 0.5 for value in numbers) / len(numbers)

    def close(name, expected):
        def is_close():
            program.say("exact_seconds uniform 100 8")
            program.say("exact_seconds lognormal 300 8")
            return abs(program.prometheus.number(name) - expected) < 0.05

        real.wait_until(is_close, lambda: f"{program.prometheus.query(name)}, not {expected}")

    close("job:app_exact_success_errors:ratio_rate5m", 0.75)
    close("job:app_exact_latency_errors:ratio_rate5m", slow)


def test_a_reload_keeps_them(program):
    program.say(f"exact_seconds narrow {NUMBER} 2")
    program.say("reload")
    program.say(f"exact_seconds narrow {NUMBER} 3")
    program.counted("exact_seconds", "narrow", 2 * NUMBER)
    numbers = [*values("narrow", NUMBER, 2), *values("narrow", NUMBER, 3)]
    for share in QUANTILES:
        assert_close(program.quantile("exact_seconds", "narrow", share), numbers, share, 3)


def test_a_reduction_of_the_resolution_keeps_them_as_well_as_it_can(program):
    for seed, kind in enumerate(("narrow", "lognormal", "pareto")):
        numbers = values(kind, NUMBER, seed)
        program.say(f"few_seconds {kind} {NUMBER} {seed} {kind}s")
        program.counted("few_seconds", f"{kind}s", NUMBER)
        alone = NativeHistogramSeries(NativeSpec(max_buckets=20))
        alone.put(alone.after(numbers)[0])
        assert (alone.buckets.schema < 3) == (kind != "narrow")
        for share in QUANTILES:
            found = program.quantile("few_seconds", f"{kind}s", share)
            assert_close(found, numbers, share, alone.buckets.schema)


def test_after_a_reset_they_are_of_what_came_then(program):
    program.say("again_seconds narrow 256 4 one")
    program.counted("again_seconds", "one", 256)
    # More buckets than there may be: it begins anew, and those of this chunk alone are reduced.
    program.say("again_seconds lognormal 256 5 one")
    numbers = values("lognormal", 256, 5)
    alone = NativeHistogramSeries(NativeSpec(max_buckets=20))
    alone.put(alone.after([*numbers])[0])
    program.summed("again_seconds", "one", sum(numbers))
    program.counted("again_seconds", "one", 256)
    for share in QUANTILES:
        found = program.quantile("again_seconds", "one", share)
        assert_close(found, numbers, share, alone.buckets.schema)


def test_classic_buckets_beside_them_are_scraped_where_native_ones_are_not_stored(
    program, start_prometheus, real
):
    program.say(f"beside_seconds uniform {NUMBER} 6 two")
    program.counted("beside_seconds", "two", NUMBER)
    program.say(f"exact_seconds pareto {NUMBER} 1 three")
    program.counted("exact_seconds", "three", NUMBER)
    address = re.search(r"http://(127.0.0.1:\d+)/metrics", program._running.out)[1]
    scraped = {"job_name": "classic", "static_configs": [{"targets": [address]}]}
    classic = start_prometheus({"scrape_configs": [scraped]})
    numbers = values("uniform", NUMBER, 6)

    def seen():
        return classic.numbers('app_beside_seconds_bucket{kind="two"}', "le")

    assert seen() == {
        le: sum(value <= float(le) for value in numbers) for le in ("0.1", "1.0", "10.0", "+Inf")
    }
    # What has no buckets of its own shows those that it implies, and nobody gets an empty one.
    implied = classic.numbers('app_exact_seconds_bucket{kind="three"}', "le")
    numbers = values("pareto", NUMBER, 1)
    assert len(implied) > 5
    assert implied == {le: sum(value <= float(le) for value in numbers) for le in implied}


def test_prometheus_has_no_series_of_buckets_for_them(program):
    assert program.prometheus.query("app_exact_seconds_bucket") == []
    assert program.prometheus.query("app_exact_seconds_count") == []
    types = {
        each["type"]
        for each in program.prometheus.ask("targets/metadata", metric="app_exact_seconds")
    }
    assert types == {"histogram"}
