"""What can be seen of the terminal without one; `tests/real/test_live_view.py` has a real one."""

from __future__ import annotations

import sys

import pytest

from ancestry_obs.exceptions import ObservabilityError
from ancestry_obs.live.terminal import Terminal


def test_a_python_without_curses(monkeypatch):
    monkeypatch.setitem(sys.modules, "curses", None)
    said = "this Python has no curses, which the live view needs; use --once"
    with pytest.raises(ObservabilityError, match=said), Terminal():
        pass


def test_who_tells_it_something_after_the_end_is_not_troubled():
    Terminal().tell(None)
