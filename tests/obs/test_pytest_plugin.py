"""The plugin, as the real pytest finds and runs it."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

MAP = """\
version = 1
[metrics.prices_total]
type = "counter"
help = "Prices."
[[instrument]]
target = "shop:{}"
record = [{{ metric = "prices_total" }}]
"""
OTHER = "[tool.pytest.ini_options]\nobs_map = ['maps']\n"


@pytest.fixture
def project(tmp_path):
    """Make a program that must not be imported, its test, a map that fits and one that does not."""
    (tmp_path / "shop.py").write_text("def price(name): ...\nraise SystemExit('imported')\n")
    (tmp_path / "test_other.py").write_text("def test_other(): ...\n")
    (tmp_path / "fine.toml").write_text(MAP.format("price"))
    (tmp_path / "old.toml").write_text(MAP.format("prise"))
    return tmp_path


@pytest.fixture
def run(project):
    """Run pytest in the project; give its exit code and what it prints."""

    def run(*options, plugins=("-p", "no:cacheprovider", "-p", "no:randomly"), folder="."):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *plugins, *options],
            cwd=project / folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


FINDING = "old.toml:5: instrument[0]: 'shop' has no 'prise'; did you mean 'shop:price'?"


def test_a_map_that_fits_passes(run):
    code, out = run("--obs-map", "fine.toml", "-v")
    assert code == 0
    assert "fine.toml::check PASSED" in out
    assert "test_other.py::test_other PASSED" in out
    assert "2 passed" in out


def test_one_that_does_not_fit_fails_with_its_findings_and_no_traceback(run):
    code, out = run("--obs-map", "fine.toml", "--obs-map", "old.toml")
    assert code == 1
    assert FINDING in out.splitlines()
    assert "FAILED old.toml::check" in out
    assert "Traceback" not in out
    assert "pytest_plugin.py" not in out
    assert "1 failed, 2 passed" in out


def test_without_the_option_nothing_is_checked(run):
    code, out = run("-v", "-s")
    assert (code, "::check" in out) == (0, False)
    assert "1 passed" in out


def test_a_run_of_other_tests_imports_nothing_of_it(run, project):
    (project / "test_other.py").write_text(
        "import sys\n"
        "def test_other():\n"
        "    ours = {each for each in sys.modules if each.startswith('ancestry_obs.')}\n"
        "    assert not ours & {'ancestry_obs.checking', 'ancestry_obs.cli.check'}\n"
        "    assert not {'wrapt', 'prometheus_client'} & {*sys.modules}\n"
    )
    assert run()[0] == 0


def test_the_configuration_names_maps_too(run, project):
    (project / "pyproject.toml").write_text(OTHER)
    (project / "maps").mkdir()
    for name in ("fine.toml", "old.toml"):
        (project / name).rename(project / "maps" / name)
    code, out = run("-v")
    assert code == 1
    assert "maps/fine.toml::check PASSED" in out
    assert "maps/old.toml::check FAILED" in out
    assert f"maps/{FINDING}" in out.splitlines()


def test_modules_are_looked_up_from_the_root_folder(run, project):
    (project / "pyproject.toml").write_text(OTHER)
    (project / "maps").mkdir()
    (project / "fine.toml").rename(project / "maps/fine.toml")
    (project / "below").mkdir()
    (project / "test_other.py").rename(project / "below/test_other.py")
    code, out = run("-v", folder="below")
    assert (code, "2 passed" in out) == (0, True), out


def test_without_a_configuration_they_are_in_the_working_folder(run, project):
    (project / "below").mkdir()
    (project / "test_other.py").rename(project / "below/test_other.py")
    code, out = run("--obs-map", "fine.toml", "below")
    assert (code, "2 passed" in out) == (0, True), out


@pytest.mark.parametrize(
    ("options", "outcome"),
    [
        (("-k", "old"), "1 failed, 2 deselected"),
        (("--deselect", "old.toml::check"), "2 passed, 1 deselected"),
        (("-n", "2"), "1 failed, 2 passed"),
        (("test_other.py::test_other",), "1 failed, 2 passed"),
    ],
)
def test_it_goes_with_what_pytest_has(run, options, outcome):
    code, out = run("--obs-map", "fine.toml", "--obs-map", "old.toml", *options)
    assert code == (0 if "failed" not in outcome else 1)
    assert outcome in out


def test_a_report_for_a_server_has_the_finding(run, project):
    run("--obs-map", "old.toml", "--junit-xml", "report.xml")
    (failure,) = ET.parse(project / "report.xml").iter("failure")
    assert FINDING in failure.text


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("none.toml", "none.toml: no such file; maps that ship: ancestry.toml"),
        ("empty", "empty: no map in this folder; name a map, or another folder"),
        ("shop.py", "shop.py"),
        ("binary.toml", "binary.toml: "),
    ],
)
def test_what_is_no_map_is_one_line(run, project, name, told):
    (project / "empty").mkdir()
    (project / "binary.toml").write_bytes(bytes(range(256)))
    code, out = run("--obs-map", name)
    assert code in {pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.USAGE_ERROR}
    assert any(told in line for line in out.splitlines())
    assert "Traceback" not in out


def test_a_launched_pytest_does_not_warn_of_the_toolkit(project):
    launch = [sys.executable, "-m", "ancestry_obs", "run", "--map", "fine.toml", "--port", "0"]
    done = subprocess.run(
        [*launch, "--", sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert "warning" not in done.stdout
