"""The pack of Celery beside the events that workers send, with a real broker and real workers."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.live, pytest.mark.real]

PROCESSED = "messaging_process_duration_seconds_count"
SENT = "messaging_client_sent_messages_total"
PUBLISHED = "messaging_client_operation_duration_seconds_count"
RECEIVED = "messaging_client_consumed_messages_total"
ABORTED = "celery_tasks_aborted_total"

JOBS = """
    import os, signal, time
    from celery import Celery
    from celery.exceptions import Ignore, Reject

    PORT = os.environ["PORT"]
    app = Celery(
        "jobs", broker=f"redis://127.0.0.1:{PORT}/1", backend=f"redis://127.0.0.1:{PORT}/2"
    )
    app.conf.update(
        task_send_sent_event=True, worker_send_task_events=True, worker_enable_remote_control=False,
        broker_connection_retry_on_startup=True, task_default_queue="default",
        task_routes={"jobs.elsewhere": {"queue": "other"}}, worker_prefetch_multiplier=1,
    )

    @app.task
    def add(x, y):
        return x + y

    @app.task
    def elsewhere():
        return "there"

    @app.task
    def fails():
        raise ValueError("no")

    @app.task(bind=True, max_retries=2)
    def tries(self):
        try:
            raise KeyError("not yet")
        except KeyError as error:
            if self.request.retries < 2:
                raise self.retry(exc=error, countdown=0)
        return self.request.retries

    @app.task
    def ignores():
        raise Ignore()

    @app.task(acks_late=True)
    def rejects():
        raise Reject("no", requeue=False)

    @app.task(soft_time_limit=1)
    def overruns():
        while True:
            time.sleep(0.01)

    @app.task(time_limit=1)
    def hangs():
        while True:
            time.sleep(0.01)

    @app.task
    def dies():
        os.kill(os.getpid(), signal.SIGKILL)
"""
DRIVE = """
    import atexit, json, os, subprocess, sys, threading, time
    from collections import Counter
    from celery import chain, chord, group
    from jobs import add, app, dies, elsewhere, fails, hangs, ignores, overruns, rejects, tries

    EVENTS, NAMES = Counter(), {}

    def note(event):
        if "name" in event:
            NAMES[event["uuid"]] = event["name"]
        EVENTS[event["type"], event.get("uuid")] += 1

    def watch():
        with app.connection_for_read() as connection:
            receiver = app.events.Receiver(connection, handlers={"*": note})
            receiver.capture(limit=None, timeout=None, wakeup=False)

    def until(look, what):
        deadline = time.monotonic() + 50
        while not look():
            assert time.monotonic() < deadline, (what, EVENTS)
            time.sleep(0.02)

    def seen(kind):
        return sum(count for (each, _), count in EVENTS.items() if each == kind)

    threading.Thread(target=watch, daemon=True).start()
    pool, *more = sys.argv[1:]
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "jobs", "worker", "-P", pool, "-c", "2", "-E",
         "-Q", "default,other", "--without-gossip", "--without-mingle", "-l", "WARNING"],
        stdout=sys.stderr,
    )
    atexit.register(worker.kill)
    until(lambda: seen("worker-online") or seen("worker-heartbeat"), "a worker")
"""
ORDINARY = """
    answers = [add.delay(1, each) for each in range(5)] + [elsewhere.delay(), tries.delay()]
    answers += [chain(add.s(1, 1), add.s(2))(), group(add.s(1, n) for n in range(3))()]
    answers += [chord([add.s(1, 1), add.s(2, 2)])(elsewhere.si())]
    for answer in answers:
        answer.get(timeout=50)
    fails.delay().get(timeout=50, propagate=False)
    if "soft" in more:
        overruns.delay().get(timeout=50, propagate=False)
    ignores.delay()
    rejects.delay()
    add.apply_async((1, 1), expires=-1)
    until(lambda: seen("task-revoked"), "the task that had expired")
    until(lambda: seen("task-received") == seen("task-sent") - 1, "all others")
    until(lambda: pool == "threads" or seen("task-rejected"), "the task that is rejected")
"""
ABORTING = """
    for each in (hangs, dies):
        each.delay().get(timeout=50, propagate=False)
    until(lambda: seen("task-failed") == 2, "failures")
"""
END = """
    worker.terminate()
    worker.wait(50)
    print(json.dumps([
        [kind, NAMES[uuid].removeprefix("jobs."), count]
        for (kind, uuid), count in EVENTS.items() if uuid
    ]))
"""
EAGER = """
    import json
    from jobs import add, app, fails, tries

    app.conf.task_always_eager = True
    print(json.dumps([add.delay(1, 2).get(), tries.delay().get(), fails.delay().state]))
