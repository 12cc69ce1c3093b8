"""Write a block as exposition text, byte for byte as prometheus_client writes it.

The formats: https://prometheus.io/docs/instrumenting/exposition_formats/ and OpenMetrics 1.0.
A series takes one ``%`` with a template that is made once for its block; its label text is written
anew each time, which costs no more than to look it up and saves keeping it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ancestry_obs.collector.blocks import SUFFIXES, go_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ancestry_obs.collector.blocks import Block

__all__ = ["write_block"]

# From here on Go writes 1e+06 where Python writes 1000000.0.
_EXPONENT_FROM = 1_000_000
# The one label that a histogram adds; the labels of a line are in alphabetical order.
_BOUND = "le"


def write_block(block: Block, *, openmetrics: bool) -> str:
    """Write a metric.

    Args:
        block: The metric and its numbers.
        openmetrics: Whether the format is OpenMetrics and not Prometheus' own.

    Returns:
        The HELP and TYPE lines and one line for each sample, all ended.
    """
    write = _write_histogram if block.kind == "histogram" else _write_plain
    return "".join((_header(block, openmetrics=openmetrics), *write(block)))


def _header(block: Block, *, openmetrics: bool) -> str:
    text = block.help.replace("\\", r"\\").replace("\n", r"\n")
    if openmetrics:
        text = text.replace('"', r"\"")
        return f"# HELP {block.name} {text}\n# TYPE {block.name} {block.kind}\n"
    # The older format knows no infos, and calls a counter by the name of its samples.
    kind = "gauge" if block.kind == "info" else block.kind
    suffix = SUFFIXES[block.kind][0] if block.kind in {"counter", "info"} else ""
    return f"# HELP {block.name}{suffix} {text}\n# TYPE {block.name}{suffix} {kind}\n"


def _write_plain(block: Block) -> Iterable[str]:
    suffixes = SUFFIXES[block.kind]
    template = "".join(f"{block.name}{suffix}%s %s\n" for suffix in suffixes)
    label_text = _label_writer(block.label_names, range(len(block.label_names)))
    for labels, numbers in block.rows:
        text = f"{{{label_text(labels)}}}" if labels else ""
        fields = [text] * (2 * len(suffixes))
        fields[1::2] = map(_number, numbers)
        yield template % tuple(fields)


def _write_histogram(block: Block) -> Iterable[str]:
    names = block.label_names
    before = _label_writer(names, [i for i, name in enumerate(names) if name < _BOUND])
    after = _label_writer(names, [i for i, name in enumerate(names) if name > _BOUND])
    small, large = _histogram_templates(block)
    buckets = len(block.bounds) + 1
    totals = 0 if _is_signed(block) else 2
    for labels, numbers in block.rows:
        head, tail = before(labels), after(labels)
        whole = ",".join(filter(None, (head, tail)))
        text = f"{{{whole}}}" if labels else ""
        fields: list[object] = [head and f"{head},", tail and f",{tail}", 0] * buckets
        fields += [text, "", 0] * totals
        count, total = numbers[-2:]
        counts = numbers[:-1]
        if count < _EXPONENT_FROM:
            fields[2::3] = (*counts, count, _number(total)) if totals else counts
            yield small % tuple(fields)
        else:
            fields[2::3] = map(_number, (*counts, count, total) if totals else counts)
            yield large % tuple(fields)


def _histogram_templates(block: Block) -> tuple[str, str]:
    """Make the templates for counts that `%d` can write and for those it cannot."""
    bucket = f'{block.name}_bucket{{%s{_BOUND}="'
    lines = [f'{bucket}{bound}"%s}} %d.0\n' for bound in block.bound_texts()]
    if not _is_signed(block):
        lines += [f"{block.name}_count%s%s %d.0\n", f"{block.name}_sum%s%s %s\n"]
    small = "".join(lines)
    return small, small.replace("%d.0", "%s")


def _is_signed(block: Block) -> bool:
    # With negative observations the sum may fall, so that the format leaves out sum and count.
    return bool(block.bounds) and block.bounds[0] < 0


def _label_writer(
    names: tuple[str, ...], chosen: Iterable[int]
) -> Callable[[tuple[str, ...]], str]:
    """Make a function that writes some of a series' labels in alphabetical order."""
    places = sorted(chosen, key=names.__getitem__)
    template = ",".join(f'{names[place]}="%s"' for place in places)

    def label_text(values: tuple[str, ...]) -> str:
        return template % tuple([_escape(values[place]) for place in places])

    return label_text


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    if -_EXPONENT_FROM < value < _EXPONENT_FROM:
        return repr(float(value))
    return go_number(value)
