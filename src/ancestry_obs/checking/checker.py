"""A map -> all that its program's source says of it: findings, notes, and what cannot be told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs import library_versions
from ancestry_obs.checking.answers import AnswerCache
from ancestry_obs.checking.fitting import Fitting
from ancestry_obs.checking.history import History
from ancestry_obs.checking.modules import Finder, python_path
from ancestry_obs.checking.program import Program
from ancestry_obs.checking.remarks import ends, remarks
from ancestry_obs.checking.renames import Renames
from ancestry_obs.checking.survey import Survey, places_of
from ancestry_obs.checking.symbols import ClassSymbol
from ancestry_obs.checking.tables import TableCache
from ancestry_obs.checking.types import Typing
from ancestry_obs.exceptions import Finding, Where
from ancestry_obs.mapfile.report import nearest_name
from ancestry_obs.user_cache import user_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ancestry_obs.checking.decorators import Decorators
    from ancestry_obs.checking.renames import Rename
    from ancestry_obs.checking.survey import Loss, Outcome, Place
    from ancestry_obs.mapfile import MapSpec

__all__ = ["Checker", "Verdict"]

_MOST_UNLISTED: Final = 3


@dataclass
class Verdict:
    """What is said of a map.

    Args:
        findings: What is wrong.
        notes: What is right but worth knowing.
        doubts: What the source does not tell: the target, its place and why.
        renames: The new name of each target that has a clear one.
        has_losses: Whether any target is not there, of which the history may tell more one day.
    """

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    doubts: list[tuple[str, Where, str]] = field(default_factory=list)
    renames: dict[str, str] = field(default_factory=dict)
    has_losses: bool = False

    @property
    def plain(self) -> tuple[object, ...]:
        """The same as plain data."""
        findings = [(each.message, _placed(each.where), each.remedy) for each in self.findings]
        doubts = [(target, _placed(where), why) for target, where, why in self.doubts]
        return findings, self.notes, doubts

    @classmethod
    def made_of(cls, plain: tuple[Any, Any, Any]) -> Verdict:
        """Make one of plain data."""
        findings, notes, doubts = plain
        return cls(
            [Finding(message, Where(*where), remedy) for message, where, remedy in findings],
            notes,
            [(target, Where(*where), why) for target, where, why in doubts],
        )


def _placed(where: Where) -> tuple[str, int | None, str]:
    return where.source, where.line, where.key


@dataclass
class Checker:
    """Compares maps with a program's source; what several maps name is read once.

    Args:
        program: The modules.
        answers: What was said before.
    """

    program: Program
    answers: AnswerCache = field(default_factory=lambda: AnswerCache(None))

    @classmethod
    def of_folder(cls, folder: Path | None = None) -> Checker:
        """Give the checker of what this interpreter would import in a folder, with its caches.

        Args:
            folder: The program's; the working folder if `None`.
        """
        cache = user_cache("check")
        tables = TableCache(Path(cache, "tables") if cache else None)
        answers = AnswerCache(Path(cache, "answers") if cache else None)
        return cls(Program(Finder(python_path(folder)), tables), answers)

    def check(self, spec: MapSpec) -> Verdict:
        """Check a map.

        Args:
            spec: A map without mistakes of its own.
        """
        known = self.answers.get(spec, self.program)
        verdict = self._check(spec) if known is None else Verdict.made_of(known)
        if known is None and not verdict.has_losses:
            self.answers.put(spec, self.program, verdict.plain)
        # Time passes, and libraries change, while the program stays the same.
        verdict.notes = [*verdict.notes, *ends(spec, time()), *library_versions.notes(spec)]
        return verdict

    def _check(self, spec: MapSpec) -> Verdict:
        survey = Survey(self.program)
        outcomes = {place: survey.look(place) for place in places_of(spec)}
        fitting = Fitting(spec, Typing(self.program, survey.resolver))
        verdict = Verdict()
        self._judge(spec, survey, outcomes, verdict)
        _fit(spec, outcomes, fitting)
        verdict.findings += fitting.findings
        own = spec.source
        verdict.findings.sort(
            key=lambda e: (e.where.source != own, e.where.source, e.where.line or 0)
        )
        places = {place.text: place.where for place in outcomes}
        first = next(iter(places.values()), None)
        for target, why in fitting.doubts.items():
            where = places.get(target, first)
            if where is not None:
                verdict.doubts.append((target, where, why))
        decorated = _decorated(spec, outcomes, survey.resolver.decorators)
        verdict.notes += [*dict.fromkeys(decorated), *_untold(survey.resolver.untold)]
        verdict.notes += [*remarks(spec), *_unheard(fitting)]
        verdict.notes += [*_unlisted(fitting), *_series(spec, fitting)]
        return verdict

    def save(self) -> None:
        """Keep what was read for the next run."""
        if self.program.tables is not None:
            self.program.tables.save()

    def _judge(
        self, spec: MapSpec, survey: Survey, outcomes: dict[Place, Outcome], verdict: Verdict
    ) -> None:
        named = [each for place, each in outcomes.items() if "*" not in place.text]
        taken = {found.target for each in named for found in each.found}
        renames = Renames(self.program, History(self.program.finder), taken)
        by_text = {place.text: each for place, each in outcomes.items()}
        losses: list[Loss] = []
        for place, outcome in outcomes.items():
            # ["pkg:*", "pkg.*:*"] means a package, whose own module is often empty.
            others = [by_text[each] for each in place.companions if each in by_text]
            takes_all = place.text.endswith(":*")
            is_found = takes_all and any(each.found for each in others)
            is_excused = is_found or (takes_all and any(each.doubt for each in others))
            verdict.findings += outcome.findings
            if outcome.doubt and not is_found:
                verdict.doubts.append((place.text, place.where, outcome.doubt))
            if outcome.loss is not None and not is_excused:
                losses.append(outcome.loss)
        verdict.has_losses = bool(losses)
        _tell(losses, lambda place: _new_name(spec, place, renames, survey), verdict)


def _new_name(spec: MapSpec, place: Place, renames: Renames, survey: Survey) -> Rename | None:
    """Give the likeliest new name of what is lost, if it leads to something."""
    read = _read_by(spec, place.text)
    rename = renames.find(place.text, read, is_class=place.is_class)
    if rename is None:
        return None
    outcome = survey.look(replace(place, text=rename.target))
    if outcome.loss is not None or outcome.findings:
        return None
    # A list of targets has each once.
    is_clear = rename.is_clear and bool(outcome.found) and rename.target not in place.companions
    return replace(rename, is_clear=is_clear)


def _tell(losses: list[Loss], new_name: Callable[[Place], Rename | None], verdict: Verdict) -> None:
    """Tell of what is lost, with its likeliest new name; no two have the same one."""
    found = {}
    for loss in losses:
        rename = new_name(loss.place)
        if rename is not None:
            found[loss.place] = rename
    best: dict[str, float] = {}
    for rename in found.values():
        best[rename.target] = max(best.get(rename.target, 0.0), rename.score)
    for loss in losses:
        rename = found.get(loss.place)
        hint = loss.hint
        if rename is not None and rename.score >= best[rename.target]:
            hint = f"did you mean {rename.target!r}?"
            if rename.is_clear and rename.target not in verdict.renames.values():
                verdict.renames[loss.place.text] = rename.target
        verdict.findings.append(Finding(loss.message, loss.place.where, hint))


def _read_by(spec: MapSpec, target: str) -> set[str]:
    return {
        name
        for instrument in spec.instruments
        if target in instrument.targets
        for expression in instrument.expressions
        for name in expression.names
    }


def _fit(spec: MapSpec, outcomes: dict[Place, Outcome], fitting: Fitting) -> None:
    found = {(place.text, place.is_class): each.found for place, each in outcomes.items()}
    for instrument in spec.instruments:
        reached = {each.target: each for t in instrument.targets for each in found[t, False]}
        for each in reached.values():
            fitting.handed(instrument, each)
        for record in instrument.records:
            for each in reached.values():
                fitting.record(record, each, is_definition=instrument.at == "definition")
    for sample in spec.samples:
        for each in found[sample.target, True]:
            fitting.sample(sample, each)


def _decorated(
    spec: MapSpec, outcomes: dict[Place, Outcome], decorators: Decorators
) -> Iterator[str]:
    """Say what decorators do to the targets that the map names one by one."""
    found = {place.text: each.found for place, each in outcomes.items() if not place.is_class}
    for instrument in spec.instruments:
        for target in instrument.targets:
            if instrument.at == "definition" or "*" in target:
                continue
            for each in found[target][:1]:
                for effect in each.effects:
                    if effect.words:
                        yield f"note: {each.target}: {effect.words}"
                if each.named is not None and isinstance(each.named.symbol, ClassSymbol):
                    for text in each.named.symbol.decorators:
                        if decorators.left_of_class(each.named, text) == "unknown":
                            why = f"what @{text} leaves of it cannot be told from the source"
                            yield f"note: {each.named.label}: {why}; use --import"


def _untold(untold: dict[str, str]) -> Iterator[str]:
    if untold:
        count = len(untold)
        name, why = next(iter(untold.items()))
        names = f"{count} name{'s' * (count > 1)} that a glob may mean"
        yield f"note: {names} cannot be told from the source; use --import (first {name}: {why})"


def _unheard(fitting: Fitting) -> Iterator[str]:
    for name, where in fitting.unheard.items():
        key = "tell" if name.startswith("told.") else "context"
        other = name.partition(".")[2]
        nearest = nearest_name(name, fitting.handed_over)
        hint = f"; did you mean {nearest!r}?" if nearest else ""
        yield f"note: {where}: {name} is always None, since no instrument has {key}.{other}{hint}"


def _unlisted(fitting: Fitting) -> Iterator[str]:
    for (where, label), values in fitting.unlisted.items():
        named = ", ".join(map(repr, [*values][:_MOST_UNLISTED]))
        more = f" and {len(values) - _MOST_UNLISTED} more" * (len(values) > _MOST_UNLISTED)
        what = f"the label {label!r} does not list {named}{more}"
        yield f"note: {where}: {what}, which becomes 'other'"


def _series(spec: MapSpec, fitting: Fitting) -> Iterator[str]:
    for metric in spec.metrics:
        closer = fitting.series(metric)
        if closer is not None:
            yield f"note: {metric.name}: {closer:,} series at most, by what its labels can be"
