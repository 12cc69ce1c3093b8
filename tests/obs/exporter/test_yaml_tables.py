from __future__ import annotations

import sys

import pytest

from ancestry_obs.exceptions import ExporterError
from ancestry_obs.metrics_exporter.yaml_tables import Table, read_yaml


@pytest.fixture
def read(tmp_path):
    """Write a file and read it."""

    def do(text):
        path = tmp_path / "web.yml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_yaml(path)

    return do


def message(action, *arguments):
    with pytest.raises(ExporterError) as caught:
        action(*arguments)
    return str(caught.value).rpartition("/")[2]


def test_every_scalar_is_the_text_that_stands_there(read):
    assert read("a: no\nb: 0\nc: 1e3\nd: 2001-01-01\ne: ~\nf:\n") == {
        "a": "no",
        "b": "0",
        "c": "1e3",
        "d": "2001-01-01",
        "e": "~",
        "f": "",
    }


def test_lists_tables_and_anchors(read):
    assert read("a: &x [1, 2]\nb: {c: *x}\n") == {"a": ["1", "2"], "b": {"c": ["1", "2"]}}


def test_an_empty_file_has_nothing(read):
    assert read("# nothing\n") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1\n", "web.yml:2: is no YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: 1\n\tb: 2\n", "web.yml:2: is no YAML: found character '\\t' that cannot start any"),
        (b"a: \xff\n", "web.yml: is no YAML: it cannot be parsed; correct the file"),
        ("a: 1\nb: 2\na: 3\n", "web.yml:3: a: stands there twice; remove one of the two"),
        ("a:\n  ? [x]\n  : 1\n", "web.yml:2: found a list as a key; allowed is a text"),
        ("a: " + "[" * 5000, "web.yml: is no YAML: it cannot be parsed; correct the file"),
    ],
)
def test_what_is_no_file_of_tables(text, said, read):
    assert message(read, text).startswith(said)


def test_a_mistake_shows_no_line_of_the_file(read):
    assert "secret" not in message(read, 'user: "secret\n')


def test_a_file_that_is_not_there(tmp_path):
    said = message(read_yaml, tmp_path / "web.yml")
    assert said == (
        "web.yml: cannot be read: No such file or directory; correct METRICS_WEB_CONFIG"
    )


def test_without_the_library_the_remedy_is_told(read, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert message(read, "a: 1\n") == (
        "web.yml: PyYAML is missing, which reads it; install the extra that has it: "
        'pip install "ancestry-obs[web]"'
    )


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda table: table.text("list"), "f: t.list: found a list; allowed is a text"),
        (lambda table: table.texts("text"), "f: t.text: found 'on'; allowed is a list of texts"),
        (lambda table: table.texts("deep"), "f: t.deep: found a list; allowed is a list of texts"),
        (
            lambda table: table.table("text"),
            "f: t.text: found 'on'; allowed is a table of 'key: value' lines",
        ),
        (
            lambda table: table.table("table", ("key",)),
            "f: t.table.kye: is no key of the format; did you mean 'key'? allowed: key",
        ),
        (
            lambda table: table.table("table", (), {"kye": "leave it out"}),
            "f: t.table.kye: is not supported; leave it out",
        ),
        (
            lambda table: table.choice("text", {"one": 1, "none": 0}, 2),
            "f: t.text: found 'on'; did you mean 'one'? allowed: one, none",
        ),
    ],
)
def test_what_is_not_allowed(ask, said):
    values = {"list": ["a"], "text": "on", "deep": [["a"]], "table": {"kye": "x"}}
    assert message(ask, Table("f", "t", values)) == said


def test_a_key_without_a_value_is_not_there():
    table = Table("f", "", {"a": "", "b": []})
    assert table.values == {}
    assert (table.text("a"), table.texts("b"), table.choice("a", {}, 2)) == ("", [], 2)
    assert table.table("a").values == {}
