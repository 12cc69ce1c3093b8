"""Reading and writing the namespaces of modules and classes, past everything that would run code.

A lazy module's `__getattribute__` would import it, a metaclass' `__setattr__` may refuse or record:
neither is asked.
"""

from __future__ import annotations

import os
import sys
from itertools import compress
from operator import ne
from types import ModuleType
from typing import TYPE_CHECKING, Final, cast

from ancestry_obs.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "MISSING",
    "NO_MARKS",
    "Marks",
    "delete",
    "full_name",
    "is_class",
    "marks_of",
    "name_of",
    "name_of_main",
    "namespace_of",
    "qualname_of",
    "subclasses_of",
    "value_at",
    "write",
]

MISSING: Final = object()


def is_class(value: object) -> bool:
    """Whether `value` is a class; a proxy that only says so is none."""
    return issubclass(type(value), type)


def namespace_of(container: object) -> Mapping[str, object]:
    """Return the live namespace of a module or class."""
    if is_class(container):
        return cast("Mapping[str, object]", type.__dict__["__dict__"].__get__(container))
    return cast("Mapping[str, object]", object.__getattribute__(container, "__dict__"))


def write(container: type | ModuleType, name: str, value: object) -> None:
    """Bind `name` in the namespace; an existing name keeps its place in the order.

    Raises:
        TypeError: The class is implemented in C.
    """
    if is_class(container):
        type.__setattr__(cast("type", container), name, value)
    else:
        cast("dict[str, object]", namespace_of(container))[name] = value


def name_of(module: ModuleType) -> str:
    """Return a module's own name."""
    return cast("str", namespace_of(module).get("__name__", ""))


def name_of_main(main: object) -> str:
    """Return the name by which the program's main module could be imported; empty if by none.

    Another file may have been imported under that name, which then means that one.

    Args:
        main: What is in `sys.modules` as ``__main__``.
    """
    if not issubclass(type(main), ModuleType):
        return ""
    namespace = namespace_of(main)
    name, file = getattr(namespace.get("__spec__"), "name", ""), namespace.get("__file__")
    if not name and isinstance(file, str):
        name = os.path.splitext(os.path.basename(file))[0]  # noqa: PTH119, PTH122 - a name, no path
    other = sys.modules.get(name)
    is_another = other is not None and namespace_of(other).get("__file__") != file
    return "" if is_another or name == "__main__" else name


@frozen()
class Marks:
    """What tells that a name in a module has been bound anew, or its class changed.

    Two objects that are not there at the same time may have the same mark.

    Attributes:
        objects: The mark of each name's object.
        classes: The marks of what the module's own classes have, by their names.
    """

    objects: dict[str, int]
    classes: dict[str, tuple[int, ...]]

    def changes_since(self, before: Marks) -> set[str]:
        """Give the names that have changed."""
        names = _changed(before.objects, self.objects)
        if len(before.objects) + len(names) != len(self.objects):
            names |= before.objects.keys() - self.objects.keys()
        for name in self.classes.keys() | before.classes.keys():
            if self.classes.get(name) != before.classes.get(name):
                names.add(name)
        return names


NO_MARKS: Final = Marks({}, {})


def marks_of(module: ModuleType, before: Marks) -> Marks:
    """Give the marks of a module.

    Asked after each statement of a program: what has not changed is passed by in C.

    Args:
        module: The module.
        before: Its marks when they were last taken.
    """
    own = name_of(module)
    namespace = dict(namespace_of(module))
    objects = dict(zip(namespace, map(id, namespace.values()), strict=True))
    known = before.classes.keys() & namespace.keys()
    looked_at = known | _changed(before.objects, objects)
    inside = {name: _marks_inside(namespace[name], own) for name in looked_at}
    return Marks(objects, {name: marks for name, marks in inside.items() if marks is not None})


def _changed(before: dict[str, int], now: dict[str, int]) -> set[str]:
    """Give the names of now whose marks are not those of before."""
    return set(compress(now, map(ne, map(before.get, now), now.values())))


def _marks_inside(value: object, module: str) -> tuple[int, ...] | None:
    """Give the marks of what a class has; none of what is no class, or is imported."""
    if not is_class(value):
        return None
    inside = namespace_of(value)
    return tuple(map(id, inside.values())) if inside.get("__module__") == module else None


def value_at(module: ModuleType, qualname: str) -> object:
    """Return what a module has under a name, or the classes in it; `None` if there is nothing.

    Args:
        module: The module.
        qualname: The name, with those of the classes around it in front.
    """
    value: object = module
    for name in qualname.split("."):
        if value is not module and not is_class(value):
            return None
        value = namespace_of(value).get(name)
    return value


def qualname_of(cls: type) -> str:
    """Return a class's own qualified name."""
    return cast("str", type.__dict__["__qualname__"].__get__(cls))


def full_name(cls: type) -> str:
    """Return ``module.qualname`` of a class."""
    return f"{namespace_of(cls).get('__module__', 'builtins')}.{qualname_of(cls)}"


def delete(container: type, name: str) -> None:
    """Remove `name` from the class's own namespace."""
    type.__delattr__(container, name)


def subclasses_of(base: type) -> Iterator[type]:
    """Yield every present subclass below `base`, each once, parents before their children."""
    seen: set[type] = set()
    waiting: list[type] = type.__subclasses__(base)
    while waiting:
        subclass = waiting.pop(0)
        if subclass not in seen:
            seen.add(subclass)
            waiting += type.__subclasses__(subclass)
            yield subclass
