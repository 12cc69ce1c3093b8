from __future__ import annotations

import socket
from contextlib import suppress

import pytest

from ancestry_obs.exceptions import ExporterError
from ancestry_obs.metrics_exporter import addresses
from ancestry_obs.metrics_exporter.addresses import (
    authority,
    host_of,
    is_loopback,
    listen,
    local_host,
    public_host,
)
from ancestry_obs.metrics_exporter.client import part_user


def test_an_ipv6_address_is_bracketed():
    assert authority("::1", 9000) == "[::1]:9000"


@pytest.mark.parametrize(("host", "local"), [("", "127.0.0.1"), ("::", "::1"), ("10.0.0.1",) * 2])
def test_the_host_to_open_here(host, local):
    assert local_host(host) == local


def test_the_host_to_open_elsewhere():
    assert public_host("0.0.0.0") == socket.gethostname()
    assert public_host("10.0.0.1") == "10.0.0.1"


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("Localhost:9000", "localhost"),
        ("a.example.", "a.example"),
        ("[::1]:9000", "::1"),
        ("::1", "::1"),
        ("[::1", "::1"),
        ("", ""),
    ],
)
def test_the_host_of_an_authority(authority, host):
    assert host_of(authority) == host


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::", False), ("localhost", False)],
)
def test_loopback(host, expected):
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:9000/x?y", ("http://localhost:9000/x?y", None)),
        ("https://ada:s%40c@[::1]:9000/x", ("https://[::1]:9000/x", ("ada", "s@c"))),
        ("http://ada@a.example", ("http://a.example", ("ada", ""))),
        ("http://a:b:c@a.example", ("http://a.example", ("a", "b:c"))),
    ],
)
def test_user_and_password_of_a_url(url, expected):
    assert part_user(url) == expected


@pytest.mark.live
def test_a_taken_port_names_the_address_and_the_remedy():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ExporterError) as caught:
            listen("127.0.0.1", port)
    text = str(caught.value)
    assert text.startswith(f"cannot serve metrics on 127.0.0.1:{port}: ")
    assert text.endswith("; set METRICS_EXPORT_PORT to another port, or to 0 for any free one")


@pytest.mark.live
@pytest.mark.parametrize(
    ("host", "port", "remedy"),
    [
        ("127.0.0.1", 70_000, "set METRICS_EXPORT_PORT to a number from 0 to 65535"),
        (
            "192.0.2.1",
            0,
            "set METRICS_EXPORT_HOST to an address of this machine, such as 127.0.0.1",
        ),
        ("no-such-host.invalid", 0, "set METRICS_EXPORT_HOST to an address of this machine"),
    ],
)
def test_what_cannot_be_listened_on(host, port, remedy):
    with pytest.raises(ExporterError) as caught:
        listen(host, port)
    assert f"cannot serve metrics on {host}:{port}: " in str(caught.value)
    assert remedy in str(caught.value)


def test_a_port_without_permission(monkeypatch):
    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(addresses.socket, "create_server", refuse)
    with pytest.raises(ExporterError, match="set METRICS_EXPORT_PORT to a port from 1024 on"):
        listen("127.0.0.1", 80)


@pytest.mark.live
def test_little_is_sent_ahead_to_whoever_takes_nothing():
    with listen("127.0.0.1", 0) as listener, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(listener.getsockname())
        connection, _ = listener.accept()
        with connection, suppress(BlockingIOError):
            connection.setblocking(False)
            sent = 0
            for _ in range(100):
                sent += connection.send(bytes(1 << 16))
    assert sent < 1_000_000
