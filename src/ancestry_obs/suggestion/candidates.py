"""A package's source, or what was called of it -> the functions that are worth an instrument.

The source is read and never imported. What was called is looked up in it too, since only what a map
can name, and `check` finds, is of use.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ancestry_obs.checking.survey import Place, Survey
from ancestry_obs.checking.symbols import ClassSymbol
from ancestry_obs.checking.types import Typing
from ancestry_obs.exceptions import ObservabilityError, Where
from ancestry_obs.mapfile import parse_target
from ancestry_obs.suggestion.proposals import by_annotations, by_calls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ancestry_obs.checking.program import Program
    from ancestry_obs.checking.resolution import Found
    from ancestry_obs.suggestion.proposals import Proposal
    from ancestry_obs.suggestion.traced_command import TracedFunction

__all__ = ["KINDS", "Candidate", "Source"]

KINDS: Final = ("route", "task", "command", "client", "function")
"""What a function is for, the kind that is of the most interest first."""

_MADE: Final = Where("a starter map", None, "")
_METHODS: Final = "route|get|post|put|delete|patch|head|options|websocket|api_route"
_DECORATED: Final = {
    "route": re.compile(rf"[\w.]+\.(?:{_METHODS})\(\s*f?['\"]/?"),
    "task": re.compile(r"(?:[\w.]+\.)?(?:shared_task|task|periodic_task|actor)\b(?:\(.*)?"),
    "command": re.compile(r"(?:[\w.]+\.)?(?:command|group)\b(?:\(.*)?"),
}
_CLIENT: Final = re.compile(
    r"\b(?:requests|httpx|aiohttp)\.(?:get|post|put|delete|patch|head|request|stream|Session"
    r"|Client|AsyncClient|ClientSession)\(|\burlopen\(|\bHTTPS?Connection\("
)
_URLS: Final = re.compile(r"\b(?:re_)?path\(\s*r?['\"][^'\"]*['\"]\s*,\s*([A-Za-z_][\w.]*)\s*[,)]")
_TESTS: Final = re.compile(r"(?:^|\.)(?:tests?|test_\w+|conftest)(?:\.|$)")
# The name leads to something else than what was written under it.
_HIDES: Final = {"cache", "stranger", "unknown", "wrapper"}
_ACCESSORS: Final = ("", ".fset", ".fdel")


@dataclass
class Candidate:
    """A function that a starter map names.

    Args:
        target: As the map writes it.
        kind: What it is for; see `KINDS`.
        is_definition: Whether what is meant is not what the name leads to.
        labels: What is proposed to tell its calls apart by.
        called: What was called of it; `None` where no command was run.
    """

    target: str
    kind: str
    is_definition: bool = False
    labels: list[Proposal] = field(default_factory=list)
    called: TracedFunction | None = None


@dataclass
class Source:
    """Finds candidates in a program's source.

    Args:
        program: The modules.
    """

    program: Program
    _survey: Survey = field(init=False)
    _typing: Typing = field(init=False)

    def __post_init__(self) -> None:
        self._survey = Survey(self.program)
        self._typing = Typing(self.program, self._survey.resolver)

    def public(self, package: str) -> list[Candidate]:
        """Give what a package offers, of each kind, what it exports in front of the rest.

        Args:
            package: A module's or package's name.

        Raises:
            ObservabilityError: There is no such module, or its source is not there.
        """
        self._refuse(package)
        views = self._views(package)
        exported = self._exported(package)
        found = [
            self._candidate(each, self._kind(each, views))
            for each in self._glob(package)
            if self._is_plain(each)
        ]
        found.sort(key=lambda each: (KINDS.index(each.kind), each.target not in exported))
        return found

    def called(self, functions: list[TracedFunction]) -> tuple[list[Candidate], list[str]]:
        """Give what a map can name of what was called, and what it cannot."""
        candidates, lost = [], []
        for function in functions:
            found = self._defined(function)
            if found is None:
                lost.append(function.target)
                continue
            candidate = self._candidate(found, self._kind(found, frozenset()), function)
            seen = {each.name for each in by_calls(function)}
            listed = [each for each in candidate.labels if each.name not in seen]
            candidate.labels = [*by_calls(function), *listed][:2]
            candidates.append(candidate)
        return candidates, lost

    def _refuse(self, package: str) -> None:
        finder = self.program.finder
        if finder.find(package) is None:
            missing = finder.missing(package)
            # The name of a file is what people try first.
            named = package.removesuffix(".py").strip("/").replace("/", ".")
            near = named if finder.find(named) else finder.nearest(package)
            hint = f"; did you mean {near!r}?" if near else "; install it, or run this beside it"
            raise ObservabilityError(
                f"there is no module {missing!r} ({finder.where(missing)}){hint}"
            )
        module = self.program.module(package)
        if module is not None and module.problem:
            raise ObservabilityError(f"the module {package!r}: {module.problem}; mend it first")
        if module is not None and module.file.kind in {"builtin", "compiled"}:
            raise ObservabilityError(
                f"{package!r} is compiled, so that nothing of it can be measured; "
                "name the package that calls it"
            )

    def _modules(self, package: str) -> Iterator[str]:
        file = self.program.finder.find(package)
        if file is not None:
            yield package
            yield from (each.name for each in self.program.finder.submodules(file))

    def _glob(self, package: str) -> Iterator[Found]:
        reached: set[str] = set()
        for name in self._modules(package):
            if _TESTS.search(name.removeprefix(package)):
                continue
            for each in self._survey.look(Place(f"{name}:*", _MADE)).found:
                if each.target not in reached:
                    reached.add(each.target)
                    yield each

    @staticmethod
    def _is_plain(found: Found) -> bool:
        """Whether a function is worth a line: no property, no stub, nothing of a type checker."""
        effects = {each.left for each in found.effects}
        return not effects & {"property", "cached", "stranger"} and found.symbol is not None

    def _exported(self, package: str) -> set[str]:
        module = self.program.module(package)
        if module is None:
            return set()
        table = module.table
        names = table.exports if table.exports is not None else [*table.scope]
        return {
            each.label
            for name in names
            if not name.startswith("_")
            for each in self.program.names(module, name)
            if not isinstance(each, type(module)) and hasattr(each, "label")
        }

    def _views(self, package: str) -> frozenset[str]:
        """Give the views that Django's lists of URLs name."""
        found: set[str] = set()
        for name in self._modules(package):
            module = self.program.module(name)
            if name.rpartition(".")[2] != "urls" or module is None or not module.file.path:
                continue
            for view in _URLS.findall(self.program.text_of(module)):
                for each in self.program.names(module, view):
                    found.add(getattr(each, "label", ""))
        return frozenset(found)

    def _kind(self, found: Found, views: frozenset[str]) -> str:
        if found.target in views:
            return "route"
        for kind, pattern in _DECORATED.items():
            if found.symbol and any(map(pattern.match, found.symbol.decorators)):
                return kind
        return "client" if self._calls_others(found) else "function"

    def _calls_others(self, found: Found) -> bool:
        symbol, module = found.symbol, found.item.module
        if symbol is None or not module.file.path:
            return False
        lines = self.program.text_of(module).split("\n")[symbol.line - 1 : symbol.end]
        return bool(_CLIENT.search("\n".join(lines)))

    def _candidate(
        self, found: Found, kind: str, called: TracedFunction | None = None
    ) -> Candidate:
        hides = any(each.left in _HIDES for each in found.effects)
        return Candidate(found.target, kind, hides, by_annotations(found, self._typing), called)

    def _defined(self, function: TracedFunction) -> Found | None:
        """Give the very definition that was called; `None` if its name does not lead to it."""
        last = function.qualname.rpartition(".")[2]
        # Python writes the class's name in front.
        if last.startswith("__") and not last.endswith("__"):
            return None
        for accessor in _ACCESSORS:
            try:
                parse_target(function.target + accessor)
            except ObservabilityError:
                return None
            outcome = self._survey.look(Place(function.target + accessor, _MADE))
            if len(outcome.found) != 1 or outcome.doubt or outcome.findings:
                continue
            (found,) = outcome.found
            symbol = found.symbol
            is_own = found.target == function.target + accessor
            is_class = isinstance(found.item.symbol, ClassSymbol)
            if (
                symbol
                and is_own
                and not is_class
                and function.first <= symbol.line <= function.last
            ):
                return found
        return None
