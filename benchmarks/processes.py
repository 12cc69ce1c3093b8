"""What it costs to measure many processes, beside prometheus_client's mode for that.

    python benchmarks/processes.py [rounds]

Four parts, each in processes of its own (`_process_tree.py`), since prometheus_client decides once
for a process whether it counts for many:

    a call         in a process on its own and in a run with children that are measured too; the
                   peer by hand with the same labels, in both of its modes
    handing over   a thousand histogram series with 15 buckets, which a process does each second
    a scrape       of 8 and 64 processes with so many series each, and of 1,000 that have ended
    the disk       what both keep of those

The processes of a part take turns, round by round. Time is the processor's, so that what else the
machine does is not in it. Both sides of a scrape have the same numbers, which is asserted.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _process_tree import CALLS, ENDED, MULTI, SERIES, SERIES_OF_SHORT

PART = Path(__file__).with_name("_process_tree.py")
ROUNDS = 60
MUST_CALL = 1.05
MUST_SHARE = 0.005
PROCESSES = {8: 5, 64: 2}
"""How many of them there are, and how often they are scraped."""


def environment(folder: str | None) -> dict[str, str]:
    """Give the variables of a part, with the peer's mode for many processes if it has a folder."""
    dropped = ("METRICS_", "INSTRUMENTATION_MAP", "PROMETHEUS_", "ANCESTRY_OBS_RUN")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return kept if folder is None else {**kept, MULTI: folder}


def part(*words: str) -> Any:  # noqa: ANN401 - what the part has measured
    """Do a part and give what it measured."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(PART), *words]
        done = subprocess.run(command, stdout=subprocess.PIPE, env=environment(folder), check=True)  # noqa: S603 - ourselves
    return json.loads(done.stdout)


def measure_calls(rounds: int) -> dict[str, list[float]]:
    """Give the seconds of a call in each round; one more round warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in CALLS}
    with tempfile.TemporaryDirectory() as folder:
        callers = {
            name: subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, str(PART), "call", name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment(folder if name.endswith("many processes") else None),
            )
            for name in CALLS
        }
        for number in range(rounds + 1):
            for name, caller in callers.items():
                assert caller.stdin
                assert caller.stdout
                caller.stdin.write("\n")
                caller.stdin.flush()
                took = float(caller.stdout.readline())
                if number:
                    seconds[name].append(took)
        for caller in callers.values():
            caller.communicate()
            assert caller.returncode == 0
    return seconds


def print_calls(rounds: int) -> None:
    """Measure and print what a call costs."""
    seconds = measure_calls(rounds)
    bare = {"fastest": min(seconds["bare"]), "median": statistics.median(seconds["bare"])}
    mine = min(seconds["ours in a run"]) - bare["fastest"]
    print(f"{'a call, in ns':34}{'median':>9}{'fastest':>9}{'on top':>9}{'x in a run':>12}")
    for name, each in seconds.items():
        figures = statistics.median(each), min(each), min(each) - bare["fastest"]
        print(f"{name:34}" + "".join(f"{figure * 1e9:9.0f}" for figure in figures), end="")
        print(f"{figures[2] / mine:12.2f}")
    alone, tree = seconds["ours"], seconds["ours in a run"]
    ratios = (
        (min(tree) - bare["fastest"]) / (min(alone) - bare["fastest"]),
        (statistics.median(tree) - bare["median"]) / (statistics.median(alone) - bare["median"]),
        statistics.median(a / b for a, b in zip(tree, alone, strict=True)),
    )
    print("in a run against without one, on top: fastest {:.3f}x, median {:.3f}x;".format(*ratios))
    print(f"  the median of the rounds' ratios {ratios[2]:.3f}x (must {MUST_CALL})")


def print_handing() -> None:
    """Measure and print what it costs to hand over."""
    print(f"\nhanding over {SERIES} series, ms{'median':>13}{'fastest':>9}{'of a core':>12}")
    for name, each in part("handing").items():
        median = statistics.median(each)
        print(f"  {name:34}{median * 1e3:9.2f}{min(each) * 1e3:9.2f}{median:11.2%}")
    print(f"  must: {MUST_SHARE:.1%} of a core, all of them new, fold included")


def print_scrapes() -> None:
    """Measure and print scrapes and the disk."""
    parts = {
        f"{n} processes, {SERIES} series": ("living", n, each) for n, each in PROCESSES.items()
    }
    parts[f"{ENDED} ended, {SERIES_OF_SHORT} series"] = ("ended",)
    found = {name: part(*map(str, words)) for name, words in parts.items()}
    print(f"\n{'a scrape, fastest, in ms':34}{'ours':>12}{'theirs':>12}{'times':>9}")
    for name, each in found.items():
        seconds = each["seconds"]
        ours, theirs = min(seconds["ours"]), min(seconds["theirs"])
        print(f"{name:34}{ours * 1e3:12.1f}{theirs * 1e3:12.1f}{theirs / ours:9.1f}")
        if "ours, nothing new" in seconds:
            unchanged = min(seconds["ours, nothing new"])
            print(f"{'  the same, none has handed over':34}{unchanged * 1e3:12.1f}")
    print(f"\n{'longest stall of a thread, in ms':34}{'ours':>12}{'theirs':>12}{'times':>9}")
    for name, each in found.items():
        if "stall" in each:
            ours, theirs = each["stall"]["ours"], each["stall"]["theirs"]
            print(f"{name:34}{ours * 1e3:12.1f}{theirs * 1e3:12.1f}{theirs / ours:9.1f}")
    print(f"\n{'on the disk, in kB':34}{'ours':>12}{'theirs':>12}{'times':>9}")
    for name, each in found.items():
        ours, theirs = each["disk"]["ours"], each["disk"]["theirs"]
        print(f"{name:34}{ours / 1e3:12,.0f}{theirs / 1e3:12,.0f}{theirs / ours:9.1f}")


def main() -> None:
    """Measure and print everything."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    print(f"Python {sys.version.split()[0]}, {rounds} rounds\n")
    print_calls(rounds)
    print_handing()
    print_scrapes()


if __name__ == "__main__":
    main()
