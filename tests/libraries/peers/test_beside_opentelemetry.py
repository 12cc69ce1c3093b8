"""The packs beside OpenTelemetry's instrumentations of the same libraries, in the same run.

Both stand in the same program; what each of its spans is of, a pack has counted once.
"""

from __future__ import annotations

from collections import Counter

import pytest

pytestmark = pytest.mark.live

SPANS = """
    import json
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    EXPORTER = InMemorySpanExporter()
    PROVIDER = TracerProvider()
    PROVIDER.add_span_processor(SimpleSpanProcessor(EXPORTER))
    trace.set_tracer_provider(PROVIDER)

    def tell():
        spans = EXPORTER.get_finished_spans()
        print(json.dumps([[each.name, not each.status.is_ok] for each in spans]))
"""
SQLALCHEMY = """
    from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import OperationalError
    from sqlalchemy.pool import StaticPool

    engine = create_engine("sqlite://", poolclass=StaticPool)
    SQLAlchemyInstrumentor().instrument(engine=engine, skip_dep_check=True)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE shelf (name)"))
        for n in range(5):
            connection.execute(text("INSERT INTO shelf VALUES (:name)"), {"name": n})
        connection.execute(text("INSERT INTO shelf VALUES (:name)"), [{"name": n} for n in "abc"])
        connection.exec_driver_sql("SELECT * FROM shelf").all()
        try:
            connection.execute(text("SELECT nothing"))
        except OperationalError:
            pass
    tell()
"""
REDIS = """
    import os
    from opentelemetry.instrumentation.redis import RedisInstrumentor
    import redis

    RedisInstrumentor().instrument()
    client = redis.Redis(port=int(os.environ["PORT"]))
    client.delete("name")
    client.set("name", "Ada")
    for _ in range(7):
        client.get("name")
    try:
        client.lpush("name", 1)
    except redis.ResponseError:
        pass
    tell()
"""
CELERY = """
    from celery import Celery
    from opentelemetry.instrumentation.celery import CeleryInstrumentor

    CeleryInstrumentor().instrument()
    app = Celery("jobs", broker="memory://", backend="cache+memory://")
    app.conf.task_always_eager = True

    @app.task(name="add")
    def add(x, y):
        return x + y

    @app.task(name="fails")
    def fails():
        raise ValueError

    for n in range(5):
        add.delay(1, n)
    fails.delay()
    tell()
"""
BOTOCORE = """
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer
    import boto3
    from botocore.exceptions import ClientError
    from opentelemetry.instrumentation.botocore import BotocoreInstrumentor

    class Stub(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(404 if "missing" in self.path else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()
        do_HEAD = do_DELETE = do_GET
        def log_message(self, *arguments):
            pass

    BotocoreInstrumentor().instrument()
    with HTTPServer(("127.0.0.1", 0), Stub) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        s3 = boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{server.server_port}", region_name="eu-west-1",
            aws_access_key_id="key", aws_secret_access_key="secret",
        )
        for n in range(4):
            s3.get_object(Bucket="shelf", Key=f"{n}")
        s3.delete_object(Bucket="shelf", Key="0")
        try:
            s3.head_object(Bucket="shelf", Key="missing")
        except ClientError:
            pass
        server.shutdown()
    tell()
"""
JINJA2 = """
    from jinja2 import DictLoader, Environment, TemplateNotFound
    from opentelemetry.instrumentation.jinja2 import Jinja2Instrumentor

    Jinja2Instrumentor().instrument()
    environment = Environment(loader=DictLoader({"page": "{% include 'part' %}", "part": "tea"}))
    for _ in range(4):
        environment.get_template("page").render()
    environment.from_string("{{ 1 / 0 }}")
    try:
        environment.from_string("{{ 1 / n }}").render(n=0)
    except ZeroDivisionError:
        pass
    tell()
"""
CASES = {
    "sqlalchemy": (SQLALCHEMY, "db_client_operation_duration_seconds", "db_operation_name"),
    "redis": (REDIS, "db_client_operation_duration_seconds", "db_operation_name"),
    "celery": (CELERY, "messaging_process_duration_seconds", "celery_task_name"),
    "boto3": (BOTOCORE, "rpc_client_call_duration_seconds", "rpc_method"),
}


def operation_of(name):
    """Give the operation that a span's name has: `SELECT :memory:`, `run/add`, `S3.GetObject`."""
    return name.split(" ")[0].removeprefix("run/").removeprefix("S3.")


@pytest.mark.parametrize(
    "pack", ["sqlalchemy", "celery", "boto3", pytest.param("redis", marks=pytest.mark.real)]
)
def test_each_span_is_counted_once(pack, run_with, request):
    source, metric, label = CASES[pack]
    port = request.getfixturevalue("redis_port") if pack == "redis" else ""
    spans, page = run_with(pack, SPANS + source, environment={"PORT": str(port)})
    spans = [(operation_of(name), failed) for name, failed in spans if name != "connect"]
    # An eager task is published, too, to OpenTelemetry.
    spans = [each for each in spans if not each[0].startswith("apply_async/")]
    counted = page.count(f"{metric}_count", label)
    assert counted == Counter(name for name, _ in spans)
    assert sum(counted.values()) > 5
    errors = page.count(f"{metric}_count", label, "error_type")
    assert sum(n for (_, error), n in errors.items() if error) == sum(failed for _, failed in spans)


def test_templates_as_spans_have_them(run_with):
    spans, page = run_with("jinja2", SPANS + JINJA2)
    names = Counter(name for name, _ in spans)
    assert names["jinja2.render"] == 5
    for what in ("render", "load", "compile"):
        counted = page.count(f"jinja2_{what}_duration_seconds_count")
        assert counted == {(): names[f"jinja2.{what}"]}, what
