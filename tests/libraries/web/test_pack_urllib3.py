"""The pack of urllib3 beside a server's own log."""

from __future__ import annotations

import pytest
import urllib3


@pytest.fixture
def page(measured):
    return measured("urllib3")


@pytest.fixture
def manager():
    with urllib3.PoolManager(timeout=60) as manager:
        yield manager


@pytest.fixture
def pool(peer):
    with urllib3.connection_from_url(peer.url, timeout=60) as pool:
        yield pool


def test_each_request_by_method_and_status(page, peer, manager):
    for method in ("GET", "get", "HEAD", "POST", "BREW"):
        manager.request(method, f"{peer.url}/status/200")
    for status in (404, 500):
        manager.request("GET", f"{peer.url}/status/{status}?user=ada", retries=False)
    page.has_each_method_and_status(peer)


def test_redirects_of_a_manager_are_requests_of_their_own(page, peer, manager):
    assert manager.request("GET", f"{peer.url}/redirect/3").status == 200
    assert page.client() == peer_saw(peer) == {("GET", "302", ""): 3, ("GET", "200", ""): 1}


def test_redirects_of_a_pool_are_part_of_the_request(page, peer, pool):
    assert pool.request("GET", "/redirect/3").status == 200
    assert peer.answered == {("GET", 302): 3, ("GET", 200): 1}
    assert page.client() == {("GET", "200", ""): 1}


def test_retries_are_part_of_the_request(page, peer, pool):
    retries = urllib3.Retry(3, status_forcelist=[503], backoff_factor=0)
    assert pool.request("GET", "/flaky/2", retries=retries).status == 200
    assert peer.answered == {("GET", 503): 2, ("GET", 200): 1}
    with pytest.raises(urllib3.exceptions.MaxRetryError):
        pool.request("GET", "/flaky/9", retries=retries)
    assert page.client() == {
        ("GET", "200", ""): 1,
        ("GET", "", "urllib3.exceptions.MaxRetryError"): 1,
    }


def test_what_gets_no_answer_counts_by_its_error(page, peer, pool):
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        pool.request("GET", "/silence", timeout=0.05, retries=False)
    with pytest.raises(urllib3.exceptions.ProtocolError):
        pool.request("GET", "/breaking", retries=False)
    assert peer.answered == {("GET", None): 2}
    assert page.client() == {
        ("GET", "", "urllib3.exceptions.ReadTimeoutError"): 1,
        ("GET", "", "urllib3.exceptions.ProtocolError"): 1,
    }


def test_a_streamed_answer_counts_when_its_headers_are_there(page, peer, pool):
    answer = pool.request("GET", "/stream", preload_content=False)
    assert page.client() == {("GET", "200", ""): 1}
    peer.release.set()
    assert answer.read() == b"teateatea"
    assert page.client() == {("GET", "200", ""): 1}


def test_what_goes_through_a_proxy_has_the_address_of_its_origin(page, peer):
    with urllib3.ProxyManager(peer.url, timeout=60) as manager:
        manager.request("GET", "http://tea.invalid/status/200")
    assert page.count("http_client_request_duration_seconds_count", "server_address") == {
        ("tea.invalid",): 1
    }


def test_what_requests_sends_counts_where_its_own_pack_is_not_there(page, peer):
    import requests

    with requests.Session() as session:
        session.get(f"{peer.url}/redirect/1", timeout=60)
    assert page.client() == peer_saw(peer)


def peer_saw(peer):
    """Give the peer's log as the pack would have it."""
    return {(method, str(status), ""): count for (method, status), count in peer.answered.items()}
