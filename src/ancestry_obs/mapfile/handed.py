"""The values that an instrument hands on: its tables go in, a `HandedSpec` comes out.

And the other way round: what an instrument's expressions may read of what others hand on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from ancestry_obs.expressions.given import HANDED, TARGET, Given, entry_variable
from ancestry_obs.mapfile.reader import Variables
from ancestry_obs.mapfile.specs import HandedSpec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ancestry_obs.expressions import Expression
    from ancestry_obs.mapfile.reader import Reader
    from ancestry_obs.mapfile.specs import RecordSpec
    from ancestry_obs.mapfile.toml_lines import KeyPath

__all__ = ["build_handed", "nested_name", "of_the_call", "of_the_end", "read_pairs"]

_TARGET: Final = tuple((each, each) for each in TARGET)
_BEFORE: Final = Given(frozenset({"context"}), _TARGET)
_AFTER: Final = Given(frozenset(HANDED), _TARGET)


def build_handed(table: dict[str, Any], path: KeyPath, reader: Reader) -> HandedSpec:
    """Build what an instrument hands on.

    Args:
        table: The instrument's keys.
        path: Where it is.
        reader: Knows the functions, takes the mistakes.
    """
    entry = read_pairs(table, "entry", path, reader, Variables(given=_BEFORE))
    context = read_pairs(table, "context", path, reader, Variables(given=_BEFORE))
    spec = HandedSpec(entry, context)
    return HandedSpec(entry, context, read_pairs(table, "tell", path, reader, of_the_end(spec)))


def of_the_call(handed: HandedSpec) -> Variables:
    """Give what a record may read when its call begins."""
    return Variables(given=_with_entry(_BEFORE, handed))


def of_the_end(handed: HandedSpec) -> Variables:
    """Give what a record may read when its call is over."""
    return Variables(given=_with_entry(_AFTER, handed))


def nested_name(targets: Iterable[str], records: Iterable[RecordSpec]) -> str:
    """Name the calls of an instrument, for those that are inside of others of them.

    Args:
        targets: The instrument's targets.
        records: What each of its calls records.
    """
    text = "\n".join((*targets, *(each.metric for each in records)))
    return f"nested.calls_{crc32(text.encode()):08x}"


def _with_entry(given: Given, handed: HandedSpec) -> Given:
    entry = tuple(
        (f"entry.{name}", entry_variable(name, expression.source))
        for name, expression in handed.entry
    )
    return Given(given.roots, (*given.names, *entry))


def read_pairs(
    table: dict[str, Any], key: str, path: KeyPath, reader: Reader, variables: Variables
) -> tuple[tuple[str, Expression], ...]:
    """Read a table of expressions by name.

    Args:
        table: Has it, maybe.
        key: Under which.
        path: Where the table is.
        reader: Knows the functions, takes the mistakes.
        variables: What they may read.

    Returns:
        Each name with its expression, those that are broken left out.
    """
    given = table.get(key) or {}
    read = {name: reader.expression(given, name, (*path, key), variables) for name in given}
    return tuple((name, expression) for name, expression in read.items() if expression is not None)
