"""What records for one stream of one target, and what it does where the woven statements cannot.

The statements are the fast path: look up the buffer, append. Where the look-up misses, `slow_path`
works the labels out and teaches the memo. They come here when an expression fails, or something
from outside comes in between: every expression is evaluated by itself then, so that one that fails
costs its own label (``error``), value or condition, and nothing else. What the map's code raises
stays here; what comes from outside goes on into the program.
"""

from __future__ import annotations

from collections import deque
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final, Self

from ancestry_obs.frozen import define, field
from ancestry_obs.notices import Notices
from ancestry_obs.recording.buffers import FULL, Buffer, LatestBuffer, SecondsBuffer
from ancestry_obs.recording.failures import NO_ROOM, is_from_outside, shown, warn
from ancestry_obs.recording.items import MOST_ITEMS, items_of
from ancestry_obs.recording.limits import ERROR, label_text
from ancestry_obs.recording.sampled import SampledBuffer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ancestry_obs.compiler.streams import Stream
    from ancestry_obs.expressions.parser import Expression
    from ancestry_obs.recording.buffers import Overflow, Probe
    from ancestry_obs.recording.kinds import Series
    from ancestry_obs.recording.series import CounterSeries
    from ancestry_obs.recording.store import Store

__all__ = ["Evaluators", "Recorder"]

_LOG: Final = Notices()

Evaluators = dict["Expression", "Callable[..., object]"]


class _Nothing(dict[Any, Any]):
    """The memo of what is disarmed: whatever is looked up is a buffer that keeps nothing."""

    def __missing__(self, _: object) -> _Nothing:
        return self

    def __iadd__(self, _: object) -> Self:  # as a list has it
        return self

    def append(self, _: float) -> None:
        """Keep nothing."""


_NOTHING: Final = _Nothing()


