"""A pytest plugin: weave a package before anything imports it, and keep the outcome of every test.

    FOREIGN_SUITE=job.json PYTHONPATH=transparency/plugins pytest -p foreign_suite ...

The job says what to weave and where the report goes; `transparency.suites` writes the one and reads
the other. Without targets nothing is woven: that is the run that the others are compared with.

It may be imported before pytest, which is then not to complain (PYTEST_DONT_REWRITE).
"""

from __future__ import annotations

import json
import logging
import os
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import independent_count
import pytest

import ancestry_obs

if TYPE_CHECKING:
    from collections.abc import Iterator

_JOB: dict[str, Any] = json.loads(Path(os.environ["FOREIGN_SUITE"]).read_text("utf-8"))
_MAP = {
    "version": 1,
    "metrics": {
        "calls_total": {"type": "counter", "help": "Calls."},
        "call_seconds": {"type": "histogram", "help": "How long.", "buckets": [0.001, 0.1, 10]},
    },
    "instrument": [
        {
            "target": _JOB["targets"],
            "record": [{"metric": "calls_total"}, {"metric": "call_seconds"}],
        }
    ],
}


def _begin() -> independent_count.Starts | None:
    """Weave; at the import of this plugin, since pytest's own hooks come too late for some."""
    for name in _JOB["quiet"]:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if not _JOB["targets"]:
        return None
    settings = ancestry_obs.ObservabilitySettings(
        enable_prometheus_metrics=True, metrics_export_port=0, code_cache="off"
    )
    ancestry_obs.install(_MAP, settings=settings)
    return independent_count.Starts(_JOB["imports"]) if _JOB["count"] else None


_starts = _begin()
_outcomes: defaultdict[str, set[str]] = defaultdict(set)
_deselected: Counter[str] = Counter()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what `allowed.toml` gives a reason for, and tell how much each entry left out."""
    kept = []
    for item in items:
        entry = next((each for each in _JOB["deselect"] if _covers(each, item.nodeid)), None)
        if entry is None:
            kept.append(item)
        else:
            _deselected[entry] += 1
    if len(kept) < len(items):
        config.hook.pytest_deselected(items=[each for each in items if each not in kept])
        items[:] = kept


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import a whole file that is left out."""
    path = collection_path.relative_to(config.rootpath).as_posix()
    if path not in _JOB["deselect"]:
        return None
    _deselected[path] += 1
    return True


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Keep what could not be collected; a file that collects well shows by its tests."""
    if report.outcome != "passed":
        _outcomes[report.nodeid].add(f"collection {report.outcome}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep how a test ended, or how each part of it did where there are subtests."""
    if report.when == "call":
        _outcomes[report.nodeid].add(_outcome(report))
    elif report.outcome != "passed":
        failed = report.outcome == "failed"
        _outcomes[report.nodeid].add(f"{report.when} error" if failed else _outcome(report))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Write the report; a run that ends before it has none, which is a difference too."""
    if _starts is not None:
        _starts.settle()
    status = ancestry_obs.status().targets
    report = {
        "outcomes": {name: "+".join(sorted(each)) for name, each in _outcomes.items()},
        "deselected": _deselected,
        "targets": [[each.target, each.state, each.reason, each.calls] for each in status],
        "counts": [] if _starts is None else list(_counts(_starts, status)),
    }
    Path(_JOB["report"]).write_text(json.dumps(report), "utf-8")


def _covers(entry: str, nodeid: str) -> bool:
    """Tell whether an entry is this test, or the file, class or parametrised test it is in."""
    return nodeid == entry or nodeid.startswith(tuple(entry + end for end in ("::", "[", "/")))


def _outcome(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    return report.outcome


def _counts(
    starts: independent_count.Starts, status: tuple[ancestry_obs.TargetStatus, ...]
) -> Iterator[tuple[str, int, int | None]]:
    """Give each woven target's calls as the toolkit has them and as Python itself has them."""
    finished = starts.finished([each.target for each in status if each.state == "installed"])
    calls = {each.target: each.calls for each in status}
    return ((target, calls[target], count) for target, count in finished.items())
