"""Write a block as exposition text, byte for byte as prometheus_client writes it.

The formats: https://prometheus.io/docs/instrumenting/exposition_formats/ and OpenMetrics 1.0.
The lines of a series are one f-string in a function that is generated once for the shape of its
metric: a template for ``%`` would be read through for every series, and takes a third to twice as
long (CPython 3.13 and 3.11). Label text is escaped anew at each scrape; to keep it would cost each
series more memory than it saves time.
"""

from __future__ import annotations

from functools import lru_cache, partial
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from prometheus_client.utils import floatToGoString

from ancestry_obs.collector.blocks import SUFFIXES, placed
from ancestry_obs.recording.failures import came_from_outside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ancestry_obs.collector.blocks import Block, Row
    from ancestry_obs.recording.exemplars import Exemplar

    Writer: TypeAlias = Callable[[Sequence[Row]], list[str]]

__all__ = ["bound_texts", "write_block"]

# From here on Go writes 1e+06 where Python writes 1000000.0.
_EXPONENT_FROM = 1_000_000
# The one label that a histogram adds; the labels of a line are in alphabetical order.
_BOUND = "le"
_SHAPES_KEPT = 1024
# Switches to exponents sooner than Python.
_go_number: Callable[[float], str] = floatToGoString
# As many rows are one piece: a page of a megabyte in one text would be a megabyte that the system
# has to hand out and take back at every scrape.
_PIECE_ROWS = 64


def bound_texts(bounds: Sequence[float]) -> list[str]:
    """Write a histogram's bounds as values of the label ``le``, the last one included."""
    return [*map(_go_number, bounds), "+Inf"]


def write_block(
    block: Block, *, openmetrics: bool, lost: Callable[[], object] = int
) -> Iterator[str]:
    """Write a metric.

    Args:
        block: The metric and its numbers.
        openmetrics: Whether the format is OpenMetrics and not Prometheus' own.
        lost: Called for each series that cannot be written; the others are.

    Yields:
        The HELP and TYPE lines, then the lines of the samples, piece by piece.
    """
    if block.kind == "histogram":
        writer = _histogram_writer(block.name, block.label_names, block.bounds)
    else:
        writer = _plain_writer(block.name, block.label_names, SUFFIXES[block.kind])
    # The older format has none.
    write = partial(_written, writer, block if openmetrics and block.exemplars else None)
    yield _header(block, openmetrics=openmetrics)
    for start in range(0, len(block.rows), _PIECE_ROWS):
        rows = block.rows[start : start + _PIECE_ROWS]
        try:
            yield "".join(write(rows))
        except Exception as error:  # one series of the piece is something else than it should
            if came_from_outside(error):
                raise
            yield "".join(_one_by_one(write, rows, lost))


def _written(write: Writer, exemplary: Block | None, rows: Sequence[Row]) -> list[str]:
    texts = write(_escaped(rows))
    if exemplary is None:
        return texts
    return [
        _exemplified(text, placed(exemplary, labels))
        for text, (labels, _) in zip(texts, rows, strict=True)
    ]


def _exemplified(text: str, exemplars: Mapping[int, Exemplar]) -> str:
    """Write a series' exemplars behind its lines, of which the first are those of its buckets."""
    if not exemplars:
        return text
    lines = text.split("\n")
    for place, exemplar in exemplars.items():
        labels = ",".join(f'{name}="{_escape(value)}"' for name, value in sorted(exemplar.labels))
        lines[place] += f" # {{{labels}}} {_go_number(exemplar.value)} {exemplar.time}"
    return "\n".join(lines)


def _one_by_one(write: Writer, rows: Sequence[Row], lost: Callable[[], object]) -> Iterator[str]:
    for row in rows:
        try:
            (text,) = write([row])
        except Exception as error:  # whatever it is, it costs itself alone
            if came_from_outside(error):
                raise
            lost()
        else:
            yield text


