from __future__ import annotations

import socket
import ssl
import threading

import pytest

from ancestry_obs.metrics_exporter import connections
from ancestry_obs.metrics_exporter.access import Access
from ancestry_obs.metrics_exporter.connections import BUSY, Connection

pytestmark = pytest.mark.live


def read_all(sock):
    return b"".join(iter(lambda: sock.recv(65536), b""))


@pytest.fixture
def secured(start, web_config):
    return start(access=Access(web_config()))


def test_the_url_says_that_it_is_encrypted(secured):
    assert secured.url == f"https://127.0.0.1:{secured.port}/metrics"


@pytest.fixture
def read(connect, trusting):
    """Read the page of an exporter, encrypted."""

    def do(exporter):
        with trusting.wrap_socket(connect(exporter), server_hostname="127.0.0.1") as client:
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            return read_all(client)

    return do


def test_an_encrypted_page(secured, read):
    assert read(secured).endswith(b"\r\n\r\nup 1\n")


def test_a_handshake_that_stalls_blocks_nobody(secured, connect, read):
    stalled = [connect(secured) for _ in range(5)]
    stalled[0].sendall(b"\x16\x03\x01")
    assert read(secured).endswith(b"up 1\n")


def test_a_handshake_that_stalls_is_given_up(start, web_config, connect):
    exporter = start(access=Access(web_config()), silence=0.01)
    assert connect(exporter).recv(1) == b""


def test_whoever_hangs_up_in_a_handshake_is_forgotten(secured, connect, read, wait_until):
    connect(secured).close()
    assert read(secured).endswith(b"up 1\n")
    wait_until(secured, lambda connections: not connections)


def test_stopping_ends_handshakes_and_encrypted_connections(secured, connect, trusting, ask):
    stalled = connect(secured)
    client = trusting.wrap_socket(connect(secured), server_hostname="127.0.0.1")
    with client:
        assert ask(client) == b"OK\n"
        secured.stop()
        assert stalled.recv(1) == b""
        assert client.recv(1) == b""
    assert [each for each in threading.enumerate() if isinstance(each, Connection)] == []


def test_a_client_without_encryption_is_told(secured, connect):
    sock = connect(secured)
    sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert sock.recv(65536) == (
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 24\r\n\r\n"
        b"This is an HTTPS server\n"
    )


def test_a_client_that_does_not_trust_it_is_no_error(secured, connect, read, wait_until, caplog):
    with pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(connect(secured), server_hostname="127.0.0.1")
    assert read(secured).endswith(b"up 1\n")
    wait_until(secured, lambda connections: not connections)
    assert caplog.records == []


class Server:
    """An exporter that is asked for nothing."""

    access = None
    hosts = None
    silence = 10.0

    def __init__(self):
        self.told = []

    def page(self, *_arguments, **_options):
        return None

    def changed(self):
        self.told.append("changed")

    def forget(self, connection):
        self.told.append(connection)


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def pair():
    """Both ends of a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname(), timeout=10)
        with theirs:
            yield listener.accept()[0], theirs


def test_a_page_that_there_is_no_time_for_is_503(server, pair):
    ours, theirs = pair
    connection = Connection(ours, "", server)
    connection.start()
    theirs.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    assert read_all(theirs).startswith(BUSY[:20])
    connection.join()
    assert server.told == ["changed", "changed", connection]


def test_hanging_up_ends_the_thread_and_is_told(server, pair):
    connection = Connection(pair[0], "", server)
    connection.start()
    connection.hang_up()
    connection.join()
    assert (connection.wanted, server.told) == (False, [connection])
    connection.hang_up()


@pytest.mark.parametrize(
    ("state", "may"),
    [
        ({}, False),
        ({"last_moved": 0.0}, True),
        ({"active": False}, True),
        ({"rendering": True, "last_moved": 0.0}, False),
        ({"wanted": False, "active": False}, False),
    ],
)
def test_who_may_be_put_off(state, may, server, pair, monkeypatch):
    monkeypatch.setattr(connections, "monotonic", lambda: 1.0)
    with pair[0]:
        connection = Connection(pair[0], "", server)
        for name, value in state.items():
            setattr(connection, name, value)
        assert connection.waits_since(0.5) == (connection.last_moved if may else None)
