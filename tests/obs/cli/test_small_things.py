"""What people met at the edges of the commands: each with the right answer."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ancestry_obs.cli.output import counted
from ancestry_obs.cli.status import default_url
from ancestry_obs.exceptions import ExporterError

TEXTFILES = {
    "missing/x.prom": "No such file or directory",
    "/proc/x.prom": "No such file or directory",
    "folder.prom": "Is a directory",
    "shop.toml/x.prom": "Not a directory",
}


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 targets"), (1, "1 target"), (2, "2 targets"), (1234, "1,234 targets")],
)
def test_one_of_a_thing_is_one_thing(number, text):
    assert counted(number, "target") == text


@pytest.mark.parametrize("file", TEXTFILES)
def test_a_textfile_that_cannot_be_written_is_refused_before_the_program(project, file):
    (project.path / "folder.prom").mkdir()
    words = ["run", "--map", "shop.toml", "--port", "0", "--textfile", file, "--", "-c", "print(1)"]
    done = subprocess.run(
        [sys.executable, "-m", "ancestry_obs", *words[:-2], sys.executable, *words[-2:]],
        cwd=project.path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("ancestry-obs: cannot write ")
    assert f"{file}: {TEXTFILES[file]}; its folder must exist and be writable" in line
    assert line.endswith("; nothing was run")


def test_one_that_can_be_written_is_left_as_it_is_until_the_end(project):
    (project.path / "x.prom").write_text("before")
    program = "print(open('x.prom').read())"
    words = ["run", "--map", "shop.toml", "--port", "0", "--textfile", "x.prom", "--"]
    done = subprocess.run(
        [sys.executable, "-m", "ancestry_obs", *words, sys.executable, "-c", program],
        cwd=project.path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "before\n"), done.stderr
    assert "ancestry_obs_target_info" in (project.path / "x.prom").read_text()
    assert not [each for each in project.path.iterdir() if each.name.endswith(".tmp")]


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "http://127.0.0.1:9000"),
        ({"METRICS_EXPORT_PORT": "9100"}, "http://127.0.0.1:9100"),
        ({"METRICS_EXPORT_HOST": "::1"}, "http://[::1]:9000"),
        ({"METRICS_EXPORT_HOST": "0.0.0.0"}, "http://127.0.0.1:9000"),
        ({"METRICS_WEB_CONFIG": "web.yml"}, "https://127.0.0.1:9000"),
    ],
)
def test_status_asks_where_the_settings_serve(monkeypatch, tmp_path, settings, url):
    monkeypatch.chdir(tmp_path)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert default_url() == url


def test_a_port_that_the_system_chooses_is_no_place_to_ask(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("METRICS_EXPORT_PORT", "0")
    with pytest.raises(ExporterError, match="write the URL that the program has logged"):
        default_url()


def test_a_list_for_programs_has_labels_as_a_list(project, command):
    listed = json.loads(command("list", "--json", "shop.toml").out)
    assert [each["labels"] for each in listed["metrics"]] == [["name"], []]


def test_a_module_that_cannot_be_imported_says_where_it_was_looked_for(project, command):
    text = (project.path / "shop.toml").read_text().replace("shop:", "shpo:")
    (project.path / "astray.toml").write_text(text)
    checked = command("check", "--import", "astray.toml")
    assert checked.code == 1
    assert "No module named 'shpo' (looked in ., " in checked.out


def test_a_missing_package_is_told_without_variables_that_nobody_set(project):
    program = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "from ancestry_obs.cli import main\n"
        "sys.exit(main(['check', '--import', 'shop.toml']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=project.path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "ancestry-obs: the package 'prometheus_client' is not installed, which measuring takes; "
        "run 'pip install ancestry-obs[prometheus]'\n"
    )
