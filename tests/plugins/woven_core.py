"""A pytest plugin: the platform's map is woven in before any test, and must have been used after.

    PYTHONPATH=tests/plugins pytest -p woven_core tests/core

The processes that tests start get their metrics from the environment: see the nox session
`instrumented`.
"""

from __future__ import annotations

import pytest

import ancestry_obs


def pytest_configure():
    settings = ancestry_obs.ObservabilitySettings(
        enable_prometheus_metrics=True, metrics_export_port=0
    )
    ancestry_obs.install("ancestry.toml", settings=settings)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    """Fail a run that measured nothing: it would show no more than the ordinary one."""
    status = ancestry_obs.status()
    unmeasured = [each.target for each in (*status.failed, *status.never_called)]
    unmeasured += [each.target for each in status.targets if each.state == "pending"]
    if unmeasured or not status.targets:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        session.config.stash[_UNMEASURED] = unmeasured


_UNMEASURED = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter, config):
    targets = ancestry_obs.status().targets
    calls = sum(each.calls for each in targets)
    terminalreporter.write_line(f"woven: {len(targets)} targets, {calls:,} calls measured")
    for target in config.stash.get(_UNMEASURED, ()):
        terminalreporter.write_line(f"not measured by any test: {target}", red=True)
