"""A module's code before it runs, with the targets that may be in it -> what is surely woven."""

from __future__ import annotations

from types import CodeType
from typing import TYPE_CHECKING, Final

from ancestry_obs.code_facts import CO_NEWLOCALS, CO_OPTIMIZED
from ancestry_obs.patcher.join_points import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

    from ancestry_obs.patcher.join_points import At
    from ancestry_obs.patcher.pointcuts import Target

    _Matcher = tuple[Callable[[str], object], At, tuple[Hashable]]
    _Matchers = tuple[list[Target], list[_Matcher], bool]

__all__ = ["DefinitionsToCome"]

# What a function has and a class body has not.
_FUNCTION: Final = CO_OPTIMIZED | CO_NEWLOCALS


class DefinitionsToCome:
    """Chooses the code that definitions will have, as far as that is certain."""

    def __init__(self) -> None:
        # Most modules that are imported one after the other are of one package.
        self._matchers: _Matchers = [], [], False

    def chosen(self, concerned: list[Target], name: str, code: CodeType) -> list[Wanted]:
        """Choose it in some code.

        Args:
            concerned: The targets that may be in the module; the same list for modules alike.
            name: What targets call the module.
            code: What is to be executed there.
        """
        # Kept by itself: another thread may import another package meanwhile.
        known = self._matchers
        if concerned is not known[0]:
            known = self._matchers = (concerned, *_matchers(concerned))
        _, matchers, is_deep = known
        chosen: list[Wanted] = []
        for each in _definitions_in(code, is_deep=is_deep) if matchers else ():
            qualname = each.co_qualname
            meant = [(at, advices) for matches, at, advices in matchers if matches(qualname)]
            if meant:
                outer = qualname.rpartition(".")[0]
                wants_definition = all(at == "definition" for at, _ in meant)
                advices: tuple[Hashable, ...] = meant[0][1]
                if len(meant) > 1:
                    advices = tuple(dict.fromkeys([alone for _, (alone,) in meant]))
                chosen.append(
                    Wanted(
                        target=f"{name}:{qualname}",
                        code=each,
                        function=None,
                        advices=advices,
                        is_method=bool(outer) and not outer.endswith("<locals>"),
                        is_definition="<locals>" in qualname or wants_definition,
                    )
                )
        return chosen


def _matchers(targets: Iterable[Target]) -> tuple[list[_Matcher], bool]:
    """Give what tells which definitions are meant, and whether functions inside functions may be.

    Most definitions are meant by one pattern, and then share the one advice.
    """
    wanted = [
        (each.pattern, each.pointcut)
        for each in targets
        if each.pattern is not None and not each.pointcut.subclasses
    ]
    matchers = [(pattern.matcher, each.at, (each.advice,)) for pattern, each in wanted]
    return matchers, any("<locals>" in pattern.qualname for pattern, _ in wanted)


def _definitions_in(code: CodeType, *, is_deep: bool) -> Iterator[CodeType]:
    """Yield the code of each function that is defined in some code, from the outside to the inside.

    Args:
        code: The code.
        is_deep: Whether functions inside functions are of interest.
    """
    for each in code.co_consts:
        if type(each) is CodeType:
            is_function = each.co_flags & _FUNCTION == _FUNCTION
            has_name = not each.co_name.startswith("<")
            if is_function and has_name:
                yield each
            # What has type parameters stands in a function without a name of its own.
            if is_deep or not (is_function and has_name):
                yield from _definitions_in(each, is_deep=is_deep)
