"""What the patcher takes in, hands to the weaver, and reports; data without behaviour.

None of it is changed. What is made for each target is not frozen all the same: to be made frozen
takes three times as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from ancestry_obs.frozen import define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence
    from types import CodeType, FunctionType, ModuleType
    from typing import Self

    from ancestry_obs.compiler.sources import Source
    from ancestry_obs.patcher.super_calls import SuperTest

__all__ = [
    "Accessor",
    "At",
    "JoinPoint",
    "Pointcut",
    "State",
    "TargetReport",
    "Wanted",
    "Weaver",
    "Woven",
]

At = Literal["object", "definition", ""]
"""Where to weave if a decorator has made something of a definition; empty for the default."""

Accessor = Literal["fget", "fset", "fdel"]
State = Literal["pending", "installed", "error"]


@frozen()
class Pointcut:
    """Where to weave, and what.

    Args:
        pattern: ``module:qualname``; in both halves `*` matches any text, dots included.
        advice: What the weaver is to weave in. The patcher only compares it: a target is woven
            anew when its advices are no longer equal.
        subclasses: Also take in overrides in present and future subclasses. A class is kept alive
            while an override of it is woven.
        at: Whether the object that a name leads to is meant, or the definition that a decorator
            made it of.
    """

    pattern: str
    advice: Hashable
    subclasses: bool = False
    at: At = ""


@define()
class JoinPoint:
    """One callable that a pattern reached, at the place that defines it.

    Args:
        target: Canonical ``module:qualname``.
        module: The module that defines it.
        owner: The class that defines it; `None` for a module's function.
        attribute: Its name in the owner's or module's namespace.
        raw: The object in the namespace itself, such as the property.
        function: What is woven: a function, or another callable whose name is bound to a proxy.
        is_method: Whether its first argument is an instance or a class.
        code: The code inside `function` that is meant, for a function inside a function; `None`
            for `function` itself.
        named: The class that the pattern named, below which `subclasses` looks for overrides.
        accessor: Which of a property's functions it is; `fget` for everything else.
        is_added: Whether the class has no such method in Python, and is to get one.
    """

    target: str
    module: ModuleType
    owner: type | None
    attribute: str
    raw: object = field(repr=False)
    function: Callable[..., object] = field(repr=False)
    is_method: bool = False
    code: CodeType | None = field(default=None, repr=False)
    named: type | None = field(default=None, repr=False, compare=False)
    accessor: Accessor = "fget"
    is_added: bool = False

    @property
    def container(self) -> type | ModuleType:
        """The class or module whose namespace holds the target."""
        return self.module if self.owner is None else self.owner


class Woven(Protocol):
    """What a weaver made for one join point."""

    @property
    def code(self) -> CodeType:
        """The code with the advices inside."""

    @property
    def why_called(self) -> str:
        """Why the code calls the original; empty where the statements are inside it."""

    @property
    def parts(self) -> tuple[object, ...]:
        """What of it holds the callable that it calls."""

    def watch(self, look: Callable[[], object]) -> None:
        """Call `look` at calls that are new to the woven code, the first one among them."""

    def is_in(self, code: CodeType) -> bool:
        """Whether some code has the advices inside, as a changed copy of the woven code has."""

    def retire(self) -> None:
        """Let go, once no call is running, of what is out of use now."""

    def take_over(self, former: Self) -> None:
        """Count the calls of another one, which has been retired, with one's own."""

    def disarm(self) -> None:
        """Do nothing any more, though somebody may still run the code."""


@define()
class Wanted:
    """What is to be woven at one join point.

    Args:
        target: Canonical ``module:qualname``.
        code: What runs there; `None` for a callable that is no function.
        function: The function or callable; `None` where only its code is there yet.
        advices: What is to be woven in, in the map's order.
        is_method: Whether its first argument is an instance or a class.
        is_definition: Whether the definition is meant, whatever decorators make of it.
        inner_test: Tells of a first argument whether the call came up through `super()` from an
            override; `None` where overrides take no part.
        owner: The class that defines it, if there is one yet.
    """

    target: str
    code: CodeType | None
    function: Callable[..., object] | None
    advices: tuple[Hashable, ...]
    is_method: bool = False
    is_definition: bool = False
    inner_test: SuperTest | None = None
    owner: type | None = None


class Weaver(Protocol):
    """Makes woven code; whatever is refused becomes the target's state `error`."""

    def weave(
        self, wanted: Sequence[Wanted], source: Source | None = None
    ) -> Iterable[Woven | Exception]:
        """Weave functions; give for each what was made, or why nothing could be."""

    def weave_callable(self, wanted: Wanted) -> tuple[FunctionType, Woven]:
        """Make a function that calls another kind of callable."""


@frozen()
class TargetReport:
    """The state of one target, or of one pattern that has reached nothing yet.

    Args:
        target: Canonical ``module:qualname``, or the pattern.
        state: `pending` until its module is imported, `installed`, or `error`.
        reason: Why it is not installed, or what is remarkable although it is; may be empty.
        aliases: Other targets that lead to the same function.
        unreached: What may hold the bare object, of one that could only be given a proxy.
        way: How it is woven: ``inline``, ``call`` or ``proxy``; empty unless installed.
        defined_at: ``file:line`` of the definition; empty where it has none.
        patterns: The patterns that reach it, in the map's order.
        woven: What the weaver made, the latest last; empty unless installed.
    """

    target: str
    state: State
    reason: str = ""
    aliases: tuple[str, ...] = ()
    unreached: tuple[str, ...] = ()
    way: str = ""
    defined_at: str = ""
    patterns: tuple[str, ...] = ()
    woven: tuple[Woven, ...] = ()
