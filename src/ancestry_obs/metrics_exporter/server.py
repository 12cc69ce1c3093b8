"""The listening socket, its thread, and what the connections share.

In come a host, a port and the functions behind the pages; out comes an `Exporter` that serves
until it is stopped. It never blocks or ends the program: every thread is a daemon, every read and
write has a time limit, and of connections, pages that are made at once and bytes that wait to be
taken there is a fixed number. Whoever comes when there is no place waits for one; the connection
that has moved nothing for longest is put off for it.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from functools import cached_property
from operator import attrgetter
from time import monotonic
from typing import TYPE_CHECKING, Final, Self
from weakref import WeakSet

from ancestry_obs.frozen import frozen
from ancestry_obs.late_imports import importing
from ancestry_obs.metrics_exporter.addresses import (
    authority,
    is_loopback,
    listen,
    local_host,
    public_host,
)
from ancestry_obs.metrics_exporter.page_making import PageMaking
from ancestry_obs.notices import Notices
from ancestry_obs.unpatched import socket, threading, wait_for_any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from ancestry_obs.metrics_exporter.access import Access
    from ancestry_obs.metrics_exporter.connections import Connection
    from ancestry_obs.metrics_exporter.pages import LiveNumbers, Page, Pages, Render, StatusReport

__all__ = ["BUSY", "Exporter", "Limits", "start_exporter"]

logger = Notices()

# Connections that were put off keep their thread until they notice.
_THREADS_PER_CONNECTION: Final = 2
# How long `stop` waits for a page that is being rendered; program code may run in there.
_STOP_SECONDS: Final = 5.0
# How long the acceptor rests when the process has no file descriptor left.
_REST_SECONDS: Final = 0.1
BUSY: Final = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

_live: WeakSet[Exporter] = WeakSet()


@frozen()
class Limits:
    """What an exporter may take of the program.

    Args:
        connections: How many there may be at once.
        renderings: How many pages may be made at once.
        bytes: How much of pages may wait to be taken, beside those that move.
        silence: How long a connection may move nothing, in seconds.
        patience: How long somebody waits for a place before they get a 503, in seconds: longer than
            a scraper does (Prometheus for ten), unless something here is stuck.
        grace: How long a connection that is new, or that a page is sent to, need not move before it
            may be put off for others, in seconds.
        stall: The same where the other end has all that was sent and takes no more, in seconds.
    """

    connections: int = 64
    renderings: int = 2
    bytes: int = 64 << 20
    silence: float = 30.0
    patience: float = 20.0
    grace: float = 0.25
    stall: float = 0.02


def start_exporter(  # noqa: PLR0913  what is no address is named
    host: str,
    port: int,
    render: Render,
    *,
    status: StatusReport = dict,
    live: LiveNumbers | None = None,
    web_config: str | os.PathLike[str] | None = None,
) -> Exporter:
    """Serve the pages from a thread of its own.

    Args:
        host: The address to listen on; ``127.0.0.1`` is this machine alone, ``0.0.0.0`` or ``::``
            every interface.
        port: The port; 0 lets the system choose one, which `Exporter.port` then tells.
        render: Gives the exposition for an Accept header.
        status: Gives what ``/status`` shows.
        live: Gives what the live page shows, which is at ``/`` then; else a short index is.
        web_config: A file with certificate and users, in the format of Prometheus'
            exporter-toolkit; without it everybody who reaches the port may read.

    Returns:
        The exporter, already answering.

    Raises:
        ExporterError: The address cannot be listened on, or the web configuration cannot be used;
            the message says why and what to do.

    Example:
        >>> with start_exporter("127.0.0.1", 0, lambda accept: (b"", "text/plain")) as exporter:
        ...     exporter.url == f"http://127.0.0.1:{exporter.port}/metrics"
        True
    """
    access = None if web_config is None else _access(web_config)

    def make_pages() -> Pages:
        from ancestry_obs.metrics_exporter.pages import Pages  # noqa: PLC0415  see `load`

        return Pages(render, status, live=live)

    return Exporter(host, port, make_pages, access=access)


def _access(web_config: str | os.PathLike[str]) -> Access:
    # With all that it needs it takes a third of the time that the package takes to be imported.
    from ancestry_obs.metrics_exporter.access import Access  # noqa: PLC0415

    return Access(web_config)


_LIMITS: Final = Limits()


class Exporter:
    """A running HTTP server; see `start_exporter`.

    Args:
        host: The address to listen on.
        port: The port, or 0.
        make_pages: Makes what is served, when somebody first asks for a page.
        access: Who may read, and how it is encrypted; everybody and not at all if `None`.
        limits: What it may take of the program.

    Attributes:
        host: As given.
        port: The one that is really listened on.
        hosts: The names that requests may be meant for; any if `None`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        make_pages: Callable[[], Pages],
        *,
        access: Access | None = None,
        limits: Limits = _LIMITS,
    ) -> None:
        self._listener = listen(host, port)
        self.host = host
        address, self.port = self._listener.getsockname()[:2]
        self.access = access
        self.silence = limits.silence
        # A web page elsewhere cannot reach a loopback address but by a name that it has pointed
        # there; where others reach it, any of them has a name of its own for it.
        local = is_loopback(address.partition("%")[0])
        self.hosts = frozenset({"localhost", host.lower()}) if local else None
        self._make_pages = make_pages
        self._limits = limits
        self._making = PageMaking(
            lambda path, accept, gzip: self._pages.answer(path, accept=accept, gzip=gzip),
            limits.renderings,
            limits.patience,
        )
        self._connections: dict[Connection, None] = {}
        self._changed = threading.Event()
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._stopping = threading.Event()
        self._stop_lock = threading.Lock()
        self._acceptor = threading.Thread(
            target=self._accept_until_stopped, name="ancestry-obs-exporter", daemon=True
        )
        self._acceptor.start()
        _live.add(self)
        if not local:
            self._warn_of_everybody()

    @property
    def url(self) -> str:
        """The page to scrape, as it can be opened on this machine."""
        return f"{self.scheme}://{authority(local_host(self.host), self.port)}/metrics"

    @property
    def scheme(self) -> str:
        """``https`` where connections are encrypted."""
        return "http" if self.access is None or not self.access.encrypted else "https"

    @property
    def address(self) -> str:
        """``host:port``, as a Prometheus on another machine reaches it."""
        return authority(public_host(self.host), self.port)

    def load(self) -> None:
        """Import what a page is made and sent with, which waits for the first connection else."""
        _ = self._connection_class, self._pages

    @cached_property
    def _connection_class(self) -> type[Connection]:
        # With HTTP and TLS, which whoever is never asked for a page does not need.
        with importing:
            from ancestry_obs.metrics_exporter.connections import Connection  # noqa: PLC0415
        return Connection

    @cached_property
    def _pages(self) -> Pages:
        with importing:
            return self._make_pages()

    def stop(self) -> None:
        """Close the socket and end the threads; stopping twice is stopping once."""
        with self._stop_lock:
            if self._stopping.is_set():
                return
            self._stopping.set()
            self._wake_sender.send(b"!")
            self._changed.set()
        self._join(self._acceptor)
        self._close_sockets()
        connections = list(self._connections)
        for connection in connections:
            connection.hang_up()
        give_up = monotonic() + _STOP_SECONDS
        for connection in connections:
            self._join(connection, max(0.0, give_up - monotonic()))

    def page(
        self, connection: Connection, path: str, accept: str, *, gzip: bool, asked: float
    ) -> Page | None:
        """Make a page; for connections."""
        if path not in self._pages.DEAR:
            return self._pages.answer(path, accept=accept, gzip=gzip)
        page = self._making.page(path, accept, gzip=gzip, asked=asked)
        if page is not None:
            connection.held = page.body
            self._make_space(connection)
        return page

    def forget(self, connection: Connection) -> None:
        """Take note that a connection is over; for connections."""
        self._connections.pop(connection, None)
        self.changed()

    def changed(self) -> None:
        """Take note that there may be room for another connection; for connections."""
        self._changed.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @staticmethod
    def _join(thread: threading.Thread, seconds: float | None = None) -> None:
        # Program code that a scrape runs may stop the exporter: a thread cannot wait for itself.
        if thread is not threading.current_thread():
            thread.join(seconds)

    def _close_sockets(self) -> None:
        for sock in (self._listener, self._wake_receiver, self._wake_sender):
            sock.close()

    def _accept_until_stopped(self) -> None:
        door = (self._listener, self._wake_receiver)
        while not self._stopping.is_set():
            if not wait_for_any(door, seconds=0):
                self._making.keep_last(keeps=False)
                wait_for_any(door)
            self._making.keep_last(keeps=True)
            if not self._stopping.is_set():
                self._accept()

    def _accept(self) -> None:
        try:
            sock, address = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return  # whoever knocked has left again
        except OSError:
            logger.debug("exporter: cannot accept a connection", exc_info=True)
            # Of the file descriptors that are missing, some may be our own.
            self._put_off_one()
            self._stopping.wait(_REST_SECONDS)
            return
        if self._wait_for_room():
            self._serve(sock, address)
        elif self._stopping.is_set():
            sock.close()
        else:
            _turn_away(sock)

    def _serve(self, sock: socket.socket, address: object) -> None:
        connection = self._connection_class(sock, address, self)
        self._connections[connection] = None
        try:
            connection.start()
        except RuntimeError:
            # The system has no thread left.
            logger.debug("exporter: cannot serve a connection", exc_info=True)
            self._connections.pop(connection, None)
            _turn_away(connection.sock)

    def _wait_for_room(self) -> bool:
        give_up = monotonic() + self._limits.patience
        while not self._stopping.is_set():
            self._changed.clear()
            # What changed before the line above is seen by this one.
            if self._make_room():
                return True
            left = give_up - monotonic()
            if left <= 0:
                return False
            # What no longer moves tells nobody.
            self._changed.wait(min(left, self._limits.stall))
        return False

    def _make_room(self) -> bool:
        """Put off the connection that has moved nothing for longest, if there are too many."""
        current = list(self._connections)
        if (
            sum(each.wanted for each in current) >= self._limits.connections
            and not self._put_off_one()
        ):
            return False
        return len(current) < _THREADS_PER_CONNECTION * self._limits.connections

    def _put_off_one(self) -> bool:
        for connection in self._idle():
            connection.hang_up()
            return True
        return False

    def _make_space(self, newest: Connection) -> None:
        """Put off connections that keep pages they do not take, if too much of that waits."""
        # As of now, since every connection goes on meanwhile; several may keep the same page.
        bodies = {each: each.held for each in list(self._connections) if each.wanted}
        users = Counter(map(id, bodies.values()))
        kept = sum({id(body): len(body) for body in bodies.values()}.values()) - len(newest.held)
        for connection in self._idle():
            if kept <= self._limits.bytes:
                break
            body = bodies.get(connection)
            if body and body is not newest.held:
                connection.hang_up()
                users[id(body)] -= 1
                kept -= 0 if users[id(body)] else len(body)

    def _idle(self) -> Iterator[Connection]:
        """Give the connections that may be put off, and first the one that waits for longest."""
        limits = self._limits
        for connection in sorted(self._connections, key=attrgetter("last_moved")):
            if connection.is_idle(limits.grace, limits.stall):
                yield connection

    def _warn_of_everybody(self) -> None:
        access = self.access
        missing = [
            what
            for what, there in (
                ("TLS", access is not None and access.encrypted),
                ("users", access is not None and access.protected),
            )
            if not there
        ]
        if missing:
            logger.warning(
                "metrics at %s can be read from other machines, without %s; set METRICS_WEB_CONFIG,"
                " or METRICS_EXPORT_HOST=127.0.0.1",
                self.url,
                " and ".join(missing),
            )

    def _forget_in_child(self) -> None:
        """Close what `fork` copied; the parent's connections stay open, as nothing is shut down."""
        self._stopping = threading.Event()
        self._stopping.set()
        self._stop_lock = threading.Lock()
        self._close_sockets()
        for connection in self._connections:
            connection.sock.close()
        self._connections.clear()


def _turn_away(sock: socket.socket) -> None:
    with sock, suppress(OSError):
        sock.setblocking(False)
        sock.send(BUSY)


def _forget_all_in_child() -> None:
    for exporter in list(_live):
        exporter._forget_in_child()  # noqa: SLF001 - one module
    _live.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all_in_child)
