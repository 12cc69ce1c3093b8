"""What grows with a program: the cost per target at two sizes, of importing, installing and more.

    python benchmarks/growth.py [seconds]

Each cost is measured at 1,000 and 10,000 targets in 50 modules, and at 100 and 800 modules of 10
targets. The ratio is of the costs per target: 1.0 is growth in proportion, 10 (or 8) is quadratic.

The packages are written for the occasion. Ten targets are a class with two methods, a property, a
class method and a static method, a parser with loops, a function with a closure in it, a decorated
one, a context manager and a coroutine; each module takes a name over from another one. A second
kind of package has ten functions of two lines in each module, a third kind has one. The map is a
glob over the whole package with a histogram and a counter.

How it is measured: each figure in a fresh process, by the processor's seconds; processes take
turns, and the figure is the best of three. What is not the thing itself is done before: the
toolkit and what it needs are imported, and where the thing begins with an installed map, that is
installed. The byte code of the package is there ("from source": is neither read nor written).
Where code is cached, the process before has put it there. Memory is how far the process's peak is
above what it had when the thing began. A process that takes longer than the given seconds (60 by
default) is stopped, and the table says so.
"""

from __future__ import annotations

import argparse
import asyncio
import compileall
import contextlib
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING
from urllib.request import urlopen

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 3
SECONDS = 60.0
# What takes longer than this is measured once: its figure is far from the noise.
LONG = 3.0
PER_BLOCK = 10
UNDER = " under the map"
CACHED = ", code cached"

TOOLS = '''
"""What the generated modules share; outside the package, so that the map does not reach it."""

from functools import wraps


def logged(function):
    @wraps(function)
    def call(*args, **kwargs):
        return function(*args, **kwargs)

    return call
'''

HEAD = '''
"""Orders, as part {number} of the package sees them."""

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, field

from grown_tools import logged
{earlier}
LIMIT = {number}
'''

BLOCK = '''

@dataclass
class Order{block}:
    """What somebody orders."""

    owner: str
    currency: str = "eur"
    items: list = field(default_factory=list)

    def add(self, item, count=1, *, price=0.0):
        """Put some more of an item into the order."""
        if count < 1:
            raise ValueError(f"{{count}} of {{item!r}}")
        for _ in range(count):
            self.items.append((item, price))
        return len(self.items)

    def total(self, rates=None, default=1.0):
        """Sum the prices up."""
        rate = (rates or {{}}).get(self.currency, default)
        total = 0.0
        for _, price in self.items:
            total += price * rate
        return round(total, 2)

    @property
    def size(self):
        return len(self.items)

    @classmethod
    def of(cls, owner, *items, **options):
        order = cls(owner, **options)
        for item in items:
            order.add(item)
        return order

    @staticmethod
    def clean(text):
        return " ".join(text.split()).lower()


def parse_{block}(text, *, separator=",", strict=False):
    """Read an order's lines."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        parts = [part.strip() for part in line.split(separator)]
        if len(parts) == 2 and parts[1].isdigit():
            found.append((parts[0], int(parts[1])))
        elif strict:
            raise ValueError(f"line {{number}}: {{line!r}}")
    return found


def fetch_{block}(url, timeout=30, headers=None, **options):
    """Ask for an order, as often as it takes."""
    attempts = options.pop("attempts", 3)

    def ask(attempt):
        if attempt >= attempts:
            raise TimeoutError(url)
        return {{"url": url, "timeout": timeout * attempt, **(headers or {{}})}}

    for attempt in range(attempts):
        try:
            return ask(attempt)
        except TimeoutError:
            if attempt + 1 == attempts:
                raise
    return None


@logged
def send_{block}(order, address, /, *, express=False):
    """Send an order on its way."""
    days = 1 if express else 5
    return f"{{order.owner}} at {{address}} in {{days}} days"


@contextmanager
def opened_{block}(path, mode="r"):
    """Lend a file."""
    file = open(path, mode)
    try:
        yield file
    finally:
        file.close()


async def store_{block}(key, value, table=None):
    """Keep an order."""
    await asyncio.sleep(0)
    if table is not None:
        table[key] = value
    return value
'''

SHORT = "\n\ndef f{number}(url):\n    return url\n"

MAP = """
version = 1
[metrics.seconds]
type = "histogram"
help = "{help}"
buckets = [0.001, 0.01, 0.1, 1, 10]
labels.outcome = ["success", "cancelled", "error"]
[metrics.calls_total]
type = "counter"
help = "Calls."
labels.result = {{ max_values = 50 }}
[[instrument]]
target = "grown.*:*"
record = [
  {{ metric = "seconds", labels = {{ outcome = "outcome(error)" }} }},
  {{ metric = "calls_total", labels = {{ result = "type_name(result)" }} }},
]
"""


@dataclass(frozen=True, slots=True)
class Size:
    """A package: how many modules, and how many times ten targets in each.

    Or how many functions of two lines instead.
    """

    modules: int
    blocks: int = 1
    short: int = 0

    @property
    def targets(self) -> int:
        """How many functions and methods the map reaches."""
        return self.modules * (self.short or self.blocks * PER_BLOCK)


