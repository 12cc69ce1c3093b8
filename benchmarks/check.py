"""What `ancestry-obs check` takes, in a first run and in one on a program that is unchanged.

    python benchmarks/check.py

Two programs are written for the occasion, of 100 and of 2,000 modules. Ten targets in each module
are a class with methods, a property and a class method, a decorated function, one with a closure,
and a coroutine. The map has a glob over the package and 500 (of the small one 50) targets by their
names, with a histogram and a counter of two labels.

Each figure is that of a process of its own, start and imports of the toolkit included, in seconds
of the processor and (in brackets) of the wall's clock, and the best of three; the memory is the
process's peak. For the first run the cache is empty. The byte code of the toolkit is there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

ROUNDS = 3
SIZES = ((100, 50), (2000, 500))

HEAD = '''
"""Part {number}."""

import asyncio
from grown.tools import logged
{earlier}
'''
BODY = '''

class Order:
    """What somebody orders."""

    def __init__(self, owner: str, currency: str = "eur") -> None:
        self.owner = owner
        self.currency = currency
        self.items: list[str] = []

    def add(self, item: str, count: int = 1, *, price: float = 0.0) -> int:
        """Put some more of an item into the order."""
        if count < 1:
            raise ValueError(f"{count} of {item!r}")
        for _ in range(count):
            self.items.append(item)
        return len(self.items)

    def total(self, rates=None, default=1.0) -> float:
        """Sum the prices up."""
        rate = (rates or {}).get(self.currency, default)
        total = 0.0
        for _ in self.items:
            total += rate
        return round(total, 2)

    @property
    def size(self) -> int:
        return len(self.items)

    @classmethod
    def of(cls, owner, *items):
        order = cls(owner)
        for item in items:
            order.add(item)
        return order

    @staticmethod
    def clean(text):
        return " ".join(text.split()).lower()


def parse(text):
    """Read an order."""
    found = []
    for line in text.split("\\n"):
        name, _, count = line.partition(" ")
        if name:
            found.append((name, int(count or 1)))
    return found


def counter():
    total = 0

    def count(number):
        nonlocal total
        total += number
        return total

    return count


@logged
def load(path):
    return parse(open(path).read())


async def fetch(url):
    await asyncio.sleep(0)
    return url
'''
TOOLS = """
from functools import wraps


def logged(function):
    @wraps(function)
    def call(*args, **kwargs):
        return function(*args, **kwargs)

    return call
"""
MAP = """\
version = 1
[metrics.calls_total]
type = "counter"
help = "Calls."
labels.outcome = ["success", "error", "cancelled", "abandoned"]
labels.kind = { max_values = 10 }
[metrics.call_seconds]
type = "histogram"
help = "Seconds."
buckets = [0.1, 1, 10]
[[instrument]]
target = ["grown:*", "grown.*:*"]
record = [
  { metric = "calls_total", labels = { outcome = "outcome(error)", kind = "type_name(result)" } },
  { metric = "call_seconds" },
]
"""
NAMED = """
[[instrument]]
target = "grown.part_{number:04}:Order.add"
[[instrument.record]]
metric = "calls_total"
labels = {{ outcome = "outcome(error)", kind = "self.owner" }}
"""


def write(folder: Path, modules: int, named: int) -> None:
    """Write a program and its map."""
    (folder / "grown").mkdir(parents=True)
    (folder / "grown/__init__.py").touch()
    (folder / "grown/tools.py").write_text(TOOLS)
    for number in range(modules):
        earlier = f"from grown.part_{number // 2:04} import parse as earlier" if number else ""
        text = HEAD.format(number=number, earlier=earlier) + BODY
        (folder / f"grown/part_{number:04}.py").write_text(text)
    (folder / "map.toml").write_text(MAP + "".join(NAMED.format(number=n) for n in range(named)))


def measure(folder: Path, cache: Path) -> tuple[float, float, int]:
    """Check the map in a new process; give its seconds, those of the clock, and its peak in kB."""
    code = (
        "import sys, resource; from ancestry_obs.cli import main; code = main(sys.argv[1:]); "
        "used = resource.getrusage(resource.RUSAGE_SELF); "
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss); raise SystemExit(code)"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    began = perf_counter()
    done = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-c", code, "check", "map.toml"],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds = perf_counter() - began
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    *_, used, peak = done.stdout.split()
    return float(used), seconds, int(peak)


def main() -> None:
    """Print the table."""
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} processors")
    print("| modules, targets by name | first run | on what is unchanged | share | peak, MB |")
    print("|---|---|---|---|---|")
    for modules, named in SIZES:
        with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as other:
            folder, cache = Path(name), Path(other)
            write(folder, modules, named)
            first, again = [], []
            for _ in range(ROUNDS):
                shutil.rmtree(cache)
                first.append(measure(folder, cache))
                again.append(measure(folder, cache))
            used, clock, memory = min(first)
            less, less_clock, _ = min(again)
        runs = f"{used:.2f} s ({clock:.2f}) | {less:.2f} s ({less_clock:.2f})"
        print(f"| {modules:,}, {named} | {runs} | {less / used:.2f} | {memory / 1e3:.0f} |")


if __name__ == "__main__":
    main()
