"""A design: what the wrappers of all targets of one shape have in common.

Two targets are of one shape if the same is wanted of them and their signatures differ in names
alone. Then their code differs in names alone too, so that it is written and compiled once, with
placeholders.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Final

from ancestry_obs.compiler.binding import Common
from ancestry_obs.compiler.code import closure_source, inner_code
from ancestry_obs.compiler.source import Writer

if TYPE_CHECKING:
    from types import CodeType

    from ancestry_obs.compiler.subject import Subject

__all__ = ["Design", "design_of"]

_MOST: Final = 1024
_WORD: Final = re.compile(r"\w+")


class Design:
    """The common part of some wrappers.

    Args:
        subject: The first of the targets.

    Attributes:
        outline: What the wrappers do.
        code: The code of the wrappers, with placeholders for names.
        source: The text of it.
        common: The objects that all the wrappers use.
    """

    def __init__(self, subject: Subject) -> None:
        self.outline = subject.outline()
        definition = Writer(self.outline).wrapper()
        words = dict.fromkeys(_WORD.findall(definition))
        own = [word for word in words if word.startswith(subject.names.prefix)]
        # Of all that might be free the compiler knows what is.
        self.code = inner_code(closure_source(definition, own))
        self.source = closure_source(definition, self.code.co_freevars)
        self.common = Common(subject, self.outline)

    @cached_property
    def passing_code(self) -> CodeType:
        """The code of a pass-through that fits the wrappers' closures."""
        free = self.code.co_freevars
        return inner_code(closure_source(Writer(self.outline).passing(free), free))


def design_of(subject: Subject) -> Design:
    """Get or make the design of a target's wrapper.

    Args:
        subject: The target.

    Raises:
        CompileError: As `Subject.outline`.
    """
    designs, shape = subject.runtime.designs, subject.shape
    found: Design | None = designs.get(shape)
    if found is None:
        if len(designs) >= _MOST:
            designs.clear()
        found = designs[shape] = Design(subject)
    return found
