"""What holds for every test: the plan's gate for tests that open the exporter's port.

And what tests of woven programs share: a map that counts, and a program that runs by itself.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from textwrap import dedent

import pytest

REASON = (
    "opens the exporter's port: set SKIP_LIVE_API_TESTS=false or PROMETHEUS_METRICS_ENABLED=true "
    "(nox and CI do)"
)


# Woven code is kept in the user's cache folder. Tests have one of their own, and so have the
# programs that they start.
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="ancestry-obs-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)


def pytest_itemcollected(item):
    """Keep together what is costly to start: one of several processes starts the programs.

    Before the list of tests is complete: pytest-xdist reads the groups as soon as that is so.
    """
    if item.get_closest_marker("real"):
        shared = "default_run" in item.fixturenames
        item.add_marker(pytest.mark.xdist_group("default_run" if shared else item.path.name))


def pytest_collection_modifyitems(items):
    """Skip `live` unless the plan's switches let it run."""
    if _allowed():
        return
    for item in items:
        if item.get_closest_marker("live"):
            item.add_marker(pytest.mark.skip(reason=REASON))


def _allowed() -> bool:
    says_no_skip = os.environ.get("SKIP_LIVE_API_TESTS", "").lower() == "false"
    metrics_on = os.environ.get("PROMETHEUS_METRICS_ENABLED", "").lower() == "true"
    return says_no_skip or metrics_on


@pytest.fixture(scope="session", autouse=True)
def _own_caches(tmp_path_factory):
    """Keep what commands put into the user's cache folder out of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("caches")))
        yield


# Runs `main()` of a program's module `app`, and at the very end writes what was counted.
START = """
import atexit
import importlib
import json
import sys

plan = json.loads(sys.argv[1])
answer = {"result": None, "page": "", "targets": []}


def report():
    if plan["map"] is not None:
        from prometheus_client import generate_latest
        answer["page"] = generate_latest(ancestry_obs.get_registry()).decode()
        answer["targets"] = [
            [each.target, each.state, each.reason] for each in ancestry_obs.status().targets
        ]
    with open(plan["answer"], "w") as file:
        json.dump(answer, file)


# The first that is registered is the last that runs: what the program does at its end counts too.
atexit.register(report)


def install():
    settings = ancestry_obs.ObservabilitySettings(
        enable_prometheus_metrics=True, metrics_export_port=0, metrics_namespace="shop"
    )
    ancestry_obs.install(plan["map"], settings=settings)


if plan["map"] is not None:
    import ancestry_obs
if plan["order"] == "map first":
    install()
app = importlib.import_module("app")
if plan["order"] == "module first":
    install()
answer["result"] = app.main()
"""


@dataclass
class Outcome:
    """What a program gave, and what the toolkit says about it.

    Args:
        result: what `main()` returned, as JSON keeps it.
        calls: by the target as the map writes it, what was counted; without those of no call.
        states: state and reason by target, as `status()` has them.
        output: what the program wrote to standard output.
    """

    result: object = None
    calls: dict[str, int] = field(default_factory=dict)
    states: dict[str, tuple[str, str]] = field(default_factory=dict)
    output: str = ""


@pytest.fixture(params=["map first", "module first"])
def order(request):
    """Whether the map is installed before the program's modules are imported, or after."""
    return request.param


@pytest.fixture(scope="session")
def counting_map():
    """Makes a map that times all calls, and counts those of each target in a series of its own."""

    def make(*wanted: str | dict[str, object]) -> dict[str, object]:
        instruments = [{"target": each} if isinstance(each, str) else each for each in wanted]
        names = [_name(each["target"]) for each in instruments]
        labels = {"target": [*dict.fromkeys(names)]}
        metrics = {
            "calls_total": {"type": "counter", "help": "Calls.", "labels": labels},
            "call_seconds": {"type": "histogram", "help": "How long.", "buckets": [1]},
        }
        return {
            "version": 1,
            "metrics": metrics,
            "instrument": [
                {
                    **each,
                    "record": [
                        {"metric": "calls_total", "labels": {"target": repr(name)}},
                        {"metric": "call_seconds"},
                    ],
                }
                for each, name in zip(instruments, names, strict=True)
            ],
        }

    return make


@pytest.fixture(scope="session")
def counted():
    """Reads what a map of `counting_map` has counted off the page that Prometheus scrapes."""

    def read(page: str) -> dict[str, int]:
        from prometheus_client.parser import text_string_to_metric_families

        return {
            sample.labels["target"]: int(sample.value)
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == "shop_calls_total" and sample.value
        }

    return read


@pytest.fixture
def run_bare(tmp_path, counting_map, counted):
    """Runs a program in a process of its own: its module `app`, and others by their names.

    Without an order no map is installed, and the process does not know the toolkit.
    """

    def run(app: str, *wanted, order=None, files=(), environment=(), options=()) -> Outcome:
        sources = {"app": app, "start": START, **dict(files)}
        for name, source in sources.items():
            path = tmp_path / (name if "." in name else f"{name}.py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(source))
        answer = tmp_path / "answer.json"
        plan = {
            "order": order,
            "map": counting_map(*wanted) if order else None,
            "answer": str(answer),
        }
        done = subprocess.run(
            [sys.executable, *options, "start.py", json.dumps(plan)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **dict(environment)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        told = json.loads(answer.read_text())
        return Outcome(
            result=told["result"],
            calls=counted(told["page"]),
            states={target: (state, reason) for target, state, reason in told["targets"]},
            output=done.stdout,
        )

    return run


@pytest.fixture
def run_program(run_bare, order):
    """Runs a program under a map, in either order; every target has to be installed."""

    def run(app: str, *wanted, **more) -> Outcome:
        done = run_bare(app, *wanted, order=order, **more)
        assert {each: said for each, said in done.states.items() if said[0] != "installed"} == {}
        return done

    return run


def _name(target: str | list[str]) -> str:
    return target if isinstance(target, str) else " ".join(target)
