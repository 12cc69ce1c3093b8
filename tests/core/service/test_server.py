from __future__ import annotations

import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ancestry_core.exceptions import PortInUseError
from ancestry_core.service.application import Application
from ancestry_core.service.faults import FaultRates
from ancestry_core.service.server import ServiceServer

ME = "/app-api/cdp-p13n/api/v1/users/me"
CREDENTIALS = {"username": "demo@example.org", "password": "demo-password"}


def raw_exchange(base_url: str, *parts: bytes) -> bytes:
    """Send bytes as they are and return everything until the service closes."""
    host, _, port = base_url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        for part in parts:
            connection.sendall(part)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_a_connection_is_kept_alive(start, browse):
    service = start()
    for _ in range(5):
        answer = browse.get(f"{service.base_url}/account/signin", timeout=5)
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "Date" in answer.headers
    workers = [thread for thread in threading.enumerate() if "process_request" in thread.name]
    assert len(workers) == 1  # a thread for each connection, so there was one


def test_small_answers_are_not_held_back(start, browse):
    service = start()
    browse.get(f"{service.base_url}/account/signin", timeout=5)
    (connection,) = service._server._connections
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_sign_in_by_a_real_client_ends_at_home(start, browse):
    service = start()
    answer = browse.post(f"{service.base_url}/account/signin", data=CREDENTIALS, timeout=5)
    assert answer.url == f"{service.base_url}/"
    assert 'id="navAccount"' in answer.text
    assert len(browse.cookies) == 3
    answer = browse.get(f"{service.base_url}{ME}", params={"attributes": "ucdmid"}, timeout=5)
    expected = {"data": {"ucdmid": service.population.account.profile_id}}
    assert answer.json() == expected


def test_a_dropped_connection_gives_no_answer(start):
    service = start(faults=FaultRates(dropped=1.0))
    request = f"GET {ME} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    refused = raw_exchange(service.base_url, request)
    # Without a session there is nothing to carry out: the refusal comes.
    assert refused.startswith(b"HTTP/1.1 401 ")
    sign_in = b"username=demo%40example.org&password=demo-password"
    head = f"POST /account/signin HTTP/1.1\r\nHost: x\r\nContent-Length: {len(sign_in)}\r\n\r\n"
    cookies = [
        line.split(b": ", 1)[1].split(b";")[0]
        for line in raw_exchange(service.base_url, head.encode(), sign_in).split(b"\r\n")
        if line.startswith(b"Set-Cookie")
    ]
    with_cookies = request.replace(b"Host: x", b"Host: x\r\nCookie: " + b"; ".join(cookies))
    assert raw_exchange(service.base_url, with_cookies) == b""
    assert service.record.statuses()[0] == 1


def test_two_requests_on_one_connection_are_answered_in_order(start):
    service = start()
    first = b"GET /account/signin HTTP/1.1\r\nHost: x\r\n\r\n"
    second = b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = raw_exchange(service.base_url, first + second)
    assert answer.index(b"HTTP/1.1 200 OK") < answer.index(b"HTTP/1.1 404 Not Found")
    assert answer.count(b"Connection: close") == 1


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"Content-Length: x", b"400"),
        (b"Content-Length: -5", b"400"),
        (b"Content-Length: 9999999", b"413"),
        (b"Transfer-Encoding: chunked", b"411"),
    ],
)
def test_a_body_that_cannot_be_read_closes_the_connection(start, header, status):
    service = start()
    request = b"POST /account/signin HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n"
    answer = raw_exchange(service.base_url, request)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"Connection: close" in answer


@pytest.mark.parametrize("request_line", [b"nonsense", b"PUT / HTTP/1.1", b"GET / HTTP/9.9"])
def test_what_is_no_request_gets_an_error(start, request_line):
    answer = raw_exchange(start().base_url, request_line + b"\r\n\r\n")
    assert b"Error" in answer


def test_cookies_that_are_none_are_no_session(start, browse):
    url = f"{start().base_url}/"
    answer = browse.get(url, headers={"Cookie": "a[]=b; ;;=; c"}, timeout=5, allow_redirects=False)
    assert answer.status_code == 302


def test_the_first_of_several_values_counts(start, browse):
    service = start()
    browse.post(f"{service.base_url}/account/signin", data=CREDENTIALS, timeout=5)
    test_id = service.population.account.test_id
    url = f"{service.base_url}/discoveryui-matches/parents/list/api/matchList/{test_id}"
    answer = browse.get(f"{url}?itemsPerPage=3&itemsPerPage=7", timeout=5)
    assert len(answer.json()["matchList"]) == 3


def test_clients_at_once_are_all_answered_and_counted(start, browse):
    service = start()

    def ask(_: int) -> int:
        return browse.get(f"{service.base_url}/account/signin", timeout=10).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(ask, range(80)))
    assert statuses == [200] * 80
    assert service.record.count("GET /account/signin") == 80
    assert 1 <= service.record.max_concurrency <= 8


def test_a_client_that_goes_away_disturbs_nobody(start, browse, caplog):
    service = start()
    host, _, port = service.base_url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"POST /account/signin HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf")
    assert browse.get(f"{service.base_url}/account/signin", timeout=5).status_code == 200
    assert caplog.records == []


def test_a_bug_of_the_service_is_logged_and_still_answered(start, browse, caplog, monkeypatch):
    def fail(*_):
        raise KeyError("bug")

    monkeypatch.setattr(Application, "handle", fail)
    service = start()
    with caplog.at_level(logging.ERROR):
        answer = browse.get(f"{service.base_url}/", timeout=5)
    assert answer.status_code == 500
    assert answer.json()["error"]["message"] == "the embedded service itself failed"
    assert "which nobody planned" in caplog.text
    assert service.record.total == sum(service.record.endpoints().values()) == 1


def test_a_taken_port_is_named_with_the_remedy(start):
    taken = int(start().base_url.rpartition(":")[2])
    with pytest.raises(PortInUseError) as caught:
        start(port=taken)
    assert str(caught.value) == (
        f"port {taken} on 127.0.0.1 is taken by another program; give another with --port, "
        "or 0 for a free one"
    )


def test_an_address_of_another_machine_is_named(open_desk):
    with pytest.raises(PortInUseError, match=r"cannot listen on port 0 of 192\.0\.2\.1: "):
        ServiceServer("192.0.2.1", 0, open_desk().application)


def test_stopping_closes_connections_and_ends_threads(start, browse):
    before = set(threading.enumerate())
    service = start()
    browse.get(f"{service.base_url}/account/signin", timeout=5)
    during = set(threading.enumerate()) - before
    assert {thread.name for thread in during} >= {"ancestry-service"}
    service.stop()
    assert not [thread for thread in during if thread.is_alive()]
