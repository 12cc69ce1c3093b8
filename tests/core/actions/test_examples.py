"""The examples in the docstrings are true."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize(
    "name",
    [
        "actions.checkpoint",
        "actions.classification",
        "actions.completion",
        "actions.extraction",
        "actions.letters",
        "actions.match_details",
        "database.engine",
    ],
)
def test_examples(name):
    result = doctest.testmod(import_module(f"ancestry_core.{name}"), report=True)
    assert result.attempted > 0
    assert result.failed == 0
