"""Interrupts the recording path wherever Python looks for what comes from outside."""

from __future__ import annotations

import dis
import sys
from dataclasses import dataclass, field
from functools import cache
from opcode import opmap

import pytest

LOOKS = {code for name, code in opmap.items() if name == "RESUME" or "JUMP_BACKWARD" in name}
CALLS = {code for name, code in opmap.items() if name.startswith("CALL")}
# Instructions are seen by it where it is there; the tracer of Python 3.13.0 misses some.
monitoring = getattr(sys, "monitoring", None)
TOOL = 4


class AlarmError(TimeoutError):
    """What a handler raises here."""


@cache
def handled(code):
    return [(each.start, each.end, each.target) for each in dis._parse_exception_table(code)]


def handler_of(code, offset):
    return [target for start, end, target in handled(code) if start <= offset < end]


@dataclass
class Interruption:
    """Interrupts at the n-th of the places where CPython looks for signals; counts them all.

    What watches instructions takes the part of the signal: after a call, a jump backwards or the
    beginning of a function it calls `handler` as Python calls the handlers of signals, with the
    frame that it interrupts.

    Args:
        at: The number of the place; none is reached beyond the last.
        handler: What is called there.
        inside: Gives of a code whether its places count.
    """

    at: int
    handler: object
    inside: object
    places: int = 0
    has_struck: bool = False
    where: str = ""
    _last: dict = field(default_factory=dict)

    def __enter__(self):
        if monitoring:
            monitoring.use_tool_id(TOOL, "interruptions")
            monitoring.register_callback(TOOL, monitoring.events.INSTRUCTION, self._instruction)
            monitoring.set_events(TOOL, monitoring.events.INSTRUCTION)
        else:
            sys.settrace(self._trace)
        return self

    def __exit__(self, *_):
        self._last.clear()
        if monitoring:
            monitoring.set_events(TOOL, 0)
            monitoring.register_callback(TOOL, monitoring.events.INSTRUCTION, None)
            monitoring.free_tool_id(TOOL)
        else:
            sys.settrace(None)

    def _instruction(self, code, offset, frame=None):
        if self.inside(code) and not self.has_struck:
            # Among the arguments, as Python gives it to a handler of signals.
            frame = sys._getframe(1)
            self._look(frame, offset)

    def _trace(self, frame, event, _):
        if event == "call" and not self.inside(frame.f_code):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        if event == "opcode" and not self.has_struck:
            self._look(frame, frame.f_lasti)
        return self._trace

    def _look(self, frame, offset):
        last = self._last.get(frame, -1)
        self._last[frame] = offset
        if last < 0 or frame.f_code.co_code[last] not in LOOKS | CALLS:
            return
        if handler_of(frame.f_code, last) != handler_of(frame.f_code, offset):
            # Python looks at the call; what comes next is handled elsewhere.
            return
        self.places += 1
        if self.places == self.at:
            self.has_struck = True
            self.where = f"{frame.f_code.co_qualname}:{frame.f_lineno} at {offset}"
            self._last.clear()
            self.handler(14, frame)


def interrupt(_, frame):
    """Raise, as a handler of SIGALRM does that ends what takes too long."""
    raise AlarmError


@pytest.fixture
def everywhere():
    """Gives an interruption at each place that a piece of work has, one after the other.

    Each is in force while the work runs; at the end there were at least so many places. With a
    step only some of them are taken.
    """

    def each(inside, handler=interrupt, least=10, step=1):
        at = 1 - step
        while True:
            at += step
            interruption = Interruption(at, handler, inside)
            yield interruption
            if not interruption.has_struck:
                break
        assert at > least, "there is nothing to interrupt"

    return each
