"""A function's tree and an aspect's statements come in; the same tree with them inside goes out.

    entry
    try:
        begin
        the body, where `return x` is: result = x; leave; return result
    except:
        failure; raise

A body that ends in one place alone has it after all of that, where nothing of the program follows:

    entry
    try:
        the body, where `return x` is: result = x
    except:
        failure; raise
    leave
    return result

A `return` inside a ``with``, or a ``try`` that has a ``finally``, is not yet the end of the call: a
function with such a one has its `leave` in a ``finally`` around all of that instead.

No result stays in its variable: such a ``finally`` empties it, or the ``return`` does (`lines`).

The statements take the lines of those beside them, so that a debugger, a tracer and coverage see
the lines that they always saw: at the entry the body's first one, at a ``return`` its own, at the
body's end that of the last statement, where an exception leaves none. What several ways lead to is
on the line that each of them was on (`lines`). Where a look-up misses, a line may show several
times in a row.
"""

from __future__ import annotations

import ast
import re

# What `hashlib` has, without OpenSSL, which takes longer to load than all of this package.
from _blake2 import blake2b
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ancestry_obs.compiler.code import NamesToConstants
from ancestry_obs.compiler.lines import AS_BEFORE, NEEDS_ROOM, NOWHERE, settled
from ancestry_obs.compiler.permits import called_as, going_up, taken_first
from ancestry_obs.compiler.trees import Block, shared
from ancestry_obs.compiler.yields import is_handing_over
from ancestry_obs.frozen import field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import CodeType

    from ancestry_obs.compiler.statements import Statements
    from ancestry_obs.compiler.trees import Place, Tree

    _Loop = ast.For | ast.AsyncFor | ast.While
    _End = Callable[[Place, ast.expr | None], list[ast.stmt]]

__all__ = ["Function", "Put", "Template", "calling_function", "weave_body"]

Function = ast.FunctionDef | ast.AsyncFunctionDef
_Node = TypeVar("_Node", bound=ast.AST)

_WORD: Final = re.compile(r"\w+")
_NESTED: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_BLOCKS: Final = ("body", "orelse", "finalbody", "handlers", "cases")
_LEAVING: Final = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_LOOPS: Final = (ast.For, ast.AsyncFor, ast.While)
_WITH: Final = (ast.With, ast.AsyncWith)
_PROTECTING: Final = (ast.Try, ast.TryStar, *_WITH)
_PLACES: Final = (
    "take", "entry", "begin", "give", "item", "resumed", "leave", "recall", "failure",
)  # fmt: skip


@frozen(slots=False)
class Template:
    """An aspect's statements as trees, for any function of its shape.

    Args:
        statements: The text.
        prefix: What each name of ours begins with.
        parameters: The placeholder of each parameter that they name, in order.

    Attributes:
        take, entry, begin, give, item, resumed, leave, recall, failure: The blocks of
            `statements`.
    """

    statements: Statements
    prefix: str
    parameters: tuple[str, ...]
    take: Block = field(init=False)
    entry: Block = field(init=False)
    begin: Block = field(init=False)
    give: Block = field(init=False)
    leave: Block = field(init=False)
    recall: Block = field(init=False)
    failure: Block = field(init=False)
    item: Block = field(init=False)
    resumed: Block = field(init=False)

    def __post_init__(self) -> None:
        statements = self.statements
        differing = {*self.parameters, *statements.saved.values(), statements.method}
        for name in _PLACES:
            text = getattr(statements, name)
            words = frozenset(_WORD.findall(text))
            constants = frozenset(filter(self.is_constant, words))
            object.__setattr__(self, name, shared(text, constants, words & differing))

    @cached_property
    def digest(self) -> bytes:
        """What tells it from every other one, in any process."""
        texts = {**vars(self.statements), "names": sorted(self.statements.names)}
        texts["alone"] = self.alone.digest if self.alone else None
        return blake2b(repr((texts, self.prefix, self.parameters)).encode()).digest()

    @cached_property
    def alone(self) -> Template | None:
        """The statements for a body that ends in one place alone, if they are others there."""
        statements = self.statements.alone
        if statements is None:
            return None
        return Template(statements, self.prefix, self.parameters)

    def is_constant(self, name: str) -> bool:
        """Tell whether a name stands for an object, and is no variable of the code."""
        return name.startswith(self.prefix) and name not in self.statements.names