# Compared by identity, as constants of code are, and seen by what waits for the code's end.
@define(eq=False, weakref_slot=True)
class Recorder:
    """Records for one stream of one target; a constant of the code that is woven there.

    Args:
        stream: What is recorded.
        variables: The names whose values come in, in this order.
        evaluators: Gives a function of those values for each expression; called once, when needed.
        store: Folds what is recorded.
        probe: Has the buffers, and the memo that the statements look into.
        responses: The result types that the statements may read a status from; a `set` and no kind
            of one, which Python looks into more slowly.

    Attributes:
        memo: Nested dicts from what labels follow from to buffers, of calls that returned or have
            not begun.
        raised: The same of calls that raised.
        misses: How often a look-up has missed since the memos were empty.
        evaluating: Where expressions are being evaluated; see `Store.evaluating`.
        look: Called after each miss, the first call among them; whoever wove sees then whether the
            program has exchanged the code in that very call.
    """

    stream: Stream
    variables: tuple[str, ...]
    evaluators: Callable[[], Evaluators]
    store: Store
    probe: Probe
    responses: set[type] = field(default_factory=set)
    memo: dict[Any, Any] = field(init=False)
    raised: dict[Any, Any] = field(init=False)
    evaluating: dict[int, int] = field(init=False)
    misses: int = 0
    look: Callable[[], object] | None = None
    _ready: Evaluators | None = None
    _said: frozenset[tuple[str, str]] = frozenset()

    def __post_init__(self) -> None:
        self.memo = self.probe.memo
        self.raised = self.probe.raised
        self.evaluating = self.store.evaluating

    def disarm(self) -> None:
        """Record nothing any more, whatever code still has this as a constant."""
        self.memo = self.raised = _NOTHING
        self.look = None

    def forget(self) -> None:
        """Begin the memos anew."""
        self.probe.memo.clear()
        self.probe.raised.clear()
        self.misses = 0

    def seen(self) -> None:
        """Let whoever wove look whether the code is still there."""
        look = self.look
        try:
            if look is not None:
                look()
        except BaseException as error:
            if is_from_outside(error):
                raise

    def open(self, texts: tuple[str, ...], *, valued: bool = True) -> Buffer:
        """Get the buffer of some labels, or a new one.

        Args:
            texts: The labels' texts, in the order of the stream.
            valued: Whether there is a value; without one only calls are counted.
        """
        fed: list[Series] = []
        counted: list[CounterSeries] = []
        overflows: tuple[Overflow, ...] = ()
        for sink in self.stream.sinks:
            if valued or sink.counted:
                labels, over = sink.family.admit(sink.pick(texts))
                series: Any = sink.family.at(labels)
                (counted if sink.counted else fed).append(series)
                overflows += over
        # Without an overflow the texts tell the series; that key was tried before.
        series_key = (tuple(fed), tuple(counted), overflows)
        key = texts if valued and not overflows else series_key
        kind = self._kind_of_buffer
        make: Callable[..., Buffer] = kind
        if self.stream.exemplary:
            # Few maps have one.
            from ancestry_obs.compiler.exemplifying import exemplary_buffer  # noqa: PLC0415

            make = exemplary_buffer(kind, self.stream, texts, valued=valued)
        return self.probe.open(key, lambda: make(self.probe, *series_key))

    @property
    def _kind_of_buffer(self) -> type[Buffer]:
        if self.stream.kind == "gauge":
            return LatestBuffer
        if self.stream.source != "elapsed":
            return Buffer
        return SampledBuffer if self.stream.is_sampled else SecondsBuffer

    def sort_out(
        self,
        error: BaseException,
        values: tuple[object, ...],
        is_second: bool = False,  # noqa: FBT001, FBT002 - written into generated code
    ) -> object:
        """Record a call of which an expression has failed, or which was interrupted.

        Args:
            error: What has failed, the first time in the statements, the second in the slow path.
            values: Those of the variables.
            is_second: Whether it is the second time.

        Returns:
            What the slow path returns: the buffer (an empty list if nothing is to be recorded),
            and the value for a stream that has one; None for the buffer if the first error is to
            reach the program.

        Raises:
            BaseException: What comes from outside meanwhile.
        """
        origin = is_from_outside(error)
        if origin:
            if is_second:
                raise error
            return self._answer(None, None)
        if self.memo is _NOTHING:
            return self._answer([], 0.0)
        try:
            buffer, value, has_failed = self._one_by_one(values)
        except BaseException as another:
            # A value that is cut off by the limit of the stack is recorded without its labels.
            if is_from_outside(another) or isinstance(another, NO_ROOM):
                raise
            return self._answer([], 0.0)
        if origin is None and not has_failed:
            # It was not what was done: that is fine now.
            if is_second:
                raise error
            return self._answer(None, None)
        self.seen()
        return self._answer(buffer, value)

    def _answer(self, buffer: list[float] | None, value: float | None) -> object:
        return buffer if self.stream.value is None else (buffer, value)

    def _one_by_one(self, values: tuple[object, ...]) -> tuple[list[float], float, bool]:
        """Evaluate each expression by itself; give whether any has failed, too."""
        stream = self.stream
        is_wanted, has_failed = self._condition(values)
        if not is_wanted:
            return [], 0.0, has_failed
        value = self._value(values)
        texts, is_partial = self._texts(values)
        if value is None and not any(sink.counted for sink in stream.sinks):
            return [], 0.0, True
        found = self.probe.buffers.get(texts) if value is not None else None
        # An empty buffer is false, as any empty list.
        buffer = self.open(texts, valued=value is not None) if found is None else found
        return buffer, 1.0 if value is None else value, is_partial or value is None

    def _condition(self, values: tuple[object, ...]) -> tuple[bool, bool]:
        when = self.stream.when
        if when is None:
            return True, False
        try:
            return bool(self._evaluate(when, values)), False
        except BaseException as error:  # noqa: BLE001 - `fail` tells whose it is
            self.fail(((sink.family.spec.name, "when") for sink in self.stream.sinks), error)
            return False, True

    def _value(self, values: tuple[object, ...]) -> float | None:
        expression = self.stream.value
        if expression is None:
            return 1.0
        is_hit = self.stream.source == "hit"
        try:
            value: Any = self._evaluate(expression, values)
            return float(bool(value)) if is_hit else float(value)
        except BaseException as error:  # noqa: BLE001 - as above
            sinks = (sink for sink in self.stream.sinks if not sink.counted)
            what = "hit" if is_hit else "value"
            self.fail(((sink.family.spec.name, what) for sink in sinks), error)
            return None

    def _texts(self, values: tuple[object, ...]) -> tuple[tuple[str, ...], bool]:
        texts: list[str] = []
        has_failed = False
        for index, expression in enumerate(self.stream.labels):
            try:
                texts.append(label_text(self._evaluate(expression, values)))
            except BaseException as error:  # noqa: BLE001 - as above
                self.fail(self._users(index), error)
                texts.append(ERROR)
                has_failed = True
        return tuple(texts), has_failed

    def evaluator(self, expression: Expression) -> Callable[..., object]:
        """Give the function of an expression of the stream; it takes the variables' values."""
        if self._ready is None:
            self._ready = self.evaluators()
        return self._ready[expression]

    def _evaluate(self, expression: Expression, values: tuple[object, ...]) -> object:
        return self.evaluator(expression)(*values)

    def _users(self, index: int) -> Iterator[tuple[str, str]]:
        """Give metric and label wherever a label expression is used."""
        for sink in self.stream.sinks:
            spec = sink.family.spec
            for position, label in zip(sink.labels, spec.labels, strict=True):
                if position == index:
                    yield spec.name, label.name

    def fail(self, places: Iterable[tuple[str, str]], error: BaseException) -> None:
        """Count a failure of the map's; raise what comes from outside.

        Whatever cannot be told apart is the map's here: it has failed before.

        Args:
            places: Each metric with what has failed of it.
            error: Why.
        """
        if is_from_outside(error):
            raise error
        for metric, what in places:
            self.store.count_failure(self.probe.target, metric, what)
            if (metric, what) not in self._said:
                self._said |= {(metric, what)}
                warn(
                    _LOG,
                    "%s: metric %r: the expression for %r failed with %s; "
                    "further failures are counted only",
                    self.probe.target,
                    metric,
                    what,
                    shown(error),
                )

    def items_of(self, value: object) -> tuple[object, ...]:
        """Give the items that are to be recorded of a call.

        Args:
            value: What has them.

        Raises:
            TypeError: It is nothing that can be gone through.
        """
        if self.memo is _NOTHING:
            return ()
        items, left_out = items_of(value)
        if left_out:
            self._leave_out(left_out)
        return items

    def _leave_out(self, count: int) -> None:
        target = self.probe.target
        self.store.leave_out(target, count)
        if ("", "each") not in self._said:
            self._said |= {("", "each")}
            text = (
                "%s: a call has more than %d items, of which the rest is counted only as left out"
            )
            warn(_LOG, text, target, MOST_ITEMS)

    def no_items(self, error: BaseException, values: tuple[object, ...]) -> None:
        """Count a call whose items cannot be gone through.

        Args:
            error: What says so.
            values: Those of the variables.

        Raises:
            BaseException: What has come from outside meanwhile.
        """
        each = self.stream.each
        if each is not None and is_from_outside(error) is None:
            # It is tried again, to tell whose it is.
            try:
                items_of(self._evaluate(each, values))
            except BaseException as another:
                if is_from_outside(another):
                    raise
            else:
                raise error
        self.fail(((sink.family.spec.name, "each") for sink in self.stream.sinks), error)

    def add(self, buffers: list[Buffer], numbers: list[float]) -> None:
        """Record all items of a call.

        Args:
            buffers: That of each item.
            numbers: What is recorded of it; nothing where that is always 1.
        """
        if self.stream.kind == "gauge":
            for buffer, number in zip(buffers, numbers, strict=True):
                buffer.append(number)
            return
        try:
            # In C, where nothing interrupts it: all of them or none.
            deque(map(list.append, buffers, numbers or repeat(1.0)), maxlen=0)
            if max(map(len, buffers), default=0) >= FULL:
                self.store.relieve(*[each for each in buffers if len(each) >= FULL])
        except TypeError:  # disarmed meanwhile: what is looked up is no list
            return
        except NO_ROOM:
            return

    def unlabelled(self, elapsed: float | None) -> tuple[Buffer, float] | None:
        """Give where a call is recorded for which there was no room; see `Store.lost`.

        Args:
            elapsed: The seconds, where they are known.
        """
        stream = self.stream
        if self.memo is _NOTHING or stream.kind != "buffered":
            return None
        target = self.probe.target
        for sink in stream.sinks:
            self.store.count_failure(target, sink.family.spec.name, "stack")
        if stream.when is not None or stream.each is not None:
            return None
        value = elapsed if stream.source == "elapsed" else 1.0 if stream.source == "one" else None
        if value is None and not any(sink.counted for sink in stream.sinks):
            return None
        texts = (ERROR,) * len(stream.labels)
        return self.open(texts, valued=value is not None), 1.0 if value is None else value
