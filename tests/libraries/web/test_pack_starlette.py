"""The pack of Starlette beside the access log of uvicorn."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from contextlib import closing
from http.client import HTTPConnection

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles

ACTIVE = "http_server_active_requests"


@pytest.fixture
def page(measured):
    return measured("starlette")


async def item(request):
    number = request.path_params["number"]
    if number == 0:
        raise HTTPException(404)
    if number == 1:
        raise LookupError("not there")
    return PlainTextResponse("item", status_code=503 if number == 2 else 200)


def blocking(request):
    return PlainTextResponse("blocking")


ITEM = Route("/item/{number:int}", item, methods=["GET", "POST", "BREW"])


def test_each_request_by_route_and_status(page, serve_asgi, ask):
    web = Starlette(routes=[ITEM, Route("/blocking/{name}", blocking)])
    server = serve_asgi(web)
    for number in (0, 2, 3, 4):
        ask(server.port, "GET", f"/item/{number}?user=ada")
    ask(server.port, "POST", "/item/5")
    ask(server.port, "BREW", "/item/5")
    ask(server.port, "HEAD", "/item/5")
    ask(server.port, "PUT", "/item/5")
    ask(server.port, "GET", "/blocking/ada")
    ask(server.port, "GET", "/blocking/ada/")
    ask(server.port, "GET", "/nowhere/ada")
    server.stop()
    assert page.server() == {
        ("GET", "/item/{number:int}", "200", ""): 2,
        ("GET", "/item/{number:int}", "404", ""): 1,
        ("GET", "/item/{number:int}", "503", "503"): 1,
        ("POST", "/item/{number:int}", "200", ""): 1,
        ("_OTHER", "/item/{number:int}", "200", ""): 1,
        ("HEAD", "/item/{number:int}", "200", ""): 1,
        ("PUT", "/item/{number:int}", "405", ""): 1,
        ("GET", "/blocking/{name}", "200", ""): 1,
        ("GET", "", "307", ""): 1,
        ("GET", "", "404", ""): 1,
    }
    assert page.answers() == Counter(
        ("_OTHER" if method == "BREW" else method, status) for method, status in server.log
    )
    assert page.count(ACTIVE, "http_request_method") == {}


def test_what_is_mounted_counts_once_with_the_whole_path(page, serve_asgi, ask, tmp_path):
    (tmp_path / "tea.txt").write_text("tea")
    inner = Starlette(routes=[ITEM])
    within = [Mount("/cart/{name}", app=inner), Route("/open", blocking)]
    web = Starlette(
        routes=[
            Mount("/shop", routes=within),
            Mount("/files", app=StaticFiles(directory=tmp_path)),
            Mount("/more", app=Router([Mount("/files", app=StaticFiles(directory=tmp_path))])),
        ]
    )
    server = serve_asgi(web)
    ask(server.port, "GET", "/shop/cart/ada/item/3")
    ask(server.port, "GET", "/shop/cart/ben/item/1")
    ask(server.port, "GET", "/shop/open")
    ask(server.port, "GET", "/files/tea.txt")
    ask(server.port, "GET", "/files/milk.txt")
    ask(server.port, "GET", "/more/files/tea.txt")
    server.stop()
    assert page.server() == {
        ("GET", "/shop/cart/{name}/item/{number:int}", "200", ""): 1,
        ("GET", "/shop/cart/{name}/item/{number:int}", "500", "LookupError"): 1,
        ("GET", "/shop/open", "200", ""): 1,
        ("GET", "/files", "200", ""): 1,
        ("GET", "/files", "404", ""): 1,
        ("GET", "/more/files", "200", ""): 1,
    }
    assert page.answers() == Counter(server.log)


def test_requests_that_wait_for_the_one_before_count_like_others(page, serve_asgi):
    # uvicorn begins a request that came in early where the one before it has been answered.
    server = serve_asgi(Starlette(routes=[Mount("/shop", routes=[Route("/open", blocking)])]))
    with socket.create_connection(("127.0.0.1", server.port), 60) as client:
        request = b"GET /shop/open HTTP/1.1\r\nHost: tea\r\n%b\r\n"
        client.sendall(request % b"" + request % b"" + request % b"Connection: close\r\n")
        while client.recv(10_000):
            pass
    server.stop()
    assert server.log == [("GET", "200")] * 3
    assert page.server() == {("GET", "/shop/open", "200", ""): 3}


async def sorry(request, error):
    return JSONResponse("sorry", status_code=507)


async def gone(request, error):
    return JSONResponse("gone", status_code=410)


@pytest.mark.parametrize(
    ("handlers", "seen"),
    [
        ({}, ("500", "LookupError")),
        ({Exception: sorry}, ("507", "LookupError")),
        ({LookupError: gone}, ("410", "")),
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_exceptions_and_their_handlers(page, serve_asgi, ask, handlers, seen, debug):
    server = serve_asgi(Starlette(routes=[ITEM], exception_handlers=handlers, debug=debug))
    status, _ = ask(server.port, "GET", "/item/1")
    server.stop()
    assert server.log == [("GET", str(status))]
    assert page.server() == {
        ("GET", "/item/{number:int}", *(("500", seen[1]) if debug and status == 500 else seen)): 1
    }


class Around(BaseHTTPMiddleware):
    """Middleware that runs what is within in a task of its own."""

    async def dispatch(self, request, call_next):
        if request.url.path == "/item/9":
            return PlainTextResponse("closed", status_code=403)
        return await call_next(request)


class Other:
    """Middleware that answers with another status than it was given."""

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send):
        async def other(message):
            if message["type"] == "http.response.start":
                message["status"] += 1
            await send(message)

        await self._app(scope, receive, other)


@pytest.mark.parametrize("kind", [Around, Other])
def test_middleware_has_the_last_word(page, serve_asgi, ask, kind):
    server = serve_asgi(Starlette(routes=[ITEM], middleware=[Middleware(kind)]))
    for number in (2, 3, 9):
        ask(server.port, "GET", f"/item/{number}")
    server.stop()
    assert page.answers() == Counter(server.log)
    assert len(server.log) == 3
    assert set(page.count("http_server_request_duration_seconds_count", "http_route")) <= {
        ("/item/{number:int}",),
        ("",),
    }


def test_a_streamed_answer_counts_when_it_is_over(page, serve_asgi):
    release = threading.Event()

    async def parts():
        yield "tea"
        await asyncio.to_thread(release.wait, 60)
        yield "milk"

    async def stream(request):
        return StreamingResponse(parts())

    server = serve_asgi(Starlette(routes=[Route("/stream", stream)]))
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request("GET", "/stream")
        answer = connection.getresponse()
        assert page.server() == {}
        assert page.count(ACTIVE, "http_request_method") == {("GET",): 1}
        release.set()
        assert answer.read() == b"teamilk"
    server.stop()
    assert page.server() == {("GET", "/stream", "200", ""): 1}


def test_a_client_that_leaves_is_counted(page, serve_asgi):
    left = threading.Event()

    async def parts():
        try:
            while True:
                yield "tea" * 10_000
                await asyncio.sleep(0)
        finally:
            left.set()

    async def stream(request):
        return StreamingResponse(parts())

    server = serve_asgi(Starlette(routes=[Route("/stream", stream)]))
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request("GET", "/stream")
        connection.getresponse().read(3)
    assert left.wait(60)
    server.stop()
    assert page.count("http_server_request_duration_seconds_count", "http_route") == {
        ("/stream",): 1
    }
    assert page.count(ACTIVE, "http_request_method") == {}


def test_an_error_in_the_midst_of_an_answer_and_a_background_task(page, serve_asgi, ask):
    def fail():
        raise ValueError("too late")

    async def late(request):
        return PlainTextResponse("late", background=BackgroundTask(fail))

    server = serve_asgi(Starlette(routes=[Route("/late", late)]))
    assert ask(server.port, "GET", "/late") == (200, b"late")
    server.stop()
    assert page.server() == {("GET", "/late", "200", "ValueError"): 1}


def test_a_cancelled_request_counts(page):
    arrived = asyncio.Event()

    async def wait(request):
        arrived.set()
        await asyncio.Event().wait()

    web = Starlette(routes=[Route("/wait", wait)])
    scope = {"type": "http", "method": "GET", "path": "/wait", "headers": [], "query_string": b""}

    async def main():
        asked = asyncio.create_task(web(dict(scope), None, None))
        await arrived.wait()
        asked.cancel()
        await asyncio.wait([asked])
        assert asked.cancelled()

    asyncio.run(main())
    assert page.server() == {("GET", "/wait", "", "asyncio.exceptions.CancelledError"): 1}
    assert page.count(ACTIVE, "http_request_method") == {}


def test_a_websocket_is_no_request(page, serve_asgi, talk):
    seen = []

    async def echo(websocket):
        await websocket.accept()
        seen.append(page.count(ACTIVE, "http_request_method"))
        await websocket.send_text(await websocket.receive_text())
        await websocket.close()

    server = serve_asgi(Starlette(routes=[WebSocketRoute("/socket", echo)]))
    assert talk(server.port, "/socket", "tea") == "tea"
    server.stop()
    assert seen == [{}]
    assert page.server() == {}