@dataclass(frozen=True, slots=True)
class Axis:
    """What is grown: two sizes, and what of it is measured."""

    title: str
    small: Size
    large: Size
    names: tuple[str, ...]


@dataclass(slots=True)
class Figure:
    """The best of some processes; or why there is none.

    Args:
        seconds: of the processor.
        memory: bytes of the peak above what was there before.
        missing: such as "more than 60 s".
    """

    seconds: float = float("inf")
    memory: float = float("inf")
    missing: str = ""


# --- in the measured process ---


def modules_of(folder: Path) -> list[str]:
    """Name the package's modules."""
    return [f"grown.{path.stem}" for path in sorted((folder / "grown").glob("part_*.py"))]


class Program:
    """The package in this process, and what is done to it.

    Args:
        folder: where the package and its maps are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules = modules_of(folder)
        sys.path.insert(0, os.fspath(folder))
        os.chdir(folder)
        # What every module of the package imports is nobody's cost.
        assert asyncio
        importlib.import_module("grown_tools")

    def import_package(self) -> None:
        """Import every module."""
        for name in self.modules:
            importlib.import_module(name)

    def import_from_source(self) -> None:
        """Import every module as if no byte code was there."""
        sys.dont_write_bytecode = True
        sys.pycache_prefix = os.fspath(self.folder / "none")
        self.import_package()

    def install(self, code_cache: str = "off") -> None:
        """Weave the map."""
        settings = self.toolkit.ObservabilitySettings(
            enable_prometheus_metrics=True, metrics_export_port=0, code_cache=code_cache
        )
        self.toolkit.install(self.folder / "map.toml", settings=settings)

    def page(self, path: str) -> Callable[[], object]:
        """Give what asks the exporter for a page."""
        url = self.toolkit.start_exporter().url.replace("/metrics", path)
        # It may take longer than anybody would wait.
        return lambda: urlopen(url, timeout=600).read()  # noqa: S310 - our own exporter

    @property
    def toolkit(self):  # noqa: ANN201 - a module
        """The toolkit, with all of it imported that an installation needs."""
        importlib.import_module("ancestry_obs.instrumentation")
        return importlib.import_module("ancestry_obs")

    def prepare(self, name: str) -> Callable[[], object]:
        """Do what comes before a thing, and give the thing."""
        imports = {"import": self.import_package, "import from source": self.import_from_source}
        plain = name.removesuffix(CACHED).removesuffix(UNDER)
        if plain in imports:
            if name.endswith(CACHED):
                self.install(os.fspath(self.folder / "cache"))
            elif plain != name:
                self.install()
            return imports[plain]
        toolkit = self.toolkit
        self.import_package()
        if name == "install()":
            return self.install
        self.install()
        if name.endswith(" page"):
            return self.page(name.removesuffix(" page"))
        return {
            "status()": toolkit.status,
            "reload, same map": lambda: toolkit.reload(self.folder / "map.toml"),
            "reload, one metric changed": lambda: toolkit.reload(self.folder / "changed.toml"),
        }[name]


def forget_peak() -> None:
    """Let the kernel measure this process's peak anew, where it can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def memory() -> tuple[int, int]:
    """Give the bytes that this process has, and the most it had."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        most *= 1 if sys.platform == "darwin" else 1024
        return most, most
    sizes = {line.partition(":")[0]: line.split()[1] for line in lines if line.startswith("Vm")}
    return int(sizes["VmRSS"]) * 1024, int(sizes["VmHWM"]) * 1024


def in_process(name: str, folder: Path, targets: int) -> None:
    """Measure one thing in this process, and print the figure as JSON."""
    program = Program(folder)
    thing = program.prepare(name)
    forget_peak()
    before, _ = memory()
    started = process_time()
    thing()
    seconds = process_time() - started
    _, most = memory()
    print(json.dumps({"seconds": seconds, "memory": most - before}), flush=True)
    if name not in {"import", "import from source"}:
        verify(program, targets)
    # Nothing is pushed or taken apart at the end: that is not measured, and may take long.
    os._exit(0)


def verify(program: Program, targets: int) -> None:
    """See that the map reached what it is to reach."""
    page = importlib.import_module("prometheus_client").generate_latest
    lines = page(program.toolkit.get_registry()).decode().splitlines()
    states = [each for each in lines if each.startswith("ancestry_obs_target_info{")]
    installed = sum('state="installed"' in each for each in states)
    assert (installed, len(states)) == (targets, targets), (installed, len(states))


# --- in the measuring process ---


def write_package(folder: Path, size: Size) -> None:
    """Write the package `grown`, its two maps, and its byte code."""
    package = folder / "grown"
    package.mkdir(parents=True)
    (folder / "grown_tools.py").write_text(TOOLS, encoding="utf-8")
    (package / "__init__.py").touch()
    for number in range(size.modules):
        if size.short:
            source = f'"""Part {number}."""\n'
            source += "".join(SHORT.format(number=each) for each in range(size.short))
        else:
            earlier = f"from grown.part_{number // 2:04} import parse_0 as parse_earlier\n"
            source = HEAD.format(number=number, earlier=earlier if number else "")
            source += "".join(BLOCK.format(block=each) for each in range(size.blocks))
        (package / f"part_{number:04}.py").write_text(source, encoding="utf-8")
    (folder / "map.toml").write_text(MAP.format(help="Seconds."), encoding="utf-8")
    (folder / "changed.toml").write_text(MAP.format(help="Duration."), encoding="utf-8")
    compileall.compile_dir(folder, quiet=1)


def measure(name: str, folder: Path, size: Size, limit: float) -> Figure:
    """Run one process."""
    command = [sys.executable, os.fspath(Path(__file__).resolve()), f"{limit:g}", "--in-process"]
    command += [name, os.fspath(folder), str(size.targets)]
    try:
        done = subprocess.run(  # noqa: S603 - ourselves
            command, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return Figure(missing=f"more than {limit:g} s")
    if done.returncode:
        return Figure(missing=f"failed: {(done.stderr.splitlines() or ['?'])[-1]:.60}")
    return Figure(**json.loads(done.stdout.splitlines()[0]))


def best_of(axis: Axis, folder: Path, limit: float) -> dict[tuple[str, Size], Figure]:
    """Measure everything at both sizes, in turns."""
    for size in (axis.small, axis.large):
        write_package(folder / str(size), size)
    found = {(name, size): Figure() for name in axis.names for size in (axis.small, axis.large)}
    for name, size in found:
        if name.endswith(CACHED):
            measure(name, folder / str(size), size, limit)
    for _ in range(ROUNDS):
        for (name, size), best in found.items():
            if best.missing or LONG < best.seconds < float("inf"):
                continue
            now = measure(name, folder / str(size), size, limit)
            best.missing = now.missing
            best.seconds = min(best.seconds, now.seconds)
            best.memory = min(best.memory, now.memory)
    return found


def line(name: str, small: str, large: str, ratio: str) -> None:
    """Print a row."""
    print(f"{name:42}{small:>16}{large:>16}{ratio:>8}", flush=True)


def show(axis: Axis, found: dict[tuple[str, Size], Figure]) -> None:
    """Print the table of an axis."""
    sizes = (axis.small, axis.large)
    print(f"\n{axis.title}; {' and '.join(f'{size.targets:,}' for size in sizes)} targets")
    line("microseconds per target", "small", "large", "ratio")
    for name in axis.names:
        figures = [found[name, size] for size in sizes]
        costs = [each.seconds / size.targets for each, size in zip(figures, sizes, strict=True)]
        texts = [
            each.missing or f"{cost * 1e6:,.1f}" for each, cost in zip(figures, costs, strict=True)
        ]
        missing = any(each.missing for each in figures)
        line(name, *texts, "" if missing else f"{costs[1] / costs[0]:.2f}")
        if UNDER in name:
            plain = [found[name.partition(UNDER)[0], size] for size in sizes]
            times = [
                "" if each.missing else f"{each.seconds / bare.seconds:.1f}x"
                for each, bare in zip(figures, plain, strict=True)
            ]
            line("  against without it", *times, "")
        if name == "status()":
            sums = ["" if each.missing else f"{each.memory / 1e6:.1f} MB" for each in figures]
            line("  memory at its peak", *sums, "")
        if name in {"status()", "/status page"}:
            whole = ["" if each.missing else f"{each.seconds:.3f} s" for each in figures]
            line("  altogether", *whole, "")


IMPORTS = (
    "import",
    "import under the map",
    "import under the map, code cached",
    "import from source",
    "import from source under the map",
)
EVERYTHING = (
    *IMPORTS,
    "install()",
    "status()",
    "/status page",
    "/metrics page",
    "reload, same map",
    "reload, one metric changed",
)
AXES = (
    Axis("50 modules, more and more in each", Size(50, 2), Size(50, 20), EVERYTHING),
    Axis("100 and 800 modules of 10 targets", Size(100), Size(800), EVERYTHING),
    Axis(
        "100 and 800 modules of 10 functions of two lines",
        Size(100, short=10),
        Size(800, short=10),
        IMPORTS,
    ),
    Axis(
        "100 and 800 modules of one function of two lines",
        Size(100, short=1),
        Size(800, short=1),
        IMPORTS,
    ),
)


def main() -> None:
    """Measure in fresh processes, and print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", nargs="?", type=float, default=SECONDS)
    parser.add_argument("--in-process", nargs=3, metavar=("NAME", "FOLDER", "TARGETS"))
    arguments = parser.parse_args()
    if arguments.in_process:
        name, folder, targets = arguments.in_process
        in_process(name, Path(folder), int(targets))
    print(f"Python {sys.version.split()[0]}, best of {ROUNDS} processes, processor's time")
    for number, axis in enumerate(AXES):
        with tempfile.TemporaryDirectory() as folder:
            show(axis, best_of(axis, Path(folder, str(number)), arguments.seconds))


if __name__ == "__main__":
    main()
