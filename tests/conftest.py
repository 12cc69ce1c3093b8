"""What holds for every test: the plan's gate for tests that open the exporter's port."""

from __future__ import annotations

import os

import pytest

REASON = (
    "opens the exporter's port: set SKIP_LIVE_API_TESTS=false or PROMETHEUS_METRICS_ENABLED=true "
    "(nox and CI do)"
)


def pytest_collection_modifyitems(items):
    """Skip what is marked `live` unless the plan's switches let it run."""
    if _allowed():
        return
    for item in items:
        if item.get_closest_marker("live"):
            item.add_marker(pytest.mark.skip(reason=REASON))


def _allowed() -> bool:
    says_no_skip = os.environ.get("SKIP_LIVE_API_TESTS", "").lower() == "false"
    metrics_on = os.environ.get("PROMETHEUS_METRICS_ENABLED", "").lower() == "true"
    return says_no_skip or metrics_on
