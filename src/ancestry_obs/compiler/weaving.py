"""Weaving: an original and the advices for it come in, a wrapper comes out.

    records -> streams (plan) -> keys -> text (source) -> function (code)

Nothing is patched here, and the original is not changed: who puts the wrapper into its place, and
takes it out again, is the patcher.
"""

from __future__ import annotations

import builtins
import inspect
import keyword
import re
from functools import lru_cache, partial
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.compiler.code import (
    build,
    closure_source,
    forget_source,
    inner_code,
    keep_source,
    relabel,
)
from ancestry_obs.compiler.guards import (
    UNBOUND,
    WOVEN_PREFIX,
    begin_quietly,
    inner_call_test,
    isolated,
)
from ancestry_obs.compiler.keys import ResponseTypes, plan_keys
from ancestry_obs.compiler.plan import Stream, plan_streams
from ancestry_obs.compiler.recorder import Recorder
from ancestry_obs.compiler.signature import Names, binder, shown_parameters, signature_of
from ancestry_obs.compiler.source import SPECIAL, Kind, Outline, Part, Writer, evaluators_source
from ancestry_obs.exceptions import CompileError, ExpressionError
from ancestry_obs.expressions import check
from ancestry_obs.recording.limits import label_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ancestry_obs.compiler.advice import Advice, Runtime
    from ancestry_obs.compiler.recorder import Evaluators
    from ancestry_obs.compiler.signature import Signature
    from ancestry_obs.expressions import Expression
    from ancestry_obs.recording import Site
    from ancestry_obs.spec.model import RecordSpec

__all__ = ["Woven", "shadowed_names", "weave"]

_DISARMED: Final = "<ancestry_obs disarmed "
_BUILTINS: Final = (
    "BaseException",
    "Exception",
    "StopAsyncIteration",
    "float",
    "len",
    "str",
    "type",
)


class Woven:
    """A wrapper, and what is known of it.

    Args:
        target: ``module:qualname``.
        function: The wrapper.
        source: Its generated source.
        passing: The source that replaces it once it is disarmed.
        calls_site: The site that every call leaves one float at.
        runtime: What the wrapper works with.

    Attributes:
        target: ``module:qualname``.
        function: Put it where the original is.
        source: Its generated source.
    """

    def __init__(
        self,
        target: str,
        function: FunctionType,
        source: str,
        passing: str,
        calls_site: Site,
        runtime: Runtime,
    ) -> None:
        self.target = target
        self.function = function
        self.source = source
        self._passing = passing
        self._calls_site = calls_site
        self._runtime = runtime

    def calls(self) -> int:
        """Count the calls so far; exact, whatever is folded and whatever the records' conditions."""
        return self._calls_site.observed()

    def errors(self) -> int:
        """Count failed expressions and actions at this target, as of the last fold."""
        counts = dict(self._runtime.store.expression_errors)
        return sum(count for (target, *_), count in counts.items() if target == self.target)

    def disarm(self) -> None:
        """Make the wrapper pass calls on and do nothing else.

        For whoever still holds it when the patcher has taken it out of its place. Calls that are
        running finish as they began.
        """
        forget_source(self.function.__code__.co_filename)
        code = inner_code(self._passing)
        original = inspect.unwrap(
            self.function, stop=lambda function: function is not self.function
        )
        self.function.__code__ = relabel(code, original, f"{_DISARMED}{self.target}>")


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
    return _Weaver(original, target, owner, name, advices, runtime).weave()


def shadowed_names(original: Callable[..., Any]) -> tuple[str, ...]:
    """Give the parameters that expressions cannot read once the call is over.

    After the call `result`, `error` and `elapsed` are what the call came to, also where a parameter
    has that name. Records ``on = "call"`` read the parameter.
    """
    names = {*signature_of(original).names, *shown_parameters(original)}
    return tuple(name for name in SPECIAL if name in names)


