"""Join points and the advices wanted there -> functions that have the woven code, and back.

A function stays the object that it is and is given other code; whoever holds it runs that from the
next call on. Setting `__code__` is one step, so that a call in another thread runs either the one
or the other, and a call that is running goes on with the code that it began with. Functions are
held weakly: one that goes takes what is known of it along, but for its count of calls.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from functools import _lru_cache_wrapper
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, TypeGuard, cast

from ancestry_obs.compiler.code import codes_in, embed
from ancestry_obs.compiler.code import key_of as code_key
from ancestry_obs.patcher.definitions_in import definition_in, functions_with
from ancestry_obs.patcher.join_points import Wanted
from ancestry_obs.patcher.members import core_of
from ancestry_obs.patcher.namespaces import is_class, namespace_of, qualname_of
from ancestry_obs.patcher.proxied import ProxiedName

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Hashable,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )
    from collections.abc import Set as AbstractSet
    from types import ModuleType
    from typing import Any

    from ancestry_obs.patcher.join_points import JoinPoint, Pointcut, Weaver, Woven
    from ancestry_obs.patcher.super_calls import SuperCalls, SuperTest

__all__ = ["Key", "Prepared", "Weaving", "Weavings", "is_woven", "key_of"]

Key = tuple[object, ...]
LocalKey = tuple[str, int]
"""Qualified name and first line, as code has them."""


def key_of(point: JoinPoint) -> Key:
    """Give what tells join points apart: several names may lead to one function."""
    if point.code is not None:
        return id(point.function), point.code.co_qualname, point.code.co_firstlineno
    if type(point.function) is FunctionType and not point.is_added:
        return (id(point.function),)
    # A name that is bound anew, as a reload does, is another join point.
    raw = None if point.is_added else id(point.raw)
    return id(point.container), point.attribute, point.accessor, raw, "name"


@dataclass(eq=False, slots=True)
class Weaving:
    """One join point, what is wanted there, and what is woven.

    Args:
        key: What `key_of` gave.
        target: Canonical ``module:qualname``.
        function: Gives the function, or `None` when it is gone.
        proxied: The name that is bound to a proxy, where that is the way.
        local: The code inside the function that is meant, if it is not its own.
        wanted: The pointcuts that reach it, by their place in the map.
        aliases: The targets under which it was found.
        woven: What was made, if anything could be.
        advices: What `woven` was made of.
        reason: Why nothing is woven, or what is remarkable although it is.
        remark: What is remarkable of what went before.
        original: The code that the function had when it was woven; `None` before that.
        overriding: The code that runs it, as far as it may be an override.
    """

    key: Key
    target: str
    function: Callable[[], FunctionType | None]
    is_method: bool
    attribute: str
    owner: Callable[[], type | None]
    defined_at: str = ""
    proxied: ProxiedName | None = None
    local: LocalKey | None = None
    wanted: dict[int, Pointcut] = field(default_factory=dict)
    aliases: set[str] = field(default_factory=set)
    woven: Woven | None = None
    advices: tuple[Hashable, ...] = ()
    reason: str = ""
    remark: str = ""
    original: CodeType | None = None
    overriding: tuple[CodeType, ...] = ()

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
        if self.proxied is not None and self.proxied.remark:
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
        self._prepared: dict[int, tuple[Prepared, CodeType]] = {}
        self._gone: list[Key] = []
        self._former: dict[str, Woven] = {}
        self._inside: dict[object, dict[Key, Weaving]] = {}
        self.all: dict[Key, Weaving] = {}
        self.left: dict[str, str] = {}
        self.lost: dict[str, tuple[str, ...]] = {}

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
        self.forget_what_is_gone()
        key = key_of(point)
        weaving = self.all.get(key)
        if weaving is None:
            weaving = self.all[key] = self._new(key, point)
            if weaving.local is not None:
                self._inside.setdefault(key[0], {})[key] = weaving
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

    def prepare(self, code: CodeType, prepared: Sequence[Prepared]) -> CodeType:
        """Give a module's code with what was woven for it inside.

        What turns out to be at a join point is taken over there, the rest has to be dropped.

        Args:
            code: What would be executed.
            prepared: What was woven, of code inside it.
        """
        pristine = {code_key(each.want.code): each for each in prepared if each.want.code}
        inside = _in_each_other({key: each.woven.code for key, each in pristine.items()})
        for key, woven in inside.items():
            self._prepared[id(woven)] = pristine[key], woven
        carrying = _carrying(code, inside)
        self._know_inside(carrying, code)
        return carrying

    def drop(
        self,
        prepared: Iterable[Prepared],
        module: ModuleType | None = None,
        *,
        has_failed: bool = False,
    ) -> None:
        """Let go of what was prepared and has turned out to be at no join point.

        Args:
            prepared: What was woven; what was taken over is passed over.
            module: The module, where the functions are looked for in what their names lead to.
            has_failed: Whether the import failed. Then they are looked for everywhere.
        """
        wovens = {id(each.woven) for each in prepared}
        left = [key for key, (each, _) in self._prepared.items() if id(each.woven) in wovens]
        kept = [self._prepared.pop(key) for key in left]
        for each, _ in kept:
            each.woven.disarm()
        if kept and has_failed:
            self._give_back({id(code) for _, code in kept})
        elif module is not None:
            for _, code in kept:
                self._give_back_in(module, code)
        for each, _ in kept:
            each.woven.retire()

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
        if self._originals:
            self._give_back(None)
        self._prepared.clear()

    def look_at(self, weaving: Weaving) -> bool:
        """Whether a function still has the code it was given; one that has not is woven again."""
        function = weaving.function()
        if function is None or weaving.proxied is not None or weaving.original is None:
            return True
        code = function.__code__
        is_as_left = weaving.woven is None or self.is_ours(code)
        if is_as_left and self.original_of(code) is weaving.original:
            return True
        # Such as `f.__code__ = f.__code__.replace(...)`: what it has of ours goes on counting.
        if weaving.woven is not None and weaving.local is None and weaving.woven.is_in(code):
            return True
        self._retire(weaving)
        self._exchanged(weaving)
        return False

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
            proxied = ProxiedName(point)
        is_plain = type(function) is FunctionType and not point.is_added
        is_cache = issubclass(type(function), _lru_cache_wrapper)
        definition = vars(function).get("__wrapped__") if is_cache else function
        is_known = type(definition) is FunctionType and not point.is_added
        code = self.original_of(definition.__code__) if is_known else None  # type: ignore[union-attr]
        weaving = Weaving(
            key=key,
            target=point.target,
            function=weakref.ref(cast("FunctionType", function), lambda _: self._gone.append(key))
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
        weaving.original = code
        if code is not None and weaving.local is not None:
            code = local_code(code, weaving.local)
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
            code = local_code(code, weaving.local)
        found, _ = self._prepared.pop(id(code), (None, None))
        if found is not None:
            weaving.original = self.original_of(function.__code__)
            weaving.woven, weaving.advices = found.woven, found.want.advices
            self._watch(weaving, found.woven)

    def _replace(self, weaving: Weaving, want: Wanted, woven: Woven | Exception) -> None:
        self._retire(weaving)
        weaving.advices = want.advices
        if isinstance(woven, Exception):
            weaving.reason = f"cannot be woven: {str(woven) or type(woven).__name__}"
            return
        assert want.code is not None  # noqa: S101 - it is a function's
        self._know(woven.code, want.code)
        weaving.woven, weaving.reason = woven, ""
        if woven.why_called:
            weaving.reason = f"the original is called, one frame deeper: {woven.why_called}"
        self._watch(weaving, woven)
        function = weaving.function()
        self._note_override(weaving, function, woven.code, want.code)

    def _watch(self, weaving: Weaving, woven: Woven) -> None:
        reference = weakref.ref(self)
        key = weaving.key

        def look() -> None:
            weavings = reference()
            found = weavings.all.get(key) if weavings is not None else None
            if weavings is not None and found is not None:
                weavings.look_at(found)

        woven.watch(look)

    def _give_code(self, changed: Iterable[Weaving]) -> None:
        """Give functions the code that is theirs by what is woven now."""
        functions: dict[object, FunctionType] = {}
        meant: dict[object, set[LocalKey]] = {}
        for each in changed:
            function = each.function()
            if function is not None:
                functions[id(function)] = function
                if each.local is not None:
                    meant.setdefault(id(function), set()).add(each.local)
        closures: dict[LocalKey, list[_Closures]] = {}
        for key, function in functions.items():
            code, woven = self._code_for(function, self._inside.get(key, {}).values())
            self._set(function, code)
            for made in self._made_by(function, meant.get(key, ()), woven):
                closures.setdefault(code_key(made.original), []).append(made)
        if closures:
            self._give_to_closures(closures)

    def _code_for(
        self, function: FunctionType, inside: Iterable[Weaving]
    ) -> tuple[CodeType, dict[LocalKey, CodeType]]:
        """Give what a function is to run, and what is woven of the functions inside it."""
        original = self.original_of(function.__code__)
        own = self.all.get((id(function),))
        base = own.woven.code if own is not None and own.woven is not None else original
        woven = _in_each_other(
            {each.local: each.woven.code for each in inside if each.woven and each.local}
        )
        carrying = _carrying(base, woven)
        if own is not None and own.way == "call":
            self._give_to_called(base, original, _carrying(original, woven))
        if carrying is not original:
            self._know_inside(carrying, original)
            if own is not None and carrying is not base:
                self._note_override(own, None, carrying)
        return carrying, woven

    def _give_to_called(self, code: CodeType, original: CodeType, carrying: CodeType) -> None:
        """Have the original that woven code calls make functions with what is woven of those."""
        self._know_inside(carrying, original)
        for each in code.co_consts:
            if type(each) is FunctionType and self.original_of(each.__code__) is original:
                each.__code__ = carrying

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
            function.__code__ = self.original_of(function.__code__)
            if weaving is not None:
                self._retire(weaving)
                weaving.reason = f"cannot be woven: {error}"

    def _made_by(
        self,
        function: FunctionType,
        meant: Collection[LocalKey],
        woven: Mapping[LocalKey, CodeType],
    ) -> Iterator[_Closures]:
        for code in codes_in(self.original_of(function.__code__)) if meant else ():
            # One that has a meant one inside is to hold other code as well.
            inner = f"{code.co_qualname}.<locals>."
            if code_key(code) in meant or any(name.startswith(inner) for name, _ in meant):
                wanted = woven.get(code_key(code)) or _carrying(code, woven)
                self._know_inside(wanted, code)
                yield _Closures(function.__globals__, code, wanted)

    def _give_to_closures(self, wanted: Mapping[LocalKey, Sequence[_Closures]]) -> None:
        """Give functions that are there already the code that those to come are made with."""
        codes = {id(code): code for code in self._codes()}
        codes |= {id(each.original): each.original for group in wanted.values() for each in group}
        for function in functions_with(codes.values()):
            code = function.__code__
            for each in wanted.get(code_key(code), ()):
                # Those of a maker that was loaded again have equal code.
                is_meant = function.__globals__ is each.namespace and code is not each.code
                if is_meant and self.original_of(code) == each.original:
                    function.__code__ = each.code

    def _give_back_in(self, module: ModuleType, code: CodeType) -> None:
        """Give the function under a name its own code back, whatever a decorator made of it."""
        value: object = module
        for name in code.co_qualname.split("."):
            if not (is_class(value) or value is module):
                return
            value = namespace_of(value).get(name)
        found = definition_in(core_of(value), module.__name__, code.co_qualname)
        if found is not None and found.__code__ is code:
            found.__code__ = self.original_of(code)

    def _give_back(self, codes: AbstractSet[int] | None) -> None:
        """Give functions their own code in place of some of ours, or of whatever is ours."""
        for function in functions_with(self._codes()):
            code = function.__code__
            if id(code) not in self._originals:
                continue
            if (
                codes is None
                or id(code) in codes
                or any(id(each) in codes for each in codes_in(code))
            ):
                function.__code__ = self.original_of(code)

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
        if function is None or weaving.woven is None or self.is_ours(function.__code__):
            return ""
        return "left in place: the program has given the function other code meanwhile"

    def _retire(self, weaving: Weaving) -> None:
        woven = weaving.woven
        if woven is not None:
            function = weaving.function()
            code = function.__code__ if function is not None else woven.code
            if not self.is_ours(code) and woven.is_in(code):
                woven.disarm()  # it stays in what the program made of it
            weaving.woven = None
            self._super_calls.remove(weaving.attribute, *weaving.overriding)
            weaving.overriding = ()
            woven.retire()
            former = self._former.get(weaving.target)
            if former is not None:
                woven.take_over(former)
            self._former[weaving.target] = woven

    def _codes(self) -> list[CodeType]:
        """Give all code of ours that lives."""
        known = [reference() for reference, _ in list(self._originals.values())]
        return [code for code in known if code is not None]

    def _know(self, code: CodeType, original: CodeType) -> None:
        key, originals = id(code), self._originals
        if key not in originals:
            # Held weakly: code that no function and no call has any more is forgotten.
            originals[key] = weakref.ref(code, lambda _: originals.pop(key, None)), original

    def _know_inside(self, code: CodeType, original: CodeType) -> None:
        """Know code that holds ours, and what it holds, by what they are in the original."""
        if code is original:
            return
        self._know(code, original)
        pristine: dict[LocalKey, list[CodeType]] = {}
        for old in original.co_consts:
            if _is_code(old):
                pristine.setdefault(code_key(old), []).append(old)
        for each in code.co_consts:
            if _is_code(each):
                alike = pristine.get(code_key(each), [])
                # Lambdas on one line have one name.
                same = [old for old in alike if old == each] if len(alike) > 1 else alike
                if same:
                    self._know_inside(each, same[0])

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


@dataclass(frozen=True, slots=True, eq=False)
class _Closures:
    """Functions that were made of one definition, and the code that they are to have."""

    namespace: dict[str, Any]
    original: CodeType
    code: CodeType


def _is_code(value: object) -> TypeGuard[CodeType]:
    return type(value) is CodeType


def local_code(outer: CodeType, key: LocalKey) -> CodeType | None:
    """Find code inside other code."""
    return next((code for code in codes_in(outer) if code_key(code) == key), None)


def _in_each_other(woven: Mapping[LocalKey, CodeType]) -> dict[LocalKey, CodeType]:
    """Put woven codes into those that they are inside of."""
    finished: dict[LocalKey, CodeType] = {}
    for key in sorted(woven, key=lambda each: -each[0].count("<locals>")):
        finished[key] = _carrying(woven[key], finished)
    return finished


def _carrying(code: CodeType, inside: Mapping[LocalKey, CodeType]) -> CodeType:
    """Give code with others in place of those inside it."""
    if not inside:
        return code
    found = {
        id(each): inside[code_key(each)] for each in codes_in(code) if code_key(each) in inside
    }
    return embed(code, found)


def _as_it_was(function: FunctionType, code: CodeType) -> FunctionType:
    """Copy a function as it was before any code of ours; the function itself is never kept."""
    copy = FunctionType(
        code, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__dict__.update(function.__dict__)
    return copy
