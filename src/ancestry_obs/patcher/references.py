"""Objects that were replaced -> every module's name for them is bound anew, in one pass."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, cast

from ancestry_obs.patcher.namespaces import namespace_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["rebind"]


def rebind(replacements: Mapping[int, object]) -> None:
    """Bind every name of a module that holds a replaced object to its replacement.

    Args:
        replacements: The id of each object that is to be replaced, and what replaces it. The
            caller keeps those objects alive.
    """
    for module in list(sys.modules.values()):
        # Anything can be put into sys.modules; a namespace to go through only modules have.
        if issubclass(type(module), ModuleType):
            namespace = cast("dict[str, object]", namespace_of(module))
            # A copy, because another thread's import may add names meanwhile.
            for name, value in dict(namespace).items():
                if id(value) in replacements:
                    namespace[name] = replacements[id(value)]
