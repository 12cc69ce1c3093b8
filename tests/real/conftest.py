"""Real programs: found, started on free ports in folders of their own, asked over HTTP, ended.

Whatever is started here is ended with the test or the session that started it, also when that
fails. Waiting is always for something: a line of output or an answer, with a time limit.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.ports import free_port

from ancestry_obs.mapfile import load
from ancestry_obs.monitoring import (
    Catalogue,
    build_rules,
    dashboard_questions,
    load_plan,
    rule_questions,
)

SECONDS = 60
# The default run takes less than a minute where it has a processor to itself.
RUN_SECONDS = 400
# Often enough to see a breaker open for a second. All rules of a map so often keep a core busy.
OFTEN = {
    **dict.fromkeys(("scrape_interval", "scrape_timeout"), "250ms"),
    "evaluation_interval": "1s",
}
# What would make a run another one than the default.
OURS = ("ANCESTRY_", "METRICS_", "PROMETHEUS_METRICS", "INSTRUMENTATION_MAP", "PYTHONUNBUFFERED")

# The programs are on this machine: no proxy has a part in it.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Running:
    """A program that runs; what it says goes to files, so that it never waits for a reader."""

    def __init__(self, name, command, folder, environment=None):
        self._name = name
        self.folder = folder
        self._files = [folder / f"{name}.out", folder / f"{name}.err"]
        kept = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
        with self._files[0].open("w") as out, self._files[1].open("w") as err:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env={**kept, **(environment or {})},
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                text=True,
            )

    @property
    def out(self):
        return self._files[0].read_text()

    @property
    def err(self):
        return self._files[1].read_text()

    def say(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def wait_for(self, pattern, seconds=SECONDS):
        """Wait for a line of output; what it matched is returned."""

        def look():
            found = re.search(pattern, self.out + self.err)
            if not found and self.process.poll() is not None:
                pytest.fail(f"{self._name} ended without {pattern!r}:\n{self.out}{self.err}")
            return found

        return wait_until(look, f"{self._name} to say {pattern!r}", seconds)

    def finish(self):
        """Tell it that there is no more to come, and return its exit code."""
        self.process.stdin.close()
        return self.process.wait(SECONDS)

    def end(self):
        """End it, by force if need be; the exit code is returned."""
        self.process.terminate()
        try:
            return self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            self.process.stdin.close()


class Server:
    """Prometheus' HTTP interface, which VictoriaMetrics has too."""

    def __init__(self, url, program):
        self.url = url
        self.program = program

    def ask(self, path, **parameters):
        query = urllib.parse.urlencode(parameters, doseq=True)
        try:
            with _opener.open(f"{self.url}/api/v1/{path}?{query}", timeout=SECONDS) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            pytest.fail(f"{path} {parameters}: {error.read().decode()}")

    def query(self, expression):
        return self.ask("query", query=expression)["result"]

    def number(self, expression):
        """Give the one number that an expression has."""
        found = self.query(expression)
        assert len(found) == 1, f"{expression} has {len(found)} results: {found}"
        return float(found[0]["value"][1])

    def numbers(self, expression, label):
        """Give the numbers of an expression by the values of one label."""
        return {
            each["metric"].get(label): float(each["value"][1]) for each in self.query(expression)
        }

    def ever(self, expression, since):
        """Tell whether an expression had a number, or a histogram, at any time since a moment."""
        now = time.time()
        step = max(0.25, (now - since) / 200)
        found = self.ask("query_range", query=expression, start=since, end=now, step=step)
        return any(
            told != "NaN"
            for each in found["result"]
            for _, told in (*each.get("values", ()), *each.get("histograms", ()))
        )

    def unanswered(self, dashboard, since):
        """List what a dashboard of the time since a moment has no data for, marks included."""
        questions = dashboard_questions(dashboard)
        return [each for each in questions if not self.ever(each.expression, since)]

    def failing_rules(self):
        """List the rules that cannot be evaluated, and those that record nothing."""
        rules = [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]
        assert rules, "Prometheus has no rules"
        return [
            (rule["name"], rule["health"], rule.get("lastError", ""))
            for rule in rules
            if rule["health"] != "ok"
            or (rule["type"] == "recording" and not self.query(rule["name"]))
        ]

    def scraped_since(self, moment, job):
        """Tell whether every target of the job was scraped after a moment, without an error."""
        moments = self.query(f'timestamp(ancestry_obs_build_info{{job="{job}"}})')
        return bool(moments) and all(float(each["value"][1]) > moment for each in moments)