@frozen()
class Put:
    """What was put into a function.

    Attributes:
        trees: To be given back once it is compiled.
        returned: The variable that each ``return`` of it reads last of all; empty if there is none.
        takes: Whether it begins with taking a permit.
        handed: The variable that each ``yield`` of it reads last of all; empty if there is none.
    """

    trees: list[Tree]
    returned: str
    takes: bool
    handed: str = ""

    def finished(self, code: CodeType) -> CodeType:
        """Give what was compiled of the function as its source cannot say it."""
        code = settled(code, self.returned, self.handed)
        return taken_first(code) if self.takes else code


def weave_body(function: Function, template: Template, parameters: Iterable[str], line: int) -> Put:
    """Put the statements into a function's tree.

    Args:
        function: The tree; it is changed.
        template: The statements.
        parameters: The names of its parameters that the statements name, in order.
        line: The line that shows first in a call: that of a statement is not always its first one.
    """
    names = dict(zip(template.parameters, parameters, strict=True))
    weaving = _Weaving(function, template, names, line)
    weaving.weave()
    statements = template.statements
    returned = "" if weaving.is_protected else statements.result
    return Put(weaving.trees, returned, bool(statements.take), statements.handed)


def calling_function(text: str, template: Template, line: int) -> Function:
    """Make the tree of a function that only calls the original.

    Args:
        text: Its source, with our names for what it needs.
        template: Tells which of our names are variables.
        line: Where all of it is said to stand.
    """
    function = NamesToConstants(template.is_constant).visit(ast.parse(text).body[0])
    for node in ast.walk(function):
        if node._attributes:  # noqa: SLF001 - how `ast` tells what has a place
            vars(node).update(lineno=line, end_lineno=line, col_offset=0, end_col_offset=0)
    return function  # type: ignore[no-any-return]  # a visitor says nothing of types


