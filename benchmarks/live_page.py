"""The live page: what it costs the program that it is of, and how long a browser is busy with it.

A program of so many targets, each with a counter and a histogram, calls each of them once a second
in a process of its own. Its processor time is read over a minute while nobody looks, and over
another one while a Chromium has the page open, which it has had for a while by then; the difference
is the page's. What the browser does is told by the browser: also the longest of its tasks while
that is read, of which it tells those that take 50 ms or more. Where there is no Chromium, the same
requests come from here.

    python benchmarks/live_page.py [SECONDS]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 60.0
TARGETS = (10, 100, 1000)
MOST_SHARE = 0.005
EVERY = 2.0
STATUS_SECONDS, STATUS_SHARE = 60, 0.0005
PROGRAM = """
import sys, threading, time
import ancestry_obs, many
ancestry_obs.install("many.toml")
functions = [each for name, each in vars(many).items() if name.startswith("function_")]
def call_each():
    for each in functions:
        each()
def work():
    while True:
        call_each()
        time.sleep(1)
call_each()
print(ancestry_obs.start_exporter().url, flush=True)
threading.Thread(target=work, daemon=True).start()
for line in sys.stdin:
    print(time.process_time(), flush=True)
"""
MAP = """\
version = 1
[metrics.calls_total]
type = "counter"
help = "Calls."
labels.function = {{ max_values = {count} }}
labels.outcome = ["success", "error"]
[metrics.call_seconds]
type = "histogram"
help = "Time of calls."
buckets = "latency"
labels.function = {{ max_values = {count} }}
"""
LONGEST = """
const [began, done] = arguments;
setTimeout(() => done(0), 1000);
new PerformanceObserver((list) => {
  const late = list.getEntries().filter((each) => each.startTime > began);
  done(Math.max(0, ...late.map((each) => each.duration)));
}).observe({ type: "longtask", buffered: true });
"""
INSTRUMENT = """
[[instrument]]
target = "many:{name}"
record = [
  {{ metric = "calls_total", labels = {{ function = "'{name}'", outcome = "outcome(error)" }} }},
  {{ metric = "call_seconds", labels = {{ function = "'{name}'" }} }},
]
"""


class Program:
    """A program that is measured, and tells what it has used."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self._process = process
        self.url = url

    def used(self) -> float:
        """Give its processor time, in seconds."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())


@contextmanager
def program(count: int) -> Iterator[Program]:
    """Start a program of so many targets."""
    names = [f"function_{number:04}" for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "many.py").write_text("".join(f"def {name}(): ...\n" for name in names))
        instruments = "".join(INSTRUMENT.format(name=name) for name in names)
        (path / "many.toml").write_text(MAP.format(count=count) + instruments)
        (path / "program.py").write_text(PROGRAM)
        environment = {"PROMETHEUS_METRICS_ENABLED": "true", "METRICS_EXPORT_PORT": "0"}
        with subprocess.Popen(
            [sys.executable, "program.py"],
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            running = Program(process, process.stdout.readline().strip().removesuffix("metrics"))
            # What is imported for the first page is no page's.
            _get(f"{running.url}page/numbers")
            _get(f"{running.url}status")
            yield running
            process.kill()


class Requests:
    """Asks as the page does, without a browser."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.asked = 0
        self.busy = self.now = 0.0
        self.rows = 0

    def look(self, seconds: float) -> None:
        """Look for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            _get(f"{self._url}page/numbers")
            self.asked += 1
            time.sleep(EVERY)

    def longest(self, began: float) -> float:
        """Give nothing: there is no browser that is busy."""
        return began

    def close(self) -> None:
        """Be done."""


def _get(url: str) -> None:
    request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})  # noqa: S310  our own
    urllib.request.urlopen(request).read()  # noqa: S310  our own


class Chromium:
    """Has the page open."""

    def __init__(self, url: str) -> None:
        from selenium import webdriver  # noqa: PLC0415  where there is none, requests do
        from selenium.webdriver.chrome.service import Service  # noqa: PLC0415

        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu"):
            options.add_argument(argument)
        self._driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
        self._driver.execute_cdp_cmd("Performance.enable", {})
        self._driver.get(url)

    def look(self, seconds: float) -> None:
        """Look for so long."""
        time.sleep(seconds)

    def close(self) -> None:
        """Be done."""
        self._driver.quit()

    @property
    def asked(self) -> int:
        """How often the program was asked so far."""
        script = 'return performance.getEntriesByType("resource").map(each => each.name)'
        return sum(name.endswith("/page/numbers") for name in self._driver.execute_script(script))

    @property
    def busy(self) -> float:
        """For how many seconds the page's thread was busy so far."""
        metrics = self._driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
        return next(each["value"] for each in metrics if each["name"] == "TaskDuration")

    @property
    def now(self) -> float:
        """The browser's time, in milliseconds."""
        return float(self._driver.execute_script("return performance.now()"))

    def longest(self, began: float) -> float:
        """Give how long the longest task took since then, in milliseconds; zero if below 50."""
        return float(self._driver.execute_async_script(LONGEST, began))

    @property
    def rows(self) -> int:
        """How many rows are in the document."""
        return len(self._driver.find_elements("css selector", "#rows tr"))


def main() -> None:
    """Print the table; fail if the page takes more of the program than it may."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    has_chromium = shutil.which("chromium") and shutil.which("chromedriver")
    print(f"{'':>8} {'program:':>8} {'':>35} browser:")
    print(
        f"{'targets':>8} {'nobody':>8} {'looks':>6} {'each':>9} {'share':>8} {'/status':>9} "
        f"{'each':>8} {'longest':>8} {'rows':>5}"
    )
    for count in TARGETS:
        with program(count) as running:
            alone = _spent(running, partial(time.sleep, seconds))
            status = _spent(running, partial(_get, f"{running.url}status"))
            looking = (Chromium if has_chromium else Requests)(running.url)
            try:
                looking.look(seconds)
                asked, busy, began = looking.asked, looking.busy, looking.now
                spent = _spent(running, partial(looking.look, seconds)) - alone
                looks, busy = looking.asked - asked, looking.busy - busy
                rows, longest = looking.rows, looking.longest(began)
            finally:
                looking.close()
        # For the states it asks once a minute, and more seldom where they take long.
        share = spent / seconds + min(status / STATUS_SECONDS, STATUS_SHARE)
        print(
            f"{count:>8} {alone / seconds:>8.3%} {looks:>6} {spent / looks * 1e3:>6.1f} ms "
            f"{share:>8.3%} {status * 1e3:>6.1f} ms {busy / looks * 1e3:>5.0f} ms "
            f"{longest:>5.0f} ms {rows:>5}"
        )
        assert share <= MOST_SHARE, "the page takes too much of the program"


def _spent(running: Program, step: Callable[[], object]) -> float:
    before = running.used()
    step()
    return running.used() - before


if __name__ == "__main__":
    main()
