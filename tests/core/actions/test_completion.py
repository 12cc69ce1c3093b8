from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_core.actions.completion import ActionRun, ActionSummary, Progress

RESULTS = st.sampled_from(["success", "failure", "skipped"])


@given(st.lists(st.tuples(RESULTS, st.integers(-2, 5))))
def test_every_completed_item_is_counted_once(items):
    seen = []
    with ActionRun("action7_inbox", seen.append) as run:
        for result, count in items:
            run.complete(result, count)
    for result in ("success", "failure", "skipped"):
        expected = sum(max(count, 0) for name, count in items if name == result)
        assert getattr(run.summary(), result) == expected
    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)


def test_progress_tells_done_and_total():
    seen = []
    with ActionRun("action6_gather", seen.append) as run:
        run.expect_more(3)
        run.complete("success", 2)
        run.expect_more(5)
    assert seen == [
        Progress("action6_gather", 0, 3),
        Progress("action6_gather", 2, 3),
        Progress("action6_gather", 2, 7),
    ]


def test_the_time_ends_with_the_block(clock):
    with ActionRun("action6_gather", clock=clock) as run:
        clock.advance(2.5)
    clock.advance(10)
    assert run.summary() == ActionSummary("action6_gather", 0, 0, 0, 2.5)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_run_that_breaks_off_is_summed_up_too(error):
    told = []

    def break_off():
        with ActionRun("action8_messaging", on_complete=told.append) as run:
            run.complete("success")
            raise error

    with pytest.raises(error):
        break_off()
    assert [(summary.success, summary.failure) for summary in told] == [(1, 0)]
