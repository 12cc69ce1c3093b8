"""Host and port: listen on them, name them, and explain why that is not possible."""

from __future__ import annotations

import errno

from ancestry_obs.exceptions import ExporterError
from ancestry_obs.unpatched import socket

__all__ = ["authority", "listen", "local_host", "public_host"]

_LAST_PORT = 65_535
# An IPv6 wildcard would be answered under ::1; the others under 127.0.0.1.
_EVERY_INTERFACE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound


def authority(host: str, port: int) -> str:
    """Join host and port as URLs do (RFC 3986, section 3.2.2).

    Example:
        >>> authority("127.0.0.1", 9000), authority("::1", 9000)
        ('127.0.0.1:9000', '[::1]:9000')
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def local_host(host: str) -> str:
    """Give the host under which this machine itself reaches a listener on ``host``."""
    return _EVERY_INTERFACE.get(host, host)


def public_host(host: str) -> str:
    """Give the host under which others reach it: this machine's name for every interface."""
    return socket.gethostname() if host in _EVERY_INTERFACE else host


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket that never blocks.

    Args:
        host: A name or an address of this machine, of IPv4 or IPv6.
        port: The port, or 0 for any free one.

    Returns:
        The socket.

    Raises:
        ExporterError: The address cannot be listened on; the message says why and what to do.
    """
    if not 0 <= port <= _LAST_PORT:
        raise ExporterError(
            f"cannot serve metrics on {authority(host, port)}: there is no such port; set "
            f"METRICS_EXPORT_PORT to a number from 0 to {_LAST_PORT}"
        )
    try:
        family, address = _resolve(host, port)
        listener = socket.create_server(address, family=family, backlog=128)
    except OSError as error:
        message = f"cannot serve metrics on {authority(host, port)}: {error}; {_remedy(error)}"
        raise ExporterError(message) from error
    listener.setblocking(False)
    return listener


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    return family, (str(address[0]), port)


def _remedy(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "set METRICS_EXPORT_PORT to another port, or to 0 for any free one"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return "set METRICS_EXPORT_PORT to a port from 1024 on"
    return "set METRICS_EXPORT_HOST to an address of this machine, such as 127.0.0.1"
