"""What `check` has to say of some maps -> lines for people, JSON, or annotations of a workflow."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ancestry_obs.cli.map_argument import STANDARD_INPUT_NAME
from ancestry_obs.cli.output import (
    broken,
    counted,
    is_terminal,
    say,
    say_json,
    terminal_width,
)
from ancestry_obs.exceptions import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TextIO

    from ancestry_obs.checking.checker import Verdict
    from ancestry_obs.exceptions import Where

__all__ = ["WRITERS", "Checked", "annotation", "coloured", "paragraph"]

_USE: Final = "cannot be told from the source; use --import"
_LEAST_ROOM: Final = 30
"""So many columns a message needs beside its line and key; else it stands below them."""
_COLOURS: Final = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "grey": "90"}


@dataclass(frozen=True, slots=True)
class Checked:
    """A map that was checked.

    Args:
        name: What it was called.
        verdict: What came of it.
        mended: The targets that have new names now.
        mended_in: The file of each, where that is not the map's own.
    """

    name: str
    verdict: Verdict
    mended: dict[str, str] = field(default_factory=dict)
    mended_in: dict[str, str] = field(default_factory=dict)

    @property
    def new_names(self) -> Iterator[tuple[str, str]]:
        """What has been mended: the file, and what to say."""
        for old, new in self.mended.items():
            yield self.mended_in.get(old, self.name), f"{old} is {new} now"

    @property
    def untold(self) -> Iterator[Finding]:
        """What the source does not tell, as findings are told."""
        for target, where, why in self.verdict.doubts:
            yield Finding(f"{target}: {_USE} ({why})", where)

    @property
    def summary(self) -> str:
        """The last line."""
        findings, doubts = len(self.verdict.findings), len(self.verdict.doubts)
        parts = [counted(findings, "finding")] if findings else []
        parts += [f"{counted(doubts, 'target')} {_USE}"] if doubts else []
        return ", ".join(parts) or "fine"


def _write_text(checked: Sequence[Checked]) -> None:
    lines = _rows if is_terminal() else _lines
    for each in checked:
        for line in lines(each):
            say(line)


def _lines(checked: Checked) -> Iterator[str]:
    for file, told in checked.new_names:
        yield f"{file}: {told}"
    yield from map(str, checked.verdict.findings)
    yield from map(str, checked.untold)
    yield from checked.verdict.notes
    yield f"{checked.name}: {checked.summary}"


def _rows(checked: Checked) -> Iterator[str]:
    """Set what there is to say in columns: the line, the key, and what is wrong there."""
    verdict = checked.verdict
    told = [("red", each) for each in verdict.findings]
    told += [("yellow", each) for each in checked.untold]
    yield from paragraph(checked.name, "bold")
    for file, words in checked.new_names:
        place = "" if file == checked.name else f" in {file}"
        first, *more = _beside("  mended  ", f"{words}{place}", "")
        yield first.replace("mended", coloured("mended", "green"), 1)
        yield from more
    lines = max((len(str(each.where.line or "")) for _, each in told), default=0)
    keys = max((len(each.where.key) for _, each in told), default=0)
    file = checked.name
    for colour, each in told:
        if each.where.source not in {file, STANDARD_INPUT_NAME}:
            # A line of a file that the map includes: whose it is has to stand above it.
            file = each.where.source
            yield from paragraph(f"  {file}", "bold")
        place = f"  {each.where.line or '':>{lines}}  {each.where.key:<{keys}}  "
        margin = len(place)
        if (terminal_width() or margin + _LEAST_ROOM) < margin + _LEAST_ROOM:
            yield place.rstrip()
            margin = lines + len("      ")
            place = " " * margin
        yield from _beside(place, _message(each), colour)
        if each.remedy:
            yield from _beside(" " * margin, each.remedy, "")
    for note in verdict.notes:
        yield from paragraph(f"  {note}", "grey", "    ")
    colour = "red" if verdict.findings else "yellow" if verdict.doubts else "green"
    yield f"  {coloured(checked.summary, colour)}"


def _beside(place: str, text: str, colour: str) -> Iterator[str]:
    """Set a text beside its place; what has no room there stands below it."""
    width = terminal_width()
    for line in broken(text, width and width - len(place), ""):
        yield place + coloured(line, colour)
        place = " " * len(place)


def _message(finding: Finding) -> str:
    # Without the place and the remedy, but as readable as `Finding` makes it.
    return str(Finding(finding.message, finding.where)).removeprefix(f"{finding.where}: ")


def paragraph(text: str, colour: str = "", margin: str = "  ") -> Iterator[str]:
    """Break a line where the terminal ends that is printed to.

    Args:
        text: The line.
        colour: What it is coloured in; empty for not at all.
        margin: What its further lines begin with.
    """
    for line in broken(text, terminal_width(), margin):
        yield coloured(line, colour)


def coloured(text: str, colour: str, stream: TextIO | None = None) -> str:
    """Colour a text for a terminal, unless that is not wanted (https://no-color.org).

    Args:
        text: What is written.
        colour: One of those that there are; empty for none.
        stream: Where it goes; standard output if None.
    """
    if (
        not colour
        or not is_terminal(stream)
        or os.environ.get("NO_COLOR")
        or os.environ.get("TERM") == "dumb"
    ):
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def _write_json(checked: Sequence[Checked]) -> None:
    say_json(
        {
            "findings": [_as_dict(finding) for e in checked for finding in e.verdict.findings],
            "untold": [_as_dict(finding) for e in checked for finding in e.untold],
            "notes": [note for e in checked for note in e.verdict.notes],
            "renames": {old: new for e in checked for old, new in e.verdict.renames.items()},
            "mended": {old: new for e in checked for old, new in e.mended.items()},
        }
    )


def _as_dict(finding: Finding) -> dict[str, object]:
    where = finding.where
    return {
        "source": where.source, "line": where.line, "key": where.key,
        "message": finding.message, "remedy": finding.remedy, "text": str(finding),
    }  # fmt: skip


def _write_github(checked: Sequence[Checked]) -> None:
    """Write commands of GitHub's workflows ("Workflow commands for GitHub Actions")."""
    for each in checked:
        for finding in each.verdict.findings:
            say(annotation("error", finding))
        for finding in each.untold:
            say(annotation("warning", finding))
        for file, told in each.new_names:
            say(f"::notice file={_property(file)}::{_data(told)}")
        for note in each.verdict.notes:
            text = note.removeprefix("note: ")
            say(f"::notice file={_property(each.name)}::{_data(text)}")


def annotation(kind: str, finding: Finding) -> str:
    """Write a command of GitHub's workflows for a finding."""
    where: Where = finding.where
    line = f",line={where.line}" if where.line else ""
    title = f",title={_property(where.key)}" if where.key else ""
    text = str(finding).removeprefix(f"{where}: ")
    return f"::{kind} file={_property(where.source)}{line}{title}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


WRITERS: Final[dict[str, Callable[[Sequence[Checked]], None]]] = {
    "github": _write_github,
    "json": _write_json,
    "text": _write_text,
}
"""What prints, by the form that is asked for."""
