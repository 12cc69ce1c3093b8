"""The listening socket, its thread and the threads of its connections.

In come a host, a port and the functions behind the pages; out comes an `Exporter` that serves
until it is stopped. It never blocks or ends the program: every thread is a daemon, every read and
write has a time limit, and a client that hangs on a connection is put off when somebody else needs
the place.
"""

from __future__ import annotations

import logging
import os
import selectors
from contextlib import suppress
from typing import TYPE_CHECKING, Self
from weakref import WeakSet

from ancestry_obs.metrics_exporter.addresses import authority, listen, local_host, public_host
from ancestry_obs.metrics_exporter.handler import Handler
from ancestry_obs.metrics_exporter.pages import Pages
from ancestry_obs.unpatched import socket, threading

if TYPE_CHECKING:
    from types import TracebackType

    from ancestry_obs.metrics_exporter.pages import Page, Render, StatusReport

__all__ = ["Exporter", "start_exporter"]

logger = logging.getLogger("ancestry_obs")

_MOST_CONNECTIONS = 32
_IO_SECONDS = 30.0
# How long `stop` waits for a page that is being rendered; program code may run in there.
_STOP_SECONDS = 5.0
# How long the acceptor rests when the process has no file descriptor left.
_REST_SECONDS = 0.1
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

_live: WeakSet[Exporter] = WeakSet()


def start_exporter(
    host: str, port: int, render: Render, *, status: StatusReport = dict
) -> Exporter:
    """Serve the pages from a thread of its own.

    Args:
        host: The address to listen on; ``127.0.0.1`` is this machine alone, ``0.0.0.0`` or ``::``
            every interface.
        port: The port; 0 lets the system choose one, which `Exporter.port` then tells.
        render: Gives the exposition for an Accept header.
        status: Gives what ``/status`` shows.

    Returns:
        The exporter, already answering.

    Raises:
        ExporterError: The address cannot be listened on; the message says why and what to do.

    Example:
        >>> with start_exporter("127.0.0.1", 0, lambda accept: (b"", "text/plain")) as exporter:
        ...     exporter.url == f"http://127.0.0.1:{exporter.port}/metrics"
        True
    """
    return Exporter(host, port, Pages(render, status))


class Exporter:
    """A running HTTP server; see `start_exporter`.

    Args:
        host: The address to listen on.
        port: The port, or 0.
        pages: What to serve.
        limit: How many connections there may be at once.
        timeout: How long a connection may be silent, in seconds.

    Attributes:
        host: As given.
        port: The one that is really listened on.
    """

    def __init__(
        self,
        host: str,
        port: int,
        pages: Pages,
        *,
        limit: int = _MOST_CONNECTIONS,
        timeout: float = _IO_SECONDS,
    ) -> None:
        self._listener = listen(host, port)
        self.host = host
        self.port: int = self._listener.getsockname()[1]
        self._pages = pages
        self._limit = limit
        self._timeout = timeout
        self._connections: dict[_Connection, None] = {}
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._stopping = threading.Event()
        self._stop_lock = threading.Lock()
        self._acceptor = threading.Thread(
            target=self._accept_until_stopped, name="ancestry-obs-exporter", daemon=True
        )
        self._acceptor.start()
        _live.add(self)

    @property
    def url(self) -> str:
        """The page to scrape, as it can be opened on this machine."""
        return f"http://{authority(local_host(self.host), self.port)}/metrics"

    @property
    def address(self) -> str:
        """``host:port``, as a Prometheus on another machine reaches it."""
        return authority(public_host(self.host), self.port)

    def stop(self) -> None:
        """Close the socket and end the threads; stopping twice is stopping once."""
        with self._stop_lock:
            if self._stopping.is_set():
                return
            self._stopping.set()
            self._wake_sender.send(b"!")
        self._join(self._acceptor)
        self._close_sockets()
        connections = list(self._connections)
        for connection in connections:
            connection.hang_up()
        for connection in connections:
            self._join(connection, _STOP_SECONDS)

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
        with _selector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wake_receiver, selectors.EVENT_READ)
            while not self._stopping.is_set():
                selector.select()
                if not self._stopping.is_set():
                    self._accept()

    def _accept(self) -> None:
        try:
            sock, address = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return  # whoever knocked has left again
        except OSError:
            logger.debug("exporter: cannot accept a connection", exc_info=True)
            self._stopping.wait(_REST_SECONDS)
            return
        if self._make_room():
            connection = _Connection(sock, address, self)
            self._connections[connection] = None
            connection.start()
        else:
            _turn_away(sock)

    def _make_room(self) -> bool:
        """Put off the oldest connection that is not being rendered for, if there are too many."""
        current = [connection for connection in list(self._connections) if connection.wanted]
        if len(current) < self._limit:
            return True
        for connection in current:
            if not connection.rendering:
                connection.hang_up()
                return True
        return False

    def _forget_in_child(self) -> None:
        """Close what `fork` copied; the parent's connections stay open, as nothing is shut down."""
        self._stopping = threading.Event()
        self._stopping.set()
        self._stop_lock = threading.Lock()
        self._close_sockets()
        for connection in self._connections:
            connection.sock.close()
        self._connections.clear()


class _Connection(threading.Thread):
    """One connection and the thread that serves it."""

    def __init__(self, sock: socket.socket, address: object, exporter: Exporter) -> None:
        super().__init__(name="ancestry-obs-exporter-connection", daemon=True)
        self.sock = sock
        self.wanted = True
        self.rendering = False
        self._client = address
        self._exporter = exporter

    def run(self) -> None:
        try:
            with self.sock:
                self.sock.settimeout(self._exporter._timeout)  # noqa: SLF001 - one module
                Handler(self.sock, self._client, self)
        except OSError:
            logger.debug("exporter: connection lost", exc_info=True)
        finally:
            self._exporter._connections.pop(self, None)  # noqa: SLF001 - one module

    def page(self, path: str, accept: str) -> Page:
        """Give a page, and let nobody put this connection off meanwhile."""
        self.rendering = True
        try:
            return self._exporter._pages.answer(path, accept=accept)  # noqa: SLF001 - one module
        finally:
            self.rendering = False

    def hang_up(self) -> None:
        """Wake the thread out of any read or write; it then ends by itself."""
        self.wanted = False
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)


# Not epoll: a forked child would share it with the parent and change what the parent waits for.
_selector: type[selectors.BaseSelector] = getattr(
    selectors, "PollSelector", selectors.SelectSelector
)


def _turn_away(sock: socket.socket) -> None:
    with sock, suppress(OSError):
        sock.setblocking(False)
        sock.send(_FULL)


def _forget_all_in_child() -> None:
    for exporter in list(_live):
        exporter._forget_in_child()  # noqa: SLF001 - one module
    _live.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all_in_child)
