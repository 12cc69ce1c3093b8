"""The pack of aiohttp's client beside a server's own log, and beside a websocket."""

from __future__ import annotations

import asyncio
from functools import partial

import aiohttp
import pytest
from aiohttp import web


@pytest.fixture
def page(measured):
    return measured("aiohttp-client")


def with_session(work, **options):
    async def main():
        async with aiohttp.ClientSession(**options) as session:
            return await work(session)

    return asyncio.run(main())


def test_each_request_by_method_and_status(page, peer):
    async def work(session):
        for method in ("GET", "get", "HEAD", "POST", "BREW"):
            async with session.request(method, f"{peer.url}/status/200") as answer:
                await answer.read()
        for status in (404, 500):
            async with session.get(f"{peer.url}/status/{status}?user=ada") as answer:
                await answer.read()

    with_session(work)
    page.has_each_method_and_status(peer)


def test_the_address_is_that_of_the_url_or_of_the_session(page, peer):
    async def work(session, base=""):
        async with session.get(f"{base}/status/200") as answer:
            await answer.read()

    with_session(work, base_url=peer.url)
    with_session(partial(work, base=peer.url.replace("127.0.0.1", "localhost")))
    assert page.count("http_client_request_duration_seconds_count", "server_address") == {
        ("127.0.0.1",): 1,
        ("localhost",): 1,
    }


def test_redirects_are_part_of_the_request(page, peer):
    async def work(session):
        async with session.get(f"{peer.url}/redirect/3") as answer:
            assert answer.status == 200
        async with session.get(f"{peer.url}/redirect/3", allow_redirects=False) as answer:
            assert answer.status == 302
        with pytest.raises(aiohttp.TooManyRedirects):
            await session.get(f"{peer.url}/circle", max_redirects=5)

    with_session(work)
    assert peer.answered == {("GET", 302): 9, ("GET", 200): 1}
    assert page.client() == {
        ("GET", "200", ""): 1,
        ("GET", "302", ""): 1,
        ("GET", "302", "aiohttp.client_exceptions.TooManyRedirects"): 1,
    }


def test_what_raises_counts_by_its_error(page, peer):
    async def work(session):
        with pytest.raises(TimeoutError):
            await session.get(f"{peer.url}/silence", timeout=aiohttp.ClientTimeout(0.05))
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.post(f"{peer.url}/breaking")
        with pytest.raises(aiohttp.ClientResponseError):
            await session.get(f"{peer.url}/status/404", raise_for_status=True)

    with_session(work)
    assert peer.answered == {("GET", None): 1, ("POST", None): 1, ("GET", 404): 1}
    assert page.client() == {
        ("GET", "", "TimeoutError"): 1,
        ("POST", "", "aiohttp.client_exceptions.ServerDisconnectedError"): 1,
        ("GET", "404", "aiohttp.client_exceptions.ClientResponseError"): 1,
    }


def test_the_repetition_on_a_lost_connection_is_part_of_the_request(page, peer):
    async def work(session):
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.get(f"{peer.url}/breaking")

    with_session(work)
    assert peer.answered in ({("GET", None): 1}, {("GET", None): 2})
    assert page.client() == {("GET", "", "aiohttp.client_exceptions.ServerDisconnectedError"): 1}


def test_a_streamed_answer_counts_when_its_headers_are_there(page, peer):
    async def work(session):
        async with session.get(f"{peer.url}/stream") as answer:
            assert page.client() == {("GET", "200", ""): 1}
            peer.release.set()
            assert await answer.read() == b"teateatea"

    with_session(work)
    assert page.client() == {("GET", "200", ""): 1}


def test_a_cancelled_request_counts(page, peer):
    async def work(session):
        asked = asyncio.create_task(session.get(f"{peer.url}/silence"))
        assert await asyncio.to_thread(peer.reached.wait, 60)
        asked.cancel()
        await asyncio.wait([asked])
        assert asked.cancelled()

    with_session(work)
    assert page.client() == {("GET", "", "asyncio.exceptions.CancelledError"): 1}


def test_a_websocket_is_no_request_and_a_refused_one_is(page):
    async def socket(request):
        answer = web.WebSocketResponse()
        await answer.prepare(request)
        async for message in answer:
            await answer.send_str(message.data)
        return answer

    async def work(session):
        application = web.Application()
        application.router.add_get("/socket", socket)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with session.ws_connect(f"{url}/socket") as client:
            await client.send_str("tea")
            assert await client.receive_str() == "tea"
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(f"{url}/nowhere")
        await runner.cleanup()

    with_session(work)
    assert page.client() == {("GET", "404", "404"): 1}
