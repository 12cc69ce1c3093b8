"""A source and aspects of it come in; each one's code comes out, or why none can be made of it.

    the text -> definitions -> the same code, as proof -> the statements in their trees -> code

The objects that the statements need are no part of that: constants stand for them. So what comes
out depends on nothing but the text, the codes and the statements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ancestry_obs.code_cache import written_out
from ancestry_obs.compiler.body import weave_body
from ancestry_obs.compiler.code import (
    FILENAME,
    codes_in,
    compiled,
    key_of,
    quietly,
    unfilled,
    unmarked,
    with_inside_of,
)
from ancestry_obs.compiler.definitions import Definitions, decorators
from ancestry_obs.compiler.lines import first_line
from ancestry_obs.compiler.shape import shape_of
from ancestry_obs.compiler.visibility import looks_at_locals
from ancestry_obs.compiler.yields import hands_over_inside
from ancestry_obs.exceptions import CompileError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from types import CodeType

    from ancestry_obs.code_cache import CodeCache
    from ancestry_obs.compiler.aspect import Aspect
    from ancestry_obs.compiler.body import Function, Put
    from ancestry_obs.compiler.code import Unfilled
    from ancestry_obs.compiler.definitions import Key
    from ancestry_obs.compiler.sources import Source
    from ancestry_obs.compiler.trees import Tree

    _Group = tuple[Key, Sequence[Aspect]]

__all__ = ["NOT_YET", "READ", "inlined", "woven_tree"]

READ: Final = "what reads its code must find its own"
_OTHER_CODE: Final = "its source gives other code than what runs"
NOT_YET: Final = "its source is not there, so that it is woven when it is a function"
_ABSENT: Final = "its source is not there"
# What reads a function's bytecode, at once or later, finds the statements' objects in it.
_READ_CODE: Final = frozenset({"cfunc", "guvectorize", "jit", "njit", "stencil", "vectorize"})
# The name leads to the getter; these have names of their own, ``name.fset`` and ``name.fdel``.
_OTHER_ACCESSORS: Final = frozenset({"deleter", "setter"})
# Python's limits: blocks in blocks, and how deep a tree may be.
_LIMITS: Final = (SyntaxError, ValueError, RecursionError, MemoryError)


def inlined(aspects: Sequence[Aspect], source: Source) -> list[Unfilled | str]:
    """Put the statements of aspects into the definitions of their codes.

    Args:
        aspects: What is wanted. Aspects of one definition have one shape.
        source: Where the codes come from.

    Returns:
        For each the code, or why the statements cannot be inside it.
    """
    cache = aspects[0].runtime.code_cache
    name = _name_of_entry(cache, aspects, source) if cache is not None else ""
    found: list[Unfilled | str] | None = cache.read(name) if cache is not None and name else None
    if found is None:
        text = source.text
        if text is None:
            return [_ABSENT if source.module is None else NOT_YET] * len(aspects)
        found = [_unfilled(*each) for each in zip(aspects, _compiled(aspects, text), strict=True)]
        if cache is not None and name:
            cache.write(name, found)
    return found


def _name_of_entry(cache: CodeCache, aspects: Sequence[Aspect], source: Source) -> str:
    """Name what the cache has for some aspects; empty if it can have nothing.

    The name is the proof: it tells an entry from those of any other code. What is decided besides
    by the source, such as what a decorator may do, is decided by the code of the whole module just
    as well; where that is not at hand, the text has a say.
    """
    parts: list[bytes] = []
    try:
        if source.module is None:
            parts += [written_out(each.known_code) for each in aspects]
            parts.append((source.text or "").encode("utf-8", "surrogatepass"))
        else:
            parts.append(written_out(source.module))
    except ValueError:  # code that a tool has made may have any object among its constants
        return ""
    for each in aspects:
        # Code without a function may be refused for what its definition is.
        code, flags = each.known_code, (each.function is None, each.is_definition, each.reads_first)
        parts.append(f"{code.co_firstlineno} {flags} {each.named} {code.co_qualname}".encode())
        parts.append(shape_of(each).template.digest)
    return cache.name(parts)


def _unfilled(aspect: Aspect, made: CodeType | str) -> Unfilled | str:
    return made if isinstance(made, str) else unfilled(made, aspect.known_code)


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


def woven_tree(aspect: Aspect, text: str) -> Function:
    """Give the definition of one aspect that can be woven inline, with the statements in it.

    Args:
        aspect: What is wanted.
        text: The source.

    Raises:
        CompileError: The source is another one by now.
    """
    key = key_of(aspect.known_code)
    source = _Source(text)
    definitions = source.trees([(key, [aspect])])
    if definitions is None or id(aspect) in source.results:
        raise CompileError("its source is not what it was when it was woven")
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
                lines = {line for (_, line), _ in groups}
                definitions = Definitions(
                    self._text, FILENAME, lines, by_statement=self._by_statement
                )
        except _LIMITS as error:
            for _, group in groups:
                self._refuse(group, f"its source is no Python: {error}")
            return None
        self._prove(definitions, groups)
        for key, group in groups:
            first = next((each for each in group if id(each) not in self.results), None)
            if first is not None:
                template, names = shape_of(first).template, first.named
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
        if shape_of(aspect).template.statements.handed and (how := hands_over_inside(definition)):
            return f"it hands items over {how}"
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
