"""One join point: what is wanted there, and what is woven. Data with a few words about itself."""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING

from ancestry_obs.frozen import define

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from types import CodeType

    from ancestry_obs.patcher.code_exchange import CodeKey
    from ancestry_obs.patcher.join_points import JoinPoint, Pointcut, Woven
    from ancestry_obs.patcher.proxied import ProxiedName

__all__ = ["Key", "Weaving", "key_of"]

Key = tuple[object, ...]


def key_of(point: JoinPoint) -> Key:
    """Give what tells join points apart: several names may lead to one function."""
    if point.code is not None:
        return id(point.function), point.code.co_qualname, point.code.co_firstlineno
    if type(point.function) is FunctionType and not point.is_added:
        return (id(point.function),)
    # A name that is bound anew, as a reload does, is another join point.
    raw = None if point.is_added else id(point.raw)
    return id(point.container), point.attribute, point.accessor, raw, "name"


@define(eq=False)
class Weaving:
    """One join point, what is wanted there, and what is woven.

    Args:
        key: What `key_of` gave.
        target: Canonical ``module:qualname``.
        function: Gives the function, or `None` when it is gone.
        proxied: The name that is bound to a proxy, where that is the way.
        local: The code inside the function that is meant, if it is not its own.
        wanted: The pointcuts that reach it, each with its place in the map, in that order. Most
            join points share one such tuple with others.
        aliases: Other targets under which it was found.
        woven: What was made, if anything could be.
        advices: What `woven` was made of.
        reason: Why nothing is woven, or what is remarkable although it is.
        remark: What is remarkable of what went before.
        original: The code that the function had when it was woven; `None` before that.
        overriding: The code that runs it, as far as it may be an override.
    """

    key: Key
    target: str
    function: Callable[[], FunctionType | None]
    is_method: bool
    attribute: str
    owner: Callable[[], type | None]
    defined_at: str = ""
    proxied: ProxiedName | None = None
    local: CodeKey | None = None
    wanted: tuple[tuple[int, Pointcut], ...] = ()
    aliases: frozenset[str] = frozenset()
    woven: Woven | None = None
    advices: tuple[Hashable, ...] = ()
    reason: str = ""
    remark: str = ""
    original: CodeType | None = None
    overriding: tuple[CodeType, ...] = ()

    @property
    def patterns(self) -> tuple[str, ...]:
        """The patterns that reach it, in the map's order."""
        if len(self.wanted) == 1:
            return (self.wanted[0][1].pattern,)
        return tuple(dict.fromkeys(pointcut.pattern for _, pointcut in self.wanted))

    @property
    def is_current(self) -> bool:
        """Whether what is woven is what is wanted."""
        return self.woven is not None and self.advices == self.wanted_advices()

    @property
    def way(self) -> str:
        """How it is woven."""
        if self.woven is None:
            return ""
        if self.proxied is not None and self.proxied.remark:
            return "proxy"
        return "call" if self.woven.why_called else "inline"

    def wanted_advices(self) -> tuple[Hashable, ...]:
        """Give the advices in the map's order, each once."""
        if len(self.wanted) == 1:
            return (self.wanted[0][1].advice,)
        return tuple(dict.fromkeys(pointcut.advice for _, pointcut in self.wanted))

    @property
    def is_definition_alone(self) -> bool:
        """Whether only patterns reach it that mean the definition."""
        # Of nearly every target the first tells; all are asked for at each scrape.
        for _, pointcut in self.wanted:
            if pointcut.at != "definition":
                return False
        return bool(self.wanted)

    @property
    def takes_in_subclasses(self) -> bool:
        """Whether overrides are targets as well."""
        return any(each.subclasses for _, each in self.wanted)
