"""The promises of the design on the platform with its own map, one after the other.

What is tested elsewhere in depth is named in `ELSEWHERE`.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import pickle
import pkgutil
import random
import socket
import subprocess
import sys
import uuid
from operator import attrgetter
from pathlib import Path
from types import FunctionType

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

import ancestry_core
import ancestry_obs
from ancestry_obs.mapfile import load, worst_case_series

TESTS = Path(__file__).parents[1]
ELSEWHERE = {
    "untouched": ["core/test_untouched.py::test_no_module_but_the_entry_point_names_a_watcher"],
    "free when off": ["minimal/test_platform.py"],
    "never breaks the host": [
        "obs/compiler/test_transparency.py",
        "obs/patcher/test_transparency.py",
        "obs/test_install.py::test_a_failing_expression_costs_a_label_value_only",
        "obs/test_install.py::test_a_missing_target_is_a_state_and_a_log_line",
        "obs/test_install.py::test_a_taken_port_is_said_once_and_the_program_goes_on",
    ],
    "reversible": ["obs/patcher/test_restore.py"],
    "nothing silently unmeasured": ["obs/test_install.py::test_what_is_never_called_is_visible"],
    "cheap": ["../benchmarks/hot_path.py", "../benchmarks/scrape.py"],
    "bounded": ["obs/recording/test_limits.py"],
    "exact": ["obs/compiler/test_exactness.py", "obs/test_fork.py"],
}


@pytest.mark.parametrize("pointer", [each for some in ELSEWHERE.values() for each in some])
def test_what_is_tested_elsewhere_is_there(pointer):
    file, _, name = pointer.partition("::")
    tree = ast.parse((TESTS / file).read_text("utf-8"))
    assert not name or name in {each.name for each in tree.body if hasattr(each, "name")}


def modules():
    """Import every module of the platform."""
    found = pkgutil.walk_packages(ancestry_core.__path__, "ancestry_core.")
    return [importlib.import_module(each.name) for each in found if "__main__" not in each.name]


def targets() -> list[str]:
    """Give everything that the platform's map weaves."""
    spec = load("ancestry.toml")
    return [
        *dict.fromkeys(
            (
                *(target for each in spec.instruments for target in each.targets),
                *(each.initializer for each in spec.samples),
                *(each.target for each in spec.hooks),
            )
        )
    ]


def found(target: str) -> object:
    module, _, qualname = target.partition(":")
    return attrgetter(qualname)(importlib.import_module(module))


