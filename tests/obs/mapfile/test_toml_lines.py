from __future__ import annotations

import sys
import tomllib
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.mapfile.toml_lines import locate_keys, parse_toml, syntax_error_line


def lines(text):
    text = dedent(text)
    tomllib.loads(text)
    return locate_keys(text)


def test_tables_and_dotted_keys():
    assert lines("""\
        top = 1

        [a]
        b.c = 2
        b.d = 3
        [a.e."f.g"]
        h = 4
        [ i . 'j' ]
        """) == {
        ("top",): 1,
        ("a",): 3,
        ("a", "b"): 4,
        ("a", "b", "c"): 4,
        ("a", "b", "d"): 5,
        ("a", "e"): 6,
        ("a", "e", "f.g"): 6,
        ("a", "e", "f.g", "h"): 7,
        ("i",): 8,
        ("i", "j"): 8,
    }


def test_arrays_of_tables_count_their_elements():
    assert lines("""\
        [[a]]
        x = 1
        [[a.b]]
        [[a.b]]
        y = 1
        [a.b.c]
        z = 1
        [[a]]
        [[a.b]]
        """) == {
        ("a",): 1,
        ("a", 0): 1,
        ("a", 0, "x"): 2,
        ("a", 0, "b"): 3,
        ("a", 0, "b", 0): 3,
        ("a", 0, "b", 1): 4,
        ("a", 0, "b", 1, "y"): 5,
        ("a", 0, "b", 1, "c"): 6,
        ("a", 0, "b", 1, "c", "z"): 7,
        ("a", 1): 8,
        ("a", 1, "b"): 9,
        ("a", 1, "b", 0): 9,
    }


def test_inline_tables_in_arrays_over_several_lines():
    assert lines("""\
        a = [ # one
          { b = 1, c.d = "}" }, # ]

          { b = [ [1], [] ] },
        ]
        e = {}
        f = { g = { h = 1 } }
        """) == {
        ("a",): 1,
        ("a", 0): 2,
        ("a", 0, "b"): 2,
        ("a", 0, "c"): 2,
        ("a", 0, "c", "d"): 2,
        ("a", 1): 4,
        ("a", 1, "b"): 4,
        ("a", 1, "b", 0): 4,
        ("a", 1, "b", 0, 0): 4,
        ("a", 1, "b", 1): 4,
        ("e",): 6,
        ("f",): 7,
        ("f", "g"): 7,
        ("f", "g", "h"): 7,
    }


@pytest.mark.parametrize(
    "value",
    [
        '"[x]\\"\\\\"',
        "'\\'",
        '"""\n[x]\n\\"""\nx = 1"""',
        '"""a""\n"""""',
        "'''\n[x] # '\n'''''",
        "''",
        '""',
        '""""""',
        "1_000.5e3",
        "1979-05-27 07:32:00Z",
        "true # [x] = 1",
        "[1, # ]\n 2]",
    ],
)
def test_whatever_a_value_holds_the_next_key_is_found(value):
    found = lines(f"a = {value}\n\nnext = 1\n")
    assert found["next",] == value.count("\n") + 3
    assert {path[0] for path in found} == {"a", "next"}


def test_quoted_keys_mean_what_tomllib_says():
    assert set(lines('"caf\\u00e9" = 1\n\'a"b\' = 2\n"" = 3\n')) == {("café",), ('a"b',), ("",)}


def test_windows_line_ends():
    assert locate_keys("a = 1\r\n\r\n[b]\r\nc = 2\r\n") == {("a",): 1, ("b",): 3, ("b", "c"): 4}


@pytest.mark.parametrize(
    ("text", "line"), [("a = 1\nb = ]\n", 2), ("a = 1\n\nb = [1,\n", 3), ("a = 1\na = 2\n", 2)]
)
def test_the_line_of_a_syntax_error(text, line):
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    assert syntax_error_line(caught.value, text) == line


keys = st.sampled_from(["a", "b", "c-d", '"x.y"', "'z'"])
scalars = st.sampled_from(
    ["1", '"]"', "'}'", "true", '"""\n#"""', "'''=\n'''", "1979-05-27", "[]", "{}", "[[1], ['x']]"]
)


def inline(inner):
    tables = st.dictionaries(keys, inner, max_size=3).map(
        lambda pairs: "{" + ", ".join(f"{key} = {value}" for key, value in pairs.items()) + "}"
    )
    arrays = st.lists(inner, max_size=3).map(
        lambda items: "[ # ]\n" + ",\n# {\n".join(items) + "\n]"
    )
    return st.one_of(tables, arrays)


values = st.recursive(scalars, inline, max_leaves=6)
pairs = st.dictionaries(keys, values, max_size=3)
sections = st.lists(st.tuples(st.sampled_from(["s", "t.u", "'v w'"]), pairs), max_size=4)


def paths_of(value, path=()):
    """Give the path of everything in a parsed document."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from paths_of(inner, (*path, key))


@given(pairs, sections)
def test_every_key_of_any_document_is_found_at_its_line(top, parts):
    text = "".join(f"{key} = {value}\n" for key, value in top.items())
    for name, content in parts:
        text += f"\n# [no]\n[[{name}]]\n"
        text += "".join(f"{key} = {value}\n" for key, value in content.items())
    document = tomllib.loads(text)
    found = locate_keys(text)
    assert set(found) == set(paths_of(document))
    for path, line in found.items():
        names = [part for part in path if isinstance(part, str)]
        if names and isinstance(path[-1], str):
            assert names[-1].split(".")[0] in text.splitlines()[line - 1]


def test_no_line_is_named_where_there_is_no_room_to_look_for_one():
    _, found = parse_toml(f"x = {'[' * 80}{']' * 80}")

    def asked(room):
        return found() if room < 100 else asked(room - 1)

    frame, depth = sys._getframe(), 0
    while frame:
        frame, depth = frame.f_back, depth + 1
    assert asked(sys.getrecursionlimit() - depth) == {}
    assert found()[("x",)] == 1
