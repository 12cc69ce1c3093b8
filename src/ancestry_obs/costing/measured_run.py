"""A command is run, without a map or with it: what it took and what was counted comes back.

With a map it is run as `ancestry-obs run` does it, its children included, but nothing is let out:
no file, no push, no entry for Prometheus, and any free port. What the program prints is thrown
away; what it writes to standard error is kept for the message if it fails.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.costing.capturing_map import capturing
from ancestry_obs.costing.conventions import PRICES, SECONDS
from ancestry_obs.exceptions import LaunchError
from ancestry_obs.frozen import define, field
from ancestry_obs.process_tree import new_run, run_folder
from ancestry_obs.settings import ObservabilitySettings
from ancestry_obs.variables import read_variables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ancestry_obs.mapfile import MapSpec
    from ancestry_obs.process_tree.totals import Target

__all__ = ["Command", "MeasuredRun", "unseen"]

# What a Python of the run does first; then it gets the `sitecustomize` that it would have had.
_STARTUP: Final = """\
import os, sys
here = os.path.dirname(__file__)
while here in sys.path:
    sys.path.remove(here)
sys.path_importer_cache.pop(here, None)
{step}
del sys.modules["sitecustomize"]
import sitecustomize
"""
_STEP: Final = """\
try:
    from ancestry_obs.costing import {module}
    {module}.begin({folder!r}{more})
except ImportError:
    pass
"""
_LIST: Final = """\
def leave_modules():
    path = {folder!r} + "/%d.modules" % os.getpid()
    try:
        with open(path + ".part", "w") as file:
            file.write(" ".join(list(sys.modules)))
        os.replace(path + ".part", path)
    except OSError:
        pass
import atexit
atexit.register(leave_modules)
"""
_IMPORTS: Final = """\
from importlib import import_module
for name in {names!r}:
    try:
        import_module(name)
    except Exception:
        pass
