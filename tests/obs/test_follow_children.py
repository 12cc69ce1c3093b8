"""`install()` with METRICS_FOLLOW_CHILDREN: the program's children are on its page."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.live

WORK = "def work(number):\n    return number + 1\n"
MAP = """\
version = 1
[metrics.works_total]
type = "counter"
help = "Pieces of work."
[[instrument]]
target = "work:work"
record = [{ metric = "works_total" }]
"""
PROGRAM = """\
import json, multiprocessing, os, subprocess, sys
import ancestry_obs

if __name__ == "__main__":
    before = dict(os.environ)
    ancestry_obs.install({source})
    import work

    work.work(1)
    for way in ("fork", "spawn"):
        with multiprocessing.get_context(way).Pool(2) as pool:
            pool.map(work.work, range(10))
    subprocess.run([sys.executable, "-c", "import work; work.work(1)"], check=True)
    (target,) = ancestry_obs.status().targets
    run = os.environ.get("ANCESTRY_OBS_RUN", "")
    there = os.path.isdir(run)
    ancestry_obs.uninstall()
    same = dict(os.environ) == before
    print(json.dumps([target.calls, there, same, os.path.isdir(run)]))
"""


@pytest.fixture
def program(tmp_path):
    (tmp_path / "work.py").write_text(WORK)
    (tmp_path / "my.toml").write_text(MAP)

    def run(source, **settings):
        (tmp_path / "program.py").write_text(PROGRAM.format(source=source))
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "program.py"],
            cwd=tmp_path,
            env={
                **os.environ,
                "PROMETHEUS_METRICS_ENABLED": "true",
                "METRICS_EXPORT_PORT": "0",
                **settings,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    return run


@pytest.mark.parametrize(
    "source", ["'my.toml'", "__import__('tomllib').load(open('my.toml', 'rb'))"]
)
@pytest.mark.parametrize("path", [None, "/nonexistent"])
def test_children_are_measured_as_long_as_it_is_installed(program, source, path):
    there = {} if path is None else {"PYTHONPATH": path}
    calls = program(source, METRICS_FOLLOW_CHILDREN="true", **there)
    assert calls == [1 + 10 + 10 + 1, True, True, False]


def test_without_it_there_is_no_run(program):
    assert program("'my.toml'") == [1, False, True, False]


def test_where_each_process_is_discovered_there_is_none(program):
    settings = {"METRICS_FOLLOW_CHILDREN": "true", "METRICS_FILE_SD": "workers.json"}
    assert program("'my.toml'", **settings) == [1, False, True, False]


RELOADING = """\
import os, subprocess, sys
import ancestry_obs, ancestry_obs.lifecycle as lifecycle

def changed():
    text = open("{folder}/inner.toml").read()
    with open("{folder}/inner.toml", "w") as file:
        file.write(text.replace("works_total", sys.argv[1]))

if sys.argv[2:]:
    ancestry_obs.install("my.toml")
    words = (sys.executable, __file__, "more_total")
    subprocess.run(words, check=True, cwd="/")
else:
    watch = lifecycle._current.watch
    changed()
    watch.look()
    watch.look()
    print(lifecycle._current.instrumentation._spec.metrics[0].name, flush=True)
    # Whether a thread is there that looks by itself.
    print(watch._repeater._going.locked(), flush=True)
"""


def test_a_child_reads_the_included_file_again(tmp_path):
    (tmp_path / "work.py").write_text(WORK)
    (tmp_path / "inner.toml").write_text(MAP)
    (tmp_path / "my.toml").write_text('version = 1\ninclude = ["inner.toml"]\n')
    (tmp_path / "program.py").write_text(RELOADING.format(folder=tmp_path))
    settings = {
        "PROMETHEUS_METRICS_ENABLED": "true",
        "METRICS_EXPORT_PORT": "0",
        "METRICS_FOLLOW_CHILDREN": "true",
        "METRICS_MAP_WATCH": "true",
    }
    done = subprocess.run(
        [sys.executable, str(tmp_path / "program.py"), "more_total", "begin"],
        cwd=tmp_path,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "more_total\nTrue\n", done.stderr


EXEMPLARY = """\
import os, subprocess, sys
import ancestry_obs
from ancestry_obs.collector.exposition import render

if __name__ == "__main__":
    ancestry_obs.install("my.toml")
    import work

    work.work(1)
    for number in (2, 3):
        line = f"import work; work.work({number})"
        subprocess.run([sys.executable, "-c", line], check=True)
    page = render(ancestry_obs.get_registry(), "application/openmetrics-text; version=1.0.0")[0]
    print(*(line for line in page.decode().splitlines() if " # {" in line), sep="\\n")
"""


def test_the_page_has_the_newest_exemplar_of_all_processes(tmp_path):
    (tmp_path / "work.py").write_text(WORK)
    record = '"works_total", exemplar = { number = "number" }'
    (tmp_path / "my.toml").write_text(MAP.replace('"works_total"', record))
    (tmp_path / "program.py").write_text(EXEMPLARY)
    settings = {
        "PROMETHEUS_METRICS_ENABLED": "true",
        "METRICS_EXPORT_PORT": "0",
        "METRICS_FOLLOW_CHILDREN": "true",
    }
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    (line,) = done.stdout.splitlines()
    assert line.startswith('ancestry_works_total 3.0 # {number="3"} 1.0 '), done.stderr
