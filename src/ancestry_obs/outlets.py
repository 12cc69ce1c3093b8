"""The ways out of the process, as the settings choose them: one object for each installation.

A registry comes in; out go an HTTP exporter with its `file_sd` entry while the program runs, and a
textfile and a push when it ends, by itself or by a signal. None of them may disturb the program:
what fails is logged once and kept for `status()`.

Where the files are is settled when they are asked for: the program may change its folder.
"""

from __future__ import annotations

import atexit
import os
import socket
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Final

from ancestry_obs.exceptions import ExporterError
from ancestry_obs.late_imports import importing
from ancestry_obs.metrics_exporter import Exporter, start_exporter
from ancestry_obs.notices import Notices
from ancestry_obs.process_tree.endings import Endings
from ancestry_obs.recording.failures import came_from_outside, shown, warn
from ancestry_obs.repeater import Repeater
from ancestry_obs.termination import Termination

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client import CollectorRegistry

    from ancestry_obs.metrics_exporter.file_sd import Registration
    from ancestry_obs.metrics_exporter.pages import LiveNumbers, StatusReport
    from ancestry_obs.process_tree.member import Member
    from ancestry_obs.settings import ObservabilitySettings

__all__ = ["EXCHANGERS", "Outlets"]

logger = Notices()

EXCHANGERS: Final = frozenset({"eventlet", "gevent"})
"""What exchanges sockets, threads and locks in the modules of the standard library."""

_SECONDS: Final = 1.0
"""How often a worker looks whether others were killed that stand in the `file_sd` file."""


