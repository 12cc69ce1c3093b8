"""Candidates -> the text of a map: a few metrics that all of them share.

One histogram counts and times the calls of each function, one counter has what they raise, and one
for each label that is proposed counts calls by its values.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ancestry_obs.suggestion.candidates import Candidate

__all__ = ["map_of"]

_BUCKETS: Final = "[0.0001, 0.001, 0.01, 0.1, 1, 10]"
_MOST_LISTED: Final = 12
_MOST_VALUES: Final = 20


def map_of(
    candidates: Sequence[Candidate],
    remarks: Mapping[str, str] | None = None,
    refused: Mapping[str, str] | None = None,
    head: Iterable[str] = (),
) -> str:
    """Write a map.

    Args:
        candidates: What it names, in this order.
        remarks: What to say of a target, beside it.
        refused: Why a target stands there as a comment alone.
        head: Lines to say in front, without the sign of a comment.
    """
    refused = refused or {}
    comments = [f"# {each}" for each in head]
    lines = [*comments, *([""] if comments else []), "version = 1", ""]
    lines += _metrics(candidates, refused)
    for each in candidates:
        block = [*_instrument(each, (remarks or {}).get(each.target, ""), each.target in refused)]
        if each.target in refused:
            block = [f"# Left out: {refused[each.target]}", *(f"# {line}" for line in block)]
        lines += ["", *block]
    return "\n".join(lines) + "\n"


def _metrics(candidates: Sequence[Candidate], refused: Mapping[str, str]) -> Iterator[str]:
    # Those that are left out are listed too, so that who wants them need only take the signs off.
    functions = [each.target for each in candidates]
    yield "[metrics.function_seconds]"
    yield 'type = "histogram"'
    yield 'help = "How long calls take, by function."'
    yield f"buckets = {_BUCKETS}"
    yield from _functions(functions)
    yield ""
    yield "[metrics.function_errors_total]"
    yield 'type = "counter"'
    yield 'help = "Calls that raised, by function and exception class."'
    yield f"labels.error = {{ max_values = {_MOST_VALUES} }}"
    yield from _functions(functions)
    used = [each for each in candidates if each.target not in refused]
    for name in dict.fromkeys(label.name for each in used for label in each.labels):
        having = [each for each in used if any(e.name == name for e in each.labels)]
        yield ""
        yield f"[metrics.{_counter(name)}]"
        yield 'type = "counter"'
        yield f'help = "Calls by function and {name.replace("_", " ")}."'
        yield f"labels.{name} = {_limit(name, having)}"
        yield from _functions([each.target for each in having])


def _functions(targets: Sequence[str]) -> Iterator[str]:
    if not targets:
        yield "labels.function = { max_values = 1 }"
        return
    yield "labels.function = ["
    yield from (f"  {json.dumps(each)}," for each in targets)
    yield "]"


def _limit(name: str, candidates: Sequence[Candidate]) -> str:
    labels = [label for each in candidates for label in each.labels if label.name == name]
    values = sorted({value for each in labels for value in each.values})
    if all(each.values for each in labels) and len(values) <= _MOST_LISTED:
        return json.dumps(values)
    return f"{{ max_values = {_MOST_VALUES} }}"


def _counter(name: str) -> str:
    return f"function_calls_by_{name}_total"


def _instrument(candidate: Candidate, remark: str, is_hot: bool) -> Iterator[str]:  # noqa: FBT001 - internal
    function = json.dumps(f"'{candidate.target}'")
    if remark:
        yield f"# {remark}"
    yield "[[instrument]]"
    yield f"target = {json.dumps(candidate.target)}"
    if candidate.is_definition:
        yield 'at = "definition"'
    if is_hot:
        yield "sample = 0.01"
    yield "record = ["
    yield f'  {{ metric = "function_seconds", labels = {{ function = {function} }} }},'
    yield (
        '  { metric = "function_errors_total", on = "raise", '
        f'labels = {{ function = {function}, error = "type_name(error)" }} }},'
    )
    for label in [] if is_hot else candidate.labels:
        yield (
            f'  {{ metric = "{_counter(label.name)}", labels = {{ function = {function}, '
            f"{label.name} = {json.dumps(label.expression)} }} }},"
        )
    yield "]"