def questions_of_alerts(source):
    """List what the alerts of a map with a monitoring plan look at."""
    spec = load(source)
    catalogue = Catalogue(spec, "ancestry")
    rules = build_rules(load_plan(spec.source, catalogue), catalogue, "ancestry")
    return [each for each in rule_questions(rules) if each.answered and ", input " in each.where]


@dataclass(frozen=True)
class Watched:
    """A program that is held up, and the Prometheus that has watched it from the start."""

    prometheus: Server
    program: Running
    address: str
    began: float
    report: dict


def wait_until(check, what, seconds=SECONDS):
    """Ask again and again until the answer is true, and return it.

    What is waited for is a text, or a function that gives one when it was in vain.
    """
    deadline = time.monotonic() + seconds
    while not (answer := check()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds} seconds for {what() if callable(what) else what}")
        time.sleep(0.05)
    return answer


def _missing(name):
    """Skip what needs something that is not here; where everything has to be here, fail."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed")


def _find(name):
    return shutil.which(name) or _missing(name)


def _package(name):
    """Import a module of a package that not everybody has."""
    try:
        return import_module(name)
    except ImportError:
        return _missing(name)


def _axe():
    """Give the source of axe-core, which a package for another browser driver brings along."""
    try:
        found = distribution("axe-playwright-python")
    except PackageNotFoundError:
        _missing("axe-playwright-python")
    return Path(found.locate_file("axe_playwright_python/axe.min.js")).read_text("utf-8")


def _answers(url):
    try:
        with _opener.open(url, timeout=SECONDS):
            return True
    except OSError:
        return False


@contextmanager
def programs(tmp_path_factory):
    """Find, start and wait for programs; those that were started end here."""
    with ExitStack() as ends:

        def start(name, command, folder=None, environment=None):
            folder = folder or tmp_path_factory.mktemp(name)
            running = Running(name, command, folder, environment)
            ends.callback(running.end)
            return running

        yield SimpleNamespace(
            find=_find,
            package=_package,
            start=start,
            wait_until=wait_until,
            free_port=free_port,
            answers=_answers,
            axe=_axe,
        )


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Programs of a module's tests: a Prometheus that goes on takes time from all others."""
    with programs(tmp_path_factory) as real:
        yield real


class LivePage:
    """The live page in a Chromium, as a person sees it."""

    def __init__(self, driver, wait_until):
        self.driver = driver
        self._wait_until = wait_until

    def until(self, check, what):
        return self._wait_until(check, what)

    def find(self, selector):
        return self.driver.find_element("css selector", selector)

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def texts(self, selector):
        """Give the texts of elements at one moment, shown or not."""
        script = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)"
        return self.driver.execute_script(script, selector)

    def cell(self, target, column):
        """Give what stands in a cell; nothing while there is no such row."""
        found = self.texts(f'#rows tr[data-target="{target}"] > .{column}')
        return found[0] if found else None

    @property
    def targets(self):
        """The names in the table, from top to bottom."""
        return self.texts("#rows th bdi")

    @property
    def address(self):
        """What the address has behind its question mark."""
        return urllib.parse.urlsplit(self.driver.current_url).query

    @property
    def focused(self):
        return self.driver.switch_to.active_element

    def facts(self):
        """Give what the open details tell, by name."""
        script = """return [...document.querySelectorAll(".facts > div")].map(
          each => [...each.children].map(child => child.textContent))"""
        return {name: values for name, *values in self.driver.execute_script(script)}

    def press(self, name):
        """Press the button of a name."""
        (button,) = (each for each in self.all("button") if each.text == name)
        button.click()

    def choose(self, selector, text):
        """Choose an entry of a list."""
        select = _package("selenium.webdriver.support.ui").Select
        select(self.find(selector)).select_by_visible_text(text)

    @property
    def keys(self):
        """The keys that have no letter, by name."""
        return _package("selenium.webdriver.common.keys").Keys

    def reload(self):
        self.driver.refresh()
        self.until(lambda: self.targets, "the targets")

    def requests(self):
        """Give how often the program was asked."""
        script = 'return performance.getEntriesByType("resource").map(each => each.name)'
        return sum(each.endswith("/page/numbers") for each in self.driver.execute_script(script))

    def set_scheme(self, scheme):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def set_width(self, width, height=900):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def complaints(self):
        """Give what the browser has to say, such as of the content security policy."""
        return [each["message"] for each in self.driver.get_log("browser")]


