"""A pattern and a module -> the callables it means, each at the place that defines it.

A named target is followed to its home: an inherited method to the class that has it, a function
that the module only imported to the module that wrote it, an alias to the name it was defined by.
An `__init__` of C is found as one of the class's own, which is not there yet. A glob takes only
what the module defines itself. Nothing is imported, patched or evaluated: names are read from the
namespaces themselves, so that no property, descriptor or module `__getattr__` runs.
"""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass, replace
from types import ModuleType
from typing import TYPE_CHECKING, cast

from ancestry_obs.exceptions import TargetError
from ancestry_obs.patcher.initializers import NAME, is_overridable, own_initializer
from ancestry_obs.patcher.members import core_of, is_class, unpack, weavable_unnamed
from ancestry_obs.patcher.model import Found
from ancestry_obs.patcher.namespaces import MISSING, namespace_of, subclasses_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ancestry_obs.patcher.model import Accessor
    from ancestry_obs.patcher.patterns import Pattern

__all__ = ["Resolver"]

_ACCESSORS: tuple[Accessor, ...] = ("fget", "fset", "fdel")


@dataclass(frozen=True, slots=True)
class _Place:
    """A name in a namespace, and the object that it is bound to.

    `module` is the one that was searched, `named` the class by which the place was reached.
    """

    module: ModuleType
    container: type | ModuleType
    attribute: str
    raw: object
    named: type | None = None
    accessor: Accessor = "fget"


