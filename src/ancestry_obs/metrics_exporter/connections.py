"""One connection, and the thread that serves it.

The handshake, the request and the page are all the thread's: whoever is slow with one of them is
slow alone. What all connections share, and how many there may be, is the server's.
"""

from __future__ import annotations

import ssl
import sys
from contextlib import suppress
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol

from ancestry_obs.metrics_exporter.handler import Handler
from ancestry_obs.metrics_exporter.pages import Page
from ancestry_obs.notices import Notices
from ancestry_obs.unpatched import socket, threading, wait_for_any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ancestry_obs.metrics_exporter.access import Access

__all__ = ["Connection", "Server"]

logger = Notices()

# What has been agreed on within this time is agreed on for good.
_HANDSHAKE_SECONDS: Final = 10.0
_NO_TLS: Final = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 24\r\n\r\n"
    b"This is an HTTPS server\n"
)
# Where Linux tells it, in its `struct tcp_info` (tcp(7), linux/tcp.h): what was sent and has not
# been acknowledged, and how many milliseconds ago something came last.
_PACKETS_UNDER_WAY: Final = slice(24, 28)
_LAST_DATA: Final = slice(52, 56)
# It counts in ticks of its own clock, of which the longest is as long as this.
_TICK_MILLISECONDS: Final = 10


class Server(Protocol):
    """What a connection asks of the exporter that it belongs to."""

    @property
    def access(self) -> Access | None:
        """Who may read, and how it is encrypted."""

    @property
    def hosts(self) -> Collection[str] | None:
        """The names that requests may be meant for; any if `None`."""

    @property
    def silence(self) -> float:
        """How long a connection may move nothing, in seconds."""

    def page(
        self, connection: Connection, path: str, accept: str, *, gzip: bool, asked: float
    ) -> Page | None:
        """Give a page; `None` if there is no time for it."""

    def changed(self) -> None:
        """Take note that a connection may be put off now."""

    def forget(self, connection: Connection) -> None:
        """Take note that a connection is over."""


class Connection(threading.Thread):
    """A connection with its thread.

    Args:
        sock: What was accepted.
        address: Who is on the other end.
        server: The exporter.

    Attributes:
        sock: What is read and written, encrypted or not.
        wanted: Whether it is to be served at all.
        rendering: Whether a page is being made for it.
        active: Whether it is new, or a page is being made or sent.
        sending: Whether a page is being sent.
        held: The body of a page that is kept for it; may be others' too.
        last_moved: When the other end last said or took something.
    """

    def __init__(self, sock: socket.socket, address: object, server: Server) -> None:
        super().__init__(name="ancestry-obs-exporter-connection", daemon=True)
        self.sock = sock
        self.wanted = True
        self.rendering = False
        self.active = True
        self.sending = False
        self.held = b""
        self.last_moved = monotonic()
        self._client = address
        self._server = server

    @property
    def hosts(self) -> Collection[str] | None:
        """See `Server.hosts`."""
        return self._server.hosts

    @property
    def headers(self) -> Iterable[tuple[str, str]]:
        """See `Access.headers`."""
        access = self._server.access
        return () if access is None else access.headers

    def run(self) -> None:
        """Serve until the connection is closed."""
        try:
            self._encrypt()
            with self.sock:
                if self.wanted and self._agree():
                    self.sock.settimeout(self._server.silence)
                    Handler(self.sock, self._client, self)
        except OSError:
            logger.debug("exporter: connection lost", exc_info=True)
        finally:
            self.sock.close()
            self._server.forget(self)

    def refusal(self, authorization: str) -> HTTPStatus | None:
        """See `Access.refusal`."""
        access = self._server.access
        return None if access is None else access.refusal(authorization)

    def page(self, path: str, accept: str, *, gzip: bool) -> Page:
        """Give a page, and let nobody put this connection off meanwhile."""
        self.rendering = self.active = True
        try:
            asked = _last_data(self.sock)
            page = self._server.page(self, path, accept, gzip=gzip, asked=asked)
        finally:
            self.moved()
            self.sending = True
            self.rendering = False
            self._server.changed()
        if page is None:
            return Page(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", b"Too many scrapes at once\n")
        return page

    def moved(self) -> None:
        """Note that the other end has said or taken something."""
        self.last_moved = monotonic()

    def sent(self) -> None:
        """Note that the page is kept no longer."""
        self.held = b""
        self.active = self.sending = False
        self._server.changed()

    def is_idle(self, grace: float, stall: float) -> bool:
        """Tell whether it does nothing but keep its place, and may be put off.

        Args:
            grace: How long an active one need not move, in seconds.
            stall: The same of one whose other end has all that was sent, and takes no more.
        """
        if not self.wanted or self.rendering:
            return False
        still = monotonic() - self.last_moved if self.active else grace
        if still < grace and (still < stall or not self.sending or _under_way(self.sock)):
            return False
        # What is slow may be this process: the other end is not to pay for it.
        return not self._could_go_on()

    def _could_go_on(self) -> bool:
        with suppress(OSError, ValueError):
            sockets = ([], [self.sock]) if self.sending else ([self.sock], [])
            return wait_for_any(*sockets, seconds=0)
        return True  # it is closed already

    def hang_up(self) -> None:
        """Wake the thread out of any read or write; it then ends by itself."""
        self.wanted = False
        with suppress(OSError):
            # Not `SSLSocket.shutdown`, which takes the encryption from under a thread that uses it.
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def _encrypt(self) -> None:
        if self._server.access is not None:
            # Whoever hung up meanwhile had the other socket; `wanted` tells.
            self.sock.settimeout(min(_HANDSHAKE_SECONDS, self._server.silence))
            self.sock = self._server.access.encrypt(self.sock)

    def _agree(self) -> bool:
        if self._server.access is None:
            return True
        try:
            self._server.access.handshake(self.sock)
        except ssl.SSLError as error:
            logger.debug("exporter: no handshake with %s: %s", self._client, error)
            if error.reason == "HTTP_REQUEST":
                socket.socket.send(self.sock, _NO_TLS)
            return False
        return True


def _last_data(sock: socket.socket) -> float:
    """Tell when something came last, by `monotonic`, and no earlier than it did."""
    now, ago = monotonic(), _known(sock, _LAST_DATA)
    return now if ago is None else now - max(0, ago - _TICK_MILLISECONDS) / 1000


def _under_way(sock: socket.socket) -> bool:
    """Tell whether something that was sent has not arrived yet, as far as can be known."""
    return _known(sock, _PACKETS_UNDER_WAY) != 0


def _known(sock: socket.socket, place: slice) -> int | None:
    if sys.platform == "linux":
        with suppress(OSError):
            known = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, place.stop)
            return int.from_bytes(known[place], sys.byteorder)
    return None