"""
# What lets metrics out, or would let the program install a map by itself.
_OUTLETS: Final = ("textfile", "push_url", "file_sd")


@define()
class MeasuredRun:
    """What one run took.

    Args:
        processor: the processor time of all its processes, in seconds.
        wall: from its beginning to its end, in seconds.
        targets: what is told of each target of the map; none without one.
        seen: the processor time of what `stopwatch` times, in seconds.
        started: how many Pythons were started; those that were forked not among them.
        prices: what `pricing` has left, for each process.
    """

    processor: float
    wall: float
    targets: dict[str, Target] = field(default_factory=dict)
    seen: float = 0.0
    started: int = 0
    prices: list[dict[str, Any]] = field(default_factory=list)


class Command:
    """A command that is run again and again.

    Args:
        file: the program.
        words: what it is called with, its own name first.
        spec: the map.
    """

    def __init__(self, file: str, words: Sequence[str], spec: MapSpec) -> None:
        self._file = file
        self._words = list(words)
        self._spec = spec
        values: dict[str, Any] = {**read_variables(), "enable_prometheus_metrics": True}
        for name in _OUTLETS:
            values.pop(name, None)
        values["metrics_export_port"] = 0
        self._settings = ObservabilitySettings(**values)

    def plain(self) -> MeasuredRun:
        """Run it without the map.

        Raises:
            LaunchError: it cannot be run, or fails.
        """
        return self._run("without the map", {})

    def woven(self) -> MeasuredRun:
        """Run it with the map.

        Raises:
            LaunchError: as for `plain`; or nothing of it was measured.
        """
        run = self._follow("with the map", self._spec, "stopwatch")
        if not run.started:
            raise LaunchError(
                f"{' '.join(self._words)}: no Python of it was measured; is there one, and is "
                "'ancestry-obs[prometheus]' installed for it?"
            )
        return run

    def captured(self, seconds: float) -> MeasuredRun:
        """Run it with the map, and find out what measuring a call of each target takes.

        Args:
            seconds: its processor time without the map.

        Raises:
            LaunchError: as for `plain`.
        """
        return self._follow(
            "with the map, capturing calls", capturing(self._spec), "pricing", f", {seconds!r}"
        )

    def modules(self) -> set[str]:
        """Run it without the map; give the standard library's modules that each Python of it has.

        Raises:
            LaunchError: as for `plain`.
        """
        with _start(_LIST) as (own, path):
            paths = [path, *filter(None, [os.environ.get("PYTHONPATH")])]
            self._run("without the map", {"PYTHONPATH": os.pathsep.join(paths)})
            found = [set(each.read_text().split()) for each in Path(own).glob("*.modules")]
        names = set.intersection(*found) if found else set()
        return {each for each in names if each.partition(".")[0] in sys.stdlib_module_names}

    def _follow(self, how: str, spec: MapSpec, module: str, more: str = "") -> MeasuredRun:
        what = self._settings, spec
        with _start(_STEP, module=module, more=more) as (own, path), _run_of(what) as folder:
            variables = new_run.followed(os.environ, folder)
            variables["PYTHONPATH"] = os.pathsep.join([path, variables["PYTHONPATH"]])
            run = self._run(how, variables)
            run.targets = run_folder.RunFolder(folder).others()[0].reached()
            _take_in(run, own)
        return run

    def _run(self, how: str, variables: Mapping[str, str]) -> MeasuredRun:
        environment = {**os.environ, "PROMETHEUS_METRICS_ENABLED": "false", **variables}
        with tempfile.TemporaryFile() as said:
            began = perf_counter()
            try:
                # The program's own; its time is that of the process and of those it waited for.
                process = subprocess.Popen(  # noqa: S603  that is the command's purpose
                    self._words,
                    executable=self._file,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                )
            except OSError as error:
                raise LaunchError(
                    f"{self._file}: cannot be executed: {error.strerror}; is it a program?"
                ) from error
            code, usage = _waited(process)
            wall = perf_counter() - began
            if code:
                raise LaunchError(_failure(self._words, how, code, said))
        return MeasuredRun(usage, wall)


@contextmanager
def _start(step: str, **names: str) -> Iterator[tuple[str, str]]:
    """Make a folder for what processes leave, and one for PYTHONPATH with a step to do first."""
    own = tempfile.mkdtemp(prefix="ancestry-obs-cost-")
    try:
        path = Path(own, "start")
        path.mkdir()
        text = _STARTUP.format(step=step.format(folder=own, **names))
        Path(path, "sitecustomize.py").write_text(text)
        yield own, str(path)
    finally:
        new_run.take_away(own)


def _take_in(run: MeasuredRun, folder: str) -> None:
    """Add up what the processes of a run have left."""
    for path in sorted(Path(folder).iterdir()):
        if path.suffix == SECONDS:
            seconds, started = path.read_text().split()
            run.seen += float(seconds)
            run.started += int(started)
        elif path.suffix == PRICES:
            run.prices.append(json.loads(path.read_text()))


@contextmanager
def _run_of(what: object) -> Iterator[str]:
    """Make the folder of a run, which stays until its totals have been read."""
    folder = run_folder.create(what)
    try:
        yield folder
    finally:
        run_folder.RunFolder(folder).leave()


def _waited(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    """Wait for the end of a process; give its exit code and the processor time of its tree."""
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.kill()
        process.wait()
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime


def unseen(spec: MapSpec, modules: set[str], rounds: int) -> float:
    """Give what a Python takes longer to start and to end, other than what is timed in it.

    It is that of a program that does nothing: neither the imports that the program makes anyway nor
    how long it takes to take so many modules apart can be seen from within.

    Args:
        spec: the map.
        modules: what the program imports anyway.
        rounds: how often to run it, without the map and with it.

    Returns:
        Seconds of processor time.
    """
    text = _IMPORTS.format(names=sorted(modules))
    command = Command(sys.executable, [sys.executable, "-c", text], spec)
    command.plain()
    command.woven()
    pairs = [(command.plain(), command.woven()) for _ in range(rounds)]
    return max(
        0.0, median(woven.processor - plain.processor - woven.seen for plain, woven in pairs)
    )


def _failure(words: Sequence[str], how: str, code: int, said: Any) -> str:  # noqa: ANN401  a file
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines()
    last = f" ({lines[-1]:.300})" if lines else ""
    end = f"exit code {code}" if code > 0 else f"signal {signal.Signals(-code).name}"
    return (
        f"{' '.join(words)}: ended with {end} {how}{last}; a run that fails is not measured, so "
        "name a command that ends well"
    )
