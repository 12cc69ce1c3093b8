"""Unwrapped functions -> who still holds them where no name can be bound anew, in words.

Containers, closures, default values and partials are not changed, because their owners may rely on
what they hold; a call through them is not measured, and that is to be seen. The search goes over
everything the garbage collector knows, so it is made on demand only.
"""

from __future__ import annotations

import gc
import sys
from functools import partial
from types import CellType, FrameType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, cast

from ancestry_obs.patcher.members import is_class
from ancestry_obs.patcher.namespaces import full_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["find_holders"]

# From a site through its wrapper, the wrapper's closure and a cell to the original.
_OWN_DEPTH = 6


def find_holders(originals: list[object], own: Iterable[object]) -> dict[int, tuple[str, ...]]:
    """Describe what refers to each of `originals`.

    Args:
        originals: The functions that were replaced.
        own: Objects of the patcher; what they lead to is no finding.

    Returns:
        For the id of each original the descriptions, sorted; an id without any is left out.
    """
    sought = {id(each) for each in originals}
    ignored = _reachable(own, sought) | {id(originals)}
    referrers = [
        each
        for each in gc.get_referrers(*originals)
        if id(each) not in ignored
        and type(each) is not FrameType
        # The arguments of this very call are a tuple, too.
        and not (type(each) is tuple and list(map(id, each)) == list(map(id, originals)))
    ]
    owners = _owners({id(each) for each in referrers})
    found: dict[int, set[str]] = {}
    for referrer in referrers:
        for held in gc.get_referents(referrer):
            if id(held) in sought:
                text = owners.get(id(referrer)) or _describe(referrer, held)
                found.setdefault(id(held), set()).add(text)
    return {key: tuple(sorted(texts)) for key, texts in found.items()}


def _reachable(roots: Iterable[object], sought: set[int]) -> set[int]:
    """Return the ids of all that leads from `roots` to what is sought, and of modules' names."""
    seen = {id(vars(each)) for each in list(sys.modules.values()) if type(each) is ModuleType}
    layer = list(roots)
    for _ in range(_OWN_DEPTH):
        layer = [
            each
            for each in layer
            if id(each) not in seen
            and id(each) not in sought
            and not issubclass(type(each), (type, ModuleType))
        ]
        seen.update(map(id, layer))
        layer = gc.get_referents(*layer)
    return seen


def _owners(parts: set[int]) -> dict[int, str]:
    """Name the functions and classes whose inner parts (cells, defaults, namespaces) these are."""
    if not parts:
        return {}
    owners: dict[int, str] = {}
    for each in gc.get_objects():
        if type(each) is FunctionType:
            owners.update((key, text) for key, text in _function_parts(each) if key in parts)
        elif is_class(each):
            for part in gc.get_referents(each):
                if id(part) in parts:
                    owners[id(part)] = f"the namespace of class {full_name(each)}"
    return owners


def _function_parts(function: FunctionType) -> Iterator[tuple[int, str]]:
    name = f"{function.__module__}.{function.__qualname__}"
    for cell in function.__closure__ or ():
        yield id(cell), f"the closure of {name}"
    yield id(function.__defaults__), f"a default value of {name}"
    yield id(function.__kwdefaults__), f"a default value of {name}"


def _describe(referrer: object, held: object) -> str:
    kind = type(referrer)
    if kind is dict:
        entries = cast("dict[object, object]", referrer).items()
        keys = [key for key, value in list(entries) if value is held]
        if not keys:
            return "the keys of a dict"
        # Only a text is shown: another key's repr is foreign code, and may be long or private.
        return f"a dict under the key {keys[0]!r}" if type(keys[0]) is str else "a dict"
    if kind in {list, tuple, set, frozenset}:
        return f"a {kind.__name__} of {len(cast('list[object]', referrer))} items"
    plain = {CellType: "a closure", MethodType: "a bound method", partial: "a functools.partial"}
    return plain.get(kind) or f"an object of type {full_name(kind)}"
