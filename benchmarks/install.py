"""What `install()`, `uninstall()` and a disabled `install()` cost in a package of 1,000 targets.

    python benchmarks/install.py [processes]

The package is written for the occasion: 40 modules, each with 9 functions, a class of 10 methods
and 6 coroutines, with signatures of every kind, hardly two alike. The map is a TOML file in which
each module has three instruments (a list of names, a glob over the class, a glob over the
coroutines) of three labelled records: a histogram of seconds and two counters.

How it is measured: in fresh processes, since the first `install()` of a process is the one that a
program pays for; the figure is the median. It includes reading and checking the map, and the first
import of the toolkit, of wrapt and of prometheus_client, whose share is told. The package is
already imported, so that all targets are woven in that one call. Before the first figure one
process runs unmeasured, which writes the byte code of what is imported. On a machine that does
other things too, the processor's seconds tell more than those on the wall.

What a program pays that has metrics off is measured in processes that import nothing else: what is
told comes on top of a bare interpreter.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MODULES = 40
FUNCTIONS, METHODS, COROUTINES = 9, 10, 6
TARGETS = MODULES * (FUNCTIONS + METHODS + COROUTINES)
PROCESSES = 9
BARE_PROCESSES = 20

VERBS = ("load", "store", "find", "merge", "check", "list", "count", "send", "close", "parse")
NOUNS = ("match", "profile", "tree", "hint", "letter", "record", "note", "group", "page", "token")
EXTRAS = ("limit", "offset", "timeout", "retries", "owner", "since", "strict", "session", "fields",
          "order", "locale", "depth", "cursor", "headers", "payload", "version")  # fmt: skip


def signature(draw: random.Random, first: str) -> str:
    """Write the parameters of a function that takes `first` and some more."""
    extras = draw.sample(EXTRAS, draw.randint(0, 4))
    defaulted = [f"{name}=None" for name in extras[len(extras) // 2 :]]
    head = [first, *extras[: len(extras) // 2]]
    tail = [["*", *defaulted], ["*items", *defaulted], defaulted, [*defaulted, "**options"]]
    return ", ".join([*head, *(draw.choice(tail) if defaulted else ())])


def module_source(draw: random.Random) -> str:
    """Write a module; every name in it is used once."""
    names = [f"{verb}_{noun}" for verb in VERBS for noun in NOUNS]
    names = draw.sample(names, FUNCTIONS + METHODS + COROUTINES)
    lines = ["class Client:"]
    for name in names[:METHODS]:
        lines += [f"    def {name}(self, {signature(draw, 'url')}):", "        return url", ""]
    for name in names[METHODS : METHODS + FUNCTIONS]:
        lines += [f"def {name}({signature(draw, 'kind')}):", "    return kind", ""]
    for name in names[METHODS + FUNCTIONS :]:
        lines += [f"async def co_{name}({signature(draw, 'key')}):", "    return key", ""]
    return "\n".join(lines)


METRICS = """
version = 1
[metrics.seconds]
type = "histogram"
help = "Seconds."
buckets = [0.5, 1, 2, 4, 8, 16]
labels.what = { max_values = 100 }
labels.outcome = ["success", "cancelled", "error"]
[metrics.calls_total]
type = "counter"
help = "Calls."
labels.what = { max_values = 100 }
labels.type = { max_values = 20 }
[metrics.results_total]
type = "counter"
help = "Results."
labels.what = { max_values = 100 }
labels.found = ["yes", "no"]
"""

INSTRUMENT = """
[[instrument]]
target = {targets}
record = [
  {{ metric = "seconds", labels = {{ what = "{what}", outcome = "outcome(error)" }} }},
  {{ metric = "calls_total", labels = {{ what = "{what}", type = "type_name({name})" }} }},
  {{ metric = "results_total", labels = {{ what = "{what}", found = "'no' if result is None else 'yes'" }} }},
]
"""  # noqa: E501 - an inline table of TOML cannot be broken


def instruments(module: str, source: str) -> str:
    """Write a module's three instruments."""
    functions = [
        f"{module}:{line[4 : line.index('(')]}"
        for line in source.splitlines()
        if line.startswith("def ")
    ]
    families = (
        (functions, "lower(kind)", "kind"),
        ([f"{module}:Client.*"], "endpoint(url)", "url"),
        ([f"{module}:co_*"], "text(key)", "key"),
    )
    return "".join(
        INSTRUMENT.format(targets=json.dumps(targets), what=what, name=name)
        for targets, what, name in families
    )


def write_package(folder: Path) -> None:
    """Write the package `acme` and its map."""
    draw = random.Random(11)  # noqa: S311 - no secret, the same package in each run
    package = folder / "acme"
    package.mkdir()
    text = METRICS
    imports = []
    for number in range(MODULES):
        source = module_source(draw)
        (package / f"part_{number:02}.py").write_text(source, encoding="utf-8")
        imports.append(f"from acme import part_{number:02}\n")
        text += instruments(f"acme.part_{number:02}", source)
    (package / "__init__.py").write_text("".join(imports), encoding="utf-8")
    (folder / "map.toml").write_text(text, encoding="utf-8")


