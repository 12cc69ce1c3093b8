"""Tables of modules, kept from one run to the next in the user's cache folder.

A file for each top-level package has the tables of its modules, each with what the file system
told of its source. What does not fit any more is read anew; a cache that cannot be read or written
is as good as none. Nothing in it is run: it is data of `marshal`.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.checking.symbols import Table, read_source, table_of

if TYPE_CHECKING:
    from ancestry_obs.checking.modules import ModuleFile

__all__ = ["FORM", "TableCache", "clear", "stamp_of"]

FORM: Final = 3
"""To be changed with what is kept."""

# Of packages that nobody checks any more, the oldest give way.
_MOST_FILES: Final = 300

_Stamp = tuple[int, int, int]
_Kept = dict[str, tuple[_Stamp, bytes]]


@dataclass
class TableCache:
    """Gives tables, new ones where a file has changed.

    Args:
        folder: Where to keep them; `None` to keep none.
    """

    folder: Path | None
    _groups: dict[str, _Kept] = field(default_factory=dict)
    _changed: set[str] = field(default_factory=set)

    def table(self, file: ModuleFile) -> Table:
        """Give a module's table.

        Raises:
            OSError: Its source cannot be read.
            SyntaxError: Its source is no Python.
            ValueError: Its source is no text.
            RecursionError: Its source is nested too deeply.
        """
        stamp = stamp_of(os.stat(file.path))  # noqa: PTH116 - many of them
        group = self._group_of(file)
        kept = self._groups[group]
        known = kept.get(file.path)
        if known is not None and known[0] == stamp:
            # What was cut off on its way to the disk is read anew.
            with suppress(EOFError, ValueError, TypeError):
                return Table(*marshal.loads(known[1]))  # noqa: S302 - our own, and data
        with open(file.path, "rb") as source:  # noqa: PTH123 - many of them
            table = table_of(read_source(source.read()))
        kept[file.path] = stamp, marshal.dumps(tuple(table))
        self._changed.add(group)
        return table

    def save(self) -> None:
        """Write what is new."""
        if self.folder is None or not self._changed:
            return
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for group in self._changed:
                self._write(self.folder / group, self._groups[group])
            clear(self.folder)
        self._changed.clear()

    def _group_of(self, file: ModuleFile) -> str:
        top = file.name.partition(".")[0]
        key = f"{FORM} {sys.version_info[:2]} {sys.implementation.name} {file.root} {top}"
        group = hashlib.sha256(key.encode(errors="replace")).hexdigest()[:32]
        if group not in self._groups:
            self._groups[group] = self._load(group)
        return group

    def _load(self, group: str) -> _Kept:
        if self.folder is None:
            return {}
        try:
            kept: Any = marshal.loads((self.folder / group).read_bytes())  # noqa: S302 - our own
        except (OSError, EOFError, ValueError, TypeError):
            return {}
        return kept if isinstance(kept, dict) else {}

    @staticmethod
    def _write(path: Path, kept: _Kept) -> None:
        there = {name: each for name, each in kept.items() if os.path.exists(name)}  # noqa: PTH110
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(marshal.dumps(there))
            Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)


def stamp_of(about: os.stat_result) -> _Stamp:
    """Tell a file from what it was.

    Copies and archives keep the time of the content; that of the last change is the system's own.
    """
    return about.st_mtime_ns, about.st_ctime_ns, about.st_size


def clear(folder: Path) -> None:
    """Remove the oldest files of a folder where there are too many."""
    files = sorted(folder.iterdir(), key=lambda each: each.stat().st_mtime)
    for each in files[: max(len(files) - _MOST_FILES, 0)]:
        each.unlink(missing_ok=True)
