"""A target that is not there -> its likeliest new name, in its module or another of the package.

Judged by name and signature, and by the body where git has the last version of what is gone. What
two names are equally likely for is named, but not written into the map.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import pairwise
from time import monotonic
from typing import TYPE_CHECKING, Final

from ancestry_obs.checking.symbols import ClassSymbol, FunctionSymbol, symbol_of, table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ancestry_obs.checking.history import History
    from ancestry_obs.checking.program import Module, Program
    from ancestry_obs.checking.symbols import Scope

__all__ = ["Rename", "Renames"]

_LIKELY: Final = 0.6
# Where there is nothing but names to go by.
_ALIKE: Final = 0.75
_SURE: Final = 0.85
_CLEAR: Final = 0.02
_SECONDS: Final = 2.5
_ACCESSORS: Final = (".fget", ".fset", ".fdel")
# Of what only looks alike by name, this many are compared.
_MOST_ALIKE: Final = 40
# Of the likeliest, the history of this many is asked for.
_FEW: Final = 5

_Definition = FunctionSymbol | ClassSymbol


@dataclass(frozen=True, slots=True)
class Rename:
    """A likely new name.

    Args:
        target: ``module:qualname``, to stand in the old one's place in the map.
        score: How likely it is, up to 1.
        is_clear: Whether no other one is as likely.
    """

    target: str
    score: float
    is_clear: bool


@dataclass(frozen=True, slots=True)
class _Known:
    """A definition that there is, or was.

    Args:
        module: Its module's name.
        qualname: Its name there.
        symbol: What it is.
        lines: Its body, without blanks and comments.
    """

    module: str
    qualname: str
    symbol: _Definition
    lines: Callable[[], Counter[str]]

    @property
    def label(self) -> str:
        return f"{self.module}:{self.qualname}"

    @property
    def signature(self) -> tuple[str, ...]:
        if isinstance(self.symbol, FunctionSymbol):
            return self.symbol.names
        return tuple(self.symbol.scope)


@dataclass
class Renames:
    """Looks for new names.

    Args:
        program: The modules.
        history: Their earlier versions.
        taken: What other targets of the map mean already.
        clock: Gives the time in seconds.
    """

    program: Program
    history: History
    taken: set[str]
    clock: Callable[[], float] = monotonic
    _spent: float = 0.0
    _known: dict[str, list[_Known]] = field(default_factory=dict)
    _then: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def find(
        self, target: str, read: Iterable[str] = (), *, is_class: bool = False
    ) -> Rename | None:
        """Give the likeliest new name of a target.

        Args:
            target: As the map writes it.
            read: Parameters that the map's expressions read of it.
            is_class: Whether it is a class.
        """
        if self._spent > _SECONDS:
            return None
        began = self.clock()
        try:
            return self._find(target, tuple(read), is_class=is_class)
        finally:
            self._spent += self.clock() - began

    def _find(self, target: str, read: tuple[str, ...], *, is_class: bool) -> Rename | None:
        module, _, qualname = target.partition(":")
        if "*" in module:
            return None
        head, rest = _split(qualname)
        if not head:
            return self._moved(module, qualname)
        is_class = is_class or ("*" in rest and not rest.startswith(".<locals>"))
        found = self._likeliest(module, head, read, is_class=is_class)
        if found is None or not rest:
            return found
        return Rename(found.target + rest, found.score, found.is_clear)

    def _likeliest(
        self, module: str, qualname: str, read: tuple[str, ...], *, is_class: bool
    ) -> Rename | None:
        kind = ClassSymbol if is_class else FunctionSymbol
        commit, old = self._before(module, qualname, kind)
        scored = sorted(
            (
                (self._score(each, module, qualname, old, read), each.label)
                for each in self._candidates(module, qualname, old, kind)
            ),
            key=lambda each: (-each[0], each[1]),
        )
        if old is not None:
            # What was there beside it is hardly its new name.
            scored = sorted(
                (
                    (score - 0.3 * self._was_there(commit, label), label)
                    for score, label in scored[:_FEW]
                ),
                key=lambda each: (-each[0], each[1]),
            )
        if not scored or scored[0][0] < (_ALIKE if old is None else _LIKELY):
            return None
        score, label = scored[0]
        is_other = old is not None and self._was_there(commit, label)
        is_nearest = len(scored) == 1 or score - scored[1][0] >= _CLEAR
        # By the name alone, unless it may have had another one in a version that is not read.
        is_sure = score >= _SURE and module not in self.history.cut
        is_clear = is_nearest and not is_other and (old is not None or is_sure)
        return Rename(label, min(score, 1.0), is_clear)

    def _before(
        self, module: str, qualname: str, kind: type[_Definition]
    ) -> tuple[str, _Known | None]:
        """Give the last commit that had the definition, and that."""
        for commit, text in self.history.versions(module):
            for each in _definitions_in(module, text):
                if each.qualname == qualname and isinstance(each.symbol, kind):
                    return commit, each
        return "", None

    def _was_there(self, commit: str, label: str) -> bool:
        """Whether a commit had a definition."""
        module = label.partition(":")[0]
        if (commit, module) not in self._then:
            known = _definitions_in(module, self.history.at(commit, module))
            self._then[commit, module] = {each.label for each in known}
        return label in self._then[commit, module]

    def _score(
        self, each: _Known, module: str, qualname: str, old: _Known | None, read: tuple[str, ...]
    ) -> float:
        name = _likeness(qualname, each.qualname)
        if old is not None:
            body = _shared(old.lines(), each.lines())
            signature = _shared(Counter(old.signature), Counter(each.signature))
            score = 0.6 * body + 0.2 * signature + 0.2 * name
        else:
            fits = isinstance(each.symbol, ClassSymbol) or not {*read}.difference(
                each.symbol.names, ("self", "result", "error", "elapsed")
            )
            score = name - 0.1 * (not fits)
        score += 0.05 * (each.module == module) + 0.02 * _likeness(module, each.module)
        # What is another target already is hardly the new name of this one.
        return score - (0.1 if old is None else 0.3) * (each.label in self.taken)

    def _candidates(
        self, module: str, qualname: str, old: _Known | None, kind: type[_Definition]
    ) -> Iterator[_Known]:
        last = qualname.rpartition(".")[2]
        alike: list[tuple[float, int, _Known]] = []
        for each in self._all(module.partition(".")[0]):
            if not isinstance(each.symbol, kind) or each.label == f"{module}:{qualname}":
                continue
            same_name = each.qualname.rpartition(".")[2] == last
            same_shape = old is not None and each.signature == old.signature
            if each.module == module or same_name or same_shape:
                yield each
            else:
                alike.append((_pairs_shared(qualname, each.qualname), len(alike), each))
        for _, _, each in sorted(alike, reverse=True)[:_MOST_ALIKE]:
            yield each

    def _all(self, top: str) -> list[_Known]:
        """Give every definition of a package."""
        if top not in self._known:
            known = self._known[top] = []
            found = self.program.finder.find(top)
            for file in (found, *self.program.finder.submodules(found)) if found else ():
                module = self.program.module(file.name)
                if module is not None and module.file.kind == "source":
                    known += _definitions(module.name, module.table.scope, self._text(module))
        return self._known[top]

    def _text(self, module: Module) -> Callable[[], str]:
        return lambda: self.program.text_of(module)

    def _moved(self, module: str, rest: str) -> Rename | None:
        """Find where a whole module has gone, by the names that it had."""
        names: set[str] = set()
        for _, text in self.history.versions(module):
            try:
                names = {*table_of(text).scope}
            except (SyntaxError, ValueError, RecursionError):
                continue
            break
        top = self.program.finder.find(module.partition(".")[0])
        scored = []
        for file in self.program.finder.submodules(top) if top else ():
            there = self.program.module(file.name)
            own = {*there.table.scope} if there else set()
            shared = len(names & own) / len(names | own) if names else 0.0
            score = (
                0.7 * shared + 0.3 * _likeness(module, file.name)
                if names
                else (_likeness(module, file.name) - 0.2)
            )
            scored.append((score, file.name))
        scored.sort(reverse=True)
        if not scored or scored[0][0] < _LIKELY:
            return None
        is_clear = len(scored) == 1 or scored[0][0] - scored[1][0] >= _CLEAR
        return Rename(f"{scored[0][1]}:{rest}", scored[0][0], is_clear)


def _split(qualname: str) -> tuple[str, str]:
    """Split what has a definition of its own from what is only looked for in it."""
    for accessor in _ACCESSORS:
        if qualname.endswith(accessor):
            return qualname.removesuffix(accessor), accessor
    outer, locals_, inner = qualname.partition(".<locals>")
    if locals_:
        return outer, locals_ + inner
    if "*" in qualname:
        head = qualname.partition("*")[0].rpartition(".")[0]
        return head, qualname.removeprefix(head)
    return qualname, ""


def _definitions(
    module: str, scope: Scope, text: str | Callable[[], str], prefix: str = ""
) -> Iterator[_Known]:
    for name, bindings in scope.items():
        is_deleted = bindings[-1][0] == "value" and bindings[-1][3] == "del"
        for binding in () if is_deleted else bindings:
            symbol = symbol_of(binding)
            if isinstance(symbol, FunctionSymbol | ClassSymbol):
                yield _Known(module, prefix + name, symbol, _lines_of(text, symbol))
            if isinstance(symbol, ClassSymbol):
                yield from _definitions(module, symbol.scope, text, f"{prefix}{name}.")


def _definitions_in(module: str, text: str) -> list[_Known]:
    try:
        return [*_definitions(module, table_of(text).scope, text)]
    except (SyntaxError, ValueError, RecursionError):
        return []


def _lines_of(text: str | Callable[[], str], symbol: _Definition) -> Callable[[], Counter[str]]:
    kept: list[Counter[str]] = []

    def lines() -> Counter[str]:
        if not kept:
            whole = text if isinstance(text, str) else text()
            # The line with the name is what has changed.
            body = map(str.strip, whole.split("\n")[symbol.line : symbol.end])
            kept.append(Counter(each for each in body if each and not each.startswith("#")))
        return kept[0]

    return lines


def _shared(one: Counter[str], other: Counter[str]) -> float:
    """Give the share of two bags that both have; two empty ones are alike."""
    every = (one | other).total()
    return (one & other).total() / every if every else 1.0


def _likeness(one: str, other: str) -> float:
    if one == other:
        return 1.0
    (around, _, name), (other_around, _, other_name) = one.rpartition("."), other.rpartition(".")
    last = SequenceMatcher(None, name, other_name, autojunk=False).ratio()
    if around == other_around:
        # What both have in front tells nothing of the two.
        return 0.4 + 0.6 * last
    return (SequenceMatcher(None, one, other, autojunk=False).ratio() + last) / 2


def _pairs_shared(one: str, other: str) -> float:
    pairs, others = ({a + b for a, b in pairwise(text)} for text in (one, other))
    return len(pairs & others) / (len(pairs | others) or 1)
