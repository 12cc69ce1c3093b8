"""The pictures in the README are drawn from what is beside them: what a run gives today."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from ancestry_obs.cli import main
from ancestry_obs.mapfile import load
from ancestry_obs.monitoring import Catalogue, load_plan
from ancestry_obs.monitoring.dashboard import dashboard_json

SVG = "{http://www.w3.org/2000/svg}"

# What the page looks like now, after one request that was answered and one that was not.
ASKED = """\
import urllib.request
from io import BytesIO
import ancestry_obs
ancestry_obs.install()
from ancestry_core.config import load_settings
from ancestry_core.transport import HttpTransport, TransportError
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError
from urllib3 import HTTPResponse

class Adapter(HTTPAdapter):
    def send(self, request, **_):
        if request.url.endswith("gone"):
            raise ConnectionError("gone", request=request)
        return self.build_response(request, HTTPResponse(BytesIO(), {}, 200, preload_content=False))

settings = load_settings({}, {}, dotenv=None).http
transport = HttpTransport("http://service.test", settings, adapter=Adapter())
transport.send("GET", "http://service.test/here")
try:
    transport.send("GET", "http://service.test/gone")
except TransportError:
    pass
transport.close()
with urllib.request.urlopen(ancestry_obs.start_exporter().url) as page:
    print(page.read().decode())
"""


@pytest.fixture(scope="module")
def script(repository):
    """The script that draws the picture."""
    path = repository / "docs/images/picture.py"
    specification = importlib.util.spec_from_file_location("picture", path)
    module = importlib.util.module_from_spec(specification)
    sys.modules["picture"] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    yield module
    del sys.modules["picture"]


@pytest.fixture(scope="module")
def run(script):
    return script.Run.read(script.RUN)


@pytest.fixture(scope="module", params=["light", "dark"])
def texts(script, request):
    """What can be read in a picture, text by text."""
    root = ET.parse(script.path_of(request.param)).getroot()
    return ["".join(each.itertext()) for each in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_picture_is_what_the_script_draws(script, run, theme):
    drawn, path = script.picture(run, theme), script.path_of(theme)
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(drawn, "utf-8")
    assert path.read_text("utf-8") == drawn, "run docs/images/picture.py"


def test_what_is_read_stands_out_from_its_ground_in_each_theme(script):
    assert set(script.THEMES) == {"light", "dark"}
    for colors in script.THEMES.values():
        for name in ("title", "label", "code", "comment", "text", "head", "number"):
            # WCAG 2, success criterion 1.4.3.
            assert _contrast(colors[name], colors["ground"]) >= 4.5, name
        for color in dict(script.panel().colors).values():
            assert _contrast(colors[color], colors["ground"]) >= 3, color


def _contrast(one, other):
    """Give the contrast of two colours, as WCAG 2 has it."""
    lights = sorted(map(_light, (one, other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _light(color):
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_whole_map_and_the_whole_page_are_in_it(script, run, texts):
    code = [*script.MAP.read_text("utf-8").splitlines(), *run.page]
    assert {line for line in code if line} <= set(texts)


def test_no_line_is_wider_than_its_card(script, run):
    # Six tenths of the size are the advance of the fonts that are named, or a little less.
    advance = 0.602 * float(re.search(r"\.code \{\{ font: ([\d.]+)px", script.STYLE)[1])
    for width, lines in (
        (script.MAP_WIDTH, script.MAP.read_text("utf-8").splitlines()),
        (script.PAGE_WIDTH, run.page),
    ):
        assert advance * max(map(len, lines)) <= width - 2 * script.MARGIN
        assert script.TOP + script.LINE * len(lines) < script.HEIGHT


def test_the_map_is_fine(script, capsys):
    assert main(["check", os.fspath(script.MAP)]) == 0, capsys.readouterr().out


def test_the_panel_has_title_unit_axis_and_legend_of_the_generated_dashboard(script, texts):
    catalogue = Catalogue(load(os.fspath(script.MAP)), script.NAMESPACE)
    dashboard = json.loads(dashboard_json(load_plan(os.fspath(script.MAP), catalogue), "picture"))
    shown = next(panel for panel in dashboard["panels"] if panel["type"] == "timeseries")
    defaults = shown["fieldConfig"]["defaults"]
    assert shown["title"] in texts
    assert [f"{{{{{text.removesuffix(':')}}}}}" for text in texts if text.endswith("status:")] == [
        target["legendFormat"] for target in shown["targets"]
    ]
    unit = script.UNITS[defaults["unit"]]
    ticks = [text for text in texts if text.endswith(unit)]
    assert ticks[0] == f"0 {unit}"
    assert len(ticks) > 2
    assert [text for text in texts if re.fullmatch(r"\d+ s", text)][:2] == ["10 s", "20 s"]
    names = [each["matcher"]["options"] for each in shown["fieldConfig"]["overrides"]]
    assert names == list(load(os.fspath(script.MAP)).metrics[0].labels[0].values)
    assert set(names) <= set(texts)


def test_the_layers_add_up_to_what_was_counted(script, run):
    for value, counts in run.counts.items():
        assert f'{script.NAMESPACE}_requests_total{{status="{value}"}} {counts[-1]}' in run.page
        # Over whole windows, end to end, a rate times its window is what was counted.
        rates, seconds, window = run.rates(value), run.seconds, script.WINDOW
        ends = range(window, len(seconds), window)
        counted = sum(rates[i - window] * (seconds[i] - seconds[i - window]) for i in ends)
        assert counted == pytest.approx(counts[ends[-1]] - counts[0])
    assert f"{script.NAMESPACE}_request_seconds_count" in " ".join(run.page)


def test_the_page_has_the_form_that_the_toolkit_writes_today(script, run):
    environment = {
        **os.environ,
        "PROMETHEUS_METRICS_ENABLED": "true",
        "INSTRUMENTATION_MAP": os.fspath(script.MAP),
        "METRICS_NAMESPACE": script.NAMESPACE,
        "METRICS_EXPORT_PORT": "0",
    }
    asked = subprocess.run(
        [sys.executable, "-c", ASKED], env=environment, capture_output=True, text=True, check=False
    )
    assert asked.returncode == 0, asked.stderr
    now = [line for line in asked.stdout.splitlines() if f"{script.NAMESPACE}_" in line]
    now = [line for line in now if not line.startswith("ancestry_obs_")]
    comments = [line for line in now if line.startswith("#")]
    assert comments == [line for line in run.page if line.startswith("#")]
    series = {line.rpartition(" ")[0] for line in now} - {
        line.rpartition(" ")[0] for line in comments
    }
    # Two of the counter; four buckets, count and sum of the histogram.
    assert len(series) == 2 + 6
    assert series <= {line.rpartition(" ")[0] for line in run.page}


def test_a_figure_that_was_changed_by_hand_is_found(script, run):
    changed = script.Run(run.page, run.seconds, {**run.counts, "2xx": (0.0,) * len(run.seconds)})
    assert script.picture(changed, "dark") != script.path_of("dark").read_text("utf-8")


def test_the_read_me_shows_it_with_words_for_who_cannot_see_it(repository):
    text = (repository / "README.md").read_text("utf-8")
    shown = re.findall(r"!\[([^\]]+)\]\((docs/images/picture_[^)]+)\)", text)
    assert [link for _, link in shown] == [
        "docs/images/picture_light.svg",
        "docs/images/picture_dark.svg",
    ]
    assert all(len(words.split()) > 10 for words, _ in shown)
