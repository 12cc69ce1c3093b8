"""How much later a program starts under `ancestry-obs run`, beside the peers' launchers.

Every start is a process of its own, from the command to the program's end; the program does
nothing. The launchers take turns, so that what else the machine does meets all of them. Each
peer's exporter is off: what is measured is what the launchers do before the program.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

ROUNDS = 40
MUST_SECONDS = 0.1
MAP = """\
version = 1

[metrics.calls_total]
type = "counter"
help = "Calls."

[[instrument]]
target = "program:work"
record = [{ metric = "calls_total" }]
"""
PROGRAM = "def work(): ...\nwork()\n"
FOLDER = Path(sys.executable).parent
PYTHON = [sys.executable, "program.py"]
LAUNCHERS = {
    "plain Python": PYTHON,
    "ancestry-obs run": [
        str(FOLDER / "ancestry-obs"),
        *("run", "--map", "map.toml", "--port", "0", "--"),
        *PYTHON,
    ],
    "opentelemetry-instrument": [str(FOLDER / "opentelemetry-instrument"), *PYTHON],
    "ddtrace-run": [str(FOLDER / "ddtrace-run"), *PYTHON],
}
OFF = {
    "OTEL_TRACES_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "DD_TRACE_ENABLED": "false",
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
}


def main() -> None:
    """Print the table."""
    present = {name: words for name, words in LAUNCHERS.items() if shutil.which(words[0])}
    for name in LAUNCHERS.keys() - present.keys():
        print(f"{name}: not installed, so not measured")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "program.py").write_text(PROGRAM, "utf-8")
        Path(folder, "map.toml").write_text(MAP, "utf-8")
        seconds = _measure(present, folder)
    plain_median, plain_fastest = seconds["plain Python"]
    print("milliseconds from the command to the program's end, of", ROUNDS)
    print(f"{'':26}{'median':>8}{'fastest':>9}{'on top':>9}{'times plain':>13}")
    for name, (median, fastest) in seconds.items():
        on_top = median - plain_median
        print(
            f"{name:26}{median * 1e3:8.0f}{fastest * 1e3:9.0f}{on_top * 1e3:9.0f}"
            f"{median / plain_median:13.1f}"
        )
    ours = seconds["ancestry-obs run"][1] - plain_fastest
    verdict = "kept" if ours <= MUST_SECONDS else "missed"
    print(
        f"must: at most {MUST_SECONDS * 1e3:.0f} on top, by the fastest {ours * 1e3:.0f}: {verdict}"
    )


def _measure(launchers: dict[str, list[str]], folder: str) -> dict[str, tuple[float, float]]:
    """Start each in turn; give the median and the fastest start of each in seconds."""
    # Modules are compiled once, as where the toolkit is installed.
    dropped = ("PYTHONDONTWRITEBYTECODE", "METRICS_", "INSTRUMENTATION_MAP", "PROMETHEUS_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    taken: dict[str, list[float]] = {name: [] for name in launchers}
    for number in range(ROUNDS + 1):
        for name, words in launchers.items():
            began = perf_counter()
            done = subprocess.run(  # noqa: S603 - the words are ours
                words, cwd=folder, env={**kept, **OFF}, capture_output=True, check=False
            )
            if number:  # the first start compiles modules
                taken[name].append(perf_counter() - began)
            assert done.returncode == 0, done.stderr.decode()
    return {name: (statistics.median(each), min(each)) for name, each in taken.items()}


if __name__ == "__main__":
    main()
