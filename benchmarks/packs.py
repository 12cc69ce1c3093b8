# ruff: noqa: PLC0415  each variant is a process of its own, which imports what it measures
"""What a pack costs for each operation of its library, beside OpenTelemetry's instrumentation.

    python benchmarks/packs.py [rounds]

Each variant does the same work in a process of its own: a statement on SQLite in memory, a command
of a Redis server on loopback, an eager task of Celery, an operation of S3 that is answered before
it is sent, a small template of Jinja2. OpenTelemetry has a provider that makes its spans and gives
them to nobody, which is the least that it can do. Ours includes the folds.

How it is measured: processor time of the process for each operation, in chunks, of which the
fastest one counts; the variants take turns in each round, so that what else the machine does hits
all of them. Libraries and peers that are not installed are left out.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VARIANTS = ("bare", "pack", "opentelemetry")
# Operations of a round, the first of which warm up.
OPERATIONS = {
    "sqlalchemy": 20_000,
    "redis": 10_000,
    "celery": 6000,
    "boto3": 2000,
    "jinja2": 40_000,
}
CHUNKS = 20
INSTRUMENTORS = {
    "sqlalchemy": "sqlalchemy:SQLAlchemyInstrumentor",
    "redis": "redis:RedisInstrumentor",
    "celery": "celery:CeleryInstrumentor",
    "boto3": "botocore:BotocoreInstrumentor",
    "jinja2": "jinja2:Jinja2Instrumentor",
}


def sqlalchemy() -> Callable[[], object]:
    """A statement on SQLite in memory."""
    from sqlalchemy import create_engine, text

    connection = create_engine("sqlite://").connect()
    statement = text("SELECT 1")
    return lambda: connection.execute(statement).scalar()


def redis() -> Callable[[], object]:
    """A command of a server on loopback."""
    from redis import Redis

    client = Redis(port=int(os.environ["PORT"]))
    client.set("name", "Ada")
    return lambda: client.get("name")


def celery() -> Callable[[], object]:
    """An eager task."""
    from celery import Celery

    app = Celery("jobs", broker="memory://")
    app.conf.task_always_eager = True

    @app.task(name="add")
    def add(x: int, y: int) -> int:
        return x + y

    return lambda: add.delay(1, 2)


def boto3() -> Callable[[], object]:
    """An operation of S3 up to where it would be sent, and its answer from there."""
    import boto3 as library

    answer = SimpleNamespace(status_code=200), {"ResponseMetadata": {"HTTPStatusCode": 200}}
    client = library.client(
        "s3",
        region_name="eu-west-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",  # noqa: S106  nobody is asked
    )
    client.meta.events.register("before-call.s3.HeadObject", lambda **_: answer)
    return lambda: client.head_object(Bucket="shelf", Key="one")


def jinja2() -> Callable[[], object]:
    """A small template."""
    from jinja2 import Environment

    template = Environment(autoescape=True).from_string("{% for n in rows %}{{ n }}{% endfor %}")
    return lambda: template.render(rows=range(3))


def measure(library: str, variant: str) -> None:
    """Print the microseconds of processor time that an operation takes."""
    if variant == "pack":
        import ancestry_obs

        settings = ancestry_obs.ObservabilitySettings(
            enable_prometheus_metrics=True, metrics_export_port=0
        )
        ancestry_obs.install(f"pack:{library}", settings=settings)
    if variant == "opentelemetry":
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider

        trace.set_tracer_provider(TracerProvider())
        module, _, name = INSTRUMENTORS[library].partition(":")
        instrumentation = importlib.import_module(f"opentelemetry.instrumentation.{module}")
        getattr(instrumentation, name)().instrument(skip_dep_check=True)
    operation = globals()[library]()
    size = OPERATIONS[library] // CHUNKS
    gc.collect()
    gc.disable()
    print(min(_seconds_of(operation, size) for _ in range(CHUNKS)) / size * 1e6)


def _seconds_of(operation: Callable[[], object], times: int) -> float:
    """Give the processor time that an operation takes, so many times."""
    started = time.process_time()
    for _ in range(times):
        operation()
    return time.process_time() - started


@contextlib.contextmanager
def peer(library: str) -> Iterator[int]:
    """Start what a library talks to, and give its port; 0 where there is nobody."""
    if library == "redis":
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603  ours
        while socket.socket().connect_ex(("127.0.0.1", port)):
            time.sleep(0.05)
        yield port
        server.terminate()
        server.wait()
    else:
        yield 0


def run(library: str, variant: str, port: int) -> float:
    """Measure a variant in a process of its own."""
    command = [sys.executable, __file__, library, variant]
    environment = {**os.environ, "PORT": str(port)}
    done = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)  # noqa: S603  ours
    return float(done.stdout.split()[-1])


def is_there(library: str) -> bool:
    """Whether a library is installed, and the server that it needs."""
    server = library != "redis" or shutil.which("redis-server") is not None
    return server and importlib.util.find_spec(library) is not None


def has_instrumentation(library: str) -> bool:
    """Whether OpenTelemetry's instrumentation of a library is installed."""
    module = f"opentelemetry.instrumentation.{INSTRUMENTORS[library].partition(':')[0]}"
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def main(rounds: int) -> None:
    """Print a line for each library."""
    print("microseconds of processor time for an operation; pack and OpenTelemetry: on top of bare")
    print(f"{'':12}{'bare':>10}{'pack':>10}{'OpenTelemetry':>16}{'ratio':>8}")
    for library in filter(is_there, OPERATIONS):
        variants = VARIANTS if has_instrumentation(library) else VARIANTS[:2]
        with peer(library) as port:
            taken = [
                {variant: run(library, variant, port) for variant in variants}
                for _ in range(rounds)
            ]
        bare, *over = (min(each[variant] for each in taken) for variant in variants)
        pack, *others = (each - bare for each in over)
        theirs = f"{others[0]:16.1f}{pack / others[0]:8.2f}" if others else f"{'-':>16}{'-':>8}"
        print(f"{library:12}{bare:10.1f}{pack:10.1f}{theirs}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 2:  # noqa: PLR2004  a library and a variant
        measure(*sys.argv[1:])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
