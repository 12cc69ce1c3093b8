"""Tests of the harness `transparency`, which is no part of the wheel that is under test."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def repository():
    """The repository's folder."""
    return Path(__file__).parents[2]
