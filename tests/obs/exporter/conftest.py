"""Exporters that are stopped again, clients, and real programs."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
from contextlib import closing

import pytest

from ancestry_obs.metrics_exporter.pages import Pages
from ancestry_obs.metrics_exporter.server import Exporter


@pytest.fixture
def start():
    """Start exporters on free ports; whatever a test leaves running is stopped."""
    started = []

    def make(render=lambda accept: (b"up 1\n", "text/plain"), *, status=dict, **options):
        exporter = Exporter("127.0.0.1", 0, Pages(render, status), **options)
        started.append(exporter)
        return exporter

    yield make
    for exporter in started:
        exporter.stop()


@pytest.fixture
def fetch():
    """Ask once, on a connection of its own."""

    def ask(exporter, path="/metrics", method="GET", **headers):
        with closing(http.client.HTTPConnection("127.0.0.1", exporter.port, timeout=10)) as client:
            client.request(method, path, headers=headers)
            response = client.getresponse()
            return response, response.read()

    return ask


@pytest.fixture
def connect():
    """Open plain connections, closed again at the end."""
    opened = []

    def make(exporter):
        sock = socket.create_connection(("127.0.0.1", exporter.port), timeout=10)
        opened.append(sock)
        return sock

    yield make
    for sock in opened:
        sock.close()


@pytest.fixture(scope="session")
def receive():
    """Read from a connection; a reset is an end too (something of ours was left unread there)."""

    def read(sock):
        try:
            return sock.recv(65536)
        except ConnectionResetError:
            return b""

    return read


@pytest.fixture(scope="session")
def program():
    """Find a real program: skip with the reason where it is missing, but fail in CI."""

    def find(name):
        path = shutil.which(name)
        if path is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed")
        return path

    return find
