"""A starter map of a Flask program counts what it saw of it; maps of libraries pass `check`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

APP = """
from flask import Flask, jsonify

web = Flask(__name__)


@web.route("/")
def index():
    return price("tea", kind="new")


@web.get("/item/<int:number>")
def item(number):
    return jsonify(number=number, price=price("milk", kind="old"))


@web.get("/later")
def later():
    raise LookupError("later")


@web.errorhandler(LookupError)
def not_there(error):
    return "not there", 404


@web.before_request
def before():
    return None


def price(name, kind):
    return str(len(name))


def main():
    client = web.test_client()
    for number in range(5):
        assert client.get("/").text == "3"
        assert client.get(f"/item/{number}").json["number"] == number
    assert client.get("/later").status_code == 404


if __name__ == "__main__":
    main()
"""
COUNTS = {
    "app:main": 1, "app:index": 5, "app:item": 5, "app:later": 1, "app:not_there": 1,
    "app:before": 11, "app:price": 10,
}  # fmt: skip
COUNT = re.compile(r'shop_function_seconds_count\{function="([^"]+)"\} ([0-9.]+)')


@pytest.fixture
def obs(tmp_path):
    """Run a command of ours in the program's folder; gives what it wrote."""
    (tmp_path / "app.py").write_text(APP)

    def run(*words):
        done = subprocess.run(
            [sys.executable, "-m", "ancestry_obs", *words],
            cwd=tmp_path,
            env={**os.environ, "METRICS_NAMESPACE": "shop"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.mark.live
def test_a_flask_program(obs, tmp_path):
    told = json.loads(obs("suggest", "app", "--json", "--", "app.py"))
    assert {each["target"]: each["calls"] for each in told["functions"]} == COUNTS
    kinds = {each["target"]: each["kind"] for each in told["functions"]}
    assert {name for name, kind in kinds.items() if kind == "route"} == {
        "app:index", "app:item", "app:later",
    }  # fmt: skip
    labels = {each["target"]: each["labels"] for each in told["functions"]}
    assert labels["app:price"] == [{"name": "kind", "values": ["new", "old"]}]
    (tmp_path / "app.toml").write_text(told["map"])
    assert obs("check", "app.toml").splitlines()[-1] == "app.toml: fine"
    obs("run", "--map", "app.toml", "--port", "0", "--textfile", "app.prom", "--", "app.py")
    counted = COUNT.findall((tmp_path / "app.prom").read_text())
    assert {name: int(float(count)) for name, count in counted} == COUNTS


@pytest.mark.parametrize("package", ["flask", "click", "jinja2", "werkzeug", "fastapi", "celery"])
def test_maps_of_libraries_pass_check(obs, tmp_path, package):
    obs("suggest", package, "--most", "60", "-o", "library.toml")
    assert obs("check", "library.toml").splitlines()[-1] == "library.toml: fine"