def _header(block: Block, *, openmetrics: bool) -> str:
    text = block.help.replace("\\", r"\\").replace("\n", r"\n")
    if openmetrics:
        text = text.replace('"', r"\"")
        return f"# HELP {block.name} {text}\n# TYPE {block.name} {block.kind}\n"
    # The older format knows no infos, and calls a counter by the name of its samples.
    kind = "gauge" if block.kind == "info" else block.kind
    suffix = SUFFIXES[block.kind][0] if block.kind in {"counter", "info"} else ""
    return f"# HELP {block.name}{suffix} {text}\n# TYPE {block.name}{suffix} {kind}\n"


@lru_cache(_SHAPES_KEPT)
def _plain_writer(name: str, labels: tuple[str, ...], suffixes: tuple[str, ...]) -> Writer:
    """Make the function that writes the rows of a metric with one sample for each suffix."""
    lines = [
        _line(name + suffix, labels, f"number(v{place})") for place, suffix in enumerate(suffixes)
    ]
    return _compile("".join(lines), len(labels), len(suffixes))


@lru_cache(_SHAPES_KEPT)
def _histogram_writer(name: str, labels: tuple[str, ...], bounds: tuple[float, ...]) -> Writer:
    """Make the function that writes the rows of a histogram."""
    texts = bound_texts(bounds)
    count, total = f"v{len(texts)}", f"v{len(texts) + 1}"
    small, any_size = "", ""
    for place, bound in enumerate(texts):
        small += _line(f"{name}_bucket", labels, f"v{place}", ".0", bound)
        any_size += _line(f"{name}_bucket", labels, f"number(v{place})", "", bound)
    # With negative buckets the sum may fall, which OpenMetrics 1.0 allows no histogram, and without
    # it no count. The older format would allow both; but a query should find the same series
    # whichever of the two a server asks for, and Prometheus asks for OpenMetrics.
    if not bounds or bounds[0] >= 0:
        small += _line(f"{name}_count", labels, count, ".0") + _line(f"{name}_sum", labels, total)
        any_size += _line(f"{name}_count", labels, f"number({count})")
        any_size += _line(f"{name}_sum", labels, f"number({total})")
    limit = _EXPONENT_FROM
    source = f"{small} if {count} < {limit} and -{limit} < {total} < {limit} else {any_size}"
    return _compile(source, len(labels), len(texts) + 2)


def _line(
    name: str, labels: tuple[str, ...], value: str, after: str = "", bound: str | None = None
) -> str:
    """Write a line as source: literals and f-strings side by side, which Python makes one of.

    Args:
        name: The sample's name.
        labels: The labels' names; l0, l1, ... hold their values.
        value: The expression of the number.
        after: Text behind the number.
        bound: The text of the label ``le``, if there is one.
    """
    texts = {label: f"f'{{l{place}}}'" for place, label in enumerate(labels)}
    if bound is not None:
        texts[_BOUND] = repr(bound)
    source, opening = [repr(name)], "{"
    for label, text in sorted(texts.items()):
        source += [repr(f'{opening}{label}="'), text]
        opening = '",'
    closing = '"} ' if texts else " "
    return " ".join((*source, repr(closing), f"f'{{{value}}}'", repr(f"{after}\n"), ""))


def _compile(lines: str, labels: int, values: int) -> Writer:
    """Make a function of rows from the source of what it writes for one."""
    row = (
        "".join(f"l{place}, " for place in range(labels)),
        "".join(f"v{place}, " for place in range(values)),
    )
    code = compile(
        f"lambda rows: [{lines} for ({row[0]}), ({row[1]}) in rows]",
        "<ancestry_obs exposition>",
        "eval",
        dont_inherit=True,
    )
    return eval(code, {"number": _number})  # type: ignore[no-any-return] # noqa: S307 - every name in it is a literal


def _escaped(rows: Sequence[Row]) -> Sequence[Row]:
    """Escape the label values; one look at all of them together finds that few need it."""
    text = "".join(chain.from_iterable([labels for labels, _ in rows]))
    if '"' in text or "\\" in text or "\n" in text:
        return [(tuple(map(_escape, labels)), numbers) for labels, numbers in rows]
    return rows


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    if -_EXPONENT_FROM < value < _EXPONENT_FROM:
        return repr(float(value))
    return _go_number(value)