@dataclass(frozen=True, slots=True)
class Resolver:
    """Finds callables in modules.

    Args:
        original_of: Gives for an object that the patcher has put in place the one that was there
            before, and any other object as it is.
        names: How modules are called in targets where that is not their `__name__`: the module that
            runs as ``__main__``.
    """

    original_of: Callable[[object], object]
    names: Mapping[str, str]

    def find(self, pattern: Pattern, module: ModuleType) -> tuple[Found, ...]:
        """Return what `pattern` means in `module`.

        Raises:
            TargetError: Nothing, or nothing that can be woven; the message says why.
        """
        if not pattern.spans_names:
            place = self._walk(pattern.qualname.split("."), module)
            return (self._found(_overriding(_at_home(place, self._home(place)))),)
        found = {_key(each): each for each in self._globbed(pattern, module)}
        if not found:
            raise TargetError(f"matches nothing that {self._name(module.__name__)!r} defines")
        return tuple(found.values())

    def override(self, found: Found, subclass: type) -> Found | None:
        """Return `subclass`'s own override of `found`; `None` if there is none to be woven."""
        current = namespace_of(subclass).get(found.attribute, MISSING)
        if current is MISSING:
            return None
        raw = self.original_of(current)
        try:
            return self._found(
                _Place(found.module, subclass, found.attribute, raw, found.named, found.accessor)
            )
        except TargetError:  # such as `method = None`, which switches a method off
            return None

    def overrides(self, found: Found) -> Iterator[Found]:
        """Yield the overrides of `found` in every present subclass of the class that was named."""
        for subclass in () if found.named is None else subclasses_of(found.named):
            override = self.override(found, subclass)
            if override is not None:
                yield override

    def _walk(self, names: list[str], module: ModuleType) -> _Place:
        container: type | ModuleType = module
        for depth, name in enumerate(names[:-1], start=1):
            place = self._look_up(module, container, name)
            if issubclass(type(place.raw), property):
                for accessor in _ACCESSORS:
                    if names[depth:] == [accessor]:
                        return replace(place, accessor=accessor)
            if not is_class(place.raw):
                raise TargetError(f"{self._label(container, name)!r} is no class; nothing is in it")
            container = cast("type", place.raw)
        return self._look_up(module, container, names[-1])

    def _look_up(self, module: ModuleType, container: type | ModuleType, name: str) -> _Place:
        named = None if isinstance(container, ModuleType) else container
        holders = (container,) if named is None else named.__mro__
        for holder in holders:
            namespace = namespace_of(holder)
            if name in namespace:
                return _Place(module, holder, name, self.original_of(namespace[name]), named)
        own = [holder for holder in holders if holder is not object]
        known = {each for holder in own for each in namespace_of(holder)}
        where = self._name(module.__name__) if named is None else self._label(named)
        raise TargetError(f"{where!r} has no {name!r}{_did_you_mean(name, known)}")

    def _home(self, place: _Place) -> _Place:
        """Return the place where the object at `place` was defined, if it is still there."""
        core = core_of(place.raw)
        qualname = getattr(core, "__qualname__", None)
        defined_in = getattr(core, "__module__", None)
        own = defined_in == place.module.__name__
        module = place.module if own else sys.modules.get(defined_in or "")
        if not isinstance(qualname, str) or not isinstance(module, ModuleType):
            return place
        try:
            home = self._walk(qualname.split("."), module)
        except TargetError:  # a local function, or one whose name was taken away
            return place
        if isinstance(place.container, ModuleType):
            # The name may be bound to the function inside a static method.
            same = place.raw is home.raw or place.raw is core_of(home.raw)
            return home if same else place
        # A class that says `run = Other.run` is called through a name of its own.
        here = home.container is place.container and home.raw is place.raw
        return home if here else place

    def _globbed(self, pattern: Pattern, module: ModuleType) -> Iterator[Found]:
        for qualname, place in self._members(module, module, "", {id(module)}):
            if pattern.matches_name(qualname):
                yield from self._if_weavable(place)
            if issubclass(type(place.raw), property):
                for accessor in _ACCESSORS:
                    # A setter is taken in by who writes it: `Cls.*` counts reads alone.
                    full = f"{qualname}.{accessor}"
                    if pattern.qualname.endswith(f".{accessor}") and pattern.matches_name(full):
                        yield from self._if_weavable(replace(place, accessor=accessor))

    def _members(
        self, module: ModuleType, container: type | ModuleType, prefix: str, seen: set[int]
    ) -> Iterator[tuple[str, _Place]]:
        named = None if isinstance(container, ModuleType) else container
        for name, current in list(namespace_of(container).items()):
            raw = self.original_of(current)
            if is_class(raw):
                inner = cast("type", raw)
                if inner.__module__ == module.__name__ and id(inner) not in seen:
                    seen.add(id(inner))
                    yield from self._members(module, inner, f"{prefix}{name}.", seen)
            elif weavable_unnamed(raw) and core_of(raw).__module__ == module.__name__:
                yield prefix + name, _Place(module, container, name, raw, named)

    def _if_weavable(self, place: _Place) -> Iterable[Found]:
        try:
            return (self._found(_at_home(place, self._home(place))),)
        except TargetError:
            return ()

    def _found(self, place: _Place) -> Found:
        owner = None if isinstance(place.container, ModuleType) else place.container
        label = self._label(place.container, place.attribute)
        try:
            kind, function = unpack(place.raw, place.accessor, owner)
        except TargetError as refusal:
            raise TargetError(f"{label!r} {refusal}") from None
        return Found(
            target=label if place.accessor == "fget" else f"{label}.{place.accessor}",
            module=_module_of(place),
            owner=owner,
            attribute=place.attribute,
            kind=kind,
            raw=place.raw,
            function=function,
            accessor=place.accessor,
            named=place.named,
        )

    def _name(self, module: str) -> str:
        return self.names.get(module, module)

    def _label(self, container: type | ModuleType, attribute: str = "") -> str:
        if isinstance(container, ModuleType):
            return f"{self._name(container.__name__)}:{attribute}"
        label = f"{self._name(container.__module__)}:{container.__qualname__}"
        return f"{label}.{attribute}" if attribute else label


def _key(found: Found) -> tuple[int, str, Accessor]:
    return id(found.container), found.attribute, found.accessor


def _at_home(place: _Place, home: _Place) -> _Place:
    # The class that the pattern names stays the one below which overrides are looked for.
    return replace(home, named=place.named, accessor=place.accessor)


def _overriding(place: _Place) -> _Place:
    """Return the place of an own `__init__` where a class has none but C's."""
    owner = place.named
    if place.attribute != NAME or owner is None or not is_overridable(place.raw, owner):
        return place
    return replace(place, container=owner, raw=own_initializer(owner, place.raw))


def _module_of(place: _Place) -> ModuleType:
    if isinstance(place.container, ModuleType):
        return place.container
    if place.container.__module__ == place.module.__name__:
        return place.module
    return sys.modules.get(place.container.__module__, place.module)


def _did_you_mean(name: str, known: Iterable[object]) -> str:
    near = difflib.get_close_matches(name, [each for each in known if isinstance(each, str)], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
