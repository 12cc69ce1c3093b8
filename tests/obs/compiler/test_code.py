"""Code objects: compiled in silence, given the identity of others, put into one another."""

from __future__ import annotations
import __future__

import ast
import types
import warnings

import pytest

from ancestry_obs.compiler.code import (
    CONSTANT,
    FILENAME,
    codes_in,
    compiled,
    embed,
    inner_code,
    key_of,
    quietly,
    unmarked,
    with_constants,
    with_objects,
)


def original(url, *, retries):
    return lambda: url + retries


def outer():
    def inner():
        return lambda: 1

    return inner


class Unhashable:
    __hash__ = None


def test_a_key_is_the_qualified_name_and_the_first_line():
    code = original.__code__
    assert key_of(code) == ("original", code.co_firstlineno)
    (inside,) = codes_in(code)
    assert key_of(inside) == ("original.<locals>.<lambda>", code.co_firstlineno + 1)


def test_codes_come_from_the_outside_to_the_inside():
    assert [code.co_name for code in codes_in(outer.__code__)] == ["inner", "<lambda>"]


def test_what_is_odd_in_a_source_is_not_said_again():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with quietly():
            compiled(ast.parse("a = 1 is 1\nreturned = '\\d'", FILENAME))
        assert caught == []
        compile("1 is 1", "<other>", "exec")
        assert len(caught) == 1


def test_code_is_compiled_with_what_another_one_had_from_the_future():
    text = "def f(x: absent): return [x for x in ()]"
    (plain,) = _functions(compile(text, "a", "exec", dont_inherit=True))
    flag = __future__.annotations.compiler_flag
    (like,) = _functions(compile(text, "a", "exec", flag, dont_inherit=True))
    assert plain != like
    tree = ast.parse(text)
    assert list(_functions(compiled(tree, like))) == [like]
    assert list(_functions(compiled(tree, plain))) == list(_functions(compiled(tree))) == [plain]


def _functions(module):
    return (code for code in codes_in(module) if code.co_name == "f")


def test_the_program_s_filters_are_as_they_were():
    before = [*warnings.filters]
    with pytest.raises(KeyError), quietly():
        raise KeyError
    assert warnings.filters == before


class TestIdentity:
    def text(self, names=("thing",)):
        return f"def f(url, *, retries): return {', '.join(names)}, (lambda: {names[0]})()"

    def test_names_that_stand_for_objects_become_constants(self):
        thing = object()
        code = with_objects(self.text(), original.__code__, {"thing": thing})
        function = types.FunctionType(code, {})
        assert function(1, retries=2) == (thing, thing)
        assert "thing" not in code.co_names
        assert hash(code) == hash(code.replace())

    def test_it_is_the_original_s(self):
        code = with_objects(self.text(), original.__code__, {"thing": 1})
        for name in ("co_name", "co_qualname", "co_filename", "co_firstlineno"):
            assert getattr(code, name) == getattr(original.__code__, name)
        assert {each.co_filename for each in codes_in(code)} == {__file__}

    def test_a_text_of_the_program_is_left_alone(self):
        text = CONSTANT + "thing"
        tree = ast.parse("def f(): return 'thing', x")
        code = with_constants(inner_code(tree.body[0], ()), original.__code__, {text: 3})
        assert "thing" in code.co_consts or ("thing",) in code.co_consts

    def test_what_is_awaitable_stays_awaitable(self):
        @types.coroutine
        def legacy():
            yield

        code = with_objects("def f(): yield", legacy.__code__, {})
        assert code.co_flags == legacy.__code__.co_flags & ~0x1000000
        assert unmarked(legacy.__code__).co_flags & 0x100 == 0
        assert unmarked(outer.__code__) is outer.__code__


class TestEmbedding:
    def test_a_code_takes_the_place_of_another_one_however_deep(self):
        (inner, deepest) = codes_in(outer.__code__)
        new = (lambda: 2).__code__
        code = embed(outer.__code__, {id(deepest): new})
        assert types.FunctionType(code, {})()()() == 2
        assert outer()()() == 1
        assert inner in outer.__code__.co_consts

    def test_code_that_has_none_of_them_is_the_very_same(self):
        assert embed(outer.__code__, {id(original.__code__): outer.__code__}) is outer.__code__
        assert embed(outer.__code__, {}) is outer.__code__


def test_a_function_s_code_reads_variables_of_one_around_it():
    tree = ast.parse("def f(): return a, b, c")
    assert inner_code(tree.body[0], ("b", "a")).co_freevars == ("a", "b")
    assert inner_code(tree.body[0], ()).co_freevars == ()
