"""What is committed for packs, asked of Prometheus servers that scrape programs under these packs.

Several packs measure the same by the same names: of those each program has one, and is watched by a
Prometheus of its own. Flask's and SQLAlchemy's are in `tests/real`, where they need nothing else.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.libraries.peers.conftest import RUN
from tests.libraries.peers.test_pack_boto3 import stub_of_s3
from tests.ports import free_port, refusing_port
from tests.real.conftest import questions_of_alerts, real, repository, start_prometheus

__all__ = ["real", "repository", "start_prometheus"]  # fixtures are found by their names

pytestmark = [pytest.mark.real, pytest.mark.live]

PROGRAMS = {
    "errands": ("requests", "aiohttp-server", "redis", "boto3", "jinja2", "click"),
    "jobs": ("urllib3", "starlette", "celery"),
    "answers": ("httpx", "fastapi"),
    "views": ("aiohttp-client", "django"),
    "shop_site": ("gunicorn",),
}
# Five servers that ask all rules of their packs four times a second keep two cores busy.
EACH_SECOND = dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), "1s")
EACH_PACK = pytest.mark.parametrize(
    ("program", "pack"), [(program, pack) for program, packs in PROGRAMS.items() for pack in packs]
)


@pytest.fixture(scope="module")
def start(real, redis_port):
    """Start a program under its packs; gives it, and where it serves its page."""
    with stub_of_s3() as s3, refusing_port() as closed:
        environment = {
            "REDIS": str(redis_port),
            "CLOSED": str(closed),
            "S3": str(s3.server_port),
            "AWS_EC2_METADATA_DISABLED": "true",
            "no_proxy": "127.0.0.1",
        }

        def start(name):
            address = f"127.0.0.1:{free_port()}"
            packs = [word for pack in PROGRAMS[name] for word in ("--pack", pack)]
            options = (*packs, "--port", address.rpartition(":")[2])
            path = Path(__file__).with_name("programs") / f"{name}.py"
            command = [*RUN, *options, "--", sys.executable, str(path)]
            program = real.start(name, command, environment=environment)
            program.wait_for("open")
            return program, address

        yield start


@pytest.fixture(scope="module")
def watched(start, start_prometheus, repository):
    """By each program's name the Prometheus that watches it, and when all began."""
    began = time.time()
    running = {name: start(name) for name in PROGRAMS}
    servers = {}
    for name, (_, address) in running.items():
        rules = [str(repository / f"grafana/packs/{each}_rules.yml") for each in PROGRAMS[name]]
        scraped = {"job_name": "ancestry", "static_configs": [{"targets": [address]}]}
        config = {"global": EACH_SECOND, "rule_files": rules, "scrape_configs": [scraped]}
        servers[name] = start_prometheus(config)
    yield SimpleNamespace(servers=servers, began=began)
    assert {name: each.finish() for name, (each, _) in running.items()} == dict.fromkeys(running, 0)


@EACH_PACK
def test_no_panel_of_a_pack_is_without_data(watched, program, pack, repository, real):
    prometheus = watched.servers[program]
    dashboard = json.loads((repository / f"grafana/packs/{pack}_overview.json").read_text())

    def unanswered():
        return prometheus.unanswered(dashboard, watched.began)

    real.wait_until(lambda: not unanswered(), unanswered)


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_rule_of_the_packs_has_a_result(watched, program, real):
    prometheus = watched.servers[program]
    real.wait_until(lambda: not prometheus.failing_rules(), prometheus.failing_rules)


@EACH_PACK
def test_no_alert_of_a_pack_looks_at_nothing(watched, program, pack, real):
    prometheus = watched.servers[program]

    def unanswered():
        asked = questions_of_alerts(f"pack:{pack}")
        return [each for each in asked if not prometheus.ever(each.expression, watched.began)]

    real.wait_until(lambda: not unanswered(), unanswered)
