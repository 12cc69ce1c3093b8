"""The pack of httpx beside a server's own log, with both of its clients."""

from __future__ import annotations

import asyncio

import httpx
import pytest


@pytest.fixture
def page(measured):
    return measured("httpx")


class Blocking:
    """The client that blocks, asked as the other one is."""

    def __init__(self, **options):
        self._client = httpx.Client(timeout=60, trust_env=False, **options)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self._client.close()

    async def request(self, *arguments, **options):
        return self._client.request(*arguments, **options)

    async def open(self, url):
        return self._client.send(self._client.build_request("GET", url), stream=True)

    async def read(self, answer):
        return answer.read()


class Awaited(Blocking):
    """The client that is awaited."""

    def __init__(self, **options):
        self._client = httpx.AsyncClient(timeout=60, trust_env=False, **options)

    async def __aexit__(self, *_):
        await self._client.aclose()

    async def request(self, *arguments, **options):
        return await self._client.request(*arguments, **options)

    async def open(self, url):
        return await self._client.send(self._client.build_request("GET", url), stream=True)

    async def read(self, answer):
        return await answer.aread()


@pytest.fixture(params=[Blocking, Awaited])
def with_client(request):
    """Runs a coroutine function with a client."""

    def run(work, **options):
        async def main():
            async with request.param(**options) as client:
                return await work(client)

        return asyncio.run(main())

    return run


def test_each_request_by_method_and_status(page, peer, with_client):
    async def work(client):
        for method in ("GET", "get", "HEAD", "POST", "BREW"):
            await client.request(method, f"{peer.url}/status/200")
        for status in (404, 500):
            await client.request("GET", f"{peer.url}/status/{status}?user=ada")

    with_client(work)
    page.has_each_method_and_status(peer)


def test_redirects_are_requests_of_their_own(page, peer, with_client):
    async def work(client):
        assert (await client.request("GET", f"{peer.url}/redirect/3")).status_code == 200

    with_client(work, follow_redirects=True)
    assert peer.answered == {("GET", 302): 3, ("GET", 200): 1}
    assert page.client() == {("GET", "302", ""): 3, ("GET", "200", ""): 1}


def test_what_gets_no_answer_counts_by_its_error(page, peer, with_client):
    async def work(client):
        with pytest.raises(httpx.ReadTimeout):
            await client.request("GET", f"{peer.url}/silence", timeout=0.05)
        with pytest.raises(httpx.RemoteProtocolError):
            await client.request("GET", f"{peer.url}/breaking")
        with pytest.raises(httpx.UnsupportedProtocol):
            await client.request("GET", "nothing://127.0.0.1")

    with_client(work)
    assert peer.answered == {("GET", None): 2}
    assert page.client() == {
        ("GET", "", "httpx.ReadTimeout"): 1,
        ("GET", "", "httpx.RemoteProtocolError"): 1,
        ("GET", "", "httpx.UnsupportedProtocol"): 1,
    }


def test_a_streamed_answer_counts_when_its_headers_are_there(page, peer, with_client):
    async def work(client):
        answer = await client.open(f"{peer.url}/stream")
        assert page.client() == {("GET", "200", ""): 1}
        peer.release.set()
        assert await client.read(answer) == b"teateatea"

    with_client(work)
    assert page.client() == {("GET", "200", ""): 1}


def test_a_cancelled_request_counts(page, peer):
    async def work():
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
            asked = asyncio.create_task(client.get(f"{peer.url}/silence"))
            assert await asyncio.to_thread(peer.reached.wait, 60)
            asked.cancel()
            await asyncio.wait([asked])
            assert asked.cancelled()

    asyncio.run(work())
    assert page.client() == {("GET", "", "asyncio.exceptions.CancelledError"): 1}


def test_what_is_not_sent_is_not_counted(page):
    def answer(request):
        return httpx.Response(200)

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        assert client.get("http://tea.invalid/").status_code == 200
    assert page.client() == {}