@pytest.fixture(scope="module")
def chromium(real, tmp_path_factory):
    """A Chromium of its own for the tests of a module."""
    webdriver = real.package("selenium.webdriver")
    service = real.package("selenium.webdriver.chrome.service").Service
    options = webdriver.ChromeOptions()
    options.binary_location = real.find("chromium")
    options.accept_insecure_certs = True
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    profile = tmp_path_factory.mktemp("chromium")
    for argument in ("headless=new", "no-sandbox", "disable-gpu", f"user-data-dir={profile}"):
        options.add_argument(f"--{argument}")
    driver = webdriver.Chrome(options, service(real.find("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def open_page(chromium):
    """Open the live page at an address, and wait until it shows something."""

    def open_page(url, width=1280):
        page = LivePage(chromium, wait_until)
        page.set_width(width)
        chromium.get_log("browser")
        chromium.get(url)
        page.until(lambda: page.targets, "the targets")
        return page

    return open_page


@pytest.fixture(scope="session")
def repository():
    """The folder with the files that are committed beside the code."""
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def ask_server():
    """Ask a server that has Prometheus' HTTP interface."""
    return Server


@pytest.fixture(scope="module")
def start_prometheus(real, tmp_path_factory):
    """Start a Prometheus; see `prometheus_of`."""
    return prometheus_of(real, tmp_path_factory)


def prometheus_of(real, tmp_path_factory):
    """Give what starts a Prometheus, and waits until it has tried every target once.

    That takes it ten seconds, during which it gathers targets; what a program does before then it
    would not see.
    """

    def start(config, folder=None, features=()):
        folder = folder or tmp_path_factory.mktemp("prometheus")
        path = folder / "prometheus.yml"
        if not isinstance(config, str):
            config = json.dumps({"global": OFTEN, **config})
        path.write_text(config)
        running = real.start(
            "prometheus",
            [
                real.find("prometheus"),
                f"--config.file={path}",
                f"--storage.tsdb.path={folder / 'data'}",
                "--web.listen-address=127.0.0.1:0",
                # A scrape that failed is told at this level only.
                "--log.level=debug",
                *(f"--enable-feature={each}" for each in features),
            ],
            folder,
        )
        address = running.wait_for(r'"Listening on" address=([\d.:]+)')[1]
        server = Server(f"http://{address}", running)

        def all_tried():
            active = server.ask("targets")["activeTargets"]
            return active and all(each["health"] != "unknown" for each in active)

        real.wait_until(lambda: real.answers(f"{server.url}/-/ready"), "Prometheus to be ready")
        real.wait_until(all_tried, "Prometheus to try its targets")
        return server

    return start


_default_run_ends = ExitStack()


def _is_of_the_default_run(item):
    return "default_run" in getattr(item, "fixturenames", ())


def pytest_collection_modifyitems(items):
    """Keep the tests of the default run together."""
    items.sort(key=_is_of_the_default_run)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    """End the default run with the last test of it, not with the last test of all."""
    if _is_of_the_default_run(item) and not _is_of_the_default_run(nextitem):
        _default_run_ends.close()


@pytest.fixture(scope="session")
def default_run(tmp_path_factory, repository):
    """`ancestry run --metrics --hold`, watched from before it starts until after its work."""
    real = _default_run_ends.enter_context(programs(tmp_path_factory))
    start_prometheus = prometheus_of(real, tmp_path_factory)
    address = f"127.0.0.1:{real.free_port()}"
    prometheus = start_prometheus(
        {
            "rule_files": [str(repository / "grafana/prometheus/rules.yml")],
            "scrape_configs": [
                {"job_name": "ancestry", "static_configs": [{"targets": [address]}]}
            ],
        }
    )
    command = [sys.executable, "-m", "ancestry_core", "run", "--metrics", "--hold", "--json"]
    port = address.rpartition(":")[2]
    began = time.time()
    program = real.start("ancestry", command, environment={"METRICS_EXPORT_PORT": port})
    program.wait_for("Holding on", RUN_SECONDS)
    over = time.time()
    real.wait_until(
        lambda: prometheus.scraped_since(over, "ancestry"), "Prometheus to see the end of the run"
    )
    report = json.loads(program.wait_for(r"(?m)^\{.*\}$")[0])
    return Watched(prometheus, program, address, began, report)
