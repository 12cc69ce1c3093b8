from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ancestry_obs.metrics_exporter.timed_http import Deadline, opener


def test_what_is_left_of_a_span():
    now = [10.0]
    deadline = Deadline(5, lambda: now[0])
    now[0] = 12
    assert deadline.left() == 3
    now[0] = 15
    with pytest.raises(TimeoutError, match=r"^not done within 5 seconds$"):
        deadline.left()


@pytest.fixture
def server():
    """Answer everything, as a proxy does, with what was asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"{self.command} {self.path}".encode())

        def log_message(self, *_): ...

    with HTTPServer(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


@pytest.mark.live
def test_a_proxy_of_the_environment_is_asked(server, monkeypatch):
    monkeypatch.setenv("http_proxy", server)
    monkeypatch.delenv("no_proxy", raising=False)
    with opener(Deadline(60)).open("http://gateway.invalid/x", timeout=60) as answer:
        assert answer.read() == b"GET http://gateway.invalid/x"


@pytest.mark.live
def test_the_addresses_of_a_host_share_the_time(server, monkeypatch):
    port = int(server.rpartition(":")[2])
    given = []
    found = socket.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found * 3)
    connect = socket.socket.connect

    def refuse_first(self, address):
        given.append(self.gettimeout())
        if len(given) < 3:
            raise ConnectionRefusedError
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse_first)
    with opener(Deadline(60, lambda: 0.0)).open(server, timeout=60) as answer:
        assert answer.status == 200
    assert given == [15, 15, 15]


@pytest.mark.live
def test_a_tls_handshake_that_stalls_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(OSError, match=r"timed out|not done within"):
            opener(Deadline(0.3)).open(url, timeout=60)
