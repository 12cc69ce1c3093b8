"""The numbers that are not asked of `inspect` are `inspect`'s."""

from __future__ import annotations

import inspect

import pytest

from ancestry_obs import code_facts

FLAGS = [name for name in vars(code_facts) if name.startswith("CO_")]
KINDS = [name for name in vars(code_facts) if name.startswith(("POSITIONAL", "VAR", "KEYWORD"))]


@pytest.mark.parametrize("name", FLAGS)
def test_a_bit_is_inspect_s(name: str) -> None:
    assert getattr(code_facts, name) == getattr(inspect, name)


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_equals_inspect_s(name: str) -> None:
    assert getattr(code_facts, name) == getattr(inspect.Parameter, name)


def test_all_of_them_are_looked_at() -> None:
    assert (len(FLAGS), len(KINDS)) == (9, 5)
