"""`ancestry-obs packs`: the packs there are, and which of them fit what is installed here."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from ancestry_obs.cli.output import say, say_json, table
from ancestry_obs.library_versions import fits, installed_version
from ancestry_obs.mapfile import load
from ancestry_obs.mapfile.map_files import PACK, packs_there_are

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ancestry_obs.mapfile.specs import PackSpec

_WIDTH: Final = 80
_GAP: Final = 2


@dataclass(frozen=True, slots=True)
class Row:
    """A pack and its library.

    Args:
        name: the pack's name.
        pack: what it says of itself.
        installed: the version of the library that is installed; None if it is not.
        targets: how many functions it measures, with those of the packs that it includes.
    """

    name: str
    pack: PackSpec
    installed: str | None
    targets: int

    @property
    def fits(self) -> bool:
        """Whether the library is here in a version that the pack is for."""
        return self.installed is not None and fits(self.installed, self.pack.versions)


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser(
        "packs",
        help="list the maps that are ready for libraries",
        epilog="What they cost in your own program: ancestry-obs cost pack:NAME -- PROGRAM",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Print the packs, by name.

    Raises:
        MapError: one of them has mistakes.
    """
    rows = [*_rows()]
    if arguments.json:
        say_json([_as_dict(row) for row in rows])
        return 0
    say(_text(rows))
    return 0


def _rows() -> Iterator[Row]:
    for name in packs_there_are():
        source = f"{PACK}{name}"
        # What is no pack is there for packs to include.
        spec = load(source)
        targets = {target for each in spec.instruments for target in each.targets}
        for pack in spec.packs:
            if pack.where.source == source:
                yield Row(name, pack, installed_version(pack.library), len(targets))


def _text(rows: list[Row]) -> str:
    """Set what there is in columns; the last one, in words, takes as many lines as it needs."""
    heads = ("PACK", "IS FOR", "HERE", "FITS")
    cells = [
        (
            row.name,
            f"{row.pack.library} {row.pack.versions}",
            row.installed or "-",
            "" if row.installed is None else "yes" if row.fits else "no",
        )
        for row in rows
    ]
    left = table(heads, cells).splitlines()
    at = max(map(len, left)) + _GAP
    lines = []
    for line, words in zip(left, ("MEASURES", *map(_measures, rows)), strict=True):
        told = wrap(words, max(_WIDTH - at, 20))
        lines.append(f"{line:<{at}}{told[0]}")
        lines += [f"{'':<{at}}{more}" for more in told[1:]]
    return "\n".join(lines)


def _measures(row: Row) -> str:
    """Say what a pack measures, and by how much: it costs a little at each call of these alone."""
    return f"{row.pack.title} Functions: {row.targets}."


def _as_dict(row: Row) -> dict[str, object]:
    return {
        "name": row.name, "measures": row.pack.title, "library": row.pack.library,
        "versions": row.pack.versions, "url": row.pack.url, "installed": row.installed,
        "fits": row.fits, "targets": row.targets,
    }  # fmt: skip
