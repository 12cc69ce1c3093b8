"""The errors of the toolkit; nothing here imports what could raise one.

    Exception
    └── ObservabilityError      everything that the toolkit raises by itself
        ├── SettingsError       a setting has a value that is not allowed (also a ValueError)
        ├── MapError            a map has mistakes; `.findings` has all of them (also a ValueError)
        ├── ExpressionError     a label expression is outside the grammar (also a ValueError)
        ├── TargetError         a target cannot be found or cannot be wrapped
        ├── CompileError        an expression names what the target's signature does not have
        ├── MissingPackageError a package that measuring takes is not installed
        ├── ExporterError       the exporter cannot start or answer
        └── LaunchError         the program that `ancestry-obs run` is to run cannot be found

They reach whoever installs, checks or configures. A program that is already instrumented never sees
one: what fails there becomes a state, a count and a log line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ancestry_obs.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "CompileError",
    "ExporterError",
    "ExpressionError",
    "Finding",
    "LaunchError",
    "MapError",
    "MissingPackageError",
    "ObservabilityError",
    "SettingsError",
    "TargetError",
    "Where",
]


_LONGEST_LINE = 1200


class Where:
    """A place in a map.

    Args:
        source: The map's file as it was named, or ``<mapping>`` for a Python mapping.
        line: The line in the file, from 1; `None` where the source has no lines. Or what finds it,
            once somebody asks: nobody does where a map has no mistakes.
        key: The path of keys, such as ``instrument[0].record[1].metric``; empty for the whole map.
    """

    __slots__ = ("_line", "key", "source")

    def __init__(self, source: str, line: int | Callable[[], int | None] | None, key: str) -> None:
        self.source = source
        self._line = line
        self.key = key

    @property
    def line(self) -> int | None:
        """The line, found by now."""
        if callable(self._line):
            self._line = self._line()
        return self._line

    def __eq__(self, other: object) -> bool:
        """Whether two places are one."""
        return isinstance(other, Where) and self._place == other._place

    def __hash__(self) -> int:
        """Agree with the equality."""
        return hash((self.source, self.key))

    def __reduce__(self) -> tuple[type[Where], tuple[str, int | None, str]]:
        """Let a map travel to another process, with its lines found."""
        return Where, self._place

    def __repr__(self) -> str:
        """Write it as it can be made."""
        return f"Where({self.source!r}, {self.line!r}, {self.key!r})"

    def __str__(self) -> str:
        """Write it as an editor takes it."""
        return f"{self.file_and_line}: {self.key}" if self.key else self.file_and_line

    @property
    def file_and_line(self) -> str:
        """The place without the key."""
        return self.source if self.line is None else f"{self.source}:{self.line}"

    @property
    def _place(self) -> tuple[str, int | None, str]:
        return self.source, self.line, self.key


@frozen()
class Finding:
    """One mistake in a map.

    Args:
        message: What was found and what is wrong about it.
        where: The place.
        remedy: What is allowed instead, or the nearest name; empty if the message says it all.

    Example:
        >>> print(Finding("unknown key 'tpye'", Where("my.toml", 3, "metrics.a"), "write 'type'"))
        my.toml:3: metrics.a: unknown key 'tpye'; write 'type'
    """

    message: str
    where: Where
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}"
        return _readable(f"{text}; {self.remedy}" if self.remedy else text)


def _readable(line: str) -> str:
    """Make one line of a text: no control characters, and no middle that nobody would read."""
    if len(line) > _LONGEST_LINE:
        # The place stands at the beginning and the remedy at the end.
        part = _LONGEST_LINE // 2
        line = f"{line[:part]} ... {line[-part:]}"
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


class ObservabilityError(Exception):
    """The base of every error that the toolkit raises by itself."""


class SettingsError(ObservabilityError, ValueError):
    """A setting has a value that is not allowed; the message names variable, value and rule."""


class MapError(ObservabilityError, ValueError):
    """A map has mistakes.

    Args:
        findings: Every mistake that was found, in the map's order; the message has one line each.

    Attributes:
        findings: The same, as a tuple.
    """

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings: tuple[Finding, ...] = tuple(findings)
        super().__init__(self.findings)

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings))


class ExpressionError(ObservabilityError, ValueError):
    """A label expression is not in the grammar, or names something unknown.

    Args:
        message: What is wrong, with the remedy.
        source: The whole expression.
        column: Where in it, in characters from 1.
    """

    def __init__(self, message: str, source: str, column: int = 1) -> None:
        super().__init__(message, source, column)
        self.message = message
        self.source = source
        self.column = column

    def __str__(self) -> str:
        return f"{self.message} (in {self.source!r}, column {self.column})"


class TargetError(ObservabilityError):
    """A target cannot be found, or is of a kind that cannot be wrapped."""


class CompileError(ObservabilityError):
    """What the map asks for cannot be woven into a target."""


class MissingPackageError(ObservabilityError):
    """A package that measuring takes is not installed."""


class ExporterError(ObservabilityError):
    """The exporter cannot start or cannot do what it was asked for."""


class LaunchError(ObservabilityError):
    """The program that the launcher is to run cannot be found or has no Python source."""
