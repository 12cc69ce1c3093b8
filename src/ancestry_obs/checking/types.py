"""An expression and the function that it is for -> what its value may be, by annotations.

What is not annotated is unknown (`None`), and so is all that comes of it: only what the program's
own words say is told.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from ancestry_obs.checking.program import Builtin, Item, Unknown, expression_of
from ancestry_obs.checking.symbols import ClassSymbol, FunctionSymbol, ValueSymbol, symbol_of
from ancestry_obs.expressions.given import TARGET
from ancestry_obs.expressions.inference import TEXT_FUNCTIONS
from ancestry_obs.mapfile.targets import facts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ancestry_obs.checking.program import Meaning, Module, Program
    from ancestry_obs.checking.resolution import Found, Resolver

__all__ = ["NoAttribute", "Types", "Typing", "is_text", "values_of"]


@dataclass(frozen=True, slots=True)
class Literal:
    """One value that an annotation lists."""

    value: object


Types = frozenset[Item | Builtin | Literal]
"""What a value may be; `None` beside it means that nobody knows."""

_UNIONS: Final = {"Optional", "Union"}
_TRANSPARENT: Final = {"Annotated", "ClassVar", "Final", "Required", "NotRequired"}
_NONE: Final = Builtin("None", type(None))
_NAMES: Final = {each.__name__: Builtin(each.__name__, each)
                 for each in (bool, bytes, dict, float, int, list, str, tuple)}  # fmt: skip
# What a decorator may have left under the name answers something else.
_ANSWERS_ITSELF: Final = {"wrapper", "stranger", "object", "unknown"}
_DEEPEST: Final = 12


class NoAttribute(Exception):  # noqa: N818 - a finding on its way
    """An expression reads what a class does not have.

    Args:
        owner: The class.
        name: What is read.
        near: The nearest name that it has; empty if none is near.
    """

    def __init__(self, owner: str, name: str, near: str) -> None:
        super().__init__(owner, name, near)
        self.owner, self.name, self.near = owner, name, near


@dataclass
class Typing:
    """Tells what expressions may be.

    Args:
        program: The modules.
        resolver: Knows decorators.
    """

    program: Program
    resolver: Resolver

    def types_of(  # noqa: C901, PLR0911, PLR0912 - a case for each form of the grammar
        self, node: ast.expr, found: Found, depth: int = 0
    ) -> Types | None:
        """Give what an expression's value may be; `None` if that is not known.

        Raises:
            NoAttribute: It reads an attribute that a class does not have.
        """
        match node:
            case ast.Constant(value=value):
                return frozenset({Builtin(type(value).__name__, type(value))})
            case ast.Name(id=name) if name in TARGET:
                return frozenset({Literal(facts_of(found.target)[name])})
            case ast.Name(id=name):
                return self._variable(name, found)
            case ast.Attribute(value=value, attr=name):
                return self._attribute(self.types_of(value, found, depth + 1), name)
            case ast.Call(func=ast.Name(id=name), args=arguments):
                for each in arguments:
                    self.types_of(each, found, depth + 1)
                return _of_function(name)
            case ast.Call(func=ast.Attribute() as method):
                self.types_of(method, found, depth + 1)
                return self._called(method, found, depth)
            case ast.Compare(left=left, comparators=others):
                for each in (left, *others):
                    self.types_of(each, found, depth + 1)
                return frozenset({_NAMES["bool"]})
            case ast.IfExp(test=test, body=body, orelse=orelse):
                self.types_of(test, found, depth + 1)
                return self._joined([body, orelse], found, depth)
            case ast.BoolOp(values=values):
                return self._joined(values, found, depth)
            case ast.Subscript(value=value):
                inner = self.types_of(value, found, depth + 1)
                return inner if inner == frozenset({_NAMES["str"]}) else None
            case ast.BinOp(left=left, right=right):
                both = self._joined([left, right], found, depth)
                return frozenset({_NAMES["float"]}) if both and not is_text(both) else None
            case _:
                return None

    def annotation(self, text: str, item: Item, depth: int = 0) -> Types | None:
        """Give what an annotation means where an item stands."""
        node = expression_of(text)
        return None if node is None else self._annotated(node, item, depth)

    def _joined(self, nodes: list[ast.expr], found: Found, depth: int) -> Types | None:
        parts = [self.types_of(each, found, depth + 1) for each in nodes]
        return _union(parts)

    def _variable(self, name: str, found: Found) -> Types | None:
        symbol, item = found.symbol, found.item
        if name == "elapsed":
            return frozenset({_NAMES["float"]})
        if symbol is None:
            return None
        first = symbol.arguments[0][0] if symbol.arguments else ""
        if found.is_method and name in {"self", first}:
            is_instance = all(each.left != "class" for each in found.effects)
            return frozenset({item.owner}) if item.owner and is_instance else None
        for argument, kind, annotation, _ in symbol.arguments:
            if argument == name:
                return self.annotation(annotation, item) if kind in {"p", "a", "k"} else None
        if name == "result" and not any(e.left in _ANSWERS_ITSELF for e in found.effects):
            return self.annotation(symbol.returns, item)
        return None

    def _annotated(  # noqa: PLR0911 - a case for each form of annotation
        self, node: ast.expr, item: Item, depth: int
    ) -> Types | None:
        if depth > _DEEPEST:
            return None
        match node:
            case ast.Constant(value=None):
                return frozenset({_NONE})
            case ast.Constant(value=str(text)):
                return self.annotation(text, item, depth + 1)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return _union([self._annotated(each, item, depth + 1) for each in (left, right)])
            case ast.Subscript(value=value, slice=inner):
                return self._subscripted(ast.unparse(value).rpartition(".")[2], node, inner, item,
                                         depth)  # fmt: skip
            case ast.Name() | ast.Attribute():
                return self._named(ast.unparse(node), item)
            case _:
                return None

    def _subscripted(
        self, name: str, node: ast.Subscript, inner: ast.expr, item: Item, depth: int
    ) -> Types | None:
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if name == "Literal":
            values = [each.value for each in parts if isinstance(each, ast.Constant)]
            return frozenset(map(Literal, values)) if len(values) == len(parts) else None
        if name in _UNIONS:
            found = _union([self._annotated(each, item, depth + 1) for each in parts])
            return found | {_NONE} if found and name == "Optional" else found
        if name in _TRANSPARENT:
            return self._annotated(parts[0], item, depth + 1)
        return self._annotated(node.value, item, depth + 1)

    def _named(self, dotted: str, item: Item) -> Types | None:
        meanings: tuple[Meaning, ...] = self.program.names(item.module, dotted, types=True)
        if not meanings:
            return frozenset({_NAMES[dotted]}) if dotted in _NAMES else None
        types: set[Item | Builtin | Literal] = set()
        for each in meanings:
            is_class = isinstance(each, Item) and isinstance(each.symbol, ClassSymbol)
            is_builtin = isinstance(each, Builtin) and isinstance(each.value, type)
            if not (is_class or is_builtin) or isinstance(each, Unknown):
                return None
            types.add(each)  # type: ignore[arg-type]  # one of the two
        return frozenset(types)

    def _attribute(self, owners: Types | None, name: str) -> Types | None:
        if owners is None:
            return None
        found: list[Types | None] = []
        missing: list[NoAttribute] = []
        for owner in owners:
            if owner == _NONE:  # what it is when there is none is for the expression to say
                continue
            if isinstance(owner, Item):
                try:
                    found.append(self._of_class(owner, name))
                except NoAttribute as error:
                    missing.append(error)
            else:
                kind = type(owner.value) if isinstance(owner, Literal) else owner.value
                if hasattr(kind, name) or getattr(kind, "__module__", "") != "builtins":
                    found.append(None)
                else:
                    near = get_close_matches(name, dir(kind), n=1)
                    missing.append(NoAttribute(getattr(kind, "__name__", ""), name, *near or [""]))
        if missing and not found:
            raise missing[0]
        return _union(found) if found and not missing else None

    def _of_class(self, owner: Item, name: str) -> Types | None:
        """Give what a class's attribute may be.

        Raises:
            NoAttribute: It has none of that name, as far as its source goes.
        """
        known: set[str] = set()
        modules: list[Module] = []
        for each in self.program.ancestry(owner):
            if isinstance(each, Unknown):
                return None
            if isinstance(each, Builtin):
                if hasattr(each.value, name):
                    return None
                known.update(dir(each.value))
            elif isinstance(each, Item) and isinstance(each.symbol, ClassSymbol):
                symbol = each.symbol
                is_open = {"__getattr__", "__getattribute__"} & symbol.scope.keys()
                if is_open or symbol.doubt or self._is_changed(each, symbol):
                    return None
                attributes = dict(_attributes(each, symbol))
                if name in attributes:
                    return self._of_attribute(each, *attributes[name])
                known.update(attributes)
                modules.append(each.module)
        # It may come from outside: then a class's own module mentions it, as a rule.
        mention = re.compile(rf"\.{re.escape(name)}\b")
        if any(mention.search(self.program.text_of(each)) for each in modules):
            return None
        near = get_close_matches(name, [each for each in known if each[:2] != "__"], n=1)
        raise NoAttribute(owner.label, name, near[0] if near else "")

    def _is_changed(self, item: Item, symbol: ClassSymbol) -> bool:
        plain = ("metaclass=ABCMeta", "metaclass=abc.ABCMeta", "metaclass=EnumType")
        meta = any(each.startswith("metaclass=") and each not in plain for each in symbol.keywords)
        return meta or any(self.resolver.changes_class(item, text) for text in symbol.decorators)

    def _of_attribute(
        self, owner: Item, symbol: object, annotation: str, method: FunctionSymbol | None
    ) -> Types | None:
        if annotation:
            return self.annotation(annotation, owner)
        if isinstance(symbol, FunctionSymbol):
            item = Item(owner.module, owner.qualname, symbol, owner)
            effects = self.resolver.decorators.effects(item, symbol)
            is_property = any(each.left in {"property", "cached"} for each in effects)
            return self.annotation(symbol.returns, owner) if is_property else None
        if isinstance(symbol, str) and method is not None:
            # `self.name = name` is what the parameter is.
            for name, _, of_parameter, _ in method.arguments:
                if name == symbol:
                    return self.annotation(of_parameter, owner)
        return None

    def _called(self, method: ast.Attribute, found: Found, depth: int) -> Types | None:
        owners = self.types_of(method.value, found, depth + 1)
        if owners is None or len(owners) != 1:
            return None
        (owner,) = owners
        if not isinstance(owner, Item):
            return None
        for each in self.program.member(owner, method.attr):
            if isinstance(each, Item) and isinstance(each.symbol, FunctionSymbol):
                return self.annotation(each.symbol.returns, each)
        return None


def values_of(types: Types | None, program: Program) -> frozenset[str] | None:
    """Give every text that a value of some types can become; `None` if they have no end."""
    if types is None:
        return None
    found: set[str] = set()
    for each in types:
        if isinstance(each, Literal):
            found.add(str(each.value))
        elif isinstance(each, Item):
            members = _members_of(each, program)
            if members is None:
                return None
            found |= members
        elif each.value is bool:
            found |= {"False", "True"}
        elif each.value is type(None):
            found.add("None")
        else:
            return None
    return frozenset(found)


def is_text(types: Types) -> bool:
    """Whether a value of some types may be text, which is no number."""
    return any(
        isinstance(each.value, str | bytes)
        if isinstance(each, Literal)
        else isinstance(each, Builtin) and each.value in {str, bytes}
        for each in types
    )


def _members_of(item: Item, program: Program) -> frozenset[str] | None:
    ancestry = program.ancestry(item)
    is_enumeration = any(isinstance(each, Item) and each.label == "enum:Enum" for each in ancestry)
    if not is_enumeration or not isinstance(item.symbol, ClassSymbol):
        return None
    names = {
        name
        for name, bindings in item.symbol.scope.items()
        if not name.startswith("_") and isinstance(symbol_of(bindings[-1]), ValueSymbol)
    }
    return frozenset(f"{item.name}.{name}" for name in names) if names else None


def _attributes(
    item: Item, symbol: ClassSymbol
) -> Iterator[tuple[str, tuple[object, str, FunctionSymbol | None]]]:
    """Yield the attributes of a class: what it is bound to, its annotation, who assigns it."""
    del item
    for bindings in symbol.scope.values():
        method = symbol_of(bindings[-1])
        if isinstance(method, FunctionSymbol):
            for name, text, kind in method.attributes:
                yield name, ((text, "", method) if kind == "=" else (None, text, method))
    for name, bindings in symbol.scope.items():
        yield name, (symbol_of(bindings[-1]), symbol.annotations.get(name, ""), None)
    for name, annotation in symbol.annotations.items():
        yield name, (None, annotation, None)


def _of_function(name: str) -> Types | None:
    if name in TEXT_FUNCTIONS:
        return frozenset({_NAMES["str"]})
    kind = {"len": "int", "length": "int", "number": "float", "ok": "bool", "pid": "int"}.get(name)
    return frozenset({_NAMES[kind]}) if kind else None


def _union(parts: list[Types | None]) -> Types | None:
    known = [each for each in parts if each is not None]
    return frozenset().union(*known) if known and len(known) == len(parts) else None
