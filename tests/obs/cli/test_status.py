from __future__ import annotations

import http.server
import json
import socket
import threading
from contextlib import contextmanager

import bcrypt
import pytest
import trustme
from tests.ports import refusing_port

import ancestry_obs
from ancestry_obs.cli.status import describe, fetch
from ancestry_obs.exceptions import ExporterError
from ancestry_obs.installation_status import Status, TargetStatus
from ancestry_obs.metrics_exporter import start_exporter

STATUS = Status(
    enabled=True,
    map="shop.toml",
    exporter_error="cannot register in workers.json: it is full",
    targets=(
        TargetStatus("shop:price", "installed", calls=12),
        TargetStatus("shop:Cart.add", "installed", unreached=("a list",), patterns=("shop:*",)),
        TargetStatus("shop:prise", "error", "there is none", errors=1),
    ),
)


@contextmanager
def answering(status: int, body: bytes):
    """Serve one answer to everything, as another program would."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_): ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_a_status_in_columns_and_what_deserves_attention():
    assert describe(STATUS).splitlines() == [
        "map shop.toml, 3 targets",
        "",
        "STATE      CALLS  ERRORS  TARGET",
        "installed     12       0  shop:price",
        "installed      0       0  shop:Cart.add",
        "error          0       1  shop:prise",
        "",
        "exporter: cannot register in workers.json: it is full",
        "shop:Cart.add: not reached: a list",
        "shop:prise: there is none",
        "shop:Cart.add: installed, never called",
    ]


def test_many_that_were_never_called_are_counted():
    def lines(count):
        targets = tuple(TargetStatus(f"shop:part_{n}", "installed") for n in range(count))
        status = Status(enabled=True, map="shop.toml", targets=targets)
        return describe(status).splitlines()[count + 4 :]

    assert lines(5) == [f"shop:part_{n}: installed, never called" for n in range(5)]
    assert lines(6) == ["6 targets are installed and were never called: those with CALLS 0"]


@pytest.mark.live
@pytest.mark.parametrize("form", ["{url}", "{url}/", "http://{url}", "http://{url}/metrics?x#y"])
def test_any_page_of_the_exporter_will_do(form):
    with answering(200, json.dumps(STATUS.as_dict()).encode()) as address:
        assert fetch(form.format(url=address)) == STATUS


@pytest.mark.live
def test_a_running_program_is_asked(project, command, enabled):
    import shop

    ancestry_obs.install("shop.toml", settings=enabled)
    ancestry_obs.start_exporter()
    shop.price("book")
    url = ancestry_obs.status().url
    answer = command("status", url)
    assert answer.code == 0
    assert "installed      1       0  shop:price\n" in answer.out
    assert json.loads(command("status", "--json", url).out)["map"] == "shop.toml"


@pytest.mark.live
def test_a_target_in_error_is_exit_code_1(command):
    with answering(200, json.dumps(STATUS.as_dict()).encode()) as address:
        assert command("status", address).code == 1


@pytest.mark.live
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b"nothing here"),
        (200, b"<html>"),
        (200, b"\xff"),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"targets": ["shop:price"]}'),
        (200, b'{"enabled": true, "targets": [{"target": "shop:price"}]}'),
    ],
)
def test_another_program_is_recognised(command, status, body):
    with answering(status, body) as address:
        answer = command("status", address)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        f"ancestry-obs: http://{address}/status: does not answer as an exporter of ancestry-obs "
        "does; is it another program?\n"
    )


@pytest.mark.parametrize(
    ("status", "user", "said"),
    [
        (
            401,
            "",
            "only users may read there; write the address as https://user:password@host:port",
        ),
        (
            401,
            "ada:secret@",
            "the exporter does not know this user with this password; correct them",
        ),
        (
            421,
            "",
            "the exporter listens on its own machine and has another name there; use localhost",
        ),
        (400, "", "does not take this request; does it want https?"),
    ],
)
def test_an_exporter_that_refuses(status, user, said, command):
    with answering(status, b"") as address:
        answer = command("status", f"http://{user}{address}")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"ancestry-obs: http://{address}/status: {said}\n"


@pytest.mark.live
def test_an_encrypted_exporter(command, tmp_path, monkeypatch):
    issuer = trustme.CA()
    pair = issuer.issue_cert("127.0.0.1")
    pair.cert_chain_pems[0].write_to_path(tmp_path / "a.crt")
    pair.private_key_pem.write_to_path(tmp_path / "a.key")
    issuer.cert_pem.write_to_path(tmp_path / "issuer.crt")
    hashed = bcrypt.hashpw(b"s@cret", bcrypt.gensalt(4)).decode()
    (tmp_path / "web.yml").write_text(
        "tls_server_config: {cert_file: a.crt, key_file: a.key}\n"
        f"basic_auth_users: {{ada: {hashed}}}\n"
    )
    with start_exporter(
        "127.0.0.1",
        0,
        lambda accept: (b"", accept),
        status=STATUS.as_dict,
        web_config=tmp_path / "web.yml",
    ) as exporter:
        url = exporter.url.replace("https://", "https://ada:s%40cret@")
        answer = command("status", url)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "issuer.crt"))
        assert fetch(url) == STATUS
    page = exporter.url.replace("/metrics", "/status")
    assert answer.code == 2
    assert answer.err.startswith(f"ancestry-obs: {page}: its certificate is not trusted (")
    assert answer.err.endswith(
        "); set SSL_CERT_FILE to the file with the certificate of its issuer\n"
    )


def test_nobody_there(command):
    with refusing_port() as port:
        answer = command("status", f"127.0.0.1:{port}")
    assert answer.code == 2
    assert answer.err.startswith(
        f"ancestry-obs: http://127.0.0.1:{port}/status: no exporter answers there ("
    )
    assert answer.err.endswith("refused); is the program running with metrics on?\n")


@pytest.mark.live
def test_what_speaks_no_http_is_nobody():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet():
            client, _ = listener.accept()
            with client:
                client.recv(65536)
                client.sendall(b"220 mail.example ready\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(ExporterError, match=r"no exporter answers there \(BadStatusLine"):
            fetch(f"127.0.0.1:{listener.getsockname()[1]}")
        thread.join()


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://[::1", "http://x:port", "file:///x"])
def test_no_address(command, url):
    answer = command("status", url)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        f"ancestry-obs: {url}: is no http address; write one such as http://127.0.0.1:9000\n"
    )


def test_no_address_shows_no_password(command):
    assert "secret" not in command("status", "ftp://ada:secret@x").err
