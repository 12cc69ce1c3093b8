"""Weaving: an original and the advices for it come in, a wrapper comes out.

    records -> streams (plan) -> keys -> outline (subject) -> text (source) -> function (code)

Nothing is patched here, and the original is not changed: who puts the wrapper into its place, and
takes it out again, is the patcher.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.compiler.binding import bind
from ancestry_obs.compiler.code import (
    build,
    closure_source,
    forget_source,
    inner_code,
    keep_source,
    relabel,
)
from ancestry_obs.compiler.guards import WOVEN_PREFIX
from ancestry_obs.compiler.source import Writer
from ancestry_obs.compiler.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FunctionType

    from ancestry_obs.compiler.advice import Advice, Runtime
    from ancestry_obs.compiler.outline import Outline
    from ancestry_obs.recording import Site

__all__ = ["Woven", "weave"]

_WORD: Final = re.compile(r"\w+")
_DISARMED: Final = "<ancestry_obs disarmed "


class Woven:
    """A wrapper, and what is known of it.

    Args:
        subject: What was woven.
        outline: What the wrapper does.
        sites: Where it records; each call leaves one float at the first one.

    Attributes:
        target: ``module:qualname``.
        function: The wrapper: put it where the original is.
        source: Its generated source.
    """

    def __init__(self, subject: Subject, outline: Outline, sites: Sequence[Site]) -> None:
        self.target = subject.target
        self._subject = subject
        self._outline = outline
        self._sites = sites
        bound = bind(subject, outline, sites)
        definition = Writer(outline).wrapper()
        free = tuple(sorted(bound.keys() & set(_WORD.findall(definition))))
        self.source = closure_source(definition, free)
        filename = f"{WOVEN_PREFIX}{self.target}>"
        code = relabel(inner_code(self.source, outline.name), subject.original, filename)
        self.function: FunctionType = build(code, subject.original, bound)
        keep_source(filename, self.source)

    def calls(self) -> int:
        """Count the calls so far, exactly; calls that were left out as inner ones are not in it."""
        return self._sites[0].observed()

    def errors(self) -> int:
        """Count failed expressions and actions at this target, as of the last fold."""
        counts = dict(self._subject.runtime.store.expression_errors)
        return sum(count for (target, *_), count in counts.items() if target == self.target)

    def disarm(self) -> None:
        """Make the wrapper pass calls on and do nothing else.

        For whoever still holds it when the patcher has taken it out of its place. Calls that are
        running finish, and are recorded, as they began.
        """
        forget_source(self.function.__code__.co_filename)
        free = self.function.__code__.co_freevars
        source = closure_source(Writer(self._outline).passing(free), free)
        code = inner_code(source, self._outline.name)
        filename = f"{_DISARMED}{self.target}>"
        self.function.__code__ = relabel(code, self._subject.original, filename)
        for site in self._sites:
            self._subject.runtime.store.retire(site, self.function)


def weave(  # noqa: PLR0913 - the patcher passes what it found, by name
    original: Callable[..., Any],
    *,
    target: str,
    owner: type | None,
    name: str,
    advices: Sequence[Advice],
    runtime: Runtime,
) -> Woven:
    """Make the wrapper of a target.

    Args:
        original: A plain function; or any other callable, which gets a function that calls it.
        target: ``module:qualname``, for the pseudo file name, counts and log lines.
        owner: The class that defines it, or `None`.
        name: The attribute that it is in its class or module.
        advices: What to weave in, in the order of the map.
        runtime: What the wrapper works with.

    Returns:
        The wrapper. A function has the original's signature, defaults, annotations, attributes,
        names and globals, and the original as ``__wrapped__``.

    Raises:
        CompileError: An expression names what the signature does not have, a record names a metric
            that no advice declares, or an action is unknown.
    """
    subject = Subject(original, target, owner, name, advices, runtime)
    outline = subject.outline()
    sites = [runtime.store.site(target) for _ in outline.parts]
    return Woven(subject, outline, sites)
