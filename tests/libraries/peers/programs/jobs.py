"""A worker of Celery, an application of Starlette and a client of urllib3, until told to end."""

import contextlib
import os
import select
import sys

import urllib3
from celery import Celery
from celery.contrib.testing.worker import start_worker
from kombu.exceptions import OperationalError
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

app = Celery("jobs", broker="memory://", backend="cache+memory://")
app.conf.update(worker_hijack_root_logger=False, worker_enable_remote_control=False)
lost = Celery("lost", broker=f"redis://127.0.0.1:{os.environ['CLOSED']}/0", set_as_current=False)


@app.task(name="jobs.add")
def add(x, y):
    return x + y


@app.task(name="jobs.fails")
def fails():
    raise ValueError("no")


@app.task(name="jobs.tries", bind=True, max_retries=1, default_retry_delay=0)
def tries(self):
    if not self.request.retries:
        raise self.retry(countdown=0)


def work():
    add.delay(1, 1)
    add.apply_async((1, 1), expires=-1)
    fails.delay()
    tries.delay()
    with contextlib.suppress(OperationalError):
        lost.send_task("jobs.add", (1, 1), retry=False, ignore_result=True)


async def tea(request):
    return PlainTextResponse("tea")


async def broken(request):
    raise RuntimeError("no")


client = TestClient(
    Starlette(routes=[Route("/tea/{cup}", tea), Route("/broken", broken)]),
    raise_server_exceptions=False,
)
pool = urllib3.PoolManager()


def ask():
    for path in ("/tea/1", "/tea/2", "/broken", "/nothing"):
        client.get(path)
    with contextlib.suppress(urllib3.exceptions.HTTPError):
        pool.request("GET", f"http://127.0.0.1:{os.environ['CLOSED']}/", retries=False)
    pool.request("GET", f"http://127.0.0.1:{os.environ['S3']}/shelf")


with start_worker(app, pool="solo", concurrency=1, perform_ping_check=False):
    sys.stdout.write("open\n")
    sys.stdout.flush()
    while not select.select([sys.stdin], [], [], 0.1)[0]:
        work()
        ask()
