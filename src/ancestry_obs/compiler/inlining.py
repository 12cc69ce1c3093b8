"""A source and aspects of it come in; each one's code comes out, or why none can be made of it.

    the text -> definitions -> the same code, as proof -> the statements in their trees -> code

The objects that the statements need are no part of that: constants stand for them. So what comes
out depends on nothing but the text, the codes and the statements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ancestry_obs.compiler.body import weave_body
from ancestry_obs.compiler.code import (
    FILENAME,
    codes_in,
    compiled,
    key_of,
    quietly,
    unmarked,
    with_inside_of,
)
from ancestry_obs.compiler.definitions import Definitions, decorators
from ancestry_obs.compiler.lines import first_line
from ancestry_obs.compiler.shape import shape_of
from ancestry_obs.compiler.visibility import looks_at_locals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import CodeType

    from ancestry_obs.compiler.aspect import Aspect
    from ancestry_obs.compiler.body import Function, Put
    from ancestry_obs.compiler.definitions import Key
    from ancestry_obs.compiler.trees import Tree

__all__ = ["READ", "inlined", "woven_tree"]

READ: Final = "what reads its code must find its own"
# What reads a function's bytecode, at once or later, finds the statements' objects in it.
_READ_CODE: Final = frozenset({"cfunc", "guvectorize", "jit", "njit", "stencil", "vectorize"})
# The name leads to the getter; these have names of their own, ``name.fset`` and ``name.fdel``.
_OTHER_ACCESSORS: Final = frozenset({"deleter", "setter"})
# Python's limits: blocks in blocks, and how deep a tree may be.
_LIMITS: Final = (SyntaxError, ValueError, RecursionError, MemoryError)


def inlined(aspects: Sequence[Aspect], text: str) -> list[CodeType | str]:
    """Put the statements of aspects into the definitions of their codes.

    Args:
        aspects: What is wanted. Aspects of one definition have one shape.
        text: The source.

    Returns:
        For each the code, or why the statements cannot be inside it.
    """
    cache = aspects[0].runtime.code_cache
    if cache is None:
        return _compiled(aspects, text)
    name = cache.name(_depends_on(aspects, text))
    found = _kept(aspects, cache.read(name))
    if found is None:
        found = _compiled(aspects, text)
        cache.write(name, [*zip(map(_original, aspects), found, strict=True)])
    return found


def _compiled(aspects: Sequence[Aspect], text: str) -> list[CodeType | str]:
    source = _Source(text)
    source.weave(_alike(aspects))
    return [source.results[id(aspect)] for aspect in aspects]


def _depends_on(aspects: Sequence[Aspect], text: str) -> Iterator[bytes]:
    yield text.encode("utf-8", "surrogatepass")
    for aspect in aspects:
        # Code without a function may be refused for what its definition is.
        flags = aspect.function is None, aspect.is_definition, aspect.reads_first
        yield repr((*key_of(aspect.known_code), *flags)).encode()
        yield shape_of(aspect).template.digest


def _kept(
    aspects: Sequence[Aspect], entry: Sequence[tuple[CodeType, CodeType | str]] | None
) -> list[CodeType | str] | None:
    """Take an entry if it was made of the very codes that run: that is its proof."""
    if entry is None or [original for original, _ in entry] != [*map(_original, aspects)]:
        return None
    return [
        found if isinstance(found, str) else with_inside_of(found, aspect.known_code)
        for aspect, (_, found) in zip(aspects, entry, strict=True)
    ]


def _original(aspect: Aspect) -> CodeType:
    return unmarked(aspect.known_code)


def woven_tree(aspect: Aspect, text: str) -> Function:
    """Give the definition of one aspect that can be woven inline, with the statements in it.

    Args:
        aspect: What is wanted.
        text: The source.
    """
    _, (woven,) = _Source(text).trees([[aspect]])
    return woven


def _alike(aspects: Sequence[Aspect]) -> list[list[Aspect]]:
    groups: dict[Key, list[Aspect]] = {}
    for aspect in aspects:
        groups.setdefault(key_of(aspect.known_code), []).append(aspect)
    return list(groups.values())


class _Source:
    """One text.

    Args:
        text: The source.

    Attributes:
        results: By the id of an aspect its code, or why there is none.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._lent: list[Tree] = []
        self._put: dict[Key, Put] = {}
        self.results: dict[int, CodeType | str] = {}

    def weave(self, groups: Sequence[Sequence[Aspect]]) -> None:
        """Weave groups of aspects, each of which has one definition."""
        try:
            self._weave_together(groups)
        except _LIMITS as error:
            if len(groups) == 1:
                self._refuse(groups[0], f"Python compiles no statements into it: {error}")
                return
            half = len(groups) // 2
            self.weave(groups[:half])
            self.weave(groups[half:])

    def trees(
        self, groups: Sequence[Sequence[Aspect]]
    ) -> tuple[Definitions | None, list[Function]]:
        """Put the statements into the definitions of groups whose functions are proven."""
        try:
            with quietly():
                definitions = Definitions(self._text, FILENAME)
        except _LIMITS as error:
            for group in groups:
                self._refuse(group, f"its source is no Python: {error}")
            return None, []
        self._prove(definitions, [aspect for group in groups for aspect in group])
        woven = []
        for group in groups:
            proven = [aspect for aspect in group if id(aspect) not in self.results]
            if proven:
                first = proven[0]
                code, template = first.known_code, shape_of(first).template
                woven.append(definitions.found[key_of(code)])
                names, line = first.signature.names, first_line(code)
                put = weave_body(woven[-1], template, names, line)
                self._lent += put.trees
                self._put[key_of(code)] = put
        return definitions, woven

    def _weave_together(self, groups: Sequence[Sequence[Aspect]]) -> None:
        definitions, woven = self.trees(groups)
        if definitions is None or not woven:
            return
        codes = {key_of(code): code for code in codes_in(compiled(definitions.tree()))}
        while self._lent:
            self._lent.pop().give_back()
        for aspect in (each for group in groups for each in group):
            if id(aspect) in self.results:
                continue
            original = aspect.known_code
            code = codes.get(definitions.compiled[key_of(original)])
            if code is None or code.co_freevars != original.co_freevars:
                self._refuse([aspect], "statements inside would change its variables")
            else:
                finished = self._put[key_of(original)].finished(code)
                self.results[id(aspect)] = with_inside_of(finished, original)

    def _prove(self, definitions: Definitions, aspects: Sequence[Aspect]) -> None:
        """Compile the untouched source: what gives the very code that runs can be woven."""
        present = {id(each) for each in aspects if definitions.want(key_of(each.known_code))}
        codes: dict[Key, list[CodeType]] = {}
        for each in codes_in(compiled(definitions.tree())):
            codes.setdefault(key_of(each), []).append(each)
        for aspect in aspects:
            code = aspect.known_code
            key = key_of(code)
            if id(aspect) not in present:
                self._refuse([aspect], "its definition is not in its source")
            elif unmarked(code) not in codes.get(key, ()):
                self._refuse([aspect], "its source gives other code than what runs")
            elif aspect.function is None and not _keeps_function(definitions.found[key], aspect):
                self._refuse([aspect], READ)
            elif seen := looks_at_locals(
                definitions.found[key], code.co_names, definitions.other_names
            ):
                self._refuse([aspect], f"it could see the statements' variables by {seen}")

    def _refuse(self, aspects: Sequence[Aspect], reason: str) -> None:
        self.results.update((id(aspect), reason) for aspect in aspects)


def _keeps_function(node: Function, aspect: Aspect) -> bool:
    """Whether code can be woven into that is no function yet, as far as its definition tells.

    Whatever a decorator makes of it, its calls count until the name is there; then it is seen to
    which function the name leads.
    """
    names = decorators(node)
    # What a class calls without the instance is known when the class is there.
    is_other = (aspect.reads_first and "staticmethod" in names) or names & _OTHER_ACCESSORS
    return not is_other and (aspect.is_definition or names.isdisjoint(_READ_CODE))
