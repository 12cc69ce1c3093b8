"""Runs a package's suite, each time in a process of its own; a `Run` comes out.

The source distribution is unpacked afresh for each run, so that nothing is seen of what an earlier
run left behind; in the same place each time, since some test ids have the path in them.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from transparency.packages import HERE, Package, Variant, targets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Run", "Suite", "Target", "end_all"]

# Longer than any suite takes; a run that hangs is a difference, not a session that never ends.
_SECONDS: Final = {False: 420, True: 1800}
_LINES_KEPT: Final = 15

_PYTEST: Final = ("-m", "pytest")
_EARLY: Final = ("-c", "import foreign_suite, pytest; raise SystemExit(pytest.console_main())")

_ENVIRONMENT: Final = {
    # Only the plugins that a suite asks for: others would import packages before they are woven.
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONPATH": str(HERE / "plugins"),
    # Hypothesis draws the same examples each time then, and has no deadline.
    "CI": "true",
}


_running: set[subprocess.Popen[bytes]] = set()
_stopped = threading.Event()


@dataclass(frozen=True, slots=True)
class Target:
    """A woven function, as the toolkit's status has it."""

    name: str
    state: str
    reason: str
    calls: int


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a suite came to.

    Args:
        outcomes: how each test ended, by its node id.
        seconds: how long it took.
        deselected: how many tests each entry of `allowed.toml` left out.
        targets: what was woven.
        counts: for each target the toolkit's calls and the independent count, if there was one.
        crash: why there is no report; empty if there is one.
    """

    outcomes: dict[str, str]
    seconds: float
    deselected: Mapping[str, int] = field(default_factory=dict)
    targets: Sequence[Target] = ()
    counts: Sequence[tuple[str, int, int | None]] = ()
    crash: str = ""

    @property
    def installed(self) -> int:
        """How many targets are woven."""
        return sum(each.state == "installed" for each in self.targets)

    @property
    def calls(self) -> int:
        """How many calls the toolkit counted."""
        return sum(each.calls for each in self.targets)


@dataclass(frozen=True, slots=True)
class Suite:
    """A package's suite, ready to be run.

    Args:
        package: whose suite.
        archive: the source distribution.
        folder: where to work; emptied first. Its path is to be short: suites make sockets there.
        deselect: tests, classes, files or folders that are left out.
        whole: whether all of it is run, however long it takes.
    """

    package: Package
    archive: Path
    folder: Path
    deselect: Sequence[str]
    whole: bool

    def run(self, variant: Variant | None, *, count: bool = False) -> Run:
        """Run it.

        Args:
            variant: what is woven; None for nothing.
            count: whether calls are counted independently too.

        Raises:
            RuntimeError: the session is being stopped.
        """
        if _stopped.is_set():
            raise RuntimeError("the session is being stopped")
        source = self._unpack()
        patterns = [] if variant is None else targets(self.package, variant)
        job, report = self.folder / "job.json", self.folder / "report.json"
        wishes = {
            "targets": patterns,
            "imports": self.package.imports,
            "quiet": self.package.quiet,
            "deselect": self.deselect,
            "count": count,
            "report": str(report),
        }
        job.write_text(json.dumps(wishes), "utf-8")
        began = time.monotonic()
        end, output = _execute(self._command(source), source, job, _SECONDS[self.whole])
        seconds = time.monotonic() - began
        if end or not report.exists():
            return Run({}, seconds, crash=f"{end or 'no report'}\n{output}")
        return _read(json.loads(report.read_text("utf-8")), seconds, patterns)

    def _unpack(self) -> Path:
        shutil.rmtree(self.folder, ignore_errors=True)
        with tarfile.open(self.archive) as content:
            content.extractall(self.folder, filter="data")
        (source,) = self.folder.iterdir()
        # A suite without a configuration of its own would be run with the next one further up.
        (self.folder / "pytest.ini").touch()
        return source

    def _command(self, source: Path) -> list[str]:
        return [
            *(sys.executable, *(_EARLY if self.package.early else _PYTEST)),
            *("-p", "foreign_suite", "-p", "no:cacheprovider", "-q"),
            *("--rootdir", str(source), "--confcutdir", str(source)),
            *("--basetemp", str(self.folder / "tmp")),
            *self.package.options,
            *(self.package.whole if self.whole else self.package.tests),
        ]


def end_all() -> None:
    """End the runs that are under way, which no interrupt reaches, and let no other begin."""
    _stopped.set()
    for process in tuple(_running):
        _end_group(process)


def _execute(command: Sequence[str], source: Path, job: Path, seconds: int) -> tuple[str, str]:
    """Run a command; give how it ended, if badly, and the last of what it printed."""
    environment = {**os.environ, **_ENVIRONMENT, "FOREIGN_SUITE": str(job)}
    for name in ("PYTEST_ADDOPTS", "PYTHONDONTWRITEBYTECODE", "FORCE_COLOR", "NO_COLOR"):
        environment.pop(name, None)
    log = source.with_name("output.txt")
    with log.open("wb") as stream:
        # A session of its own, so that what a suite started ends with it.
        process = subprocess.Popen(  # noqa: S603  the command is ours
            command,
            cwd=source,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        _running.add(process)
        end = ""
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code, end = 0, f"not done after {seconds} s"
        finally:
            _end_group(process)
            _running.discard(process)
    # 1: some tests failed, which is for the comparison to judge.
    if code not in {0, 1}:
        end = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
    lines = log.read_text("utf-8", errors="replace").splitlines()
    return end, "\n".join(lines[-_LINES_KEPT:])


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a suite with everything that it started and did not end itself."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read(report: Mapping[str, Any], seconds: float, patterns: Sequence[str]) -> Run:
    """Read a report; a glob that matched nothing is no fault, since every package gets the same."""
    return Run(
        outcomes=report["outcomes"],
        seconds=seconds,
        deselected=report["deselected"],
        targets=[Target(*each) for each in report["targets"] if each[0] not in patterns],
        counts=[(target, calls, count) for target, calls, count in report["counts"]],
    )
