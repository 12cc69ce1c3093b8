"""The outline of a wrapper: plain data, between what decides it and what writes it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from ancestry_obs.compiler.keys import may_call_program

if TYPE_CHECKING:
    from ancestry_obs.compiler.keys import Key
    from ancestry_obs.compiler.plan import Stream
    from ancestry_obs.compiler.signature import Names, Signature

__all__ = ["SPECIAL", "Kind", "Outline", "Part"]

Kind = Literal["function", "coroutine", "generator", "async_generator"]

SPECIAL: Final = ("result", "error", "elapsed")
"""What an expression can read besides the parameters, once the call is over."""


@dataclass(frozen=True)
class Part:
    """A stream as the text needs it.

    Args:
        index: Its number, which the names of its memo and recorder end in.
        stream: What it records.
        keys: The levels of its memo.
        variables: What its recorder takes.
    """

    index: int
    stream: Stream
    keys: tuple[Key, ...]
    variables: tuple[str, ...]

    @property
    def evaluates(self) -> bool:
        """Whether a call makes it evaluate anything at all."""
        return not {*self.variables} <= {"elapsed"}

    @property
    def calls_program(self) -> bool:
        """Whether looking up the buffer may run code of the program, which may be woven too."""
        stream = self.stream
        looked_up = [label for key in self.keys if key.kind == "label" for label in key.labels]
        expressions = [*looked_up, *filter(None, (stream.value, stream.when))]
        return any(map(may_call_program, expressions))


@dataclass(frozen=True)
class Outline:
    """Everything that decides a wrapper's text.

    Args:
        kind: What it is.
        signature: What it takes, with placeholders for the parameters' names.
        names: Makes the wrapper's own identifiers.
        variables: The identifier of each parameter that expressions can read.
        bound: Those among them that a binder has to find first.
        parts: The streams, in order.
        before: How many actions run before the call.
        after: How many run after it returned.
        tracks: How many take the new instance after it.
        guarded: Whether calls through ``super()`` are left out.
    """

    kind: Kind
    signature: Signature
    names: Names
    variables: dict[str, str]
    bound: tuple[str, ...]
    parts: tuple[Part, ...]
    before: int = 0
    after: int = 0
    tracks: int = 0
    guarded: bool = False
