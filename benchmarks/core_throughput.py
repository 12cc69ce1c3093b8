"""Action 6 at full speed: requests a second, and memory as the matches grow.

The embedded service runs as a process of its own; the limiter is opened, faults are off. Printed
are requests a second with the service's share of the processor included, and the resident memory
and Python's own allocations at 1,000, 2,000 and 3,000 matches.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import tracemalloc
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ancestry_core.actions.action6_gather import coord
from ancestry_core.config import load_settings
from ancestry_core.service import DEFAULT_PASSWORD, DEFAULT_USERNAME
from ancestry_core.session_manager import SessionManager

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ancestry_core.actions.completion import Progress

MATCHES = 3_000
STEP = 1_000
MUST_REQUESTS_PER_SECOND = 150
MUST_GROW_LESS_BYTES = 1_000_000
"""From 1,000 to 3,000 matches; holding on to them would take several times that."""


class Memory:
    """Notes the memory each time that so many more matches are done."""

    def __init__(self, platform: SessionManager) -> None:
        self._monitor = platform.monitor
        self.readings: list[tuple[int, int, int]] = []

    def __call__(self, progress: Progress) -> None:
        """Take a reading if it is time for one."""
        if progress.done >= STEP * (len(self.readings) + 1):
            traced = tracemalloc.get_traced_memory()[0]
            self.readings.append((progress.done, self._monitor.memory_bytes(), traced))


def main() -> int:
    """Gather twice, for speed and for memory, and print both."""
    with running_service() as base_url, tempfile.TemporaryDirectory() as folder:
        with open_platform(base_url, Path(folder, "speed.db")) as platform:
            began = time.perf_counter()
            summary = coord(platform)
            seconds = time.perf_counter() - began
            requests = platform.api.statistics.requests_sent
        assert summary.success == MATCHES, summary
        rate = requests / seconds
        print(f"{requests} requests in {seconds:.1f} s: {rate:.0f} requests/s", end=" ")
        print(f"(must be {MUST_REQUESTS_PER_SECOND} or more)")
        readings = measure_memory(base_url, Path(folder, "memory.db"))
    for matches, resident, traced in readings:
        print(f"{matches:>6} matches: {resident / 1e6:7.1f} MB resident,", end=" ")
        print(f"{traced / 1e6:6.2f} MB allocated by Python")
    growth = readings[-1][2] - readings[0][2]
    print(f"growth from {readings[0][0]} to {readings[-1][0]} matches: {growth / 1e3:+.0f} kB")
    return 0 if rate >= MUST_REQUESTS_PER_SECOND and growth < MUST_GROW_LESS_BYTES else 1


def measure_memory(base_url: str, database: Path) -> list[tuple[int, int, int]]:
    """Gather once more, slower because every allocation is traced."""
    tracemalloc.start()
    with open_platform(base_url, database) as platform:
        memory = Memory(platform)
        coord(platform, on_progress=memory)
    tracemalloc.stop()
    return memory.readings


@contextmanager
def running_service() -> Iterator[str]:
    """Start `ancestry service` and give its base URL."""
    command = [sys.executable, "-m", "ancestry_core", "service", "--port", "0"]
    process = subprocess.Popen(  # noqa: S603 - this project's own command
        [*command, "--matches", str(MATCHES), "--faults", "none"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate()


def open_platform(base_url: str, database: Path) -> SessionManager:
    """Make a platform whose limiter holds nothing back."""
    overrides = {
        "service": {
            "base_url": base_url,
            "username": DEFAULT_USERNAME,
            "password": DEFAULT_PASSWORD,
        },
        "limiter": {"requests_per_second": 100_000},
        # Full at the first reading already, so that what grows is not the cache up to its bound.
        "cache": {"max_entries": 500},
        "database": {"path": database},
    }
    return SessionManager(load_settings(overrides, environ={}, dotenv=None))


if __name__ == "__main__":
    sys.exit(main())
