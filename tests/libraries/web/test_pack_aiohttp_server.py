"""The pack of aiohttp's server beside its access log."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from contextlib import closing
from http.client import HTTPConnection
from types import SimpleNamespace

import pytest
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

ACTIVE = "http_server_active_requests"


@pytest.fixture
def page(measured):
    return measured("aiohttp-server")


class Log(AbstractAccessLogger):
    """Keeps the method and the status of each answer."""

    def log(self, request, response, time):
        self.logger.lines.append((request.method, str(response.status)))


class Server:
    """An application in a loop of its own.

    Attributes:
        port: Where it is.
        log: Of each answer the method and the status.
    """

    def __init__(self, application, **options):
        notes = SimpleNamespace(lines=[])
        self.log = notes.lines
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._runner = web.AppRunner(
            application,
            access_log_class=Log,
            access_log=notes,
            shutdown_timeout=0.1,
            **options,
        )
        self.port = self._run(self._start())

    async def _start(self):
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self._runner.addresses[0][1]

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def stop(self):
        """End it, with all of its requests."""
        if self._thread.is_alive():
            self._run(self._runner.cleanup())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


@pytest.fixture
def serve():
    servers = []

    def make(routes, **options):
        application = routes
        if not isinstance(application, web.Application):
            application = web.Application()
            application.add_routes(routes)
        servers.append(Server(application, **options))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


async def item(request):
    match request.match_info["number"]:
        case "0":
            raise web.HTTPNotFound
        case "1":
            raise LookupError("not there")
        case "2":
            raise web.HTTPServiceUnavailable
        case "4":
            raise TimeoutError
        case "5":
            return web.Response(status=202)
    return web.Response(text="item")


ITEM = web.route("*", r"/item/{number:\d+}", item)


def test_each_request_by_route_and_status(page, serve, ask, tmp_path):
    (tmp_path / "tea.txt").write_text("tea")
    server = serve([ITEM, web.get("/own", item), web.static("/files", tmp_path)])
    for number in range(6):
        ask(server.port, "GET", f"/item/{number}?user=ada")
    ask(server.port, "POST", "/item/3")
    ask(server.port, "PROPFIND", "/item/3")
    ask(server.port, "HEAD", "/item/3")
    ask(server.port, "GET", "/files/tea.txt")
    ask(server.port, "PUT", "/own")
    ask(server.port, "GET", "/nowhere/ada")
    server.stop()
    assert page.server() == {
        ("GET", "/item/{number}", "200", ""): 1,
        ("GET", "/item/{number}", "202", ""): 1,
        ("GET", "/item/{number}", "404", ""): 1,
        ("GET", "/item/{number}", "500", "LookupError"): 1,
        ("GET", "/item/{number}", "503", "503"): 1,
        ("GET", "/item/{number}", "504", "504"): 1,
        ("POST", "/item/{number}", "200", ""): 1,
        ("_OTHER", "/item/{number}", "200", ""): 1,
        ("HEAD", "/item/{number}", "200", ""): 1,
        ("GET", "/files", "200", ""): 1,
        ("PUT", "", "405", ""): 1,
        ("GET", "", "404", ""): 1,
    }
    assert page.answers() == Counter(
        ("_OTHER" if method == "PROPFIND" else method, status) for method, status in server.log
    )
    assert page.count(ACTIVE, "http_request_method") == {}


def test_applications_within_and_middleware(page, serve, ask):
    @web.middleware
    async def closed(request, handler):
        return web.Response(status=403) if "closed" in request.query else await handler(request)

    outer, inner = web.Application(middlewares=[closed]), web.Application()
    inner.add_routes([ITEM])
    outer.add_subapp("/shop", inner)
    server = serve(outer)
    ask(server.port, "GET", "/shop/item/3")
    ask(server.port, "GET", "/shop/item/3?closed")
    server.stop()
    assert page.server() == {
        ("GET", "/shop/item/{number}", "200", ""): 1,
        ("GET", "/shop/item/{number}", "403", ""): 1,
    }
    assert page.answers() == Counter(server.log)


def test_what_is_no_http_is_counted_too(page, serve):
    server = serve([ITEM])
    with socket.create_connection(("127.0.0.1", server.port), 60) as client:
        client.sendall(b"tea\r\n\r\n")
        assert b" 400 " in client.recv(1000)
    server.stop()
    assert page.server() == {("_OTHER", "", "400", ""): 1}
    assert [status for _, status in server.log] == ["400"]


def test_a_streamed_answer_counts_when_it_is_over(page, serve):
    release = threading.Event()

    async def stream(request):
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"tea")
        await asyncio.to_thread(release.wait, 60)
        await answer.write(b"milk")
        return answer

    server = serve([web.get("/stream", stream)])
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request("GET", "/stream")
        answer = connection.getresponse()
        assert page.server() == {}
        assert page.count(ACTIVE, "http_request_method") == {("GET",): 1}
        release.set()
        assert answer.read() == b"teamilk"
    server.stop()
    assert page.server() == {("GET", "/stream", "200", ""): 1}


def test_a_client_that_leaves_cancels_its_request(page, serve):
    arrived, over = threading.Event(), threading.Event()

    async def wait(request):
        arrived.set()
        try:
            await asyncio.Event().wait()
        finally:
            over.set()

    server = serve([web.get("/wait", wait)], handler_cancellation=True)
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request("GET", "/wait")
        assert arrived.wait(60)
    assert over.wait(60)
    server.stop()
    assert page.server() == {("GET", "/wait", "", "asyncio.exceptions.CancelledError"): 1}
    assert page.count(ACTIVE, "http_request_method") == {}


@pytest.mark.parametrize("end", ["well", "badly"])
def test_a_websocket_is_no_request_and_a_refused_one_is(page, serve, ask, talk, end):
    seen = []

    async def socket(request):
        answer = web.WebSocketResponse()
        await answer.prepare(request)
        seen.append(page.count(ACTIVE, "http_request_method"))
        await answer.send_str(await answer.receive_str())
        if end == "badly":
            raise ValueError(end)
        return answer

    server = serve([web.get("/socket", socket)])
    assert talk(server.port, "/socket", "tea") == "tea"
    assert ask(server.port, "GET", "/socket")[0] == 400
    server.stop()
    assert seen == [{}]
    assert page.server() == {("GET", "/socket", "400", ""): 1}
