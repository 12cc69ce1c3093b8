"""How a method knows a call that an override has counted: the override hands over a permit.

A method of a base class has a permit of its own. An override finds out which function `super()`
leads to, puts the first argument into that function's permit, and calls it; the function takes the
permit before anything else. In between nothing runs that is not one of the interpreter's own steps,
and so a permit is taken by no call but the one it was given for:

- Threads change, and signal handlers and finalizers run, where a function begins (at ``RESUME``),
  after a call of C and at a backward jump. The permit is put down right before the call, whose
  arguments are variables and constants, and taken in front of ``RESUME`` (`taken_first`).
- What is called is the very function that takes the permit: asked of `super()` at each call.
- A call that does not come about, since its arguments do not fit or the stack is full, leaves by an
  exception; the permit is taken back where that leaves the override, before the program sees it. So
  a call inside of a ``try`` or a ``with`` is given none.

Whoever finds no permit looks at the frame of the caller, which tells all the same, for more.
"""

from __future__ import annotations

import ast
import sys
import weakref
from opcode import opmap
from types import FunctionType
from typing import TYPE_CHECKING, Final

from ancestry_obs.code_facts import VAR_KEYWORD, VAR_POSITIONAL
from ancestry_obs.compiler.lines import UNKNOWN, line_table

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from types import CodeType
    from typing import Self

    from ancestry_obs.compiler.signature import Signature

    _Call = tuple[list[ast.stmt], "ast.Return | ast.Assign | ast.AnnAssign | ast.Expr", ast.Call]

__all__ = ["Permit", "Way", "called_as", "can_take", "going_up", "taken_first"]

_SPREAD: Final = {VAR_POSITIONAL, VAR_KEYWORD}
# Before, finalizers ran wherever a container was made: a tuple or a dict of further arguments is.
_MAY_SPREAD: Final = sys.version_info >= (3, 12)
_RESUME: Final = opmap["RESUME"]
_STORE: Final = opmap["STORE_ATTR"]
_CACHE: Final = opmap["CACHE"]


class Permit:
    """What one method takes.

    Attributes:
        first: The first argument of the call that comes next; None where there is no permit.
    """

    __slots__ = ("first",)

    def __init__(self) -> None:
        self.first: object = None


class Way(weakref.ref[FunctionType]):
    """Gives the function to which `super()` leads from an override, for instances of one type.

    It is held weakly, as woven code is out of the garbage collector's sight.

    Args:
        function: The function.
        permit: What it takes.
        kind: The type, where it has to be known when that is gone.
    """

    __slots__ = ("kind", "permit")

    def __new__(cls, function: FunctionType, *_: object) -> Self:
        """Refer to the function."""
        return super().__new__(cls, function)

    def __init__(
        self,
        function: FunctionType,  # noqa: ARG002 - what `__new__` refers to
        permit: Permit,
        kind: weakref.ref[type] | None = None,
    ) -> None:
        self.permit = permit
        self.kind = kind


def can_take(signature: Signature) -> bool:
    """Whether nothing runs between a call of a function and its first step.

    Args:
        signature: What it takes.
    """
    spreads = not _SPREAD.isdisjoint(signature.kinds)
    return sys.version_info < UNKNOWN and (_MAY_SPREAD or not spreads)


def taken_first(code: CodeType) -> CodeType:
    """Give code that begins with taking a permit before ``RESUME``, not after it.

    Args:
        code: A function's, of which that is the first statement.
    """
    bytecode = code.co_code
    operations = bytecode[::2]
    begin = operations.index(_RESUME)
    end = operations.index(_STORE, begin) + 1
    while operations[end] == _CACHE:
        end += 1
    positions = [*code.co_positions()]
    nowhere = [(None, None, None, None)] * (end - begin - 1)
    positions[begin:end] = [*nowhere, positions[begin]]
    begin, end = 2 * begin, 2 * end
    return code.replace(
        co_code=bytecode[:begin] + bytecode[begin + 2 : end] + bytecode[begin : begin + 2]
        + bytecode[end:],
        co_linetable=bytes(line_table(positions, code.co_firstlineno)),
    )  # fmt: skip


def going_up(
    block: list[ast.stmt], function: ast.FunctionDef | ast.AsyncFunctionDef, own: Container[str]
) -> Iterator[_Call]:
    """Yield the statements that do nothing before they call the method above, where they are.

    Args:
        block: Statements of an override.
        function: The override.
        own: Its spread parameters that are what they were when it was called.
    """
    for statement in block:
        match statement:
            case ast.If() | ast.For() | ast.While():
                yield from going_up(statement.body, function, own)
                yield from going_up(statement.orelse, function, own)
            case ast.Match():
                for case in statement.cases:
                    yield from going_up(case.body, function, own)
            case (
                ast.Return(value=ast.Call() as call)
                | ast.Assign(value=ast.Call() as call)
                | ast.AnnAssign(value=ast.Call() as call, simple=1)
                | ast.Expr(value=ast.Call() as call)
            ) if _goes_up(call, function.name) and _is_quiet(call, own):
                yield block, statement, call


def called_as(call: ast.Call, function: str, first: str) -> ast.IfExp:
    """Write the call of a method by `super()` as one of the function that this leads to.

    Args:
        call: The call.
        function: The variable that has the function, or None where it is not known.
        first: The name of the first argument.
    """
    known = ast.Name(function, ast.Load())
    test = ast.Compare(known, [ast.IsNot()], [ast.Constant(None)])
    own = ast.Name(first, ast.Load())
    woven = ast.IfExp(test, ast.Call(known, [own, *call.args], call.keywords), call)
    # What is raised by the call names its place: the very one that it had.
    for node in (woven, woven.test, *ast.iter_child_nodes(test), woven.body, own):
        ast.copy_location(node, call)
    return woven


def _goes_up(call: ast.Call, name: str) -> bool:
    match call.func:
        case ast.Attribute(ast.Call(ast.Name("super"), [], []), attr) as method:
            # Over several lines the call of a method is on another one than that of a function.
            return attr == name and call.lineno == method.end_lineno
    return False


def _is_quiet(call: ast.Call, own: Container[str]) -> bool:
    """Whether to give the arguments takes none but the interpreter's own steps."""
    for each in (*call.args, *(keyword.value for keyword in call.keywords if keyword.arg)):
        match each:
            case ast.Name() | ast.Constant():
                pass
            case ast.Starred(ast.Name(name)) if _MAY_SPREAD and name in own:
                pass
            case _:
                return False
    spread = [keyword.value for keyword in call.keywords if keyword.arg is None]
    return all(_MAY_SPREAD and isinstance(each, ast.Name) and each.id in own for each in spread)
