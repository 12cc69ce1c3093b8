"""What the tests of a run's processes share."""

from __future__ import annotations

import pytest

from ancestry_obs.process_tree.run_folder import create
from ancestry_obs.process_tree.totals import Totals

COUNTER = ("shop_calls_total", "counter", ("x",), ())


@pytest.fixture
def counted():
    """Makes totals that say how often something was called, by its label."""

    def make(_limit=100, **calls):
        rows = {(label,): (count,) for label, count in calls.items()}
        return Totals(metrics={COUNTER: rows}, limits={COUNTER: (_limit,)})

    return make


@pytest.fixture
def calls():
    """Reads the same back."""

    def read(totals):
        return {label: count for (label,), (count,) in totals.metrics.get(COUNTER, {}).items()}

    return read


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Let the folders of runs be made in a folder of the test's own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def folder(temporary):
    """Give the folder of a run that this process has begun."""
    return create("what is measured")