class _Weaving:
    def __init__(
        self, function: Function, template: Template, names: dict[str, str], line: int
    ) -> None:
        self._function = function
        self._first = {"lineno": line, "col_offset": 0, "end_lineno": line, "end_col_offset": 0}
        self._template = template
        self._names = names
        self.trees: list[Tree] = []
        self.is_protected = False
        self._gives = False
        self._copies: dict[str, str] = {}
        statements = template.statements
        self._names[statements.method] = function.name
        is_asked = statements.saved or statements.give
        self._assigned = set(_assigned(function.body)) if is_asked else set()
        self._keep_parameters()

    def _keep_parameters(self) -> None:
        """Read a parameter itself at the end of the call, unless the body gives it a new value."""
        saved, assigned = self._template.statements.saved, self._assigned
        for placeholder, copy in saved.items():
            name = self._names[placeholder]
            if name in assigned or any(_is_mangled(name, each) for each in assigned):
                self._copies[copy] = name
                self._names[copy] = copy
            else:
                self._names[copy] = name

    def weave(self) -> None:
        function = self._function
        body = function.body
        documented = _is_docstring(body[0]) and ast.get_docstring(function, clean=False) is not None
        documentation, body = body[:documented], body[documented:]
        alone = self._template.alone if _ends_once(body) else None
        self._template = alone or self._template
        entry = [*self._put(self._first, self._template.take), *self._entry(self._first)]
        if self._template.statements.handed:
            body = self._followed(body)
        if self._template.statements.is_entry_only:
            function.body = [*documentation, *entry, *body]
            return
        entry += self._give(body)
        around = self._around(body) if alone is None else self._before_one_end(body)
        function.body = [*documentation, *entry, *around]

    def _give(self, body: list[ast.stmt]) -> Iterator[ast.stmt]:
        """Give permits to calls of the method above, where the body has any."""
        statements, function = self._template.statements, self._function
        first = next(iter(self._template.parameters), "")
        if not statements.give or self._names[first] in self._assigned:
            return
        spread = {each.arg for each in (function.args.vararg, function.args.kwarg) if each}
        for block, statement, call in [*going_up(body, function, spread - self._assigned)]:
            place = block.index(statement)
            block[place:place] = self._put(_start(statement), self._template.give)
            statement.value = called_as(call, statements.up, self._names[first])
            self._gives = True
        if self._gives:
            yield _assignment(self._first, statements.way, None)

    def _put(self, where: Place, block: Block) -> list[ast.stmt]:
        tree = block.at(where, self._names)
        self.trees.append(tree)
        return tree.statements

    def _entry(self, where: Place) -> list[ast.stmt]:
        copies: list[ast.stmt] = [
            _assignment(where, copy, _at(where, _name(name))) for copy, name in self._copies.items()
        ]
        return [*copies, *self._put(where, self._template.entry)]

    def _around(self, body: list[ast.stmt]) -> Iterator[ast.stmt]:
        self.is_protected = next(_protections(body), None) is not None
        end = self._forget if self.is_protected else self._leave
        last = self._returning(end) if self.is_protected else end
        woven = self._tail(self._replaced(body, end), last, self._first)
        begin = self._put(self._first, self._template.begin)
        guarded = self._guarded([*begin, *woven])
        if self.is_protected:
            leave = [*self._put(AS_BEFORE, self._template.leave), self._keep(AS_BEFORE, None)]
            guarded = _at(self._first, ast.Try([guarded], [], [], leave))
        yield guarded

    def _before_one_end(self, body: list[ast.stmt]) -> Iterator[ast.stmt]:
        last, where = body[-1], _start(body[-1])
        leave = self._put(where, self._template.leave)
        if not leave:
            yield self._guarded(body)
        elif isinstance(last, ast.Return):
            yield self._guarded([*body[:-1], self._keep(where, last.value)])
            yield from leave
            yield self._last(last, where)
        else:
            yield self._guarded(body)
            yield self._keep(where, None)
            yield from leave

    def _guarded(self, body: list[ast.stmt]) -> ast.stmt:
        failure = self._put(NOWHERE, self._template.recall) if self._gives else []
        failure = [*failure, *self._put(NOWHERE, self._template.failure)]
        again = _at(NOWHERE, ast.Raise(None, None))
        handler = _at(NOWHERE, ast.ExceptHandler(None, None, [*failure, again]))
        return _at(self._first, ast.Try(body, [handler], [], []))

    def _leave(self, where: Place, value: ast.expr | None) -> list[ast.stmt]:
        """Write the end of a call: the result is kept while it is recorded."""
        return [self._keep(where, value), *self._put(where, self._template.leave)]

    def _forget(self, where: Place, value: ast.expr | None) -> list[ast.stmt]:
        """Write what comes before the end of a call that is recorded further out."""
        return [self._keep(where, value)]

    def _keep(self, where: Place, value: ast.expr | None) -> ast.stmt:
        return _assignment(where, self._template.statements.result, value)

    def _followed(self, block: list[ast.stmt], *, is_inside: bool = False) -> list[ast.stmt]:
        """Weave into each ``yield`` what comes before it and after it.

        Args:
            block: The statements.
            is_inside: Whether an exception that is raised at a ``yield`` may be caught: the next
                item was asked for then, too.
        """
        followed: list[ast.stmt] = []
        for statement in block:
            if is_handing_over(statement):
                followed += self._handing_over(statement, is_inside=is_inside)
                continue
            if not isinstance(statement, _NESTED):
                inside = is_inside or isinstance(statement, _PROTECTING)
                self._follow_inside(statement, is_inside=inside)
            followed.append(statement)
        return followed

    def _follow_inside(self, node: ast.AST, *, is_inside: bool) -> None:
        for name in _BLOCKS:
            block = getattr(node, name, None)
            if not isinstance(block, list):
                continue
            if name in {"handlers", "cases"}:
                for each in block:
                    self._follow_inside(each, is_inside=is_inside)
            else:
                setattr(node, name, self._followed(block, is_inside=is_inside))

    def _handing_over(self, statement: ast.stmt, *, is_inside: bool) -> Iterator[ast.stmt]:
        where, handed = _start(statement), self._template.statements.handed
        given: Any = vars(statement)["value"]
        yield _assignment(where, handed, given.value)
        yield from self._put(where, self._template.item)
        given.value = self._taken(where, handed)
        resumed = self._put(where, self._template.resumed)
        if not (resumed and is_inside):
            yield from (statement, *resumed)
            return
        again = [*self._put(where, self._template.resumed), _at(where, ast.Raise(None, None))]
        handler = _at(where, ast.ExceptHandler(None, None, again))
        yield _at(where, ast.Try([statement, *resumed], [handler], [], []))

    def _taken(self, where: Place, name: str) -> ast.expr:
        """Write what takes a value out of its variable; `lines` has the rest of it."""
        value: ast.expr = _at(where, _name(name))
        if NEEDS_ROOM:
            value = _at(where, ast.NamedExpr(_at(where, _name(name, ast.Store())), value))
        return value

    def _replaced(self, block: list[ast.stmt], end: _End) -> list[ast.stmt]:
        woven: list[ast.stmt] = []
        for statement in block:
            if isinstance(statement, ast.Return):
                where = _start(statement)
                woven += end(where, statement.value)
                woven.append(self._last(statement, where))
            else:
                if not isinstance(statement, _NESTED):
                    self._replace_inside(statement, end)
                woven.append(statement)
        return woven

    def _last(self, statement: ast.Return, where: Place) -> ast.stmt:
        """Write the ``return`` itself; an async generator's has no value.

        A frame may outlive its call, as part of a traceback does: no result is to stay in it.
        """
        if statement.value is None:
            return statement
        name = self._template.statements.result
        kept = self.is_protected
        result = _at(where, _name(name)) if kept else self._taken(where, name)
        return _at(where, ast.Return(result))

    def _replace_inside(self, node: ast.AST, end: _End) -> None:
        for name in _BLOCKS:
            block = getattr(node, name, None)
            if not isinstance(block, list):
                continue
            if name in {"handlers", "cases"}:
                for each in block:
                    self._replace_inside(each, end)
            else:
                setattr(node, name, self._replaced(block, end))

    def _tail(self, block: list[ast.stmt], end: _End, where: Place) -> list[ast.stmt]:
        """Weave `end` into the places where a block stops, each on the line that was there last.

        Args:
            block: The statements.
            end: What to weave in.
            where: The line that was there last if there are no statements.
        """
        return [*block, *self._after(block[-1], end)] if block else end(where, None)

    def _after(self, last: ast.stmt, end: _End) -> list[ast.stmt]:
        """Weave `end` into a statement that is last; give what has to come after it."""
        match last:
            case ast.If():
                self._end_branches(last, end)
            case ast.Match():
                self._end_cases(last, end)
            case ast.Try(finalbody=[]):
                self._end_unraised(last, end)
                for handler in last.handlers:
                    handler.body = self._tail(handler.body, end, _start(last))
            case ast.TryStar(finalbody=[]):
                # Several of the handlers may run: what comes after them is the only end they have.
                self._end_unraised(last, self._returning(end))
                return self._returning(end)(AS_BEFORE, None)
            case ast.Try(finalbody=[*_, final]) | ast.TryStar(finalbody=[*_, final]):
                is_simple = not any(_blocks(final))
                return (
                    end(_start(final), None) if is_simple else self._returning(end)(AS_BEFORE, None)
                )
            case ast.For() | ast.AsyncFor() | ast.While():
                return self._loop_ends(last, end)
            case _ if not isinstance(last, _LEAVING):
                return end(_start(last), None)
        return []

    def _end_branches(self, statement: ast.If, end: _End) -> None:
        where = _start(statement)
        statement.body = self._tail(statement.body, end, where)
        statement.orelse = self._tail(statement.orelse, end, where)

    def _end_cases(self, statement: ast.Match, end: _End) -> None:
        where = _start(statement.cases[-1].pattern)
        for case in statement.cases:
            case.body = self._tail(case.body, end, where)
        if not _is_exhaustive(statement):
            anything = _at(where, ast.MatchAs())
            statement.cases.append(ast.match_case(anything, None, end(where, None)))

    def _end_unraised(self, statement: ast.Try | ast.TryStar, end: _End) -> None:
        """Weave `end` in where a ``try`` stops that nothing was raised in."""
        where = _start(statement)
        if statement.orelse:
            statement.orelse = self._tail(statement.orelse, end, where)
        else:
            statement.body = self._tail(statement.body, end, where)

    def _returning(self, end: _End) -> _End:
        return lambda where, value: [*end(where, value), _at(where, ast.Return(None))]

    def _loop_ends(self, loop: _Loop, end: _End) -> list[ast.stmt]:
        """Weave `end` into the ends of a loop that is last; give what is to come after it.

        There a ``break`` is a ``return``, but for one that has to leave a ``with`` or go through a
        ``finally`` before.
        """
        where = _start(loop)
        is_endless = isinstance(loop, ast.While) and _is_true(loop.test)
        if self._end_at_breaks(loop.body, end):
            returning = self._returning(end)
            if not is_endless:
                loop.orelse = self._tail(loop.orelse, returning, where)
            return returning(AS_BEFORE, None)
        if is_endless:
            return []
        if not loop.orelse:
            return end(where, None)
        loop.orelse = self._tail(loop.orelse, end, where)
        return []

    def _end_at_breaks(self, block: list[ast.stmt], end: _End) -> bool:
        """Make returns of a loop's own breaks; tell whether there are others that cannot be."""
        others = False
        for index, statement in reversed([*enumerate(block)]):
            if isinstance(statement, ast.Break):
                # What follows is never run, but makes variables local and the function a generator.
                block[index : index + 1] = self._returning(end)(_start(statement), None)
            elif _does_more(statement):
                others |= _breaks(statement)
            elif isinstance(statement, _LOOPS):
                others |= self._end_at_breaks(statement.orelse, end)
            elif not isinstance(statement, _NESTED):
                for inner in _blocks(statement):
                    others |= self._end_at_breaks(inner, end)
        return others


