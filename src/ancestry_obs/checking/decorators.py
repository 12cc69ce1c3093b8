"""A function's decorators -> what they leave under its name, and that in words.

What is well known is listed (`known_decorators`); a decorator that the program has itself is read:
what it returns is the function that it was given, a function of its own, or an object.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from textwrap import dedent
from typing import TYPE_CHECKING, Final, Literal

from ancestry_obs.checking.known_decorators import CLASSES, FUNCTIONS, MAKERS, METHODS, Left
from ancestry_obs.checking.program import Builtin, Item
from ancestry_obs.checking.symbols import (
    ClassSymbol,
    FunctionSymbol,
    ImportSymbol,
    ValueSymbol,
    symbol_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ancestry_obs.checking.program import Module, Program

__all__ = ["Decorators", "Effect", "Left"]


@dataclass(frozen=True, slots=True)
class Effect:
    """What one decorator does.

    Args:
        decorator: Its text.
        left: What it leaves.
        module: Where a function of its own was written; empty if that does not matter.
    """

    decorator: str
    left: Left
    module: str = ""

    @property
    def words(self) -> str:
        """What that means for the measurement; empty if nothing."""
        text = f"@{self.decorator}"
        match self.left:
            case "wrapper" | "stranger":
                return (
                    f"{text} leaves a function of its own, which is what is measured; "
                    'at = "definition" measures what is written here'
                )
            case "cache":
                return (
                    f"{text} answers by itself: each call is counted by a proxy, and what has "
                    "taken the bare object elsewhere is not; "
                    'at = "definition" counts only where it has no answer'
                )
            case "object":
                return f"{text} leaves an object: the function in it is measured"
            case "unknown":
                return (
                    f"what @{self.decorator} leaves cannot be told from the source: if it is a "
                    'function of its own, that is measured; at = "definition" measures what is '
                    "written here"
                )
            case _:
                return ""


LeftOfClass = Literal["same", "more", "other", "unknown"]

_ACCESSORS: Final = {"getter", "setter", "deleter"}
_GIVES_ANOTHER: Final = re.compile(r"\bclass\s+(\w+)\s*:[\s\S]*\breturn\s+\1\b")
_WRAPS: Final = {"wraps", "functools.wraps", "update_wrapper", "functools.update_wrapper"}
_PASSES_ON: Final = {"cast", "typing.cast", "t.cast", "update_wrapper", "functools.update_wrapper"}


@dataclass
class Decorators:
    """Reads decorators, each of the program's own once.

    Args:
        program: Where to look their names up.
    """

    program: Program
    _read: dict[tuple[str, bool], Left] = field(default_factory=dict)
    _left: dict[tuple[str, str], LeftOfClass] = field(default_factory=dict)

    def effects(self, item: Item, symbol: FunctionSymbol) -> tuple[Effect, ...]:
        """Give what each decorator of a function does, the one that is applied first in front."""
        return tuple(self.effect(item, text) for text in reversed(symbol.decorators))

    def effect(self, item: Item, text: str) -> Effect:
        """Give what one decorator does.

        Args:
            item: What it decorates.
            text: The decorator, with its arguments.
        """
        called, parenthesis, _ = text.partition("(")
        path = called.strip()
        if not path.replace(".", "x").isidentifier():
            return Effect(text, "unknown")
        if "." in path and path.rpartition(".")[2] in _ACCESSORS:
            return Effect(text, "property")
        for meaning in self.program.scoped(item, path):
            if isinstance(meaning, Builtin):
                kinds: dict[object, Left] = {property: "property"}
                kinds |= {staticmethod: "static", classmethod: "class"}
                return Effect(text, kinds.get(meaning.value, "unknown"))
            if isinstance(meaning, Item):
                if meaning.label in FUNCTIONS:
                    return Effect(text, FUNCTIONS[meaning.label], meaning.module.name)
                left = self._left_by(meaning, is_called=bool(parenthesis))
                return Effect(text, left, meaning.module.name)
        known = FUNCTIONS.get(self._as_imported(item.module, path))
        return Effect(text, known or self._left_by_method(item, path))

    def returned_by(self, item: Item, symbol: FunctionSymbol, *, is_called: bool) -> Left:
        """Tell what a function of the program returns for a function that it is given.

        Args:
            item: The decorator.
            symbol: The same.
            is_called: Whether it is called with arguments first, and gives the decorator proper.
        """
        key = item.label, is_called
        if key not in self._read:
            self._read[key] = self._returned_by(item, symbol, is_called=is_called)
        return self._read[key]

    def left_of_class(self, item: Item, text: str) -> LeftOfClass:
        """Tell what one decorator leaves of a class.

        Args:
            item: The class.
            text: The decorator, with its arguments.

        Returns:
            That it is the same; that it may have more names; that it is another one, or has less.
        """
        key = item.label, text
        if key not in self._left:
            self._left[key] = self._left_of_class(item, text)
        return self._left[key]

    def _left_of_class(self, item: Item, text: str) -> LeftOfClass:
        path = text.partition("(")[0].strip()
        if self._as_imported(item.module, path) in CLASSES:
            return "same"
        for each in self.program.scoped(item, path):
            if isinstance(each, Item) and each.label in CLASSES:
                return "same"
            if isinstance(each, Item) and isinstance(each.symbol, FunctionSymbol):
                left = self.effect(item, text).left
                if left in {"wrapper", "stranger", "object", "cache"}:
                    return "other"
                if self._leaves_less(each, each.symbol):
                    return "other"
                return "more" if left == "same" else "unknown"
        return "unknown"

    def _leaves_less(self, item: Item, symbol: FunctionSymbol) -> bool:
        """Whether it takes names of its class away, or gives one back that has nothing of it."""
        lines = self._lines_of(item, symbol)
        given = "|".join(map(re.escape, (*symbol.names, *_parameters(symbol))))
        takes = re.search(rf"\bdel\s+(?:{given})\.\w|\bdelattr\((?:{given}),", lines)
        return bool(given and takes) or _GIVES_ANOTHER.search(lines) is not None

    def _lines_of(self, item: Item, symbol: FunctionSymbol) -> str:
        lines = self.program.text_of(item.module).split("\n")
        return "\n".join(lines[symbol.line - 1 : symbol.end])

    def _left_by(self, item: Item, *, is_called: bool) -> Left:
        if isinstance(item.symbol, ClassSymbol):
            return "unknown" if is_called else self._left_by_class(item)
        if isinstance(item.symbol, FunctionSymbol) and "lambda" not in item.symbol.flags:
            return self.returned_by(item, item.symbol, is_called=is_called)
        return "unknown"

    def _left_by_method(self, item: Item, path: str) -> Left:
        """Tell what a method leaves of an object that a module has made: ``app.get`` of a Flask."""
        holder, _, method = path.rpartition(".")
        if not holder:
            return "unknown"
        for meaning in self.program.scoped(item, holder):
            for label in self._kinds(meaning) if isinstance(meaning, Item) else ():
                methods = METHODS.get(label, {})
                if method in methods or "*" in methods:
                    return methods.get(method) or methods["*"]
        return "unknown"

    def _kinds(self, item: Item) -> Iterator[str]:
        """Yield the class of what a name is bound to, and the classes below it, where known."""
        symbol = item.symbol
        if isinstance(symbol, ValueSymbol) and symbol.what == "call":
            for each in self.program.names(item.module, symbol.text):
                if isinstance(each, Item) and isinstance(each.symbol, ClassSymbol):
                    yield from (e.label for e in self.program.ancestry(each) if isinstance(e, Item))
            yield self._as_imported(item.module, symbol.text)
        elif isinstance(symbol, FunctionSymbol):
            # What `@click.group()` has made of a function.
            for text in symbol.decorators:
                made = map(MAKERS.get, self._makers(item, text.partition("(")[0].strip()))
                yield from filter(None, made)

    def _makers(self, item: Item, path: str) -> Iterator[str]:
        yield from (e.label for e in self.program.scoped(item, path) if isinstance(e, Item))
        holder, _, method = path.rpartition(".")
        for each in self.program.scoped(item, holder) if holder else ():
            if isinstance(each, Item):
                yield from (f"{kind}.{method}" for kind in self._kinds(each))

    def _as_imported(self, module: Module, name: str) -> str:
        """Give a name as it is imported, for libraries that make their modules at run time."""
        for each, _ in self.program.bindings(module, module.table.scope, name):
            if isinstance(each, ImportSymbol) and not each.level:
                return f"{each.module}:{each.name}"
        return ""

    def _left_by_class(self, item: Item) -> Left:
        for each in self.program.ancestry(item):
            if isinstance(each, Builtin) and each.value is property:
                return "property"
            if isinstance(each, Builtin) and each.value in {staticmethod, classmethod}:
                return "static" if each.value is staticmethod else "class"
            if isinstance(each, Item) and each.label in FUNCTIONS:
                return FUNCTIONS[each.label]
        return "object"

    def _returned_by(self, item: Item, symbol: FunctionSymbol, *, is_called: bool) -> Left:
        try:
            tree = ast.parse(dedent(self._lines_of(item, symbol)))
        except SyntaxError:
            return "unknown"
        node = tree.body[0] if tree.body else None
        if not isinstance(node, ast.FunctionDef):
            return "unknown"
        found = {*_returned(node, is_called=is_called)}
        return found.pop() if len(found) == 1 else "unknown"


def _parameters(symbol: FunctionSymbol) -> Iterator[str]:
    """Yield what functions take that are defined in one."""
    for bindings in symbol.inner.values():
        for each in map(symbol_of, bindings):
            yield from each.names if isinstance(each, FunctionSymbol) else ()


def _returned(node: ast.FunctionDef, *, is_called: bool) -> Iterator[Left]:
    inner = {each.name: each for each in _own(node) if isinstance(each, ast.FunctionDef)}
    inner_async = {each.name: each for each in _own(node) if isinstance(each, ast.AsyncFunctionDef)}
    parameters = {each.arg for each in (*node.args.posonlyargs, *node.args.args)}
    # What is bound anew is not what was given.
    parameters -= {
        target.id
        for each in _own(node)
        if isinstance(each, ast.Assign)
        for target in each.targets
        if isinstance(target, ast.Name)
    }
    for each in _own(node):
        if not isinstance(each, ast.Return) or each.value is None:
            continue
        value = _passed_on(each.value)
        name = value.id if isinstance(value, ast.Name) else ""
        wrapper = inner.get(name) or inner_async.get(name)
        if is_called and name in inner:
            yield from _returned(inner[name], is_called=False)
        elif is_called:
            yield from _of_optional(value, inner)
        elif name in parameters:
            yield "same"
        elif wrapper is not None:
            shows = _shows(node, wrapper) or value is not each.value
            yield "wrapper" if shows else "stranger"
        else:
            yield "unknown"


def _of_optional(value: ast.expr, inner: dict[str, ast.FunctionDef]) -> Iterator[Left]:
    """Read ``return decorate(function)``, for who decorates without arguments: not our case."""
    if not (
        isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in inner
    ):
        yield "unknown"


def _passed_on(value: ast.expr) -> ast.expr:
    """Give what a call hands through: ``cast(F, wrapper)``, ``wraps(function)(wrapper)``."""
    match value:
        case ast.Call(func=ast.Call(func=function), args=[inner]) if _text(function) in _WRAPS:
            return inner
        case ast.Call(func=function, args=[*_, last]) if _text(function) in _PASSES_ON:
            return last if _text(function).endswith("cast") else value.args[0]
    return value


def _shows(node: ast.FunctionDef, wrapper: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a wrapper goes by the name of what it wraps."""
    for each in wrapper.decorator_list:
        if isinstance(each, ast.Call) and _text(each.func) in _WRAPS:
            return True
    return any(
        isinstance(each, ast.Expr)
        and isinstance(each.value, ast.Call)
        and _text(each.value.func) in _WRAPS
        for each in _own(node)
    )


def _own(node: ast.FunctionDef) -> Iterator[ast.stmt]:
    """Yield the statements of a function, without those of the functions in it."""
    waiting = [*node.body]
    while waiting:
        each = waiting.pop(0)
        yield each
        if not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            waiting += [
                child for child in ast.iter_child_nodes(each) if isinstance(child, ast.stmt)
            ]
            for handler in getattr(each, "handlers", ()):
                waiting += handler.body


def _text(node: ast.expr) -> str:
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""
