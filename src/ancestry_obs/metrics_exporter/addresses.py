"""Host and port: listen on them, name them, and explain why that is not possible.

A program waits for this at its start: nothing is imported for it that takes milliseconds.
"""

from __future__ import annotations

import errno
from contextlib import suppress

from ancestry_obs.exceptions import ExporterError
from ancestry_obs.unpatched import socket

__all__ = [
    "authority",
    "host_of",
    "is_loopback",
    "listen",
    "local_host",
    "public_host",
]

_LAST_PORT = 65_535
# Whoever finds no place waits here, where it costs the program nothing.
_BACKLOG = 1024
# So much the system keeps of a page that nobody takes, in bytes; by itself it keeps megabytes.
_SENT_AHEAD = 1 << 18
# An IPv6 wildcard would be answered under ::1; the others under 127.0.0.1.
_LOCAL_NET = 127
# How IPv6 writes an address of IPv4 (RFC 4291, section 2.5.5.2).
_MAPPED = bytes(10) + b"\xff\xff"
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


def host_of(authority: str) -> str:
    """Give the host of an authority in lower case, whatever its port.

    Example:
        >>> host_of("Localhost:9000"), host_of("[::1]:9000"), host_of("::1")
        ('localhost', '::1', '::1')
    """
    if authority.startswith("["):
        host = authority[1:].partition("]")[0]
    else:
        # More than one colon is an address of IPv6 without its brackets.
        host = authority if authority.count(":") > 1 else authority.partition(":")[0]
    return host.lower().removesuffix(".")


def is_loopback(host: str) -> bool:
    """Tell whether a text is an address that this machine alone reaches; a name is none."""
    for family, is_local in ((socket.AF_INET, _is_local_v4), (socket.AF_INET6, _is_local_v6)):
        with suppress(OSError, ValueError):
            return is_local(socket.inet_pton(family, host))
    return False


def _is_local_v4(address: bytes) -> bool:
    return address[0] == _LOCAL_NET  # RFC 1122, section 3.2.1.3


def _is_local_v6(address: bytes) -> bool:
    if address.startswith(_MAPPED):
        return _is_local_v4(address.removeprefix(_MAPPED))
    return int.from_bytes(address, "big") == 1  # RFC 4291, section 2.5.3


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
        listener = socket.create_server(address, family=family, backlog=_BACKLOG)
    except OSError as error:
        message = f"cannot serve metrics on {authority(host, port)}: {error}; {_remedy(error)}"
        raise ExporterError(message) from error
    listener.setblocking(False)
    # Whoever is accepted has it from here.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SENT_AHEAD)
    return listener


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    # As text it would be encoded for names in other scripts than Latin, with tables of those.
    name = host.encode() if host.isascii() else host
    found = socket.getaddrinfo(name or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    return family, (str(address[0]), port)


def _remedy(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "set METRICS_EXPORT_PORT to another port, or to 0 for any free one"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return "set METRICS_EXPORT_PORT to a port from 1024 on"
    return "set METRICS_EXPORT_HOST to an address of this machine, such as 127.0.0.1"
