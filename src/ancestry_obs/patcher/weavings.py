"""Join points and the advices wanted there -> functions that have the woven code, and back.

A function stays the object that it is and is given other code; whoever holds it runs that from the
next call on. Setting `__code__` is one step, so that a call in another thread runs either the one
or the other, and a call that is running goes on with the code that it began with. Functions are
held weakly: one that goes takes what is known of it along, but for its count of calls.
"""

from __future__ import annotations

import weakref
from functools import _lru_cache_wrapper
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Final, TypeGuard, cast

from ancestry_obs.patcher.code_exchange import carrying, code_inside, in_each_other
from ancestry_obs.patcher.definitions_in import definition_in, functions_with
from ancestry_obs.patcher.join_point_weaving import Weaving, key_of
from ancestry_obs.patcher.join_points import Wanted
from ancestry_obs.patcher.namespaces import namespace_of, qualname_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Self

    from ancestry_obs.patcher.code_exchange import CodeExchange, CodeKey, Inside
    from ancestry_obs.patcher.join_point_weaving import Key
    from ancestry_obs.patcher.join_points import JoinPoint, Pointcut, Weaver, Woven
    from ancestry_obs.patcher.prepared_code import PreparedCode
    from ancestry_obs.patcher.proxied import ProxiedName
    from ancestry_obs.patcher.super_calls import SuperCalls, SuperTest

__all__ = ["Weavings", "is_woven"]


def is_woven(result: Woven | Exception) -> TypeGuard[Woven]:
    """Whether something was woven."""
    return not isinstance(result, Exception)


_SWAPPED: Final = (
    "woven again: the program had given code of {} to {}, and calls of the one from then until "
    "this was seen were counted as the other's"
)


def _nothing() -> None:
    """Stand for a reference where there is nothing to refer to."""


# There is one of each of these for every target: all that is made for one, the garbage collector
# looks at again and again while a program is imported.
class _Held(weakref.ref[FunctionType]):
    """Gives a function, which is held weakly.

    Args:
        function: The function.
        gone: Called with this when the function is gone.
        key: That of its join point.
    """

    __slots__ = ("key",)

    key: Key

    def __new__(cls, function: FunctionType, gone: Callable[[Self], object], key: Key) -> Self:
        """Refer to the function."""
        self = super().__new__(cls, function, gone)
        self.key = key
        return self

    def __init__(self, *_: object) -> None:
        """Take what `__new__` takes."""


class _Look:
    """Looks whether a function still has its code.

    Args:
        weavings: Everything that is woven.
        key: That of the join point.
    """

    __slots__ = ("_key", "_weavings")

    def __init__(self, weavings: weakref.ref[Weavings], key: Key) -> None:
        self._weavings = weavings
        self._key = key

    def __call__(self) -> None:
        weavings = self._weavings()
        found = weavings.all.get(self._key) if weavings is not None else None
        if weavings is not None and found is not None:
            weavings.look_at(found)


