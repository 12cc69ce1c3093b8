"""What the live page asks for again and again: a reading comes in, pieces of JSON go out.

Nothing is in it that the page does not show, and counts stand as they were folded, without a line
of text around each: that takes a fraction of what the exposition of the same reading takes. Of a
metric's series first come the label values, then, in the same order, the numbers.
"""

from __future__ import annotations

from json import JSONEncoder
from math import isfinite
from time import thread_time
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.collector.blocks import apart, block_of
from ancestry_obs.collector.self_metrics import OVERHEAD, SAMPLED

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence

    from ancestry_obs.collector.reading import Columns, Reading
    from ancestry_obs.process_tree.totals import Labels, Numbers, Sampled

__all__ = ["write_numbers"]

_ENCODER: Final = JSONEncoder(separators=(",", ":"), check_circular=False)
_FINITE: Final = JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)
# Whoever writes lets other threads run between two pieces.
_PIECE_ROWS: Final = 256
_NO_SAMPLE: Final[Sampled] = ("", {})


def write_numbers(
    read: Callable[[], Reading],
    idle: Callable[[Reading], Container[str]],
    begun: str,
    wrong: Sequence[str] = (),
    clock: Callable[[], float] = thread_time,
) -> Iterator[bytes]:
    """Write what the page shows of this moment.

    Args:
        read: Gives what was measured.
        idle: Gives the targets of it that nothing calls.
        begun: Is another text where what is counted has begun anew.
        wrong: What `status()` has against the map, the exporter and the end.
        clock: Seconds of a processor that the thread has taken.

    Yields:
        One object of JSON, piece by piece: ``begun``; ``wrong``; ``processes``, how many there are;
        ``scrapes``, how many there were and their seconds; ``overhead``, what measuring takes of a
        processor, or null; ``sampled``, targets of which some calls are timed; ``failures`` and
        ``overflows``, counts behind what they are of; ``targets``, each with state and calls;
        ``metrics``, each with ``name``, ``kind``, names of ``labels``, ``bounds``, ``series``, and
        ``numbers``: of a counter one for each series, of a histogram the counts of its buckets, not
        added up, the last one without a bound; of others none. Last ``spent``, the seconds that
        this took.
    """
    began = clock()
    for text in _texts(read(), idle, begun, wrong):
        yield text.encode()
    yield f',"spent":{clock() - began:.6f}}}\n'.encode()


def _texts(
    reading: Reading, idle: Callable[[Reading], Container[str]], begun: str, wrong: Sequence[str]
) -> Iterator[str]:
    counts, is_idle = reading.counts, idle(reading)
    overhead = reading.sampled.get(OVERHEAD, _NO_SAMPLE)[1]
    head = {
        "begun": begun,
        "wrong": list(wrong),
        "processes": reading.processes,
        "scrapes": (counts.get("scrapes", 0), counts.get("scrape_nanoseconds", 0) / 1e9),
        "overhead": next(iter(overhead.values()), None),
        "sampled": [target for (target,) in reading.sampled.get(SAMPLED, _NO_SAMPLE)[1]],
        "failures": [(*key, count) for key, count in reading.failures.items()],
        "overflows": [(*key, count) for key, count in reading.overflows.items()],
    }
    yield f'{_encoded(head)[:-1]},"targets":'
    yield from _array(
        list(reading.targets),
        lambda some: [
            (each.target, "idle" if each.target in is_idle else each.state, each.calls)
            for each in some
        ],
    )
    opening = ',"metrics":['
    for columns in reading.columns:
        yield opening
        yield from _metric(columns, reading.sampled.get(columns.family.name, _NO_SAMPLE)[1])
        opening = ","
    yield "]" if opening == "," else f"{opening}]"


def _metric(columns: Columns, sampled: Mapping[Labels, float]) -> Iterator[str]:
    family = columns.family
    spec, labels, numbers = family.spec, columns.labels, columns.numbers
    bounds = spec.buckets
    shown: Callable[[list[Numbers]], object]
    if spec.native is not None:
        # As the buckets that are implied, whose counts the block has added up.
        block = block_of(family, labels, numbers)
        bounds = block.bounds
        numbers = [apart(row[:-2]) for _, row in block.rows]
        shown = list
    elif spec.type == "histogram":
        shown = _without_last
    elif spec.type == "counter":
        shown = _first
    else:
        numbers = []
        shown = list
        # What live instances say hides nothing here: the page shows which labels there are.
        labels = [*dict.fromkeys((*labels, *sampled))]
    head = {
        "name": family.name,
        "kind": spec.type,
        "labels": family.label_names,
        "bounds": bounds,
    }
    yield f'{_encoded(head)[:-1]},"series":'
    yield from _array(labels, list)
    yield ',"numbers":'
    yield from _array(numbers, shown)
    yield "}"


def _without_last(some: list[Numbers]) -> object:
    return [each[:-1] for each in some]


def _first(some: list[Numbers]) -> object:
    return [each[0] for each in some]


def _array(rows: list[Any], shown: Callable[[list[Any]], object]) -> Iterator[str]:
    yield "["
    for start in range(0, len(rows), _PIECE_ROWS):
        yield "," * bool(start) + _encoded(shown(rows[start : start + _PIECE_ROWS]))[1:-1]
    yield "]"


def _encoded(data: object) -> str:
    try:
        return _FINITE.encode(data)
    except ValueError:
        return _ENCODER.encode(_finite(data))


def _finite(data: Any) -> Any:  # noqa: ANN401 - whatever has a form in JSON
    """Give the same with null for what JSON has no word for, such as an endless sum."""
    if isinstance(data, float):
        return data if isfinite(data) else None
    if isinstance(data, dict):
        return {name: _finite(each) for name, each in data.items()}
    return [_finite(each) for each in data] if isinstance(data, list | tuple) else data
