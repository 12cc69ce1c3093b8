"""What woven code calls to keep a call as an exemplar, once it has recorded it.

Expressions are evaluated for the few calls only that are kept; see `recording.exemplars`.
"""

from __future__ import annotations

from threading import get_ident
from time import time
from typing import TYPE_CHECKING, Protocol

from ancestry_obs.mapfile.specs import MOST_EXEMPLAR_CHARACTERS
from ancestry_obs.recording.exemplars import Exemplar, with_exemplars
from ancestry_obs.recording.limits import label_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ancestry_obs.compiler.streams import Sink, Stream
    from ancestry_obs.expressions import Expression
    from ancestry_obs.recording import Store
    from ancestry_obs.recording.buffers import Buffer

__all__ = ["exemplary_buffer", "exemplify"]


class Evaluating(Protocol):
    """What an exemplar needs of a recorder."""

    stream: Stream
    store: Store
    evaluating: dict[int, int]

    def evaluator(self, expression: Expression) -> Callable[..., object]:
        """Give the function of an expression of the stream."""

    def fail(self, places: Iterable[tuple[str, str]], error: BaseException) -> None:
        """Count a failure of the map's; raise what comes from outside."""


def exemplary_buffer(
    kind: type[Buffer], stream: Stream, texts: tuple[str, ...], *, valued: bool
) -> Callable[..., Buffer]:
    """Give what makes a buffer whose series have exemplars.

    Args:
        kind: The kind of buffer.
        stream: What is recorded.
        texts: The texts of the stream's labels.
        valued: Whether there is a value; without one only calls are counted.
    """

    def make(*arguments: object) -> Buffer:
        buffer = with_exemplars(kind)(*arguments)
        buffer.exemplars = tuple(
            _Taker(sink, stream, texts) for sink in stream.exemplary if valued or sink.counted
        )
        made: Buffer = buffer
        return made

    return make


def exemplify(
    recorder: Evaluating, buffer: object, number: float, values: tuple[object, ...]
) -> None:
    """Keep a call as an exemplar wherever one is wanted.

    Args:
        recorder: What has recorded it.
        buffer: Where to; what is disarmed has one without series.
        number: What was recorded.
        values: Those of the recorder's variables.

    Raises:
        BaseException: What has come from outside meanwhile.
    """
    for taker in getattr(buffer, "exemplars", ()):
        value = 1.0 if taker.counts else number
        bucket = taker.exemplars.wanted(value)
        if bucket is not None:
            taker.take(recorder, bucket, value, values)


class _Taker:
    """Takes the exemplars of one series for one buffer.

    Args:
        sink: Its metric.
        stream: What the buffer is of.
        texts: The texts of the stream's labels.
    """

    __slots__ = (
        "_functions", "_is_positive", "_length", "_names", "_sink", "counts", "exemplars",
    )  # fmt: skip

    def __init__(self, sink: Sink, stream: Stream, texts: tuple[str, ...]) -> None:
        family = sink.family
        self.exemplars = family.exemplars_at(family.admit(sink.pick(texts))[0])
        self.counts = sink.counted
        self._sink = sink
        self._is_positive = stream.source == "elapsed" or family.spec.type == "counter"
        self._names = tuple(name for name, _ in sink.exemplar)
        self._length = sum(map(len, self._names))
        self._functions: tuple[Callable[..., object], ...] = ()

    def take(
        self, recorder: Evaluating, bucket: int, value: float, values: tuple[object, ...]
    ) -> None:
        """Keep a call in its bucket, unless it has no labels, or was not recorded at all."""
        # What is dropped, and what stands for a call that was not timed.
        if value - value != 0 or (value < 0 and self._is_positive):
            return
        evaluating = recorder.evaluating
        if evaluating and recorder.store.is_evaluating():
            # The expression of another call has made this one.
            return
        texts, length, me = [], self._length, get_ident()
        others = recorder.store.mark_of(me) if evaluating else None
        evaluating[me] = me
        try:
            for function in self._functions or self._find(recorder):
                found = function(*values)
                if found is None:
                    return
                text = found if type(found) is str and found.isascii() else label_text(found)
                texts.append(text)
                length += len(text)
        except BaseException as error:  # noqa: BLE001 - `fail` tells whose it is
            self._fail(recorder, error)
            return
        finally:
            if others is None:
                evaluating.pop(me, None)
            else:
                evaluating[me] = others
        if length > MOST_EXEMPLAR_CHARACTERS:
            possible = f"of {MOST_EXEMPLAR_CHARACTERS} possible"
            told = f"{length} characters of names and values, {possible}"
            self._fail(recorder, ValueError(told))
        else:
            labels = tuple(zip(self._names, texts, strict=True))
            self.exemplars.keep(bucket, Exemplar(labels, value, time()))

    def _find(self, recorder: Evaluating) -> tuple[Callable[..., object], ...]:
        labels = self._sink.exemplar
        self._functions = tuple(recorder.evaluator(each) for _, each in labels)
        return self._functions

    def _fail(self, recorder: Evaluating, error: BaseException) -> None:
        recorder.fail([(self._sink.family.spec.name, "exemplar")], error)