class Weavings:
    """Everything that is woven.

    Args:
        weaver: Makes the code.
        exchange: Knows the codes, and gives them to functions.
        prepared: What was woven of modules before they ran.
        super_calls: Tells calls by `super()` from others.
        exchanged: Called with a weaving whose function the program has given other code.
    """

    def __init__(
        self,
        weaver: Weaver,
        exchange: CodeExchange,
        prepared: PreparedCode,
        super_calls: SuperCalls,
        exchanged: Callable[[Weaving], None],
    ) -> None:
        self._weaver = weaver
        self._exchange = exchange
        self._prepared = prepared
        self._super_calls = super_calls
        self._exchanged = exchanged
        self._named: dict[int, object] = {}
        self._gone: list[Key] = []
        gone = self._gone
        self._note: Callable[[_Held], None] = lambda held: gone.append(held.key)
        self._alone: dict[int, tuple[tuple[int, Pointcut]]] = {}
        self._former: dict[str, Woven] = {}
        self._inside: dict[object, dict[Key, Weaving]] = {}
        self.all: dict[Key, Weaving] = {}
        self.left: dict[str, str] = {}
        self.lost: dict[str, tuple[str, ...]] = {}

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
        self.forget_what_is_gone()
        key = key_of(point)
        weaving = self.all.get(key)
        if weaving is None:
            weaving = self.all[key] = self._new(key, point)
            if weaving.local is not None:
                self._inside.setdefault(key[0], {})[key] = weaving
        if weaving.wanted:
            wanted = {**dict(weaving.wanted), index: pointcut}
            weaving.wanted = tuple(sorted(wanted.items(), key=lambda each: each[0]))
        else:
            alone = self._alone.get(index)
            if alone is None or alone[0][1] is not pointcut:
                alone = self._alone[index] = ((index, pointcut),)
            weaving.wanted = alone
        if point.target != weaving.target:
            weaving.aliases |= {point.target}
        return weaving

    def weave(self, weavings: Iterable[Weaving]) -> list[Weaving]:
        """Make what is woven equal to what is wanted.

        Args:
            weavings: Where something may have changed.

        Returns:
            Those that were woven anew, or could not be.
        """
        unique = {id(each): each for each in weavings}.values()
        for weaving in unique:
            if weaving.woven is None:
                self._adopt(weaving)
        changed = [each for each in unique if not each.is_current]
        wanted = [(each, self._wanted(each)) for each in changed if each.proxied is None]
        kept = [(each, want) for each, want in wanted if want is not None]
        results = self._made([want for _, want in kept])
        for (weaving, want), woven in zip(kept, results, strict=True):
            self._replace(weaving, want, woven)
        for weaving in changed:
            if weaving.proxied is not None:
                self._bind(weaving, weaving.proxied)
        self._give_code(changed)
        return changed

    def unweave(self, weavings: Sequence[Weaving]) -> None:
        """Leave join points as they were found; what others did meanwhile stays.

        Args:
            weavings: Where nothing is wanted any more.
        """
        for weaving in weavings:
            self._forget(weaving.key)
            if weaving.proxied is not None:
                for new, _ in weaving.proxied.bound:
                    self._named.pop(id(new), None)
                left = weaving.proxied.restore()
            else:
                left = self._left(weaving)
            if left:
                self.left[weaving.target] = left
            self._retire(weaving)
        self._give_code(weavings)

    def unweave_rest(self) -> None:
        """Give every function that still has code of ours its own, whoever holds it."""
        self._exchange.give_all_back()
        self._prepared.clear()
        self._alone.clear()

    def look_at(self, weaving: Weaving) -> bool:
        """Whether a function still has the code it was given; one that has not is woven again."""
        function = weaving.function()
        if function is None or weaving.proxied is not None or weaving.original is None:
            return True
        code = function.__code__
        is_as_left = weaving.woven is None or self._exchange.is_ours(code)
        if is_as_left and self._exchange.original_of(code) is weaving.original:
            return True
        # Such as `f.__code__ = f.__code__.replace(...)`: what it has of ours goes on counting.
        if weaving.woven is not None and weaving.local is None and weaving.woven.is_in(code):
            return True
        held = [] if weaving.woven is None else [*functions_with([weaving.woven.code])]
        self._retire(weaving)
        self._exchanged(weaving)
        # The program may have given its code to another one, which then counted here.
        for other in held:
            for each in self._of(other):
                if not self.look_at(each) and each.target != weaving.target:
                    each.remark = weaving.remark = _SWAPPED.format(weaving.target, each.target)
        return False

    def _of(self, function: object) -> list[Weaving]:
        own = self.all.get((id(function),))
        inside = self._inside.get(id(function), {}).values()
        return [*inside] if own is None else [own, *inside]

    def look_at_function(self, function: object) -> None:
        """Look at a function that may have been given other code, and at what is inside it.

        Args:
            function: The function; one where nothing is woven is passed over.
        """
        for weaving in self._of(function):
            self.look_at(weaving)

    def unreached(self, weaving: Weaving) -> tuple[str, ...]:
        """Describe what holds an object that got a proxy; that takes a look at all that lives."""
        if weaving.way != "proxy" or weaving.proxied is None or weaving.woven is None:
            return ()
        return weaving.proxied.holders(self._named, *weaving.woven.parts)

    def former(self, target: str) -> tuple[Woven, ...]:
        """Give what was woven at a target before, and is out of use."""
        found = self._former.get(target)
        return () if found is None else (found,)

    def _new(self, key: Key, point: JoinPoint) -> Weaving:
        function, owner = point.function, point.owner
        proxied = None
        if key[-1] == "name":
            # wrapt takes longer to import than a hundred functions to weave; few programs need it.
            from ancestry_obs.patcher.proxied import ProxiedName  # noqa: PLC0415

            proxied = ProxiedName(point)
        is_plain = type(function) is FunctionType and not point.is_added
        is_cache = issubclass(type(function), _lru_cache_wrapper)
        definition = vars(function).get("__wrapped__") if is_cache else function
        is_known = type(definition) is FunctionType and not point.is_added
        code = self._exchange.original_of(definition.__code__) if is_known else None  # type: ignore[union-attr]
        weaving = Weaving(
            key=key,
            target=point.target,
            function=_Held(cast("FunctionType", function), self._note, key)
            if is_plain
            else _nothing,
            is_method=point.is_method,
            attribute=point.attribute,
            owner=weakref.ref(owner) if owner is not None else _nothing,
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
        code: CodeType | None = self._exchange.original_of(function.__code__)
        weaving.original = code
        if code is not None and weaving.local is not None:
            code = code_inside(code, weaving.local)
        if code is None:
            self._retire(weaving)
            weaving.advices = weaving.wanted_advices()
            weaving.reason = "the program has given other code to the function around it"
            return None
        return Wanted(
            target=weaving.target,
            code=code,
            function=None if weaving.local else _as_it_was(function, code),
            advices=weaving.wanted_advices(),
            is_method=weaving.is_method,
            is_definition=True,
            inner_test=self._test(weaving),
            owner=weaving.owner(),
        )

    def _test(self, weaving: Weaving) -> SuperTest | None:
        owner = weaving.owner()
        if owner is None or not weaving.takes_in_subclasses:
            return None
        return self._super_calls.test(owner, weaving.attribute)

    def _made(self, wanted: Sequence[Wanted]) -> list[Woven | Exception]:
        """Weave; a weaver that raises costs the target in question, and no other."""
        if not wanted:
            return []
        try:
            return list(self._weaver.weave(wanted))
        except Exception as failure:  # noqa: BLE001 - see above
            if len(wanted) == 1:
                return [failure]
        return [made for want in wanted for made in self._made([want])]

    def _adopt(self, weaving: Weaving) -> None:
        """Take over what was woven into a module's code before it was executed."""
        function = weaving.function()
        if function is None or weaving.proxied is not None:
            return
        code: CodeType | None = function.__code__
        if code is not None and weaving.local is not None:
            code = code_inside(code, weaving.local)
        found = self._prepared.take(code)
        if found is not None:
            weaving.original = self._exchange.original_of(function.__code__)
            weaving.woven, weaving.advices = found.woven, found.want.advices
            self._watch(weaving, found.woven)

    def _replace(self, weaving: Weaving, want: Wanted, woven: Woven | Exception) -> None:
        self._retire(weaving)
        weaving.advices = want.advices
        if isinstance(woven, Exception):
            weaving.reason = f"cannot be woven: {str(woven) or type(woven).__name__}"
            return
        assert want.code is not None  # noqa: S101 - it is a function's
        self._exchange.know(woven.code, want.code)
        weaving.woven, weaving.reason = woven, ""
        if woven.why_called:
            weaving.reason = f"the original is called, one frame deeper: {woven.why_called}"
        self._watch(weaving, woven)
        function = weaving.function()
        self._note_override(weaving, function, woven.code, want.code)

    def _watch(self, weaving: Weaving, woven: Woven) -> None:
        woven.watch(_Look(weakref.ref(self), weaving.key))

    def _give_code(self, changed: Iterable[Weaving]) -> None:
        """Give functions the code that is theirs by what is woven now."""
        functions: dict[object, FunctionType] = {}
        meant: dict[object, set[CodeKey]] = {}
        for each in changed:
            function = each.function()
            if function is not None:
                functions[id(function)] = function
                if each.local is not None:
                    meant.setdefault(id(function), set()).add(each.local)
        inside: list[Inside] = []
        for key, function in functions.items():
            code, woven = self._code_for(function, self._inside.get(key, {}).values())
            self._set(function, code)
            inside += self._exchange.inside(function, meant.get(key, ()), woven)
        self._exchange.give_to_closures(inside)

    def _code_for(
        self, function: FunctionType, inside: Iterable[Weaving]
    ) -> tuple[CodeType, dict[CodeKey, CodeType]]:
        """Give what a function is to run, and what is woven of the functions inside it."""
        original = self._exchange.original_of(function.__code__)
        own = self.all.get((id(function),))
        base = own.woven.code if own is not None and own.woven is not None else original
        woven = in_each_other(
            {each.local: each.woven.code for each in inside if each.woven and each.local}
        )
        whole = carrying(base, woven)
        if own is not None and own.way == "call":
            self._exchange.give_to_called(base, original, carrying(original, woven))
        if whole is not original:
            self._exchange.know_inside(whole, original)
            if own is not None and whole is not base:
                self._note_override(own, None, whole)
        return whole, woven

    def _note_override(self, weaving: Weaving, value: object, *codes: CodeType) -> None:
        """Note what runs a method, that of the definition in a decorator's wrapper included."""
        owner = weaving.owner()
        if owner is None or not weaving.takes_in_subclasses:
            return
        name = f"{qualname_of(owner)}.{weaving.attribute}"
        definition = definition_in(value, str(namespace_of(owner).get("__module__")), name)
        if definition is not None and definition is not value:
            codes = (*codes, definition.__code__)
        self._super_calls.add(weaving.attribute, *codes)
        weaving.overriding = (*weaving.overriding, *codes)

    def _set(self, function: FunctionType, code: CodeType) -> None:
        if function.__code__ is code:
            return
        try:
            function.__code__ = code
        except ValueError as error:  # it has other variables around it
            weaving = self.all.get((id(function),))
            function.__code__ = self._exchange.original_of(function.__code__)
            if weaving is not None:
                self._retire(weaving)
                weaving.reason = f"cannot be woven: {error}"

    def _bind(self, weaving: Weaving, proxied: ProxiedName) -> None:
        self._retire(weaving)
        weaving.advices = weaving.wanted_advices()
        wanted = Wanted(
            target=weaving.target,
            code=None,
            function=proxied.callable,
            advices=weaving.advices,
            is_method=weaving.is_method,
            inner_test=self._test(weaving),
            owner=weaving.owner(),
        )
        for new, _ in proxied.bound:
            self._named.pop(id(new), None)
        try:
            woven = proxied.bind(self._weaver, wanted)
        except Exception as failure:  # noqa: BLE001 - one that cannot be woven never breaks others
            weaving.reason = f"cannot be woven: {str(failure) or type(failure).__name__}"
        else:
            weaving.woven, weaving.reason = woven, proxied.remark
            self._note_override(weaving, proxied.callable, woven.code)
        self._named |= {id(new): old for new, old in proxied.bound}

    def _left(self, weaving: Weaving) -> str:
        function = weaving.function()
        if function is None or weaving.woven is None or self._exchange.is_ours(function.__code__):
            return ""
        return "left in place: the program has given the function other code meanwhile"

    def _retire(self, weaving: Weaving) -> None:
        woven = weaving.woven
        if woven is not None:
            function = weaving.function()
            code = function.__code__ if function is not None else woven.code
            if not self._exchange.is_ours(code) and woven.is_in(code):
                woven.disarm()  # it stays in what the program made of it
            weaving.woven = None
            self._super_calls.remove(weaving.attribute, *weaving.overriding)
            weaving.overriding = ()
            woven.retire()
            former = self._former.get(weaving.target)
            if former is not None:
                woven.take_over(former)
            self._former[weaving.target] = woven

    def _forget(self, key: Key) -> Weaving | None:
        inside = self._inside.get(key[0], {})
        inside.pop(key, None)
        if not inside:
            self._inside.pop(key[0], None)
        return self.all.pop(key, None)

    def forget_what_is_gone(self) -> None:
        """Forget functions that are gone, but for their counts of calls."""
        while self._gone:
            weaving = self._forget(self._gone.pop())
            if weaving is not None:
                self._retire(weaving)
                self.lost[weaving.target] = weaving.patterns


def _as_it_was(function: FunctionType, code: CodeType) -> FunctionType:
    """Copy a function as it was before any code of ours; the function itself is never kept."""
    copy = FunctionType(
        code, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__dict__.update(function.__dict__)
    return copy