def environment(**variables: str) -> dict[str, str]:
    ours = ("METRICS_", "PROMETHEUS_METRICS", "INSTRUMENTATION_MAP", "ANCESTRY_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | variables


def run(folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def exposed() -> dict[str, list]:
    text = generate_latest(ancestry_obs.get_registry()).decode()
    return {each.name: each.samples for each in text_string_to_metric_families(text)}


@pytest.fixture
def woven(enabled):
    """Weave the platform's map into all of the platform."""
    modules()
    return ancestry_obs.install("ancestry.toml", settings=enabled)


class TestUntouched:
    def test_the_entry_point_alone_imports_the_toolkit_and_installs_once(self):
        importers, installs = set(), 0
        for path in Path(ancestry_core.__file__).parent.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    names = [each.name for each in node.names] + [getattr(node, "module", "") or ""]
                    if {name.partition(".")[0] for name in names} & WATCHERS:
                        importers.add(path.name)
                if isinstance(node, ast.Call):
                    installs += ast.unparse(node.func) == "ancestry_obs.install"
        assert (importers, installs) == ({"main.py"}, 1)


WATCHERS = {"ancestry_obs", "wrapt", "prometheus_client"}

WHOLE_RUN = """
import json, sys, threading
from operator import attrgetter
# Not even needed: an import of one of these fails.
sys.modules["wrapt"] = sys.modules["prometheus_client"] = None
import importlib
targets = json.loads(sys.argv.pop(1))
def found():
    pairs = (target.split(":") for target in targets)
    return [attrgetter(name)(importlib.import_module(module)) for module, name in pairs]
before = found()
from ancestry_core.main import main
assert main(["run", "--json", "--matches", "4", "--actions", "7,9,8"]) == 0
assert all(now is then for now, then in zip(found(), before, strict=True))
assert sys.modules["wrapt"] is sys.modules["prometheus_client"] is None
assert not [each for each in threading.enumerate() if "ancestry-obs" in each.name]
assert "socketserver" not in sys.modules or "ancestry_obs.metrics_exporter" not in sys.modules
"""


class TestFreeWhenOff:
    def test_a_whole_run_has_the_identical_objects_and_none_of_our_packages(self, tmp_path):
        done = run(tmp_path, "-c", WHOLE_RUN, json.dumps(targets()))
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["actions"]["action7_inbox"]["success"] > 0


# Wrong in every way that only shows when the program runs.
HOSTILE = """
version = 1
[functions]
missing = "no_such_module_x:f"
[metrics.a_total]
type = "counter"
help = "A."
labels.x = { max_values = 3 }
[metrics.b_seconds]
type = "histogram"
help = "B."
buckets = [1]
[metrics.c]
type = "gauge"
help = "C."
[metrics.d]
type = "gauge"
help = "D."
[[instrument]]
target = "ancestry_core.*:*"
record = [
  { metric = "a_total", labels = { x = "result.no_such_attribute" } },
  { metric = "b_seconds", value = "elapsed / 0" },
]
[[instrument]]
target = ["ancestry_core.api_manager:APIManager.no_such", "builtins:dict.get"]
record = [{ metric = "b_seconds" }]
[[instrument]]
target = "ancestry_core.rate_limiter:RateLimiter.wait"
record = [{ metric = "a_total", labels = { x = "missing(result)" } }]
[[sample]]
target = "ancestry_core.session_manager:SessionManager"
metric = "c"
value = "self.no_such_method()"
[[sample]]
target = "ancestry_core.performance_monitor:PerformanceMonitor"
metric = "d"
value = "missing(self.thread_count())"
[[hook]]
target = "ancestry_core.session_manager:SessionManager.ensure_session_ready"
before = "exporter.start"
"""


class TestNeverBreaksTheHost:
    def test_a_run_under_a_map_where_everything_fails_has_the_same_result(self, tmp_path):
        reports = []
        with socket.create_server(("127.0.0.1", 0)) as taken:
            settings = {
                "METRICS_EXPORT_PORT": str(taken.getsockname()[1]),
                "INSTRUMENTATION_MAP": str(tmp_path / "hostile.toml"),
                "METRICS_TEXTFILE": str(tmp_path / "hostile.prom"),
            }
            (tmp_path / "hostile.toml").write_text(HOSTILE)
            for name, variables in (
                ("off", {}),
                ("on", {"PROMETHEUS_METRICS_ENABLED": "true", **settings}),
            ):
                folder = tmp_path / name
                folder.mkdir()
                command = ("-m", "ancestry_core", "run", "--json", "--matches", "4")
                done = run(folder, *command, "--actions", "7,9,8", **variables)
                assert done.returncode == 0, done.stderr
                reports.append(timeless(json.loads(done.stdout)))
        assert reports[0] == reports[1]
        text = (tmp_path / "hostile.prom").read_text()
        assert 'ancestry_a_total{x="error"}' in text
        assert 'state="error",target="ancestry_core.rate_limiter:RateLimiter.wait"' in text

    def test_every_target_looks_as_it_did(self, enabled):
        modules()
        before = {target: portrait(found(target)) for target in targets()}
        ancestry_obs.install("ancestry.toml", settings=enabled)
        assert {target: portrait(found(target)) for target in targets()} == before


def timeless(report):
    """Leave out what two runs never have alike."""
    if isinstance(report, dict):
        return {name: timeless(each) for name, each in report.items() if name != "seconds"}
    return report


def portrait(function):
    pickled = pickle.loads(pickle.dumps(function))
    return (
        inspect.signature(function),
        function.__name__,
        function.__qualname__,
        function.__module__,
        function.__doc__,
        function.__defaults__,
        function.__kwdefaults__,
        function.__annotations__,
        inspect.iscoroutinefunction(function),
        inspect.isgeneratorfunction(function),
        pickled is function,
    )


# Classes that the map samples and that have no `__init__` in Python.
ADDED = {"PerformanceMonitor", "SessionManager"}


class TestReversible:
    def test_every_class_and_module_is_as_it_was(self, enabled):
        owners = {}
        for module in modules():
            owners[id(module)] = module
            kinds = [each for each in vars(module).values() if isinstance(each, type)]
            owners.update((id(each), each) for each in kinds)
        before = {key: list(vars(owner).items()) for key, owner in owners.items()}
        functions = [
            function
            for items in before.values()
            for _, value in items
            if isinstance(function := getattr(value, "__func__", value), FunctionType)
        ]
        codes = [function.__code__ for function in functions]
        assert len(before) > 150
        assert len(functions) > 600

        ancestry_obs.install("ancestry.toml", settings=enabled)
        pairs = list(zip(functions, codes, strict=True))
        woven = [each for each, code in pairs if each.__code__ is not code]
        assert len(woven) >= len(targets()) - len(ADDED)
        changed = [owners[key] for key, items in before.items() if not same(items, owners[key])]
        # What has no `__init__` in Python gets one, for its instances to be sampled.
        assert {each.__qualname__ for each in changed} <= ADDED
        ancestry_obs.uninstall()
        assert [owners[key] for key, items in before.items() if not same(items, owners[key])] == []
        assert all(each.__code__ is code for each, code in pairs)


def same(items, owner):
    """Whether a namespace has the same names in the same order for the very same objects."""
    now = list(vars(owner).items())
    return len(now) == len(items) and all(
        name == other and value is thing
        for (name, value), (other, thing) in zip(now, items, strict=True)
    )


class TestNothingSilentlyUnmeasured:
    def test_every_target_has_a_state_here_and_in_the_exposition(self, woven):
        states = {each.target: each.state for each in woven.status().targets}
        assert states == dict.fromkeys(targets(), "installed")
        info = {
            (each.labels["target"], each.labels["state"]): each.value
            for each in exposed()["ancestry_obs_target_info"]
        }
        assert info == {(target, "installed"): 1 for target in targets()}

    def test_what_was_never_called_is_told(self, woven):
        assert {each.target for each in woven.status().never_called} == set(targets())

    def test_a_renamed_method_of_the_platform_is_an_error(self, enabled, monkeypatch):
        from ancestry_core.rate_limiter import RateLimiter

        monkeypatch.setattr(RateLimiter, "pause", RateLimiter.wait, raising=False)
        monkeypatch.delattr(RateLimiter, "wait")
        ancestry_obs.install("ancestry.toml", settings=enabled)
        (failed,) = ancestry_obs.status().failed
        assert failed.target == "ancestry_core.rate_limiter:RateLimiter.wait"
        assert failed.reason.startswith("'ancestry_core.rate_limiter:RateLimiter' has no 'wait'")

    def test_all_eleven_metrics_are_declared_before_any_call(self, woven):
        metrics = {each.name for each in load("ancestry.toml").metrics}
        names = {name.removeprefix("shop_") for name in exposed()}
        assert len(metrics) == 11
        assert {name.removesuffix("_total") for name in metrics} <= names


REQUESTS = """
    def request(url, method, user):
        return url
"""
BOUNDED = {
    "version": 1,
    "metrics": {
        "latency_seconds": {
            "type": "histogram",
            "help": "L.",
            "buckets": [1],
            "labels": {"endpoint": {"max_values": 100}, "method": ["GET", "POST"]},
        },
        "requests_total": {"type": "counter", "help": "R.", "labels": {"user": {"max_values": 20}}},
    },
    "instrument": [
        {
            "target": "requested:request",
            "record": [
                {
                    "metric": "latency_seconds",
                    "labels": {"endpoint": "endpoint(url)", "method": "upper(method)"},
                },
                {"metric": "requests_total", "labels": {"user": "user"}},
            ],
        }
    ],
    # It serves nothing.
    "hook": [{"target": "requested:no_such", "after": "exporter.start"}],
}


class TestBounded:
    def test_series_and_memory_do_not_grow_with_a_hundred_thousand_labels(
        self, make_module, enabled
    ):
        make_module("requested", REQUESTS)
        module = importlib.import_module("requested")
        ancestry_obs.install(BOUNDED, settings=enabled)
        chance = random.Random(7)

        def ask(count):
            for _ in range(count):
                number = chance.getrandbits(128)
                word = "".join(chance.choices("abcdefghijklmnop", k=8))
                url = f"https://example.org/{word}/{uuid.UUID(int=number)}?q={number}"
                module.request(url, word, f"user {number}")

        ask(10_000)
        exposed()
        before, most_blocks = sys.getallocatedblocks(), 0
        for _ in range(9):
            ask(10_000)
            exposed()
            most_blocks = max(most_blocks, sys.getallocatedblocks())
        # What remembers recent labels fills up and empties; a series for each would be half a
        # million blocks. (tracemalloc says 1.6 MB at most, but takes ten times as long.)
        assert most_blocks - before < 40_000
        families = exposed()
        counts = [each for each in families["shop_latency_seconds"] if each.name.endswith("_count")]
        assert len(counts) <= 101 * 3
        assert sum(each.value for each in counts) == 100_000
        users = families["shop_requests"]
        assert len(users) == 21
        assert sum(each.value for each in users) == 100_000
        most = sum(worst_case_series(each) for each in load(BOUNDED).metrics)
        assert len(counts) + len(users) <= most

    def test_the_platforms_map_has_a_known_bound(self):
        assert sum(worst_case_series(each) for each in load("ancestry.toml").metrics) < 20_000


class TestExact:
    def test_a_million_calls_of_eight_threads_across_scrapes_and_reloads(
        self, make_module, enabled, workers
    ):
        make_module("requested", REQUESTS)
        module = importlib.import_module("requested")
        ancestry_obs.install(BOUNDED, settings=enabled)
        changed = json.loads(json.dumps(BOUNDED))
        changed["instrument"][0]["record"][1]["labels"]["user"] = "upper(user)"
        threads, pieces, calls = 8, 125, 1_000
        totals: list[float] = []

        def call(_):
            for _ in range(calls):
                module.request("/a", "GET", "me")

        def scrape(_):
            totals.append(sum(sample.value for sample in exposed()["shop_requests"]))

        turns = 0
        with (
            workers(scrape, threads=1) as scraper,
            workers(call, threads=threads, at_least=pieces) as callers,
        ):
            # However fast the calls are, they go on until enough has happened meanwhile.
            while turns < 4 or scraper.pieces < 4 or callers.at_their_share:
                ancestry_obs.reload(BOUNDED if turns % 2 else changed)
                callers.let_them_work()
                turns += 1
        made = callers.pieces * calls
        assert made >= 1_000_000
        assert totals == sorted(totals)
        families = exposed()
        assert sum(each.value for each in families["shop_requests"]) == made
        (count,) = [each for each in families["shop_latency_seconds"] if "_count" in each.name]
        assert count.value == made
