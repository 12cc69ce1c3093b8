"""What the patcher takes in, hands to the weaver, and reports; frozen data without behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from types import ModuleType

__all__ = ["Accessor", "Found", "Kind", "Pointcut", "State", "TargetReport", "Weave", "Woven"]

Kind = Literal[
    "function",
    "method",
    "staticmethod",
    "classmethod",
    "property",
    "cached_property",
    "callable",
]
Accessor = Literal["fget", "fset", "fdel"]
State = Literal["pending", "installed", "error"]


@dataclass(frozen=True, slots=True)
class Pointcut:
    """Where to weave, and what.

    Args:
        pattern: ``module:qualname``; in both halves `*` matches any text, dots included.
        advice: What the weaver is to weave in. The patcher only compares it: a target is woven
            anew when its advices are no longer equal.
        subclasses: Also take in overrides in present and future subclasses. A class is kept alive
            while an override of it is woven.
    """

    pattern: str
    advice: Hashable
    subclasses: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """One callable that a pattern reached, at the place that defines it.

    Args:
        target: Canonical ``module:qualname``.
        module: The module that defines it.
        owner: The class that defines it; `None` for a module's function.
        attribute: Its name in the owner's or module's namespace.
        kind: What the namespace holds. `callable` is anything with state of its own.
        raw: The object in the namespace itself, such as the property.
        function: The callable to weave: what the property or static method holds, otherwise `raw`.
        accessor: Which of a property's functions it is; `fget` for everything else.
        subclasses: Whether overrides take part, so that a call through `super()` counts once.
        named: The class that the pattern named, below which `subclasses` looks for overrides.
    """

    target: str
    module: ModuleType
    owner: type | None
    attribute: str
    kind: Kind
    raw: object = field(repr=False)
    function: Callable[..., object] = field(repr=False)
    accessor: Accessor = "fget"
    subclasses: bool = False
    named: type | None = field(default=None, repr=False, compare=False)

    @property
    def container(self) -> type | ModuleType:
        """The class or module whose namespace holds the target."""
        return self.module if self.owner is None else self.owner


class Woven(Protocol):
    """What a weaver returns."""

    @property
    def function(self) -> Callable[..., object]:
        """The function that takes the original's place."""

    def disarm(self) -> None:
        """Turn the function into a pass-through, for whoever still holds it."""


class Weave(Protocol):
    """A weaver: makes the wrapper of one target from its advices, in the map's order."""

    def __call__(self, found: Found, advices: tuple[Hashable, ...], /) -> Woven:
        """Return the wrapper; whatever it raises becomes the target's state `error`."""


@dataclass(frozen=True, slots=True)
class TargetReport:
    """The state of one target, or of one pattern that has reached nothing yet.

    Args:
        target: Canonical ``module:qualname``, or the pattern.
        state: `pending` until its module is imported, `installed`, or `error`.
        reason: Why it is not installed, or what is remarkable although it is; may be empty.
        aliases: Other names that were bound to the target and now lead to the wrapper.
        unreached: What still holds the unwrapped function and could not be rebound.
        defined_at: ``file:line`` of the definition; empty where it has none.
        patterns: The patterns that reach it, in the map's order.
        woven: What the weaver returned; `None` unless installed.
    """

    target: str
    state: State
    reason: str = ""
    aliases: tuple[str, ...] = ()
    unreached: tuple[str, ...] = ()
    defined_at: str = ""
    patterns: tuple[str, ...] = ()
    woven: Woven | None = None
