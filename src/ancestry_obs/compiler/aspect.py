"""An aspect: a join point's code and the advices for it come in, a checked plan comes out.

Here everything is decided that the woven statements depend on, and everything is checked that can
be wrong about what the map wants of this target. No text is written here, nothing is compiled.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from ancestry_obs.code_facts import (
    CO_ASYNC_GENERATOR,
    CO_COROUTINE,
    CO_GENERATOR,
    CO_VARARGS,
    CO_VARKEYWORDS,
)
from ancestry_obs.compiler.advice import merge, without
from ancestry_obs.compiler.dotted import given_texts
from ancestry_obs.compiler.keys import absent_at, may_call_program, plan_keys
from ancestry_obs.compiler.permits import can_take
from ancestry_obs.compiler.signature import Names, Signature, shown_parameters, signature_of
from ancestry_obs.compiler.streams import Stream, plan_streams
from ancestry_obs.exceptions import CompileError, ExpressionError
from ancestry_obs.expressions.emission import check
from ancestry_obs.expressions.given import NO_SCOPE
from ancestry_obs.frozen import define, field, frozen
from ancestry_obs.mapfile.specs import HANDED_OVER, NOT_OVER

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Hashable, Iterable
    from inspect import Parameter
    from types import CodeType

    from ancestry_obs.compiler.advice import Advice, Runtime
    from ancestry_obs.compiler.keys import Key
    from ancestry_obs.compiler.permits import Permit, Way
    from ancestry_obs.expressions.parser import Expression
    from ancestry_obs.mapfile.specs import RecordSpec

__all__ = [
    "SPECIAL",
    "Aspect",
    "InnerTest",
    "Kind",
    "Part",
    "kind_of",
    "known_at",
    "no_items",
]

Kind = Literal["function", "coroutine", "generator", "async_generator"]

SPECIAL: Final = ("result", "error", "elapsed")
"""What an expression can read besides the parameters, once the call is over."""

_AT_ITEMS: Final = ("item", "elapsed")
"""The same, where a generator hands an item over."""


def known_at(moment: str) -> tuple[str, ...]:
    """Give what a record of any target may read at a moment besides the parameters.

    Args:
        moment: See `mapfile.specs.Moment`.
    """
    if moment in HANDED_OVER:
        return _AT_ITEMS
    return SPECIAL if moment != "call" else ()


def no_items(kind: str, moment: str) -> str:
    """Say why nothing can be recorded of a target's items, behind the target's name.

    Args:
        kind: What a call of it gives, as `Kind`.
        moment: When it was to be recorded.
    """
    return (
        f"is no generator, but a {kind}, which hands no items over; on = {moment!r} is for "
        "functions with a yield"
    )


class InnerTest(Protocol):
    """Knows the calls that an override has counted already."""

    @property
    def plain(self) -> Container[int]:
        """The ids of types whose instances no such call can have as its first argument."""

    @property
    def permit(self) -> Permit:
        """What an override hands over with such a call."""

    @property
    def own(self) -> Way | None:
        """Where `super()` leads from this method for instances of its very class, if known."""

    @property
    def find(self) -> Callable[[int], Way | None]:
        """Give the same for instances of a type, by its id."""

    def is_inner(self, first: object) -> bool:
        """Tell it of a call; to be called from the method's own frame."""

    def has_own(self, code: CodeType) -> bool:
        """Whether code is of the very class whose method is asked about."""


@frozen(slots=False)
class Part:
    """A stream as the statements need it.

    Args:
        index: Its number, in which the name of its recorder ends.
        stream: What it records.
        keys: The levels of its memo of calls that returned, or have not begun.
        raised_keys: Those of its memo of calls that raised.
        variables: What its recorder takes.
    """

    index: int
    stream: Stream
    keys: tuple[Key, ...]
    raised_keys: tuple[Key, ...]
    variables: tuple[str, ...]

    @property
    def given(self) -> tuple[str, ...]:
        """The variables that are the call's, and not an item's of it."""
        if self.stream.each is None:
            return self.variables
        return tuple(name for name in self.variables if name != "item")

    @property
    def evaluates(self) -> bool:
        """Whether a call makes it evaluate anything at all."""
        return not {*self.variables} <= {"elapsed"} or bool(self.stream.exemplary)

    def keys_of(self, side: str) -> tuple[Key, ...]:
        """Give the levels of the memo that is asked at a side: ``call``, ``return``, ``raise``."""
        return self.raised_keys if side == "raise" else self.keys

    def calls_program(self, side: str) -> bool:
        """Tell whether looking up the buffer may run code of the program, which may be woven too.

        Args:
            side: As for `keys_of`.
        """
        stream, keys = self.stream, self.keys_of(side)
        looked_up = [label for key in keys if key.kind == "label" for label in key.labels]
        expressions = [*looked_up, *filter(None, (stream.value, stream.when))]
        return any(map(may_call_program, expressions))


