"""Celery tasks: called, applied, delayed eagerly, and run by a worker with a broker in memory."""

from __future__ import annotations

import pytest

TASKS = """
    from celery import Celery, Task, chain, group, shared_task, signals

    SEEN = []
    queue = Celery(
        "app", broker="memory://", backend="cache+memory://", set_as_current=True,
    )
    queue.conf.update(
        task_store_eager_result=True, worker_hijack_root_logger=False,
        broker_transport_options={"polling_interval": 0.01},
    )

    class Noted(Task):
        def on_success(self, value, task_id, arguments, options):
            SEEN.append(("done", value))

    class Called(Task):
        def __call__(self, *arguments):
            return super().__call__(*arguments)

    @queue.task
    def add(x, y):
        return x + y

    @queue.task(bind=True, base=Noted)
    def bound(self, x):
        return [x, self.request.called_directly]

    @queue.task(bind=True, max_retries=3)
    def retried(self, x):
        if self.request.retries < 2:
            raise self.retry(countdown=0)
        return [x, self.request.retries]

    @shared_task(name="other.name")
    def shared(x):
        return x

    @queue.task(base=Called)
    def called(x):
        return x

    @queue.task(autoretry_for=(KeyError,), retry_kwargs={"max_retries": 1, "countdown": 0})
    def again(x):
        if len(SEEN) < 100 and ("again", x) not in SEEN:
            SEEN.append(("again", x))
            raise KeyError(x)
        return x

    @queue.task
    def fails(x):
        raise ValueError(x)

    @signals.task_prerun.connect
    def on_start(task=None, **rest):
        return None
"""
EAGER = """
    def main():
        queue.conf.task_always_eager = True
        results = [add(1, 2), add.delay(2, 3).get(), add.apply((3, 4)).get(), add.run(4, 5)]
        results += [add.apply_async((5, 6)).get(), add.s(6, 7)().real, add.s(7, 8).delay().get()]
        results += [bound(1), bound.delay(2).get()]
        results += [retried.apply((1,)).get(), shared.delay(1).get(), called.delay(1).get()]
        results += [again.delay(1).get(), fails.delay(1).state]
        results += [chain(add.s(1, 1), add.s(2)).delay().get()]
        results += [group(add.s(1, each) for each in range(2))().get()]
        return results
"""
WORKER = """
    from celery.contrib.testing.worker import start_worker

    def answer(result):
        return result.get(timeout=60, interval=0.01)

    def main():
        with start_worker(queue, pool="solo", perform_ping_check=False, loglevel="ERROR"):
            results = [answer(add.delay(1, each)) for each in range(3)]
            results += [answer(queue.send_task("app.add", (5, 5)))]
            results += [answer(bound.delay(2)), answer(shared.delay(1)), answer(called.delay(1))]
            results += [answer(chain(add.s(1, 1), add.s(2)).delay())]
            failed = fails.delay(1)
            failed.get(timeout=60, interval=0.01, propagate=False)
            results += [failed.state]
        return results
"""
TARGETS = {
    "app:add": (11, 6),
    "app:bound": (2, 1),
    "app:retried": (3, 0),
    "app:shared": (1, 1),
    "app:called": (1, 1),
    "app:again": (2, 0),
    "app:fails": (1, 1),
    "app:Called.__call__": (1, 1),
    "app:Noted.on_success": (1, 1),
}


def test_tasks_that_are_called_applied_and_delayed_eagerly(run_program):
    done = run_program(TASKS + EAGER, *TARGETS, "app:on_start")
    assert done.result == [
        3, 5, 7, 9, 11, 13, 15, [1, True], [2, False], [1, 2], 1, 1, 1, "FAILURE", 4, [1, 2],
    ]  # fmt: skip
    started = done.calls.pop("app:on_start", 0)
    assert done.calls == {target: eager for target, (eager, _) in TARGETS.items()}
    # All of the above but what is called directly: `add` three times, `bound` once.
    assert started == sum(TARGETS[each][0] for each in list(TARGETS)[:7]) - 4


def test_tasks_that_a_worker_runs(run_program):
    done = run_program(TASKS + WORKER, *TARGETS)
    assert done.result == [1, 2, 3, 10, [2, False], 1, 1, 4, "FAILURE"]
    assert done.calls == {target: worked for target, (_, worked) in TARGETS.items() if worked}


@pytest.mark.parametrize("at", [{}, {"at": "definition"}], ids=["default", "definition"])
def test_a_task_stays_the_task_that_it_is(run_program, at):
    program = TASKS + (
        """
    def main():
        same = queue.tasks["app.add"] is add._get_current_object()
        return [add(1, 2), type(add).__name__, add.name, same, add.__wrapped__(1, 1)]
"""
    )
    done = run_program(program, {"target": "app:add", **at})
    assert done.result == [3, "PromiseProxy", "app.add", True, 2]
    assert done.calls == {"app:add": 2}
