from __future__ import annotations

import base64
import itertools
import logging
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, closing, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.parser import text_string_to_metric_families
from tests.obs.collector.prometheus_messages import counts_of, families
from tests.ports import free_port, refusing_port

from ancestry_obs.collector import Collector, Samples, SelfMetrics
from ancestry_obs.collector.protobuf import CONTENT_TYPE
from ancestry_obs.mapfile import load
from ancestry_obs.metrics_exporter.push import LAST_SUCCESS, Gateway
from ancestry_obs.recording import Store

NOW = 1_700_000_000.0


@pytest.fixture
def registry():
    made = CollectorRegistry()
    Counter("app_calls", "Some help.", ["path"], registry=made).labels("/a b").inc(3)
    return made


@pytest.fixture
def gateway_server():
    """Answer every request with a status of the test's choice and keep what was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.asked.append((self.path, dict(self.headers), body))
            self.send_response(server.status)
            self.end_headers()
            self.wfile.write(server.reason)

        def log_message(self, *_args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.status, server.reason = [], 200, b""
        server.address = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.live
def test_what_is_sent(gateway_server, registry):
    gateway = Gateway(f"http://{gateway_server.address}", "nightly", "host-7", clock=lambda: NOW)
    assert gateway.push(registry) is True
    ((path, _, body),) = gateway_server.asked
    assert path == "/metrics/job/nightly/instance/host-7"
    samples = {
        sample.name: sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }
    assert samples["app_calls_total"] == 3
    assert samples[LAST_SUCCESS] == NOW


@pytest.mark.live
def test_a_failed_run_leaves_the_last_success_alone(gateway_server, registry):
    Gateway(f"http://{gateway_server.address}", "nightly", "x").push(registry, succeeded=False)
    ((_, _, body),) = gateway_server.asked
    assert b"app_calls_total" in body
    assert LAST_SUCCESS.encode() not in body


@pytest.mark.live
def test_user_and_password_are_sent_and_never_shown(gateway_server, registry, caplog):
    gateway_server.status = 401
    gateway = Gateway(f"http://me:s%40crt@{gateway_server.address}/base", "nightly", "x")
    with caplog.at_level(logging.WARNING, "ancestry_obs"):
        assert gateway.push(registry) is False
    ((path, headers, _),) = gateway_server.asked
    assert path.startswith("/base/metrics/job/")
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"me:s@crt"
    assert "crt" not in caplog.text + repr(gateway)


@pytest.mark.live
def test_a_refusal_is_a_warning_with_the_gateways_reason(gateway_server, registry, caplog):
    gateway_server.status, gateway_server.reason = 400, b"text format parsing error\n"
    with caplog.at_level(logging.WARNING, "ancestry_obs"):
        pushed = Gateway(f"http://{gateway_server.address}", "nightly", "x").push(registry)
    assert pushed is False
    (message,) = caplog.messages
    assert message == (
        f"metrics were not pushed to http://{gateway_server.address}: HTTP Error 400: Bad Request: "
        "text format parsing error; start the Pushgateway or correct METRICS_PUSH_URL"
    )


@pytest.mark.live
def test_a_gateway_that_is_down_is_a_warning(registry, caplog):
    with refusing_port() as port, caplog.at_level(logging.WARNING, "ancestry_obs"):
        url = f"http://127.0.0.1:{port}"
        assert Gateway(url, "nightly", "x").push(registry) is False
    assert f"metrics were not pushed to {url}: " in caplog.messages[0]


@pytest.mark.live
def test_a_gateway_that_does_not_answer_is_given_up(registry, caplog):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with caplog.at_level(logging.WARNING, "ancestry_obs"):
            assert Gateway(url, "nightly", "x", timeout=0.05).push(registry) is False
    assert re.search("timed out|not done within", caplog.messages[0])


TRICKLES = {
    "answers to come": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a status line": (b"HTTP/1.1 ", b"2"),
    "headers": (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "a reason": (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 1000000\r\n\r\n", b"x"),
}


@pytest.fixture
def trickling():
    """Take a request, and answer it with more and more bytes as long as somebody reads them."""
    threads = []

    def serve(listener, first, more):
        sock, _ = listener.accept()
        with sock, suppress(OSError):
            sock.recv(65536)
            sock.sendall(first)
            while True:
                sock.sendall(more)

    def start(first, more):
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        threads.append(threading.Thread(target=serve, args=(listener, first, more)))
        threads[-1].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    with ExitStack() as stack:
        yield start
    for thread in threads:
        thread.join()


@pytest.mark.live
@pytest.mark.parametrize("kind", TRICKLES)
def test_a_gateway_that_trickles_is_given_up(trickling, registry, caplog, kind):
    url = trickling(*TRICKLES[kind])
    # A second passes whenever somebody looks at the clock: what is left becomes less by each read.
    ticks = itertools.count()
    gateway = Gateway(url, "nightly", "x", monotonic=lambda: float(next(ticks)))
    with caplog.at_level(logging.WARNING, "ancestry_obs"):
        assert gateway.push(registry) is False
    reason = {"a reason": "HTTP Error 400: Bad Request"}.get(kind, "not done within 5 seconds")
    (message,) = caplog.messages
    assert message.startswith(f"metrics were not pushed to {url}: {reason}")
    assert next(ticks) < 20


@pytest.mark.live
def test_a_gateway_that_takes_nothing_is_given_up(caplog):
    registry = CollectorRegistry()
    Gauge("large", "x" * 20_000_000, registry=registry)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with caplog.at_level(logging.WARNING, "ancestry_obs"):
            assert Gateway(url, "nightly", "x", timeout=0.05).push(registry) is False
    assert re.search("timed out|not done within", caplog.messages[0])


@pytest.mark.live
def test_what_a_gateway_says_is_one_short_line(gateway_server, registry, caplog):
    gateway_server.status, gateway_server.reason = 400, b"first\nsecond\n" + b"x" * 10_000
    with caplog.at_level(logging.WARNING, "ancestry_obs"):
        Gateway(f"http://{gateway_server.address}", "nightly", "x").push(registry)
    assert ": first second xxx" in caplog.messages[0]
    assert len(caplog.messages[0]) < 800


def test_a_collector_that_raises_is_a_warning(registry, caplog):
    gauge = Gauge("broken", "Some help.", registry=registry)
    gauge.set_function(lambda: 1 / 0)
    with caplog.at_level(logging.WARNING, "ancestry_obs"):
        assert Gateway("http://127.0.0.1:1", "nightly", "x").push(registry) is False
    assert ": ZeroDivisionError: division by zero; start the" in caplog.messages[0]


class Unspeakable(BaseException):
    def __str__(self):
        raise self


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt("own"), Unspeakable()])
def test_whatever_a_collector_raises_is_a_warning(registry, caplog, error):
    def fail():
        raise error

    Gauge("broken", "Some help.", registry=registry).set_function(fail)
    assert Gateway("http://127.0.0.1:1", "nightly", "x").push(registry) is False
    assert f": {type(error).__name__}" in caplog.messages[0]


def test_what_interrupts_a_push_reaches_the_program(registry):
    def expire(*_):
        raise TimeoutError("time is up")

    gauge = Gauge("slow", "Some help.", registry=registry)
    gauge.set_function(lambda: signal.raise_signal(signal.SIGUSR1) or 1)
    before = signal.signal(signal.SIGUSR1, expire)
    try:
        with pytest.raises(TimeoutError, match="time is up"):
            Gateway("http://127.0.0.1:1", "nightly", "x").push(registry)
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.fixture
def pushgateway(program):
    """Run the real one on a free port."""
    binary = program("prometheus-pushgateway")
    address = f"127.0.0.1:{free_port()}"
    command = [binary, f"--web.listen-address={address}", "--persistence.file="]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until_ready(f"http://{address}/-/ready")
            yield f"http://{address}"
        finally:
            process.kill()


def wait_until_ready(url):
    # A real program takes its time to start; nothing is asserted on how long.
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with closing(urllib.request.urlopen(url, timeout=1)):
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"{url} did not get ready")


@pytest.mark.live
@pytest.mark.real
def test_the_real_pushgateway(pushgateway, registry):
    good = Gateway(pushgateway, "nightly", "host/7", clock=lambda: NOW)
    assert good.push(registry)
    assert good.push(registry, succeeded=False)
    with urllib.request.urlopen(f"{pushgateway}/metrics", timeout=10) as response:
        families = text_string_to_metric_families(response.read().decode())
        samples = {sample.name: sample for family in families for sample in family.samples}
    group = {"job": "nightly", "instance": "host/7"}
    assert samples["app_calls_total"].labels == {"path": "/a b", **group}
    assert samples["app_calls_total"].value == 3
    # The second run failed: when the last good one was is still there.
    assert samples[LAST_SUCCESS] == (LAST_SUCCESS, group, NOW, None, None, None)


@pytest.mark.live
@pytest.mark.real
def test_the_real_pushgateway_keeps_native_histograms(pushgateway):
    spec = load(
        {
            "version": 1,
            "metrics": {"d_seconds": {"type": "histogram", "help": "H.", "buckets": "native"}},
        }
    )
    store = Store("app")
    family = store.family(spec.metrics[0])
    for value in (0.1, 0.2, 5.0):
        family.observe((), value)
    registry = CollectorRegistry()
    registry.register(Collector(store, Samples(store, {}), SelfMetrics(store, tuple, "1")))
    assert Gateway(pushgateway, "nightly", "host-7", clock=lambda: NOW).push(registry)
    asked = urllib.request.Request(f"{pushgateway}/metrics", headers={"Accept": CONTENT_TYPE})
    with urllib.request.urlopen(asked, timeout=10) as response:
        found = families(response.read())
    (metric,) = found["app_d_seconds"].metric
    assert (metric.histogram.sample_count, metric.histogram.schema) == (3, 3)
    counts = counts_of(metric.histogram.positive_span, metric.histogram.positive_delta)
    # 0.1, 0.2 and 5 are 2 to the power of -3.3, -2.3 and 2.3, each power of two in eight buckets.
    assert {key: count for key, count in counts.items() if count} == {-26: 1, -18: 1, 19: 1}
    assert LAST_SUCCESS in found
    # Who asks for text has the powers of two that they span.
    with urllib.request.urlopen(f"{pushgateway}/metrics", timeout=10) as response:
        lines = response.read().decode().splitlines()
    found = [
        re.sub(r'\{.*le="(.*?)"\}', r" \1", each) for each in lines if "d_seconds_bucket" in each
    ]
    assert found == [
        "app_d_seconds_bucket 0.0625 0",
        "app_d_seconds_bucket 0.125 1",
        "app_d_seconds_bucket 0.25 2",
        "app_d_seconds_bucket 0.5 2",
        "app_d_seconds_bucket 1 2",
        "app_d_seconds_bucket 2 2",
        "app_d_seconds_bucket 4 2",
        "app_d_seconds_bucket 8 3",
        "app_d_seconds_bucket +Inf 3",
    ]
