"""Every map, program and exposition on the pages: what the text shows is what comes out."""

from __future__ import annotations

import importlib
import re
import runpy
import tomllib

import pytest
from prometheus_client import CollectorRegistry, generate_latest

import ancestry_obs
from ancestry_obs.cli import main
from ancestry_obs.mapfile import load

_TARGET = re.compile(r"""target"?\s*[=:]\s*"(\w+)[.:]""")


@pytest.fixture
def metrics_on(monkeypatch):
    """Metrics as the pages have them; afterwards nothing is woven any more."""
    monkeypatch.setenv("PROMETHEUS_METRICS_ENABLED", "true")
    monkeypatch.setenv("METRICS_NAMESPACE", "shop")
    monkeypatch.setenv("METRICS_EXPORT_PORT", "0")
    yield
    ancestry_obs.uninstall()


def _weave(section):
    """Install as the section does: by its script, or by its map."""
    last = section[-1]
    if last.language == "python":
        runpy.run_path(last.name)
    else:
        ancestry_obs.install(last.name, registry=CollectorRegistry())


def _run(section):
    """Run the program whose functions the section's map names; its instances live on."""
    target = next(found[1] for block in section if (found := _TARGET.search(block.text)))
    return importlib.import_module(target).main()


def test_an_exposition_has_the_lines_that_are_shown(exposition, pages, files_of, metrics_on):
    files_of(exposition)
    page = pages[exposition.page]
    before = page.blocks[: page.blocks.index(exposition)]
    section = [block for block in before if block.section == exposition.section and block.name]
    _weave(section)
    alive = _run(section)
    exposed = generate_latest(ancestry_obs.get_registry()).decode().splitlines()
    missing = [line for line in exposition.text.splitlines() if line not in exposed]
    assert not missing, "\n".join(exposed)
    del alive


def test_a_command_prints_what_is_shown(verdict, files_of, capsys):
    files_of(verdict)
    main(verdict.name.split()[1:])
    assert capsys.readouterr().out == verdict.text


@pytest.mark.live
def test_the_hook_of_the_page_starts_the_exporter(pages, folder, metrics_on):
    page = pages["docs/map.md"]
    files = page.files_before(next(b for b in page.blocks if b.section == "subclasses"))
    assert "[[hook]]" in files["shop.toml"]
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    ancestry_obs.install("shop.toml")
    assert ancestry_obs.status().url == ""
    importlib.import_module("shop").main()
    assert ancestry_obs.status().url.startswith("http://127.0.0.1:")


def test_every_map_on_the_pages_is_one_or_is_shown_to_be_wrong(pages, folder):
    blocks = [block for page in pages.values() for block in page.blocks]
    maps = [block for block in blocks if block.language == "toml" and block.name]
    wrong = {word for block in blocks for word in block.name.split() if " " in block.name}
    assert len(maps) > 10
    for block in maps:
        tomllib.loads(block.text)
        if block.name not in wrong:
            (folder / block.name).write_text(block.text, "utf-8")
            assert load(block.name), str(block)


def test_the_page_of_the_language_shows_every_part_and_every_type(pages):
    shown = "".join(block.text for block in pages["docs/map.md"].blocks)
    keys = ("subclasses", "at =", "aggregate", "when", "hit", "after")
    for word in (*keys, "[functions]", "[[sample]]"):
        assert word in shown
    for kind in ("counter", "gauge", "histogram", "ratio", "in_flight"):
        assert f'type = "{kind}"' in shown
