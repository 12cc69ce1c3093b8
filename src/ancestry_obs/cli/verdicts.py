"""What `check` has to say of some maps -> lines for people, JSON, or annotations of a workflow."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ancestry_obs.cli.output import counted, say, say_json
from ancestry_obs.exceptions import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TextIO

    from ancestry_obs.checking.checker import Verdict
    from ancestry_obs.exceptions import Where

__all__ = ["WRITERS", "Checked", "annotation", "coloured"]

_USE: Final = "cannot be told from the source; use --import"
_COLOURS: Final = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "grey": "90"}


@dataclass(frozen=True, slots=True)
class Checked:
    """A map that was checked.

    Args:
        name: What it was called.
        verdict: What came of it.
        mended: The targets that have new names now.
    """

    name: str
    verdict: Verdict
    mended: dict[str, str] = field(default_factory=dict)

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
    is_terminal = sys.stdout.isatty()
    for each in checked:
        for line in _rows(each) if is_terminal else _lines(each):
            say(line)


def _lines(checked: Checked) -> Iterator[str]:
    for old, new in checked.mended.items():
        yield f"{checked.name}: {old} is {new} now"
    yield from map(str, checked.verdict.findings)
    yield from map(str, checked.untold)
    yield from checked.verdict.notes
    yield f"{checked.name}: {checked.summary}"


def _rows(checked: Checked) -> Iterator[str]:
    """Set what there is to say in columns: the line, the key, and what is wrong there."""
    verdict = checked.verdict
    told = [("red", each) for each in verdict.findings]
    told += [("yellow", each) for each in checked.untold]
    yield coloured(checked.name, "bold")
    for old, new in checked.mended.items():
        yield f"  {coloured('mended', 'green')}  {old} is {new} now"
    lines = max((len(str(each.where.line or "")) for _, each in told), default=0)
    keys = max((len(each.where.key) for _, each in told), default=0)
    for colour, each in told:
        place = f"  {each.where.line or '':>{lines}}  {each.where.key:<{keys}}"
        yield f"{place}  {coloured(_message(each), colour)}"
        if each.remedy:
            yield f"{' ' * len(place)}  {each.remedy}"
    yield from (f"  {coloured(each, 'grey')}" for each in verdict.notes)
    colour = "red" if verdict.findings else "yellow" if verdict.doubts else "green"
    yield f"  {coloured(checked.summary, colour)}"


def _message(finding: Finding) -> str:
    # Without the place and the remedy, but as readable as `Finding` makes it.
    return str(Finding(finding.message, finding.where)).removeprefix(f"{finding.where}: ")


def coloured(text: str, colour: str, stream: TextIO | None = None) -> str:
    """Colour a text for a terminal, unless that is not wanted (https://no-color.org).

    Args:
        text: What is written.
        colour: One of those that there are.
        stream: Where it goes; standard output if None.
    """
    if (
        not (stream or sys.stdout).isatty()
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
        for old, new in each.mended.items():
            say(f"::notice file={_property(each.name)}::{_data(f'{old} is {new} now')}")
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
