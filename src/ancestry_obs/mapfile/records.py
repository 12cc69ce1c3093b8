"""One ``[[instrument.record]]`` of a map: a checked table goes in, a `RecordSpec` comes out.

Here are the rules between a record and its metric's type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.mapfile.handed import of_the_call, of_the_end, read_pairs
from ancestry_obs.mapfile.specs import HANDED_OVER, MOST_EXEMPLAR_CHARACTERS, NOT_OVER, RecordSpec

if TYPE_CHECKING:
    from ancestry_obs.expressions import Expression
    from ancestry_obs.mapfile.reader import Reader
    from ancestry_obs.mapfile.report import Report
    from ancestry_obs.mapfile.specs import HandedSpec, MetricSpec, Moment
    from ancestry_obs.mapfile.toml_lines import KeyPath

__all__ = ["build_record"]

# The number that a metric's type takes, and whether it has a default without it.
_NUMBERS: Final[dict[str, str]] = {
    "counter": "value",
    "gauge": "value",
    "histogram": "value",
    "ratio": "hit",
}
_WITHOUT_DEFAULT: Final = {
    "gauge": 'value = "result", for example',
    "ratio": 'hit = "result is not None", for example',
}


def build_record(
    table: dict[str, Any], path: KeyPath, reader: Reader, handed: HandedSpec
) -> RecordSpec:
    """Build one record.

    Args:
        table: The record's keys.
        path: Where it is.
        reader: Knows metrics and functions, takes the mistakes.
        handed: What the call hands on.
    """
    metric = reader.metric(table, path)
    in_flight = metric is not None and metric.type == "in_flight"
    # An in-flight gauge goes up before anything is known of the result.
    moment: Moment = "call" if in_flight else table.get("on") or "exit"
    # What else there is to read, the target decides. Before the call, `result`, `error` and
    # `elapsed` are not known, and the names are free for parameters that are called so.
    is_over = moment not in NOT_OVER
    variables = of_the_end(handed) if is_over else of_the_call(handed)
    value, hit, when, each = (
        reader.expression(table, key, path, variables) for key in ("value", "hit", "when", "each")
    )
    if each is not None:
        _check_each(each, table, path, reader.report)
    exemplar = read_pairs(table, "exemplar", path, reader, variables)
    if metric is not None:
        _check_numbers(metric, table, path, reader.report)
        _check_constant(metric, value, path, reader.report)
        _check_moment(metric, table, path, reader.report)
        _check_many(metric, table, path, reader.report)
        _check_exemplar(metric, table, path, reader.report)
        _check_length([name for name, _ in exemplar], path, reader.report)
        # Written out it is the same as left out, so that the two compare equal.
        if metric.type == "histogram" and value is not None and value.source == "elapsed":
            value = None
    return RecordSpec(
        metric=table.get("metric") or "",
        labels=reader.labels(table, path, metric, variables),
        value=value,
        hit=hit,
        on=moment,
        when=when,
        where=reader.report.where(path),
        each=each,
        exemplar=exemplar,
        taken=reader.taken(table, metric),
    )


def _check_each(each: Expression, table: dict[str, Any], path: KeyPath, report: Report) -> None:
    if "item" in each.names:
        message = "each is read before there is an item"
        report.add((*path, "each"), message, 'name what has the items, as in "result.items"')
    if table.get("on") in HANDED_OVER:
        message = f"on = {table['on']!r} is for the items that a generator hands over, each is not"
        report.add((*path, "each"), message, "keep one of the two")


def _check_many(metric: MetricSpec, table: dict[str, Any], path: KeyPath, report: Report) -> None:
    if "each" not in table:
        return
    if metric.type == "in_flight":
        message = "an in_flight gauge counts calls, and no items"
        report.add((*path, "each"), message, "take each out")
    if metric.type == "histogram" and "value" not in table:
        message = "the elapsed time is the call's, and no item's"
        report.add(path, message, 'write a value, such as "item.size"')


def _check_exemplar(
    metric: MetricSpec, table: dict[str, Any], path: KeyPath, report: Report
) -> None:
    if "exemplar" not in table:
        return
    place = (*path, "exemplar")
    if metric.type not in {"counter", "histogram"}:
        message = f"a metric of type {metric.type} has no exemplars"
        report.add(place, message, "take it out, or record a counter or a histogram")
    if table["exemplar"] == {}:
        report.add(
            place, "an exemplar without labels", 'write trace_id = "trace_id()", for example'
        )


def _check_length(names: list[str], path: KeyPath, report: Report) -> None:
    length = len("".join(names))
    if length > MOST_EXEMPLAR_CHARACTERS:
        possible = f"names and values may have {MOST_EXEMPLAR_CHARACTERS} together"
        message = f"its names alone have {length} characters; {possible}"
        report.add((*path, "exemplar"), message, "shorten them")


def _check_numbers(
    metric: MetricSpec, table: dict[str, Any], path: KeyPath, report: Report
) -> None:
    possible = _NUMBERS.get(metric.type)
    for key in ("value", "hit"):
        if key in table and key != possible:
            remedy = (
                f"it takes {possible}" if possible else "take it out: calls under way are counted"
            )
            report.add((*path, key), f"a metric of type {metric.type} takes no {key}", remedy)
    if metric.type in _WITHOUT_DEFAULT and possible not in table:
        report.add(
            path, f"a metric of type {metric.type} needs {possible}", _WITHOUT_DEFAULT[metric.type]
        )


def _check_constant(
    metric: MetricSpec, value: Expression | None, path: KeyPath, report: Report
) -> None:
    if value is None or not value.is_constant:
        return
    number = value.constant
    if not isinstance(number, int | float):
        report.add(
            (*path, "value"), f"the value {number!r} is no number", "write an expression of one"
        )
    elif metric.type == "counter" and number < 0:
        report.add((*path, "value"), f"a counter cannot go down by {number}", "use a gauge")


def _check_moment(metric: MetricSpec, table: dict[str, Any], path: KeyPath, report: Report) -> None:
    moment = table.get("on")
    if metric.type == "in_flight" and moment not in {"call", None}:
        remedy = "take it out: it goes up at the call and down at its end"
        report.add((*path, "on"), f"an in_flight gauge has on = {moment!r}", remedy)
    if metric.type == "histogram" and moment == "call" and "value" not in table:
        message = "the elapsed time is not known when the call begins"
        report.add(path, message, "write a value, or another on")
