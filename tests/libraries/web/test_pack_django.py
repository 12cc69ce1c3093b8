"""The pack of Django beside the log of its server, with WSGI and with ASGI."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from contextlib import closing
from http.client import HTTPConnection

import django
import pytest
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.exceptions import BadRequest, PermissionDenied
from django.core.wsgi import get_wsgi_application
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import include, path, re_path

ACTIVE = "http_server_active_requests"
RELEASE = threading.Event()
UNDER_WAY = []
ARRIVED = []


def item(request, number):
    raised = {0: Http404(), 1: LookupError(), 4: PermissionDenied(), 5: BadRequest()}
    if number in raised:
        raise raised[number]
    return HttpResponse("item", status=503 if number == 2 else 200)


async def later(request, name=""):
    return HttpResponse("later")


async def lost(request):
    raise ValueError("lost")


async def wait(request):
    ARRIVED[0].set()
    await asyncio.Event().wait()


def under_way(request):
    return HttpResponse(str(UNDER_WAY[0]()))


def stream(request):
    def parts():
        yield "tea"
        RELEASE.wait(60)
        yield "milk"

    return StreamingHttpResponse(parts())


urlpatterns = [
    path("item/<int:number>/", item),
    path("shop/", include([path("later", later), re_path(r"^cart/(?P<name>\w+)$", later)])),
    path("lost", lost),
    path("wait", wait),
    path("under_way", under_way),
    path("stream", stream),
]


def refusing(get_response):
    """Middleware that answers by itself."""

    def handle(request):
        return HttpResponse("no", status=403) if "refuse" in request.GET else get_response(request)

    return handle


def failing(get_response):
    """Middleware that fails when the view has answered."""

    def handle(request):
        response = get_response(request)
        if "fail" in request.GET:
            raise RuntimeError("fail")
        return response

    return handle


settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    LOGGING_CONFIG=None,
    MIDDLEWARE=[
        "django.middleware.common.CommonMiddleware",
        f"{__name__}.refusing",
        f"{__name__}.failing",
    ],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for this test alone",
)
django.setup()


@pytest.fixture
def page(measured):
    page = measured("django")
    RELEASE.clear()
    UNDER_WAY[:] = [lambda: page.count(ACTIVE, "http_request_method")]
    yield page
    RELEASE.set()


@pytest.fixture(params=["wsgi", "asgi"])
def server(request, page, serve_wsgi, serve_asgi):
    if request.param == "wsgi":
        return serve_wsgi(get_wsgi_application())
    return serve_asgi(get_asgi_application())


def test_each_request_by_route_and_status(page, server, ask):
    for number in (0, 2, 3, 3, 4, 5):
        ask(server.port, "GET", f"/item/{number}/?user=ada")
    ask(server.port, "BREW", "/item/3/")
    ask(server.port, "HEAD", "/item/3/")
    ask(server.port, "GET", "/item/3")
    ask(server.port, "GET", "/shop/later")
    ask(server.port, "GET", "/shop/cart/ada")
    ask(server.port, "GET", "/nowhere/ada")
    server.stop()
    assert page.server() == {
        ("GET", "item/<int:number>/", "200", ""): 2,
        ("GET", "item/<int:number>/", "400", ""): 1,
        ("GET", "item/<int:number>/", "403", ""): 1,
        ("GET", "item/<int:number>/", "404", ""): 1,
        ("GET", "item/<int:number>/", "503", "503"): 1,
        ("_OTHER", "item/<int:number>/", "200", ""): 1,
        ("HEAD", "item/<int:number>/", "200", ""): 1,
        ("GET", "", "301", ""): 1,
        ("GET", "shop/later", "200", ""): 1,
        ("GET", r"shop/cart/(?P<name>\w+)$", "200", ""): 1,
        ("GET", "", "404", ""): 1,
    }
    assert page.answers() == Counter(
        ("_OTHER" if method == "BREW" else method, status) for method, status in server.log
    )
    assert page.count(ACTIVE, "http_request_method") == {}


def test_exceptions_and_middleware(page, server, ask):
    ask(server.port, "GET", "/item/1/")
    ask(server.port, "GET", "/lost")
    ask(server.port, "GET", "/item/3/?refuse")
    ask(server.port, "GET", "/item/3/?fail")
    server.stop()
    assert page.server() == {
        ("GET", "item/<int:number>/", "500", "LookupError"): 1,
        ("GET", "lost", "500", "ValueError"): 1,
        ("GET", "", "403", ""): 1,
        ("GET", "item/<int:number>/", "500", "RuntimeError"): 1,
    }
    assert page.answers() == Counter(server.log)


def test_an_exception_that_reaches_the_server_counts_by_its_name(page, server, ask):
    with override_settings(DEBUG_PROPAGATE_EXCEPTIONS=True):
        assert ask(server.port, "GET", "/item/1/")[0] == 500
        server.stop()
    assert page.server() == {("GET", "item/<int:number>/", "", "LookupError"): 1}


def test_a_streamed_answer_counts_when_its_headers_are_there(page, serve_wsgi):
    server = serve_wsgi(get_wsgi_application())
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request("GET", "/stream")
        answer = connection.getresponse()
        assert page.server() == {("GET", "stream", "200", ""): 1}
        RELEASE.set()
        assert answer.read() == b"teamilk"
    assert page.server() == {("GET", "stream", "200", ""): 1}


def test_requests_under_way(page, server, ask):
    assert ask(server.port, "GET", "/under_way") == (200, b"{('GET',): 1}")
    server.stop()
    assert page.count(ACTIVE, "http_request_method") == {}


def test_a_cancelled_request_counts(page):
    scope = {"type": "http", "method": "GET", "path": "/wait", "query_string": b""}
    scope |= {"headers": [(b"host", b"127.0.0.1")], "server": ("127.0.0.1", 80)}
    body = iter([{"type": "http.request", "body": b""}])

    async def receive():
        return next(body, None) or await asyncio.Event().wait()

    async def main():
        ARRIVED[:] = [asyncio.Event()]
        asked = asyncio.create_task(get_asgi_application()(scope, receive, None))
        arrived = asyncio.create_task(ARRIVED[0].wait())
        await asyncio.wait([asked, arrived], return_when="FIRST_COMPLETED")
        asked.cancel()
        await asyncio.wait([asked, arrived])

    asyncio.run(main())
    assert page.server() == {("GET", "wait", "", "asyncio.exceptions.CancelledError"): 1}
    assert page.count(ACTIVE, "http_request_method") == {}
