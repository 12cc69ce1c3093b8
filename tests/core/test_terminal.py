"""A run with metrics as a person sees it: the command itself, on terminals of usual widths."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress

import pytest

from ancestry_obs.mapfile import load

pytestmark = pytest.mark.live

COMMAND = ("-m", "ancestry_core", "run", "--metrics", "--actions", "7", "--matches", "60")
ENVIRONMENT = {"METRICS_EXPORT_PORT": "0", "TERM": "xterm-256color", "ANCESTRY_HTTP_RETRIES": "0"}


@pytest.fixture(params=[80, 120], scope="module")
def width(request):
    return request.param


@pytest.fixture(scope="module")
def shown(tmp_path_factory, width):
    """What a terminal got of a run, control codes included."""
    reading, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
    run = subprocess.Popen(
        [sys.executable, *COMMAND],
        cwd=tmp_path_factory.mktemp("run"),
        env={**kept, **ENVIRONMENT},
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    text = b""
    # Linux reports an error when the last one has closed the other side.
    with suppress(OSError):
        while piece := os.read(reading, 65536):
            text += piece
    os.close(reading)
    assert run.wait() == 0, text
    return text.decode()


_UNWANTED = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_INTERACTIVE", "TTY_COMPATIBLE"}


def plain(text):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_it_begins_at_once_says_what_it_does_and_ends_with_what_to_do_next(shown):
    words = [
        "starting",
        "fails on purpose",
        "metrics are served at http://127.0.0.1:",
        "Signed in at",
        "requests sent",
        "7  Read inbox",
        "Dry run",
        "Metric ",
        "Next",
        "ancestry run --metrics --hold",
        "ancestry-obs dashboards ancestry.toml -o grafana",
    ]
    text = plain(shown)
    places = [text.find(each) for each in words]
    assert -1 not in places, words[places.index(-1)]
    assert places[0] < places[1] < places[2] < places[3]
    assert places[5:] == sorted(places[5:])
    # Where the next run serves its metrics nobody knows: its port will be another one.
    assert "ancestry-obs status" not in text


def test_nothing_is_cut(shown, width):
    lines = re.split(r"[\r\n]+", plain(shown))
    assert not [line for line in lines if "…" in line]
    assert max(map(len, lines)) <= width
    names = {line.split()[0] for line in lines if line.split()}
    # Those that an inbox alone feeds.
    fed = {"api_requests_total", "rate_limiter_delay_seconds", "action_processed_total"}
    assert fed <= names & {metric.name for metric in load("ancestry.toml").metrics}


def test_every_warning_has_its_remedy(shown):
    warnings = " ".join(plain(shown).split()).split(" ! ")[1:]
    assert warnings
    for warning in warnings:
        assert "allow more attempts with ANCESTRY_HTTP_RETRIES" in warning
