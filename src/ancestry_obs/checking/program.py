"""Modules and their tables -> what a name means in one of them, followed through imports.

    Program.module(name)            a module with its table
    Program.names(module, "a.b")    what a dotted name means there
    Program.ancestry(item)          a class and its bases, in the order in which they are asked
    Program.member(item, name)      what a class has under a name, its own or inherited

A name may mean several things, where a condition decides that only a run knows. What cannot be
known is an `Unknown` with the reason, never a guess.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ancestry_obs.checking.symbols import (
    ClassSymbol,
    FunctionSymbol,
    ImportSymbol,
    Scope,
    Table,
    ValueSymbol,
    read_source,
    symbol_of,
    table_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ancestry_obs.checking.modules import Finder, ModuleFile
    from ancestry_obs.checking.tables import TableCache

__all__ = ["Builtin", "Item", "Meaning", "Module", "Program", "Unknown"]

# Names that lead to names that lead to names: no sane program goes deeper.
_DEEPEST: Final = 40


@dataclass(frozen=True, slots=True, eq=False)
class Module:
    """A module that was found.

    Args:
        file: Where it is.
        table: Its names; none where it has no source.
        problem: Why its source cannot be read; empty if it can.
    """

    file: ModuleFile
    table: Table
    problem: str = ""

    @property
    def name(self) -> str:
        """Its dotted name."""
        return self.file.name


@dataclass(frozen=True, slots=True)
class Item:
    """A name's binding, at the place that has it.

    Args:
        module: The module that it is in.
        qualname: Its dotted name there.
        symbol: What is bound.
        owner: The class around it; `None` for one of the module itself.
        is_sure: Whether no unknown condition decides of it.
    """

    module: Module
    qualname: str
    symbol: FunctionSymbol | ClassSymbol | ValueSymbol = field(compare=False)
    owner: Item | None = field(default=None, compare=False, repr=False)
    is_sure: bool = field(default=True, compare=False)

    @property
    def label(self) -> str:
        """``module:qualname``."""
        return f"{self.module.name}:{self.qualname}"

    @property
    def name(self) -> str:
        """The last part of its name."""
        return self.qualname.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Builtin:
    """Something of the interpreter itself, which is there to be looked at."""

    name: str
    value: object = field(compare=False)


@dataclass(frozen=True, slots=True)
class Unknown:
    """What the source does not tell, and why."""

    reason: str


Meaning = Item | Module | Builtin | Unknown

_EMPTY: Final = Table({}, [], None, "", {})
_OBJECT: Final = Builtin("object", object)


@dataclass
class Program:
    """The modules of a program, read when they are asked for.

    Args:
        finder: Finds their files.
        tables: Keeps tables from one run to the next; `None` to read every file.
    """

    finder: Finder
    tables: TableCache | None = None
    _modules: dict[str, Module | None] = field(default_factory=dict)
    _ancestries: dict[str, tuple[Meaning, ...]] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict)

    def module(self, name: str) -> Module | None:
        """Give a module; `None` if there is no such file."""
        if name not in self._modules:
            found = self.finder.find(name)
            self._modules[name] = None if found is None else self._read(found)
        return self._modules[name]

    @property
    def looked_at(self) -> list[str]:
        """Every file that was read and every folder in which a name was looked up."""
        read = [each.file.path for each in self._modules.values() if each and each.file.path]
        return [*read, *self.finder.folders]

    def text_of(self, module: Module) -> str:
        """Give a module's source."""
        if module.name not in self._texts:
            self._texts[module.name] = read_source(Path(module.file.path).read_bytes())
        return self._texts[module.name]

    def names(self, module: Module, dotted: str, *, types: bool = False) -> tuple[Meaning, ...]:
        """Give what a dotted name means in a module; nothing if it has no such name.

        Args:
            module: The module.
            dotted: The name, such as ``sub.Class``.
            types: Whether names count that type checkers alone see.
        """
        return self._dotted(module, dotted, types, _DEEPEST)

    def bindings(
        self, module: Module, scope: Scope, name: str, *, types: bool = False
    ) -> Iterator[tuple[FunctionSymbol | ClassSymbol | ImportSymbol | ValueSymbol, bool]]:
        """Yield what a scope may bind a name to, the last first, and whether it surely does."""
        for binding in reversed(scope.get(name, ())):
            holds = self._holds(module, binding[1], types=types)
            if holds is not False:
                yield symbol_of(binding), holds is True
            if holds:
                return

    def ancestry(self, item: Item) -> tuple[Meaning, ...]:
        """Give a class and its bases in the order in which they are asked for a name.

        What is not known of the bases is an `Unknown` at its place.
        """
        if item.label not in self._ancestries:
            # One that is its own base, as circular imports may have it, ends there.
            self._ancestries[item.label] = (item,)
            self._ancestries[item.label] = self._linearized(item)
        return self._ancestries[item.label]

    def member(self, item: Item, name: str) -> tuple[Meaning, ...]:
        """Give what a class has under a name: what stands first, or why that cannot be known."""
        for each in self.ancestry(item):
            if isinstance(each, Unknown):
                return (each,)
            if isinstance(each, Builtin):
                if name in vars(each.value):
                    return (Builtin(f"{each.name}.{name}", vars(each.value)[name]),)
            elif isinstance(each, Item) and isinstance(each.symbol, ClassSymbol):
                found = self._own(each, each.symbol, name)
                if found:
                    return found
        return ()

    def _own(self, owner: Item, symbol: ClassSymbol, name: str) -> tuple[Meaning, ...]:
        found: list[Meaning] = []
        for each, is_sure in self.bindings(owner.module, symbol.scope, name):
            if isinstance(each, ImportSymbol):
                found.extend(self._imported(owner.module, each, False, _DEEPEST))
            elif not (isinstance(each, ValueSymbol) and each.what == "del"):
                found.append(Item(owner.module, f"{owner.qualname}.{name}", each, owner, is_sure))
        return tuple(found)

    def _read(self, file: ModuleFile) -> Module:
        if file.kind != "source":
            return Module(file, _EMPTY)
        try:
            if self.tables is not None:
                return Module(file, self.tables.table(file))
            return Module(file, table_of(read_source(Path(file.path).read_bytes())))
        except SyntaxError as error:
            line = f" in line {error.lineno}" if error.lineno else ""
            return Module(file, _EMPTY, f"it is no Python{line}: {error.msg}")
        except (OSError, ValueError) as error:
            return Module(file, _EMPTY, f"it cannot be read: {error}")
        except (RecursionError, MemoryError):
            return Module(file, _EMPTY, "it is nested too deeply to be read")

    def _holds(self, module: Module, guards: Iterable[str], *, types: bool) -> bool | None:
        """Tell whether a binding is made: it is not, or nobody knows (`None`)."""
        answer: bool | None = True
        for guard in guards:
            if guard == "types":
                if not types:
                    return False
            elif guard == "?":
                answer = None
            else:
                there = all(self._is_importable(module, each) for each in guard[1:].split(","))
                if there != (guard[0] == "+"):
                    return False
        return answer

    def _is_importable(self, module: Module, needed: str) -> bool:
        path, _, name = needed.partition(":")
        bare = path.lstrip(".")
        target = self._absolute(module, len(path) - len(bare), bare)
        found = self.module(target)
        if found is None or found.problem:
            return False
        if not name or name == "*" or found.file.kind in {"builtin", "compiled"}:
            return not name or found.file.kind != "builtin" or hasattr(_builtin(target), name)
        table = found.table
        has_it = name in table.scope or table.stars or table.doubt or "__getattr__" in table.scope
        return bool(has_it) or self.finder.find(f"{target}.{name}") is not None

    @staticmethod
    def _absolute(module: Module, level: int, name: str) -> str:
        if not level:
            return name
        package = module.file.package.split(".")
        above = package[: len(package) - level + 1]
        return ".".join([*above, name] if name else above)

    def _dotted(
        self,
        module: Module,
        dotted: str,
        types: bool,  # noqa: FBT001 - of a walk
        depth: int,
    ) -> tuple[Meaning, ...]:
        if depth <= 0:
            return (Unknown(f"{dotted!r} leads too far"),)
        first, _, rest = dotted.partition(".")
        meanings = self._name(module, first, types, depth)
        for name in rest.split(".") if rest else ():
            meanings = tuple(
                found for each in meanings for found in self._inside(each, name, types, depth)
            )
        return meanings

    def _inside(
        self,
        meaning: Meaning,
        name: str,
        types: bool,  # noqa: FBT001 - of a walk
        depth: int,
    ) -> tuple[Meaning, ...]:
        if isinstance(meaning, Module):
            return self._name(meaning, name, types, depth - 1, submodules=True)
        if isinstance(meaning, Item) and isinstance(meaning.symbol, ClassSymbol):
            return self.member(meaning, name)
        if isinstance(meaning, Builtin):
            found = getattr(meaning.value, name, None)
            return () if found is None else (Builtin(f"{meaning.name}.{name}", found),)
        if isinstance(meaning, Unknown):
            return (meaning,)
        return (Unknown(f"{meaning.label!r} is made at run time"),)

    def _name(
        self,
        module: Module,
        name: str,
        types: bool,  # noqa: FBT001 - of a walk
        depth: int,
        *,
        submodules: bool = False,
    ) -> tuple[Meaning, ...]:
        """Give what a module's own name means."""
        if module.file.kind == "builtin":
            value = getattr(_builtin(module.name), name, None)
            return () if value is None else (Builtin(f"{module.name}.{name}", value),)
        if module.file.kind == "compiled":
            return (Unknown(f"{module.name!r} is compiled"),)
        if module.problem:
            return (Unknown(f"{module.name!r}: {module.problem}"),)
        found: list[Meaning] = []
        is_sure = False
        for symbol, is_sure in self.bindings(module, module.table.scope, name, types=types):
            found += self._meant(module, name, symbol, is_sure, types, depth)
        if not found and not is_sure:
            found += self._starred(module, name, types, depth)
        if not found and not is_sure and (submodules or module.file.folders):
            below = self.module(f"{module.name}.{name}")
            found += [below] if below else []
        return tuple({_key(each): each for each in found}.values())

    def _meant(  # noqa: PLR0913, PLR0917 - a step of a walk
        self,
        module: Module,
        name: str,
        symbol: FunctionSymbol | ClassSymbol | ImportSymbol | ValueSymbol,
        is_sure: bool,  # noqa: FBT001 - the same
        types: bool,  # noqa: FBT001 - the same
        depth: int,
    ) -> tuple[Meaning, ...]:
        if isinstance(symbol, ImportSymbol):
            return self._imported(module, symbol, types, depth - 1)
        if isinstance(symbol, ValueSymbol):
            if symbol.what == "del":
                return ()
            if symbol.what == "alias" and symbol.text.partition(".")[0] != name:
                return self._aliased(module, symbol.text, types, depth - 1)
        return (Item(module, name, symbol, None, is_sure),)

    def _aliased(
        self,
        module: Module,
        text: str,
        types: bool,  # noqa: FBT001 - of a walk
        depth: int,
    ) -> tuple[Meaning, ...]:
        found = self._dotted(module, text, types, depth)
        if found:
            return found
        if "." not in text and hasattr(builtins, text):
            return (Builtin(text, getattr(builtins, text)),)
        return (Unknown(f"{module.name!r} does not show what {text!r} is"),)

    def _imported(
        self,
        module: Module,
        symbol: ImportSymbol,
        types: bool,  # noqa: FBT001 - of a walk
        depth: int,
    ) -> tuple[Meaning, ...]:
        target = self._absolute(module, symbol.level, symbol.module)
        found = self.module(target)
        if found is None:
            return (Unknown(f"the module {target!r} is not there"),)
        if not symbol.name:
            return (found,)
        if depth <= 0:
            return (Unknown(f"{symbol.name!r} is imported in a circle"),)
        if found is module:  # `from . import sub` in a package, which means the submodule
            below = self.module(f"{target}.{symbol.name}")
            return (below,) if below else ()
        meanings = self._name(found, symbol.name, types, depth, submodules=True)
        if meanings:
            return meanings
        return (Unknown(f"{target!r} does not show where it has {symbol.name!r} from"),)

    def _starred(
        self,
        module: Module,
        name: str,
        types: bool,  # noqa: FBT001 - of a walk
        depth: int,
    ) -> list[Meaning]:
        if depth <= 0:
            return []
        for level, path, guards in reversed(module.table.stars):
            if self._holds(module, guards, types=types) is False:
                continue
            target = self._absolute(module, level, path)
            found = self.module(target)
            if found is None or found.file.kind == "compiled":
                return [Unknown(f"'from {target} import *' in {module.name!r} cannot be followed")]
            exports = found.table.exports
            is_taken = name in exports if exports is not None else not name.startswith("_")
            meanings = self._name(found, name, types, depth - 1) if is_taken else ()
            if meanings:
                return [*meanings]
        return []

    def _linearized(self, item: Item) -> tuple[Meaning, ...]:
        """Give the C3 linearization ("The Python 2.3 Method Resolution Order" in Python's docs)."""
        symbol = item.symbol
        if not isinstance(symbol, ClassSymbol):
            return (Unknown(f"{item.label!r} is no class"),)
        bases = [self._base(item, text) for text in symbol.bases]
        lines = [[*self._line_of(base)] for base in bases]
        merged = _merged([*lines, [*bases]])
        return (item, *merged) if merged else (item, _OBJECT)

    def _line_of(self, base: Meaning) -> tuple[Meaning, ...]:
        if isinstance(base, Item):
            return self.ancestry(base)
        if isinstance(base, Builtin) and isinstance(base.value, type):
            return tuple(Builtin(each.__name__, each) for each in base.value.__mro__)
        return (base, _OBJECT)

    def _base(self, item: Item, text: str) -> Meaning:
        bare = text.partition("[")[0].strip()
        if not text or not bare.replace(".", "x").isidentifier():
            return Unknown(f"the base {text or '...'!r} of {item.label!r} is made at run time")
        found = self.scoped(item, bare)
        for each in found:
            if isinstance(each, Item) and isinstance(each.symbol, ClassSymbol):
                return each
            if isinstance(each, Builtin) and isinstance(each.value, type):
                return each
            if isinstance(each, Item) and each.label in _SPECIAL_BASES:
                return Unknown(_SPECIAL_BASES[each.label])
            if isinstance(each, Unknown):
                return each
        return Unknown(f"the base {bare!r} of {item.label!r} is made at run time")

    def scoped(self, item: Item, dotted: str) -> tuple[Meaning, ...]:
        """Give what a name means in the body of whatever is around an item."""
        first, _, rest = dotted.partition(".")
        owner = item.owner
        if owner is not None and isinstance(owner.symbol, ClassSymbol):
            found = self._own(owner, owner.symbol, first)
            # A class may have a name of the module's for its own, as in `class Meta(Meta)`.
            found = tuple(each for each in found if each != item)
            for name in rest.split(".") if rest else ():
                found = tuple(e for m in found for e in self._inside(m, name, False, _DEEPEST))
            if found:
                return found
        meanings = tuple(each for each in self.names(item.module, dotted) if each != item)
        if not meanings and not rest and hasattr(builtins, first):
            return (Builtin(first, getattr(builtins, first)),)
        return meanings


_SPECIAL_BASES: Final = {
    "typing:NamedTuple": "a NamedTuple is made at run time",
    "typing:TypedDict": "a TypedDict is made at run time",
}


def _key(meaning: Meaning) -> object:
    """Tell meanings apart; one name may be bound at several lines."""
    return (meaning, meaning.symbol.line) if isinstance(meaning, Item) else meaning


def _builtin(name: str) -> object:
    """Give a module that is part of the interpreter: there is no program to be run for it."""
    assert name in sys.builtin_module_names  # noqa: S101 - nothing else may be imported
    return importlib.import_module(name)


def _merged(lines: list[list[Meaning]]) -> list[Meaning]:
    merged: list[Meaning] = []
    while lines := [line for line in lines if line]:
        heads = [line[0] for line in lines]
        tails = [each for line in lines for each in line[1:]]
        # What has no order that agrees cannot be a class; any order serves for what is said of it.
        head = next((each for each in heads if each not in tails), heads[0])
        merged.append(head)
        lines = [[each for each in line if each != head] for line in lines]
    return merged


def expression_of(text: str) -> ast.expr | None:
    """Parse an expression that a table has as text; `None` if it was too long to be kept."""
    try:
        return ast.parse(f"({text})", mode="eval").body if text else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
