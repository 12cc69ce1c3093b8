"""What the tests of the managers share: a clock that only they move, and scripted answers."""

from __future__ import annotations

import json
from collections import deque
from io import BytesIO
from types import SimpleNamespace

import pytest
import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from ancestry_core.config import load_settings


class FakeClock:
    """Monotonic seconds; sleeping moves them, and is noted."""

    def __init__(self, now=1_000.0):
        self.now = now
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        assert seconds >= 0
        self.slept.append(seconds)
        self.now += seconds

    def advance(self, seconds):
        self.now += seconds


class ScriptedAdapter(BaseAdapter):
    """Gives prepared answers, or raises prepared faults, in order; keeps what was sent."""

    def __init__(self):
        super().__init__()
        self.script = deque()
        self.sent = []

    def answer(self, status=200, body=None, **headers):
        """Prepare an answer; what is no text is encoded as JSON."""
        is_text = isinstance(body, str)
        kind = "text/html" if is_text else "application/json"
        content = body if is_text else json.dumps(body)
        fields = {"Content-Type": kind} | {k.replace("_", "-"): v for k, v in headers.items()}
        self.script.append((status, content.encode(), fields))

    def fault(self, error):
        self.script.append(error)

    def send(self, request, **options):
        self.sent.append(request)
        outcome = self.script.popleft() if self.script else (200, b"{}", {})
        if isinstance(outcome, Exception):
            outcome.request = request
            raise outcome
        status, content, headers = outcome
        raw = HTTPResponse(BytesIO(content), headers, status, preload_content=False)
        return requests.adapters.HTTPAdapter().build_response(request, raw)

    def close(self):
        pass


@pytest.fixture(scope="session")
def fakes():
    """The fakes themselves, for properties, which need new ones for each example."""
    return SimpleNamespace(Clock=FakeClock, Scripted=ScriptedAdapter)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def scripted():
    return ScriptedAdapter()


@pytest.fixture
def settings_for(tmp_path):
    """Settings with a database of the test's own, from nothing but the given values."""

    def make(base_url="http://service.test", **sections):
        overrides = {
            "service": {"base_url": base_url, "username": "demo@example.org", "password": "s3cr3t"},
            "database": {"path": tmp_path / "platform.db"},
        }
        for name, fields in sections.items():
            overrides[name] = {**overrides.get(name, {}), **fields}
        return load_settings(overrides, environ={}, dotenv=None)

    return make
