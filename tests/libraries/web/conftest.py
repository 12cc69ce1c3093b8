"""Packs of web clients and servers, woven into this process beside a peer that keeps a log.

The peer of the clients is a server that notes each answer; that of the servers is their own access
log. Both say what a pack has to have counted.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections import Counter
from contextlib import closing, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
import uvicorn
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from simple_websocket import Client, ConnectionClosed
from werkzeug.serving import WSGIRequestHandler, make_server

import ancestry_obs

CLIENT = "http_client_request_duration_seconds_count"
SERVER = "http_server_request_duration_seconds_count"
# Longer than anything takes that ends at all.
_LIMIT = 60


class Page:
    """What the installed packs have measured, read anew each time."""

    def __init__(self, registry):
        self._registry = registry

    @property
    def _samples(self):
        for family in text_string_to_metric_families(generate_latest(self._registry).decode()):
            for sample in family.samples:
                yield sample.name, sample.labels, sample.value

    def count(self, name, *by):
        """Add up a metric's samples by some of its labels; those of value 0 are left out."""
        found = Counter()
        for sample, labels, value in self._samples:
            if sample == name:
                found[tuple(labels[label] for label in by)] += value
        return {key: int(value) for key, value in found.items() if value}

    def client(self):
        """Count requests of clients by method, status and error."""
        by = ("http_request_method", "http_response_status_code", "error_type")
        return self.count(CLIENT, *by)

    def has_each_method_and_status(self, peer):
        """Assert that it has two GETs, a HEAD, a POST and an unknown one, and two that failed."""
        assert self.client() == {
            ("GET", "200", ""): 2,
            ("HEAD", "200", ""): 1,
            ("POST", "200", ""): 1,
            ("_OTHER", "200", ""): 1,
            ("GET", "404", "404"): 1,
            ("GET", "500", "500"): 1,
        }
        assert sum(self.client().values()) == len(peer.log)
        assert self.count(CLIENT, "server_address") == {("127.0.0.1",): len(peer.log)}

    def server(self):
        """Count requests of servers by method, route, status and error."""
        by = ("http_request_method", "http_route", "http_response_status_code", "error_type")
        return self.count(SERVER, *by)

    def answers(self):
        """Count requests of servers by method and status alone, as their logs do."""
        by = ("http_request_method", "http_response_status_code")
        return self.count(SERVER, *by)

    def check(self):
        """Assert that all was measured as the map has it."""
        states = {
            labels["target"]: labels["state"]
            for name, labels, _ in self._samples
            if name == "ancestry_obs_target_info"
        }
        assert set(states.values()) == {"installed"}, states
        assert self.count("ancestry_obs_expression_errors_total", "target", "label") == {}


@pytest.fixture
def measured():
    """Installs packs until the test is over, and checks at its end that nothing has failed."""
    pages = []

    def install(*names):
        settings = ancestry_obs.ObservabilitySettings(enable_prometheus_metrics=True)
        registry = CollectorRegistry()
        packs = {"version": 1, "include": [f"pack:{name}" for name in names]}
        ancestry_obs.install(packs, settings=settings, registry=registry)
        pages.append(Page(registry))
        return pages[-1]

    yield install
    try:
        for page in pages:
            page.check()
    finally:
        ancestry_obs.uninstall()


