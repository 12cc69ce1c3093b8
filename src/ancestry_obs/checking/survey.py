"""A map's targets -> the functions that each pattern reached in the source, or why it reached none.

What a pattern is found to lack is a `Loss`, for which `renames` looks for the likeliest new name.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from ancestry_obs.checking.resolution import Doubt, Missing, Problem, Resolver
from ancestry_obs.exceptions import Finding, Where
from ancestry_obs.mapfile.map_files import PACK
from ancestry_obs.patcher.patterns import Pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ancestry_obs.checking.modules import ModuleFile
    from ancestry_obs.checking.program import Program
    from ancestry_obs.checking.resolution import Found
    from ancestry_obs.mapfile import MapSpec

__all__ = ["Loss", "Outcome", "Place", "Survey", "places_of"]


@dataclass(frozen=True, slots=True)
class Place:
    """A target in the map.

    Args:
        text: The pattern, or the class of a sample.
        where: Where it stands.
        is_class: Whether a class is meant, as by a sample.
        companions: The other patterns of its list.
    """

    text: str
    where: Where
    is_class: bool = False
    companions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Loss:
    """A target that is not there.

    Args:
        place: Where the map names it.
        message: What is missing.
        hint: The nearest thing that there is, in words; empty if nothing is near.
    """

    place: Place
    message: str
    hint: str = ""


@dataclass
class Outcome:
    """What became of one pattern.

    Args:
        found: The functions.
        loss: That it is not there.
        findings: What else is wrong.
        doubt: Why the source does not tell; empty if it does.
    """

    found: tuple[Found, ...] = ()
    loss: Loss | None = None
    findings: list[Finding] = field(default_factory=list)
    doubt: str = ""


@dataclass
class Survey:
    """Looks for targets.

    Args:
        program: The modules.
    """

    program: Program
    resolver: Resolver = field(init=False)

    def __post_init__(self) -> None:
        self.resolver = Resolver(self.program)

    def look(self, place: Place) -> Outcome:  # noqa: PLR0911 - one for each thing that can be
        """Look for one target."""
        pattern = Pattern.parse(place.text)
        if pattern.spans_modules:
            return self._spanning(place, pattern)
        module = self.program.module(pattern.module)
        if module is None:
            return Outcome(loss=self._no_module(place, pattern.module))
        try:
            if place.is_class:
                owner = self.resolver.class_of(pattern.qualname, module)
                initializer = Pattern.parse(f"{owner.label}.__init__")
                return Outcome(self.resolver.find(initializer, owner.module))
            return Outcome(self.resolver.find(pattern, module))
        except Doubt as doubt:
            return Outcome(doubt=doubt.message)
        except Missing as missing:
            last = pattern.qualname.rpartition(".")[2]
            return Outcome(loss=Loss(place, missing.message, _nearest(last, missing.names)))
        except Problem as problem:
            return Outcome(findings=[Finding(problem.message, place.where)])

    def modules(self, pattern: Pattern) -> Iterator[ModuleFile]:
        """Yield the modules that a pattern means."""
        top = self.program.finder.find(pattern.module.partition(".")[0])
        for each in (top, *self.program.finder.submodules(top)) if top else ():
            if pattern.matches_module(each.name):
                yield each

    def _spanning(self, place: Place, pattern: Pattern) -> Outcome:
        top = pattern.module.partition(".")[0]
        if self.program.finder.find(top) is None:
            return Outcome(loss=self._no_module(place, top))
        outcome, found, count = Outcome(), {}, 0
        for file in self.modules(pattern):
            module = self.program.module(file.name)
            count += 1
            try:
                if module is not None:
                    found.update({e.target: e for e in self.resolver.find(pattern, module)})
            except Doubt as doubt:
                outcome.doubt = outcome.doubt or doubt.message
            except Missing:
                continue
            except Problem as problem:
                outcome.findings.append(Finding(problem.message, place.where))
        outcome.found = tuple(found.values())
        if found:
            outcome.doubt = ""
        elif not outcome.doubt and not outcome.findings:
            modules = f"{count} module{'s' * (count != 1)}"
            outcome.loss = Loss(place, f"{place.text!r} matches nothing in the {modules} it spans")
        return outcome

    def _no_module(self, place: Place, name: str) -> Loss:
        finder = self.program.finder
        missing = finder.missing(name)
        message = f"there is no module {missing!r} ({finder.where(missing)})"
        if place.where.source.startswith(PACK):
            # Nobody has misspelt it.
            return Loss(place, message, "install the library, or leave its pack out")
        if folder := _beside(place.where.source, missing):
            return Loss(place, message, f"it is in {folder!r}; run this there")
        near = finder.nearest(name)
        return Loss(place, message, f"did you mean the module {near!r}?" if near else "")


def _beside(source: str, module: str) -> str:
    """Give the folder of a map's file, or the one above, if a module is there."""
    folder = Path(source).parent
    for each in (folder, folder / ".."):
        if (each / f"{module}.py").is_file() or (each / module / "__init__.py").is_file():
            return os.path.normpath(each)
    return ""


def places_of(spec: MapSpec) -> list[Place]:
    """Give every target that a map names, each once, in the map's order."""
    places: dict[tuple[str, bool], Place] = {}
    for instrument in spec.instruments:
        for target in instrument.targets:
            others = tuple(each for each in instrument.targets if each != target)
            where = _of_list(instrument.where, target, instrument.targets)
            places.setdefault((target, False), Place(target, where, False, others))
    for sample in spec.samples:
        places.setdefault((sample.target, True), Place(sample.target, sample.where, True))
    for hook in spec.hooks:
        places.setdefault((hook.target, False), Place(hook.target, hook.where))
    return list(places.values())


def _of_list(where: Where, target: str, targets: tuple[str, ...]) -> Where:
    """Tell the places of one list apart."""
    if len(targets) == 1:
        return where
    key = f"{where.key}.target[{targets.index(target)}]"
    return Where(where.source, lambda: where.line, key)


def _nearest(name: str, names: tuple[str, ...]) -> str:
    near = get_close_matches(name, names, n=1)
    return f"did you mean {near[0]!r}?" if near else ""
