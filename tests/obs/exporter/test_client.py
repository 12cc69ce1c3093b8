from __future__ import annotations

import runpy
import socket
import ssl
import threading
from urllib.error import HTTPError, URLError

import bcrypt
import pytest
from tests.ports import refusing_port

from ancestry_obs.metrics_exporter import client
from ancestry_obs.metrics_exporter.access import Access
from ancestry_obs.metrics_exporter.client import get

TLS = "tls_server_config: {cert_file: exporter.crt, key_file: exporter.key}\n"
HASH = bcrypt.hashpw(b"s@cret", bcrypt.gensalt(4)).decode()

pytestmark = pytest.mark.live


def test_a_page(start):
    assert get(start().url) == b"up 1\n"


def test_a_page_that_is_not_there(start):
    with pytest.raises(HTTPError, match="404") as refused:
        get(start().url.replace("/metrics", "/none"))
    refused.value.close()


def test_nobody_there():
    with refusing_port() as port, pytest.raises(URLError, match="refused"):
        get(f"http://127.0.0.1:{port}/metrics")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(b"220 mail.example ready\r\n", "BadStatusLine"), (b"", "RemoteDisconnected")],
)
def test_somebody_who_does_not_speak_http(answer, reason):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet():
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(answer)

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(URLError, match=reason):
            get(f"http://127.0.0.1:{listener.getsockname()[1]}/metrics")
        thread.join()


def test_a_proxy_is_not_asked(start, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    # The environment is read when the module is imported.
    fresh = runpy.run_path(client.__file__)
    assert fresh["get"](start().url) == b"up 1\n"


def test_certificate_and_user(start, web_config, monkeypatch):
    path = web_config(f"{TLS}basic_auth_users: {{ada: {HASH}}}\n")
    url = start(access=Access(path)).url.replace("https://", "https://ada:%s@")
    with pytest.raises(URLError) as refused:
        get(url % "s%40cret")
    assert isinstance(refused.value.reason, ssl.SSLCertVerificationError)
    monkeypatch.setenv("SSL_CERT_FILE", str(path.with_name("issuer.crt")))
    assert get(url % "s%40cret") == b"up 1\n"
    with pytest.raises(HTTPError, match="401") as refused:
        get(url % "wrong")
    refused.value.close()
