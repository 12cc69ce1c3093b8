"""Gauges read from live instances: instances come in as they are made, values go out at a scrape.

Instances are held weakly and by identity, so that nothing here keeps one alive or calls its
``__eq__`` or ``__hash__``. What is read is code of the program: it may raise anything, such as the
`CancelledError` of a task's ``result()``, which is counted and leaves that instance out; and it is
never run while a lock is held. What a signal handler raises meanwhile is not the sample's, and goes
on to whoever scrapes (`recording.failures`).
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, TypeAlias
from weakref import ReferenceType, ref

from ancestry_obs.expressions import emit
from ancestry_obs.notices import Notices
from ancestry_obs.process_tree.totals import AGGREGATES
from ancestry_obs.recording.failures import came_from_outside, shown, warn
from ancestry_obs.recording.limits import ERROR, label_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ancestry_obs.expressions import Expression
    from ancestry_obs.mapfile.specs import SampleSpec
    from ancestry_obs.process_tree.totals import Sampled
    from ancestry_obs.recording import Family, Store

__all__ = ["Samples", "Tracker"]

logger = Notices()

Values: TypeAlias = "dict[tuple[str, ...], float]"
"""Numbers by label values."""


class Samples:
    """The trackers of an installation.

    Args:
        store: Counts what fails and bounds the labels.
        functions: The label functions that expressions may call.

    Example:
        >>> samples = Samples(store, BUILTIN_FUNCTIONS)
        >>> samples.tracker(spec).register(session_manager)
    """

    def __init__(self, store: Store, functions: Mapping[str, Callable[..., object]]) -> None:
        self._store = store
        self._functions = functions
        self._trackers: dict[SampleSpec, Tracker] = {}

    def tracker(self, spec: SampleSpec) -> Tracker:
        """Get or create the tracker of a sample; an equal spec keeps its instances.

        Raises:
            ExpressionError: An expression names something that there is not.
        """
        found = self._trackers.get(spec)
        if found is None:
            made = Tracker(spec, self._functions, self._store.count_failure)
            found = self._trackers.setdefault(spec, made)
        return found

    def retain(self, specs: Iterable[SampleSpec]) -> None:
        """Forget every tracker but those of these samples, as a reload does."""
        kept = set(specs)
        self._trackers = {spec: each for spec, each in self._trackers.items() if spec in kept}

    def read(self, families: Iterable[Family]) -> dict[str, Sampled]:
        """Read every live instance; never raises.

        Args:
            families: The metrics there are; a sample of any other is not read.

        Returns:
            The numbers of each sampled metric, by the metric's full name, and what becomes of those
            of other processes.
        """
        by_name = {family.spec.name: family for family in families}
        result: dict[str, Sampled] = {}
        for spec, tracker in self._trackers.copy().items():
            family = by_name.get(spec.metric)
            if family is not None:
                _, values = result.setdefault(family.name, (spec.aggregate, {}))
                values.update(self._admitted(family, spec, tracker))
        return result

    def _admitted(self, family: Family, spec: SampleSpec, tracker: Tracker) -> Values:
        combine = AGGREGATES[spec.aggregate]
        values: Values = {}
        for labels, value in tracker.read():
            kept, overflows = family.admit(labels)
            self._store.count_overflows(overflows)
            values[kept] = combine(values[kept], value) if kept in values else value
        return values


class Tracker:
    """The live instances of one sample.

    Args:
        spec: What to read.
        functions: The label functions that expressions may call.
        fail: Counts a failure: target, metric, and the label or ``value``.
    """

    def __init__(
        self,
        spec: SampleSpec,
        functions: Mapping[str, Callable[..., object]],
        fail: Callable[[str, str, str], None],
    ) -> None:
        self._spec = spec
        self._fail = fail
        self._value = _compile(spec.value, functions)
        self._labels = [(name, _compile(each, functions)) for name, each in spec.labels]
        self._instances: dict[int, ReferenceType[object]] = {}
        self._said: set[str] = set()

    def register(self, instance: object) -> None:
        """Remember an instance weakly, once; never raises.

        Args:
            instance: An object of the target's class. One that cannot be held weakly (a class with
                ``__slots__`` and without ``__weakref__``) is counted as a failure.
        """
        key = id(instance)

        def forget(dead: ReferenceType[object]) -> None:
            # The address may belong to another instance by now.
            if self._instances.get(key) is dead:
                del self._instances[key]

        try:
            self._instances[key] = ref(instance, forget)
        except TypeError:
            if self._failed("value"):
                warn(
                    logger,
                    "%s: cannot sample %r, its instances cannot be held weakly; "
                    "add '__weakref__' to the __slots__ of %s",
                    self._spec.target,
                    self._spec.metric,
                    type(instance).__qualname__,
                )

    def read(self) -> Iterator[tuple[tuple[str, ...], float]]:
        """Read each live instance in the order they were registered; never raises.

        Yields:
            The label values and the number, without those that failed or have no value (`None`).
        """
        for reference in list(self._instances.values()):
            instance = reference()
            if instance is not None:
                value = self._number(instance)
                if value is not None:
                    yield self._label_values(instance), value

    def _number(self, instance: object) -> float | None:
        try:
            value = self._value(instance)
            if value is None:
                return None
            number = _finite(value)
        except BaseException as error:
            if came_from_outside(error):
                raise
            self._expression_failed("value", error)
            return None
        return number

    def _label_values(self, instance: object) -> tuple[str, ...]:
        return tuple(self._label(instance, name, read) for name, read in self._labels)

    def _label(self, instance: object, name: str, read: Callable[[object], object]) -> str:
        try:
            return label_text(read(instance))
        except BaseException as error:
            if came_from_outside(error):
                raise
            self._expression_failed(name, error)
            return ERROR

    def _expression_failed(self, what: str, error: BaseException) -> None:
        if self._failed(what):
            warn(
                logger,
                "%s: cannot sample %r, the expression for %r failed with %s; "
                "further failures are counted only",
                self._spec.target,
                self._spec.metric,
                what,
                shown(error),
            )

    def _failed(self, what: str) -> bool:
        """Count a failure; tell whether it is the first of its kind, and worth a line."""
        self._fail(self._spec.target, self._spec.metric, what)
        # Every scrape, and every instance, has the same to say.
        said = what in self._said
        self._said.add(what)
        return not said


def _finite(value: object) -> float:
    # A text that looks like a number is a mistake in the map, and float() would hide it.
    if isinstance(value, (str, bytes)):
        raise TypeError("a sample is a number, not a text")
    number = float(value)  # type: ignore[arg-type] # what cannot be a number raises
    if not isfinite(number):
        raise ValueError("a sample is a finite number")
    return number


def _compile(
    expression: Expression, functions: Mapping[str, Callable[..., object]]
) -> Callable[[object], object]:
    """Make a function of ``self``; its source is written anew from the parsed expression."""
    identifiers = {name: f"_function_{name}" for name in expression.functions}
    source = emit(expression, names={"self": "self"}, functions=identifiers)
    bound = {identifiers[name]: functions[name] for name in identifiers}
    code = compile(f"lambda self: {source}", f"<ancestry_obs sample {expression.source}>", "eval")
    return eval(code, {"__builtins__": {}, **bound})  # type: ignore[no-any-return] # noqa: S307 - generated from a checked tree, never the map's text
