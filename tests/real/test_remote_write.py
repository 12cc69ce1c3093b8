"""The Prometheus configuration that is shipped, with its remote write to a real VictoriaMetrics."""

from __future__ import annotations

import re
import shutil

import pytest

pytestmark = [pytest.mark.real, pytest.mark.live]

# Written out at the end of the configuration as a comment.
REMOTE_WRITE = re.compile(r"^# (remote_write:|  - url: .*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def victoria(real, ask_server, tmp_path_factory):
    """A VictoriaMetrics that nobody has written to yet."""
    folder = tmp_path_factory.mktemp("victoria")
    address = f"127.0.0.1:{real.free_port()}"
    command = [
        real.find("victoria-metrics"),
        f"-storageDataPath={folder / 'data'}",
        f"-httpListenAddr={address}",
        # What is newer than this is left out of answers; the default is half a minute.
        "-search.latencyOffset=0s",
    ]
    running = real.start("victoria", command, folder)
    real.wait_until(lambda: real.answers(f"http://{address}/health"), "VictoriaMetrics to be ready")
    return ask_server(f"http://{address}", running)


@pytest.fixture(scope="module")
def written(victoria, default_run, start_prometheus, repository, real, tmp_path_factory):
    """The VictoriaMetrics, when a Prometheus with the shipped configuration has written to it."""
    folder = tmp_path_factory.mktemp("shipped") / "prometheus"
    shutil.copytree(repository / "grafana/prometheus", folder)
    text = (folder / "prometheus.yml").read_text()
    text, lines = REMOTE_WRITE.subn(r"\1", text)
    assert lines == 2
    for shipped, ours in (
        ("127.0.0.1:9000", default_run.address),
        ("http://127.0.0.1:8428", victoria.url),
        ("15s", "500ms"),
    ):
        assert shipped in text
        text = text.replace(shipped, ours)
    prometheus = start_prometheus(text, folder)

    def arrived():
        return victoria.query('up{job="ancestry"} == 1') and victoria.query(
            'ancestry_api_requests_total{job="ancestry"}'
        )

    real.wait_until(arrived, f"the metrics to be in VictoriaMetrics, written by {prometheus.url}")
    return victoria


@pytest.mark.parametrize(
    "expression",
    [
        "sum by (result) (ancestry_api_requests_total)",
        "sum by (le) (ancestry_api_latency_seconds_bucket)",
        "ancestry_action_processed_total",
        "ancestry_circuit_breaker_state",
        "ancestry_obs_target_info",
    ],
)
def test_victoria_metrics_has_what_prometheus_has(written, default_run, expression):
    assert numbers(written, expression) == numbers(default_run.prometheus, expression)


def test_recorded_series_are_written_too(written, real):
    query = '{__name__=~"job.*:.*rate5m"}'
    real.wait_until(lambda: written.query(query), "a recorded series to be in VictoriaMetrics")


def numbers(server, expression):
    """Give the numbers of an expression by all labels; the work is over, so they stay."""
    found = {
        tuple(sorted(each["metric"].items())): float(each["value"][1])
        for each in server.query(expression)
    }
    assert found
    return found
