"""A map's file that includes others goes in, all files that it comes to are read.

Each is taken once, by whatever ways it is reached. What it says counts for nothing here.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ancestry_obs.exceptions import MapError
from ancestry_obs.mapfile.map_files import PACK, missing, pack_path, packs_there_are, read_file
from ancestry_obs.mapfile.report import nearest_name

if TYPE_CHECKING:
    from ancestry_obs.mapfile.map_files import MapFile

__all__ = ["files_of"]

_DEEPEST: Final = 20
"""How many files may stand in each other."""


def files_of(root: MapFile) -> list[MapFile]:
    """Read all files of a map.

    Args:
        root: Its own; mistakes of the others go to the same findings.

    Returns:
        The files, each after those that it includes.

    Raises:
        MapError: One cannot be read. What its metrics are is not known then, so that more mistakes
            would be found than there are.
    """
    reading = _Reading(root)
    reading.take(root)
    if not reading.is_whole:
        raise MapError(root.report.findings)
    return reading.complete


class _Reading:
    def __init__(self, root: MapFile) -> None:
        self.complete: list[MapFile] = []
        self.is_whole = True
        self._findings = root.report.findings
        self._known: dict[str, MapFile | None] = {}
        self._open: dict[str, str] = {}
        if root.path is not None:
            self._open[os.path.realpath(root.path)] = root.report.source

    def take(self, file: MapFile) -> None:
        """Read what a file includes, and what that includes, before the file itself."""
        for index, name in enumerate(file.tables.get("include") or ()):
            try:
                inner = None if name is None else self._included(name, file)
            except _RefusedError as error:
                self.is_whole = False
                message, remedy = error.args
                file.report.add(("include", index), message, remedy)
            else:
                file.below |= {inner, *inner.below} if inner else set()
        self.complete.append(file)

    def _included(self, name: str, by: MapFile) -> MapFile | None:
        path, source = _meant(name, by)
        try:
            key = os.path.realpath(path)
            mode = path.stat().st_mode
        except ValueError:  # a null byte
            raise _RefusedError(f"{name!r} can be no file's name", "name a map's file") from None
        except (FileNotFoundError, NotADirectoryError):
            raise _RefusedError(*_not_there(name, path, by)) from None
        except OSError as error:  # too long a name, a folder that is not to be looked into
            message = f"{name!r}: cannot be read: {error.strerror}"
            raise _RefusedError(message, "name a readable file") from None
        if stat.S_ISFIFO(mode):
            # To open one waits until somebody writes to it, and a reload would read it again.
            raise _RefusedError(f"{name!r} is a pipe", "name a file")
        if key in self._open:
            raise _RefusedError(*self._circle(key, name))
        if key not in self._known:
            if len(self._open) > _DEEPEST:
                message = f"{name!r} stands in more than {_DEEPEST} files that include each other"
                raise _RefusedError(message, "include it further up")
            self._known[key] = None
            self._open[key] = source
            try:
                self._known[key] = self._read(name, path, source)
            finally:
                del self._open[key]
        return self._known[key]

    def _read(self, name: str, path: Path, source: str) -> MapFile | None:
        try:
            file = read_file(path, source, self._findings)
        except MapError as error:
            (finding,) = error.findings
            if finding.where.line is None:
                # It could not be read at all, so that the line is the one that names it.
                raise _RefusedError(f"{name!r}: {finding.message}", finding.remedy) from None
            self.is_whole = False
            self._findings.append(finding)
            return None
        self.take(file)
        return file

    def _circle(self, key: str, name: str) -> tuple[str, str]:
        way = list(self._open)
        around = [self._open[each] for each in way[way.index(key) :]]
        if len(around) == 1:
            return f"{name!r} is this file itself", "take it out"
        round_trip = " -> ".join([*around, around[0]])
        return f"{name!r} includes this file, too ({round_trip})", "take one of the two out"


class _RefusedError(Exception):
    """An included file cannot be taken: what is wrong, and the remedy."""


def _meant(name: str, by: MapFile) -> tuple[Path, str]:
    """Give the path that an included name means, and what to call the file."""
    if name.startswith(PACK):
        pack = name.removeprefix(PACK)
        return pack_path(pack) or Path(name), name
    if by.path is None:
        return Path(name), name
    path = by.path.parent / name
    return path, str(path)


def _not_there(name: str, path: Path, by: MapFile) -> tuple[str, str]:
    if name.startswith(PACK):
        return missing(name)
    meant = _nearest(name, path, by)
    remedy = f"did you mean {meant!r}?" if meant else "name a map's file, by its path from this one"
    return f"there is no file {name!r}", remedy


def _nearest(name: str, path: Path, by: MapFile) -> str | None:
    """Give what may be meant: a pack of that name, or a file in the folder that is named."""
    if name in packs_there_are():
        return f"{PACK}{name}"
    # A link that leads nowhere is listed there, too.
    beside = [each for each in path.parent.glob("*.toml") if each.exists() and each != by.path]
    nearest = nearest_name(path.stem, [each.stem for each in beside])
    return nearest and str(Path(name).with_name(f"{nearest}.toml"))
