"""Definitions are found by qualified name and first line, and compiled without what is around."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest

from ancestry_obs.compiler.code import FILENAME, codes_in, compiled, key_of
from ancestry_obs.compiler.definitions import Definitions, decorators

SOURCE = dedent(
    """
    from __future__ import annotations
    import os
    never_executed()

    def first(a: Missing = 1):
        return os.fspath(a)

    class Outer(Missing, metaclass=Missing):
        attribute = missing()

        @missing
        def method(self):
            return self.__private

        class Inner:
            def method(self): return __class__

        key = lambda self: self

    if missing:
        def chosen(): return 1
    else:
        def chosen(): return 2

    @missing(
        1
    )
    async def decorated():
        def inside():
            return [lambda: 1]
        yield inside

    one, two = lambda: 1, lambda: 2
    three = lambda: 3
    """
)


@pytest.fixture
def definitions():
    return Definitions(SOURCE, "<source>", range(1, SOURCE.count("\n") + 2))


def keys():
    module = compile(SOURCE, "<source>", "exec", dont_inherit=True)
    return {key_of(code): code for code in codes_in(module)}


def line_of(text):
    return SOURCE[: SOURCE.index(text)].count("\n") + 1


CLASSES = {"Outer", "Outer.Inner"}
FUNCTIONS = [key for key in keys() if "<lambda>" not in key[0] and key[0] not in CLASSES]


@pytest.mark.parametrize("key", FUNCTIONS, ids=lambda key: f"{key[0]}:{key[1]}")
def test_each_is_found_alone_and_gives_the_code_that_the_module_gives(definitions, key):
    assert definitions.want(key)
    assert definitions.want(key)
    found = {key_of(code): code for code in codes_in(compiled(definitions.tree()))}
    # The name of the file is no part of what makes codes equal.
    assert found[definitions.compiled[key]] == keys()[key]
    assert definitions.found[key].name == key[0].rpartition(".")[2]


def test_what_is_not_wanted_is_not_in_the_tree_but_imports(definitions):
    assert definitions.want(("Outer.method", line_of("@missing\n")))
    assert ast.unparse(ast.fix_missing_locations(definitions.tree())) == dedent(
        """\
        from __future__ import annotations
        import os

        class Outer:

            @missing
            def method(self):
                return self.__private"""
    )


CELL = """\
import asyncio

async def wait():
    await asyncio.sleep(0)
"""


def test_one_is_found_without_the_rest_of_the_source(definitions):
    found = 0
    for key, code in keys().items():
        alone = Definitions(SOURCE, "<source>", [key[1]])
        assert alone.want(key) is definitions.want(key)
        assert alone.other_names == definitions.other_names
        if key in alone.found:
            found += 1
            codes = {key_of(each): each for each in codes_in(compiled(alone.tree()))}
            assert codes[key] == code
    assert found > 5


def test_what_was_compiled_statement_by_statement_has_no_say_of_imports():
    """From Python 3.13 on a call of an imported name is compiled otherwise than another one."""
    key = "wait", 3
    alone = compile(CELL.replace("import asyncio", ""), FILENAME, "exec", dont_inherit=True)
    whole = compile(CELL, FILENAME, "exec", dont_inherit=True)
    for by_statement, module in ((True, alone), (False, whole)):
        definitions = Definitions(CELL, FILENAME, range(1, 99), by_statement=by_statement)
        assert definitions.want(key)
        found = {key_of(code): code for code in codes_in(compiled(definitions.tree()))}
        assert found[key] == next(code for code in codes_in(module) if key_of(code) == key)


def test_a_lambda_gets_a_function_that_does_the_same(definitions):
    for key in [("<lambda>", line_of("three =")), ("Outer.<lambda>", line_of("key ="))]:
        assert definitions.want(key)
        codes = {key_of(code): code for code in codes_in(compiled(definitions.tree()))}
        assert codes[key] == keys()[key]
        ours = codes[definitions.compiled[key]]
        assert ours.co_code == keys()[key].co_code


@pytest.mark.parametrize(
    "key",
    [
        ("first", 7),
        ("second", 6),
        ("<lambda>", line_of("one, two")),
        ("decorated.<locals>.inside.<locals>.<lambda>", line_of("return [lambda")),
        ("nowhere", 999),
        ("nowhere", 0),
    ],
)
def test_what_is_not_there_or_not_alone_there_is_not_found(definitions, key):
    assert not definitions.want(key)
    assert key not in definitions.found


def test_of_two_on_a_line_the_last_one_is_not_mistaken_for_the_first():
    source = "class A:\n    def f(self): return 1\nclass B:\n    def f(self): return 2\n"
    definitions = Definitions(source, "<source>", range(1, 99))
    assert definitions.want(("B.f", 4))
    codes = {key_of(code): code for code in codes_in(compiled(definitions.tree()))}
    assert 2 in codes["B.f", 4].co_consts


def test_decorators_are_known_by_their_last_names():
    source = "@a\n@b.c\n@d(1)\n@e[0].f\ndef g(): pass"
    assert decorators(ast.parse(source).body[0]) == {"a", "c", "d", "f"}


def test_what_is_no_python_is_told():
    with pytest.raises(SyntaxError):
        Definitions("def", "<source>", [1])
