"""A pattern and a module -> the join points it means, each at the place that defines it.

A named target is followed to its home: an inherited method to the class that has it, a function
that the module only imported to the module that wrote it, an alias to the name it was defined by.
An `__init__` of C is found as one of the class's own, which is not there yet. A function inside a
function is code inside that one's code. A glob takes only what the module defines itself. Nothing
is imported, patched or evaluated: names are read from the namespaces themselves, so that no
property, descriptor or module `__getattr__` runs.
"""

from __future__ import annotations

import sys
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Final, cast

from ancestry_obs.compiler.code import codes_in
from ancestry_obs.exceptions import TargetError
from ancestry_obs.frozen import define, frozen, replaced
from ancestry_obs.patcher.initializers import NAME, is_overridable, own_initializer
from ancestry_obs.patcher.join_points import JoinPoint
from ancestry_obs.patcher.members import (
    core_of,
    is_function_like,
    is_plain_data,
    is_static,
    unpack,
)
from ancestry_obs.patcher.namespaces import MISSING, is_class, name_of, namespace_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from ancestry_obs.patcher.join_points import Accessor, At
    from ancestry_obs.patcher.patterns import Pattern

__all__ = ["Base", "Resolver"]

_ACCESSORS: tuple[Accessor, ...] = ("fget", "fset", "fdel")
# Most of what a module has besides functions and classes.
_PLAIN: Final = frozenset({str, int, float, bool, type(None), tuple, list, dict, ModuleType})


# As in `join_points`: one for each target, and not frozen for that.
@define()
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
    is_added: bool = False


@frozen()
class Base:
    """A method whose overrides are wanted, below the class that a pattern named."""

    module: ModuleType
    named: type
    attribute: str
    accessor: Accessor
    at: At


