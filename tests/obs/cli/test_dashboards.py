from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import pytest

from ancestry_obs.cli import dashboards, main

SHOP = """\
version = 1
[metrics.orders_total]
type = "counter"
help = "Orders."
labels.result = ["paid", "refused"]
"""


@pytest.fixture
def shop(tmp_path):
    """Write a map."""
    path = tmp_path / "shop.toml"
    path.write_text(SHOP)
    return path


def test_any_map_gets_a_dashboard(shop, tmp_path, capsys):
    out = tmp_path / "new" / "folder"
    assert main(["dashboards", str(shop), "-o", str(out), "--namespace", "corner"]) == 0
    file = out / "shop_overview.json"
    assert capsys.readouterr().out == f"wrote {file}\n"
    dashboard = json.loads(file.read_text("utf-8"))
    assert dashboard["title"] == "Shop overview"
    assert "corner_orders_total" in file.read_text("utf-8")


def test_another_release_of_the_sdk_is_refused_in_one_line(shop, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(dashboards, "installed_version", lambda _: "1769699998!10.1.0")
    assert main(["dashboards", str(shop), "-o", str(tmp_path / "new")]) == 2
    assert capsys.readouterr().err == (
        "ancestry-obs: dashboards need grafana-foundation-sdk >=11.6,<11.7, and 10.1.0 is "
        "installed; run 'pip install ancestry-obs[dashboards]'\n"
    )
    assert not (tmp_path / "new").exists()


def test_the_release_that_the_extra_names_is_taken(shop, tmp_path, monkeypatch):
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8"))
    (named,) = project["project"]["optional-dependencies"]["dashboards"]
    monkeypatch.setattr(dashboards, "installed_version", lambda _: named.partition("==")[2])
    assert main(["dashboards", str(shop), "-o", str(tmp_path)]) == 0


def test_a_pack_gets_a_dashboard_by_its_name(tmp_path, capsys):
    assert main(["dashboards", "pack:flask", "-o", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path / 'flask_overview.json'}\n"


def test_links_lead_where_one_says(shop, tmp_path):
    main(["dashboards", str(shop), "-o", str(tmp_path), "--docs", "https://example.org/docs"])
    dashboard = json.loads((tmp_path / "shop_overview.json").read_text("utf-8"))
    assert dashboard["links"][0]["url"] == "https://example.org/docs"


def test_without_the_extra_one_line_names_it(shop, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "grafana_foundation_sdk", None)
    monkeypatch.setitem(sys.modules, "grafana_foundation_sdk.builders", None)
    monkeypatch.delitem(sys.modules, "ancestry_obs.monitoring.dashboard", raising=False)
    monkeypatch.delitem(sys.modules, "ancestry_obs.monitoring.drawing", raising=False)
    assert main(["dashboards", str(shop), "-o", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ancestry-obs: dashboards need the package 'grafana_foundation_sdk")
    assert line.endswith("run 'pip install ancestry-obs[dashboards]'")


def test_a_mistake_in_the_plan_is_told_with_its_place(shop, tmp_path, capsys):
    plan = shop.with_suffix(".monitoring.toml")
    plan.write_text('version = 1\n[[row]]\ntitle = "R"\npanel = [{ metric = "order_total" }]\n')
    assert main(["dashboards", str(shop), "-o", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(
        f"ancestry-obs: {plan}:4: row[0].panel[0].metric: unknown metric 'order_total'; "
        "did you mean 'orders_total'? "
    )


def test_a_folder_that_cannot_be_written_is_named(shop, capsys):
    assert main(["dashboards", str(shop), "-o", str(shop)]) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"ancestry-obs: {shop / 'shop_overview.json'}: cannot be written (")
    assert line.endswith("; name another place with -o\n")
