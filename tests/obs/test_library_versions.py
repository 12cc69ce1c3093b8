from __future__ import annotations

from importlib.metadata import distributions

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from prometheus_client import CollectorRegistry

import ancestry_obs
from ancestry_obs.cli import main
from ancestry_obs.library_versions import fits, installed_version, notes
from ancestry_obs.mapfile import load

release = st.lists(st.integers(0, 3), min_size=1, max_size=4).map(lambda e: ".".join(map(str, e)))
comparison = st.sampled_from([">=", "<=", ">", "<", "==", "!="])


@given(release, st.lists(st.tuples(comparison, release), min_size=1, max_size=3))
def test_releases_compare_as_packaging_has_it(version, bounds):
    versions = ",".join(map("".join, bounds))
    assert fits(version, versions) is SpecifierSet(versions).contains(version)


@given(release, release.filter(lambda text: "." in text))
def test_compatible_releases(version, bound):
    assert fits(version, f"~={bound}") is SpecifierSet(f"~={bound}").contains(version)


@pytest.mark.parametrize(
    ("version", "versions", "expected"),
    [
        ("2.3.1", ">=2.3, <4", True),
        ("4.0rc1", ">=2.3,<4", False),
        ("2.3.dev5", ">=2.3,<4", False),
        ("3.0b2", ">=2.3,<4", True),
        ("2.3.post1", ">=2.3,<4", True),
        ("2.3+local", "==2.3", True),
        ("1!2.3", ">=2.3", True),
        ("unknown", ">=0", False),
    ],
)
def test_what_is_no_plain_release(version, versions, expected):
    assert fits(version, versions) is expected


def test_what_is_installed_here():
    """As `importlib.metadata` tells it, which takes longer to import."""
    known = {}
    for each in distributions():
        known.setdefault(canonicalize_name(each.name), each.version)
    found = {name: installed_version(name) for name in known}
    assert found == known
    assert installed_version("prometheus_client") == installed_version("Prometheus.Client")
    assert installed_version("no-such-library") is None


def test_folders_that_tell_of_a_distribution(tmp_path):
    for name in ("Flask_Login-0.6.3.dist-info", "Six-1.16.0-py3.11.egg-info", "none-x.dist-info"):
        (tmp_path / name).mkdir()
    path = [str(tmp_path / "lost"), str(tmp_path)]
    assert installed_version("flask-login", path) == "0.6.3"
    assert installed_version("six", path) == "1.16.0"
    assert installed_version("none", path) is None


PACK = {"title": "Pens.", "library": "pytest", "versions": "<2"}
MAP = {
    "version": 1,
    "pack": PACK,
    "metrics": {"writes_total": {"type": "counter", "help": "Writes."}},
    "instrument": [{"target": "pens_lost:write", "record": [{"metric": "writes_total"}]}],
}
OTHER = f"it is for pytest <2, and {pytest.__version__} is installed; look at the states of its "
ON = ancestry_obs.ObservabilitySettings(enable_prometheus_metrics=True)


def mapped(library, versions):
    return {**MAP, "pack": {**PACK, "library": library, "versions": versions}}


@pytest.fixture
def registry():
    yield CollectorRegistry()
    ancestry_obs.uninstall()


@pytest.mark.parametrize(
    ("library", "versions", "note", "logged"),
    [
        ("pytest", "<2", OTHER, OTHER),
        ("pytest", ">=2", "", ""),
        ("no-such-library", ">=2", "no-such-library is not installed in this Python", ""),
    ],
)
def test_what_is_told_of_another_version(caplog, registry, library, versions, note, logged):
    source = mapped(library, versions)
    (told,) = [*notes(load(source))] or [""]
    assert told.startswith(note and f"note: <mapping>: pack: {note}")
    ancestry_obs.install(source, settings=ON, registry=registry)
    (line,) = caplog.messages or [""]
    assert line.startswith(logged and f"<mapping>: pack: {logged}")
    assert [each.state for each in ancestry_obs.status().targets] == ["pending"]


def test_a_reload_tells_of_it_too(caplog, registry):
    ancestry_obs.install(mapped("pytest", ">=2"), settings=ON, registry=registry)
    assert caplog.messages == []
    ancestry_obs.reload(mapped("pytest", "<2"))
    (line,) = caplog.messages
    assert OTHER in line


def test_check_has_it_as_a_note_whatever_it_remembers(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pens.toml").write_text(
        'version = 1\n[pack]\ntitle = "Pens."\nlibrary = "pytest"\nversions = "<2"\n', "utf-8"
    )
    for _ in range(2):
        assert main(["check", "pens.toml"]) == 0
        told = capsys.readouterr().out.splitlines()
        assert told[0].startswith(f"note: pens.toml:2: pack: {OTHER}")
        assert told[1:] == ["pens.toml: fine"]
