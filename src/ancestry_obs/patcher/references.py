"""Objects that were replaced -> every other name that held them is bound anew, in one pass.

Only the namespaces of modules, and of those classes that are handed in, are touched. What holds an
object elsewhere is found by `holders`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, cast

from ancestry_obs.patcher.namespaces import namespace_of, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["modules_since", "rebind"]


def modules_since(name: str | None) -> list[ModuleType]:
    """Return the imported modules whose import began no earlier than `name`'s; `None`: all.

    What a module defines cannot have been imported by one that was complete before it began, and
    `sys.modules` keeps the order in which imports began.
    """
    result = []
    for each in reversed(list(sys.modules)):
        module = sys.modules.get(each)
        # Anything can be put into sys.modules; a namespace to go through only modules have.
        if issubclass(type(module), ModuleType):
            result.append(cast("ModuleType", module))
        if each == name:
            break
    return result


def rebind(
    replacements: Mapping[int, object], containers: Iterable[type | ModuleType]
) -> list[tuple[int, str]]:
    """Bind every name in `containers` that holds a replaced object to its replacement.

    Args:
        replacements: The id of each object that is to be replaced, and what replaces it. The
            caller keeps those objects alive.
        containers: The modules and classes to go through.

    Returns:
        For each name that was bound anew the old object's id and the name, as ``module:name`` or
        ``module:Class.name``.
    """
    rebound: list[tuple[int, str]] = []
    for container in {id(each): each for each in containers}.values():
        # A copy, because another thread's import may add names meanwhile.
        for name, value in dict(namespace_of(container)).items():
            if id(value) in replacements:
                write(container, name, replacements[id(value)])
                rebound.append((id(value), _address(container, name)))
    return rebound


def _address(container: type | ModuleType, name: str) -> str:
    if isinstance(container, ModuleType):
        return f"{container.__name__}:{name}"
    return f"{container.__module__}:{container.__qualname__}.{name}"
