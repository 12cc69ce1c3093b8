"""Facts come in, lines for a terminal of 80 columns go out.

The code of a function is as wide as it is. PromQL and the map's expressions are broken between
words, never in a text, so that they can be copied; names and places are a word each.
"""

from __future__ import annotations

import re
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.recording.items import MOST_ITEMS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["metric_lines", "target_lines"]

_WIDTH: Final = 80
_WORD: Final = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\S)+""")
_WAYS: Final = {
    "inline": "inline: the statements are in its own code",
    "call": "call: its code calls the original",
    "proxy": "proxy: its name is bound to a proxy",
}

_HANDED: Final = {
    "entry": "entry: values of the call's beginning, for its records",
    "context": "context: values for everything that is called within",
    "tell": "tell: values for the measured call around",
}


def metric_lines(facts: dict[str, Any]) -> Iterator[str]:
    """Write what `metric_facts` gives."""
    yield f"{facts['metric']}: {facts['type']}, at most {facts['series_at_most']:,} series"
    if facts["series_multiplied"]:
        yield from _text(f"that is {facts['series_multiplied']}", "  ")
    yield from _text(facts["help"], "  ")
    yield from _named("declared in", facts["where"], "  ")
    yield from _text(f"exposed as {facts['series']}", "  ")
    if facts["buckets"]:
        bounds = ", ".join(f"{bound:g}" for bound in facts["buckets"])
        yield from _text(f"buckets: {bounds}, +Inf", "  ")
    if facts["native"]:
        said = ", ".join(f"{name} {value:g}" for name, value in facts["native"].items())
        yield from _text(f"native buckets: {said}", "  ")
    for label in facts["labels"]:
        yield from _text(f"label {label['name']}: {_bound(label)}", "  ")
    for made in facts["fed_by"]:
        yield from _named("fed by", made["target"], "  ")
        yield from _made(made, "    ")
    yield from _monitoring(facts, "  ")


def target_lines(facts: dict[str, Any]) -> Iterator[str]:
    """Write what `target_facts` gives."""
    yield facts["target"]
    for made in facts["does"]:
        yield from _made(made, "  ")
    for way in facts["functions"]:
        yield from _named("leads to", way["target"], "  ")
        if way["defined_at"]:
            yield from _named("defined in", way["defined_at"], "    ")
        yield f"    woven {_WAYS[way['way']]}" if way["way"] else "    not woven"
        if way["why"]:
            yield from _text(f"because: {way['why']}", "    ")
    for metric in facts["metrics"]:
        yield f"  {metric['series']}: at most {metric['series_at_most']:,} series"
        yield from _monitoring(metric, "    ")
    for way in facts["functions"]:
        if not way["source"]:
            continue
        yield ""
        yield f"{way['target']}, with the statements in it:"
        yield way["source"]


def _made(made: dict[str, Any], margin: str) -> Iterator[str]:
    if "values" in made:
        yield f"{margin}{_HANDED[made['how']]}"
        yield from _said(made, f"{margin}  ")
        yield from (f"{margin}  {word}" for word in _of_the_instrument(made))
        for name, text in made["values"].items():
            yield from _code(f"{name} = {text}", f"{margin}  ")
        return
    at = f" (at {made['at']})" if made.get("at", "default") != "default" else ""
    what = f": {made['metric']}" if "metric" in made else f": {made['action']}"
    how = made["how"] if "as" in made or "action" in made else f"on {made['how']}"
    yield f"{margin}{how}{what}{at}"
    yield from _said(made, f"{margin}  ")
    yield from (f"{margin}  {word}" for word in _of_the_instrument(made))
    for name in ("when", "value", "hit"):
        if name in made:
            yield from _code(f"{name} = {made[name]}", f"{margin}  ")
    if "each" in made:
        yield from _code(
            f"each = {made['each']}: at most {MOST_ITEMS:,} items of a call", f"{margin}  "
        )
    for name, expression in made.get("labels", {}).items():
        yield from _code(f"{name} = {expression}", f"{margin}  ")
    for name, expression in made.get("exemplar", {}).items():
        yield from _code(f"exemplar.{name} = {expression}", f"{margin}  ")


def _said(made: dict[str, Any], margin: str) -> Iterator[str]:
    yield from _named("said in", made["where"], margin)
    if "name" in made:
        yield from _named("in the instrument", repr(made["name"]), margin)


def _of_the_instrument(made: dict[str, Any]) -> Iterator[str]:
    if made.get("subclasses"):
        yield "overrides in subclasses too"
    if made.get("outermost"):
        yield "outermost: not within another call of this instrument"
    if made.get("rare"):
        yield "rare: it may well be that nothing calls it"
    if made.get("sample", 1) < 1:
        yield f"sample = {made['sample']:g}: all calls are counted, some are timed"
    if made.get("is_over"):
        yield f"over since {made['until']}: it measures nothing any more"
    elif made.get("until"):
        yield f"until {made['until']}"


def _bound(label: dict[str, Any]) -> str:
    if "values" in label:
        return f"{', '.join(label['values'])}; anything else is 'other'"
    number = label["max_values"]
    return f"at most {number:,} value{'s' * (number != 1)}, then 'other'"


def _monitoring(facts: dict[str, Any], margin: str) -> Iterator[str]:
    for use in (*facts["panels"], *facts["rules"]):
        yield from _text(f"{use['kind']} {use['name']}", margin)
        for query in use["queries"]:
            yield from _code(query, f"{margin}  ")


def _text(text: str, margin: str) -> Iterator[str]:
    yield from wrap(
        text, _WIDTH, initial_indent=margin, subsequent_indent=f"{margin}  ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _named(words: str, name: str, margin: str) -> Iterator[str]:
    """Set a name or a place beside its words, or below them: it is never broken."""
    line = f"{margin}{words} {name}"
    yield from [line] if len(line) <= _WIDTH else (f"{margin}{words}", f"{margin}  {name}")


def _code(expression: str, margin: str) -> Iterator[str]:
    line = margin
    for word in _WORD.findall(expression):
        if line != margin and len(line) + len(word) > _WIDTH:
            yield line.rstrip()
            line = f"{margin}  "
        line += f"{word} "
    yield line.rstrip()
