"""HTTP/1.1 on one connection: a request line and headers come in, a page goes out.

The standard library parses; here is what the exporter adds: keep-alive with exact lengths, HEAD,
gzip where it is accepted, 405 for what is not a read. Pages and sockets are somebody else's.
"""

from __future__ import annotations

import gzip
import logging
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Protocol

from ancestry_obs.metrics_exporter.pages import Page

if TYPE_CHECKING:
    import socket

__all__ = ["Handler", "Peer", "gzip_accepted"]

logger = logging.getLogger("ancestry_obs")

# An exposition repeats itself so much that the fastest level leaves a tenth of it; a higher level
# would cost the program more time than the whole rendering.
_GZIP_LEVEL = 1
# Below this a packet carries the page anyway.
_GZIP_FROM_BYTES = 1024
_READS = "GET, HEAD"


class Peer(Protocol):
    """What the handler asks of the connection that it serves."""

    def page(self, path: str, accept: str) -> Page:
        """Give the page at a path."""


def gzip_accepted(header: str) -> bool:
    """Tell whether an Accept-Encoding header allows gzip (RFC 9110, section 12.5.3).

    Example:
        >>> gzip_accepted("br, gzip;q=0.5"), gzip_accepted("gzip;q=0")
        (True, False)
    """
    for coding in header.lower().split(","):
        name, _, weight = (part.strip() for part in coding.partition(";"))
        if name in {"gzip", "*"}:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


class Handler(BaseHTTPRequestHandler):
    """Serves the requests of one connection until it is closed.

    Args:
        connection: The accepted socket, with its time limit set.
        address: Who is on the other end.
        peer: Gives the pages.
    """

    protocol_version = "HTTP/1.1"
    # Headers and body are two writes: with Nagle's algorithm the body would wait for the
    # scraper's delayed acknowledgement, 40 ms on Linux.
    disable_nagle_algorithm = True

    def __init__(self, connection: socket.socket, address: object, peer: Peer) -> None:
        self._peer = peer
        # The base class serves the whole connection in its constructor; what it calls the server
        # is never looked at.
        super().__init__(connection, address, peer)  # type: ignore[arg-type] # no socketserver here

    def handle(self) -> None:
        """Serve until the other end leaves; that it leaves in the midst of a page is no error."""
        with suppress(ConnectionError, TimeoutError):
            super().handle()

    def do_GET(self) -> None:
        """Answer with the page."""
        self._answer(self._page())

    def do_HEAD(self) -> None:
        """Answer with the page's headers alone."""
        self._answer(self._page(), with_body=False)

    def _refuse(self) -> None:
        self.close_connection = True
        text = f"{self.command} is not possible here; use {_READS}\n"
        page = Page(HTTPStatus.METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", text.encode())
        self._answer(page, ("Allow", _READS))

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_CONNECT = _refuse  # noqa: N815 - the base class looks up these names

    def _page(self) -> Page:
        # A body would be read as the next request; a read has no use for one.
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            self.close_connection = True
        path = self.path.partition("?")[0]
        # What goes by way of a proxy may name the host as well (RFC 9112, section 3.2.2).
        if path.startswith("http://"):
            path = "/" + path.removeprefix("http://").partition("/")[2]
        return self._peer.page(path, self.headers.get("Accept", ""))

    def _answer(self, page: Page, *headers: tuple[str, str], with_body: bool = True) -> None:
        body = page.body
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Vary", "Accept, Accept-Encoding")
        if len(body) >= _GZIP_FROM_BYTES and gzip_accepted(self.headers.get("Accept-Encoding", "")):
            body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def version_string(self) -> str:
        """Name the server without the versions that a stranger need not know."""
        return "ancestry-obs"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log a request where only someone who asks for it sees it."""
        logger.debug("exporter: %s", format % args)
