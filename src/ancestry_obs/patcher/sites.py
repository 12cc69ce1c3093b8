"""One name in one namespace: what was there, what is woven in its place, and how to undo it.

A property has up to three functions and is still one site, because one object holds them all. A
site is always woven from what was there before, never from a wrapper of ours. Where nothing was
there (see `initializers`), the name is removed again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from ancestry_obs.patcher.members import core_of, repack
from ancestry_obs.patcher.namespaces import MISSING, delete, namespace_of, write

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping
    from types import ModuleType

    from ancestry_obs.patcher.model import Accessor, Found, Pointcut, Weave, Woven

__all__ = ["Part", "Site", "SiteKey", "Want", "key_of"]

SiteKey = tuple[int, str]


def key_of(found: Found) -> SiteKey:
    """Return what tells sites apart; containers live as long as their sites."""
    return id(found.container), found.attribute


@dataclass(slots=True)
class Want:
    """What the pointcuts, in the map's order, want for one callable.

    Args:
        found: The callable.
        advices: What is to be woven in, each once.
        patterns: The patterns that reach it, each once.
    """

    found: Found
    advices: tuple[Hashable, ...] = ()
    patterns: tuple[str, ...] = ()

    def add(self, pointcut: Pointcut) -> None:
        """Take in one more pointcut that reaches the callable."""
        if pointcut.advice not in self.advices:
            self.advices += (pointcut.advice,)
        if pointcut.pattern not in self.patterns:
            self.patterns += (pointcut.pattern,)
        if pointcut.subclasses and not self.found.subclasses:
            self.found = replace(self.found, subclasses=True)


@dataclass(slots=True, eq=False)
class Part:
    """One woven callable of a site; without `woven` it failed, and `reason` says why."""

    want: Want
    woven: Woven | None = None
    reason: str = ""
    aliases: list[str] = field(default_factory=list)

    def serves(self, want: Want) -> bool:
        """Whether this part is what `want` asks for, so that it need not be woven anew."""
        mine = self.want
        return mine.advices == want.advices and mine.found.subclasses == want.found.subclasses


class Site:
    """A name that is, or is to be, bound to something woven.

    Args:
        found: Any callable of the site.
    """

    def __init__(self, found: Found) -> None:
        self.container: type | ModuleType = found.container
        self.attribute = found.attribute
        self.original: object = found.raw
        self.replacement: object = found.raw
        self.is_added = found.attribute not in namespace_of(found.container)
        self.parts: dict[Accessor, Part] = {}

    @property
    def current(self) -> object:
        """What the name is bound to now; `MISSING` if somebody has deleted it."""
        return namespace_of(self.container).get(self.attribute, MISSING)

    @property
    def is_installed(self) -> bool:
        """Whether something woven was put in place."""
        return self.replacement is not self.original

    @property
    def is_covered(self) -> bool:
        """Whether somebody has put a wrapper of his own, with `__wrapped__`, on top of ours."""
        ours = {id(core_of(self.replacement)), id(self.replacement)}
        return self.is_installed and any(id(each) in ours for each in _wrapped_by(self.current))

    def holds(self, wants: Mapping[Accessor, Want]) -> bool:
        """Whether the site already is what `wants` ask for."""
        return self.parts.keys() == wants.keys() and all(
            self.parts[accessor].serves(want) for accessor, want in wants.items()
        )

    def update_patterns(self, wants: Mapping[Accessor, Want]) -> None:
        """Take over which patterns reach the site, where nothing else has changed."""
        for accessor, want in wants.items():
            self.parts[accessor].want = want

    def weave(self, wants: Mapping[Accessor, Want], weave: Weave) -> list[Woven]:
        """Bind the name to what `wants` ask for; unchanged parts keep their wrapper.

        Returns:
            The wrappers that are out of use now, for the caller to disarm when no name leads to
            them any more.
        """
        old = self.parts
        self.parts = {
            accessor: old[accessor]
            if accessor in old and old[accessor].serves(want)
            else _woven_part(want, weave)
            for accessor, want in wants.items()
        }
        self.update_patterns(wants)
        self._bind()
        kept = {id(part.woven) for part in self.parts.values()}
        return [part.woven for part in old.values() if part.woven and id(part.woven) not in kept]

    def revert(self) -> str:
        """Bind the name to what was there before.

        Returns:
            Why the name was left alone, if somebody has bound it to something else meanwhile.
        """
        current = self.current
        if current is self.replacement:
            self._write(self.original)
            return ""
        if current is MISSING or not self.is_installed:
            return ""
        return (
            f"left in place: {_described(current)} was put on top of our wrapper, which passes "
            "calls through from now on; remove it with the tool that put it there"
        )

    def wovens(self) -> list[Woven]:
        """Return the wrappers in use."""
        return [part.woven for part in self.parts.values() if part.woven is not None]

    def pairs(self) -> Iterator[tuple[object, object]]:
        """Yield each original object that names may be bound to, with what now stands for it."""
        if not self.is_installed:
            return
        yield self.original, self.replacement
        inner = core_of(self.original)
        # `fetch = Client.fetch` binds a name to the function inside a static method. A function
        # that was defined elsewhere and only put into one is not the target.
        is_static = issubclass(type(self.original), staticmethod)
        if is_static and self._is_defined_here(inner):
            yield inner, core_of(self.replacement)

    def _is_defined_here(self, function: object) -> bool:
        owner = getattr(self.container, "__qualname__", "")
        return getattr(function, "__qualname__", None) == f"{owner}.{self.attribute}"

    def _bind(self) -> None:
        functions = {
            accessor: part.woven.function for accessor, part in self.parts.items() if part.woven
        }
        try:
            replacement = repack(self.original, functions) if functions else self.original
            self._write(replacement)
        except Exception as failure:  # noqa: BLE001 - whatever a foreign class raises is its state
            self._fail(f"cannot be replaced: {failure}")
        else:
            self.replacement = replacement

    def _write(self, value: object) -> None:
        if not self.is_added or value is not self.original:
            write(self.container, self.attribute, value)
        elif self.current is not MISSING:
            delete(cast("type", self.container), self.attribute)

    def _fail(self, reason: str) -> None:
        for part in self.parts.values():
            part.woven, part.reason = None, reason


def _woven_part(want: Want, weave: Weave) -> Part:
    try:
        return Part(want, weave(want.found, want.advices))
    except Exception as failure:  # noqa: BLE001 - a target that cannot be woven never breaks others
        return Part(want, None, f"cannot be woven: {str(failure) or type(failure).__name__}")


def _wrapped_by(value: object) -> Iterator[object]:
    """Yield what `value` says it wraps, directly or through others."""
    seen: set[int] = set()
    while id(value) not in seen:
        seen.add(id(value))
        try:
            value = getattr(core_of(value), "__wrapped__", None)
        except Exception:  # noqa: BLE001 - a lazy object may refuse every attribute
            return
        yield value


def _described(value: object) -> str:
    core = core_of(value)
    name = getattr(core, "__qualname__", type(core).__qualname__)
    return f"{getattr(core, '__module__', type(core).__module__)}.{name}"
