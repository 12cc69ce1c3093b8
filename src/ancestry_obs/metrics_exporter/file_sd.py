"""Tell Prometheus where many workers listen: one JSON file that all of them share.

A worker's address comes in; the file, which an ordinary `file_sd_configs` reads, has it until the
worker ends. Every change is made under a lock and replaces the file in one step. What a killed
worker left behind is taken out by the others on the same host (`clear`). POSIX alone.

The format: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from posix import close
from typing import TYPE_CHECKING, Any, TypeAlias

from ancestry_obs.exceptions import ExporterError
from ancestry_obs.metrics_exporter.textfile import write_textfile
from ancestry_obs.process_tree.identity import start_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["WORKER_LABEL", "Registration", "clear", "register"]

WORKER_LABEL = "__ancestry_obs_worker"
"""Host, process id and start of the worker; Prometheus drops labels with two underscores."""

_PATIENCE_SECONDS = 5.0
_RETRY_SECONDS = 0.02

Entry: TypeAlias = "dict[str, Any]"


@dataclass(frozen=True)
class Registration:
    """An entry in the file.

    Args:
        path: The file.
        target: The address in it.
        worker: Who registered it.
        process: The process that did, which alone takes it out again.
    """

    path: Path
    target: str
    worker: str
    process: int = field(default_factory=os.getpid)

    def remove(self) -> None:
        """Take the entry out; does nothing in a forked child, whose parent still listens.

        Raises:
            ExporterError: The file cannot be read, locked or written.
        """
        if os.getpid() == self.process:
            _update(self.path, lambda entries: [each for each in entries if not self._is_in(each)])

    def _is_in(self, entry: Entry) -> bool:
        return _worker(entry) == self.worker and entry.get("targets") == [self.target]


def register(
    path: str | os.PathLike[str], target: str, labels: Mapping[str, str] | None = None
) -> Registration:
    """Enter this process into a file that Prometheus discovers targets from.

    Args:
        path: The file; made if there is none. Beside it there will be one with ``.lock`` added.
        target: ``host:port`` as Prometheus reaches it, such as `Exporter.address`.
        labels: Further labels of every series scraped from here.

    Returns:
        The registration, to be removed when the process ends.

    Raises:
        ExporterError: The file cannot be read, locked or written, or is something else.

    Example:
        >>> registration = register("/var/lib/prometheus/workers.json", exporter.address)
        >>> atexit.register(registration.remove)
    """
    process = os.getpid()
    host = socket.gethostname()
    worker = f"{host}/{process}/{start_of(process)}"
    entry: Entry = {"targets": [target], "labels": {**(labels or {}), WORKER_LABEL: worker}}
    _update(Path(path), lambda entries: [*entries, entry])
    return Registration(Path(path), target, worker)


def clear(path: str | os.PathLike[str]) -> None:
    """Take out the entries of workers of this host that run no more; does nothing without one.

    Args:
        path: The file.

    Raises:
        ExporterError: The file cannot be read, locked or written, or is something else.
    """
    if any(map(_is_dead, _read(Path(path)))):
        _update(Path(path), lambda entries: entries)


def _update(path: Path, change: Callable[[list[Entry]], list[Entry]]) -> None:
    with _locked(path):
        living = [each for each in _read(path) if not _is_dead(each)]
        text = json.dumps(change(living), indent=2)
        write_textfile(path, f"{text}\n".encode())


@contextmanager
def _locked(
    path: Path,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Hold the lock beside the file; the system releases it if the process is killed."""
    # A file of its own: the shared one is replaced, and a lock on what it was locks nobody out.
    lock = path.with_name(f"{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise ExporterError(
            f"cannot register in {path}: {lock} cannot be opened: {error.strerror}; its folder "
            "must exist and be writable"
        ) from error
    try:
        # Not a blocking lock: a worker that was stopped while it held one would stop them all.
        give_up = clock() + _PATIENCE_SECONDS
        while not _try_lock(descriptor):
            if clock() >= give_up:
                raise ExporterError(
                    f"cannot register in {path}: another process has held {lock} for "
                    f"{_PATIENCE_SECONDS:g} seconds; find it with 'fuser {lock}'"
                )
            sleep(_RETRY_SECONDS)
        yield
    finally:
        # gevent's `os.close` leaves it to its event loop, and the lock with it.
        close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(path: Path) -> list[Entry]:
    try:
        entries = json.loads(path.read_bytes() or b"[]")
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise _not_ours(path, error) from error
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise _not_ours(path, "it holds no list of target groups")
    return entries


def _not_ours(path: Path, reason: object) -> ExporterError:
    return ExporterError(
        f"cannot register in {path}: {reason}; remove the file or set METRICS_FILE_SD to another"
    )


def _worker(entry: Entry) -> str | None:
    """Give who made an entry, or `None` for one that was written by hand."""
    labels = entry.get("labels")
    worker = labels.get(WORKER_LABEL) if isinstance(labels, dict) else None
    return worker if isinstance(worker, str) else None


def _is_dead(entry: Entry) -> bool:
    """Tell whether an entry's worker ran on this host and does no more."""
    host, _, identity = (_worker(entry) or "").partition("/")
    if host != socket.gethostname():
        return False
    process, _, start = identity.partition("/")
    return not process.isdecimal() or start_of(int(process)) != start
