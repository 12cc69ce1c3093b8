"""The slow path of a stream: values of variables come in, an observation is recorded for certain.

The woven statements are the fast path: look up the buffer, append. They come here when the look-up
misses or an expression fails, and for calls that raised. Here every expression is evaluated by
itself, so that one that fails costs its own label (``error``), value or condition, and nothing
else. Nothing here raises into the program; the call itself is not touched.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass, field
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.compiler.keys import learn_response
from ancestry_obs.recording.buffers import FULL, Buffer, LatestBuffer, SecondsBuffer
from ancestry_obs.recording.limits import ERROR, label_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ancestry_obs.compiler.keys import Key
    from ancestry_obs.compiler.streams import Stream
    from ancestry_obs.expressions.parser import Expression
    from ancestry_obs.recording.buffers import Overflow, Probe
    from ancestry_obs.recording.series import CounterSeries, Series
    from ancestry_obs.recording.store import Store

__all__ = ["CALLS_END", "Evaluators", "Recorder", "failing"]

_LOG: Final = logging.getLogger("ancestry_obs")
_MEMO_SIZE: Final = 2048
_LONGEST_KEY: Final = 512

Evaluators = dict["Expression", "Callable[..., object]"]


class _Nothing(dict[Any, Any]):
    """The memo of what is disarmed: whatever is looked up is a buffer that keeps nothing."""

    def __missing__(self, _: object) -> _Nothing:
        return self

    def append(self, _: float) -> None:
        """Keep nothing."""


_NOTHING: Final = _Nothing()


# Compared by identity, as constants of code are, and seen by what waits for the code's end.
@dataclass(eq=False, slots=True, weakref_slot=True)
class Recorder:
    """Records for one stream of one target; a constant of the code that is woven there.

    Args:
        stream: What is recorded.
        keys: The levels of the stream's memo.
        variables: The names whose values come in, in this order.
        evaluators: Gives a function of those values for each expression; called once, when needed.
        store: Folds what is recorded.
        probe: Has the buffers, and the memo that the statements look into.
        responses: The result types that the statements may read a status from; a `set` and no kind
            of one, which Python looks into more slowly.

    Attributes:
        memo: Nested dicts from what labels follow from to buffers.
        evaluating: The threads whose calls are not to be recorded; see `Store.evaluating`.
        look: Called after each miss, the first call among them; whoever wove sees then whether the
            program has exchanged the code in that very call.
    """

    stream: Stream
    keys: tuple[Key, ...]
    variables: tuple[str, ...]
    evaluators: Callable[[], Evaluators]
    store: Store
    probe: Probe
    responses: set[type] = field(default_factory=set)
    memo: dict[Any, Any] = field(init=False)
    evaluating: set[int] = field(init=False)
    look: Callable[[], object] | None = None
    _ready: Evaluators | None = None
    _remembered: int = 0
    _said: frozenset[tuple[str, str]] = frozenset()

    def __post_init__(self) -> None:
        self.memo = self.probe.memo
        self.evaluating = self.store.evaluating

    def disarm(self) -> None:
        """Record nothing any more, whatever code still has this as a constant."""
        self.memo = _NOTHING
        self.look = None

    def record(self, *values: object) -> None:
        """Record a call whose labels the memo must not learn, since it raised."""
        # No `suppress`, here and below: it may be woven itself, and would come here without end.
        try:
            self._marked(values, learn=False)
            self._look()
        except Exception:  # noqa: BLE001, S110 - nothing of ours reaches the program
            pass

    def miss(self, *values: object) -> list[float]:
        """Record a call and teach the memo where the next one like it finds its buffer.

        Returns:
            The buffer; an empty list if nothing is to be recorded.
        """
        # Even a RecursionError, near the program's own limit, must not reach the program.
        try:
            buffer = self._marked(values, learn=True)
            self._look()
        except Exception:  # noqa: BLE001 - nothing of ours reaches the program
            return []
        return buffer

    def _look(self) -> None:
        if self.look is not None:
            self.look()

    def _marked(self, values: tuple[object, ...], *, learn: bool) -> list[float]:
        """Record while noted as a thread that evaluates expressions; see `Store.evaluating`."""
        thread, evaluating = get_ident(), self.store.evaluating
        if thread in evaluating:
            # A call within another one's expression: the mark is that one's to take off.
            return self._record(values, learn=learn)
        try:
            evaluating.add(thread)
            return self._record(values, learn=learn)
        finally:
            evaluating.discard(thread)

    def _record(self, values: tuple[object, ...], *, learn: bool) -> list[float]:
        if self.memo is _NOTHING or not self._condition(values):
            return []
        value = self._value(values)
        texts, failed = self._texts(values)
        if value is None and not any(sink.counted for sink in self.stream.sinks):
            return []
        buffer = self._buffer(texts, valued=value is not None)
        if self.stream.kind != "in_flight":
            self._append(buffer, 1.0 if value is None else value)
        if learn and not failed and value is not None:
            # A result may raise when it is asked for its status once more: then the next call comes
            # here again. Without `contextlib`, which may be woven itself.
            try:  # noqa: SIM105
                self._learn(values, texts, buffer)
            except Exception:  # noqa: BLE001, S110
                pass
        return buffer

    def _append(self, buffer: Buffer, value: float) -> None:
        buffer.append(value)
        if len(buffer) >= FULL:
            self.store.relieve(buffer)

    def _condition(self, values: tuple[object, ...]) -> bool:
        when = self.stream.when
        if when is None:
            return True
        try:
            return bool(self._evaluate(when, values))
        except Exception as error:  # noqa: BLE001 - whatever a condition raises stays here
            self._fail(((sink.family.spec.name, "when") for sink in self.stream.sinks), error)
            return False

    def _value(self, values: tuple[object, ...]) -> float | None:
        source, expression = self.stream.source, self.stream.value
        if source == "elapsed":
            elapsed: Any = values[self.variables.index("elapsed")]
            return float(elapsed)
        if expression is None:
            return 1.0
        try:
            value: Any = self._evaluate(expression, values)
            return float(bool(value)) if source == "hit" else float(value)
        except Exception as error:  # noqa: BLE001 - whatever a value raises stays here
            sinks = (sink for sink in self.stream.sinks if not sink.counted)
            what = "hit" if source == "hit" else "value"
            self._fail(((sink.family.spec.name, what) for sink in sinks), error)
            return None

    def _texts(self, values: tuple[object, ...]) -> tuple[tuple[str, ...], bool]:
        texts: list[str] = []
        failed = False
        for index, expression in enumerate(self.stream.labels):
            try:
                texts.append(label_text(self._evaluate(expression, values)))
            except Exception as error:  # noqa: BLE001 - whatever a label raises stays here
                texts.append(ERROR)
                failed = True
                self._fail(self._users(index), error)
        return tuple(texts), failed

    def _evaluate(self, expression: Expression, values: tuple[object, ...]) -> object:
        if self._ready is None:
            self._ready = self.evaluators()
        return self._ready[expression](*values)

    def _users(self, index: int) -> Iterator[tuple[str, str]]:
        """Give metric and label wherever a label expression is used."""
        for sink in self.stream.sinks:
            spec = sink.family.spec
            for position, label in zip(sink.labels, spec.labels, strict=True):
                if position == index:
                    yield spec.name, label.name

    def _fail(self, places: Iterator[tuple[str, str]], error: Exception) -> None:
        for metric, what in places:
            self.store.count_failure(self.probe.target, metric, what)
            if (metric, what) not in self._said:
                self._said |= {(metric, what)}
                _LOG.warning(
                    "%s: metric %r: the expression for %r failed with %s: %s; "
                    "further failures are counted only",
                    self.probe.target,
                    metric,
                    what,
                    type(error).__name__,
                    error,
                )

    def _buffer(self, texts: tuple[str, ...], *, valued: bool) -> Buffer:
        found = self.probe.buffers.get(texts) if valued else None
        # An empty buffer is false, as any empty list.
        return self._new_buffer(texts, valued=valued) if found is None else found

    def _new_buffer(self, texts: tuple[str, ...], *, valued: bool) -> Buffer:
        fed: list[Series] = []
        counted: list[CounterSeries] = []
        overflows: tuple[Overflow, ...] = ()
        for sink in self.stream.sinks:
            if valued or sink.counted:
                labels, over = sink.family.admit(sink.pick(texts))
                series: Any = sink.family.at(labels)
                (counted if sink.counted else fed).append(series)
                overflows += over
        # Without an overflow the texts tell the series; that key is the one that `_buffer` tries.
        series_key = (tuple(fed), tuple(counted), overflows)
        key = texts if valued and not overflows else series_key
        return self.probe.open(key, lambda: self._kind_of_buffer(self.probe, *series_key))

    @property
    def _kind_of_buffer(self) -> type[Buffer]:
        if self.stream.kind == "gauge":
            return LatestBuffer
        return SecondsBuffer if self.stream.source == "elapsed" else Buffer

    def _learn(self, values: tuple[object, ...], texts: tuple[str, ...], buffer: Buffer) -> None:
        path = [self._key(key, values, texts) for key in self.keys] or [0]
        if any(isinstance(key, str) and len(key) > _LONGEST_KEY for key in path):
            return
        if self._remembered >= _MEMO_SIZE:
            self.memo.clear()
            self._remembered = 0
        node = self.memo
        for key in path[:-1]:
            node = node.setdefault(key, {})
        node[path[-1]] = buffer
        self._remembered += 1

    def _key(self, key: Key, values: tuple[object, ...], texts: tuple[str, ...]) -> object:
        labels = tuple(texts[self.stream.labels.index(label)] for label in key.labels)
        if key.kind == "label":
            return labels[0]
        value: Any = values[self.variables.index(key.variable)]
        if key.kind == "text":
            return value if type(value) is str else labels
        learn_response(self.responses, value)
        status = getattr(value, "status_code", None) if type(value) in self.responses else None
        return status if type(status) is int else labels


CALLS_END: Final = ("elapsed", "error", "result")
"""What is known of a call that raised besides its parameters, in the order it is put together."""


def failing(
    clock: Callable[[], float] | None,
    is_evaluating: Callable[[], bool] | None,
    parts: Sequence[tuple[Callable[..., None], Sequence[int]]],
) -> Callable[..., None]:
    """Make what woven code calls where an exception leaves it.

    Args:
        clock: Gives seconds; None where no stream of a call that raised asks for them.
        is_evaluating: Tells of the thread whether its calls are not to be recorded; None where that
            was seen when the call began.
        parts: For each stream what records, and which of the call's values it takes.

    Returns:
        A function of the beginning's time (None for a call that is not to be recorded any more)
        and the parameters.
    """

    def failed(started: float | None, *values: Any) -> None:  # noqa: ANN401 - the program's own
        if started is None or (is_evaluating is not None and is_evaluating()):
            return
        elapsed = None if clock is None else clock() - started
        known = (elapsed, sys.exception(), None, *values)
        for record, wanted in parts:
            record(*[known[index] for index in wanted])

    return failed
