"""Join points and the advices wanted there -> functions that have the woven code, and back.

A function stays the object that it is and is given other code; whoever holds it runs that from the
next call on. Setting `__code__` is one step, so that a call in another thread runs either the one
or the other, and a call that is running goes on with the code that it began with. Functions are
held weakly: one that goes takes what is known of it along, but for its count of calls.
"""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass, field
from types import FunctionType
from typing import TYPE_CHECKING, TypeGuard

from ancestry_obs.compiler.code import codes_in, embed
from ancestry_obs.patcher.join_points import Wanted
from ancestry_obs.patcher.proxied import ProxiedName

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from types import CodeType

    from ancestry_obs.patcher.join_points import JoinPoint, Pointcut, Weaver, Woven
    from ancestry_obs.patcher.super_calls import SuperCalls

__all__ = ["Key", "Prepared", "Weaving", "Weavings", "is_woven", "key_of"]

Key = tuple[object, ...]


def key_of(point: JoinPoint) -> Key:
    """Give what tells join points apart: several names may lead to one function."""
    if point.code is not None:
        return id(point.function), point.code.co_qualname, point.code.co_firstlineno
    if type(point.function) is FunctionType and not point.is_added:
        return (id(point.function),)
    return id(point.container), point.attribute, "name"


@dataclass(eq=False, slots=True)
class Weaving:
    """One join point, what is wanted there, and what is woven.

    Args:
        key: What `key_of` gave.
        target: Canonical ``module:qualname``.
        function: Gives the function, or `None` when it is gone.
        proxied: The name that is bound to a proxy, where that is the way.
        qualname: The code inside the function that is meant, if it is not its own.
        wanted: The pointcuts that reach it, by their place in the map.
        aliases: The targets under which it was found.
        woven: What was made, if anything could be.
        advices: What `woven` was made of.
        reason: Why nothing is woven, or what is remarkable although it is.
    """

    key: Key
    target: str
    function: Callable[[], FunctionType | None]
    is_method: bool
    attribute: str
    owner: Callable[[], type | None]
    defined_at: str = ""
    proxied: ProxiedName | None = None
    local: tuple[str, int] | None = None
    wanted: dict[int, Pointcut] = field(default_factory=dict)
    aliases: set[str] = field(default_factory=set)
    woven: Woven | None = None
    advices: tuple[Hashable, ...] = ()
    reason: str = ""

    @property
    def patterns(self) -> tuple[str, ...]:
        """The patterns that reach it, in the map's order."""
        return tuple(dict.fromkeys(self.wanted[index].pattern for index in sorted(self.wanted)))

    @property
    def is_current(self) -> bool:
        """Whether what is woven is what is wanted."""
        return self.woven is not None and self.advices == self.wanted_advices()

    @property
    def way(self) -> str:
        """How it is woven."""
        if self.woven is None:
            return ""
        if self.proxied is not None:
            return "proxy"
        return "call" if self.woven.why_called else "inline"

    def wanted_advices(self) -> tuple[Hashable, ...]:
        """Give the advices in the map's order, each once."""
        return tuple(dict.fromkeys(self.wanted[index].advice for index in sorted(self.wanted)))

    @property
    def takes_in_subclasses(self) -> bool:
        """Whether overrides are targets as well."""
        return any(each.subclasses for each in self.wanted.values())


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was woven into a module's code before it was executed."""

    want: Wanted
    woven: Woven


def is_woven(result: Woven | Exception) -> TypeGuard[Woven]:
    """Whether something was woven."""
    return not isinstance(result, Exception)