@frozen()
class Resolver:
    """Finds callables in modules.

    Args:
        original_of: Gives for an object that the patcher has put in place the one that was there
            before, `MISSING` if there was none, and any other object as it is.
        names: How modules are called in targets where that is not their `__name__`: the module that
            runs as ``__main__``.
    """

    original_of: Callable[[object], object]
    names: Mapping[str, str]

    def find(
        self,
        pattern: Pattern,
        module: ModuleType,
        at: At = "",
        names: Collection[str] | None = None,
    ) -> tuple[JoinPoint, ...]:
        """Return what `pattern` means in `module`.

        Args:
            pattern: The pattern.
            module: The module.
            at: What of a decorated function is meant.
            names: Those of the module's own names that a glob is to look at; all if `None`.

        Raises:
            TargetError: Nothing, or nothing that can be woven; the message says why.
        """
        if "<locals>" in pattern.qualname:
            return (self._local(pattern.qualname, module),)
        if not pattern.spans_names:
            place = self._walk(pattern.qualname.split("."), module)
            return (self._found(_overriding(_at_home(place, self._home(place))), at),)
        found = {_key(each): each for each in self._globbed(pattern, module, at, names)}
        if not found:
            raise TargetError(f"matches nothing that {self._name(name_of(module))!r} defines")
        return tuple(found.values())

    def override(self, base: Base, subclass: type) -> JoinPoint | None:
        """Return `subclass`'s own override of a method; `None` if there is none to be woven."""
        raw = self.original_of(namespace_of(subclass).get(base.attribute, MISSING))
        if raw is MISSING:
            return None
        place = _Place(base.module, subclass, base.attribute, raw, base.named, base.accessor)
        try:
            return self._found(place, base.at)
        except TargetError:  # such as `method = None`, which switches a method off
            return None

    def _local(self, qualname: str, module: ModuleType) -> JoinPoint:
        """Find a function inside a function by the code that makes it."""
        outer, _, _ = qualname.partition(".<locals>")
        place = self._walk(outer.split("."), module)
        around = self._found(_at_home(place, self._home(place)), "definition")
        function = around.function
        if isinstance(function, FunctionType):
            for code in codes_in(function.__code__):
                if code.co_qualname == qualname:
                    target = f"{self._name(name_of(module))}:{qualname}"
                    is_method = not qualname.rpartition(".")[0].endswith("<locals>")
                    return replaced(around, target=target, code=code, is_method=is_method)
        raise TargetError(f"{outer!r} defines no function {qualname.rpartition('.')[2]!r}")

    def _walk(self, names: list[str], module: ModuleType) -> _Place:
        container: type | ModuleType = module
        for depth, name in enumerate(names[:-1], start=1):
            place = self._look_up(module, container, name)
            if issubclass(type(place.raw), property):
                for accessor in _ACCESSORS:
                    if names[depth:] == [accessor]:
                        return replaced(place, accessor=accessor)
            if not is_class(place.raw):
                raise TargetError(f"{self._label(container, name)!r} is no class; nothing is in it")
            container = cast("type", place.raw)
        return self._look_up(module, container, names[-1])

    def _look_up(self, module: ModuleType, container: type | ModuleType, name: str) -> _Place:
        named = None if isinstance(container, ModuleType) else container
        holders = (container,) if named is None else named.__mro__
        for holder in holders:
            raw = self.original_of(namespace_of(holder).get(name, MISSING))
            if raw is not MISSING:  # nor is there what we have added ourselves
                return _Place(module, holder, name, raw, named)
        own = [holder for holder in holders if holder is not object]
        known = {each for holder in own for each in namespace_of(holder)}
        where = self._name(name_of(module)) if named is None else self._label(named)
        raise TargetError(f"{where!r} has no {name!r}{_did_you_mean(name, known)}")

    def _home(self, place: _Place) -> _Place:
        """Return the place where the object at `place` was defined, if it is still there."""
        core = core_of(place.raw)
        qualname = getattr(core, "__qualname__", None)
        defined_in = getattr(core, "__module__", None)
        own = defined_in == name_of(place.module)
        if own and place.container is place.module and qualname == place.attribute:
            return place
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

    def _globbed(
        self, pattern: Pattern, module: ModuleType, at: At, names: Collection[str] | None
    ) -> Iterator[JoinPoint]:
        matches = pattern.matcher
        takes_accessor = pattern.qualname.rpartition(".")[2] in _ACCESSORS
        wanted = None if takes_accessor else matches
        for qualname, place in self._members(module, module, "", {id(module)}, wanted, names):
            if not takes_accessor or matches(qualname):
                yield from self._if_weavable(place, at, qualname)
            if takes_accessor and issubclass(type(place.raw), property):
                for accessor in _ACCESSORS:
                    # A setter is taken in by who writes it: `Cls.*` counts reads alone.
                    full = f"{qualname}.{accessor}"
                    if pattern.qualname.endswith(f".{accessor}") and pattern.matches_name(full):
                        yield from self._if_weavable(replaced(place, accessor=accessor), at)

    def _members(  # noqa: PLR0913, PLR0917 - what it looks for goes down with it
        self,
        module: ModuleType,
        container: type | ModuleType,
        prefix: str,
        seen: set[int],
        wanted: Callable[[str], object] | None,
        names: Collection[str] | None = None,
    ) -> Iterator[tuple[str, _Place]]:
        named = None if isinstance(container, ModuleType) else container
        own = name_of(module)
        for name, current in list(namespace_of(container).items()):
            if names is not None and name not in names:
                continue
            raw = MISSING if type(current) in _PLAIN else self.original_of(current)
            if raw is MISSING:
                continue
            if is_class(raw):
                inner = cast("type", raw)
                if inner.__module__ == own and id(inner) not in seen:
                    seen.add(id(inner))
                    yield from self._members(module, inner, f"{prefix}{name}.", seen, wanted)
            elif (wanted is None or wanted(prefix + name)) and _is_defined_in(raw, own):
                yield prefix + name, _Place(module, container, name, raw, named)

    def _if_weavable(self, place: _Place, at: At, path: str = "") -> Iterable[JoinPoint]:
        core = core_of(place.raw, place.accessor)
        # Anything else than a function is not to be asked where it is at home: it might wake up.
        # One that is where its own name says need not be looked for.
        is_at_home = (
            core.__qualname__ == path and core.__module__ == name_of(place.module)
            if type(core) is FunctionType
            else not is_function_like(core)
        )
        try:
            home = place if is_at_home else self._home(place)
            return (self._found(_at_home(place, home), at, named=False),)
        except TargetError:
            return ()

    def _found(self, place: _Place, at: At = "", *, named: bool = True) -> JoinPoint:
        owner = None if isinstance(place.container, ModuleType) else place.container
        label = self._label(place.container, place.attribute)
        module, qualname = _module_of(place), _qualname(place)
        try:
            function = unpack(place.raw, place.accessor, name_of(module), qualname, at, named=named)
        except TargetError as refusal:
            raise TargetError(f"{label!r} {refusal}") from None
        return JoinPoint(
            target=label if place.accessor == "fget" else f"{label}.{place.accessor}",
            module=module,
            owner=owner,
            attribute=place.attribute,
            raw=place.raw,
            function=function,
            is_method=owner is not None and not is_static(place.raw),
            named=place.named,
            accessor=place.accessor,
            is_added=place.is_added,
        )

    def _name(self, module: str) -> str:
        return self.names.get(module, module)

    def _label(self, container: type | ModuleType, attribute: str = "") -> str:
        if isinstance(container, ModuleType):
            return f"{self._name(name_of(container))}:{attribute}"
        label = f"{self._name(container.__module__)}:{container.__qualname__}"
        return f"{label}.{attribute}" if attribute else label


def _key(found: JoinPoint) -> tuple[int, str, Accessor]:
    return id(found.container), found.attribute, found.accessor


def _at_home(place: _Place, home: _Place) -> _Place:
    if home is place:
        return place
    # The class that the pattern names stays the one below which overrides are looked for.
    return replaced(home, named=place.named, accessor=place.accessor)


def _overriding(place: _Place) -> _Place:
    """Return the place of an own `__init__` where a class has none but C's."""
    owner = place.named
    if place.attribute != NAME or owner is None or not is_overridable(place.raw, owner):
        return place
    raw = own_initializer(owner, place.raw)
    return replaced(place, container=owner, raw=raw, is_added=True)


def _module_of(place: _Place) -> ModuleType:
    if isinstance(place.container, ModuleType):
        return place.container
    if place.container.__module__ == name_of(place.module):
        return place.module
    return sys.modules.get(place.container.__module__, place.module)


def _qualname(place: _Place) -> str:
    if isinstance(place.container, ModuleType):
        return place.attribute
    return f"{type.__dict__['__qualname__'].__get__(place.container)}.{place.attribute}"


def _is_defined_in(raw: object, module: str) -> bool:
    core = core_of(raw)
    if is_function_like(core):
        return getattr(core, "__module__", None) == module
    # What it was made of is looked for only if it is wanted.
    return not is_plain_data(core)


def _did_you_mean(name: str, known: Iterable[object]) -> str:
    # At the first mistake, be it one of a program's own file that has defined nothing yet: what
    # runs text at the end of the program makes Python forget that it is to end by SIGINT.
    from difflib import get_close_matches  # noqa: PLC0415 - for mistakes alone

    near = get_close_matches(name, [each for each in known if isinstance(each, str)], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