class Outlets:
    """Exporter, `file_sd` entry, textfile and push of one installation.

    Args:
        settings: which of them there are, and where.
        registry: gives what they give out.
        status: gives what the exporter's `/status` page shows.
        numbers: gives what its live page shows.
        count_failure: called whenever an exporter that was asked for is not there.
        member: this process in its run, one of whose processes lets out what all have measured;
            `None` where each process is on its own.

    Attributes:
        error: why no exporter answers, or none can be found, although one was asked for; empty
            otherwise.
        failed: whether the program is known to end badly, so that no success is pushed.
    """

    def __init__(  # noqa: PLR0913  what it gives out, and what it tells, is named
        self,
        settings: ObservabilitySettings,
        registry: Callable[[], CollectorRegistry],
        status: StatusReport,
        *,
        numbers: LiveNumbers = tuple,
        count_failure: Callable[[], object] = int,
        member: Member | None = None,
    ) -> None:
        self._settings = settings
        self._textfile = _settled(settings.textfile)
        self._file_sd = _settled(settings.file_sd)
        self._registry = registry
        self._status = status
        self._numbers = numbers
        self._count_failure = count_failure
        self.failed = False
        self._closed = False
        self._member = member
        self._termination = Termination(self._end_by_signal, is_nudged=member is not None)
        self._endings = Endings(self._end, self._give_way)
        self._web_config = _settled(settings.web_config) or None
        self._prepare_end()
        self._begin_process()
        _OUTLETS.add(self)

    def _prepare_end(self) -> None:
        """Import what the end needs; not then, which a signal may bring in the midst of imports."""
        if self._textfile:
            from ancestry_obs.metrics_exporter.textfile import write_textfile  # noqa: PLC0415

            self._write_textfile = write_textfile
        if self._settings.push_url:
            from ancestry_obs.metrics_exporter.push import Gateway  # noqa: PLC0415

            self._gateway = Gateway
        if self._textfile or self._settings.push_url:
            import ancestry_obs.collector.exposition  # noqa: F401, PLC0415

    def _begin_process(self) -> None:
        """Begin with nothing: a forked child has neither its parent's socket nor its threads."""
        self._lock = threading.RLock()
        self._exporter: Exporter | None = None
        self._registration: Registration | None = None
        self._clearing = Repeater(self._clear_entries, _SECONDS)
        self._lets_out = False
        self.error = ""

    @property
    def end_error(self) -> str:
        """Why a signal would end the program before the ways out are done; empty otherwise."""
        return self._termination.error

    @property
    def exporter(self) -> Exporter | None:
        """The exporter that answers in this process, if one does."""
        return self._exporter

    def start_exporter(self, host: str | None, port: int | None) -> Exporter | None:
        """Serve; what serves already goes on.

        Args:
            host: the address to listen on; the setting's if None.
            port: the port, 0 for any that is free; the setting's if None.

        Returns:
            The exporter; None if it could not start.
        """
        with self._lock:
            if self._exporter is None and not self._closed and self._serves:
                host = self._settings.metrics_export_host if host is None else host
                port = self._settings.metrics_export_port if port is None else port
                self._start(host, port)
            return self._exporter

    def take_over(self) -> bool:
        """Let out what the run has measured, since the process that did is not there any more.

        Returns:
            Whether it is served; the port may be free only when that process has ended.
        """
        self._lets_out = True
        return self.start_exporter(None, None) is not None

    def load(self) -> None:
        """Import what pages are made and sent with, before somebody exchanges names in it."""
        exporter = self._exporter
        if exporter is None:
            return
        try:
            exporter.load()
            with importing:
                import ancestry_obs.collector.exposition  # noqa: PLC0415  late on purpose
                import ancestry_obs.collector.live_numbers  # noqa: F401, PLC0415  as above
            self._registry()
        except Exception as error:  # noqa: BLE001  the program imports something just now
            warn(logger, "pages cannot be made: %s", shown(error))

    def stop_exporter(self) -> None:
        """Stop serving and withdraw the `file_sd` entry; nothing happens if nothing serves."""
        with self._lock:
            exporter, self._exporter = self._exporter, None
            self._withdraw()
        if exporter is not None:
            exporter.stop()

    def arrange_end(self) -> None:
        """See to it that the end of the program writes and pushes what the settings ask for."""
        self._lets_out = True
        atexit.register(self._end)
        if self._member is not None or self._file_sd:
            self._endings.watch()
        if self._member is not None:
            self._member.join()
        if self._textfile or self._settings.push_url or self._file_sd:
            self._termination.arm()
        elif self._member is not None and self._member.is_leading:
            self.begin_measuring()

    def begin_measuring(self) -> None:
        """See to it that a signal ends this process after it has handed over what it measured.

        Where another thread than the main one measures first, that is left out: SIGTERM then takes
        with it what was measured since the process last handed over.
        """
        if threading.current_thread() is threading.main_thread():
            self._termination.arm()

    def close(self) -> None:
        """Give out nothing any more, whatever a hook in a call that is still running asks for."""
        self._closed = True
        self._endings.stop()
        self._termination.disarm()
        atexit.unregister(self._end)
        self.stop_exporter()
        atexit.unregister(self.stop_exporter)
        if self._member is not None:
            self._member.end()
            self._member.leave()

    @property
    def _serves(self) -> bool:
        """Whether it is this process that lets out what its run has measured."""
        return self._member is None or self._member.is_leading

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Give the exposition and its content type for an Accept header."""
        with importing:
            from ancestry_obs.collector import render  # noqa: PLC0415  with prometheus_client
        return render(self._registry(), accept)

    def read_back(self) -> str:
        """Give the exposition as a scrape gets it: over HTTP where an exporter answers.

        Returns:
            The page; an empty one if it cannot be made, which the log says.
        """
        exporter = self.exporter
        # Behind a certificate or a password the page is others' to read.
        if exporter is None or exporter.access is not None:
            return self._rendered()
        from ancestry_obs.metrics_exporter.client import get  # noqa: PLC0415  few ask for it

        try:
            return get(exporter.url).decode()
        except OSError as error:
            warn(logger, "%s does not answer: %s", exporter.url, error)
            if hasattr(error, "close"):  # an answer that tells of an error
                error.close()
            return self._rendered()

    def _rendered(self) -> str:
        try:
            return self.render()[0].decode()
        except BaseException as error:  # other collectors in the registry may raise anything
            if came_from_outside(error):
                raise
            warn(logger, "metrics cannot be read back: %s", shown(error))
            return ""

    def _render_pieces(self, accept: str) -> tuple[Iterator[bytes], str]:
        with importing:
            from ancestry_obs.collector import render_pieces  # noqa: PLC0415  as above
        return render_pieces(self._registry(), accept)

    def _start(self, host: str, port: int) -> None:
        try:
            self._exporter = start_exporter(
                host,
                port,
                self._render_pieces,
                status=self._status,
                live=self._numbers if self._settings.metrics_export_page else None,
                web_config=self._web_config,
            )
        except ExporterError as error:
            self._say(f"metrics are not served: {error}")
            return
        self.error = ""
        if not EXCHANGERS.isdisjoint(sys.modules):
            self.load()
        atexit.register(self.stop_exporter)
        logger.info("metrics are served at %s", self._exporter.url)
        self._register(self._exporter)

    def _register(self, exporter: Exporter) -> None:
        if self._file_sd:
            try:
                # The label that Prometheus takes the scheme of the address from.
                labels = {"__scheme__": "https"} if exporter.scheme == "https" else None
                # Few programs register, and importing takes them all longer than it seems.
                from ancestry_obs.metrics_exporter.file_sd import register  # noqa: PLC0415

                self._registration = register(self._file_sd, exporter.address, labels)
            except ExporterError as error:
                self._say(str(error))
            else:
                self._termination.arm()
                self._clearing.start()

    def _clear_entries(self) -> None:
        """Take out the entries of workers that were killed."""
        from ancestry_obs.metrics_exporter.file_sd import clear  # noqa: PLC0415  there by then

        try:
            clear(self._file_sd)
        except ExporterError as error:
            self._say(str(error))

    def _withdraw(self) -> None:
        registration, self._registration = self._registration, None
        self._clearing.stop()
        if registration is not None:
            try:
                registration.remove()
            except ExporterError as error:
                self._say(str(error))

    def _say(self, message: str) -> None:
        self._count_failure()
        # Whoever asks again and again, such as a hook at every call, is told once.
        said, self.error = self.error, message
        if message != said:
            logger.warning("%s", message)

    def _end(self) -> None:
        with self._termination.at_end() as is_to_do:
            if is_to_do:
                self._let_out()

    def _end_by_signal(self) -> None:
        self.failed = True
        self._let_out()

    def _let_out(self) -> None:
        if self._member is not None:
            self._member.end()
        if self._serves:
            self._write()
            with self._lock:
                self._withdraw()
            # Last: it may take longest.
            self._push()
        if self._member is not None:
            self._member.leave()

    def _give_way(self) -> None:
        """Hand over before another program runs in this process."""
        if self._member is not None:
            self._member.give_way()

    def _write(self) -> None:
        if not self._lets_out or not self._textfile:
            return
        try:
            self._write_textfile(self._textfile, self.render()[0])
        except ExporterError as error:
            warn(logger, "metrics are not written: %s", error)
        except BaseException as error:  # other collectors in the registry may raise anything
            if came_from_outside(error):
                raise
            warn(logger, "metrics are not written: %s", shown(error))

    def _push(self) -> None:
        url = self._settings.push_url
        if not self._lets_out or not url:
            return
        # An exception that nobody caught has been noted by the interpreter before it ends.
        succeeded = not self.failed and getattr(sys, "last_value", None) is None
        job = self._settings.metrics_namespace or "ancestry_obs"
        self._gateway(url, job, socket.gethostname()).push(self._registry(), succeeded=succeeded)


def _settled(path: str | None) -> str:
    return os.path.abspath(os.path.expanduser(path)) if path else ""  # noqa: PTH100, PTH111  as it is written, links included


# What is registered for forks stays so: it is once for the process, not for each installation.
_OUTLETS: weakref.WeakSet[Outlets] = weakref.WeakSet()


def _begin_children() -> None:
    for outlets in tuple(_OUTLETS):
        outlets._begin_process()  # noqa: SLF001  one module


os.register_at_fork(after_in_child=_begin_children)
