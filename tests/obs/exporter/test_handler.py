from __future__ import annotations

import gzip
import http.client
from contextlib import closing

import bcrypt
import pytest

from ancestry_obs.metrics_exporter.access import Access
from ancestry_obs.metrics_exporter.handler import gzip_accepted
from ancestry_obs.metrics_exporter.pages import Pages
from ancestry_obs.metrics_exporter.server import Exporter

HASH = bcrypt.hashpw(b"secret", b"$2b$04$abcdefghijklmnopqrstuu").decode()
USERS = f"basic_auth_users: {{ada: {HASH}}}\n"
ADA = "Basic YWRhOnNlY3JldA=="

LARGE = b'wait_seconds_bucket{le="1.0"} 3.0\n' * 1000

pytestmark = pytest.mark.live


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("gzip", True),
        ("deflate, GZIP", True),
        ("br;q=1.0, gzip;q=0.8", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("identity", False),
        ("xgzip", False),
        ("", False),
    ],
)
def test_gzip_accepted(header, expected):
    assert gzip_accepted(header) is expected


def test_accept_header_and_content_type_pass_through(start, fetch):
    exporter = start(lambda accept: (accept.encode(), "text/fancy; charset=utf-8"))
    response, body = fetch(exporter, Accept="application/openmetrics-text")
    assert body == b"application/openmetrics-text"
    assert response.headers["Content-Type"] == "text/fancy; charset=utf-8"
    assert response.headers["Vary"] == "Accept, Accept-Encoding"


