"""The packs beside OpenTelemetry's instrumentations of the same libraries, in the same run.

Both stand in the same program, and both have to have counted as many requests of each method, route
and status. Requests by urllib3 and httpx that raise are not among them: OpenTelemetry has none.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from textwrap import dedent

import pytest
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.live

START = """
    import asyncio, json, os
    from opentelemetry import metrics
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    READER = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([READER]))
    URL = os.environ["PEER"]

    def tell():
        seen = []
        for resource in READER.get_metrics_data().resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name.endswith(".request.duration"):
                        for point in metric.data.data_points:
                            seen.append([dict(point.attributes), point.count])
        print(json.dumps(seen))
"""
REQUESTS = """
    from opentelemetry.instrumentation.requests import RequestsInstrumentor
    import requests
    RequestsInstrumentor().instrument()
    with requests.Session() as session:
        for path in ("/status/200", "/status/200", "/status/404", "/redirect/3"):
            session.get(URL + path, timeout=60)
        session.post(URL + "/status/503", timeout=60)
        session.max_redirects = 3
        for path in ("/circle", "/breaking"):
            try:
                session.get(URL + path, timeout=60)
            except requests.RequestException:
                pass
    tell()
"""
URLLIB3 = """
    from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
    import urllib3
    URLLib3Instrumentor().instrument()
    with urllib3.PoolManager() as manager:
        for path in ("/status/200", "/status/200", "/status/404", "/redirect/3"):
            manager.request("GET", URL + path)
        manager.request("GET", URL + "/flaky/1", retries=urllib3.Retry(2, status_forcelist=[503]))
        manager.request("POST", URL + "/status/503")
    tell()
"""
HTTPX = """
    from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
    import httpx
    HTTPXClientInstrumentor().instrument()
    PATHS = ("/status/200", "/status/200", "/status/404", "/redirect/3")
    with httpx.Client(follow_redirects=True) as client:
        for path in PATHS:
            client.get(URL + path)
    async def main():
        async with httpx.AsyncClient(follow_redirects=True) as client:
            for path in PATHS:
                await client.post(URL + path)
    asyncio.run(main())
    tell()
"""
AIOHTTP_CLIENT = """
    from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
    import aiohttp
    AioHttpClientInstrumentor().instrument()
    async def main():
        async with aiohttp.ClientSession() as session:
            for path in ("/status/200", "/status/200", "/status/404", "/redirect/3", "/breaking"):
                try:
                    async with session.post(URL + path) as answer:
                        await answer.read()
                except aiohttp.ClientError:
                    pass
    asyncio.run(main())
    tell()
"""
FLASK = """
    from opentelemetry.instrumentation.flask import FlaskInstrumentor
    from flask import Flask, abort
    web = Flask("web")
    FlaskInstrumentor().instrument_app(web)
    @web.get("/item/<int:number>")
    def item(number):
        if number == 1:
            abort(404)
        if number == 2:
            raise LookupError
        return "item"
    client = web.test_client()
    for path in ("/item/0", "/item/3", "/item/1", "/item/2", "/nowhere"):
        client.get(path)
    client.head("/item/4")
    tell()
"""
DJANGO = """
    import django
    from django.conf import settings
    settings.configure(
        ALLOWED_HOSTS=["testserver"], MIDDLEWARE=[], ROOT_URLCONF=__name__, LOGGING_CONFIG=None,
        SECRET_KEY="for this test alone",
    )
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    DjangoInstrumentor().instrument()
    django.setup()
    from django.http import Http404, HttpResponse
    from django.test import Client
    from django.urls import path
    def item(request, number):
        if number == 1:
            raise Http404
        if number == 2:
            raise LookupError
        return HttpResponse("item")
    urlpatterns = [path("item/<int:number>", item)]
    client = Client(raise_request_exception=False)
    for each in ("/item/0", "/item/3", "/item/1", "/item/2", "/nowhere"):
        client.get(each)
    client.head("/item/4")
    tell()
"""
STARLETTE = """
    from opentelemetry.instrumentation.starlette import StarletteInstrumentor
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient
    async def item(request):
        if request.path_params["number"] == 1:
            raise HTTPException(404)
        return PlainTextResponse("item")
    web = Starlette(routes=[Route("/item/{number:int}", item)])
    StarletteInstrumentor.instrument_app(web)
    client = TestClient(web)
    for path in ("/item/0", "/item/3", "/item/1"):
        client.get(path)
    client.put("/item/4")
    tell()
"""
FASTAPI = """
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
    from fastapi import FastAPI, HTTPException
    from fastapi.testclient import TestClient
    web = FastAPI()
    @web.get("/item/{number}")
    async def item(number: int):
        if number == 1:
            raise HTTPException(404)
        if number == 2:
            raise LookupError
        return number
    FastAPIInstrumentor.instrument_app(web)
    client = TestClient(web, raise_server_exceptions=False)
    for path in ("/item/0", "/item/3", "/item/1", "/item/2", "/item/three"):
        client.get(path)
    client.put("/item/4")
    tell()
"""
AIOHTTP_SERVER = """
    from opentelemetry.instrumentation.aiohttp_server import AioHttpServerInstrumentor
    AioHttpServerInstrumentor().instrument()
    from aiohttp import ClientSession, web
    async def item(request):
        if request.match_info["number"] == "1":
            raise web.HTTPNotFound
        return web.Response(text="item")
    async def main():
        application = web.Application()
        application.router.add_get("/item/{number}", item)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with ClientSession() as session:
            for path in ("/item/0", "/item/3", "/item/1", "/nowhere"):
                async with session.get(url + path) as answer:
                    await answer.read()
        await runner.cleanup()
    asyncio.run(main())
    tell()
"""
PROGRAMS = {
    "requests": REQUESTS,
    "urllib3": URLLIB3,
    "httpx": HTTPX,
    "aiohttp-client": AIOHTTP_CLIENT,
    "flask": FLASK,
    "django": DJANGO,
    "starlette": STARLETTE,
    "fastapi": FASTAPI,
    "aiohttp-server": AIOHTTP_SERVER,
}
# Attribute and label of each.
BY = {
    "http.request.method": "http_request_method",
    "http.route": "http_route",
    "http.response.status_code": "http_response_status_code",
}


@pytest.mark.parametrize("pack", PROGRAMS)
def test_both_count_as_many_by_method_route_and_status(pack, peer, tmp_path):
    (tmp_path / "app.py").write_text(dedent(START) + dedent(PROGRAMS[pack]))
    options = ("--pack", pack, "--port", "0", "--textfile", "end.prom")
    done = subprocess.run(
        [sys.executable, "-m", "ancestry_obs", "run", *options, "--", "app.py"],
        cwd=tmp_path,
        env={**os.environ, "PEER": peer.url, "OTEL_SEMCONV_STABILITY_OPT_IN": "http"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    theirs = Counter()
    for attributes, count in json.loads(done.stdout.splitlines()[-1]):
        theirs[tuple(str(attributes.get(name, "")) for name in BY)] += count
    ours = Counter()
    for family in text_string_to_metric_families((tmp_path / "end.prom").read_text()):
        for sample in family.samples:
            if sample.name.endswith("_request_duration_seconds_count") and sample.value:
                ours[tuple(sample.labels.get(name, "") for name in BY.values())] += sample.value
    assert ours == theirs
    assert ours.total() > 3
