"""A name that is bound to no plain function -> the name bound to a proxy for it, and back.

There is no code to exchange: a cache answers without entering its function, a compiled function has
no Python code. Whoever took the object elsewhere before, other than by a module's name, is not
measured; the state of the target says so.
"""

from __future__ import annotations

import gc
from functools import partialmethod, singledispatchmethod
from types import CellType, FrameType, FunctionType
from typing import TYPE_CHECKING, Final, cast

from ancestry_obs.frozen import replaced
from ancestry_obs.patcher.members import core_of, repack
from ancestry_obs.patcher.namespaces import MISSING, delete, namespace_of, write
from ancestry_obs.patcher.proxies import WovenProxy, bind_explicitly, binds_like_a_function
from ancestry_obs.patcher.references import rebind

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, ModuleType

    from ancestry_obs.patcher.join_points import JoinPoint, Wanted, Weaver, Woven

__all__ = ["ProxiedName"]

_REMARK: Final = "measured by a proxy under its name: {} has no Python code to weave into"
_LEFT: Final = "left in place: the name was bound to something else meanwhile"


class ProxiedName:
    """One name in one namespace.

    Args:
        point: The join point.
    """

    def __init__(self, point: JoinPoint) -> None:
        self._container: type | ModuleType = point.container
        self._attribute = point.attribute
        self._original: object = MISSING if point.is_added else point.raw
        self._is_added = point.is_added
        self._code = getattr(point.function, "__code__", None)
        self._replacement: object = self._original
        self._accessor = point.accessor
        core = core_of(point.raw, point.accessor)
        self.callable: Callable[..., object] = point.function
        self.remark = ""
        if point.is_added:
            return
        if point.owner is not None and core is point.raw and _needs_binding(core):
            self.callable = bind_explicitly(core, point.owner)
        kind = type(core)
        self.remark = _REMARK.format(f"a {kind.__module__}.{kind.__qualname__}")

    def holders(self, *own: object) -> tuple[str, ...]:
        """Describe what holds the bare object elsewhere than in a module's namespace.

        Args:
            own: What holds it for our sake.
        """
        own = (*own, self, self._original, self._replacement, core_of(self._replacement))
        ignored = {id(each) for each in (own, *own, *map(vars, filter(_has_namespace, own)))}
        bare = core_of(self._original, self._accessor)
        # By a mark beside it the tuple is known that holds the arguments of this very call.
        mark: list[object] = []
        kinds = [
            type(each)
            for each in gc.get_referrers(bare, mark)
            if id(each) not in ignored
            and not _is_transparent(each)
            and not (type(each) is tuple and any(item is mark for item in each))
        ]
        return tuple(sorted({f"a {kind.__module__}.{kind.__qualname__}" for kind in kinds}))

    @property
    def pairs(self) -> list[tuple[object, object]]:
        """What the name was bound to with what it is bound to, and the same of what that holds."""
        if self._is_added or self._replacement is self._original:
            return []
        pairs = [(self._original, self._replacement)]
        inner = core_of(self._original, self._accessor)
        if inner is not self._original:
            pairs.append((inner, core_of(self._replacement, self._accessor)))
        return pairs

    @property
    def bound(self) -> list[tuple[object, object]]:
        """What names are bound to with what they were bound to; `MISSING` where to nothing."""
        if not self._is_added:
            return [(new, old) for old, new in self.pairs]
        return [] if self._replacement is self._original else [(self._replacement, MISSING)]

    def bind(self, weaver: Weaver, wanted: Wanted) -> Woven:
        """Bind the name, and other modules' names for the same object, to something woven.

        Args:
            weaver: Makes what is called.
            wanted: What is to be woven.

        Raises:
            TypeError: The class is implemented in C.
        """
        before = self.pairs
        if self._is_added:
            woven = self._add(weaver, wanted)
        else:
            function, woven = weaver.weave_callable(wanted)
            proxy = WovenProxy(core_of(self._original, self._accessor), function)
            replacement = repack(self._original, proxy, self._accessor)
            write(self._container, self._attribute, replacement)
            self._replacement = replacement
        old = {id(original): replaced for original, replaced in before}
        rebind({id(old.get(id(original), original)): new for original, new in self.pairs})
        return woven

    def _add(self, weaver: Weaver, wanted: Wanted) -> Woven:
        """Give a class an `__init__` of its own, with the statements in it."""
        function, code = cast("FunctionType", self.callable), cast("CodeType", self._code)
        closure = function.__closure__
        bare = FunctionType(code, function.__globals__, function.__name__, None, closure)
        (woven,) = weaver.weave([replaced(wanted, code=code, function=bare, is_method=True)])
        if isinstance(woven, Exception):
            raise woven
        function.__code__ = woven.code
        write(self._container, self._attribute, function)
        self._replacement = function
        return woven

    def restore(self) -> str:
        """Bind the name to what it was bound to.

        Returns:
            Why it was left alone, if somebody has bound it to something else meanwhile.
        """
        current = namespace_of(self._container).get(self._attribute, MISSING)
        if self._is_added:
            if self._replacement is not self._original and current is self._replacement:
                delete(cast("type", self._container), self._attribute)
            elif self._replacement is not self._original and current is not MISSING:
                return _LEFT
            return ""
        pairs = self.pairs
        self._replacement, replaced = self._original, self._replacement
        rebind({id(new): old for old, new in pairs})
        if current is replaced:
            write(self._container, self._attribute, self._original)
        elif current is not MISSING and current is not self._original:
            return _LEFT
        return ""


def _needs_binding(core: object) -> bool:
    if binds_like_a_function(core) or not hasattr(type(core), "__get__"):
        return False
    return callable(core) or isinstance(core, (partialmethod, singledispatchmethod))


def _has_namespace(value: object) -> bool:
    return hasattr(value, "__dict__")


def _is_transparent(referrer: object) -> bool:
    """Whether what refers to an object is a module's namespace, a frame, or a part of a proxy."""
    if type(referrer) is dict and "__builtins__" in referrer:
        return True
    return type(referrer) in _TRANSPARENT


_TRANSPARENT: Final = frozenset({FrameType, CellType, WovenProxy, ProxiedName})
