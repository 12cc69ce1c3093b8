"""The files of docs/deployment: what reads them accepts them, and they agree with each other."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
DEPLOYMENT = REPOSITORY / "docs/deployment"
CONTAINER = DEPLOYMENT / "container"
COMPOSE = yaml.safe_load((CONTAINER / "compose.yaml").read_text("utf-8"))["services"]
PROMETHEUS = yaml.safe_load((CONTAINER / "prometheus.yml").read_text("utf-8"))
BUILT = {name: service for name, service in COMPOSE.items() if "build" in service}
INSTALLED = "/srv/shop/venv/bin/"


def instructions():
    """Give the Dockerfile's instructions by stage, each as its name and the rest."""
    text = re.sub(r"(?m)^#.*\n", "", (CONTAINER / "Dockerfile").read_text("utf-8"))
    stages = {}
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if line.strip():
            name, rest = line.split(maxsplit=1)
            if name == "FROM":
                base, _, stage = rest.partition(" AS ")
                stages[stage] = [("FROM", base)]
            else:
                stages[stage].append((name, rest))
    return stages


STAGES = instructions()


def with_bases(stage):
    """Give a stage's instructions, those of the stages that it builds upon first."""
    (_, base), *own = STAGES[stage]
    return [*(with_bases(base) if base in STAGES else ()), *own]


def variables(stage):
    settings = [rest for name, rest in with_bases(stage) if name == "ENV"]
    return dict(each.split("=", 1) for text in settings for each in shlex.split(text))


def mounts(service):
    """Give for each file or folder of the repository where a service has it."""
    for each in COMPOSE[service].get("volumes", ()):
        source, target, *_ = each.split(":")
        if source.startswith("."):
            yield (CONTAINER / source).resolve(), PurePosixPath(target)


def the_command(words):
    """Give a command as the page has it, wherever its programs and its address are."""
    text = " ".join(word.removeprefix(INSTALLED) for word in words)
    return text.replace("0.0.0.0:", "127.0.0.1:")


@pytest.fixture
def gunicorn_command(pages):
    words = shlex.split(pages["docs/deployment.md"].block("gunicorn").text)
    assert words.pop(0) == "METRICS_NAMESPACE=shop"
    return " ".join(words)


def test_the_unit_starts_the_command_of_the_page(gunicorn_command):
    unit = (DEPLOYMENT / "shop.service").read_text("utf-8")
    (line,) = re.findall(r"(?m)^ExecStart=((?:.*\\\n)*.*)$", unit)
    assert the_command(line.replace("\\\n", " ").split()) == gunicorn_command
    assert "Environment=METRICS_NAMESPACE=shop\n" in unit


def test_supervisord_starts_the_command_of_the_page(gunicorn_command):
    text = (DEPLOYMENT / "supervisord.conf").read_text("utf-8")
    (line,) = re.findall(r"(?m)^command = (.*)$", text)
    assert the_command(line.split()) == gunicorn_command


def test_the_shop_s_image_starts_the_command_of_the_page(gunicorn_command):
    assert the_command(_started_in("shop")) == gunicorn_command
    assert variables("shop")["METRICS_NAMESPACE"] == "shop"


def test_the_shop_s_image_has_its_woven_code(tmp_path):
    shop = shutil.copytree(DEPLOYMENT / "gunicorn", tmp_path / "shop")
    cache = tmp_path / "woven"
    assert variables("shop")["METRICS_CODE_CACHE"] == f"/home/program/{cache.name}"
    settings = {
        "METRICS_EXPORT_HOST": "127.0.0.1",
        "METRICS_CODE_CACHE": str(cache),
        "PYTHONDONTWRITEBYTECODE": "1",
    }

    def kept():
        # The map itself is kept as soon as its file is some seconds old.
        found = [each for each in cache.iterdir() if not each.name.startswith("map-")]
        return {each.name: each.stat().st_mtime_ns for each in found}

    (line,) = [rest for name, rest in STAGES["shop"] if name == "RUN"]
    launcher, *words = json.loads(line)
    assert launcher == "ancestry-obs"
    words = [sys.executable if each == "python" else each for each in words]
    command = [sys.executable, "-m", "ancestry_obs", *words]
    _finished(command, shop, settings)
    entries = kept()
    _finished([*command[:-1], "import app; print(app.price('tea'))"], shop, settings)
    assert kept() == entries
    # Of another program it is another one: so it was among them.
    Path(shop, "app.py").write_text("def price(item):\n    return 1\norder = price\n")
    _finished(command, shop, settings)
    assert len(kept()) == len(entries) + 1


def _finished(command, folder, settings):
    environment = {**os.environ, **settings}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _started_in(stage):
    # A list starts the program itself, which then gets the signals; a text would start a shell.
    return json.loads([rest for name, rest in with_bases(stage) if name == "CMD"][-1])


@pytest.mark.real
def test_systemd_reads_the_unit(tmp_path, require):
    require("systemd-analyze")
    programs = tmp_path / "srv/shop/venv/bin"
    programs.mkdir(parents=True)
    for name in ("ancestry-obs", "gunicorn"):
        shutil.copy(sys.executable, programs / name)
    text = (DEPLOYMENT / "shop.service").read_text("utf-8")
    (tmp_path / "shop.service").write_text(text.replace("/srv/shop", f"{tmp_path}/srv/shop"))
    done = _run("systemd-analyze", "verify", tmp_path / "shop.service")
    # An unknown key is told and no failure.
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.real
def test_compose_reads_its_file(require):
    require("docker-compose")
    done = _run("docker-compose", "--file", CONTAINER / "compose.yaml", "config", "--quiet")
    assert done.returncode == 0, done.stderr


