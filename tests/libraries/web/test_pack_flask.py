"""The pack of Flask beside its server's own log."""

from __future__ import annotations

import threading
from collections import Counter
from http.client import HTTPConnection

import pytest
from flask import Blueprint, Flask, Response, abort, request
from flask_sock import Sock

ACTIVE = "http_server_active_requests"


@pytest.fixture
def page(measured):
    return measured("flask")


@pytest.fixture
def release():
    """What a streamed answer waits for."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def web(page, release):
    web = Flask(__name__)
    shop = Blueprint("shop", __name__, url_prefix="/shop")

    @web.route("/item/<int:number>", methods=["GET", "POST", "BREW"])
    def item(number):
        if number == 0:
            abort(404)
        if number == 1:
            raise LookupError("not there")
        if number == 2:
            return "busy", 503
        return "item"

    @shop.get("/cart/<name>")
    async def cart(name):
        return "cart"

    @web.get("/stream")
    def stream():
        def parts():
            yield "tea"
            release.wait(60)
            yield "milk"

        return Response(parts())

    @web.get("/broken")
    def broken():
        raise ValueError("broken")

    web.register_blueprint(shop)
    return web


def test_each_request_by_route_and_status(page, web, serve_wsgi, ask):
    server = serve_wsgi(web)
    for number in (0, 2, 3, 4):
        ask(server.port, "GET", f"/item/{number}?user=ada")
    ask(server.port, "POST", "/item/5")
    ask(server.port, "BREW", "/item/5")
    ask(server.port, "HEAD", "/item/5")
    ask(server.port, "OPTIONS", "/item/5")
    ask(server.port, "PUT", "/item/5")
    ask(server.port, "GET", "/shop/cart/ada")
    ask(server.port, "GET", "/nowhere/ada")
    assert page.server() == {
        ("GET", "/item/<int:number>", "200", ""): 2,
        ("GET", "/item/<int:number>", "404", ""): 1,
        ("GET", "/item/<int:number>", "503", "503"): 1,
        ("POST", "/item/<int:number>", "200", ""): 1,
        ("_OTHER", "/item/<int:number>", "200", ""): 1,
        ("HEAD", "/item/<int:number>", "200", ""): 1,
        ("OPTIONS", "/item/<int:number>", "200", ""): 1,
        ("PUT", "", "405", ""): 1,
        ("GET", "/shop/cart/<name>", "200", ""): 1,
        ("GET", "", "404", ""): 1,
    }
    assert page.answers() == Counter(
        ("_OTHER" if method == "BREW" else method, status) for method, status in server.log
    )
    assert page.count(ACTIVE, "http_request_method") == {}


def test_an_exception_that_nothing_handles_is_a_500_with_its_name(page, web, serve_wsgi, ask):
    server = serve_wsgi(web)
    assert ask(server.port, "GET", "/broken")[0] == 500
    assert server.log == [("GET", "500")]
    assert page.server() == {("GET", "/broken", "500", "ValueError"): 1}


def test_an_exception_that_is_handled_is_what_its_handler_answers(page, web, serve_wsgi, ask):
    web.register_error_handler(LookupError, lambda error: ("gone", 410))
    web.register_error_handler(500, lambda error: ("sorry", 200))
    server = serve_wsgi(web)
    assert ask(server.port, "GET", "/item/1")[0] == 410
    assert ask(server.port, "GET", "/broken")[0] == 200
    assert server.log == [("GET", "410"), ("GET", "200")]
    assert page.server() == {
        ("GET", "/item/<int:number>", "410", ""): 1,
        ("GET", "/broken", "200", ""): 1,
    }


def test_what_is_answered_and_raised_after_the_view_counts(page, web, serve_wsgi, ask):
    @web.before_request
    def closed():
        return "closed", 403

    @web.after_request
    def after(response):
        if request.method == "POST":
            raise RuntimeError("after")
        response.status_code = 401
        return response

    server = serve_wsgi(web)
    assert ask(server.port, "GET", "/item/3")[0] == 401
    assert ask(server.port, "POST", "/item/3")[0] == 500
    assert server.log == [("GET", "401"), ("POST", "500")]
    assert page.server() == {
        ("GET", "/item/<int:number>", "401", ""): 1,
        ("POST", "/item/<int:number>", "500", "RuntimeError"): 1,
    }


def test_an_exception_that_reaches_the_server_counts_by_its_name(page, web, serve_wsgi, ask):
    web.config["PROPAGATE_EXCEPTIONS"] = True
    server = serve_wsgi(web)
    assert ask(server.port, "GET", "/broken")[0] == 500
    assert page.server() == {("GET", "/broken", "", "ValueError"): 1}


def test_a_streamed_answer_counts_when_its_headers_are_there(page, web, serve_wsgi, release):
    server = serve_wsgi(web)
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", "/stream")
    answer = connection.getresponse()
    assert page.server() == {("GET", "/stream", "200", ""): 1}
    release.set()
    assert answer.read() == b"teamilk"
    connection.close()
    assert page.server() == {("GET", "/stream", "200", ""): 1}


def test_requests_under_way(page, web, serve_wsgi, ask):
    @web.get("/active")
    def active():
        return str(page.count(ACTIVE, "http_request_method"))

    server = serve_wsgi(web)
    assert ask(server.port, "GET", "/active") == (200, b"{('GET',): 1}")
    assert page.count(ACTIVE, "http_request_method") == {}


def test_a_websocket_is_no_request(page, web, serve_wsgi, talk):
    seen, over, inner = [], threading.Event(), web.wsgi_app

    def until_over(environ, start_response):
        try:
            return inner(environ, start_response)
        finally:
            over.set()

    web.wsgi_app = until_over

    @Sock(web).route("/socket")
    def socket(connection):
        seen.append(page.count(ACTIVE, "http_request_method"))
        connection.send(connection.receive())

    server = serve_wsgi(web)
    assert talk(server.port, "/socket", "tea") == "tea"
    assert over.wait(60)
    assert seen == [{}]
    assert page.server() == {}
