"""Trees and text come in, code objects go out; and objects come to stand in code's constants.

Nothing here knows what is woven. Two facts of CPython are relied on: code objects compare by what
they do and where (names, bytecode, constants, lines), and their constants may be any objects.
"""

from __future__ import annotations
import __future__

import ast
import re
import warnings
from contextlib import contextmanager
from functools import reduce
from operator import or_
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.code_facts import CO_ITERABLE_COROUTINE, CO_NESTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ancestry_obs.compiler.definitions import Key

    _Places = tuple[tuple[int, int | str | None], ...]
    Unfilled = tuple[tuple[Any, ...], tuple[object, ...], tuple[Any, ...], _Places]

__all__ = [
    "CONSTANT",
    "FILENAME",
    "NamesToConstants",
    "Unfilled",
    "codes_in",
    "compiled",
    "copied",
    "counterparts",
    "embed",
    "filled",
    "inner_code",
    "key_of",
    "quietly",
    "unfilled",
    "unmarked",
    "with_constants",
    "with_inside_of",
    "with_objects",
]


CONSTANT: Final = "\0ancestry-obs "
"""How the text begins that stands for an object until the code is there that can hold it."""

FILENAME: Final = "<ancestry-obs weaving>"
"""What source is compiled as until the code gets its own file name again."""

_OUR_FILES: Final = re.compile("<ancestry-obs ")


def key_of(code: CodeType) -> Key:
    """Give what tells the codes of one module apart."""
    return code.co_qualname, code.co_firstlineno


# What is imported from it by a statement of a module's own. The oldest two are no flags of code.
_FROM_FUTURE: Final = reduce(
    or_,
    (
        getattr(__future__, name).compiler_flag
        for name in {*__future__.all_feature_names} - {"nested_scopes", "generators"}
    ),
)


def compiled(tree: ast.Module | str, like: CodeType | None = None) -> CodeType:
    """Compile a module, without a word about what is odd in it: its author was told.

    Args:
        tree: The module, as a tree or as text.
        like: Code that was compiled with what its compiler had from `__future__` by itself, as
            those of IPython have from cells before.
    """
    flags = like.co_flags & _FROM_FUTURE if like is not None else 0
    with quietly():
        code: CodeType = compile(tree, FILENAME, "exec", flags, dont_inherit=True)
    return code


def unmarked(code: CodeType) -> CodeType:
    """Give code as its source was compiled, before `types.coroutine` made it awaitable."""
    flags = code.co_flags & ~CO_ITERABLE_COROUTINE
    return code if flags == code.co_flags else code.replace(co_flags=flags)


@contextmanager
def quietly() -> Iterator[None]:
    """Let nobody hear what Python finds odd about a source of ours, or one compiled once more."""
    # Put in front by hand: `catch_warnings` would make the program's own warnings show again.
    ours = ("ignore", None, Warning, _OUR_FILES, 0)
    filters: list[Any] = warnings.filters  # type: ignore[assignment]  # it is one
    filters.insert(0, ours)
    try:
        yield
    finally:
        filters.remove(ours)


def codes_in(code: CodeType) -> Iterator[CodeType]:
    """Yield every code object inside another one, from the outside to the inside."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from codes_in(constant)


def with_objects(text: str, original: CodeType, objects: Mapping[str, object]) -> CodeType:
    """Compile a function in which some names stand for objects.

    Args:
        text: Its source.
        original: What it takes the place of.
        objects: The objects by their names; to the code they are constants.
    """
    # As text: each process that begins waits for this, and a tree takes three times as long.
    text = re.sub(r"\w+", lambda w: repr(CONSTANT + w[0]) if w[0] in objects else w[0], text)
    code = next(codes_in(compiled(text)))
    return with_constants(code, original, {CONSTANT + name: each for name, each in objects.items()})


class NamesToConstants(ast.NodeTransformer):
    """Makes constants of names that stand for objects.

    Args:
        stands_for_object: Tells of a name whether it does.
    """

    def __init__(self, stands_for_object: Callable[[str], bool]) -> None:
        self._stands_for_object = stands_for_object

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Exchange the name."""
        constant = ast.Constant(CONSTANT + node.id)
        return ast.copy_location(constant, node) if self._stands_for_object(node.id) else node


def with_constants(code: CodeType, original: CodeType, constants: Mapping[str, object]) -> CodeType:
    """Give woven code the identity of its original, and the objects that its constants stand for.

    Args:
        code: What was compiled.
        original: What it takes the place of.
        constants: The object for each text.
    """
    return filled(unfilled(code, original), original, {}, constants)


