"""Commands with children under `ancestry-obs run`: one page has every call once, and goes not back.

A real Prometheus scrapes the page while workers are replaced and one is killed with -9.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

COMMAND = Path(sys.executable).with_name("ancestry-obs")
PROGRAMS = Path(__file__).with_name("process_trees")
WAYS = ("fork", "spawn", "forkserver")
NUMBERS = 40

pytestmark = [pytest.mark.live]


@pytest.fixture
def folder(tmp_path):
    """The programs and their map."""
    shutil.copytree(PROGRAMS, tmp_path, dirs_exist_ok=True)
    return tmp_path


def environment(folder):
    return {
        **os.environ,
        "METRICS_EXPORT_PORT": "0",
        "METRICS_TEXTFILE": os.fspath(folder / "end.prom"),
    }


def works(text):
    """Give the counts of a page by kind and parity, and how many were timed."""
    counts, timed = {}, 0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "ancestry_works_total":
                counts[sample.labels["kind"], sample.labels["odd"]] = sample.value
            elif sample.name == "ancestry_work_seconds_count":
                timed += sample.value
    return counts, timed


@pytest.mark.parametrize("way", WAYS)
def test_every_call_of_a_pool_is_counted_once(folder, way):
    process = subprocess.Popen(
        [COMMAND, "run", "--map", "tree.toml", "--", "pools.py", way, str(NUMBERS)],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
    squares, nexts = sum(n * n for n in range(NUMBERS)), sum(range(1, NUMBERS + 1))
    assert (process.returncode, out) == (0, f"{squares} {nexts}\n" * 2), err
    # Two pools, and one call beside them: of zero, which is even.
    counts, timed = works((folder / "end.prom").read_text())
    assert counts == {
        ("imported", "0"): NUMBERS + 1,
        ("imported", "1"): NUMBERS,
        ("main", "0"): NUMBERS + 1,
        ("main", "1"): NUMBERS,
    }
    assert timed == 2 * NUMBERS + 1
    assert "Traceback" not in err
    # That target is in the other program.
    assert err.count("not measured") == 1
    assert "not measured: replaced:own_work" in err
    # The folder of the run has gone with it.
    assert not list(Path(tempfile.gettempdir()).glob(f"ancestry-obs-run-{process.pid}-*"))


@pytest.fixture
def scraped(real, start_prometheus, folder):
    """Start a program under the launcher, and a Prometheus that scrapes it."""

    def start(way):
        command = [COMMAND, "run", "--map", "tree.toml", "--port", str(real.free_port())]
        command += ["--", "replaced.py", way]
        program = real.start(f"replaced-{way}", command, folder, environment(folder))
        url = program.wait_for(r"metrics are served at (\S+)")[1]
        address = url.removeprefix("http://").removesuffix("/metrics")
        jobs = [{"job_name": "tree", "static_configs": [{"targets": [address]}]}]
        return SimpleNamespace(
            program=program, prometheus=start_prometheus({"scrape_configs": jobs})
        )

    return start


def _decreases(series):
    values = [float(text) for _, text in series["values"]]
    return [pair for pair in pairwise(values) if pair[1] < pair[0]]


@pytest.mark.real
@pytest.mark.parametrize("way", WAYS)
def test_no_series_goes_back_while_workers_are_replaced_and_killed(scraped, real, way):
    tree = scraped(way)
    expected = 0

    def total():
        found = tree.prometheus.query("sum(ancestry_works_total)")
        return int(float(found[0]["value"][1])) if found else 0

    def see(number):
        real.wait_until(
            lambda: total() == number, lambda: f"{number}, not {total()}; {tree.program.err}"
        )

    def say(line, answer, times):
        tree.program.say(line)
        real.wait_until(
            lambda: tree.program.out.split().count(answer) == times,
            lambda: f"{answer}: {tree.program.err}",
        )

    for turn in range(1, 4):
        say("20", "ready", 2 * turn - 1)
        expected += 40
        say("kill", "lingers", turn)
        # The worker lives, and hands over within a second what it has done.
        expected += 10
        see(expected)
        say("now", "ready", 2 * turn)
    say("10", "ready", 7)
    expected += 20
    see(expected)
    # Raw samples, as they are stored.
    for name in (
        "ancestry_works_total",
        "ancestry_work_seconds_bucket",
        "ancestry_obs_calls_total",
    ):
        stored = tree.prometheus.query(f"{name}[10m]")
        assert stored
        assert [each["metric"] for each in stored if _decreases(each)] == []
    sums = tree.prometheus.query('{__name__=~"ancestry_work_seconds_(sum|count)"}[10m]')
    assert [each["metric"] for each in sums if _decreases(each)] == []
    assert tree.program.finish() == 0
    counts, timed = works((tree.program.folder / "end.prom").read_text())
    assert sum(counts.values()) == expected
    assert timed == 70
