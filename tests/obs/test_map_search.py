"""Which map is taken where nobody names one, and what is said if that cannot be meant."""

from __future__ import annotations

import logging
import sys
from textwrap import dedent

import pytest

import ancestry_obs
from ancestry_obs.map_search import find_map


def shop_map(metric):
    return dedent(f"""
        version = 1
        [metrics.{metric}]
        type = "counter"
        help = "Prices asked for."
        [[instrument]]
        target = "shop_of_maps:price"
        record = [{{ metric = "{metric}" }}]
    """)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working folder; writes files into it."""
    monkeypatch.chdir(tmp_path)
    for variable in ("INSTRUMENTATION_MAP", "PROMETHEUS_METRICS_ENABLED"):
        monkeypatch.delenv(variable, raising=False)

    def write(**files):
        for name, text in files.items():
            path = tmp_path.joinpath(*name.split("__")).with_suffix(".toml")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        return tmp_path

    return write


@pytest.fixture
def installed(monkeypatch):
    """Install what is found, with metrics on; give the file that the map came from."""
    monkeypatch.setenv("PROMETHEUS_METRICS_ENABLED", "true")
    monkeypatch.setenv("METRICS_EXPORT_PORT", "0")

    def install(*named):
        ancestry_obs.install(*named)
        return ancestry_obs.status().map

    yield install
    ancestry_obs.uninstall()


NAMED = '[tool.ancestry_obs]\nmap = "maps/mine.toml"\n'


@pytest.mark.live
class TestTheOrder:
    """Every way is there each time; the one that is tried is the first of those that are left."""

    @pytest.fixture
    def folder(self, here):
        names = ("maps__mine", "obs", "by_variable", "by_dotenv", "by_argument")
        return here(pyproject=NAMED, **{name: shop_map("prices_total") for name in names})

    def test_the_argument(self, folder, installed, monkeypatch):
        monkeypatch.setenv("INSTRUMENTATION_MAP", "by_variable.toml")
        assert installed("by_argument.toml") == "by_argument.toml"

    def test_the_variable(self, folder, installed, monkeypatch):
        monkeypatch.setenv("INSTRUMENTATION_MAP", "by_variable.toml")
        assert installed() == "by_variable.toml"

    def test_the_variable_in_dotenv(self, folder, installed):
        (folder / ".env").write_text("INSTRUMENTATION_MAP=by_dotenv.toml\n")
        assert installed() == "by_dotenv.toml"

    def test_the_project_file(self, folder, installed):
        assert installed() == str(folder / "maps" / "mine.toml")

    def test_the_file_of_the_usual_name(self, folder, installed):
        (folder / "pyproject.toml").unlink()
        assert installed() == str(folder / "obs.toml")

    def test_the_map_that_ships(self, here, installed):
        here()
        assert installed().endswith("maps/ancestry.toml")

    def test_settings_that_are_given_name_it_before_the_folder_does(self, folder):
        settings = ancestry_obs.ObservabilitySettings(
            enable_prometheus_metrics=True,
            metrics_export_port=0,
            instrumentation_map="by_argument.toml",
        )
        ancestry_obs.install(settings=settings)
        assert ancestry_obs.status().map == "by_argument.toml"
        ancestry_obs.uninstall()


@pytest.mark.parametrize(
    "text",
    [
        "",
        '[project]\nname = "shop"\n',
        "this = is no TOML, but does not mention the toolkit",
        '[project]\ndependencies = ["ancestry-obs"]\n',
        "[tool.ancestry_obs]\n",
        'tool = "ancestry_obs"\n',
    ],
)
def test_a_project_file_that_names_no_map(here, text):
    folder = here(pyproject=text)
    assert find_map() is None
    here(obs=shop_map("prices_total"))
    assert find_map() == str(folder / "obs.toml")


def test_a_project_file_may_name_a_map_that_ships(here):
    here(pyproject='[tool.ancestry_obs]\nmap = "ancestry"\n')
    assert find_map().endswith("maps/ancestry.toml")


def test_a_folder_of_the_usual_name_is_no_map(here):
    folder = here()
    (folder / "obs.toml").mkdir()
    (folder / "pyproject.toml").mkdir()
    assert find_map() is None


WRITE = 'write [tool.ancestry_obs] and below it map = "obs.toml", or its file'
NAME_ONE = "name a map beside pyproject.toml, or one that ships (ancestry.toml)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[tool.ancestry_obs]\nmap = obs.toml\n",
            "2: not TOML: Invalid value (at line 2, column 7); correct it there",
        ),
        (
            '[project]\nname = "x"\n[tool.ancestry_obs]\nmap = ["obs.toml"]\n',
            f"4: tool.ancestry_obs.map: ['obs.toml'] is no file's name; {WRITE}",
        ),
        (
            '[tool.ancestry_obs]\nmap = " "\n',
            f"2: tool.ancestry_obs.map: ' ' is no file's name; {WRITE}",
        ),
        (
            '[tool.ancestry_obs]\nmap = "absent.toml"\n',
            f"2: tool.ancestry_obs.map: 'absent.toml': no such file; {NAME_ONE}",
        ),
        (
            '[tool]\nancestry_obs = "obs.toml"\n',
            f"2: tool.ancestry_obs: 'obs.toml' is no table; {WRITE}",
        ),
        (
            '[tool.ancestry_obs]\nmaps = "obs.toml"\n',
            "2: tool.ancestry_obs.maps: unknown key 'maps'; did you mean 'map'? allowed: map",
        ),
        (
            '[tool.ancestry-obs]\nmap = "obs.toml"\n',
            f"1: tool.ancestry-obs: it is [tool.ancestry_obs] that is read; {WRITE}",
        ),
    ],
)
def test_what_is_wrong_is_a_line_with_its_place_and_remedy(here, installed, text, message):
    here(pyproject=text, obs=shop_map("prices_total"))
    with pytest.raises(ancestry_obs.SettingsError) as refusal:
        installed()
    assert str(refusal.value) == f"pyproject.toml:{message}"
    assert not ancestry_obs.status().enabled


def test_a_project_file_that_cannot_be_read(here):
    folder = here()
    (folder / "pyproject.toml").write_bytes(b"[tool.ancestry_obs]\nmap = '\xff'\n")
    with pytest.raises(ancestry_obs.SettingsError) as refusal:
        find_map()
    assert str(refusal.value).startswith("pyproject.toml: cannot be read ('utf-8' codec can't")
    assert str(refusal.value).endswith("; make it readable UTF-8")


def test_with_metrics_off_no_file_is_looked_at(here, monkeypatch):
    here(pyproject="[tool.ancestry_obs\nmap = 5", obs="no TOML either")
    seen = []
    monkeypatch.setattr("ancestry_obs.map_search.find_map", lambda: seen.append(1))
    assert not ancestry_obs.install().enabled
    assert not seen


def test_with_metrics_off_helpers_are_those_of_the_map_that_would_be_taken(here):
    here(obs=shop_map("helpers_total"))
    ancestry_obs.install()
    assert ancestry_obs.metrics().helpers_total.inc() is None


@pytest.mark.live
class TestTheMapThatShips:
    def test_a_program_that_has_nothing_of_it_is_told(self, here, installed, caplog, monkeypatch):
        here()
        monkeypatch.delitem(sys.modules, "ancestry_core", raising=False)
        installed()
        (record,) = [each for each in caplog.records if each.name == "ancestry_obs.map_search"]
        assert record.levelno == logging.WARNING
        assert record.getMessage() == (
            "no map is named, so it is ancestry.toml, and nothing of ancestry_core is imported; "
            "write install('my.toml'), set INSTRUMENTATION_MAP, set map in [tool.ancestry_obs] of "
            "pyproject.toml, or call it obs.toml here"
        )

    def test_its_own_program_is_not(self, here, installed, caplog, monkeypatch):
        here()
        monkeypatch.setitem(sys.modules, "ancestry_core", sys)
        installed()
        assert not caplog.records

    def test_nor_is_who_names_it(self, here, installed, caplog, monkeypatch):
        here(pyproject='[tool.ancestry_obs]\nmap = "ancestry.toml"\n')
        monkeypatch.delitem(sys.modules, "ancestry_core", raising=False)
        installed()
        assert not caplog.records


@pytest.mark.live
def test_a_map_that_was_found_is_loaded_again_from_wherever(here, installed, monkeypatch):
    folder = here(obs=shop_map("prices_total"))
    installed()
    (folder / "obs.toml").write_text(shop_map("costs_total"), "utf-8")
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert ancestry_obs.reload().metrics_added == ("costs_total",)
