"""The pack of FastAPI beside the access log of uvicorn."""

from __future__ import annotations

from collections import Counter

import pytest
from fastapi import APIRouter, FastAPI, HTTPException, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse

ACTIVE = "http_server_active_requests"


@pytest.fixture
def page(measured):
    return measured("fastapi")


@pytest.fixture
def web():
    web = FastAPI()
    items, shop = APIRouter(prefix="/items"), APIRouter()

    @items.get("/{number}")
    async def item(number: int):
        if number == 0:
            raise HTTPException(404)
        if number == 1:
            raise LookupError("not there")
        return PlainTextResponse("item", status_code=503 if number == 2 else 200)

    @items.post("/{number}", status_code=201)
    def make(number: int):
        return number

    @web.get("/own/{name}")
    async def own(name: str):
        return StreamingResponse(iter(["tea", "milk"]))

    @web.websocket("/socket")
    async def socket(websocket: WebSocket):
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())
        await websocket.close()

    shop.include_router(items, prefix="/shop")
    web.include_router(shop, prefix="/v1/{tenant}")
    return web


def test_each_request_by_route_and_status(page, web, serve_asgi, ask):
    server = serve_asgi(web)
    for number in (0, 1, 2, 3, "three"):
        ask(server.port, "GET", f"/v1/ada/shop/items/{number}?user=ada")
    ask(server.port, "POST", "/v1/ben/shop/items/4")
    ask(server.port, "PUT", "/v1/ben/shop/items/4")
    ask(server.port, "GET", "/own/ada")
    ask(server.port, "GET", "/openapi.json")
    ask(server.port, "GET", "/nowhere/ada")
    server.stop()
    route = "/v1/{tenant}/shop/items/{number}"
    assert page.server() == {
        ("GET", route, "404", ""): 1,
        ("GET", route, "500", "LookupError"): 1,
        ("GET", route, "503", "503"): 1,
        ("GET", route, "200", ""): 1,
        ("GET", route, "422", ""): 1,
        ("POST", route, "201", ""): 1,
        ("PUT", route, "405", ""): 1,
        ("GET", "/own/{name}", "200", ""): 1,
        ("GET", "/openapi.json", "200", ""): 1,
        ("GET", "", "404", ""): 1,
    }
    assert page.answers() == Counter(server.log)
    assert page.count(ACTIVE, "http_request_method") == {}


def test_an_application_that_is_mounted(page, web, serve_asgi, ask):
    outer = FastAPI()
    outer.mount("/inner", web)
    server = serve_asgi(outer)
    ask(server.port, "GET", "/inner/v1/ada/shop/items/3")
    ask(server.port, "GET", "/inner/v1/ada/shop/items/1")
    ask(server.port, "GET", "/inner/own/ada")
    server.stop()
    assert page.server() == {
        ("GET", "/inner/v1/{tenant}/shop/items/{number}", "200", ""): 1,
        ("GET", "/inner/v1/{tenant}/shop/items/{number}", "500", "LookupError"): 1,
        ("GET", "/inner/own/{name}", "200", ""): 1,
    }
    assert page.answers() == Counter(server.log)


def test_middleware_and_handlers_of_exceptions(page, web, serve_asgi, ask):
    @web.middleware("http")
    async def closed(request, call_next):
        if "closed" in request.query_params:
            return PlainTextResponse("closed", status_code=403)
        return await call_next(request)

    @web.exception_handler(LookupError)
    async def gone(request, error):
        return PlainTextResponse("gone", status_code=410)

    server = serve_asgi(web)
    ask(server.port, "GET", "/own/ada?closed")
    ask(server.port, "GET", "/own/ada")
    ask(server.port, "GET", "/v1/ada/shop/items/1")
    server.stop()
    assert page.server() == {
        ("GET", "", "403", ""): 1,
        ("GET", "/own/{name}", "200", ""): 1,
        ("GET", "/v1/{tenant}/shop/items/{number}", "410", ""): 1,
    }
    assert page.answers() == Counter(server.log)


def test_a_websocket_is_no_request(page, web, serve_asgi, talk):
    server = serve_asgi(web)
    assert talk(server.port, "/socket", "tea") == "tea"
    server.stop()
    assert page.server() == {}


def test_with_the_pack_of_starlette_each_request_counts_once(measured, web, serve_asgi, ask):
    page = measured("starlette", "fastapi")
    server = serve_asgi(web)
    ask(server.port, "GET", "/own/ada")
    server.stop()
    assert page.server() == {("GET", "/own/{name}", "200", ""): 1}
