"""Records and the functions that they are for -> which expressions do not fit, and how many series.

The rules are those by which a run refuses or drops: a name that the function does not have
(`compiler.aspect`), an attribute that a class does not have, a value that is no number.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Final

from ancestry_obs.checking.generators import kind_in_source
from ancestry_obs.checking.types import NoAttribute, Typing, is_text, values_of
from ancestry_obs.compiler.aspect import SPECIAL, known_at, no_items
from ancestry_obs.exceptions import ExpressionError, Finding
from ancestry_obs.expressions import BUILTIN_FUNCTIONS, check
from ancestry_obs.expressions.given import HANDED, NO_SCOPE, TARGET
from ancestry_obs.mapfile.metrics import possible_values, series_of_each
from ancestry_obs.mapfile.parts import two_contexts
from ancestry_obs.mapfile.specs import HANDED_OVER, NOT_OVER, SampleSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ancestry_obs.checking.resolution import Found
    from ancestry_obs.checking.types import Types
    from ancestry_obs.exceptions import Where
    from ancestry_obs.expressions import Expression
    from ancestry_obs.mapfile import (
        InstrumentSpec,
        MapSpec,
        MetricSpec,
        RecordSpec,
    )  # fmt: skip
    from ancestry_obs.mapfile.specs import At

__all__ = ["Fitting"]

# A function of the decorator's own takes what its source says, which is not read.
_TAKES_ITS_OWN: Final = {"stranger", "unknown", "object"}
_WITH_ALL: Final = ("args", "kwargs")
_FROM_OTHERS: Final = tuple(f"{root}." for root in HANDED)


@dataclass
class Fitting:
    """Compares records with functions.

    Args:
        spec: The map.
        typing: Tells what expressions may be.

    Attributes:
        doubts: What the source does not tell, by target.
        unheard: What is read though nobody hands it over, with the first place.
        unlisted: Of places and labels what a target is called that the label does not list.
    """

    spec: MapSpec
    typing: Typing
    doubts: dict[str, str] = field(default_factory=dict)
    unheard: dict[str, Where] = field(default_factory=dict)
    unlisted: dict[tuple[str, str], dict[str, None]] = field(default_factory=dict)
    _wrong: dict[tuple[str, str], tuple[Where, str, list[str]]] = field(default_factory=dict)
    _contexts: dict[tuple[str, At, str], tuple[str, Where]] = field(default_factory=dict)
    _pairs: list[Finding] = field(default_factory=list)
    _values: dict[tuple[str, str], set[str] | None] = field(default_factory=dict)

    def record(self, record: RecordSpec, found: Found, *, is_definition: bool) -> None:
        """Compare one record with one function."""
        # To know it takes a look into the function's body.
        is_asked = record.on in HANDED_OVER or any("items" in e.names for e in record.expressions)
        kind = self._kind(found, is_definition=is_definition) if is_asked else "function"
        if record.on in HANDED_OVER and not kind.endswith("generator"):
            self._no_items(record, found, kind)
            return
        names = self._names(found, is_definition=is_definition) | _known_at(record.on, kind)
        never = () if record.on != "call" else ("told",)
        once = [] if record.each is None else [record.each]
        items = {"item"} if once else set()
        more = [each for each in record.expressions if each not in once]
        place, rest = record.where_of, (never, found, is_definition)
        if self._reads(once, place, names, *rest) and self._reads(
            more, place, names | items, *rest
        ):
            self._types(record, found)

    def handed(self, instrument: InstrumentSpec, found: Found) -> None:
        """Compare what an instrument hands on with one function."""
        is_definition = instrument.at == "definition"
        names = self._names(found, is_definition=is_definition)
        handed, where = instrument.handed, instrument.where
        before = [each for _, each in (*handed.entry, *handed.context)]
        after = [each for _, each in handed.tell]
        self._reads(before, lambda _: where, names, ("told",), found, is_definition)
        self._reads(after, lambda _: where, {*names, *SPECIAL}, (), found, is_definition)
        for name, expression in handed.context:
            key = found.target, instrument.at, name
            text, first = self._contexts.setdefault(key, (expression.source, where))
            if text != expression.source:
                self._pairs.append(two_contexts(name, found.target, first, where))
        told = any(e.names and "told" in e.given.roots for e in instrument.expressions)
        is_nested = any(record.outermost for record in instrument.records)
        if handed.context or told or is_nested:
            kind = self._kind(found, is_definition=is_definition)
            if kind.endswith("generator"):
                self._note(where, NO_SCOPE, found)

    def _reads(  # noqa: PLR0913, PLR0917 - what each of two callers has at hand
        self,
        expressions: Iterable[Expression],
        place: Callable[[Expression], Where],
        names: set[str],
        never: Iterable[str],
        found: Found,
        is_definition: bool,  # noqa: FBT001 - the same
    ) -> bool:
        """Tell whether a function has all that some expressions read; note what it has not."""
        functions = {*BUILTIN_FUNCTIONS, *dict(self.spec.functions)}
        for each in expressions:
            expression = _meant(each, found)
            dotted = {name for name in expression.names if "." in name}
            known = {name for name in dotted if name.partition(".")[0] not in never}
            for name in sorted(known - self.handed_over):
                if name.startswith(_FROM_OTHERS):
                    self.unheard.setdefault(name, place(each))
            try:
                check(expression, names=names | known, functions=functions)
            except ExpressionError as error:
                if self._takes_its_own(found, is_definition=is_definition):
                    why = f"what its decorators take: {error}"
                    self.doubts.setdefault(found.target, why)
                else:
                    self._note(place(each), str(error), found)
                return False
        return True

    @cached_property
    def handed_over(self) -> set[str]:
        """What some instrument hands over, as records read it."""
        over: set[str] = set()
        for each in self.spec.instruments:
            over |= {f"told.{name}" for name, _ in each.handed.tell}
            over |= {f"context.{name}" for name, _ in each.handed.context}
        return over

    def sample(self, sample: SampleSpec, found: Found) -> None:
        """Compare a sample with its class."""
        self._types(sample, found)

    @property
    def findings(self) -> Iterator[Finding]:
        """What does not fit; the targets with which the same is wrong are told together."""
        for where, message, targets in self._wrong.values():
            more = len(targets) - 1
            others = f" (and {more} more target{'s' * (more > 1)})" if more else ""
            yield Finding(f"{targets[0]}{others}: {message}", where)
        yield from self._pairs

    def series(self, metric: MetricSpec) -> int | None:
        """Count a metric's series if annotations bound them more closely than the map does.

        Returns:
            The number; `None` if the map's own bound is as close.
        """
        counts, is_closer = [], False
        for label in metric.labels:
            declared, closer = possible_values(label), None
            values = self._values.get((metric.name, label.name))
            if values is not None:
                # What the label does not list is `other`; an expression may fail.
                listed = values if label.values is None else {*label.values} & values
                closer = len({*listed, "error", *(["other"] if listed != values else [])})
            is_closer |= closer is not None and closer < declared
            counts.append(min(closer or declared, declared))
        return prod(counts) * series_of_each(metric) if is_closer else None

    def _kind(self, found: Found, *, is_definition: bool) -> str:
        """Tell what a call gives; empty where the source does not tell."""
        lefts = {each.left for each in found.effects}
        if not is_definition and "cache" in lefts:
            return "function"
        if not is_definition and lefts & {"wrapper", *_TAKES_ITS_OWN} - {"object"}:
            return ""
        return kind_in_source(found, self.typing.program)

    def _no_items(self, record: RecordSpec, found: Found, kind: str) -> None:
        if not kind:
            self.doubts.setdefault(found.target, "whether it is a generator")
            return
        self._note(record.where, f"it {no_items(kind, record.on)}", found)

    def _names(self, found: Found, *, is_definition: bool) -> set[str]:
        symbol = found.symbol
        names = set(symbol.names if symbol is not None else _WITH_ALL)
        if (
            symbol is not None
            and found.is_method
            and any(kind in {"p", "a"} for _, kind, _, _ in symbol.arguments)
        ):
            names.add("self")
        lefts = {each.left for each in found.effects}
        if not is_definition and lefts & {"wrapper", "cache"}:
            names.update(_WITH_ALL)
        return names

    @staticmethod
    def _takes_its_own(found: Found, *, is_definition: bool) -> bool:
        if found.symbol is None:
            return True
        return not is_definition and any(each.left in _TAKES_ITS_OWN for each in found.effects)

    def _types(self, record: RecordSpec | SampleSpec, found: Found) -> None:
        for name, expression in record.labels:
            types = self._type(record, expression, found)
            self._possible(record.metric, name, expression, types)
            if expression.names and {*expression.names}.issubset(TARGET):
                self._list(record, name, expression, types)
        if record.value is not None:
            types = self._type(record, record.value, found)
            if types is not None and is_text(types) and not record.value.is_constant:
                message = f"the value {record.value.source!r} may be text, as it is annotated"
                remedy = f"write number({record.value.source}) if it is always a number's text"
                self._note(record.where, f"{message}; {remedy}", found)
        for name in ("when", "hit", "each"):
            other: Expression | None = getattr(record, name, None)
            if other is not None:
                self._type(record, other, found)

    def _list(
        self,
        record: RecordSpec | SampleSpec,
        label: str,
        expression: Expression,
        types: Types | None,
    ) -> None:
        """Note what a target's own name gives that its label does not list."""
        (listed,) = (
            each.values
            for metric in self.spec.metrics
            if metric.name == record.metric
            for each in metric.labels
            if each.name == label
        )
        where = record.where if isinstance(record, SampleSpec) else record.where_of(expression)
        for value in values_of(types, self.typing.program) or ():
            if listed is not None and value not in listed:
                self.unlisted.setdefault((str(where), label), {})[value] = None

    def _type(
        self, record: RecordSpec | SampleSpec, expression: Expression, found: Found
    ) -> Types | None:
        if expression.is_constant or not expression.names:
            return None
        if "item" in expression.names and _has_items(record):
            return None
        try:
            return self.typing.types_of(_meant(expression, found).tree, found)
        except NoAttribute as error:
            near = f"; did you mean {error.near!r}?" if error.near else ""
            message = f"{error.owner!r} has no attribute {error.name!r}{near}"
            where = record.where if isinstance(record, SampleSpec) else record.where_of(expression)
            self._note(where, f"{message} (in {expression.source!r})", found)
            return None

    def _possible(
        self,
        metric: str,
        label: str,
        expression: Expression,
        types: Types | None,
    ) -> None:
        key = metric, label
        if expression.is_constant or _is_choice(expression):
            values: frozenset[str] | None = frozenset(map(str, expression.outcomes))
        else:
            values = values_of(types, self.typing.program)
        known = self._values.setdefault(key, set())
        self._values[key] = None if known is None or values is None else known | values

    def _note(self, where: Where, message: str, found: Found) -> None:
        # What there is instead differs from target to target.
        key = str(where), message.partition(";")[0]
        _, _, targets = self._wrong.setdefault(key, (where, message, []))
        if found.target not in targets[:1]:
            targets.append(found.target)


def _meant(expression: Expression, found: Found) -> Expression:
    """Give an expression as it is for one function, of which a parameter may hide what is given."""
    names = {} if found.symbol is None else found.symbol.names
    hidden = expression.given.hidden_by(names)
    return expression.without(hidden) if hidden else expression


def _known_at(moment: str, kind: str) -> set[str]:
    """Give what can be read at a moment of a call besides what there is before it.

    Args:
        moment: As `on` has it.
        kind: What a call gives; empty if it is not known, and then no name is a finding.
    """
    known = {*known_at(moment)}
    if moment in NOT_OVER or (kind and not kind.endswith("generator")):
        return known
    return known | {"items"}


def _has_items(record: RecordSpec | SampleSpec) -> bool:
    """Whether `item` is no parameter there."""
    is_each = getattr(record, "each", None) is not None
    return is_each or getattr(record, "on", "") in HANDED_OVER


def _is_choice(expression: Expression) -> bool:
    """Whether every way through an expression ends in a literal."""
    node = expression.tree
    return isinstance(node, ast.IfExp) and len(expression.outcomes) == _ways(node)


def _ways(node: ast.expr) -> int:
    return _ways(node.body) + _ways(node.orelse) if isinstance(node, ast.IfExp) else 1
