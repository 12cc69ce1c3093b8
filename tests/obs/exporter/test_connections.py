from __future__ import annotations

import select
import socket
import ssl
import sys
import threading
from contextlib import suppress

import pytest

from ancestry_obs.metrics_exporter import connections
from ancestry_obs.metrics_exporter.access import Access
from ancestry_obs.metrics_exporter.connections import Connection
from ancestry_obs.metrics_exporter.server import BUSY

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


OVER = {"last_moved": 0.0}
SENDING = {"sending": True, "last_moved": 0.7}


@pytest.mark.parametrize(
    ("state", "may"),
    [
        ({}, False),
        (OVER, True),
        ({"active": False}, True),
        ({"rendering": True, **OVER}, False),
        ({"wanted": False, "active": False}, False),
        # There is room for more of the page: it is our thread that does not move.
        ({"sending": True, **OVER}, False),
        (SENDING, False),
    ],
)
def test_who_may_be_put_off(state, may, server, pair, monkeypatch):
    monkeypatch.setattr(connections, "monotonic", lambda: 1.0)
    with pair[0]:
        connection = Connection(pair[0], "", server)
        for name, value in state.items():
            setattr(connection, name, value)
        assert connection.is_idle(0.5, 0.1) is may


def test_a_request_that_waits_to_be_read_keeps_the_place(server, pair):
    with pair[0]:
        connection = Connection(pair[0], "", server)
        assert connection.is_idle(0, 0)
        pair[1].sendall(b"GET")
        select.select(pair[:1], (), ())
        assert not connection.is_idle(0, 0)


def test_what_is_closed_needs_no_putting_off(server, pair):
    connection = Connection(pair[0], "", server)
    pair[0].close()
    assert not connection.is_idle(0, 0)


@pytest.fixture
def stalled(server, pair, monkeypatch):
    """A connection of which the other end takes nothing; it moved 0.3 seconds ago."""
    monkeypatch.setattr(connections, "monotonic", lambda: 1.0)
    ours, _ = pair
    ours.setblocking(False)
    with ours:
        with suppress(BlockingIOError):
            while True:
                ours.send(bytes(1 << 16))
        connection = Connection(ours, "", server)
        connection.sending, connection.last_moved = True, 0.7
        yield connection


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it")
def test_whose_other_end_takes_nothing_gives_way_early(stalled):
    for _ in range(1_000_000):
        if not connections._under_way(stalled.sock):
            break
    assert stalled.is_idle(0.5, 0.1)
    assert not stalled.is_idle(0.5, 0.4)


def test_what_is_under_way_has_the_whole_time(stalled, monkeypatch):
    monkeypatch.setattr(connections, "_known", lambda _sock, _place: 3)
    assert not stalled.is_idle(0.5, 0.1)
    assert stalled.is_idle(0.2, 0.1)


def test_where_nobody_can_tell_it_has_the_whole_time_too(stalled, monkeypatch):
    monkeypatch.setattr(connections.sys, "platform", "another")
    assert not stalled.is_idle(0.5, 0.1)
    assert stalled.is_idle(0.2, 0.1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it")
def test_when_something_came_last(pair):
    ours, theirs = pair
    with ours:
        earlier = connections.monotonic()
        theirs.sendall(b"GET")
        select.select([ours], (), ())
        assert earlier <= connections._last_data(ours) <= connections.monotonic()
        # The system counts for itself; nothing here waits for long.
        while connections._last_data(ours) >= connections.monotonic():
            pass


@pytest.mark.parametrize(("ago", "then"), [(2000, -0.99), (10, 1.0), (5, 1.0), (None, 1.0)])
def test_it_came_no_earlier_than_it_is_told(pair, monkeypatch, ago, then):
    monkeypatch.setattr(connections, "monotonic", lambda: 1.0)
    monkeypatch.setattr(connections, "_known", lambda _sock, _place: ago)
    assert connections._last_data(pair[0]) == pytest.approx(then)
    pair[0].close()
