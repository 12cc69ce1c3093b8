from __future__ import annotations

import gzip
import http.client
from contextlib import closing

import pytest

from ancestry_obs.metrics_exporter.handler import gzip_accepted

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
    assert fetch(exporter, "http://example.org/metrics?x=/y")[1] == b"up 1\n"
    assert b"<h1>ancestry-obs</h1>" in fetch(exporter, "http://example.org")[1]


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
    inner = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
    head = f"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: {len(inner)}\r\n\r\n"
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