class Answers(BaseHTTPRequestHandler):
    """Answers a request as its path wants it: ``/status/404`` with that status."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        what, *more = urlsplit(self.path).path.strip("/").split("/")
        getattr(self, f"on_{what}")(*more)

    def send(self, status, body=b"tea", **headers):
        self._note(status)
        self.send_response(status)
        if "Transfer_Encoding" not in headers:
            headers["Content_Length"] = str(len(body))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def on_status(self, status):
        self.send(int(status))

    def on_redirect(self, times):
        left = int(times) - 1
        self.send(302, Location=f"/redirect/{left}" if left else "/status/200")

    def on_circle(self):
        self.send(302, Location="/circle")

    def on_flaky(self, failures):
        seen = self.server.peer.seen
        seen[self.path] += 1
        self.send(503 if seen[self.path] <= int(failures) else 200)

    def on_silence(self):
        self.on_breaking()
        self.server.peer.release.wait(_LIMIT)

    def on_breaking(self):
        self._note(None)
        self.close_connection = True

    def on_stream(self):
        self.send(200, b"", Transfer_Encoding="chunked")
        for _ in range(3):
            self.wfile.write(b"3\r\ntea\r\n")
        self.server.peer.release.wait(_LIMIT)
        self.wfile.write(b"0\r\n\r\n")

    def _note(self, status):
        self.server.peer.log.append((self.command, status))
        self.server.peer.reached.set()

    def log_message(self, *arguments):
        pass


for _method in ("GET", "HEAD", "POST", "BREW"):
    setattr(Answers, f"do_{_method}", Answers.answer)


class Peer:
    """A server for clients, which notes what it has answered.

    Attributes:
        url: Where it is.
        log: Of each answer the method and the status; `None` where it gave none.
        reached: Set as soon as there is anything in the log.
        release: To be set for the requests that wait for it.
        seen: How often a path was asked for, of those that fail at first.
    """

    def __init__(self):
        self.log = []
        self.reached = threading.Event()
        self.release = threading.Event()
        self.seen = Counter()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self._server.daemon_threads = True
        self._server.peer = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def answered(self):
        """How often which method got which status."""
        return dict(Counter(self.log))

    def stop(self):
        """End it, with those of its requests that wait for something."""
        self.release.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def peer():
    server = Peer()
    yield server
    server.stop()


def ask(port, method, path, **headers):
    """Ask a server on loopback; give the status and the body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=_LIMIT)
    with closing(connection):
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


class WsgiServer:
    """A WSGI application behind werkzeug's server, which notes what it sends.

    Attributes:
        port: Where it is.
        log: Of each answer the method and the status.
    """

    def __init__(self, application):
        self.log = log = []

        class Handler(WSGIRequestHandler):
            def log_request(self, code="-", size="-"):
                log.append((self.command, str(int(code))))

            def log(self, *arguments):
                pass

        self._server = make_server(
            "127.0.0.1", 0, application, threaded=True, request_handler=Handler
        )
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self):
        """End it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def serve_wsgi():
    """Serves WSGI applications until the test is over."""
    servers = []

    def serve(application):
        servers.append(WsgiServer(application))
        return servers[-1]

    yield serve
    for server in servers:
        server.stop()


@pytest.fixture(scope="session", name="ask")
def _ask():
    return ask


@pytest.fixture(scope="session")
def talk():
    """Sends a text to a websocket on loopback, and gives the answer."""

    def send(port, path, text):
        client = Client.connect(f"ws://127.0.0.1:{port}{path}")
        client.send(text)
        answer = client.receive()
        # The server may have closed it already.
        with suppress(ConnectionClosed, OSError):
            client.close()
        return answer

    return send


class AsgiServer:
    """An ASGI application behind uvicorn, which writes an access log.

    Attributes:
        port: Where it is.
        log: Of each answer the method and the status.
    """

    def __init__(self, application):
        self.log = []
        self._access = logging.getLogger("uvicorn.access")
        self._access.handlers = [self._Handler(self.log)]
        self._access.propagate = False
        config = uvicorn.Config(
            application, port=0, log_config=None, log_level="info", ws="wsproto", lifespan="auto"
        )
        self._server = uvicorn.Server(config)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        arguments = {"sockets": [self._socket]}
        self._thread = threading.Thread(target=self._server.run, kwargs=arguments)
        self._thread.start()

    class _Handler(logging.Handler):
        def __init__(self, log):
            super().__init__()
            self._log = log

        def emit(self, record):
            _, method, _, _, status = record.args
            self._log.append((method, str(status)))

    def stop(self):
        """End it, when all of its requests are over."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
        self._access.handlers = []


@pytest.fixture
def serve_asgi():
    """Serves ASGI applications until the test is over, or gives them up before."""
    servers = []

    def serve(application):
        servers.append(AsgiServer(application))
        return servers[-1]

    yield serve
    for server in servers:
        server.stop()