def _assignment(where: Place, name: str, value: ast.expr | None) -> ast.stmt:
    target = _at(where, _name(name, ast.Store()))
    return _at(where, ast.Assign([target], value or _at(where, ast.Constant(None))))


def _start(node: ast.stmt | ast.pattern) -> Place:
    """Give the place of a statement's beginning."""
    line, column = node.lineno, node.col_offset
    return {
        "lineno": line, "col_offset": column, "end_lineno": line, "end_col_offset": column,
    }  # fmt: skip


def _at(where: Place, node: _Node) -> _Node:
    vars(node).update(where)
    return node


def _name(name: str, context: ast.expr_context | None = None) -> ast.Name:
    return ast.Name(name, context or ast.Load())


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_true(test: ast.expr) -> bool:
    return isinstance(test, ast.Constant) and bool(test.value)


def _is_exhaustive(statement: ast.Match) -> bool:
    last = statement.cases[-1]
    return last.guard is None and _is_irrefutable(last.pattern)


def _is_irrefutable(pattern: ast.pattern | None) -> bool:
    match pattern:
        case None:
            return True
        case ast.MatchAs(pattern=inner):
            return _is_irrefutable(inner)
        case ast.MatchOr(patterns=patterns):
            return any(map(_is_irrefutable, patterns))
        case _:
            return False


