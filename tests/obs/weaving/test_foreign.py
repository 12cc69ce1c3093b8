"""What the suites of foreign packages found, each reduced to a module of its own."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    "look",
    [
        # pyparsing's autoname_elements
        'getframe = getattr(sys, "_getframe", lambda _: None)\n    frame = getframe(1)',
        "getframe = sys._getframe\n    frame = getframe(1)",
        "frame = renamed(1)",
        "frame = imported(1)",
        "frame = inspect.stack()[1].frame",
        "frame = inspect.getouterframes(inspect.currentframe())[1].frame",
    ],
)
def test_a_callers_variables_however_its_frame_is_found(program, look):
    source = f"""
import inspect, sys
from sys import _getframe as imported
renamed = sys._getframe
def caller_names():
    {look}
    return sorted(frame.f_locals)
"""
    app = program(source, "app:caller_names")

    def call(first, second):
        return app.caller_names()

    assert call(1, 2) == ["app", "first", "second"]
    assert program.calls() == {"app:caller_names": 1}


@pytest.mark.parametrize("look", ["sys._getframe()", "sys._getframe(0)", "inspect.currentframe()"])
def test_ones_own_variables_by_ones_own_frame(program, look):
    source = f"import inspect, sys\ndef own(a, b):\n    return sorted({look}.f_locals)\n"
    app = program(source, "app:own")
    assert app.own(1, 2) == ["a", "b"]
    assert program.calls() == {"app:own": 1}
