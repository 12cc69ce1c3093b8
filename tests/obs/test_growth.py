"""Every cost grows in proportion to the work: counted, not timed.

`benchmarks/growth.py` has the times. What is counted is told in `growth_work.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

FUNCTION = """
def work_{number}(item, count=1, *, strict=False):
    if strict and not item:
        raise ValueError(item)
    return [item] * count
"""
METHOD = """
    def work_{number}(self, item, count=1):
        self.items = [item] * count
        return len(self.items)
"""
MAP = """
version = 1
[metrics.seconds]
type = "histogram"
help = "{help}"
buckets = [0.1, 1]
labels.outcome = ["success", "error"]
[metrics.calls_total]
type = "counter"
help = "Calls."
labels.result = {{ max_values = 9 }}
[[instrument]]
target = "grown.*:*"
record = [
  {{ metric = "seconds", labels = {{ outcome = "outcome(error)" }} }},
  {{ metric = "calls_total", labels = {{ result = "type_name(result)" }} }},
]
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Write a package of modules that take names over from each other, once for each size."""
    made = {}

    def make(modules, targets):
        if (modules, targets) not in made:
            made[modules, targets] = write(tmp_path_factory.mktemp("growth"), modules, targets)
        return made[modules, targets]

    return make


def write(folder, modules, targets):
    (folder / "grown").mkdir()
    (folder / "grown/__init__.py").touch()
    each = targets // modules // 2
    for number in range(modules):
        lines = [f"from grown.part_{number // 2:03} import work_0 as earlier\n"] if number else []
        lines += [FUNCTION.format(number=each) for each in range(each)]
        lines += ["\nclass Worker:", *(METHOD.format(number=each) for each in range(each))]
        (folder / f"grown/part_{number:03}.py").write_text("".join(lines))
    (folder / "map.toml").write_text(MAP.format(help="Seconds."))
    (folder / "changed.toml").write_text(MAP.format(help="Duration."))
    return folder


def work(name, folder):
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("growth_work.py")), name, str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# Modules, and targets in all of them together.
MODULES = ((5, 50), (20, 200), (80, 800))
# The compiler uses up to 32 trees of a module again: the fewest are more than that.
TARGETS = ((1, 100), (1, 300), (1, 700))


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        *(
            pytest.param(name, MODULES, id=f"{name}-modules")
            for name in ("import", "check", "install", "status", "scrape", "reload_changed")
        ),
        *(
            pytest.param(name, TARGETS, id=f"{name}-targets")
            for name in (
                "import",
                "check",
                "install",
                "status",
                "scrape",
                "reload_changed",
                "reload",
            )
        ),
    ],
)
def test_work_per_target_does_not_grow(package, name, sizes):
    works = [work(name, package(*size)) for size in sizes]
    if name != "check":
        expected = [["installed"] * targets for _, targets in sizes]
        assert [each["states"] for each in works] == expected
    # Each further target's, so that what is done once does not hide what grows.
    less, more = (
        (after["lines"] - before["lines"]) / (targets - fewer)
        for (before, after), ((_, fewer), (_, targets)) in zip(
            pairwise(works), pairwise(sizes), strict=True
        )
    )
    assert more <= less * 1.1
    # A search over all objects of the process takes longer, too, the more of them there are.
    assert len({each["searches"] for each in works}) == 1


def test_an_import_under_a_map_searches_nothing(package):
    assert work("import", package(20, 200))["searches"] == 0


def test_memory_of_the_status_is_its_answer(package):
    (_, fewer), _, (_, targets) = TARGETS
    less, more = (work("status_memory", package(1, each))["memory"] for each in (fewer, targets))
    assert (more - less) / (targets - fewer) <= 5_000
