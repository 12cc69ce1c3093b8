from __future__ import annotations

import ast

import pytest

from ancestry_obs.compiler.trees import Block

TEXT = "x = clock() - p0\ny = (clock, p0)\nf(p0=y)"
PLACE = {"lineno": 7, "col_offset": 4, "end_lineno": 7, "end_col_offset": 4}


@pytest.fixture
def block():
    return Block(TEXT, frozenset({"clock"}), frozenset({"p0"}))


def placed(tree):
    return [each for each in ast.walk(ast.Module(tree.statements, [])) if hasattr(each, "lineno")]


def test_a_block_is_what_was_written_with_the_names_of_the_place(block):
    tree = block.at(PLACE, {"p0": "url"})
    clock = "'\\x00ancestry-obs clock'"
    assert ast.unparse(tree.statements) == (f"x = {clock}() - url\ny = ({clock}, url)\nf(url=y)")


def test_all_of_it_stands_at_the_place(block):
    tree = block.at(PLACE, {"p0": "url"})
    assert {(each.lineno, each.col_offset) for each in placed(tree)} == {(7, 4)}
    tree.give_back()
    again = block.at({**PLACE, "lineno": 9}, {"p0": "path"})
    assert again is tree
    assert {each.lineno for each in placed(again)} == {9}


def test_what_is_written_twice_is_one_node(block):
    first, second, _ = block.at(PLACE, {"p0": "url"}).statements
    assert first.value.right is second.value.elts[1]
    assert first.value.left.func is second.value.elts[0]
    # It is read here and given a value there.
    assert first.targets[0] is not second.targets[0]


def test_two_that_are_wanted_at_a_time_are_two(block):
    one, other = block.at(PLACE, {"p0": "a"}), block.at(PLACE, {"p0": "b"})
    assert not {*map(id, placed(one))} & {*map(id, placed(other))}