@pytest.mark.real
def test_prometheus_reads_its_configuration_and_the_rules(tmp_path, require):
    require("promtool")
    for source, target in mounts("prometheus"):
        place = tmp_path / target.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, place)
    done = _run("promtool", "check", "config", tmp_path / "etc/prometheus/prometheus.yml")
    assert done.returncode == 0, done.stderr
    assert "2 rule files found" in done.stdout


def _run(*command):
    return subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


def test_what_is_mounted_or_copied_is_there():
    mounted = [source for service in COMPOSE for source, _ in mounts(service)]
    copied = [
        REPOSITORY / source
        for stage in STAGES
        for name, rest in STAGES[stage]
        if name == "COPY"
        for source in rest.split()[:-1]
    ]
    assert len(mounted) > 5
    assert len(copied) > 3
    assert [each for each in (*mounted, *copied) if not each.exists()] == []


def test_what_is_built_is_a_stage_that_no_root_runs():
    assert set(BUILT) == {"shop", "ancestry"}
    for service in BUILT.values():
        build = service["build"]
        assert (CONTAINER / build["context"]).resolve() == REPOSITORY
        assert REPOSITORY / build["dockerfile"] == CONTAINER / "Dockerfile"
        users = [rest for name, rest in with_bases(build["target"]) if name == "USER"]
        assert users, "root"
        assert users[-1] not in {"root", "0"}


def test_images_are_pinned():
    images = [service["image"] for service in COMPOSE.values() if "image" in service]
    images += [stage[0][1] for stage in STAGES.values() if stage[0][1] not in STAGES]
    assert len(images) > 3
    assert [
        each for each in images if not re.fullmatch(r"[\w/]+:v?\d+\.\d+\.\d+[\w-]*", each)
    ] == []


def test_ports_are_published_on_this_machine_alone_and_that_of_the_metrics_nowhere():
    published = [port for service in COMPOSE.values() for port in service.get("ports", ())]
    assert len(published) == 3
    assert all(each.startswith("127.0.0.1:") for each in published)
    assert not any("9000" in each for each in published)


def test_prometheus_scrapes_what_the_containers_serve():
    served = {
        variables(service["build"]["target"]).get("METRICS_NAMESPACE", "ancestry"): (
            f"{name}:{variables(service['build']['target'])['METRICS_EXPORT_PORT']}"
        )
        for name, service in BUILT.items()
    }
    scraped = {
        job["job_name"]: target
        for job in PROMETHEUS["scrape_configs"]
        for each in job["static_configs"]
        for target in each["targets"]
    }
    assert scraped == served
    for service in BUILT.values():
        settings = variables(service["build"]["target"])
        assert settings["METRICS_EXPORT_HOST"] == "0.0.0.0"
        exposed = [rest for n, rest in with_bases(service["build"]["target"]) if n == "EXPOSE"]
        assert settings["METRICS_EXPORT_PORT"] in exposed


def test_grafana_finds_prometheus_and_every_dashboard():
    placed = {target: source for source, target in mounts("grafana")}
    provisioning = PurePosixPath("/etc/grafana/provisioning")
    (source,) = yaml.safe_load(
        placed[provisioning / "datasources/prometheus.yaml"].read_text("utf-8")
    )["datasources"]
    address = urlsplit(source["url"])
    assert address.hostname in COMPOSE
    assert COMPOSE[address.hostname]["ports"][0].endswith(f":{address.port}")
    assert source["jsonData"]["timeInterval"] == PROMETHEUS["global"]["scrape_interval"]
    (file,) = placed[provisioning / "dashboards"].iterdir()
    (provider,) = yaml.safe_load(file.read_text("utf-8"))["providers"]
    shown = {
        json.loads(path.read_text("utf-8"))["uid"]: target.name
        for target, path in placed.items()
        if target.is_relative_to(provider["options"]["path"])
    }
    assert shown == {
        "ancestry-overview": "ancestry_overview.json",
        "obs-overview": "obs_overview.json",
    }


def test_the_data_source_is_that_of_one_machine_at_another_address(repository):
    (here,), (there,) = (
        yaml.safe_load(path.read_text("utf-8"))["datasources"]
        for path in (
            repository / "grafana/provisioning/datasources/prometheus.yaml",
            CONTAINER / "datasources.yaml",
        )
    )
    assert {**here, "url": ""} == {**there, "url": ""}


def test_dashboard_and_rules_are_what_the_map_gives(pages, tmp_path):
    commands = pages["docs/deployment.md"].block("generated").text
    programs = Path(sys.executable).parent
    for line in commands.splitlines():
        program, *words = line.replace("-o docs/deployment/container", f"-o {tmp_path}").split()
        done = subprocess.run(
            [programs / program, *words],
            cwd=REPOSITORY, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    for name in ("obs_overview.json", "rules.yml"):
        new = (tmp_path / name).read_text("utf-8")
        assert (CONTAINER / name).read_text("utf-8") == new, f"run again:\n{commands}"
