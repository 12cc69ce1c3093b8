"""The commands of docs/deployment.md, run word for word: what is asked is on one page, once.

Only the ports are others. The requests that were sent are what the page is compared with, and at
the end the textfile, which is written when every process is gone.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copytree

import pytest
from celery import Celery
from prometheus_client.parser import text_string_to_metric_families
from tests.ports import free_port

DOCS = Path(__file__).parents[2] / "docs"
PROGRAMS = Path(sys.executable).parent
ITEMS = ("tea", "coffee", "milk", "tea")
SECONDS = 60
ROUND = 40
AT_ONCE = 4

pytestmark = pytest.mark.live


def until(look, what):
    """Look again until there is something to see."""
    deadline = time.monotonic() + SECONDS
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"never came: {what() if callable(what) else what}")
        time.sleep(0.05)


def fetch(url):
    with urllib.request.urlopen(url, timeout=SECONDS) as answer:
        return answer.read().decode()


def on_the_page(text):
    """Give what a page says of the orders, as the test counts them, and of their target."""
    orders, calls, timed, states = Counter(), Counter(), 0, {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels, value = sample.labels, int(sample.value)
            if sample.name == "shop_orders_total":
                orders[labels["item"], labels["outcome"]] += value
            elif sample.name == "shop_order_seconds_count":
                timed += value
            elif sample.name == "ancestry_obs_calls_total":
                calls[labels["target"]] += value
            elif sample.name == "ancestry_obs_target_info":
                states[labels["target"]] = labels["state"]
    return {"orders": +orders, "calls": calls, "timed": timed, "states": states}


class Deployment:
    """A program in a folder of its own, started by a command of the page."""

    target = "app:order"

    def __init__(self, program, folder):
        self.folder = folder
        copytree(DOCS / "deployment" / program, folder, dirs_exist_ok=True)
        self.port, self.metrics = free_port(), free_port()
        self.sent = Counter()
        self.environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("METRICS_")},
            "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "METRICS_EXPORT_PORT": str(self.metrics),
            "METRICS_TEXTFILE": os.fspath(folder / "end.prom"),
            # gunicorn keeps a control socket at home.
            "HOME": os.fspath(folder),
        }

    def start(self, command):
        words = shlex.split(command.replace("8000", str(self.port)))
        while "=" in words[0]:
            name, _, text = words.pop(0).partition("=")
            self.environment[name] = text
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                words, cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )

    def log(self):
        return (self.folder / "log").read_text("utf-8", "replace")[-4000:]

    def ask(self, item):
        """Send an order; give the process that took it, or None."""
        try:
            answer = fetch(f"http://127.0.0.1:{self.port}/order/{item}")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise
        return json.loads(answer)["process"]

    def order(self, item):
        """Send an order and count it."""
        process = self.ask(item)
        sold = item != "milk"
        self.sent[item if sold else "other", "success" if sold else "error"] += 1
        return process

    def serves(self):
        assert self.process.poll() is None, self.log()
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5)
        except urllib.error.HTTPError:
            return True  # the shop has no first page
        except OSError:
            return False

    def keep_busy(self, workers, unlike=()):
        """Send orders from several sides until so many processes have taken some; give these."""
        until(self.serves, "a server")
        seen = set()

        def enough():
            with ThreadPoolExecutor(AT_ONCE) as sides:
                seen.update(sides.map(self.order, ITEMS * (ROUND // len(ITEMS))))
            seen.difference_update([None, *unlike])
            return len(seen) >= workers

        until(enough, lambda: f"orders taken by {workers} processes: {seen}\n{self.log()}")
        return seen

    def page(self):
        return on_the_page(fetch(f"http://127.0.0.1:{self.metrics}/metrics"))

    def counted(self):
        """Tell whether the page has what was sent; nothing on it may ever be more."""
        page = self.page()
        assert page["orders"] <= self.sent, page
        return page["orders"] == self.sent

    def check(self):
        """The page has every order once, in each of the three ways in which it tells of them."""
        until(self.counted, lambda: f"{self.sent} on the page: {self.page()}\n{self.log()}")
        self.compare(self.page())

    def compare(self, page):
        total = self.sent.total()
        assert page == {
            "orders": self.sent,
            "calls": {self.target: total},
            "timed": total,
            "states": {self.target: "installed"},
        }

    def stop(self):
        """Ask the first process to end; give its exit code, when nobody serves any more."""
        self.process.terminate()
        code = self.process.wait(SECONDS)
        for port in (self.port, self.metrics):
            with pytest.raises(OSError, match="refused"):
                socket.create_connection(("127.0.0.1", port), timeout=5)
        return code

    def check_the_end(self):
        """The textfile has every order once, too."""
        self.compare(on_the_page((self.folder / "end.prom").read_text("utf-8")))


class Queue(Deployment):
    """A worker of Celery, whose broker and results are files."""

    target = "tasks:order"

    def __init__(self, program, folder):
        super().__init__(program, folder)
        (folder / "results").mkdir()
        broker, results = f"sqla+sqlite:///{folder}/broker.db", f"file://{folder}/results"
        self.environment |= {"CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": results}
        self.client = Celery("client", broker=broker, backend=results, set_as_current=False)

    def keep_busy(self, workers):
        """Send orders until so many processes have taken some; give these."""
        seen = set()

        def enough():
            assert self.process.poll() is None, self.log()
            orders = [self.client.send_task("tasks.order", [item]) for item in ITEMS]
            for item, order in zip(ITEMS, orders, strict=True):
                answer = order.get(timeout=SECONDS, interval=0.05, propagate=False)
                sold = item != "milk"
                self.sent[item if sold else "other", "success" if sold else "error"] += 1
                seen.update([answer["process"]] if sold else [])
            return len(seen) >= workers

        until(enough, lambda: f"orders taken by {workers} processes: {seen}\n{self.log()}")
        return seen


@pytest.fixture
def command():
    """Give a command of the page by its name."""
    text = (DOCS / "deployment.md").read_text("utf-8")
    return lambda name: re.findall(rf"(?m)^```bash {name}\n(.*)\n```$", text)[0]


@pytest.fixture
def deploy(tmp_path):
    """Prepare a program; whatever runs of it at the end is stopped."""
    prepared = []

    def prepare(program, kind=Deployment):
        prepared.append(kind(program, tmp_path / program))
        return prepared[-1]

    yield prepare
    for each in prepared:
        if each.process.poll() is None:
            each.process.terminate()
            each.process.wait(SECONDS)


@pytest.mark.parametrize("server", ["gunicorn", "uvicorn"])
def test_two_workers_of_a_server_are_on_one_page(server, deploy, command):
    shop = deploy(server)
    shop.start(command(server))
    assert len(shop.keep_busy(workers=2)) == 2
    shop.check()
    assert shop.stop() == 0
    shop.check_the_end()


def test_a_reload_of_gunicorn_takes_nothing_off_the_page(deploy, command):
    shop = deploy("gunicorn")
    shop.start(command("gunicorn"))
    first = shop.keep_busy(workers=2)
    shop.check()
    # What the unit has as ExecReload.
    shop.process.send_signal(signal.SIGHUP)
    shop.keep_busy(workers=2, unlike=first)
    shop.check()
    assert shop.stop() == 0
    shop.check_the_end()


# Celery's transport over SQLAlchemy asks for what SQLAlchemy 2.1 gives up.
@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")
def test_two_processes_of_a_celery_worker_are_on_one_page(deploy, command):
    shop = deploy("celery", Queue)
    shop.start(command("celery"))
    assert len(shop.keep_busy(workers=2)) == 2
    shop.check()
    assert shop.stop() == 0
    shop.check_the_end()


def test_the_reloader_of_flask_is_followed(deploy, command):
    shop = deploy("gunicorn")
    shop.start(command("flask"))
    first = shop.keep_busy(workers=1)
    shop.check()
    with (shop.folder / "app.py").open("a") as program:
        program.write("\n\nPRICES['tea'] = 5\n")
    until(lambda: shop.log().count("Debugger is active") > 1, "another process")
    assert not first & shop.keep_busy(workers=1)
    shop.check()
    shop.stop()
    shop.check_the_end()


def test_supervisord_runs_its_file(deploy):
    shop = deploy("gunicorn")
    programs = shop.folder / "venv/bin"
    programs.mkdir(parents=True)
    for name in ("ancestry-obs", "gunicorn"):
        (programs / name).symlink_to(PROGRAMS / name)
    text = (DOCS / "deployment/supervisord.conf").read_text("utf-8")
    for there, here in (("/srv/shop", shop.folder), (":8000", f":{shop.port}")):
        text = text.replace(there, str(here))
    text = text.replace('"9000"', f'"{shop.metrics}"')
    (shop.folder / "supervisord.conf").write_text(text, "utf-8")
    shop.start("supervisord -c supervisord.conf")
    assert len(shop.keep_busy(workers=2)) == 2
    shop.check()
    assert shop.stop() == 0
    shop.check_the_end()
