"""Codes of ours and the originals in whose place they are -> functions that run one or the other.

Functions inside functions are part of the code around them: code that holds woven code is code of
ours as well, and closures that were made before get the code that those to come are made with.
"""

from __future__ import annotations

import weakref
from types import CodeType, FunctionType
from typing import TYPE_CHECKING

from ancestry_obs.compiler.code import codes_in, counterparts, embed
from ancestry_obs.compiler.code import key_of as code_key
from ancestry_obs.frozen import frozen
from ancestry_obs.patcher.definitions_in import definition_in, functions_with
from ancestry_obs.patcher.members import core_of
from ancestry_obs.patcher.namespaces import value_at

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from types import ModuleType
    from typing import Any, Self

__all__ = ["CodeExchange", "CodeKey", "Inside", "carrying", "code_inside", "in_each_other"]

CodeKey = tuple[str, int]
"""Qualified name and first line, as code has them."""


@frozen(eq=False)
class Inside:
    """Functions inside a function that one definition makes, and the code that they are to have.

    Args:
        namespace: The globals of the function around them.
        original: The code that they have of the program's.
        code: What they are to have.
    """

    namespace: dict[str, Any]
    original: CodeType
    code: CodeType


class _Ours(weakref.ref[CodeType]):
    """Refers to code of ours, weakly: code that no function and no call has any more is forgotten.

    Args:
        code: The code.
        gone: Called with this when the code is gone.
        original: What it is in the place of.
    """

    __slots__ = ("key", "original")

    key: int
    original: CodeType

    def __new__(cls, code: CodeType, gone: Callable[[Self], object], original: CodeType) -> Self:
        """Refer to the code."""
        self = super().__new__(cls, code, gone)
        self.key = id(code)
        self.original = original
        return self

    def __init__(self, *_: object) -> None:
        """Take what `__new__` takes."""


class CodeExchange:
    """Knows every code of ours that lives."""

    def __init__(self) -> None:
        originals: dict[int, _Ours] = {}
        self._originals = originals
        self._gone = lambda ours: originals.pop(ours.key)

    def original_of(self, code: CodeType) -> CodeType:
        """Give the code in whose place this one was put; the very same if it is none of ours."""
        found = self._originals.get(id(code))
        return code if found is None else found.original

    def is_ours(self, code: CodeType) -> bool:
        """Whether a code was woven here."""
        return id(code) in self._originals

    def know(self, code: CodeType, original: CodeType) -> None:
        """Know code of ours by what it is in the place of."""
        key = id(code)
        if key not in self._originals:
            self._originals[key] = _Ours(code, self._gone, original)

    def know_inside(self, code: CodeType, original: CodeType) -> None:
        """Know code that holds ours, and what it holds, by what they are in the original."""
        if code is original:
            return
        self.know(code, original)
        for each, old in counterparts(code, original):
            self.know_inside(each, old)

    def inside(
        self,
        function: FunctionType,
        meant: Collection[CodeKey],
        woven: Mapping[CodeKey, CodeType],
    ) -> Iterator[Inside]:
        """Tell what the functions inside a function are to have.

        Args:
            function: The function around them.
            meant: Those where something has changed.
            woven: What is woven of functions inside it.
        """
        for code in codes_in(self.original_of(function.__code__)) if meant else ():
            # One that has a meant one inside is to hold other code as well.
            inner = f"{code.co_qualname}.<locals>."
            if code_key(code) in meant or any(name.startswith(inner) for name, _ in meant):
                wanted = woven.get(code_key(code)) or carrying(code, woven)
                self.know_inside(wanted, code)
                yield Inside(function.__globals__, code, wanted)

    def give_to_closures(self, wanted: Iterable[Inside]) -> None:
        """Give functions that are there already the code that those to come are made with."""
        groups: dict[CodeKey, list[Inside]] = {}
        for each in wanted:
            groups.setdefault(code_key(each.original), []).append(each)
        if not groups:
            return
        codes = {id(code): code for code in self._codes()}
        codes |= {id(each.original): each.original for group in groups.values() for each in group}
        for function in functions_with(codes.values()):
            code = function.__code__
            for each in groups.get(code_key(code), ()):
                # Those of a maker that was loaded again have equal code.
                is_meant = function.__globals__ is each.namespace and code is not each.code
                if is_meant and self.original_of(code) == each.original:
                    function.__code__ = each.code

    def give_to_called(self, code: CodeType, original: CodeType, whole: CodeType) -> None:
        """Have the original that woven code calls make functions with what is woven of those.

        Args:
            code: The woven code.
            original: What it calls.
            whole: What it is to call.
        """
        self.know_inside(whole, original)
        for each in code.co_consts:
            if type(each) is FunctionType and self.original_of(each.__code__) is original:
                each.__code__ = whole

    def give_back_in(self, module: ModuleType, code: CodeType) -> None:
        """Give the function under a name its own code back, whatever a decorator made of it."""
        held = core_of(value_at(module, code.co_qualname))
        found = definition_in(held, module.__name__, code.co_qualname)
        if found is not None and found.__code__ is code:
            found.__code__ = self.original_of(code)

    def give_back(self, codes: Collection[int]) -> None:
        """Give functions their own code in place of some of ours, or of what holds one of them.

        Args:
            codes: The ids of the codes.
        """
        for function, code in self._functions():
            if id(code) in codes or any(id(each) in codes for each in codes_in(code)):
                function.__code__ = self.original_of(code)

    def give_all_back(self) -> None:
        """Give every function that has code of ours its own, whoever holds it."""
        for function, code in self._functions():
            function.__code__ = self.original_of(code)

    def _codes(self) -> list[CodeType]:
        """Give all code of ours that lives."""
        known = [reference() for reference in list(self._originals.values())]
        return [code for code in known if code is not None]

    def _functions(self) -> Iterator[tuple[FunctionType, CodeType]]:
        for function in functions_with(self._codes()):
            code = function.__code__
            if self.is_ours(code):
                yield function, code


def code_inside(outer: CodeType, key: CodeKey) -> CodeType | None:
    """Find code inside other code."""
    return next((code for code in codes_in(outer) if code_key(code) == key), None)


def in_each_other(woven: Mapping[CodeKey, CodeType]) -> dict[CodeKey, CodeType]:
    """Put woven codes into those that they are inside of."""
    if not any("<locals>" in name for name, _ in woven):
        return dict(woven)
    finished: dict[CodeKey, CodeType] = {}
    for key in sorted(woven, key=lambda each: -each[0].count("<locals>")):
        finished[key] = carrying(woven[key], finished)
    return finished


def carrying(code: CodeType, inside: Mapping[CodeKey, CodeType]) -> CodeType:
    """Give code with others in place of those inside it."""
    if not inside:
        return code
    found = {
        id(each): inside[code_key(each)] for each in codes_in(code) if code_key(each) in inside
    }
    return embed(code, found) if found else code
