"""The base install, which has no dependencies: metrics off costs nothing and needs nothing."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import ancestry_obs

BIN = Path(sys.executable).parent


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("package", ["wrapt", "prometheus_client", "requests", "sqlalchemy"])
def test_this_environment_has_no_dependency(package):
    assert find_spec(package) is None


def test_install_does_nothing_and_says_so():
    installed = ancestry_obs.install()
    assert not installed.enabled
    assert not ancestry_obs.status().enabled
    assert ancestry_obs.start_exporter() is None
    ancestry_obs.stop_exporter()
    ancestry_obs.uninstall()


def test_helpers_are_typed_no_ops():
    ancestry_obs.metrics().api_latency.observe("/matches/:id", "2xx", 0.25)
    with pytest.raises(TypeError):
        ancestry_obs.metrics().api_latency.observe("/matches/:id")


def test_switching_metrics_on_names_the_extra():
    settings = ancestry_obs.ObservabilitySettings(enable_prometheus_metrics=True)
    with pytest.raises(ancestry_obs.ObservabilityError, match=r"ancestry-obs\[prometheus\]"):
        ancestry_obs.install(settings=settings)


def test_the_platform_can_be_imported_alone():
    done = run(sys.executable, "-c", "import ancestry_core")
    assert done.returncode == 0, done.stderr


def test_the_platforms_command_names_its_extra():
    done = run(str(BIN / "ancestry"), "run")
    assert done.returncode != 0
    assert "ancestry-obs[platform]" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["list", "ancestry.toml"], ["schema"], ["check", "ancestry.toml"]],
)
def test_commands_that_only_read_the_map_work(arguments):
    done = run(str(BIN / "ancestry-obs"), *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_commands_that_weave_name_the_extra():
    done = run(str(BIN / "ancestry-obs"), "check", "--import", "ancestry.toml")
    assert done.returncode == 2
    assert "ancestry-obs[prometheus]" in done.stderr
    assert "Traceback" not in done.stderr
