"""A whole run against the embedded service, in simulated time: everything that shall happen does.

Limiter, back-off, breaker, sessions and cache live on one clock that only their waiting moves, so
the run takes the seconds that its requests take, and is the same on a slow machine.
"""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from ancestry_core.circuit_breaker import BreakerState
from ancestry_core.database.models import DnaMatch
from ancestry_core.exceptions import DatabaseError
from ancestry_core.options import RunOptions
from ancestry_core.service import EmbeddedService, ServiceSettings
from ancestry_core.workflow import EMBEDDED_ENVIRONMENT, Workflow


class Notes:
    """A display that only remembers."""

    def __init__(self):
        self.lines = []
        self.progress = []
        self.summaries = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def watch(self, describe):
        self.describe = describe

    note = property(lambda self: self.lines.append)
    on_progress = property(lambda self: self.progress.append)
    on_complete = property(lambda self: self.summaries.append)


@pytest.fixture
def open_workflow(clock, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def make(display=None, environ=None, **options):
        environ = environ or {}
        return Workflow(
            RunOptions(**options), display or Notes(), environ, clock=clock, sleep=clock.sleep
        )

    return make


@pytest.fixture
def count_matches():
    def count(workflow):
        with workflow.session_manager.database.transaction() as session:
            return session.scalar(select(func.count()).select_from(DnaMatch))

    return count


def test_the_default_run_meets_every_outcome_within_a_minute(open_workflow, count_matches):
    states = []
    with open_workflow() as workflow:
        platform = workflow.session_manager
        platform.breaker.add_listener(lambda _, __, state: states.append(state))
        workflow.run()
        report = workflow.report()
        assert count_matches(workflow) == 115

    for summary in report.actions:
        assert min(summary.success, summary.failure, summary.skipped) > 0, summary
    assert [summary.action[6] for summary in report.actions] == ["6", "7", "9", "8"]
    # Requests: sent, repeated, given up (the failures above), answered from the cache.
    assert report.requests > 400
    assert report.retries > 10
    cache = platform.cache.statistics()
    assert min(cache.hits, cache.misses, cache.sets, cache.invalidations, cache.expiries) > 0
    assert report.cache_hits == cache.hits
    assert report.cache_lookups == cache.hits + cache.misses
    assert set(report.refreshes) == {"proactive", "api_forced", "browser_error"}
    assert set(states) == set(BreakerState)
    assert report.breaker_trips == states.count(BreakerState.OPEN) > 0
    assert platform.breaker.state is BreakerState.CLOSED
    assert any(seconds > 0 for seconds in platform.sleep.__self__.slept)
    # A minute, less what the processor takes.
    assert 10 < report.seconds < 50


def test_a_second_run_finds_everything_known_but_what_failed_or_came_late(open_workflow):
    with open_workflow(actions=(6,)) as first:
        first.run()
    with open_workflow(actions=(6,)) as second:
        second.run()
        (summary,) = second.report().actions
    assert summary.skipped >= 116
    assert summary.success <= 4


def test_each_seed_has_a_database_of_its_own(open_workflow, tmp_path):
    for seed in (7, 8):
        with open_workflow(seed=seed, matches=5, actions=(7,)) as workflow:
            workflow.run()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "ancestry-demo-7.db",
        "ancestry-demo-8.db",
    ]


def test_the_environment_beats_the_defaults_of_the_embedded_run(open_workflow, tmp_path):
    path = tmp_path / "mine.db"
    environ = {"ANCESTRY_ACTIONS_MAX_MESSAGES": "3", "ANCESTRY_DATABASE_PATH": str(path)}
    with open_workflow(matches=5, environ=environ) as workflow:
        settings = workflow.session_manager.settings
    assert settings.actions.max_messages == 3
    assert settings.database.path == path
    assert settings.limiter.requests_per_second == float(
        EMBEDDED_ENVIRONMENT["ANCESTRY_REQUESTS_PER_SECOND"]
    )


def test_a_service_that_runs_already_is_used_at_the_usual_pace(open_workflow, clock):
    with EmbeddedService(ServiceSettings(matches=5)) as service:
        environ = {
            "ANCESTRY_BASE_URL": service.base_url,
            "ANCESTRY_USERNAME": service.settings.username,
            "ANCESTRY_PASSWORD": service.settings.password,
        }
        display = Notes()
        with open_workflow(display, environ, actions=(6,)) as workflow:
            workflow.run()
            assert workflow.session_manager.settings.limiter.requests_per_second == 2
        assert service.record.sign_ins == 1
        assert display.lines == [f"Signed in at {service.base_url}; database ancestry.db"]
    assert [summary.success for summary in display.summaries] == [5]
    assert display.progress[-1].done == 5


def test_what_was_opened_is_closed_when_something_will_not_do(open_workflow, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("Dear diary, " * 100)
    with open_workflow(matches=5, database=path) as workflow, pytest.raises(DatabaseError):
        workflow.run()
    assert workflow.report().actions == ()
