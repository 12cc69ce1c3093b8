"""Counts what the toolkit does on a package, for test_growth.py, which starts this as a program.

    python growth_work.py WHAT FOLDER

Work is the lines of the toolkit that are executed, and the searches over all objects of the
process. Neither depends on the machine. A process of its own has only the modules it needs.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import sys
import tracemalloc
from pathlib import Path

import ancestry_obs
import ancestry_obs.cli
import ancestry_obs.instrumentation

TOOLKIT = str(Path(ancestry_obs.__file__).parent)
SEARCHES = (gc.get_objects, gc.get_referrers)


class Work:
    """Counts while it is entered."""

    def __init__(self):
        self.lines = 0
        self.searches = 0

    def __enter__(self):
        self.before = sys.gettrace(), sys.getprofile()
        sys.setprofile(self.profile)
        sys.settrace(self.enter)
        return self

    def __exit__(self, *_):
        sys.settrace(self.before[0])
        sys.setprofile(self.before[1])

    def enter(self, frame, _event, _argument):
        return self.line if frame.f_code.co_filename.startswith(TOOLKIT) else None

    def line(self, _frame, event, _argument):
        self.lines += event == "line"
        return self.line

    def profile(self, _frame, event, argument):
        self.searches += event == "c_call" and any(argument is each for each in SEARCHES)


def import_all(folder):
    for path in sorted((folder / "grown").glob("part_*.py")):
        importlib.import_module(f"grown.{path.stem}")


def install(folder):
    settings = ancestry_obs.ObservabilitySettings(
        enable_prometheus_metrics=True, metrics_export_port=0
    )
    # With a registry of its own, nothing is served.
    registry = importlib.import_module("prometheus_client").CollectorRegistry()
    ancestry_obs.install(folder / "map.toml", settings=settings, registry=registry)


def check(folder):
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert ancestry_obs.cli.main(["check", str(folder / "map.toml")]) == 0, said.getvalue()


def reload(folder):
    ancestry_obs.reload(folder / "map.toml")


def reload_changed(folder):
    ancestry_obs.reload(folder / "changed.toml")


def status(_folder):
    return ancestry_obs.status()


def scrape(_folder):
    from ancestry_obs.collector import render

    return render(ancestry_obs.get_registry())


# What is done before, and the thing itself.
THINGS = {
    "import": ([install], import_all),
    "install": ([import_all], install),
    "check": ([], check),
    "status": ([import_all, install], status),
    "scrape": ([import_all, install], scrape),
    "reload": ([import_all, install], reload),
    "reload_changed": ([import_all, install], reload_changed),
}


def main(name, folder):
    sys.path.insert(0, str(folder))
    os.chdir(folder)
    before, thing = THINGS[name.removesuffix("_memory")]
    for each in before:
        each(folder)
    if name.endswith("_memory"):
        thing(folder)  # what is made once and for all belongs to no target
        gc.collect()
        tracemalloc.start()
        thing(folder)
        return {"memory": tracemalloc.get_traced_memory()[1]}
    with Work() as work:
        thing(folder)
    states = [each.state for each in ancestry_obs.status().targets]
    return {"lines": work.lines, "searches": work.searches, "states": states}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
    sys.stdout.flush()
    os._exit(0)
