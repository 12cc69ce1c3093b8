"""Each pack of a web library fits what is installed of it, by its source."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest

PACKS = ("requests", "urllib3", "httpx", "aiohttp-client", "flask", "django")


@pytest.mark.parametrize("name", PACKS)
def test_check_has_nothing_to_say(pack_file, name):
    done = subprocess.run(
        [sys.executable, "-m", "ancestry_obs", "check", pack_file(name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_packs_that_measure_the_same_declare_it_alike(pack_file):
    declared = {}
    for name in PACKS:
        for metric, table in tomllib.loads(pack_file(name).read_text())["metrics"].items():
            assert declared.setdefault(metric, table) == table, (name, metric)
    assert declared