class Weavings:
    """Everything that is woven.

    Args:
        weaver: Makes the code.
        super_calls: Tells calls by `super()` from others.
        exchanged: Called with a weaving whose function the program has given other code.
    """

    def __init__(
        self, weaver: Weaver, super_calls: SuperCalls, exchanged: Callable[[Weaving], None]
    ) -> None:
        self._weaver = weaver
        self._super_calls = super_calls
        self._exchanged = exchanged
        self._originals: dict[int, tuple[weakref.ref[CodeType], CodeType]] = {}
        self._named: dict[int, object] = {}
        self._gone: list[Key] = []
        self.all: dict[Key, Weaving] = {}
        self._former: dict[str, list[Woven]] = {}
        self.left: dict[str, str] = {}

    def original_of(self, code: CodeType) -> CodeType:
        """Give the code in whose place this one was put; the very same if it is none of ours."""
        found = self._originals.get(id(code))
        return found[1] if found else code

    def is_ours(self, code: CodeType) -> bool:
        """Whether a code was woven here."""
        return id(code) in self._originals

    def named_before(self, value: object) -> object:
        """Give what a name was bound to before we bound it; any other object as it is."""
        return self._named.get(id(value), value)

    def want(self, point: JoinPoint, index: int, pointcut: Pointcut) -> Weaving:
        """Note that a pointcut reaches a join point.

        Args:
            point: The join point.
            index: The pointcut's place in the map.
            pointcut: The pointcut.
        """
        self._forget_what_is_gone()
        key = key_of(point)
        weaving = self.all.get(key)
        if weaving is None:
            weaving = self.all[key] = self._new(key, point)
        weaving.wanted[index] = pointcut
        weaving.aliases.add(point.target)
        return weaving

    def weave(self, weavings: Iterable[Weaving]) -> list[Weaving]:
        """Make what is woven equal to what is wanted.

        Args:
            weavings: Where something may have changed.

        Returns:
            Those that were woven anew, or could not be.
        """
        unique = {id(each): each for each in weavings}.values()
        changed = [each for each in unique if not each.is_current]
        functions = [each for each in changed if each.proxied is None]
        # Functions inside others last: their code goes into what those have by then.
        functions.sort(key=lambda each: each.local is not None)
        wanted = [self._wanted(each) for each in functions]
        kept = [(each, want) for each, want in zip(functions, wanted, strict=True) if want]
        results = self._weaver.weave([want for _, want in kept])
        for (weaving, want), woven in zip(kept, results, strict=True):
            self._replace(weaving, want, woven)
        for weaving in changed:
            if weaving.proxied is not None:
                self._bind(weaving, weaving.proxied)
        self._carry_on(changed)
        return changed

    def inside(self, code: CodeType, prepared: Iterable[Prepared]) -> CodeType:
        """Give a module's code with what was woven for it inside.

        Args:
            code: What would be executed.
            prepared: What was woven, of code inside it.
        """
        codes = {id(each.want.code): each.woven.code for each in prepared}
        woven = embed(code, codes)
        # What was woven into a function may lie in one that was woven itself.
        return embed(woven, {id(each): codes[id(each)] for each in codes_in(woven) if id(each) in codes})

    def adopt(self, weavings: Iterable[Weaving], prepared: Iterable[Prepared]) -> None:
        """Take over what was woven into a module's code before it was executed.

        Args:
            weavings: The join points that the module turned out to have.
            prepared: What was woven; what is at none of them is disarmed.
        """
        remaining = {id(each.woven.code): each for each in prepared}
        for each in remaining.values():
            assert each.want.code is not None  # noqa: S101 - it is a function's
            self._know(each.woven.code, each.want.code)
        for weaving in {id(each): each for each in weavings}.values():
            function = weaving.function()
            if function is None or weaving.proxied is not None:
                continue
            code = function.__code__
            if weaving.local is not None:
                code = self._local_code(code, weaving.local) or code
            found = remaining.pop(id(code), None)
            if found is None:
                continue
            if weaving.local is not None:
                outer = function.__code__
                own = embed(outer, {id(code): self.original_of(code)})
                self._know(outer, self.original_of(outer) if self.is_ours(outer) else own)
            weaving.woven, weaving.advices = found.woven, found.want.advices
            self._watch(weaving, found.woven)
        for each in remaining.values():
            each.woven.disarm()
            each.woven.retire()

    def unweave(self, weaving: Weaving) -> None:
        """Leave a join point as it was found; what others did meanwhile stays."""
        self.all.pop(weaving.key, None)
        if weaving.proxied is not None:
            for _, new in weaving.proxied.pairs:
                self._named.pop(id(new), None)
            left = weaving.proxied.restore()
        else:
            left = self._take_back(weaving)
        if left:
            self.left[weaving.target] = left
        self._retire(weaving)

    def sweep(self) -> None:
        """Give every function its own code back that no name led to: copies, and inner functions."""
        if not self._originals:
            return
        for each in gc.get_objects():
            if type(each) is FunctionType:
                original = self.original_of(each.__code__)
                if original is not each.__code__:
                    each.__code__ = original

    def look_at(self, weaving: Weaving) -> bool:
        """Whether a function still has woven code; one that has not is woven again."""
        function = weaving.function()
        if function is None or weaving.woven is None or weaving.proxied is not None:
            return True
        code = function.__code__
        if weaving.local is not None:
            if any(each is weaving.woven.code for each in codes_in(code)):
                return True
        elif code is weaving.woven.code or id(code) in self._originals:
            return True
        # Such as `f.__code__ = f.__code__.replace(...)`: what it has of ours goes on counting.
        if weaving.woven.is_in(code):
            return True
        self._retire(weaving)
        self._exchanged(weaving)
        return False

    def former(self, target: str) -> tuple[Woven, ...]:
        """Give what was woven at a target before, and is out of use."""
        return tuple(self._former.get(target, ()))

    def _new(self, key: Key, point: JoinPoint) -> Weaving:
        function, owner = point.function, point.owner
        proxied = None
        if key[-1] == "name":
            proxied = ProxiedName(point)
        is_plain = type(function) is FunctionType and not point.is_added
        code = self.original_of(function.__code__) if is_plain else None  # type: ignore[attr-defined]
        weaving = Weaving(
            key=key,
            target=point.target,
            function=weakref.ref(function, lambda _: self._gone.append(key))
            if is_plain
            else lambda: None,
            is_method=point.is_method,
            attribute=point.attribute,
            owner=weakref.ref(owner) if owner is not None else lambda: None,
            defined_at=f"{code.co_filename}:{code.co_firstlineno}" if code else "",
            proxied=proxied,
        )
        if point.code is not None:
            weaving.local = point.code.co_qualname, point.code.co_firstlineno
        return weaving

    def _wanted(self, weaving: Weaving) -> Wanted | None:
        function = weaving.function()
        if function is None:
            return None
        code: CodeType | None = self.original_of(function.__code__)
        if weaving.local is not None:
            code = self._local_code(self.original_of(function.__code__), weaving.local)
            if code is None:
                weaving.reason = "cannot be woven: the program has given what defines it other code"
                return None
        assert code is not None  # noqa: S101 - a function has code
        owner = weaving.owner()
        inner = None
        if owner is not None and weaving.takes_in_subclasses:
            inner = self._super_calls.test(owner, weaving.attribute)
        return Wanted(
            target=weaving.target,
            code=code,
            function=None if weaving.local else _as_it_was(function, code),
            advices=weaving.wanted_advices(),
            is_method=weaving.is_method,
            is_definition=True,
            inner_test=inner,
            owner=owner,
        )

    def _local_code(self, outer: CodeType, key: tuple[str, int]) -> CodeType | None:
        for code in codes_in(outer):
            if (code.co_qualname, code.co_firstlineno) == key:
                return code
        return None

    def _replace(self, weaving: Weaving, want: Wanted, woven: Woven | Exception) -> None:
        self._retire(weaving)
        function = weaving.function()
        weaving.advices = want.advices
        if isinstance(woven, Exception):
            weaving.reason = f"cannot be woven: {str(woven) or type(woven).__name__}"
            if function is not None and weaving.local is None:
                function.__code__ = self.original_of(function.__code__)
            return
        assert want.code is not None  # noqa: S101 - it is a function's
        self._know(woven.code, want.code)
        if function is not None and weaving.local is None:
            try:
                function.__code__ = woven.code
            except ValueError as error:
                weaving.reason = f"cannot be woven: {error}"
                return
        weaving.woven, weaving.reason = woven, woven.why_called
        if woven.why_called:
            weaving.reason = f"the original is called, one frame deeper: {woven.why_called}"
        self._watch(weaving, woven)
        if weaving.takes_in_subclasses:
            self._super_calls.add(weaving.attribute, woven.code, want.code)

    def _watch(self, weaving: Weaving, woven: Woven) -> None:
        reference = weakref.ref(self)
        key = weaving.key

        def look() -> None:
            weavings = reference()
            found = weavings.all.get(key) if weavings is not None else None
            if weavings is not None and found is not None:
                weavings.look_at(found)

        woven.watch(look)

    def _carry_on(self, changed: Iterable[Weaving]) -> None:
        """Give functions that hold other functions' code the woven code of those."""
        carriers = {each.key[0] for each in changed}
        by_carrier: dict[object, list[Weaving]] = {}
        for weaving in self.all.values():
            if weaving.local is not None and weaving.key[0] in carriers:
                by_carrier.setdefault(weaving.key[0], []).append(weaving)
        for weavings in by_carrier.values():
            function = weavings[0].function()
            if function is None:
                continue
            original = self.original_of(function.__code__)
            own = self.all.get((id(function),))
            base = own.woven.code if own is not None and own.woven is not None else original
            inside = {each.local: each.woven.code for each in weavings if each.woven is not None}
            replacements = {
                id(code): inside[code.co_qualname, code.co_firstlineno]
                for code in codes_in(base)
                if (code.co_qualname, code.co_firstlineno) in inside
            }
            carrying = embed(base, replacements)
            self._know(carrying, original)
            function.__code__ = carrying
            if own is not None and own.takes_in_subclasses:
                self._super_calls.add(own.attribute, carrying)

    def _bind(self, weaving: Weaving, proxied: ProxiedName) -> None:
        self._retire(weaving)
        weaving.advices = weaving.wanted_advices()
        wanted = Wanted(
            target=weaving.target,
            code=None,
            function=proxied.callable,
            advices=weaving.advices,
            is_method=weaving.is_method,
            owner=weaving.owner(),
        )
        for _, new in proxied.pairs:
            self._named.pop(id(new), None)
        try:
            woven = proxied.bind(self._weaver, wanted)
        except Exception as failure:  # noqa: BLE001 - one that cannot be woven never breaks others
            weaving.reason = f"cannot be woven: {str(failure) or type(failure).__name__}"
        else:
            weaving.woven, weaving.reason = woven, proxied.remark
        self._named |= {id(new): old for old, new in proxied.pairs}

    def _take_back(self, weaving: Weaving) -> str:
        function = weaving.function()
        if function is None:
            return ""
        code = function.__code__
        if id(code) in self._originals:
            function.__code__ = self.original_of(code)
            return ""
        if weaving.woven is None:
            return ""
        return "left in place: the program has given the function other code meanwhile"

    def _retire(self, weaving: Weaving) -> None:
        woven = weaving.woven
        if woven is not None:
            function = weaving.function()
            code = function.__code__ if function is not None else None
            if code is not None and not self.is_ours(code) and woven.is_in(code):
                woven.disarm()  # it stays in what the program made of it
            weaving.woven = None
            self._super_calls.remove(weaving.attribute, woven.code)
            woven.retire()
            self._former.setdefault(weaving.target, []).append(woven)

    def _know(self, code: CodeType, original: CodeType) -> None:
        key, originals = id(code), self._originals
        # Held weakly: code that no function and no call has any more is forgotten.
        originals[key] = weakref.ref(code, lambda _: originals.pop(key, None)), original

    def _forget_what_is_gone(self) -> None:
        while self._gone:
            weaving = self.all.pop(self._gone.pop(), None)
            if weaving is not None:
                self._retire(weaving)


def _as_it_was(function: FunctionType, code: CodeType) -> FunctionType:
    """Copy a function as it was before any code of ours; the function itself is never kept."""
    copy = FunctionType(
        code, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__dict__.update(function.__dict__)
    return copy
