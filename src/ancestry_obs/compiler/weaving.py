"""Weaving: an original and the advices for it come in, a wrapper comes out.

    advices (wishes) -> streams (plan) -> keys -> outline (subject) -> text (source)
        -> code, once for all targets of a shape (design) -> function (binding, code)

Nothing is patched here, and the original is not changed: who puts the wrapper into its place, and
takes it out again, is the patcher.
"""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.compiler.binding import bind
from ancestry_obs.compiler.code import build, forget_source, keep_source, relabel
from ancestry_obs.compiler.design import Design, design_of
from ancestry_obs.compiler.guards import WOVEN_PREFIX
from ancestry_obs.compiler.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FunctionType

    from ancestry_obs.compiler.advice import Advice, Runtime
    from ancestry_obs.recording import Probe

__all__ = ["Woven", "weave"]

_WORD: Final = re.compile(r"\w+")
_DISARMED: Final = "<ancestry_obs disarmed "


class Woven:
    """A wrapper, and what is known of it.

    Args:
        subject: What was woven.
        design: What the wrapper has in common with others.
        probes: Where it records; each call leaves one float at the first one.

    Attributes:
        target: ``module:qualname``.
        function: The wrapper: put it where the original is.
    """

    def __init__(self, subject: Subject, design: Design, probes: Sequence[Probe]) -> None:
        self.target = subject.target
        self._subject = subject
        self._design = design
        self._probes = probes
        self._names = {text: name for name, text in subject.placeholders.items()}
        filename = f"{WOVEN_PREFIX}{self.target}>"
        code = relabel(design.code, subject.original, filename, self._names)
        bound = bind(subject, design.outline, design.common, probes)
        self.function: FunctionType = build(code, subject.original, bound)
        keep_source(filename, self._write)

    @property
    def source(self) -> str:
        """Its generated source."""
        return self._write()

    def _write(self) -> str:
        name = getattr(self._subject.original, "__name__", "")
        shown = name if name.isidentifier() and not keyword.iskeyword(name) else "call"
        names = {**self._names, self._subject.names.name: shown}
        return _WORD.sub(lambda word: names.get(word[0], word[0]), self._design.source)

    def calls(self) -> int:
        """Count the calls so far, exactly; calls that were left out as inner ones are not in it."""
        return self._probes[0].observed()

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
        filename = f"{_DISARMED}{self.target}>"
        code = self._design.passing_code
        self.function.__code__ = relabel(code, self._subject.original, filename, self._names)
        for probe in self._probes:
            self._subject.runtime.store.retire(probe, self.function)


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
    subject = Subject(original, target, owner, name, tuple(advices), runtime)
    design = design_of(subject)
    probes = [runtime.store.probe(target) for _ in design.outline.parts]
    return Woven(subject, design, probes)