"""
NO_BROKER = """
    import json, os
    from celery import Celery

    lost = Celery("lost", broker=f"redis://127.0.0.1:{os.environ['CLOSED']}/0")

    @lost.task(ignore_result=True)
    def add(x, y):
        return x + y

    try:
        add.apply_async((1, 2), retry=False)
    except Exception as error:
        print(json.dumps(type(error).__name__))
"""


@pytest.fixture
def celery(run_with, redis_port):
    """Runs a program beside which the module `jobs` lies; the broker is emptied before."""

    def run(*sources, words=()):
        import redis

        with redis.Redis(port=redis_port) as client:
            client.flushall()
        files = {"jobs.py": JOBS}
        environment = {"PORT": str(redis_port)}
        return run_with("celery", "".join(sources), *words, files=files, environment=environment)

    return run


def happened(events, kind):
    """Add up the events of a kind by the name of their task."""
    found = {}
    for each, name, count in events:
        if each == f"task-{kind}":
            found[name] = found.get(name, 0) + count
    return found


def counted(page, metric, **where):
    found = page.count(metric, "celery_task_name", **where)
    return {name.removeprefix("jobs."): count for name, count in found.items()}


@pytest.mark.parametrize("words", [("prefork", "soft"), ("solo",), ("threads",)], ids=" ".join)
def test_tasks_are_those_that_the_events_tell_of(celery, words):
    events, page = celery(DRIVE, ORDINARY, END, words=words)
    assert counted(page, SENT) == counted(page, PUBLISHED) == happened(events, "sent")
    # The task that had expired has no event of being received.
    received = happened(events, "received")
    assert counted(page, RECEIVED) == {**received, "add": received["add"] + 1}
    assert counted(page, PROCESSED) == received
    soft = "soft" in words
    states = {
        "succeeded": {"add": 12, "elsewhere": 2, "tries": 1},
        "retried": {"tries": 2},
        "rejected": {"rejects": 1},
        "failed": {"fails": 1, **({"overruns": 1} if soft else {})},
    }
    # Threads of older releases lose events of what they ran. Newer releases tell a rejection as a
    # failure, too.
    if "threads" not in words:
        told = {state: happened(events, state) for state in states}
        told["failed"].pop("rejects", None)
        assert told == states
    assert counted(page, PROCESSED, celery_state="SUCCESS") == states["succeeded"]
    assert counted(page, PROCESSED, celery_state="RETRY") == states["retried"]
    assert counted(page, PROCESSED, celery_state="IGNORED") == {"ignores": 1}
    assert counted(page, PROCESSED, celery_state="REJECTED") == states["rejected"]
    assert counted(page, PROCESSED, celery_state="FAILURE") == states["failed"]
    errors = {"ValueError": 1, **({"billiard.exceptions.SoftTimeLimitExceeded": 1} if soft else {})}
    assert page.count(PROCESSED, "error_type", celery_state="FAILURE") == errors
    assert page.count(PROCESSED, "error_type", celery_state="RETRY") == {"KeyError": 2}
    assert page.count(ABORTED, "celery_task_name", "celery_reason") == {("jobs.add", "expired"): 1}
    elsewhere = page.count(PROCESSED, "celery_task_name", messaging_destination_name="other")
    assert elsewhere == {"jobs.elsewhere": 2}


def test_tasks_that_are_killed_are_counted_by_the_main_process(celery):
    events, page = celery(DRIVE, ABORTING, END, words=("prefork",))
    aborted = page.count(ABORTED, "celery_task_name", "celery_reason")
    assert aborted == {("jobs.hangs", "time_limit"): 1, ("jobs.dies", "worker_lost"): 1}
    assert counted(page, RECEIVED) == happened(events, "received") == {"hangs": 1, "dies": 1}
    assert counted(page, PROCESSED) == {}


def test_eager_tasks(celery):
    answers, page = celery(EAGER)
    assert answers == [3, 2, "FAILURE"]
    assert page.count(PROCESSED, "celery_task_name", "celery_state") == {
        ("jobs.add", "SUCCESS"): 1,
        ("jobs.tries", "RETRY"): 2,
        ("jobs.tries", "SUCCESS"): 1,
        ("jobs.fails", "FAILURE"): 1,
    }


def test_a_task_that_cannot_be_handed_over(run_with, closed_port):
    failure, page = run_with("celery", NO_BROKER, environment={"CLOSED": str(closed_port)})
    assert failure == "OperationalError"
    for metric in (SENT, PUBLISHED):
        found = page.count(metric, "celery_task_name", "messaging_destination_name", "error_type")
        assert found == {("lost.add", "celery", "kombu.exceptions.OperationalError"): 1}
