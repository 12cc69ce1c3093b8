"""`ancestry-obs packs`: the packs there are, and which of them fit what is installed here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ancestry_obs.cli.output import broken, say, say_json, table, terminal_width
from ancestry_obs.cli.pack_costs import PYTHON, read_costs
from ancestry_obs.library_versions import fits, installed_version
from ancestry_obs.mapfile import load
from ancestry_obs.mapfile.map_files import PACK, packs_there_are

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ancestry_obs.cli.pack_costs import PackCost
    from ancestry_obs.mapfile.specs import PackSpec

_WIDTH: Final = 80
_NOTES: Final = f"""\
TARGETS: the functions that it measures. What it does not name costs nothing.
COST: the microseconds of the processor that it adds to a request, a statement, a command or a \
task, on Python {PYTHON} and the machine of docs/performance.md; - where that was not measured.
RATIO: COST by what OpenTelemetry's instrumentation of the same library adds there.
In your own program: ancestry-obs cost pack:NAME -- PROGRAM
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A pack and its library.

    Args:
        name: the pack's name.
        pack: what it says of itself.
        installed: the version of the library that is installed; None if it is not.
        targets: how many functions it measures, with those of the packs that it includes.
        cost: what it adds to a call of the library; None if that was not measured.
    """

    name: str
    pack: PackSpec
    installed: str | None
    targets: int
    cost: PackCost | None

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
    width = terminal_width() or _WIDTH
    say(_text(rows, width))
    say()
    for note in _NOTES.splitlines():
        for line in broken(note, width):
            say(line)
    return 0


def _rows() -> Iterator[Row]:
    costs = read_costs()
    for name in packs_there_are():
        source = f"{PACK}{name}"
        # What is no pack is there for packs to include.
        spec = load(source)
        targets = {target for each in spec.instruments for target in each.targets}
        for pack in spec.packs:
            if pack.where.source == source:
                yield Row(
                    name, pack, installed_version(pack.library), len(targets), costs.get(name)
                )


def _text(rows: list[Row], width: int) -> str:
    """Set what there is in columns; what a pack measures, in words, stands below the others."""
    heads = ("PACK", "IS FOR", "HERE", "FITS", "TARGETS", "COST", "RATIO", "MEASURES")
    cells = [
        (
            row.name,
            f"{row.pack.library} {row.pack.versions}",
            row.installed or "-",
            "" if row.installed is None else "yes" if row.fits else "no",
            row.targets,
            row.cost.ours if row.cost else "-",
            "-" if row.cost is None or row.cost.ratio is None else f"{row.cost.ratio:.2f}x",
            row.pack.title,
        )
        for row in rows
    ]
    return table(heads, cells, width)


def _as_dict(row: Row) -> dict[str, object]:
    return {
        "name": row.name, "measures": row.pack.title, "library": row.pack.library,
        "versions": row.pack.versions, "url": row.pack.url, "installed": row.installed,
        "fits": row.fits, "targets": row.targets, "cost": _cost_as_dict(row.cost),
    }  # fmt: skip


def _cost_as_dict(cost: PackCost | None) -> dict[str, object] | None:
    """Give what was measured; None for a pack that was not."""
    if cost is None:
        return None
    return {
        "per": cost.per, "microseconds": cost.ours, "opentelemetry_microseconds": cost.theirs,
        "opentelemetry_basis": cost.basis, "ratio": cost.ratio, "python": PYTHON,
        "ratios": cost.ratios,
    }  # fmt: skip