class _Weaver:
    def __init__(  # noqa: PLR0913, PLR0917 - the arguments of `weave`, once more
        self,
        original: Callable[..., Any],
        target: str,
        owner: type | None,
        name: str,
        advices: Sequence[Advice],
        runtime: Runtime,
    ) -> None:
        self._original = original
        self._target = target
        self._owner = owner
        self._name = name
        self._advices = advices
        self._runtime = runtime
        self._signature: Signature = signature_of(original)
        self._shown = shown_parameters(original) if self._misses_names() else {}
        self._names = Names((*self._signature.names, *self._shown))
        self._responses = ResponseTypes()

    def weave(self) -> Woven:
        for record in self._records():
            self._check(record)
        streams = self._streams()
        parts = tuple(self._part(index, stream) for index, stream in enumerate(streams))
        sites = [self._runtime.store.site(self._target) for _ in parts]
        outline = self._outline(parts)
        writer = Writer(outline)
        bound = self._bound(outline, sites)
        definition = writer.wrapper()
        free = tuple(sorted(bound.keys() & set(re.findall(r"\w+", definition))))
        source = closure_source(definition, free)
        filename = f"{WOVEN_PREFIX}{self._target}>"
        code = relabel(inner_code(source), self._original, filename)
        keep_source(filename, source)
        return Woven(
            self._target,
            build(code, self._original, bound),
            source,
            closure_source(writer.passing(free), free),
            next(site for site, part in zip(sites, parts, strict=True) if part.stream.counts_calls),
            self._runtime,
        )

    def _records(self) -> list[RecordSpec]:
        return list(dict.fromkeys(record for advice in self._advices for record in advice.records))

    def _expressions(self) -> Iterator[Expression]:
        for record in self._records():
            yield from _expressions(record)

    def _misses_names(self) -> bool:
        """Tell whether an expression reads what only the shown signature of a decorated one has."""
        known = {*self._signature.names, *SPECIAL, *({"self"} if self._has_self() else ())}
        return any(expression.names - known for expression in self._expressions())

    def _has_self(self) -> bool:
        static = isinstance(vars(self._owner or object).get(self._name), staticmethod)
        return self._owner is not None and not static and self._signature.first is not None

    def _variables(self) -> dict[str, str]:
        """Give the identifier of everything that an expression can read before the call."""
        variables = {name: name for name in self._signature.names}
        for name in self._shown:
            variables.setdefault(name, self._names(f"arg_{name}"))
        if self._has_self():
            variables.setdefault("self", self._signature.first or "")
        return variables

    def _check(self, record: RecordSpec) -> None:
        names = {*self._variables(), *(SPECIAL if record.on != "call" else ())}
        for expression in _expressions(record):
            try:
                check(expression, names=names, functions=self._runtime.functions)
            except ExpressionError as error:
                raise CompileError(f"{record.where}: {self._target}: {error}") from error

    def _streams(self) -> list[Stream]:
        metrics = [spec for advice in self._advices for spec in advice.metrics]
        streams = plan_streams(self._records(), metrics, self._runtime.store)
        if not any(stream.counts_calls for stream in streams):
            # Feeds nothing: only so that calls are counted whatever the records' conditions are.
            streams.insert(0, Stream(moment="call", when=None, source="one", value=None))
        return streams

    def _part(self, index: int, stream: Stream) -> Part:
        used = {name for expression in stream.expressions for name in expression.names}
        if stream.source == "elapsed":
            used.add("elapsed")
        known = dict.fromkeys((*self._variables(), *SPECIAL))
        over = set(SPECIAL) if stream.moment != "call" else set()
        texts = {*self._variables()} - over - {"self", self._owner and self._signature.first}
        keys = plan_keys(stream.labels, texts, self._runtime.functions, stream.free_labels())
        return Part(index, stream, keys, tuple(name for name in known if name in used))

    def _outline(self, parts: tuple[Part, ...]) -> Outline:
        name = getattr(self._original, "__name__", "call")
        used = {name for part in parts for name in part.variables}
        return Outline(
            name=name if name.isidentifier() and not keyword.iskeyword(name) else "call",
            kind=kind_of(self._original),
            signature=self._signature,
            names=self._names,
            variables=self._variables(),
            bound=tuple(name for name in self._shown if name in used - set(self._signature.names)),
            parts=parts,
            before=len(self._actions("before")),
            after=len(self._actions("after")),
            tracks=len(self._tracks()),
            guarded=self._owner is not None and any(each.subclasses for each in self._advices),
        )

    def _actions(self, moment: str) -> list[str]:
        named = (name for advice in self._advices for name in getattr(advice, moment))
        return list(dict.fromkeys(named))

    def _tracks(self) -> list[Any]:
        return list(dict.fromkeys(spec for advice in self._advices for spec in advice.track))

    def _bound(self, outline: Outline, sites: list[Site]) -> dict[str, object]:
        """Give the value of each free variable that the text may have."""
        names = self._names
        bound: dict[str, object] = {names(name): getattr(builtins, name) for name in _BUILTINS}
        bound |= {
            names.call: self._original,
            names.clock: self._runtime.clock,
            names.text: label_text,
            names.relieve: self._runtime.store.relieve,
            names.responses: self._responses,
            names.unbound: UNBOUND,
            names.begin: begin_quietly,
        }
        if outline.guarded and self._owner:
            bound[names.inner] = inner_call_test(self._owner, self._name)
        if outline.bound:
            bound[names.bind] = binder(self._shown, outline.bound)
        bound |= self._functions()
        bound |= self._bound_actions()
        for part, site in zip(outline.parts, sites, strict=True):
            bound |= self._bound_part(part, site)
        return bound

    def _functions(self) -> dict[str, object]:
        functions = self._runtime.functions
        used = {name for expression in self._expressions() for name in expression.functions}
        return {self._names(f"fn_{name}"): functions[name] for name in sorted(used)}

    def _bound_actions(self) -> dict[str, object]:
        store, actions = self._runtime.store, self._runtime.actions
        bound: dict[str, object] = {}
        for moment in ("before", "after"):
            for index, name in enumerate(self._actions(moment)):
                if name not in actions:
                    known = ", ".join(sorted(actions)) or "none"
                    raise CompileError(f"{self._target}: unknown action {name!r}; known: {known}")
                action = isolated(actions[name], name, self._target, store)
                bound[self._names(f"{moment}{index}")] = action
        for index, spec in enumerate(self._tracks()):
            track = isolated(self._runtime.trackers[spec], spec.metric, self._target, store)
            bound[self._names(f"track{index}")] = track
        return bound

    def _bound_part(self, part: Part, site: Site) -> dict[str, object]:
        recorder = Recorder(
            part.stream,
            part.keys,
            part.variables,
            partial(self._evaluators, part),
            self._runtime.store,
            site,
            self._responses,
        )
        return {
            self._names(f"memo{part.index}"): site.memo,
            self._names(f"miss{part.index}"): recorder.miss,
            self._names(f"record{part.index}"): recorder.record,
        }

    def _evaluators(self, part: Part) -> Evaluators:
        expressions = tuple(dict.fromkeys(part.stream.expressions))
        code = _expression_code(evaluators_source(expressions, part, self._names))
        # No builtins: an expression has the label functions, and nothing else to call.
        functions = FunctionType(code, {**self._functions(), "__builtins__": {}})()
        return dict(zip(expressions, functions, strict=True))


def kind_of(original: Callable[..., Any]) -> Kind:
    """Tell what a call of a callable gives: its result, or something that has to be run."""
    flags = original.__code__.co_flags if isinstance(original, FunctionType) else 0
    if flags & CO_COROUTINE or (not flags and inspect.iscoroutinefunction(original)):
        return "coroutine"
    if flags & CO_ASYNC_GENERATOR or (not flags and inspect.isasyncgenfunction(original)):
        return "async_generator"
    if flags & CO_GENERATOR or (not flags and inspect.isgeneratorfunction(original)):
        return "generator"
    return "function"


def _expressions(record: RecordSpec) -> tuple[Expression, ...]:
    optional = (record.value, record.hit, record.when)
    labels = (expression for _, expression in record.labels)
    return (*labels, *(expression for expression in optional if expression is not None))


@lru_cache(maxsize=512)
def _expression_code(source: str) -> CodeType:
    return compile(source, "<ancestry-obs expressions>", "eval", dont_inherit=True)
