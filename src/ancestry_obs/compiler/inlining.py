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
    from collections.abc import Collection, Iterator, Sequence
    from types import CodeType

    from ancestry_obs.compiler.aspect import Aspect
    from ancestry_obs.compiler.body import Function, Put
    from ancestry_obs.compiler.definitions import Key
    from ancestry_obs.compiler.trees import Tree

    _Group = tuple[Key, Sequence[Aspect]]

__all__ = ["READ", "inlined", "woven_tree"]

READ: Final = "what reads its code must find its own"
_OTHER_CODE: Final = "its source gives other code than what runs"
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
    results = _woven_in(_Source(text), aspects)
    others = [each for each in aspects if results[id(each)] == _OTHER_CODE]
    if others:
        # IPython compiles each statement of a cell by itself.
        results |= _woven_in(_Source(text, by_statement=True), others)
    return [results[id(aspect)] for aspect in aspects]


def _woven_in(source: _Source, aspects: Sequence[Aspect]) -> dict[int, CodeType | str]:
    groups: dict[Key, list[Aspect]] = {}
    for aspect in aspects:
        groups.setdefault(key_of(aspect.known_code), []).append(aspect)
    source.weave([*groups.items()])
    return source.results


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
    key = key_of(aspect.known_code)
    definitions = _Source(text).trees([(key, [aspect])])
    assert definitions is not None  # noqa: S101 - its source is known by now
    return definitions.found[key]


class _Source:
    """One text.

    Args:
        text: The source.
        by_statement: Whether each statement was compiled by itself, without the imports of others.

    Attributes:
        results: By the id of an aspect its code, or why there is none.
    """

    def __init__(self, text: str, *, by_statement: bool = False) -> None:
        self._text = text
        self._by_statement = by_statement
        self._lent: list[Tree] = []
        self._put: dict[Key, Put] = {}
        self.results: dict[int, CodeType | str] = {}

    def weave(self, groups: Sequence[_Group]) -> None:
        """Weave groups of aspects, each of which has one definition."""
        try:
            self._weave_together(groups)
        except _LIMITS as error:
            if len(groups) == 1:
                self._refuse(groups[0][1], f"Python compiles no statements into it: {error}")
                return
            half = len(groups) // 2
            self.weave(groups[:half])
            self.weave(groups[half:])

    def trees(self, groups: Sequence[_Group]) -> Definitions | None:
        """Put the statements into the definitions of groups whose functions are proven.

        Returns:
            The definitions; none if the source is no Python.
        """
        try:
            with quietly():
                definitions = Definitions(self._text, FILENAME, by_statement=self._by_statement)
        except _LIMITS as error:
            for _, group in groups:
                self._refuse(group, f"its source is no Python: {error}")
            return None
        self._prove(definitions, groups)
        for key, group in groups:
            first = next((each for each in group if id(each) not in self.results), None)
            if first is not None:
                template, names = shape_of(first).template, first.signature.names
                line = first_line(first.known_code)
                put = weave_body(definitions.found[key], template, names, line)
                self._lent += put.trees
                self._put[key] = put
        return definitions

    def _weave_together(self, groups: Sequence[_Group]) -> None:
        definitions = self.trees(groups)
        if definitions is None or not self._put:
            return
        whole = compiled(definitions.tree(), groups[0][1][0].known_code)
        codes = {key_of(code): code for code in codes_in(whole)}
        while self._lent:
            self._lent.pop().give_back()
        for key, group in groups:
            if key not in self._put:
                continue
            code = codes.get(definitions.compiled[key])
            woven = self._put.pop(key).finished(code) if code is not None else None
            for aspect in group:
                if id(aspect) in self.results:
                    continue
                original = aspect.known_code
                if woven is None or woven.co_freevars != original.co_freevars:
                    self._refuse([aspect], "statements inside would change its variables")
                else:
                    self.results[id(aspect)] = with_inside_of(woven, original)

    def _prove(self, definitions: Definitions, groups: Sequence[_Group]) -> None:
        """Compile the untouched source: what gives the very code that runs can be woven."""
        present = {key for key, _ in groups if definitions.want(key)}
        codes: dict[Key, list[CodeType]] = {}
        for each in codes_in(compiled(definitions.tree(), groups[0][1][0].known_code)):
            codes.setdefault(key_of(each), []).append(each)
        for key, group in groups:
            if key not in present:
                self._refuse(group, "its definition is not in its source")
                continue
            for aspect in group:
                reason = self._doubt(definitions, key, aspect, codes.get(key, ()))
                if reason:
                    self._refuse([aspect], reason)

    def _doubt(
        self, definitions: Definitions, key: Key, aspect: Aspect, proofs: Collection[CodeType]
    ) -> str:
        """Tell why an aspect cannot be woven into its definition; empty if it can.

        Args:
            definitions: Has the definition.
            key: Of the definition.
            aspect: What is wanted.
            proofs: What the untouched source gives.
        """
        code, definition = aspect.known_code, definitions.found[key]
        if unmarked(code) not in proofs:
            return _OTHER_CODE
        if aspect.function is None and not _keeps_function(definition, aspect):
            return READ
        seen = looks_at_locals(definition, code.co_names, definitions.other_names)
        return seen and f"it could see the statements' variables by {seen}"

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