class _Remembering:
    """What keeps the values of its properties apart from what it was made of."""

    __slots__ = ("__dict__",)


# One for each target: not frozen and without a dict of its own, which both take time.
@define(eq=False)
class Aspect(_Remembering):
    """One join point with everything that is wanted of it.

    Args:
        target: ``module:qualname``, for counts and log lines.
        code: What runs there; None for a callable that is no function.
        advices: What is to be woven in, in the order of the map.
        runtime: What the statements work with.
        is_method: Whether the first parameter is an instance or a class.
        function: The function or callable; None where only its code is known yet.
        is_definition: Whether the definition is meant, whatever its decorators make of it. Code
            without a function is woven only then, or if they are known to keep the function.
        inner_test: Tells of a first argument whether its call came up through ``super()`` from an
            override that counted it; None where overrides take no part.

    Attributes:
        own_shape: What `shape_of` has found.
    """

    target: str
    code: CodeType | None
    advices: tuple[Advice, ...]
    runtime: Runtime
    is_method: bool = False
    function: Callable[..., object] | None = None
    is_definition: bool = True
    inner_test: InnerTest | None = None
    own_shape: Any = field(default=None, init=False, repr=False)

    @property
    def known_code(self) -> CodeType:
        """What runs there, where it is known to have code."""
        assert self.code is not None  # noqa: S101 - a callable without code is woven otherwise
        return self.code

    @property
    def advice(self) -> Advice:
        """What is wanted, as one."""
        advice = merge(self.advices)
        hidden = advice.roots and advice.roots.intersection(self.signature.names)
        return without(advice, hidden) if hidden else advice

    @property
    def is_sampled(self) -> bool:
        """Whether some calls are counted without being timed."""
        return self.advice.share < 1 or self.advice.can_be_budgeted

    @cached_property
    def kind(self) -> Kind:
        """What a call gives: its result, or something that has to be run."""
        if self.code is None and self.function is not None:
            import inspect  # noqa: PLC0415  see `code_facts`; this is what has no code

            if inspect.iscoroutinefunction(self.function):
                return "coroutine"
        return kind_of(self.code)

    @cached_property
    def signature(self) -> Signature:
        """What the join point takes, by the parameters' real names."""
        return signature_of(self.code)

    @cached_property
    def shown(self) -> dict[str, Parameter]:
        """Parameters that only a decorated function's shown signature has, if any is needed."""
        if self.function is None:
            return {}
        known = {*self.signature.names, *SPECIAL, *self._alias}
        unknown = (name for name in self.advice.names - known if "." not in name)
        return shown_parameters(self.function) if any(unknown) else {}

    @cached_property
    def names(self) -> Names:
        """Makes identifiers for the statements that the code has not."""
        code = self.code
        if code is None:
            return Names((*self.signature.names, *self.shown))
        return Names((*code.co_varnames, *code.co_cellvars, *code.co_freevars, *self.shown))

    @cached_property
    def placeholders(self) -> dict[str, str]:
        """What stands in a template for each parameter; for those that it names, first."""
        names = dict.fromkeys((*self.named, *self.signature.names))
        return {name: self.names(f"p{index}") for index, name in enumerate(names)}

    @cached_property
    def named(self) -> tuple[str, ...]:
        """The parameters that the statements name: those that are read, or all; see `_meant`.

        Functions that take more or less besides are of one shape.
        """
        meant = self._meant
        return self.signature.names if meant is None else tuple(dict.fromkeys(filter(None, meant)))

    @cached_property
    def _meant(self) -> tuple[str, ...] | None:
        """The parameter that each variable is which is read; empty for what is known otherwise.

        Nothing if the statements may name any of them: they pass all on to a binder, or ask for the
        first one.
        """
        code, advice = self.code, self.advice
        if code is None or advice.track or self.inner_test is not None:
            return None
        taken = _parameters(code)
        meant = [self._alias.get(name, name) for name in advice.read]
        parameters = tuple([name if name in taken else "" for name in meant])
        for name, parameter in zip(meant, parameters, strict=True):
            if not (parameter or name in SPECIAL or "." in name):
                return None
        return parameters

    @property
    def _first(self) -> str:
        """The parameter of a method that is an instance or a class; empty if there is none."""
        code = self.code
        return code.co_varnames[0] if self.is_method and code and code.co_argcount else ""

    @cached_property
    def variables(self) -> dict[str, str]:
        """The identifier of everything that an expression can read before the call."""
        variables = dict(self.placeholders)
        for name in self.shown:
            variables.setdefault(name, self.names(f"arg_{name}"))
        advice = self.advice
        if advice.dotted or advice.nested:
            variables |= given_texts(advice, self.names)
        if self.counts_items:
            variables["items"] = self.names.items
        # In a method it is the first one, whatever the others are called.
        return variables | {alias: self.placeholders[name] for alias, name in self._alias.items()}

    @property
    def counts_items(self) -> bool:
        """Whether an expression reads how many items a generator has handed over."""
        is_read = "items" in self.advice.names and self.kind.endswith("generator")
        return is_read and "items" not in self.signature.names and "items" not in self.shown

    @cached_property
    def taken(self) -> Signature:
        """The signature with the placeholders for names."""
        return self.signature.renamed(self.placeholders)

    @cached_property
    def knows_its_class(self) -> bool:
        """Whether the code can see by itself that its first argument is of just its own class."""
        code, test = self.code, self.inner_test
        # Code without a function may run in the body of the class, before there is a class.
        if code is None or test is None or self.function is None:
            return False
        return "__class__" in code.co_freevars and test.has_own(code)

    @cached_property
    def takes_permits(self) -> bool:
        """Whether a call can be told at once to have been counted by an override.

        What runs in several steps may be made by one and begun by another.
        """
        is_asked = self.inner_test is not None and self.signature.first is not None
        return is_asked and self.kind == "function" and can_take(self.signature)

    @cached_property
    def gives_permits(self) -> bool:
        """Whether its calls of the method above can be told to have been counted here."""
        if not (self.takes_permits and self.knows_its_class):
            return False
        space = getattr(self.function, "__globals__", {})
        builtins = getattr(self.function, "__builtins__", {})
        return space.get("super", builtins.get("super")) is super

    @property
    def shape(self) -> Hashable:
        """What the statements depend on; equal for targets to which the same ones do justice."""
        runtime, advice = self.runtime, self.advice
        return (
            self.advices,
            # A reload may have replaced a metric, or what a function's name stands for.
            tuple(map(runtime.store.family, advice.metrics)),
            tuple([id(runtime.functions.get(name)) for name in advice.called]),
            self.is_method,
            self.inner_test is not None
            and (self.knows_its_class, self.takes_permits, self.gives_permits),
            *self._names_in_statements(advice),
        )

    def _names_in_statements(self, advice: Advice) -> tuple[Hashable, ...]:
        """Give how our names begin, what a call gives, and where each variable comes from.

        That is whether it is a parameter, and if so the first one; or the number of a parameter
        among all of them, or the shown signature.
        """
        code, meant = self.code, self._meant
        if code is None or meant is None:
            kind = self.kind if code is None else _taken_by(code)
            return self.names.prefix, kind, tuple(map(self._place_of, advice.read))
        first = self._first
        places = tuple([name and (_FIRST if name == first else _ANY) for name in meant])
        names = "".join((*code.co_varnames, *code.co_cellvars, *code.co_freevars))
        prefix = "_obs_" if "_obs" not in names else self.names.prefix
        return prefix, code.co_flags & _STEPS, places

    def _place_of(self, name: str) -> object:
        parameters = self.signature.names
        name = self._alias.get(name, name)
        if name in parameters:
            return parameters.index(name)
        return "shown" if name in self.shown else None

    def forget(self) -> None:
        """Keep nothing but what it was made of; whoever asks again has to wait again."""
        vars(self).clear()
        self.own_shape = None

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The streams, the one that counts the calls first.

        Raises:
            CompileError: An expression names what the signature does not have, or a record names a
                metric that no advice declares.
        """
        for record in self.advice.records:
            self._check_moment(record)
            after = self._known_at(record.on)
            if record.each is not None:
                self._check([record.each], after, record)
                after = (*after, "item")
            self._check(record.expressions, after, record)
        self._check_handed()
        return tuple(self._part(index, stream) for index, stream in enumerate(self._streams()))

    @property
    def bound(self) -> tuple[str, ...]:
        """The shown parameters that a binder has to find first."""
        handed = self.advice.handed.expressions
        used = {name for part in self.parts for name in part.variables}
        used.update(name for each in handed for name in each.names)
        used.difference_update(self.signature.names)
        return tuple(name for name in self.shown if name in used)

    @property
    def reads_first(self) -> bool:
        """Whether the statements depend on the first parameter's being an instance or a class."""
        if not self.is_method:
            return False
        advice = self.advice
        if advice.track or self.inner_test:
            return True
        return not {*self._alias, *self._alias.values()}.isdisjoint(advice.names)

    @cached_property
    def _alias(self) -> dict[str, str]:
        """Give ``self`` for the first parameter of a method, whatever it is called there."""
        return {"self": self._first} if self._first else {}

    def _check(
        self,
        expressions: Iterable[Expression],
        after: Iterable[str],
        record: RecordSpec | None = None,
    ) -> None:
        """Refuse what reads anything but what there is, `after` included."""
        late = {*self._told, "items"} if self.counts_items else self._told
        names = {*self.variables}.difference(late).union(after)
        for expression in expressions:
            try:
                check(expression, names=names, functions=self.runtime.functions)
            except ExpressionError as error:
                place = f"{record.where_of(expression)}: " if record else ""
                raise CompileError(f"{place}{self.target}: {error}") from error

    def _known_at(self, moment: str) -> tuple[str, ...]:
        """Give what can be read at a moment besides what there is before the call."""
        items = ("items",) if self.counts_items else ()
        late = (*self._told, *items) if moment not in NOT_OVER else ()
        return (*known_at(moment), *late)

    def _check_moment(self, record: RecordSpec) -> None:
        if record.on in HANDED_OVER and not self.kind.endswith("generator"):
            raise CompileError(f"{record.where}: {self.target} {no_items(self.kind, record.on)}")

    def _check_handed(self) -> None:
        advice = self.advice
        if not advice.hands_on:
            return
        handed = advice.handed
        early, late = (*handed.entry, *handed.context), handed.tell
        self._check((each for _, each in early), ())
        self._check((each for _, each in late), self._known_at("exit"))
        if self.kind.endswith("generator") and (handed.context or advice.told or advice.nested):
            # Whoever asks it for an item would be inside of it, too.
            raise CompileError(f"{self.target}: {NO_SCOPE}")

    @property
    def _told(self) -> tuple[str, ...]:
        return tuple(f"told.{name}" for name in self.advice.told)

    def _streams(self) -> list[Stream]:
        advice = self.advice
        streams = plan_streams(advice.records, advice.metrics, self.runtime.store, advice.outermost)
        if not any(stream.counts_calls for stream in streams):
            # Feeds nothing: only so that calls are counted whatever the records' conditions are.
            streams.append(Stream(moment="call", when=None, source="one", value=None))
        for stream in streams:
            stream.is_sampled = self.is_sampled
        return sorted(streams, key=lambda stream: not stream.counts_calls)

    def _part(self, index: int, stream: Stream) -> Part:
        used = {name for expression in stream.expressions for name in expression.names}
        if stream.source == "elapsed":
            used.add("elapsed")
        # Sorted: whichever function is the first of its shape, the statements are the same.
        known = dict.fromkeys((*sorted({*self.variables}.difference(SPECIAL)), *SPECIAL, "item"))
        after = self._known_at(stream.moment)
        after = (*after, "item") if stream.each is not None else after
        # An instance is no text: asking for its type at each call would be for nothing.
        texts = {*self.variables}.difference(after, self._alias, self._alias.values())
        # Each look at a context is a call: a key that is read several times would be three.
        texts.difference_update(f"context.{name}" for name in self.advice.contexts)
        returned, raised = (
            plan_keys(
                stream.labels,
                texts,
                self.runtime.functions,
                stream.free_labels(),
                absent_at(side, stream.moment),
            )
            for side in ("return", "raise")
        )
        return Part(index, stream, returned, raised, tuple(name for name in known if name in used))


_STEPS: Final = CO_ASYNC_GENERATOR | CO_COROUTINE | CO_GENERATOR
_SPREADS: Final = CO_VARARGS | CO_VARKEYWORDS
# Of the first parameter of a method it is not asked at each call whether it is a text.
_FIRST: Final = "first"
_ANY: Final = "any"


def _taken_by(code: CodeType) -> Hashable:
    """Give what a call of some code gives, and how many parameters of which kind it takes."""
    counts = code.co_posonlyargcount, code.co_argcount, code.co_kwonlyargcount
    return code.co_flags & (_STEPS | _SPREADS), *counts


def _parameters(code: CodeType) -> tuple[str, ...]:
    spreads = (code.co_flags & _SPREADS).bit_count()
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + spreads]


def kind_of(code: CodeType | None) -> Kind:
    """Tell what a call of some code gives.

    A function that only returns an awaitable or a generator is a function: its call is over when it
    returns, and nobody can tell what will become of the object.
    """
    flags = code.co_flags if code else 0
    if flags & CO_ASYNC_GENERATOR:
        return "async_generator"
    if flags & CO_GENERATOR:
        return "generator"
    return "coroutine" if flags & CO_COROUTINE else "function"
