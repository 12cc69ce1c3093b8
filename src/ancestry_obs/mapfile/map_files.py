"""The name of a map goes in, its file and its checked tables come out; or one line why not."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.exceptions import Finding, MapError, Where
from ancestry_obs.frozen import define, field
from ancestry_obs.mapfile.language import MAP
from ancestry_obs.mapfile.map_text import read_stream
from ancestry_obs.mapfile.report import Report, allowed_names
from ancestry_obs.mapfile.toml_lines import parse_toml, syntax_error_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ancestry_obs.mapfile.specs import FileStamp

__all__ = [
    "PACK",
    "PACKS_FOLDER",
    "MapFile",
    "is_pack",
    "missing",
    "pack_path",
    "packs_there_are",
    "read_file",
    "require_packs",
    "resolve_map",
    "stamp_of",
    "stamps_of",
]

SHIPPED: Final = Path(__file__).parent.parent / "maps"
PACKS_FOLDER: Final = SHIPPED / "packs"
PACK: Final = "pack:"
"""What the name of a pack begins with, where a map's file may stand as well."""


@define(eq=False, slots=False)
class MapFile:
    """One file of a map.

    Args:
        tables: What is usable of it.
        report: Takes its mistakes, and knows its lines.
        path: Where it is; None for a mapping, and for what standard input has.
        stamp: Its time, size and number on the disk; see `stamp_of`.
        below: All files that it takes in, those of these included.
    """

    tables: dict[str, Any]
    report: Report
    path: Path | None = None
    stamp: tuple[int, int, int] = (0, 0, 0)
    below: set[MapFile] = field(default_factory=set)

    @classmethod
    def of_data(cls, data: Mapping[str, Any], source: str) -> MapFile:
        """Make one of a mapping."""
        report = Report(source)
        return cls(MAP.check(data, (), report), report)

    @classmethod
    def of_text(
        cls,
        text: str,
        source: str,
        path: Path | None = None,
        findings: list[Finding] | None = None,
    ) -> MapFile:
        """Make one of a TOML document.

        Args:
            text: The document.
            source: What to call it.
            path: Where it is.
            findings: Those of the files that are read together with it.

        Raises:
            MapError: It is no TOML.
        """
        try:
            data, lines = parse_toml(text)
        except tomllib.TOMLDecodeError as error:
            line = syntax_error_line(error, text)
            raise MapError([Finding(f"not TOML: {error}", Where(source, line, ""))]) from None
        report = Report(source, lines, findings)
        return cls(MAP.check(data, (), report), report, path)


def read_file(path: Path, source: str, findings: list[Finding] | None = None) -> MapFile:
    """Read one file of a map.

    Args:
        path: Where it is.
        source: What to call it.
        findings: Those of the files that are read together with it.

    Raises:
        MapError: It cannot be read, and the finding has no line; or it is no TOML.
    """
    try:
        with path.open(encoding="utf-8-sig") as opened:
            stamp = stamp_of(os.fstat(opened.fileno()))
            text = read_stream(opened)
    except FileNotFoundError:
        raise _unreadable(source, *missing(source)) from None
    except UnicodeDecodeError as error:
        raise _unreadable(source, f"not UTF-8 text ({error})", "save it as UTF-8") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _unreadable(source, f"cannot be read: {reason}", "name a readable file") from None
    except ValueError as error:  # a null byte in the name
        raise _unreadable(source, f"cannot be read: {error}", "name a readable file") from None
    file = MapFile.of_text(text, source, path, findings)
    file.stamp = stamp
    return file


def stamp_of(status: os.stat_result) -> tuple[int, int, int]:
    """Give what differs when another text is in a file."""
    return status.st_mtime_ns, status.st_size, status.st_ino


def stamps_of(files: Iterable[MapFile]) -> tuple[FileStamp, ...]:
    """Give the files of a map as they were when they were read."""
    return tuple((str(file.path.absolute()), file.stamp) for file in files if file.path)


def _unreadable(source: str, message: str, remedy: str) -> MapError:
    return MapError([Finding(message, Where(source, None, ""), remedy)])


def missing(name: str) -> tuple[str, str]:
    """Say that there is no such map, and which ones there are.

    Args:
        name: A file or ``pack:NAME``.

    Returns:
        What is wrong, and the remedy.
    """
    if name.startswith(PACK):
        pack = name.removeprefix(PACK)
        return f"there is no pack {pack!r}", allowed_names(pack, packs_there_are())
    hint = f"did you mean {PACK + name!r}? " if name in packs_there_are() else ""
    return "no such file", f"{hint}maps that ship: {', '.join(_maps_in(SHIPPED)) or 'none'}"


def resolve_map(name_or_path: str | Path) -> Path:
    """Find a map's file.

    Args:
        name_or_path: A path; or ``pack:NAME``; or the bare name of a map that ships with the
            package, with or without ``.toml``, if there is no such file here.

    Returns:
        The path, which need not exist.

    Example:
        >>> resolve_map("ancestry").name
        'ancestry.toml'
    """
    if str(name_or_path).startswith(PACK):
        return pack_path(str(name_or_path).removeprefix(PACK)) or Path(name_or_path)
    path = Path(name_or_path)
    if path.name != str(path) or path.exists():
        return path
    shipped = SHIPPED / (path.name if path.suffix else f"{path.name}.toml")
    return shipped if shipped.exists() else path


def pack_path(name: str) -> Path | None:
    """Find the file of a pack, if there is one of this name."""
    return PACKS_FOLDER / f"{name}.toml" if name in packs_there_are() else None


def require_packs(names: Iterable[str]) -> None:
    """Refuse packs that there are not.

    Args:
        names: Each as ``pack:NAME``.

    Raises:
        MapError: There is no such pack.
    """
    for name in names:
        if pack_path(name.removeprefix(PACK)) is None:
            raise _unreadable(name, *missing(name))


def is_pack(path: str) -> bool:
    """Tell whether a file is one of the packs that ship."""
    return Path(path).parent == PACKS_FOLDER


def packs_there_are() -> list[str]:
    """Name the packs that ship."""
    return [Path(each).stem for each in _maps_in(PACKS_FOLDER)]


def _maps_in(folder: Path) -> list[str]:
    # With a dot in its stem it goes with a map, and is none itself.
    return sorted(file.name for file in folder.glob("*.toml") if "." not in file.stem)
