"""Exporters that are stopped again, clients, and real programs."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import ssl
from contextlib import closing

import pytest
import trustme

from ancestry_obs.metrics_exporter.pages import Pages
from ancestry_obs.metrics_exporter.server import Exporter, Limits

TLS = "tls_server_config: {cert_file: exporter.crt, key_file: exporter.key}\n"


@pytest.fixture
def start():
    """Start exporters on free ports; whatever a test leaves running is stopped."""
    started = []

    def make(
        render=lambda accept: (b"up 1\n", "text/plain"), *, status=dict, access=None, **limits
    ):
        limits = Limits(**limits)
        exporter = Exporter(
            "127.0.0.1", 0, lambda: Pages(render, status), access=access, limits=limits
        )
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


@pytest.fixture(scope="session")
def issuer():
    """An authority that issues certificates."""
    return trustme.CA()


@pytest.fixture(scope="session")
def trusting(issuer):
    """A client's side that trusts the issuer."""
    context = ssl.create_default_context()
    issuer.configure_trust(context)
    return context


@pytest.fixture
def web_config(tmp_path, issuer):
    """Write a web configuration with a certificate for this machine; its path is returned."""

    def write(text=""):
        pair = issuer.issue_cert("localhost", "127.0.0.1", "::1")
        pair.cert_chain_pems[0].write_to_path(tmp_path / "exporter.crt")
        pair.private_key_pem.write_to_path(tmp_path / "exporter.key")
        issuer.cert_pem.write_to_path(tmp_path / "issuer.crt")
        path = tmp_path / "web.yml"
        path.write_text(text or TLS)
        return path

    return write


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
def wait_until():
    """Wait for what an exporter's threads do by themselves."""

    def do(exporter, check):
        while not check(list(exporter._connections)):
            exporter._changed.wait(0.01)

    return do


@pytest.fixture(scope="session")
def ask():
    """Ask for something small on a connection that stays open, and wait for all of the answer."""

    def do(sock, path="/-/healthy", host="localhost"):
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        answer = http.client.HTTPResponse(sock)
        answer.begin()
        return answer.read()

    return do


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
