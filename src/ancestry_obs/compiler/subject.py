"""The subject of one weaving: an original and its advices come in, a wrapper's outline comes out.

Here everything is decided that the text of the wrapper depends on, and everything is checked that
can be wrong about a map's wish for this target. No text is written here, nothing is compiled.

In an outline parameters have placeholders for names, so that it fits all targets of one shape.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cached_property
from inspect import CO_ASYNC_GENERATOR, CO_GENERATOR
from types import FunctionType
from typing import TYPE_CHECKING, Any

from ancestry_obs.compiler.keys import plan_keys
from ancestry_obs.compiler.outline import SPECIAL, Kind, Outline, Part
from ancestry_obs.compiler.plan import Stream, plan_streams
from ancestry_obs.compiler.signature import Names, Signature, shown_parameters, signature_of
from ancestry_obs.compiler.wishes import Wishes, wishes_of
from ancestry_obs.exceptions import CompileError, ExpressionError
from ancestry_obs.expressions import check

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from inspect import Parameter

    from ancestry_obs.compiler.advice import Advice, Runtime
    from ancestry_obs.mapfile.specs import RecordSpec

__all__ = ["Subject", "shadowed_names"]


@dataclass(frozen=True)
class Subject:
    """One target with everything that is wanted of it; the arguments are those of `weave`."""

    original: Callable[..., Any]
    target: str
    owner: type | None
    name: str
    advices: tuple[Advice, ...]
    runtime: Runtime

    @cached_property
    def wishes(self) -> Wishes:
        """What is wanted."""
        return wishes_of(self.advices)

    @cached_property
    def signature(self) -> Signature:
        """What the wrapper takes, by the parameters' real names."""
        return signature_of(self.original)

    @cached_property
    def shown(self) -> dict[str, Parameter]:
        """Parameters that only a decorated function's shown signature has, if any is needed."""
        known = {*self.signature.names, *SPECIAL, *self._alias}
        return {} if self.wishes.names <= known else shown_parameters(self.original)

    @cached_property
    def names(self) -> Names:
        """Makes the wrapper's own identifiers."""
        return Names((*self.signature.names, *self.shown))

    @cached_property
    def placeholders(self) -> dict[str, str]:
        """What stands in an outline for each parameter."""
        return {name: self.names(f"p{i}") for i, name in enumerate(self.signature.names)}

    @cached_property
    def variables(self) -> dict[str, str]:
        """The identifier of everything that an expression can read before the call."""
        variables = dict(self.placeholders)
        for name in self.shown:
            variables.setdefault(name, self.names(f"arg_{name}"))
        return {alias: self.placeholders[name] for alias, name in self._alias.items()} | variables

    @property
    def shape(self) -> Hashable:
        """What the outline depends on; equal for targets to which the same code does justice."""
        runtime, wishes = self.runtime, self.wishes
        return (
            self.advices,
            # A reload may have replaced a metric, or what a function's name stands for.
            tuple(map(runtime.store.family, wishes.metrics)),
            tuple(id(runtime.functions.get(name)) for name in wishes.functions),
            _kind_of(self.original),
            self.signature.kinds,
            tuple(self._alias),
            self.owner is not None,
            self.names.prefix,
            tuple((name, text) for name, text in self.variables.items() if name in wishes.names),
        )

    def outline(self) -> Outline:
        """Decide what the wrapper does.

        Raises:
            CompileError: An expression names what the signature does not have, or a record names a
                metric that no advice declares.
        """
        wishes = self.wishes
        for record in wishes.records:
            self._check(record)
        parts = tuple(self._part(index, stream) for index, stream in enumerate(self._streams()))
        used = {name for part in parts for name in part.variables} - {*self.signature.names}
        return Outline(
            kind=_kind_of(self.original),
            signature=self.signature.renamed(self.placeholders),
            names=self.names,
            variables=self.variables,
            bound=tuple(name for name in self.shown if name in used),
            parts=parts,
            before=len(wishes.before),
            after=len(wishes.after),
            tracks=len(wishes.tracks),
            guarded=self.owner is not None and wishes.guarded,
        )

    @cached_property
    def _alias(self) -> dict[str, str]:
        """Give ``self`` for the first parameter of a method, whatever it is called there."""
        static = isinstance(vars(self.owner or object).get(self.name), staticmethod)
        first = self.signature.first
        return {"self": first} if self.owner and first and not static else {}

    def _check(self, record: RecordSpec) -> None:
        names = {*self.variables, *(SPECIAL if record.on != "call" else ())}
        for expression in record.expressions:
            try:
                check(expression, names=names, functions=self.runtime.functions)
            except ExpressionError as error:
                raise CompileError(f"{record.where}: {self.target}: {error}") from error

    def _streams(self) -> list[Stream]:
        streams = plan_streams(self.wishes.records, self.wishes.metrics, self.runtime.store)
        if not any(stream.counts_calls for stream in streams):
            # Feeds nothing: only so that calls are counted whatever the records' conditions are.
            streams.append(Stream(moment="call", when=None, source="one", value=None))
        return sorted(streams, key=lambda stream: not stream.counts_calls)

    def _part(self, index: int, stream: Stream) -> Part:
        used = {name for expression in stream.expressions for name in expression.names}
        if stream.source == "elapsed":
            used.add("elapsed")
        known = dict.fromkeys((*self.variables, *SPECIAL))
        after = SPECIAL if stream.moment != "call" else ()
        # An instance is no text: asking for its type at each call would be for nothing.
        texts = {*self.variables}.difference(after, self._alias, self._alias.values())
        keys = plan_keys(stream.labels, texts, self.runtime.functions, stream.free_labels())
        return Part(index, stream, keys, tuple(name for name in known if name in used))


def shadowed_names(original: Callable[..., Any]) -> tuple[str, ...]:
    """Give the parameters that expressions cannot read once the call is over.

    After the call `result`, `error` and `elapsed` are what the call came to, also where a parameter
    has that name. Records ``on = "call"`` read the parameter.

    Args:
        original: The target's function.
    """
    names = {*signature_of(original).names, *shown_parameters(original)}
    return tuple(name for name in SPECIAL if name in names)


def _kind_of(original: Callable[..., Any]) -> Kind:
    """Tell what a call of a callable gives: its result, or something that has to be run.

    A function that says so by `inspect.markcoroutinefunction` is a coroutine function. One that
    says nothing, and merely returns an awaitable or a generator, is a function: its call is over
    when it returns, and nobody can tell what will become of the object.
    """
    flags = original.__code__.co_flags if isinstance(original, FunctionType) else 0
    if flags & CO_ASYNC_GENERATOR:
        return "async_generator"
    if flags & CO_GENERATOR:
        return "generator"
    return "coroutine" if inspect.iscoroutinefunction(original) else "function"