def in_process(folder: str, code_cache: str = "off") -> None:
    """Measure in this process, and print the figures as JSON.

    Args:
        folder: where the package and its map are.
        code_cache: a folder for woven code, where it is to be kept for the next process.
    """
    sys.path.insert(0, folder)
    import acme  # noqa: PLC0415 - it exists in the measured processes only

    import ancestry_obs  # noqa: PLC0415 - not before the program's own modules

    def timed(action: Callable[[], object]) -> list[float]:
        started = perf_counter(), process_time()
        action()
        return [perf_counter() - started[0], process_time() - started[1]]

    map_file = Path(folder) / "map.toml"
    original = acme.part_00.Client.__dict__.copy()
    off = ancestry_obs.ObservabilitySettings()
    on = ancestry_obs.ObservabilitySettings(
        enable_prometheus_metrics=True, metrics_export_port=0, code_cache=code_cache
    )
    ancestry_obs.install(map_file, settings=off)  # the first call of anything finds cold caches
    figures = {"disabled": timed(lambda: ancestry_obs.install(map_file, settings=off))}
    assert all(acme.part_00.Client.__dict__[name] is each for name, each in original.items())
    figures["importing"] = timed(lambda: __import__("ancestry_obs.instrumentation"))
    figures["weaving"] = timed(lambda: ancestry_obs.install(map_file, settings=on))
    figures["install"] = list(map(sum, zip(figures["importing"], figures["weaving"], strict=True)))
    targets = ancestry_obs.status().targets
    assert len(targets) == TARGETS, len(targets)
    assert {each.state for each in targets} == {"installed"}
    figures["uninstall"] = timed(ancestry_obs.uninstall)
    assert all(acme.part_00.Client.__dict__[name] is each for name, each in original.items())
    figures["again"] = timed(lambda: ancestry_obs.install(map_file, settings=on))
    print(json.dumps(figures))


OFF = """
import os, sys
from time import perf_counter, process_time
sys.path.insert(0, sys.argv[1])
before = len(sys.modules)
started = perf_counter(), process_time()
import ancestry_obs
ancestry_obs.install()
ended = perf_counter(), process_time()
print(ended[0] - started[0], ended[1] - started[1], len(sys.modules) - before)
"""


def off(folder: str) -> list[list[float]]:
    """Import the toolkit and install with metrics off, in processes that do nothing else.

    Args:
        folder: one without a `.env` file.

    Returns:
        Seconds on the wall, seconds of the processor and imported modules, of each process.
    """
    found = find_spec("ancestry_obs")
    assert found
    assert found.origin
    # Isolated, and without what a site's own start-up imports first.
    command = [sys.executable, "-I", "-S", "-c", OFF, os.fspath(Path(found.origin).parents[1])]
    ours = ("METRICS_", "PROMETHEUS_METRICS", "INSTRUMENTATION_MAP")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    runs = [
        subprocess.run(command, check=True, capture_output=True, cwd=folder, env=clean)  # noqa: S603 - ourselves
        for _ in range(BARE_PROCESSES + 1)
    ]
    return [[*map(float, run.stdout.split())] for run in runs[1:]]


def main() -> None:
    """Measure in fresh processes, and print the table."""
    processes = int(sys.argv[1]) if len(sys.argv) > 1 else PROCESSES
    with tempfile.TemporaryDirectory() as folder:
        write_package(Path(folder))
        command = [sys.executable, os.fspath(Path(__file__).resolve()), "--in-process", folder]
        runs = [
            json.loads(subprocess.run(command, check=True, capture_output=True).stdout)  # noqa: S603 - ourselves
            for _ in range(processes + 1)
        ][1:]
        command.append(os.fspath(Path(folder, "cache")))
        for number in range(processes + 1):
            done = subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - ourselves
            if number:
                runs[number - 1]["cached"] = json.loads(done.stdout)["install"]
        bare = off(folder)
    print(f"Python {sys.version.split()[0]}, {TARGETS} targets, {processes} processes\n")
    print(f"{'milliseconds':42}{'median':>9}{'fastest':>9}{'processor, median':>20}")
    for key, name in (
        ("install", "install()  (must 360, aim 250)"),
        ("cached", "install(), code cached"),
        ("importing", "  of it: first import of the toolkit"),
        ("weaving", "  of it: map and 1,000 targets"),
        ("uninstall", "uninstall()"),
        ("again", "install() once more"),
        ("disabled", "install() with metrics off"),
    ):
        wall, processor = ([run[key][clock] * 1000 for run in runs] for clock in (0, 1))
        print(f"{name:42}{statistics.median(wall):9.3f}{min(wall):9.3f}", end="")
        print(f"{statistics.median(processor):20.3f}")
    wall, processor = ([run[clock] * 1000 for run in bare] for clock in (0, 1))
    name = "import and install(), off (must 15, aim 8)"
    print(f"{name:42}{statistics.median(wall):9.3f}{min(wall):9.3f}", end="")
    print(f"{statistics.median(processor):20.3f}")
    print(f"\nmodules that the last line imports: {bare[0][2]:.0f}")


if __name__ == "__main__":
    if "--in-process" in sys.argv:
        in_process(*sys.argv[sys.argv.index("--in-process") + 1 :])
    else:
        main()
