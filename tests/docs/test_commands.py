"""Every command on the pages: CI runs it word for word, or it is run here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from tests.ports import free_port

from ancestry_obs.metrics_exporter.web_config import read_web_config

_READY = {
    "ancestry run": "Holding on",
    "prometheus": "Server is ready to receive web requests",
}
_MORE = {
    # Quick: nobody to ask about. The command is the page's own otherwise.
    "ancestry run": "--matches 0",
    "prometheus": "--web.listen-address=127.0.0.1:0 --storage.tsdb.path=data",
}
_SECONDS = 60

# A server in small: it forks two workers, which call what the page has for each.
_PREFORK = """\
import json, os, urllib.request
from pathlib import Path
import ancestry_obs, conf
conf.on_starting(None)
import shop

def worker(calls, tell, go_on):
    conf.post_fork(None, None)
    for _ in range(calls):
        shop.charge("ada", 1)
    os.write(tell, b"!")
    os.read(go_on, 1)
    ancestry_obs.stop_exporter()
    os._exit(0)

told, tell = os.pipe()
go_on, end = os.pipe()
shop.charge("ada", 1)
for calls in (2, 3):
    if not os.fork():
        worker(calls, tell, go_on)
os.read(told, 1), os.read(told, 1)
registered = [entry["targets"][0] for entry in json.loads(Path("workers.json").read_text())]
pages = [urllib.request.urlopen(f"http://{each}/metrics").read().decode() for each in registered]
line = 'ancestry_charges_total{currency="EUR",outcome="success"} '
counts = sorted(page.partition(line)[2].split()[0] for page in pages)
os.write(end, b"!!")
os.wait(), os.wait()
left = json.loads(Path("workers.json").read_text())
assert counts == ["2.0", "3.0"], counts
assert left == [], left
"""


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def shell(folder, port, repository, require):
    """Run commands in an empty folder, with this Python's commands and a free port."""
    shutil.copytree(repository / "grafana", folder / "grafana")
    own = Path(sys.executable).parent
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith("METRICS_")},
        "PATH": f"{own}{os.pathsep}{os.environ['PATH']}",
        "METRICS_EXPORT_PORT": str(port),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    running = []

    def start(command):
        if command.startswith("prometheus "):
            require("prometheus")
        beginning = next(each for each in _READY if command.startswith(each))
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command} {_MORE[beginning]}"],
            cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        running.append(process)
        told = []
        for line in process.stderr:
            told.append(line)
            if _READY[beginning] in line:
                return
        pytest.fail(f"{command} ended: {''.join(told)}")

    def run(command):
        done = subprocess.run(
            ["bash", "-ec", command.replace(":9000", f":{port}")],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=_SECONDS,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stderr}"

    yield lambda command: (start if _stays(command) else run)(command)
    for process in running:
        process.terminate()
        process.communicate(timeout=_SECONDS)


def _stays(command):
    return "--hold" in command or command.startswith("prometheus ")


def _in_ci(command, repository):
    """Tell whether CI, or a session of nox, has this very command."""
    gate = (repository / ".ci/run").read_text("utf-8")
    sessions = (repository / "noxfile.py").read_text("utf-8")
    whole = "python3 -m pip install nox && python3 -m nox"
    if command == whole:
        return f"\n{whole}\n" in gate
    if session := re.fullmatch(rf"(?:{whole}|python3 -m nox) -s (\w+)", command):
        return f"\ndef {session[1]}(session: nox.Session)" in sessions
    if requirement := re.fullmatch(r'python3 -m pip install ("\.\[.+\]")', command):
        return f"= {requirement[1]}\n" in sessions
    return False


def test_the_commands_of_a_block_work(commands, pages, shell, folder, repository):
    page = pages[commands.page]
    for name in ("shop.py", "shop.toml"):
        # The README's shop is everybody's.
        (folder / name).write_text(pages["README.md"].block(name).text, "utf-8")
    for block in page.blocks[: page.blocks.index(commands)]:
        if block.section == commands.section and re.fullmatch(r"(?!shop)\w+\.py", block.name):
            (folder / block.name).write_text(block.text, "utf-8")
    for command in commands.text.splitlines():
        if not _in_ci(command, repository):
            shell(command)
    for block in page.blocks:
        if block.section == commands.section and block.name.endswith(".prom"):
            written = (folder / block.name).read_text("utf-8").splitlines()
            assert set(block.text.splitlines()) <= set(written)


def test_the_two_commands_are_those_of_the_readme(pages, repository):
    commands = [
        block.text.strip()
        for block in pages["README.md"].blocks
        if block.section == "two-commands" and "nox" in block.text
    ]
    assert commands == [
        "python3 -m pip install nox && python3 -m nox -s demo",
        "python3 -m pip install nox && python3 -m nox",
    ]
    assert all(_in_ci(command, repository) for command in commands)


def test_a_command_that_ci_does_not_have_is_told(repository):
    assert not _in_ci("python3 -m nox -s nothing", repository)
    assert not _in_ci('python3 -m pip install ".[nothing]"', repository)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("nightly.yml", "check rules"),
        ("prometheus.yml", "check config"),
        ("tls.yml", "check config"),
        ("web.yml", "check web-config"),
    ],
)
def test_configurations_are_what_prometheus_reads(name, command, pages, folder, shell, require):
    require("promtool")
    pair = trustme.CA().issue_cert("host-7")
    pair.cert_chain_pems[0].write_to_path(folder / "exporter.crt")
    pair.private_key_pem.write_to_path(folder / "exporter.key")
    for file in ("issuer.crt", "password"):
        (folder / file).touch()
    (folder / name).write_text(pages["docs/monitoring.md"].block(name).text, "utf-8")
    shell(f"promtool {command} {name}")


def test_the_web_configuration_is_what_the_exporter_reads(pages, folder):
    (folder / "web.yml").write_text(pages["docs/monitoring.md"].block("web.yml").text, "utf-8")
    config = read_web_config(folder / "web.yml")
    assert config.tls.cert_file == folder / "exporter.crt"
    assert list(config.users) == ["prometheus"]


@pytest.mark.live
def test_workers_of_a_server_that_forks_serve_and_register(pages, folder, shell, repository):
    for name in ("shop.py", "shop.toml"):
        (folder / name).write_text(pages["README.md"].block(name).text, "utf-8")
    hooks = pages["docs/monitoring.md"].block("gunicorn_conf.py").text
    assert hooks in (repository / "docs/examples/gunicorn_conf.py").read_text("utf-8")
    (folder / "conf.py").write_text(hooks, "utf-8")
    (folder / "server.py").write_text(_PREFORK, "utf-8")
    settings = "PROMETHEUS_METRICS_ENABLED=true METRICS_EXPORT_PORT=0 INSTRUMENTATION_MAP=shop.toml"
    shell(f"{settings} METRICS_FILE_SD=workers.json python3 server.py")


@pytest.mark.live
def test_the_entry_point_of_the_readme(pages, folder, shell):
    for name in ("shop.py", "shop.toml", "start.py"):
        (folder / name).write_text(pages["README.md"].block(name).text, "utf-8")
    shell("PROMETHEUS_METRICS_ENABLED=false python3 start.py > off.txt")
    shell("PROMETHEUS_METRICS_ENABLED=true python3 start.py > on.txt")
    assert "enabled=False" in (folder / "off.txt").read_text()
    assert "state='installed'" in (folder / "on.txt").read_text()
