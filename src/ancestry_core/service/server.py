"""HTTP/1.1 around the application: bytes in, bytes out, connections kept alive.

In: an application and an address. Out: a listening server that answers each connection in a thread
of its own. It knows no call of the service. Built for many small answers on loopback: no name
look-ups, no log lines, Nagle's algorithm off, and each answer in one piece.
"""

from __future__ import annotations

import errno
import logging
import socket
import sys
import threading
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from ancestry_core.exceptions import PortInUseError
from ancestry_core.service.application import RECORD_PATH
from ancestry_core.service.exchange import Answer, Request, error_answer

if TYPE_CHECKING:
    from ancestry_core.service.application import Application

_log = logging.getLogger(__name__)

_LARGEST_BODY = 1_000_000
_PATIENCE_SECONDS = 5.0


class ServiceServer(ThreadingMixIn, TCPServer):
    """The listening socket and its connections.

    Args:
        host: The address to listen on.
        port: The port; 0 takes a free one.
        application: What answers.

    Raises:
        PortInUseError: The address cannot be listened on.
    """

    daemon_threads = True
    # A port whose last connections linger can be taken again at once, as after a restart.
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, application: Application) -> None:
        self.application = application
        self._lock = threading.Lock()
        self._is_closing = False
        self._connections: dict[socket.socket, threading.Thread] = {}
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise _cannot_listen(host, port, error) from None

    def opened(self, connection: socket.socket) -> None:
        """Remember a connection, so that it can be closed when the server stops."""
        with self._lock:
            self._connections[connection] = threading.current_thread()
            if self._is_closing:  # accepted a moment before, started a moment after
                _hang_up(connection)

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._connections.pop(connection, None)

    def close(self) -> None:
        """Stop serving and close what is open; requests in progress are cut off."""
        self.shutdown()
        self.server_close()
        with self._lock:
            self._is_closing = True
            connections = dict(self._connections)
            for connection in connections:
                _hang_up(connection)
        for thread in connections.values():
            thread.join(_PATIENCE_SECONDS)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - the inherited signature
        """Pass over a client that went away, which is its own affair; log everything else."""
        if not isinstance(sys.exception(), ConnectionError):
            _log.exception("the embedded service failed by itself, which nobody planned")


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: ServiceServer
    protocol_version = "HTTP/1.1"
    server_version = "ancestry-service"
    sys_version = ""
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        self.server.closed(self.connection)
        super().finish()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the inherited name
        """Say nothing: the record tells what was received."""

    def _serve(self) -> None:
        application = self.server.application
        if self.path == RECORD_PATH:  # looking at the record leaves no trace in it
            self._send(self._answer())
            return
        begun = application.record.begin()
        answer = self._answer()
        # Before it is sent: who has the answer finds it in the record.
        application.record.end(begun, answer.endpoint, answer.status)
        self._send(answer)

    def _answer(self) -> Answer:
        body = self._read_body()
        if isinstance(body, Answer):
            return body
        try:
            return self.server.application.handle(self._request(body))
        except Exception:  # noqa: BLE001 - a fault nobody planned is shown, and is still an answer
            self.server.handle_error(self.connection, self.client_address)
            return self._unreadable(500, "the embedded service itself failed")

    def _read_body(self) -> bytes | Answer:
        """Return the body, or the answer to a request whose body cannot be read."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers:
            return self._unreadable(411, "send a body with its Content-Length")
        if not (length.isascii() and length.isdigit()):
            return self._unreadable(400, "Content-Length must be a number of bytes")
        if int(length) > _LARGEST_BODY:
            return self._unreadable(413, f"at most {_LARGEST_BODY} bytes")
        return self.rfile.read(int(length))

    def _unreadable(self, status: int, message: str) -> Answer:
        # Where the next request begins is not known, so there is none on this connection.
        self.close_connection = True
        return error_answer(status, message)

    def _request(self, body: bytes) -> Request:
        url = urlsplit(self.path)
        # The first of several values counts; reversed, it is the last that is written.
        query = dict(reversed(parse_qsl(url.query)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        cookies = _cookies(headers.get("cookie", ""))
        return Request(self.command, unquote(url.path), query, headers, cookies, body)

    def _send(self, answer: Answer) -> None:
        if answer.status == 0:
            self.close_connection = True
            return
        head = [
            f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
            f"Server: {self.server_version}",
            f"Date: {self.date_time_string()}",
            f"Content-Type: {answer.content_type}",
            f"Content-Length: {len(answer.body)}",
            *(f"{name}: {value}" for name, value in answer.headers),
        ]
        if self.close_connection:
            head.append("Connection: close")
        self.wfile.write("\r\n".join((*head, "", "")).encode("latin-1") + answer.body)


def _cookies(header: str) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # gone already
        return


def _cannot_listen(host: str, port: int, error: OSError) -> PortInUseError:
    if error.errno == errno.EADDRINUSE:
        return PortInUseError(
            f"port {port} on {host} is taken by another program; give another with --port, "
            "or 0 for a free one"
        )
    return PortInUseError(
        f"cannot listen on port {port} of {host}: {error.strerror or error}; give another"
    )
