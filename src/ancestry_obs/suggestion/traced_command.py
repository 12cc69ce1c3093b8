"""A command -> what all its processes called of a package.

The command is a child of this process, with its terminal and standard input; its exit code is what
is given on.
"""

from __future__ import annotations

import marshal
import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.exceptions import LaunchError
from ancestry_obs.process_tree import new_run
from ancestry_obs.suggestion.trace_start import ENDING, PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TRACE_VARIABLE", "Traced", "TracedFunction", "trace"]

TRACE_VARIABLE: Final = "ANCESTRY_OBS_TRACE"
"""The variable that tells a process that it is traced, and where to leave its counts."""

_NANO: Final = 1e9
_SIGNAL: Final = 128
_PASSED_ON: Final = (signal.SIGTERM, signal.SIGHUP)


@dataclass
class TracedFunction:
    """What was called of one function, in all processes.

    Args:
        module: Its module.
        qualname: Its name there.
        first: The first line of its definition, decorators included.
        last: The last line that has code.
        calls: How many began.
        raised: How many raised.
        seconds: In it and in what it called; while it waits for its turn again, a coroutine or a
            generator is not in it.
        own: In it alone.
        values: How often each parameter had which value, with the name of its type, if it had few.
        results: How often it returned something of which type.
    """

    module: str
    qualname: str
    first: int
    last: int
    calls: int = 0
    raised: int = 0
    seconds: float = 0.0
    own: float = 0.0
    values: dict[str, Counter[tuple[str, Any]]] = field(default_factory=dict)
    results: Counter[str] = field(default_factory=Counter)

    @property
    def target(self) -> str:
        """``module:qualname``."""
        return f"{self.module}:{self.qualname}"


@dataclass(frozen=True)
class Traced:
    """What a command did.

    Args:
        code: Its exit code, as a shell tells it.
        functions: What it called.
        seconds: How long its processes ran, added up.
        spent: How much of that went to counting.
        processes: How many left their counts.
        folders: Where the programs' own files are.
    """

    code: int
    functions: list[TracedFunction]
    seconds: float
    spent: float
    processes: int
    folders: list[str]


def trace(package: str, file: str, words: list[str], *, output: int | None) -> Traced:
    """Run a command to its end, and count what it calls.

    Args:
        package: What is traced.
        file: What is executed.
        words: What it is called with, its own name first.
        output: The descriptor that it has for standard output; its own if None.

    Raises:
        LaunchError: It cannot be executed, or the folder for its counts not be made.
    """
    try:
        folder = new_run.make(lambda each: Path(each, PACKAGE).write_text(package, "utf-8"))
    except OSError as error:
        raise LaunchError(
            f"no folder for what is called can be made: {error}; set TMPDIR"
        ) from error
    try:
        code = _run(file, words, _environment(folder), output)
        return _merged(code, [*_left(folder)])
    finally:
        new_run.take_away(folder)


def _environment(folder: str) -> dict[str, str]:
    given = {**os.environ, **new_run.followed(os.environ, folder)}
    given[TRACE_VARIABLE] = given.pop(new_run.RUN_VARIABLE)
    return given


def _run(file: str, words: list[str], environment: dict[str, str], output: int | None) -> int:
    # What both print must come in the order in which it was printed.
    sys.stdout.flush()
    try:
        child = subprocess.Popen(words, executable=file, env=environment, stdout=output)  # noqa: S603 - the command's purpose
    except OSError as error:
        raise LaunchError(
            f"{file}: cannot be executed: {error.strerror}; is it a program?"
        ) from error
    with _signals_for(child):
        code = child.wait()
    return code if code >= 0 else _SIGNAL - code


@contextmanager
def _signals_for(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave Ctrl-C to the command, which has it from the terminal, and pass other ends on."""

    def pass_on(number: int, _: object) -> None:
        child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in _PASSED_ON}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _left(folder: str) -> Iterator[dict[str, Any]]:
    for path in sorted(Path(folder).glob(f"*{ENDING}")):
        try:
            yield {"process": path.name.partition("-")[0], **marshal.loads(path.read_bytes())}  # noqa: S302 - only this user can have written it
        except (EOFError, ValueError, TypeError):  # it was killed while it wrote
            continue


def _merged(code: int, left: list[dict[str, Any]]) -> Traced:
    found: dict[tuple[str, str, int], TracedFunction] = {}
    lost: defaultdict[tuple[str, str, int], set[str]] = defaultdict(set)
    for row in (row for each in left for row in each["rows"]):
        key = row["module"], row["qualname"], row["first"]
        if key not in found:
            found[key] = TracedFunction(*key, row["last"])
        _add(found[key], row, lost[key])
    processes = {each["process"] for each in left}
    folders = {str(Path(each["path"]).absolute().parent) for each in left if each["path"]}
    seconds = sum(each["ns"] for each in left) / _NANO
    spent = sum(each["spent"] for each in left) / _NANO
    called = [each for each in found.values() if each.calls]
    return Traced(code, called, seconds, spent, len(processes), sorted(folders))


def _add(function: TracedFunction, row: dict[str, Any], lost: set[str]) -> None:
    function.calls += row["calls"]
    function.raised += row["raised"]
    function.seconds += row["ns"] / _NANO
    function.own += row["own"] / _NANO
    function.results.update(row["results"])
    # What had too many values in one thread has none that count.
    lost |= set(row["many"])
    for name, seen in row["values"].items():
        kept = function.values.setdefault(name, Counter())
        for kind, value, count in seen:
            kept[kind, value] += count
    for name in lost:
        function.values.pop(name, None)
