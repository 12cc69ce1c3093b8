from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tomllib

import pytest
import yaml

from ancestry_obs.cli.output import say, table


@pytest.fixture
def unread():
    """A pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "ancestry.toml"),
        ("list", "ancestry.toml", "--json"),
        ("check", "ancestry.toml"),
        ("explain", "ancestry.toml", "api_requests_total"),
        ("schema",),
        ("rules", "ancestry.toml", "-o", "rules.yml"),
    ],
)
def test_a_reader_that_has_seen_enough_is_no_error(unread, arguments, tmp_path):
    program = "import sys; from ancestry_obs.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=tmp_path,
        stdout=unread,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    # 128 and SIGPIPE's number, as a shell tells it.
    assert (done.returncode, done.stderr) == (141, "")


def test_columns_are_as_wide_as_their_widest_cell_and_numbers_stand_right():
    assert table(("NAME", "COUNT"), [("a", 1), ("longer", 12345.5)]).splitlines() == [
        "NAME    COUNT",
        "a             1",
        "longer  12345.5",
    ]


def test_no_line_ends_in_blanks():
    assert table(("A", "B"), [("x", "")]) == "A  B\nx"


def test_heads_alone():
    assert table(("A", "B"), []) == "A  B"


FAR = """
    version = 1
    [metrics.x_total]
    type = "counter"
    help = "X, in größe."
    labels.wo = ["Köln", "日本", "😀"]
    [[instrument]]
    target = "naïve:%s"
    record = [{ metric = "x_total", labels = { wo = "'Köln'" } }]
"""
FAR_PLAN = """
    version = 1
    title = "Far"
    [[objective]]
    name = "far"
    metric = "x_total"
    title = "Weit ö"
    good = { wo = ["日本"] }
    target = 0.99
"""


@pytest.fixture
def far(project, make_module):
    """A module, a function, a folder and label values whose names are not ASCII."""
    make_module("naïve", "def größe():\n    return 1\n")
    project.write("far.toml", FAR % "größe")
    project.write("wrong.toml", FAR % "größ")
    project.write("far.monitoring.toml", FAR_PLAN)
    return project


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (
            ("check", "wrong.toml"),
            1,
            r"wrong.toml:7: instrument[0]: 'na\xefve' has no 'gr\xf6\xdf'; ",
        ),
        (
            ("check", "wrong.toml", "--format", "github"),
            1,
            r"::'na\xefve' has no 'gr\xf6\xdf'; did you mean ",
        ),
        (("list", "far.toml"), 0, r"na\xefve:gr\xf6\xdfe  x_total  exit"),
        (("explain", "far.toml", "x_total"), 0, r"label wo: K\xf6ln, \u65e5\u672c, \U0001f600; "),
        (("explain", "far.toml", "naïve:größe"), 0, r"leads to na\xefve:gr\xf6\xdfe"),
        (
            ("diff", "far.toml", "wrong.toml"),
            0,
            r"> na\xefve:gr\xf6\xdfe is na\xefve:gr\xf6\xdf now",
        ),
        (("dashboards", "far.toml", "-o", "dä"), 0, r"wrote d\xe4/"),
    ],
)
def test_what_the_encoding_lacks_is_escaped(far, encoded, words, code, told):
    done = encoded(*words)
    assert done.code == code
    assert told in done.out
    assert done.out.isascii()


def test_escapes_as_the_command_itself_writes_them(far, launch):
    done = launch("check", "wrong.toml", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (1, "")
    assert r"'na\xefve' has no 'gr\xf6\xdf'" in done.stdout


def test_what_the_encoding_has_is_written_as_it_is(far, encoded):
    told = encoded("explain", "far.toml", "x_total", encoding="cp1252").out
    assert r"label wo: Köln, \u65e5\u672c, \U0001f600; " in told


def test_another_way_that_was_asked_for_is_taken(far, encoded):
    assert "label wo: K?ln, ??, ?; " in encoded(
        "explain", "far.toml", "x_total", errors="replace"
    ).out  # fmt: skip


@pytest.mark.parametrize("errors", ["strict", "replace", "backslashreplace"])
@pytest.mark.parametrize(
    "words",
    [
        ("check", "wrong.toml", "--json"),
        ("explain", "far.toml", "x_total", "--json"),
        ("suggest", "naïve", "--json"),
    ],
)
def test_json_has_the_same_values(far, command, encoded, words, errors):
    done, plain = encoded(*words, errors=errors), command(*words)
    assert done.code == plain.code
    assert "ö" in plain.out or "ï" in plain.out
    assert json.loads(done.out) == json.loads(plain.out)


def test_a_starter_map_is_the_same_map(far, command, encoded):
    done = encoded("suggest", "naïve")
    assert done.code == 0
    assert tomllib.loads(done.out) == tomllib.loads(command("suggest", "naïve").out)


def test_rules_ask_for_the_same(far, command, encoded):
    done, plain = (yaml.safe_load(run("rules", "far.toml").out) for run in (encoded, command))
    expressions, wanted = (
        [rule["expr"] for group in each["groups"] for rule in group["rules"]]
        for each in (done, plain)
    )
    # PromQL has the escapes of Go, which has no character by \x but a byte.
    assert any(r'wo="\u65e5\u672c"' in each for each in expressions)
    assert [each.replace(r"\u65e5\u672c", "日本") for each in expressions] == wanted
    told = [rule.get("annotations") for group in done["groups"] for rule in group["rules"]]
    assert told == [r.get("annotations") for group in plain["groups"] for r in group["rules"]]
    assert any("Weit ö" in str(each) for each in told)


def test_a_name_that_is_no_text():
    # As Python has the name of a file that is not UTF-8.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(written := io.BytesIO(), "utf-8"))
        say("\udcff ö")
        assert written.getvalue() == rb"\udcff " + "ö\n".encode()


def test_columns_of_what_is_escaped(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "ascii"))
    assert table(("A", "B"), [("ö", "x"), ("o", "y")]).splitlines() == [
        "A     B",
        r"\xf6  x",
        "o     y",
    ]


@pytest.mark.parametrize(
    "words", ["list shop.toml", "check shop.toml", "explain shop.toml prices_total"]
)
def test_a_closed_standard_output(project, environment, words):
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m ancestry_obs {words} >&-', sys.executable],
        cwd=project.path, env=environment, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
