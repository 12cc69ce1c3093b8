from __future__ import annotations

import pytest

from ancestry_core.main import next_steps

URL = "http://127.0.0.1:9000/metrics"


def typed(command="ancestry", *, measured=True, held=False, url=URL):
    steps = next_steps(str(command), measured=measured, held=held, url=url)
    assert all(purpose for _, purpose in steps)
    return [step for step, _ in steps]


def test_a_run_without_metrics_leads_to_one_with_them():
    assert typed(measured=False, url="") == ["ancestry run --metrics"]


def test_a_run_that_has_ended_leads_to_one_that_stays():
    assert typed() == [
        "ancestry run --metrics --hold",
        "ancestry-obs status http://127.0.0.1:9000",
        "ancestry-obs dashboards ancestry.toml -o grafana",
    ]


def test_a_run_that_stays_leads_to_its_page():
    assert typed(held=True)[0] == URL
    assert not any("--hold" in step for step in typed(held=True))


@pytest.mark.parametrize("held", [True, False])
def test_where_nothing_is_served_nobody_is_sent_there(held):
    assert not any("http" in step or "status" in step for step in typed(held=held, url=""))


@pytest.fixture
def environment(tmp_path):
    """The folder of scripts of an environment."""
    scripts = tmp_path / "env/bin"
    scripts.mkdir(parents=True)
    for name in ("ancestry", "ancestry-obs", "python"):
        (scripts / name).touch()
    return scripts


def test_commands_of_an_environment_below_this_folder_go_by_their_path(
    environment, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert typed(environment / "ancestry")[:2] == [
        "env/bin/ancestry run --metrics --hold",
        "env/bin/ancestry-obs status http://127.0.0.1:9000",
    ]


def test_commands_from_elsewhere_go_by_their_name(environment, tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert typed(environment / "ancestry")[0] == "ancestry run --metrics --hold"