def test_gzip_when_asked_and_worth_it(start, fetch):
    exporter = start(lambda accept: (LARGE, "text/plain"))
    response, body = fetch(exporter, **{"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == LARGE
    assert len(body) < len(LARGE) / 10


def test_plain_when_not_asked_or_small(start, fetch):
    exporter = start(lambda accept: (LARGE, "text/plain"))
    response, body = fetch(exporter)
    assert (response.headers["Content-Encoding"], body) == (None, LARGE)
    response, _ = fetch(exporter, "/-/healthy", **{"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] is None


def test_the_query_does_not_matter(start, fetch):
    assert fetch(start(), "/metrics?name[]=x")[1] == b"up 1\n"


def test_the_host_may_stand_before_the_path(start, fetch):
    exporter = start()
    assert fetch(exporter, "http://localhost:80/metrics?x=/y")[1] == b"up 1\n"
    assert b"<h1>ancestry-obs</h1>" in fetch(exporter, "http://localhost")[1]


def test_head_has_the_headers_of_get_and_no_body(start, fetch):
    exporter = start()
    response, body = fetch(exporter, method="HEAD")
    assert (response.status, response.headers["Content-Length"], body) == (200, "5", b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_what_is_no_read_is_405(start, fetch, method):
    response, body = fetch(start(), method=method)
    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")
    assert body == f"{method} is not possible here; use GET, HEAD\n".encode()


def test_an_unknown_path_is_404(start, fetch):
    assert fetch(start(), "/nothing")[0].status == 404


def test_a_failing_page_is_500_and_the_next_works(start, fetch):
    def broken():
        raise RuntimeError("no status")

    exporter = start(status=broken)
    assert fetch(exporter, "/status")[0].status == 500
    assert fetch(exporter)[0].status == 200


def test_one_connection_serves_many_requests(start):
    exporter = start()
    with closing(http.client.HTTPConnection("127.0.0.1", exporter.port, timeout=10)) as client:
        sockets = set()
        for _ in range(3):
            client.request("GET", "/metrics")
            assert client.getresponse().read() == b"up 1\n"
            sockets.add(client.sock)
    assert len(sockets) == 1


def test_a_body_is_never_taken_for_the_next_request(start, connect, receive):
    sock = connect(start())
    inner = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = f"GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(inner)}\r\n\r\n"
    sock.sendall(head.encode() + inner)
    answer = b"".join(iter(lambda: receive(sock), b""))
    assert answer.count(b"HTTP/1.1") == 1
    assert b"Connection: close" in answer


def test_nonsense_is_400(start, connect):
    sock = connect(start())
    sock.sendall(b"nonsense\r\n\r\n")
    assert b"400" in sock.recv(65536)


def test_the_server_names_no_versions(start, fetch):
    assert fetch(start())[0].headers["Server"] == "ancestry-obs"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("Host: a\r\nHost: a\r\n", b"one Host header"),
        ("", b"one Host header"),
        ("Host: localhost\r\nContent-Length: 0\r\nContent-Length: 0\r\n", b"one Content-Length"),
        ("Host: localhost\r\nContent-Length: 0, 0\r\n", b"one Content-Length"),
        ("Host: localhost\r\nContent-Length: +5\r\n", b"one Content-Length"),
        (
            "Host: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            b"no Content-Length header beside Transfer-Encoding",
        ),
        ("Host: localhost\r\nContent-Length : 5\r\n", b"nothing before the colon"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_that_is_two_things_at_once_is_400_and_the_last(
    method, lines, said, start, connect, receive
):
    sock = connect(start())
    request = f"{method} /metrics HTTP/1.1\r\n{lines}\r\n".encode()
    sock.sendall(request + b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = b"".join(iter(lambda: receive(sock), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert b"Connection: close" in answer
    assert said in answer


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:1", "localhost.", "127.0.0.1:9000", "127.0.0.9", "[::1]:9000", "::1"],
)
def test_a_host_that_is_this_machine(host, start, fetch):
    assert fetch(start(), Host=host)[0].status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:9000", "localhost.evil.example", "10.0.0.1", "a@localhost"],
)
def test_a_host_that_is_not_ours_is_421(host, start, fetch):
    response, body = fetch(start(), Host=host)
    assert (response.status, response.headers["Connection"]) == (421, "close")
    assert body.endswith(b"; ask for 127.0.0.1 or localhost\n")


def test_the_host_before_the_path_counts(start, fetch):
    exporter = start()
    target = "http://evil.example/metrics"
    assert fetch(exporter, target, Host="localhost")[0].status == 421


def test_old_clients_name_no_host(start, connect):
    sock = connect(start())
    sock.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_where_others_reach_it_any_host_will_do(fetch):
    with Exporter("0.0.0.0", 0, lambda: Pages(lambda accept: (b"", ""), dict)) as exporter:
        assert fetch(exporter, Host="metrics.example.org")[0].status == 200


def test_users(start, fetch, web_config):
    exporter = start(access=Access(web_config(USERS)))
    response, body = fetch(exporter)
    assert response.status == 401
    assert response.headers["WWW-Authenticate"] == 'Basic realm="ancestry-obs", charset="UTF-8"'
    assert response.headers["Connection"] == "close"
    assert b"up" not in body
    assert fetch(exporter, Authorization=ADA)[1] == b"up 1\n"
    assert fetch(exporter, Authorization=ADA[:-4] + "Cg==")[0].status == 401


def test_head_of_nobody_has_no_body(start, connect, receive, web_config):
    sock = connect(start(access=Access(web_config(USERS))))
    sock.sendall(b"HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = b"".join(iter(lambda: receive(sock), b""))
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert answer.endswith(b"\r\n\r\n")


def test_no_page_is_there_for_nobody(start, fetch, web_config):
    exporter = start(access=Access(web_config(USERS)))
    for path in ("/", "/status", "/-/healthy", "/nothing"):
        assert fetch(exporter, path)[0].status == 401
    assert fetch(exporter, method="POST")[0].status == 401


def test_too_many_wrong_passwords_at_once_are_503(start, fetch, web_config):
    access = Access(web_config(USERS))
    access._state.passwords._wait = 0
    exporter = start(access=access)
    with access._state.passwords._turn:
        assert fetch(exporter, Authorization=ADA)[0].status == 503
    assert fetch(exporter, Authorization=ADA)[0].status == 200


def test_headers_of_the_web_configuration_are_in_every_answer(start, fetch, web_config):
    headers = "http_server_config: {headers: {X-Frame-Options: deny}}\n"
    exporter = start(access=Access(web_config(headers + USERS)))
    for response, _ in (
        fetch(exporter),
        fetch(exporter, Authorization=ADA),
        fetch(exporter, Host="evil.example"),
        fetch(exporter, method="BREW"),
    ):
        assert response.headers["X-Frame-Options"] == "deny", response.status