def unfilled(code: CodeType, original: CodeType) -> Unfilled:
    """Give woven code the identity of its original, without any object in it yet.

    Args:
        code: What was compiled.
        original: What it takes the place of.

    Returns:
        What `marshal` can write: what code is made of, in the order that `CodeType` takes it, with
        the constants by themselves; and which of those are to become something else: the constant
        of the original that has a number; what stands for a text; or, for what consists of others,
        that with all that is inside it exchanged.
    """
    marks = CO_NESTED | CO_ITERABLE_COROUTINE
    # Texts are the very ones of the original: who writes out both it and a docstring writes one.
    own: dict[object, int] = {}
    for index, each in enumerate(original.co_consts):
        if type(each) is str:
            own[each] = index
        elif type(each) is CodeType:
            own[id(each)] = index
    constants: list[object] = []
    places: list[tuple[int, int | str | None]] = []
    for index, each in enumerate(code.co_consts):
        constant: object = each
        if type(each) is str and each.startswith(CONSTANT):
            places.append((index, each))
        elif type(each) is str and each in own:
            places.append((index, own[each]))
        elif type(each) is CodeType and id(each) in own:
            places.append((index, own[id(each)]))
            constant = None
        elif _holds(each, own):
            places.append((index, None))
        constants.append(constant)
    counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_nlocals
    # What `types.coroutine` made awaitable stays awaitable.
    flags = code.co_flags & ~marks | original.co_flags & marks
    named = original.co_filename, original.co_name, original.co_qualname, original.co_firstlineno
    tables = code.co_linetable, code.co_exceptiontable, code.co_freevars, code.co_cellvars
    return (
        (*counts, code.co_stacksize, flags, code.co_code),
        tuple(constants),
        (code.co_names, code.co_varnames, *named, *tables),
        tuple(places),
    )


def _holds(value: object, own: Mapping[object, int]) -> bool:
    """Whether something is to be exchanged inside a constant."""
    if type(value) is str:
        return value.startswith(CONSTANT) or value in own
    if type(value) is tuple:
        return any(_holds(each, own) for each in value)
    return type(value) is CodeType and value.co_filename == FILENAME


def filled(
    made: Unfilled,
    original: CodeType,
    own: Mapping[str, object],
    common: Mapping[str, object],
) -> CodeType:
    """Give woven code its objects.

    Args:
        made: What `unfilled` gave, perhaps in another process.
        original: What it takes the place of.
        own: The object for each text that stands for one in this code.
        common: The same for texts that stand for one object in many codes.
    """
    before, standing, after, places = made
    constants, originals = [*standing], original.co_consts
    for index, source in places:
        if isinstance(source, int):
            constants[index] = originals[source]
        elif source is not None:
            constants[index] = own[source] if source in own else common.get(source, source)
        else:
            constants[index] = _exchanged(constants[index], original, own, common)
    # Made at once: a code object that was read would have to be made a second time.
    return CodeType(*before, tuple(constants), *after)  # type: ignore[call-arg]  # eighteen


def _exchanged(
    value: object, original: CodeType, own: Mapping[str, object], common: Mapping[str, object]
) -> object:
    """Give a constant with the objects inside it."""
    if value is None:
        return None
    if type(value) is tuple:
        # What is written as a tuple of constants is one constant.
        return tuple([_exchanged(each, original, own, common) for each in value])
    if type(value) is str:
        if value.startswith(CONSTANT):
            return own[value] if value in own else common.get(value, value)
        return next((e for e in original.co_consts if type(e) is str and e == value), value)
    if type(value) is CodeType and value.co_filename == FILENAME:
        inside = tuple([_exchanged(each, original, own, common) for each in value.co_consts])
        return value.replace(co_filename=original.co_filename, co_consts=inside)
    return value


def with_inside_of(code: CodeType, original: CodeType) -> CodeType:
    """Give code that was compiled once more the very functions inside that its original has.

    What its original lacks stays: Python may have dropped there what is never run.

    Args:
        code: What was compiled.
        original: What it takes the place of.
    """
    own = {id(each): old for each, old in counterparts(code, original)}
    if not own:
        return code
    return code.replace(co_consts=tuple(own.get(id(each), each) for each in code.co_consts))


def counterparts(code: CodeType, original: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """Yield each code directly inside one with what it is in another that has the same ones.

    Args:
        code: What holds them; what the other one lacks is passed over.
        original: The other one.
    """
    by_key: dict[Key, list[CodeType]] = {}
    for each in original.co_consts:
        if type(each) is CodeType:
            by_key.setdefault(key_of(each), []).append(each)
    for each in code.co_consts if by_key else ():
        if isinstance(each, CodeType):
            alike = by_key.get(key_of(each), [])
            # Lambdas on one line have one name.
            same = [old for old in alike if old == each] if len(alike) > 1 else alike
            if same:
                yield each, same[0]


def copied(function: FunctionType) -> FunctionType:
    """Make a function that goes on doing what one did; its caller passes every argument."""
    return FunctionType(
        function.__code__, function.__globals__, function.__name__, None, function.__closure__
    )


def embed(
    code: CodeType,
    replacements: Mapping[int, CodeType],
    know: Callable[[CodeType, CodeType], None] | None = None,
) -> CodeType:
    """Exchange codes inside another one.

    Args:
        code: What holds them, directly or deeper.
        replacements: What takes the place of each, by the id of the original.
        know: Called with each code that is made here and with what it takes the place of.

    Returns:
        Code that holds the replacements; the very same code if it has none of the originals.
    """
    constants: list[object] | None = None
    for index, each in enumerate(code.co_consts):
        if type(each) is CodeType:
            new = replacements.get(id(each)) or embed(each, replacements, know)
            if new is not each:
                constants = constants or [*code.co_consts]
                constants[index] = new
    if constants is None:
        return code
    whole = code.replace(co_consts=tuple(constants))
    if know is not None:
        know(whole, code)
    return whole


def inner_code(function: ast.AST, free: Iterable[str]) -> CodeType:
    """Compile a function's tree that reads variables of a function around it.

    Args:
        function: The tree.
        free: The variables' names.
    """
    around = ast.parse(f"def around({', '.join(free)}): pass")
    vars(around.body[0])["body"] = [function]
    return next(codes_in(next(codes_in(compiled(around)))))
