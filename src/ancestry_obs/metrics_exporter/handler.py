"""HTTP/1.1 on one connection: a request line and headers come in, a page goes out.

The standard library parses; here is what the exporter adds: keep-alive with exact lengths, HEAD,
gzip where it is accepted, 405 for what is not a read, and the refusal of requests that are two
things at once, meant for somebody else, or from nobody who may read. Pages and sockets are somebody
else's.
"""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Final, Protocol

from ancestry_obs.metrics_exporter.addresses import host_of, is_loopback
from ancestry_obs.metrics_exporter.pages import Page
from ancestry_obs.notices import Notices

if TYPE_CHECKING:
    import socket
    from collections.abc import Collection, Iterable

__all__ = ["Handler", "Peer", "gzip_accepted"]

logger = Notices()

_READS: Final = "GET, HEAD"
_CHALLENGE: Final = ("WWW-Authenticate", 'Basic realm="ancestry-obs", charset="UTF-8"')
# One piece is sent at a time, and whoever takes none of it for long is seen.
_PIECE_BYTES: Final = 1 << 18


class Peer(Protocol):
    """What the handler asks of the connection that it serves."""

    @property
    def hosts(self) -> Collection[str] | None:
        """The names that requests may be meant for; any if `None`."""

    @property
    def headers(self) -> Iterable[tuple[str, str]]:
        """What each answer has beside its own headers."""

    def refusal(self, authorization: str) -> HTTPStatus | None:
        """Tell why a request may not read, by its Authorization header; `None` if it may."""

    def page(self, path: str, accept: str, *, gzip: bool) -> Page:
        """Give the page at a path."""

    def moved(self) -> None:
        """Note that the other end has said or taken something."""

    def sent(self) -> None:
        """Note that the whole page is sent, and kept no longer."""


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

    def parse_request(self) -> bool:
        """Read a request, and refuse it if nothing may be made of it."""
        if not super().parse_request():
            return False
        self._peer.moved()
        return not (self._is_malformed() or self._is_for_others() or self._is_of_nobody())

    def do_GET(self) -> None:
        """Answer with the page."""
        self._answer(self._page())

    do_HEAD = do_GET  # noqa: N815 - the base class looks up these names

    def end_headers(self) -> None:
        """Send the headers, and those that the web configuration has for every answer."""
        for name, value in self._peer.headers:
            self.send_header(name, value)
        super().end_headers()

    def _refuse_method(self) -> None:
        text = f"{self.command} is not possible here; use {_READS}"
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, text, ("Allow", _READS))

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_CONNECT = _refuse_method  # noqa: N815 - as above

    def _is_malformed(self) -> bool:
        """Refuse what another server in front might read otherwise (RFC 9112, section 6.3)."""
        hosts = self.headers.get_all("Host", [])
        lengths = self.headers.get_all("Content-Length", [])
        if len(hosts) > 1 or (not hosts and self.request_version == "HTTP/1.1"):
            text = "A request has one Host header"
        elif len(lengths) > 1 or not all(each.isascii() and each.isdigit() for each in lengths):
            text = "A request has at most one Content-Length header, which is a number"
        elif lengths and "Transfer-Encoding" in self.headers:
            text = "A request has no Content-Length header beside Transfer-Encoding"
        elif self.headers.defects:
            text = "A header is 'name: value', with nothing before the colon but its name"
        else:
            return False
        self._refuse(HTTPStatus.BAD_REQUEST, text)
        return True

    def _is_for_others(self) -> bool:
        """Refuse what a web page elsewhere makes a browser on this machine ask (DNS rebinding)."""
        # What goes by way of a proxy names the host before the path (RFC 9112, section 3.2.2).
        authority = self._target()[0] or self.headers.get("Host", "")
        allowed = self._peer.hosts
        host = host_of(authority)
        if allowed is None or not authority or host in allowed or is_loopback(host):
            return False
        text = f"This is not {host!r}; ask for {' or '.join(sorted(allowed))}"
        self._refuse(HTTPStatus.MISDIRECTED_REQUEST, text)
        return True

    def _is_of_nobody(self) -> bool:
        """Refuse whoever is no user, if there are users."""
        status = self._peer.refusal(self.headers.get("Authorization", ""))
        if status is None:
            return False
        if status is HTTPStatus.UNAUTHORIZED:
            self._refuse(status, "Only users of the web configuration may read", _CHALLENGE)
        else:
            self._refuse(status, "Too many wrong passwords at once; ask again")
        return True

    def _target(self) -> tuple[str, str]:
        """Part what is asked for into the host, if it is there, and the path without its query."""
        target = self.path.partition("?")[0]
        scheme, separator, rest = target.partition("://")
        if separator and scheme.lower() in {"http", "https"}:
            host, _, path = rest.partition("/")
            return host, f"/{path}"
        return "", target

    def _page(self) -> Page:
        # A body would be read as the next request; a read has no use for one.
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            self.close_connection = True
        gzip = gzip_accepted(self.headers.get("Accept-Encoding", ""))
        return self._peer.page(self._target()[1], self.headers.get("Accept", ""), gzip=gzip)

    def _refuse(self, status: HTTPStatus, text: str, *headers: tuple[str, str]) -> None:
        self.close_connection = True
        self._answer(Page(status, "text/plain; charset=utf-8", f"{text}\n".encode()), *headers)

    def _answer(self, page: Page, *headers: tuple[str, str]) -> None:
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Vary", "Accept, Accept-Encoding")
        if page.encoding:
            self.send_header("Content-Encoding", page.encoding)
        self.send_header("Content-Length", str(len(page.body)))
        for name, value in (*page.headers, *headers):
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            body = memoryview(page.body)
            for start in range(0, len(body), _PIECE_BYTES):
                self.wfile.write(body[start : start + _PIECE_BYTES])
                self._peer.moved()
        self._peer.sent()

    def version_string(self) -> str:
        """Name the server without the versions that a stranger need not know."""
        return "ancestry-obs"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log a request where only someone who asks for it sees it."""
        logger.debug("exporter: %s", format % args)
