"""A real Prometheus scrapes an exporter with a certificate and users."""

from __future__ import annotations

import ssl
import sys
import time

import bcrypt
import pytest
import trustme

pytestmark = [pytest.mark.real, pytest.mark.live]

PROGRAM = """
import sys
from ancestry_obs.metrics_exporter import start_exporter

page = lambda accept: (b"answers_total 1\\n", "text/plain; version=0.0.4")
print(start_exporter("127.0.0.1", 0, page, web_config="web.yml").address, flush=True)
sys.stdin.read()
"""
WEB_CONFIG = """\
tls_server_config:
  cert_file: exporter.crt
  key_file: exporter.key
basic_auth_users:
  prometheus: {hashed}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A web configuration, what it names, and who has issued that."""
    folder = tmp_path_factory.mktemp("web")
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(folder / "issuer.crt")
    certify(folder, issuer)
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(6)).decode()
    (folder / "web.yml").write_text(WEB_CONFIG.format(hashed=hashed))
    return folder, issuer


def certify(folder, issuer):
    pair = issuer.issue_cert("127.0.0.1")
    pair.private_key_pem.write_to_path(folder / "exporter.key")
    pair.cert_chain_pems[0].write_to_path(folder / "exporter.crt")


@pytest.fixture(scope="module")
def scraped(real, start_prometheus, folder):
    """A Prometheus that looks at the exporter as a user, as nobody, and without encryption."""
    path, _ = folder
    program = real.start("exporter", [sys.executable, "-c", PROGRAM], path)
    target = [{"targets": [program.wait_for(r"([\d.]+:\d+)")[1]]}]
    tls = {"scheme": "https", "tls_config": {"ca_file": str(path / "issuer.crt")}}
    ways = {
        "user": {**tls, "basic_auth": {"username": "prometheus", "password": "secret"}},
        "wrong": {**tls, "basic_auth": {"username": "prometheus", "password": "wrong"}},
        "nobody": tls,
        "distrust": {"scheme": "https"},
        "plain": {"scheme": "http"},
    }
    return start_prometheus(
        {
            "scrape_configs": [
                {"job_name": name, "static_configs": target, **way} for name, way in ways.items()
            ]
        }
    )


def test_only_a_user_who_trusts_the_issuer_is_served(scraped, real):
    up = {"user": 1, "wrong": 0, "nobody": 0, "distrust": 0, "plain": 0}
    real.wait_until(
        lambda: scraped.numbers("up", "job") == up, lambda: scraped.numbers("up", "job")
    )
    assert scraped.numbers("answers_total", "job") == {"user": 1}


def test_why_the_others_are_not(scraped, real):
    reasons = {"wrong": "401", "nobody": "401", "distrust": "x509", "plain": "400"}

    def errors():
        targets = scraped.ask("targets")["activeTargets"]
        return {each["labels"]["job"]: each["lastError"] for each in targets}

    def is_told():
        found = errors()
        return not found["user"] and all(why in found[job] for job, why in reasons.items())

    # On a busy machine a scrape may take longer than it may.
    real.wait_until(is_told, errors)


def test_another_certificate_is_served_without_a_restart(scraped, real, folder):
    path, _ = folder
    (target,) = {each["scrapeUrl"] for each in targets_of(scraped, "user")}
    host, port = target.split("/")[2].split(":")
    before = ssl.get_server_certificate((host, int(port)))
    certify(*folder)
    new = (path / "exporter.crt").read_text().split()
    assert new != before.split()
    # Prometheus may have asked between the two files, and one handshake reads them for all.
    real.wait_until(
        lambda: ssl.get_server_certificate((host, int(port))).split() == new,
        "the new certificate to be served",
    )
    changed = time.time()
    real.wait_until(
        lambda: scraped.query(f'timestamp(up{{job="user"}} == 1) > {changed}'),
        "Prometheus to be served after it",
    )


def targets_of(scraped, job):
    targets = scraped.ask("targets")["activeTargets"]
    return [each for each in targets if each["labels"]["job"] == job]
