"""What this process uses: threads, memory, processor time.

In: nothing. Out: figures at the moment of asking, by psutil. It starts no thread, keeps no
history, and opens nothing before it is asked.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class PerformanceSnapshot:
    """The figures of one moment.

    Attributes:
        threads: Python threads alive.
        memory_bytes: Resident memory.
        cpu_percent: Processor use since the last reading; 100 is one full core.
    """

    threads: int
    memory_bytes: int
    cpu_percent: float


class PerformanceMonitor:
    """Reads the figures of the running process.

    Example:
        >>> PerformanceMonitor().thread_count() >= 1
        True
    """

    def __init__(self) -> None:
        self._process = psutil.Process()

    def thread_count(self) -> int:
        """Count the Python threads alive.

        Returns:
            The number, the main thread included.
        """
        return threading.active_count()

    def memory_bytes(self) -> int:
        """Read the resident memory.

        Returns:
            Bytes.
        """
        return int(self._process.memory_info().rss)

    def cpu_percent(self) -> float:
        """Read the processor use since the last reading.

        Returns:
            Percent of one core; 0.0 at the first reading, which only sets the start.
        """
        return float(self._process.cpu_percent(interval=None))

    def snapshot(self) -> PerformanceSnapshot:
        """Read everything at once.

        Returns:
            The figures.
        """
        return PerformanceSnapshot(self.thread_count(), self.memory_bytes(), self.cpu_percent())
