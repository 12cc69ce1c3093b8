"""The pack of requests beside a server's own log, alone and with that of urllib3."""

from __future__ import annotations

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry


@pytest.fixture
def page(measured):
    return measured("requests")


@pytest.fixture
def session():
    with requests.Session() as session:
        yield session


def test_each_request_by_method_and_status(page, peer, session):
    for method in ("GET", "GET", "HEAD", "POST", "BREW"):
        session.request(method, f"{peer.url}/status/200", timeout=60)
    for status in (404, 500):
        requests.get(f"{peer.url}/status/{status}?user=ada", timeout=60)
    page.has_each_method_and_status(peer)


def test_redirects_are_part_of_the_request(page, peer, session):
    assert session.get(f"{peer.url}/redirect/3", timeout=60).status_code == 200
    assert session.get(f"{peer.url}/redirect/3", timeout=60, allow_redirects=False)
    assert peer.answered == {("GET", 302): 4, ("GET", 200): 1}
    assert page.client() == {("GET", "200", ""): 1, ("GET", "302", ""): 1}


def test_a_circle_ends_with_an_error_and_a_status(page, peer, session):
    session.max_redirects = 5
    with pytest.raises(requests.TooManyRedirects):
        session.get(f"{peer.url}/circle", timeout=60)
    assert page.client() == {("GET", "302", "requests.exceptions.TooManyRedirects"): 1}


def test_retries_are_part_of_the_request(page, peer, session):
    retry = Retry(3, status_forcelist=[503], backoff_factor=0)
    session.mount("http://", HTTPAdapter(max_retries=retry))
    assert session.get(f"{peer.url}/flaky/2", timeout=60).status_code == 200
    assert peer.answered == {("GET", 503): 2, ("GET", 200): 1}
    with pytest.raises(requests.exceptions.RetryError):
        session.get(f"{peer.url}/flaky/9", timeout=60)
    assert page.client() == {
        ("GET", "200", ""): 1,
        ("GET", "", "requests.exceptions.RetryError"): 1,
    }


def test_what_gets_no_answer_counts_by_its_error(page, peer, session):
    with pytest.raises(requests.ReadTimeout):
        session.get(f"{peer.url}/silence", timeout=0.05)
    with pytest.raises(requests.ConnectionError):
        session.get(f"{peer.url}/breaking", timeout=60)
    with pytest.raises(requests.exceptions.InvalidSchema):
        session.get("nothing://127.0.0.1", timeout=60)
    assert peer.answered == {("GET", None): 2}
    assert page.client() == {
        ("GET", "", "requests.exceptions.ReadTimeout"): 1,
        ("GET", "", "requests.exceptions.ConnectionError"): 1,
        ("GET", "", "requests.exceptions.InvalidSchema"): 1,
    }


def test_a_streamed_answer_counts_when_its_headers_are_there(page, peer, session):
    with session.get(f"{peer.url}/stream", timeout=60, stream=True) as answer:
        assert page.client() == {("GET", "200", ""): 1}
        peer.release.set()
        assert answer.content == b"teateatea"
    assert page.client() == {("GET", "200", ""): 1}


@pytest.mark.parametrize("packs", [("requests", "urllib3"), ("urllib3", "requests")])
def test_with_the_pack_of_urllib3_each_request_counts_once(measured, peer, session, packs):
    import urllib3

    page = measured(*packs)
    session.get(f"{peer.url}/redirect/2", timeout=60)
    urllib3.PoolManager().request("POST", f"{peer.url}/status/201")
    assert page.client() == {("GET", "200", ""): 1, ("POST", "201", ""): 1}


def test_a_request_within_a_hook_is_part_of_the_one_around_it(page, peer, session):
    def more(response, **_):
        requests.post(f"{peer.url}/status/201", timeout=60)

    session.get(f"{peer.url}/status/200", timeout=60, hooks={"response": more})
    assert peer.answered == {("GET", 200): 1, ("POST", 201): 1}
    assert page.client() == {("GET", "200", ""): 1}
