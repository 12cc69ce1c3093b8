"""Each pack of a web library fits what is installed of it, by its source."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ancestry_obs.mapfile import load

PACKS = (
    "requests",
    "urllib3",
    "httpx",
    "aiohttp-client",
    "flask",
    "django",
    "starlette",
    "fastapi",
)


@pytest.mark.parametrize("name", PACKS)
def test_check_has_nothing_to_say(name):
    done = subprocess.run(
        [sys.executable, "-m", "ancestry_obs", "check", f"pack:{name}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "another version" not in done.stdout + done.stderr


def test_packs_go_together():
    assert load({"version": 1, "include": [f"pack:{name}" for name in PACKS]}).metrics
