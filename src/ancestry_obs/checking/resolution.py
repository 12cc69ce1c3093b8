"""A pattern and a module -> the functions it means, or why there are none.

The twin of `patcher.resolver`: what that one reads from namespaces is read from tables here, by
the same rules. A named target is followed to its home, a glob takes what the module itself defines.
What the source does not tell is a `Doubt`, and neither found nor missing.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Final, NoReturn

from ancestry_obs.checking.decorators import Decorators
from ancestry_obs.checking.program import Builtin, Item, Module, Unknown
from ancestry_obs.checking.symbols import ClassSymbol, FunctionSymbol, ValueSymbol, symbol_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ancestry_obs.checking.decorators import Effect
    from ancestry_obs.checking.program import Meaning, Program
    from ancestry_obs.checking.symbols import Scope
    from ancestry_obs.patcher.patterns import Pattern

__all__ = ["Doubt", "Found", "Problem", "Refused", "Resolver"]

_ACCESSORS: Final = ("fget", "fset", "fdel")
_ACCESSOR_WORDS: Final = {"fget": "getter", "fset": "setter", "fdel": "deleter"}
_SUFFIXES: Final = {"fset": ".setter", "fdel": ".deleter"}
_PLAIN: Final = frozenset(
    {"int", "float", "complex", "str", "bytes", "bool", "NoneType", "ellipsis"}
    | {"dict", "expression", "generic alias", "list", "tuple", "set"}
)
_HOLDERS: Final = {"property": property, "staticmethod": staticmethod, "classmethod": classmethod}


class Problem(Exception):  # noqa: N818 - what is wrong with a target, told by its subclasses
    """A pattern does not lead to a function.

    Args:
        message: Why.
        names: What there is instead, of which one may be meant.
    """

    def __init__(self, message: str, names: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.names = names


class Missing(Problem):
    """There is no such name."""


class Refused(Problem):
    """It leads to something that cannot be measured."""


class Doubt(Problem):
    """The source does not tell."""


@dataclass(frozen=True, slots=True)
class Found:
    """A function that a pattern reached.

    Args:
        target: Its canonical ``module:qualname``.
        item: The place that has it.
        symbol: What was defined there; `None` where the source does not show it.
        effects: What its decorators do, the first one applied in front.
        is_method: Whether its first argument is an instance or a class.
        accessor: Which of a property's functions it is.
        named: The class by which it was reached.
        origin: The module in which the function was written.
    """

    target: str
    item: Item
    symbol: FunctionSymbol | None
    effects: tuple[Effect, ...] = ()
    is_method: bool = False
    accessor: str = "fget"
    named: Item | None = field(default=None, compare=False)
    origin: str = ""


@dataclass
class Resolver:
    """Finds functions in modules.

    Args:
        program: The modules.
    """

    program: Program
    decorators: Decorators = field(init=False)
    _exchanged: str = ""
    untold: dict[str, str] = field(default_factory=dict)
    """What globs may mean or may not, as the source does not tell, and why."""

    def __post_init__(self) -> None:
        self.decorators = Decorators(self.program)

    def find(self, pattern: Pattern, module: Module) -> tuple[Found, ...]:
        """Give what a pattern means in a module.

        Raises:
            Problem: Nothing; the message says why.
        """
        self._refuse_module(pattern, module)
        if "<locals>" in pattern.qualname:
            return (self._local(pattern.qualname, module),)
        if not pattern.spans_names:
            return self._named(pattern.qualname, module)
        self._exchanged = ""
        found = {
            (each.target, each.accessor): each
            for qualname, each in self._members(pattern, module)
            if self._is_meant(pattern, qualname, each)
        }
        if not found and self._exchanged:
            raise Doubt(self._exchanged)
        if not found and module.table.doubt:
            raise Doubt(f"{module.name!r} shows nothing of that name, but has {module.table.doubt}")
        if not found:
            raise Missing(f"{pattern.text!r} matches nothing that {module.name!r} defines")
        return tuple(found.values())

    def class_of(self, qualname: str, module: Module) -> Item:
        """Give the class that a sample names.

        Raises:
            Problem: There is none.
        """
        self._refuse_module(None, module)
        for each in self._walk(qualname.split("."), module):
            if isinstance(each, Item) and isinstance(each.symbol, ClassSymbol):
                return each
            if isinstance(each, Unknown):
                raise Doubt(each.reason)
        raise Refused(f"{module.name}:{qualname} is no class")

    def _refuse_module(self, pattern: Pattern | None, module: Module) -> None:
        if module.problem:
            raise Refused(f"the module {module.name!r}: {module.problem}")
        if module.file.kind == "compiled":
            if module.name.partition(".")[0] in sys.stdlib_module_names:
                raise Refused(
                    f"{module.name!r} is implemented in C and cannot be replaced; "
                    "name a Python caller of it"
                )
            raise Doubt(f"{module.name!r} is compiled")
        if module.file.kind == "builtin" and (pattern is None or pattern.spans_names):
            raise Refused(f"{module.name!r} is implemented in C and cannot be replaced")

    def _named(self, qualname: str, module: Module) -> tuple[Found, ...]:
        names, accessor = qualname.split("."), "fget"
        if len(names) > 1 and names[-1] in _ACCESSORS:
            around = self._walk(names[:-1], module, must=False)
            if any(self._is_property(each) for each in around):
                names, accessor = names[:-1], names[-1]
        problems: list[Problem] = []
        found: list[Found] = []
        for each in self._walk(names, module):
            try:
                found.append(self._found(each, f"{module.name}:{'.'.join(names)}", accessor))
            except Problem as problem:
                problems.append(problem)
        if found:
            return tuple(found)
        raise next((each for each in problems if isinstance(each, Doubt)), problems[0])

    def _walk(self, names: list[str], module: Module, *, must: bool = True) -> tuple[Meaning, ...]:
        """Give what a dotted name of a module means, by the rules of a run.

        Raises:
            Problem: It means nothing, and something must be found.
        """
        meanings: tuple[Meaning, ...] = self.program.names(module, names[0])
        if not meanings:
            if must:
                self._lost(module.name, names[0], (module.table.scope,), module.table.doubt)
            return ()
        for depth, name in enumerate(names[1:], start=1):
            around = ".".join(names[:depth])
            following: list[Meaning] = []
            for each in meanings:
                following += self._inside(each, name, f"{module.name}:{around}", must=must)
            meanings = tuple(following)
            if not meanings:
                return ()
        return meanings

    def _inside(
        self, meaning: Meaning, name: str, label: str, *, must: bool
    ) -> tuple[Meaning, ...]:
        if isinstance(meaning, Unknown):
            return (meaning,)
        if isinstance(meaning, Item) and isinstance(meaning.symbol, ClassSymbol):
            found = self.program.member(meaning, name)
            if name == "__init__" and all(isinstance(each, Builtin) for each in found):
                # What Python writes for the class, or what is overridden by one of its own.
                arguments = (("self", "a", "", False), *self._fields(meaning))
                made = FunctionSymbol("def", (), meaning.symbol.line, meaning.symbol.line,
                                      arguments, "", (), (), {}, ())  # fmt: skip
                return (Item(meaning.module, f"{meaning.qualname}.__init__", made, meaning),)
            if not found and must:
                self._lost_in(meaning, meaning.symbol, name)
            self._refuse_changed(meaning, meaning.symbol)
            if all(isinstance(each, Builtin) for each in found):
                self._refuse_written(meaning, name)
            return found
        if isinstance(meaning, Builtin) and isinstance(meaning.value, type):
            inner = meaning.value.__dict__.get(name)
            if inner is not None:
                return (Builtin(f"{label}.{name}", inner),)
            raise Missing(f"{label!r} has no {name!r}", tuple(vars(meaning.value)))
        value = meaning.symbol if isinstance(meaning, Item) else None
        if isinstance(value, ValueSymbol) and value.what in {"call", "?"}:
            raise Doubt(f"{label!r} is made at run time")
        raise Refused(f"{label!r} is no class; nothing is in it")

    def _lost_in(self, item: Item, symbol: ClassSymbol, name: str) -> NoReturn:
        scopes = [
            each.symbol.scope
            for each in self.program.ancestry(item)
            if isinstance(each, Item) and isinstance(each.symbol, ClassSymbol)
        ]
        doubt = symbol.doubt or item.module.table.doubt or self._metaclass(item)
        if not doubt and any(self.changes_class(item, text) for text in symbol.decorators):
            doubt = f"@{symbol.decorators[0]} may add names to {item.label!r}"
        self._lost(item.label, name, tuple(scopes), doubt)

    def _fields(self, item: Item) -> Iterator[tuple[str, str, str, bool]]:
        """Yield what an `__init__` may take that a decorator writes: what may be a field."""
        symbols = [e.symbol for e in self.program.ancestry(item) if isinstance(e, Item)]
        classes = [each for each in symbols if isinstance(each, ClassSymbol)]
        if any(each.decorators for each in classes):
            fields: dict[str, str] = {}
            for each in reversed(classes):
                values = (n for n, bindings in each.scope.items() if bindings[-1][0] == "value")
                fields |= dict.fromkeys(values, "") | each.annotations
            yield from ((name, "a", text, True) for name, text in fields.items())

    def _refuse_changed(self, item: Item, symbol: ClassSymbol) -> None:
        """Leave open what is in a class that a decorator of the program's own exchanges or empties.

        Raises:
            Doubt: One does.
        """
        for text in symbol.decorators:
            if self.decorators.left_of_class(item, text) == "other":
                raise Doubt(f"@{text} leaves another class than {item.label!r}, or less of it")

    def _refuse_written(self, item: Item, name: str) -> None:
        """Leave open what may be written for a class while it is made, as a dataclass' `__eq__` is.

        Raises:
            Doubt: It may be.
        """
        for each in self.program.ancestry(item):
            if isinstance(each, Item) and isinstance(each.symbol, ClassSymbol):
                makers = [f"@{text}" for text in each.symbol.decorators]
                makers += filter(None, (self._metaclass_of(each.symbol, _WRITE_NOTHING),))
                if makers:
                    raise Doubt(f"{item.label}.{name} may be written by {makers[0]} at run time")

    def _metaclass(self, item: Item) -> str:
        for each in self.program.ancestry(item):
            if isinstance(each, Item) and isinstance(each.symbol, ClassSymbol):
                name = self._metaclass_of(each.symbol, _PLAIN_METACLASSES)
                if name:
                    return f"the metaclass {name} may add names to {item.label!r}"
        return ""

    @staticmethod
    def _metaclass_of(symbol: ClassSymbol, plain: set[str]) -> str:
        """Give the name of a class' own metaclass, unless it is a plain one."""
        for keyword in symbol.keywords:
            name = keyword.removeprefix("metaclass=")
            if name != keyword and name.rpartition(".")[2] not in plain:
                return name
        return ""

    def changes_class(self, item: Item, text: str) -> bool:
        """Whether the decorator of a class may add names to it."""
        return self.decorators.left_of_class(item, text) != "same"

    @staticmethod
    def _lost(label: str, name: str, scopes: tuple[Scope, ...], doubt: str) -> NoReturn:
        if doubt:
            raise Doubt(f"{label!r} does not show {name!r}, but has {doubt}")
        names = tuple(dict.fromkeys(each for scope in scopes for each in scope if each != name))
        raise Missing(f"{label!r} has no {name!r}", names)

    def _is_property(self, meaning: Meaning) -> bool:
        if not isinstance(meaning, Item):
            return False
        symbol = meaning.symbol
        if isinstance(symbol, FunctionSymbol):
            effects = self.decorators.effects(meaning, symbol)
            return any(each.left == "property" for each in effects)
        return isinstance(symbol, ValueSymbol) and symbol.text == "property"

    def _found(self, meaning: Meaning, label: str, accessor: str = "fget") -> Found:
        """Give what a meaning is as a target.

        Raises:
            Problem: It cannot be one, or nobody knows.
        """
        if isinstance(meaning, Unknown):
            raise Doubt(meaning.reason)
        if isinstance(meaning, Module):
            raise Refused(f"{label!r} is not callable but a value of type 'module'")
        if isinstance(meaning, Builtin):
            raise _refused_builtin(label, meaning)
        symbol = meaning.symbol
        if isinstance(symbol, ClassSymbol):
            raise Refused(f"{label!r} is a class; name a method of it, such as '.__init__'")
        if isinstance(symbol, FunctionSymbol):
            return self._function(meaning, symbol, accessor)
        return self._value(meaning, symbol, accessor)

    def _function(self, item: Item, symbol: FunctionSymbol, accessor: str) -> Found:
        effects = self.decorators.effects(item, symbol)
        if any(each.left == "property" for each in effects):
            symbol, effects = self._accessor(item, symbol, accessor)
        is_static = any(each.left == "static" for each in effects)
        target = item.label if accessor == "fget" else f"{item.label}.{accessor}"
        is_method = item.owner is not None and not is_static
        origin = item.module.name
        return Found(target, item, symbol, effects, is_method, accessor, item.owner, origin)

    def _accessor(
        self, item: Item, symbol: FunctionSymbol, accessor: str
    ) -> tuple[FunctionSymbol, tuple[Effect, ...]]:
        """Give the function of a property that is meant."""
        owner = item.owner
        scope = owner.symbol.scope if owner and isinstance(owner.symbol, ClassSymbol) else {}
        every = [symbol_of(each) for each in scope.get(item.name, ())]
        functions = [each for each in every if isinstance(each, FunctionSymbol)] or [symbol]
        suffix = _SUFFIXES.get(accessor)
        for each in reversed(functions):
            last = each.decorators[0] if each.decorators else ""
            is_plain = not last.endswith((".setter", ".deleter"))
            if (is_plain and suffix is None) or (suffix and last.endswith(suffix)):
                return each, self.decorators.effects(item, each)
        if suffix is None:
            return symbol, self.decorators.effects(item, symbol)
        raise Refused(f"{item.label!r} is a property without a {_ACCESSOR_WORDS[accessor]}")

    def _value(self, item: Item, symbol: ValueSymbol, accessor: str) -> Found:
        if symbol.what in _PLAIN:
            raise Refused(f"{item.label!r} is not callable but a value of type {symbol.what!r}")
        if symbol.what == "alias":
            return self._alias(item, symbol.text, accessor)
        if symbol.what != "call":
            raise Doubt(f"{item.label!r} is made at run time")
        if symbol.text in _HOLDERS:
            return self._held(item, symbol, accessor)
        for each in self.program.scoped(item, symbol.text):
            if isinstance(each, Item):
                return self._made(item, symbol, each)
            if isinstance(each, Builtin) and isinstance(each.value, type):
                if "__call__" in dir(each.value):
                    return Found(item.label, item, None, (), False, "fget", item.owner)
                what = each.value.__name__
                raise Refused(f"{item.label!r} is not callable but a value of type {what!r}")
            if isinstance(each, Unknown):
                raise Doubt(f"{item.label!r} is made by {symbol.text!r}: {each.reason}")
        raise Doubt(f"{item.label!r} is made by {symbol.text!r} at run time")

    def _alias(self, item: Item, text: str, accessor: str) -> Found:
        """Follow ``run = Other.run`` in a class, which is called through a name of its own."""
        for each in self.program.scoped(item, text):
            if isinstance(each, Item) and each != item:
                found = self._found(each, item.label, accessor)
                return found if each.owner == item.owner else replace(
                    found, target=item.label, item=item, is_method=item.owner is not None,
                    named=item.owner,
                )  # fmt: skip
            if isinstance(each, Builtin):
                raise _refused_builtin(item.label, each)
        raise Doubt(f"{item.label!r} is {text!r}, which is made at run time")

    def _held(self, item: Item, symbol: ValueSymbol, accessor: str) -> Found:
        """Follow ``size = property(get_size)`` and the like."""
        place = _ACCESSORS.index(accessor)
        given = [each for each in symbol.arguments if not each.startswith(("doc=", "**="))]
        named = [each for each in given if each.startswith(f"{accessor}=")]
        text = named[0].partition("=")[2] if named else given[place] if place < len(given) else ""
        if not text or text == "None":
            raise Refused(f"{item.label!r} is a property without a {_ACCESSOR_WORDS[accessor]}")
        target = item.label if accessor == "fget" else f"{item.label}.{accessor}"
        is_method = item.owner is not None and symbol.text != "staticmethod"
        meanings = self.program.scoped(item, text) if text.replace(".", "x").isidentifier() else ()
        for each in meanings:
            if isinstance(each, Item) and isinstance(each.symbol, FunctionSymbol):
                effects = self.decorators.effects(each, each.symbol)
                return Found(target, item, each.symbol, effects, is_method, accessor,
                             item.owner, each.module.name)  # fmt: skip
            if isinstance(each, Builtin):
                raise _refused_builtin(item.label, each)
        if text.startswith("lambda"):
            origin = item.module.name
            return Found(target, item, None, (), is_method, accessor, item.owner, origin)
        raise Doubt(f"{item.label!r} holds {text!r}, which is made at run time")

    def _made(self, item: Item, symbol: ValueSymbol, maker: Item) -> Found:
        """Judge ``name = maker(...)``."""
        if maker.label in {"functools:partial", "functools:partialmethod"}:
            return Found(item.label, item, None, (), item.owner is not None, "fget", item.owner)
        if isinstance(maker.symbol, ClassSymbol):
            called = self.program.member(maker, "__call__")
            if called and not isinstance(called[0], Unknown):
                return Found(item.label, item, None, (), False, "fget", item.owner)
            if not called:
                what = maker.name
                raise Refused(f"{item.label!r} is not callable but a value of type {what!r}")
        if isinstance(maker.symbol, FunctionSymbol) and symbol.arguments == (item.name,):
            # `name = decorator(name)` after the `def` is a decorator, written out.
            before = self._before(item, symbol)
            if before is not None:
                effects = self.decorators.effects(item, before)
                effects += (self.decorators.effect(item, symbol.text),)
                is_method = item.owner is not None
                return Found(item.label, item, before, effects, is_method, "fget", item.owner,
                             item.module.name)  # fmt: skip
        raise Doubt(f"{item.label!r} is made by {symbol.text!r} at run time")

    @staticmethod
    def _before(item: Item, symbol: ValueSymbol) -> FunctionSymbol | None:
        owner = item.owner.symbol if item.owner else None
        scope = owner.scope if isinstance(owner, ClassSymbol) else item.module.table.scope
        for binding in reversed(scope.get(item.name, ())):
            if binding[0] == "def" and binding[2] < symbol.line:
                found = symbol_of(binding)
                return found if isinstance(found, FunctionSymbol) else None
        return None

    def _local(self, qualname: str, module: Module) -> Found:
        """Find a function inside a function."""
        outer, *rest = qualname.split(".<locals>.")
        around = next(iter(self._named(outer, module)))
        symbol, item = around.symbol, around.item
        names: tuple[str, ...] = ()
        owner: Item | None = None
        for part in rest:
            scope = symbol.inner if symbol is not None else {}
            symbol, names, owner = None, tuple(scope), None
            for name in part.split("."):
                bindings = scope.get(name)
                found = symbol_of(bindings[-1]) if bindings else None
                if isinstance(found, ClassSymbol):
                    scope, owner = found.scope, item
                elif isinstance(found, FunctionSymbol):
                    symbol = found
        if symbol is None:
            last = qualname.rpartition(".")[2]
            raise Missing(f"{outer!r} defines no function {last!r}", names)
        inner = Item(item.module, qualname, symbol, None)
        return Found(f"{module.name}:{qualname}", inner, symbol, (), owner is not None)

    def _members(self, pattern: Pattern, module: Module) -> Iterator[tuple[str, Found]]:
        """Yield what a glob may take in: the qualified names of a module with their functions."""
        for name in module.table.scope:
            for each, is_sure in self.program.bindings(module, module.table.scope, name):
                if isinstance(each, ClassSymbol | FunctionSymbol | ValueSymbol):
                    yield from self._member(pattern, Item(module, name, each, None, is_sure))

    def _member(self, pattern: Pattern, item: Item) -> Iterator[tuple[str, Found]]:
        symbol = item.symbol
        if isinstance(symbol, ClassSymbol):
            yield from self._within(pattern, item, symbol)
            return
        accessors = _ACCESSORS if self._is_property(item) else ("fget",)
        for accessor in accessors:
            try:
                found = self._found_by_glob(item, accessor)
            except Doubt as doubt:
                if pattern.matches_name(item.qualname) and self._may_be_a_function(item):
                    self.untold[item.label] = doubt.message
                continue
            except Problem:
                continue
            suffix = "" if accessor == "fget" else f".{accessor}"
            yield item.qualname + suffix, found
            if accessor == "fget" and len(accessors) > 1:
                yield f"{item.qualname}.fget", found

    def _within(
        self, pattern: Pattern, item: Item, symbol: ClassSymbol
    ) -> Iterator[tuple[str, Found]]:
        try:
            self._refuse_changed(item, symbol)
        except Doubt as doubt:
            if pattern.matches_inside(item.qualname):
                self.untold[item.label] = self._exchanged = doubt.message
            return
        for name in symbol.scope:
            for each, is_sure in self.program.bindings(item.module, symbol.scope, name):
                if isinstance(each, ClassSymbol | FunctionSymbol | ValueSymbol):
                    inner = Item(item.module, f"{item.qualname}.{name}", each, item, is_sure)
                    yield from self._member(pattern, inner)

    def _may_be_a_function(self, item: Item) -> bool:
        """Whether what is made at run time may be a function or class of its module.

        What another module makes is that one's, unless it is made of one of this module's own.
        """
        symbol = item.symbol
        if not isinstance(symbol, ValueSymbol) or symbol.what != "call":
            return True
        makers = self.program.scoped(item, symbol.text)
        if any(not isinstance(e, Item) or e.module is item.module for e in makers or (item,)):
            return True
        scope = item.module.table.scope
        own = {name for name, each in scope.items() if each[-1][0] in {"class", "def"}}
        given = [each.rpartition("=")[2] for each in symbol.arguments]
        return any("lambda" in each or each.partition(".")[0] in own for each in given)

    def _found_by_glob(self, item: Item, accessor: str) -> Found:
        """Give what a glob takes for itself: functions of this module, not just any callable.

        Raises:
            Problem: It leaves it out.
        """
        symbol = item.symbol
        if isinstance(symbol, ValueSymbol) and symbol.what == "alias" and item.owner is None:
            meanings = self.program.names(item.module, symbol.text)
            found = self._found(next(iter(meanings), Unknown("")), item.label, accessor)
        else:
            found = self._found(item, item.label, accessor)
        if found.symbol is None and not (
            isinstance(symbol, ValueSymbol) and symbol.text in _HOLDERS
        ):
            raise Refused("is no function and has none of its name inside")
        if found.origin != item.module.name:
            raise Refused("is defined in another module")
        for each in found.effects:
            if each.left == "stranger" and each.module != item.module.name:
                raise Refused("is a function of another module's")
        return found

    @staticmethod
    def _is_meant(pattern: Pattern, qualname: str, found: Found) -> bool:
        if not pattern.matches_name(qualname):
            return False
        # A setter is taken in by who writes it: `Cls.*` counts reads alone.
        written = next((each for each in _ACCESSORS if qualname.endswith(f".{each}")), "")
        if written and found.target.endswith(qualname.removesuffix(".fget")):
            return pattern.qualname.endswith(f".{written}")
        return True


_WRITE_NOTHING: Final = {"ABCMeta", "type"}
_PLAIN_METACLASSES: Final = {*_WRITE_NOTHING, "EnumMeta", "EnumType"}


def _refused_builtin(label: str, meaning: Builtin) -> Problem:
    value = meaning.value
    if isinstance(value, type):
        return Refused(f"{label!r} is a class; name a method of it, such as '.__init__'")
    if callable(value) or isinstance(value, BuiltinFunctionType) or hasattr(value, "__get__"):
        return Refused(
            f"{label!r} is implemented in C and cannot be replaced; name a Python caller of it"
        )
    kind = type(value).__name__
    return Refused(f"{label!r} is not callable but a value of type {kind!r}")
