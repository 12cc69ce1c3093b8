"""An object that a decorator made of a function comes in, that function goes out.

A task, a command, a partial, a cache: each holds the function that was defined, somewhere. Objects
are followed as the garbage collector sees them, so that none of their code runs and no lazy object
wakes up. The search is bounded.
"""

from __future__ import annotations

import builtins
import gc
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Final

from ancestry_obs.patcher.namespaces import namespace_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["definition_in", "functions_with"]

_DEEPEST: Final = 12  # a decorator that wraps takes three steps
_MOST: Final = 2000


def definition_in(value: object, module: str, qualname: str) -> FunctionType | None:
    """Find the function that was defined under a name in what the name is bound to now.

    Args:
        value: The object.
        module: The module of the definition.
        qualname: Its qualified name there.
    """
    layer, seen = [value], {id(value)}
    name = qualname.rpartition(".")[2]
    for _ in range(_DEEPEST):
        following: list[object] = []
        for each in layer:
            if _is_it(each, module, qualname):
                return each  # type: ignore[return-value]  # it is a function
            for referent in gc.get_referents(each):
                if id(referent) not in seen and _may_lead_there(referent, module, name):
                    seen.add(id(referent))
                    following.append(referent)
        if not following or len(seen) > _MOST:
            return None
        layer = following
    return None


def functions_with(codes: Iterable[CodeType]) -> Iterator[FunctionType]:
    """Yield every function that has one of some codes, whoever holds it.

    One look at all that lives. It touches nothing but what refers to the codes: a list of all
    objects would have a tuple in it that another thread is just building, which then fails.

    Args:
        codes: The very codes.
    """
    wanted = list(codes)
    for each in gc.get_referrers(*wanted) if wanted else ():
        if type(each) is FunctionType:
            yield each


def _is_it(value: object, module: str, qualname: str) -> bool:
    return (
        type(value) is FunctionType
        and value.__code__.co_qualname == qualname
        and value.__globals__.get("__name__") == module
    )


def _may_lead_there(value: object, module: str, name: str) -> bool:
    if issubclass(type(value), type):
        # A class that a decorator made of the function, as Celery does.
        namespace = namespace_of(value)
        called = type.__dict__["__name__"].__get__(value)
        return called == name and namespace.get("__module__") == module
    if issubclass(type(value), ModuleType) or type(value) in _DEAD_ENDS:
        return False
    # The namespace of a module leads everywhere, and each function has that of the builtins, too.
    return not (type(value) is dict and ("__builtins__" in value or value is vars(builtins)))


# Code has constants alone: those of woven code lead into the toolkit.
_DEAD_ENDS: Final = frozenset({str, bytes, int, float, bool, type(None), CodeType, FrameType})
