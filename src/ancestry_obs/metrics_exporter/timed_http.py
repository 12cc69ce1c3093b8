"""HTTP under one deadline: whatever the other end does, a request is over when its time is.

A socket's own time limit is for each read and write alone: a server that sends a byte now and then
keeps a client for as long as it likes. Here connecting, sending and every read have what is left
of the whole. urllib does the rest: proxies of the environment, TLS, redirects, errors by status.

Looking up a host's name is the system's, and takes as long as its resolver is set to.
"""

from __future__ import annotations

import io
import socket
import time
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import TYPE_CHECKING
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, build_opener

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.client import _DataType
    from urllib.request import BaseHandler, Request

    from _typeshed import WriteableBuffer

__all__ = ["Deadline", "opener"]


class Deadline:
    """The end of a span of time.

    Args:
        seconds: how long the span is, from now on.
        clock: seconds, from any beginning.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        """Give the seconds that are left.

        Raises:
            TimeoutError: there are none.
        """
        left = self._end - self._clock()
        if left <= 0:
            raise TimeoutError(f"not done within {self._seconds:g} seconds")
        return left


def opener(deadline: Deadline, *handlers: BaseHandler) -> OpenerDirector:
    """Make what opens URLs, redirects and answers included, until the deadline.

    Args:
        deadline: when everything has to be over.
        handlers: take the places of urllib's, such as the one that asks proxies.
    """
    return build_opener(*handlers, _Handler(deadline), _TlsHandler(deadline))


class _TimedConnection(HTTPConnection):
    """What both kinds of connections have alike.

    Args:
        host: the host, with the port.
        deadline: when everything has to be over.
    """

    def __init__(self, host: str, *, deadline: Deadline, timeout: float) -> None:
        super().__init__(host, timeout=timeout)
        self._deadline = deadline

    def connect(self) -> None:
        """Connect; each of the host's addresses has its share of the time, and so has TLS."""
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        self.timeout = self._deadline.left() / (len(found) + 1)
        super().connect()

    def send(self, data: _DataType | str) -> None:
        """Send bytes, which is all that urllib has for a request whose body is bytes."""
        if self.sock is None:
            self.connect()
        rest = memoryview(data)  # type: ignore[arg-type]  # see above
        while rest:
            self.sock.settimeout(self._deadline.left())
            rest = rest[self.sock.send(rest) :]

    def response_class(self, sock: socket.socket, method: str | None = None) -> HTTPResponse:  # type: ignore[override]  # called as the class would be
        """Make the answer that is read from a socket."""
        return HTTPResponse(_TimedReads(sock, self._deadline), method=method)  # type: ignore[arg-type]  # all that it asks for


class _TimedTlsConnection(_TimedConnection, HTTPSConnection):
    """The same, with TLS."""


class _TimedReads(io.RawIOBase):
    """A socket, as far as an answer is read from it.

    Args:
        sock: the socket.
        deadline: when the last read has to be over.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        # The connection lets go of the socket before the answer is read to its end.
        self._file = sock.makefile("rb", buffering=0)
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Give the file that an answer reads."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        self._sock.settimeout(self._deadline.left())
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Handler(HTTPHandler):
    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_TimedConnection, req, deadline=self._deadline)  # type: ignore[arg-type]  # it takes keywords for the connection


class _TlsHandler(HTTPSHandler):
    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_TimedTlsConnection, req, deadline=self._deadline)  # type: ignore[arg-type]  # the same
