"""What the live page is made of, as the exporter serves it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from ancestry_obs.metrics_exporter import page_files as module
from ancestry_obs.metrics_exporter.page_files import FOLDER, page_files
from ancestry_obs.metrics_exporter.pages import Pages

SOURCES = sorted(FOLDER.glob("*.js"))
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def numbers():
    yield b'{"targets":'
    yield b"[]}"


@pytest.fixture
def pages():
    return Pages(lambda accept: (b"up 1\n", "text/plain"), dict, live=numbers)


class Document(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))


def test_the_page_and_all_that_it_needs_are_served_under_a_strict_policy(pages):
    index = pages.answer("/", accept="")
    assert (index.status, index.content_type) == (200, "text/html; charset=utf-8")
    document = Document(index.body.decode())
    needed = [each.get("href") or each.get("src") for _, each in document.tags]
    needed = [f"/{each}" for each in needed if each and each.startswith("page/")]
    modules = [f"/page/{each.name}" for each in SOURCES]
    assert {"/page/page.css", "/page/page.js", "/page/icon.svg"} == set(needed)
    types = {
        ".js": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".svg": "image/svg+xml",
    }
    for path in {"/", *needed, *modules}:
        page = pages.answer(path, accept="")
        assert page.status == 200, path
        headers = dict(page.headers)
        assert headers["Content-Security-Policy"] == POLICY
        assert headers["X-Content-Type-Options"] == "nosniff"
        if path != "/":
            assert page.content_type == types[path[path.rindex(".") :]]


def test_every_import_of_a_module_is_a_file_beside_it():
    for source in SOURCES:
        for name in re.findall(r'(?:from|import\()\s*"([^"]+)"', source.read_text("utf-8")):
            assert name.startswith("./"), source
            assert (FOLDER / name).is_file(), (source, name)


def test_no_file_is_there_that_is_not_served(pages):
    names = {each.name for each in FOLDER.iterdir()}
    paths = {path.removeprefix("/page/") for path in page_files()}
    assert names - {"index.html"} == paths - {"/"}


def test_nothing_runs_or_comes_from_elsewhere_than_the_files():
    document = Document((FOLDER / "index.html").read_text("utf-8"))
    for tag, attributes in document.tags:
        assert tag != "style"
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert tag != "script" or "src" in attributes
    for path in FOLDER.iterdir():
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|['\"(]//", text), path
        assert "@import" not in text


@pytest.mark.parametrize("source", SOURCES, ids=lambda each: each.name)
def test_text_is_never_read_as_markup_or_code_and_types_are_checked(source):
    text = source.read_text("utf-8")
    sinks = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(|srcdoc"
    assert not re.search(sinks, text)
    assert text.startswith("// @ts-check\n// ")


def test_the_other_pages_are_as_they_are_without_it(pages):
    short = Pages(lambda accept: (b"up 1\n", "text/plain"), dict)
    for path in ("/metrics", "/status", "/-/healthy", "/metricz"):
        assert pages.answer(path, accept="") == short.answer(path, accept="")
    assert short.answer("/page/page.js", accept="").status == 404
    assert b"/-/healthy" in short.answer("/", accept="").body
    assert short.answer("/", accept="").headers == ()


def test_its_numbers_are_made_when_they_are_asked_for(pages):
    page = pages.answer("/page/numbers", accept="")
    assert (page.status, page.content_type) == (200, "application/json")
    assert page.body == b'{"targets":[]}'
    # They cost something, and a few are made at once.
    assert "/page/numbers" in Pages.DEAR
    short = Pages(lambda accept: (b"up 1\n", "text/plain"), dict)
    assert short.answer("/page/numbers", accept="").status == 404


def test_no_path_leads_out_of_the_folder(pages):
    for name in ("../pages.py", "%2e%2e/pages.py", "", "index.html"):
        assert pages.answer(f"/page/{name}", accept="").status == 404


def test_without_the_folder_the_index_is_there(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "FOLDER", tmp_path / "archive.zip" / "live_page")
    pages = Pages(lambda accept: (b"up 1\n", "text/plain"), dict, live=numbers)
    assert b"/-/healthy" in pages.answer("/", accept="").body
    assert pages.answer("/metrics", accept="").body == b"up 1\n"


@pytest.mark.live
def test_the_headers_are_sent_and_a_large_file_is_compressed(start, fetch):
    exporter = start()
    exporter._make_pages = lambda: Pages(exporter, dict, live=numbers)
    response, body = fetch(exporter, "/page/page.css", **{"Accept-Encoding": "gzip"})
    assert response.headers["Content-Security-Policy"] == POLICY
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["Content-Encoding"] == "gzip"
    assert len(body) < (FOLDER / "page.css").stat().st_size / 2
