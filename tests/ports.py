"""Ports for programs that cannot tell which one they took, and for those that are to find nobody.

Tests run side by side, and some of their programs ask an address again and again. A port that was
let go is soon another test's, so nobody here chooses one by letting go of it.
"""

from __future__ import annotations

import random
import socket
from contextlib import contextmanager

HOST = "127.0.0.1"
# Below those that Linux gives by itself, to clients and to whoever asks for any port
# (`net.ipv4.ip_local_port_range`, 32768 and up): only a program that is told one of these takes it.
_TOLD = range(10_000, 32_768)
_untried = iter(random.sample(_TOLD, len(_TOLD)))


def free_port():
    """Choose a port that nobody listens on, another one each time, and that nobody is given."""
    for port in _untried:
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((HOST, port))
            except OSError:
                continue
        return port
    raise RuntimeError("every port is taken")


@contextmanager
def refusing_port():
    """Give a port that refuses connections, and that nobody else gets meanwhile."""
    with socket.socket() as kept:
        kept.bind((HOST, 0))
        yield kept.getsockname()[1]