def _ends_once(body: list[ast.stmt]) -> bool:
    """Whether a body ends with its last statement and nowhere else."""
    if not body or any(map(_returns, body[:-1])):
        return False
    last = body[-1]
    return isinstance(last, ast.Return) or not (isinstance(last, _LEAVING) or any(_blocks(last)))


def _protections(block: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the outermost statements that still do something after a ``return`` inside them."""
    for statement in block:
        if isinstance(statement, _NESTED):
            continue
        if _does_more(statement):
            if _returns(statement):
                yield statement
        else:
            for inner in _blocks(statement):
                yield from _protections(inner)


def _does_more(statement: ast.stmt) -> bool:
    """Whether a statement still does something after a ``return`` inside it."""
    if isinstance(statement, ast.Try | ast.TryStar):
        return bool(statement.finalbody)
    return isinstance(statement, _WITH)


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for name in _BLOCKS:
        block = getattr(node, name, None)
        if not isinstance(block, list):
            continue
        if name in {"handlers", "cases"}:
            for each in block:
                yield each.body
        else:
            yield block


def _returns(node: ast.stmt) -> bool:
    if isinstance(node, ast.Return):
        return True
    if isinstance(node, _NESTED):
        return False
    return any(_returns(each) for block in _blocks(node) for each in block)


def _breaks(node: ast.stmt) -> bool:
    """Whether a statement may leave the loop around it."""
    if isinstance(node, ast.Break):
        return True
    if isinstance(node, _NESTED):
        return False
    blocks = [node.orelse] if isinstance(node, _LOOPS) else _blocks(node)
    return any(_breaks(each) for block in blocks for each in block)


def _assigned(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the names to which a body, or a function inside it, may give a value."""
    waiting: list[Any] = [*body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                yield node.id
        elif isinstance(node, ast.AST):
            if isinstance(node, _GIVING):
                yield from _given(node)
            waiting += vars(node).values()
        elif isinstance(node, list):
            waiting += node


_GIVING: Final = (
    ast.ExceptHandler, ast.MatchAs, ast.MatchStar, ast.MatchMapping, ast.alias, ast.FunctionDef,
    ast.AsyncFunctionDef, ast.ClassDef, ast.Nonlocal,
)  # fmt: skip


def _given(node: ast.AST) -> Iterator[str]:
    """Yield the names to which a node gives a value that has no `ast.Name` for them."""
    match node:
        case ast.alias(name=name, asname=other):
            yield other or name.partition(".")[0]
        case ast.MatchMapping(rest=str(name)):
            yield name
        case ast.Nonlocal(names=names):
            yield from names
        case _:
            yield from filter(None, [getattr(node, "name", None)])


def _is_mangled(name: str, written: str) -> bool:
    """Whether a name may be what a class makes of a private one: ``_C__x`` of ``__x``."""
    return written.startswith("__") and name.startswith("_") and name.endswith(written)
