"""The programs of `packs.py`: for each library one that makes the same few requests over and over.

A case is built in a process of its own, after what measures has been installed. Where a library
lets its peer be left out (an adapter, a pool or a connection that answers from memory), it is: what
the library does by itself would only hide what measuring adds.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections import Counter
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CASES", "REQUESTS", "UNUSUAL", "Case"]

HOST: Final = "shop.example"
# Method, path, route, status: more successes than failures, as programs have them.
REQUESTS: Final = [
    *[("GET", f"/items/{number}", "/items/{id}", 200) for number in range(1, 8)],
    ("POST", "/items/8", "/items/{id}", 201),
    ("GET", "/items/404", "/items/{id}", 404),
    ("GET", "/items/503", "/items/{id}", 503),
]
"""What a program that is built now will make, or answer."""
_RAISES: Final = 500
UNUSUAL: Final = {
    "that raises": ("GET", "/items/500", "/items/{id}", _RAISES),
    "without a route": ("GET", "/nowhere", "", 404),
    "whose method the route has not": ("PUT", "/items/1", "/items/{id}", 405),
}
"""What is compared alone, and not timed."""
_CLIENT: Final = (
    "http_client_request_duration_seconds_count",
    ("http_request_method", "server_address", "http_response_status_code"),
)
_SERVER: Final = (
    "http_server_request_duration_seconds_count",
    ("http_request_method", "http_route", "http_response_status_code"),
)


class Case(NamedTuple):
    """How a library is measured.

    Args:
        build: makes the program; what it gives makes a number of passes over its script.
        instrumentation: the module of OpenTelemetry, and the class in it, if there is one.
        counted: the sample that counts requests, and the labels that tell them apart; the same in
            both where the names are the same.
        expected: the requests of one pass by those labels.
        theirs: sample and labels of OpenTelemetry's metrics where they are others.
        span: gives the labels from a span, where OpenTelemetry has no metric of requests.
        per: what a request of it is called.
    """

    build: Callable[[], Callable[[int], object]]
    instrumentation: tuple[str, str] | None
    counted: tuple[str, tuple[str, ...]]
    expected: Counter[tuple[str, ...]]
    theirs: tuple[str, tuple[str, ...]] | None = None
    span: Callable[[Any], tuple[str, ...]] | None = None
    per: str = "request"


def _passes(one_pass: Callable[[], object]) -> Callable[[int], object]:
    """Give what makes many passes out of what makes one."""

    def run(times: int) -> None:
        for _ in range(times):
            one_pass()

    return run


def _status(method: str, path: str) -> int:
    """Give the status that a request is answered with.

    Raises:
        ConnectionError: that is what it is answered with.
    """
    status = next(each[3] for each in REQUESTS if each[:2] == (method, path))
    if status == _RAISES:
        raise ConnectionError
    return status


def _requests() -> Callable[[int], object]:
    import requests  # noqa: PLC0415 - after what measures it
    from requests.adapters import BaseAdapter  # noqa: PLC0415 - the same

    class Memory(BaseAdapter):
        def send(self, request: Any, *_: Any, **__: Any) -> Any:  # noqa: ANN401 - a library's own
            answer = requests.Response()
            answer.status_code = _status(request.method, request.path_url)
            answer.request, answer.url, answer._content = request, request.url, b""  # noqa: SLF001 - as adapters do
            return answer

        def close(self) -> None: ...

    session = requests.Session()
    session.mount("http://", Memory())
    prepared = [
        requests.Request(method, f"http://{HOST}{path}").prepare()
        for method, path, _, _ in REQUESTS
    ]

    def one_pass() -> None:
        for each in prepared:
            session.send(each)

    return _passes(one_pass)


def _urllib3() -> Callable[[int], object]:
    import urllib3  # noqa: PLC0415 - after what measures it

    class Memory(urllib3.HTTPConnectionPool):
        def _make_request(self, _: Any, method: str, url: str, **__: Any) -> Any:  # noqa: ANN401 - a library's own
            return urllib3.HTTPResponse(b"", status=_status(method, url), preload_content=False)

    pool = Memory(HOST, 80)

    def one_pass() -> None:
        for method, path, _, _ in REQUESTS:
            pool.urlopen(method, path)

    return _passes(one_pass)


def _httpx() -> Callable[[int], object]:
    import httpcore  # noqa: PLC0415 - after what measures it
    import httpx  # noqa: PLC0415 - the same

    class Memory:
        def handle_request(self, request: Any) -> Any:  # noqa: ANN401 - a library's own
            path = request.url.target.decode()
            return httpcore.Response(_status(request.method.decode(), path), content=b"")

    transport = httpx.HTTPTransport()
    transport._pool = Memory()  # type: ignore[assignment]  # noqa: SLF001 - what it sends by
    client = httpx.Client(transport=transport)
    requests = [httpx.Request(method, f"http://{HOST}{path}") for method, path, _, _ in REQUESTS]

    def one_pass() -> None:
        for each in requests:
            client.send(each)

    return _passes(one_pass)


def _aiohttp_client() -> Callable[[int], object]:
    import aiohttp  # noqa: PLC0415 - after what measures it

    class Answer:
        _raw_cookie_headers = connection = None

        def __init__(self, request: Any) -> None:  # noqa: ANN401 - a library's own
            self.method, self.url, self.headers = request.method, request.url, request.headers
            self.status = _status(request.method, request.url.path)

    async def memory(request: Any, _: Any) -> Any:  # noqa: ANN401 - a library's own
        return Answer(request)

    loop = asyncio.new_event_loop()

    async def all_passes(times: int) -> None:
        async with aiohttp.ClientSession(middlewares=(memory,)) as session:
            for _ in range(times):
                for method, path, _, _ in REQUESTS:
                    await session._request(method, f"http://{HOST}{path}")  # noqa: SLF001 - `request` has a context of its own around it

    return lambda times: loop.run_until_complete(all_passes(times))


def _environ(method: str, path: str) -> dict[str, Any]:
    """Give what a server hands to a WSGI application."""
    from wsgiref.util import setup_testing_defaults  # noqa: PLC0415 - only two cases need it

    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "HTTP_HOST": HOST}
    setup_testing_defaults(environ)
    return environ


def _through_wsgi(application: Callable[..., Any]) -> Callable[[int], object]:
    environs = [_environ(method, path) for method, path, _, _ in REQUESTS]

    def start(status: str, headers: list[tuple[str, str]], error: object = None) -> None: ...

    def one_pass() -> None:
        for each in environs:
            answer = application(dict(each), start)
            for _ in answer:
                pass
            if hasattr(answer, "close"):
                answer.close()

    return _passes(one_pass)


def _flask() -> Callable[[int], object]:
    import flask  # noqa: PLC0415 - after what measures it

    application = flask.Flask("shop")

    @application.route("/items/<int:id>", methods=["GET", "POST"])
    def item(id: int) -> tuple[str, int]:  # noqa: A002 - the route's parameter
        return "", _status(flask.request.method, f"/items/{id}")

    return _through_wsgi(application)


def _django() -> Callable[[int], object]:
    import django  # noqa: PLC0415 - after what measures it
    from django.conf import settings  # noqa: PLC0415 - the same
    from django.core.handlers.wsgi import WSGIHandler  # noqa: PLC0415 - the same
    from django.http import HttpResponse  # noqa: PLC0415 - the same
    from django.urls import path as route  # noqa: PLC0415 - the same

    def item(request: Any, id: int) -> Any:  # noqa: A002, ANN401 - the route's parameter
        return HttpResponse("", status=_status(request.method, f"/items/{id}"))

    urls: Any = ModuleType("shop_urls")
    urls.urlpatterns = [route("items/<int:id>", item)]
    sys.modules["shop_urls"] = urls
    silent = {"version": 1, "loggers": {"django.request": {"level": "CRITICAL"}}}
    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF="shop_urls", LOGGING=silent)
    else:
        settings.ALLOWED_HOSTS, settings.ROOT_URLCONF = ["*"], "shop_urls"
        settings.LOGGING = silent
    django.setup()
    return _through_wsgi(WSGIHandler())


def _fastapi() -> Callable[[int], object]:
    import fastapi  # noqa: PLC0415 - after what measures it
    from starlette.responses import Response  # noqa: PLC0415 - the same

    application = fastapi.FastAPI()

    async def item(request: Any, id: int) -> Any:  # noqa: A002, ANN401 - the route's parameter
        return Response(b"", status_code=_status(request.method, f"/items/{id}"))

    item.__annotations__ |= {"request": fastapi.Request, "id": int, "return": Response}
    application.api_route("/items/{id}", methods=["GET", "POST"])(item)
    return _through_asgi(application)


def _starlette() -> Callable[[int], object]:
    from starlette.applications import Starlette  # noqa: PLC0415 - after what measures it
    from starlette.responses import Response  # noqa: PLC0415 - the same
    from starlette.routing import Route  # noqa: PLC0415 - the same

    async def item(request: Any) -> Any:  # noqa: ANN401 - a library's own
        return Response(b"", status_code=_status(request.method, request.url.path))

    return _through_asgi(Starlette(routes=[Route("/items/{id}", item, methods=["GET", "POST"])]))


def _through_asgi(application: Callable[..., Any]) -> Callable[[int], object]:
    scopes = [
        {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"host", HOST.encode())],
            "server": (HOST, 80),
            "root_path": "",
        }
        for method, path, _, _ in REQUESTS
    ]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Any) -> None: ...  # noqa: ANN401 - a library's own

    loop = asyncio.new_event_loop()

    async def all_passes(times: int) -> None:
        for _ in range(times):
            for scope in scopes:
                await application(dict(scope), receive, send)

    return lambda times: loop.run_until_complete(all_passes(times))


def _aiohttp_server() -> Callable[[int], object]:
    from aiohttp import web  # noqa: PLC0415 - after what measures it

    async def item(request: Any) -> Any:  # noqa: ANN401 - a library's own
        return web.Response(status=_status(request.method, request.path))

    loop = asyncio.new_event_loop()

    async def serve() -> Any:  # noqa: ANN401 - a pair of streams
        application = web.Application()
        application.router.add_route("*", "/items/{id}", item)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return await asyncio.open_connection(*runner.addresses[0][:2])

    reader, writer = loop.run_until_complete(serve())
    raw = [
        f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\n\r\n".encode()
        for method, path, _, _ in REQUESTS
    ]

    async def all_passes(times: int) -> None:
        for _ in range(times):
            for each in raw:
                writer.write(each)
                await reader.readuntil(b"\r\n\r\n")

    return lambda times: loop.run_until_complete(all_passes(times))


_STATEMENTS: Final = ("SELECT", "SELECT", "SELECT", "INSERT", "UPDATE")
_SQL: Final = {
    "SELECT": "SELECT name FROM items WHERE id = 1",
    "INSERT": "INSERT INTO items VALUES (2, 'milk') ON CONFLICT DO NOTHING",
    "UPDATE": "UPDATE items SET name = 'tea' WHERE id = 1",
}


def _sqlalchemy() -> Callable[[int], object]:
    import sqlalchemy  # noqa: PLC0415 - after what measures it

    engine = sqlalchemy.create_engine("sqlite://")
    connection = engine.connect()
    connection.exec_driver_sql("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT)")
    statements = [sqlalchemy.text(_SQL[each]) for each in _STATEMENTS]

    def one_pass() -> None:
        for each in statements:
            connection.execute(each)

    return _passes(one_pass)


_COMMANDS: Final = (("GET", "tea"), ("GET", "milk"), ("SET", "tea", "1"), ("INCR", "tea"))


def _redis() -> Callable[[int], object]:
    import redis  # noqa: PLC0415 - after what measures it

    class Memory(redis.Connection):
        def connect(self) -> None: ...
        def disconnect(self, *_: Any, **__: Any) -> None: ...  # noqa: ANN401 - a library's own
        def send_command(self, *words: Any, **_: Any) -> None: ...  # noqa: ANN401 - the same
        def can_read(self, *_: Any, **__: Any) -> bool:  # noqa: ANN401 - the same
            return False

        def read_response(self, *_: Any, **__: Any) -> Any:  # noqa: ANN401 - the same
            return b"1"

    client = redis.Redis(connection_pool=redis.ConnectionPool(connection_class=Memory))

    def one_pass() -> None:
        for each in _COMMANDS:
            client.execute_command(*each)

    return _passes(one_pass)


def _celery() -> Callable[[int], object]:
    import celery  # noqa: PLC0415 - after what measures it

    application = celery.Celery("shop", broker="memory://", set_as_current=True)

    @application.task(name="shop.brew")  # type: ignore[misc]  # a library's own
    def brew(cups: int) -> int:
        return cups

    def one_pass() -> None:
        for cups in range(10):
            brew.apply((cups,))

    return _passes(one_pass)


def _boto3() -> Callable[[int], object]:
    import boto3  # noqa: PLC0415 - after what measures it
    from botocore.awsrequest import AWSResponse  # noqa: PLC0415 - the same
    from botocore.exceptions import ClientError  # noqa: PLC0415 - the same

    session = boto3.Session("key", "secret", region_name="eu-west-1")
    client = session.client("sqs", endpoint_url=f"http://{HOST}")

    class Raw:
        def stream(self, **_: Any) -> Iterator[bytes]:  # noqa: ANN401 - a library's own
            yield b"{}"

        def read(self, *_: Any, **__: Any) -> bytes:  # noqa: ANN401 - the same
            return b"{}"

    def memory(request: Any, **_: Any) -> Any:  # noqa: ANN401 - a library's own
        status = 400 if b"missing" in request.body else 200
        return AWSResponse(request.url, status, {"Content-Type": "application/json"}, Raw())

    client.meta.events.register("before-send", memory)
    addresses = [f"http://{HOST}/1/{name}" for name in ("tea", "milk", "rice", "missing")]

    def one_pass() -> None:
        for each in addresses:
            with suppress(ClientError):
                client.purge_queue(QueueUrl=each)

    return _passes(one_pass)


def _jinja2() -> Callable[[int], object]:
    import jinja2  # noqa: PLC0415 - after what measures it

    texts = {"tea.txt": "{{ cups }} of tea", "milk.txt": "{{ cups }} of milk"}
    environment = jinja2.Environment(loader=jinja2.DictLoader(texts), autoescape=True)
    templates = [environment.get_template(name) for name in texts]

    def one_pass() -> None:
        for each in templates:
            each.render(cups=3)

    return _passes(one_pass)


def _click() -> Callable[[int], object]:
    import click  # noqa: PLC0415 - after what measures it

    @click.command("brew")
    def brew() -> None: ...

    def one_pass() -> None:
        for _ in range(5):
            brew.main([], prog_name="brew", standalone_mode=False)

    return _passes(one_pass)


def _gunicorn() -> Callable[[int], object]:
    from gunicorn.config import Config  # noqa: PLC0415 - each program has its own library
    from gunicorn.glogging import Logger  # noqa: PLC0415 - the same
    from gunicorn.workers.sync import SyncWorker  # noqa: PLC0415 - the same

    statuses = {path: status for _, path, _, status in REQUESTS}

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        start(f"{statuses[environ['PATH_INFO']]} ?", [("Content-Length", "2")])
        return [b"ok"]

    settings = Config()
    listener = socket.create_server(("127.0.0.1", 0))
    worker = SyncWorker(0, os.getpid(), [], None, 30, settings, Logger(settings))
    worker.wsgi = answer
    # What it tells its arbiter through a file is not of a request.
    worker.notify = lambda: None
    peer = listener.getsockname()

    def one_pass() -> None:
        for method, path, _, status in REQUESTS:
            ours, its = socket.socketpair()
            with ours, its:
                ours.sendall(f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
                # So that the worker does not wait for the next one.
                ours.shutdown(socket.SHUT_WR)
                worker.handle(listener, its, peer)
                assert ours.recv(4096).startswith(f"HTTP/1.1 {status} ".encode())

    return _passes(one_pass)


def _of_client() -> Counter[tuple[str, ...]]:
    return Counter((method, HOST, str(status)) for method, _, _, status in REQUESTS)


def _of_server(route: str) -> Counter[tuple[str, ...]]:
    return Counter((method, route, str(status)) for method, _, _, status in REQUESTS)


_DATABASE: Final = ("db_client_operation_duration_seconds_count", ("db_operation_name",))

CASES: Final[dict[str, Case]] = {
    "requests": Case(_requests, ("requests", "RequestsInstrumentor"), _CLIENT, _of_client()),
    "urllib3": Case(_urllib3, ("urllib3", "URLLib3Instrumentor"), _CLIENT, _of_client()),
    "httpx": Case(_httpx, ("httpx", "HTTPXClientInstrumentor"), _CLIENT, _of_client()),
    "aiohttp-client": Case(
        _aiohttp_client, ("aiohttp_client", "AioHttpClientInstrumentor"), _CLIENT, _of_client()
    ),
    "aiohttp-server": Case(
        _aiohttp_server,
        ("aiohttp_server", "AioHttpServerInstrumentor"),
        _SERVER,
        _of_server("/items/{id}"),
    ),
    "flask": Case(_flask, ("flask", "FlaskInstrumentor"), _SERVER, _of_server("/items/<int:id>")),
    "fastapi": Case(
        _fastapi, ("fastapi", "FastAPIInstrumentor"), _SERVER, _of_server("/items/{id}")
    ),
    "starlette": Case(
        _starlette, ("starlette", "StarletteInstrumentor"), _SERVER, _of_server("/items/{id}")
    ),
    "gunicorn": Case(
        _gunicorn,
        None,
        (
            "gunicorn_request_duration_seconds_count",
            ("http_request_method", "http_response_status_code"),
        ),
        Counter((method, str(status)) for method, _, _, status in REQUESTS),
    ),
    "django": Case(
        _django, ("django", "DjangoInstrumentor"), _SERVER, _of_server("items/<int:id>")
    ),
    "celery": Case(
        _celery,
        ("celery", "CeleryInstrumentor"),
        ("messaging_process_duration_seconds_count", ("celery_task_name",)),
        Counter({("shop.brew",): 10}),
        theirs=("flower_task_runtime_seconds_count", ("task",)),
        per="task",
    ),
    "sqlalchemy": Case(
        _sqlalchemy,
        ("sqlalchemy", "SQLAlchemyInstrumentor"),
        _DATABASE,
        Counter((each,) for each in _STATEMENTS),
        span=lambda span: (span.name.split()[0],),
        per="statement",
    ),
    "redis": Case(
        _redis,
        ("redis", "RedisInstrumentor"),
        _DATABASE,
        Counter(each[:1] for each in _COMMANDS),
        span=lambda span: (span.name.split()[0],),
        per="command",
    ),
    "boto3": Case(
        _boto3,
        ("botocore", "BotocoreInstrumentor"),
        (
            "rpc_client_call_duration_seconds_count",
            ("rpc_service", "rpc_method", "http_response_status_code"),
        ),
        Counter({("SQS", "PurgeQueue", "200"): 3, ("SQS", "PurgeQueue", "400"): 1}),
        span=lambda span: (
            span.attributes["rpc.service"],
            span.attributes["rpc.method"],
            str(span.attributes["http.status_code"]),
        ),
        per="operation",
    ),
    "jinja2": Case(
        _jinja2,
        ("jinja2", "Jinja2Instrumentor"),
        ("jinja2_render_duration_seconds_count", ("jinja2_template_name",)),
        Counter({("tea.txt",): 1, ("milk.txt",): 1}),
        span=lambda span: (span.attributes["jinja2.template_name"],),
        per="template",
    ),
    "click": Case(
        _click,
        ("click", "ClickInstrumentor"),
        ("cli_command_duration_seconds_count", ("command",)),
        Counter({("brew",): 5}),
        span=lambda span: (span.name,),
        per="command",
    ),
}
