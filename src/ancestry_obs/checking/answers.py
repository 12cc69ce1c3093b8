"""A map that was checked before, with a program that has not changed since -> the same answer.

An answer is kept with all that it was made of: what the file system tells of each source that was
read, and the modules of each folder in which a name was looked up, so that a new one is seen as
well. What depends on more than files (the history of a target that is gone) is not kept.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES
from pathlib import Path
from stat import S_ISDIR
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from ancestry_obs.checking.tables import FORM, clear, stamp_of
from ancestry_obs.expressions import Expression

if TYPE_CHECKING:
    from ancestry_obs.checking.program import Program
    from ancestry_obs.mapfile import MapSpec

__all__ = ["AnswerCache"]

_Stamp = tuple[int, ...]
_NOTHING: Final[_Stamp] = ()
_SUFFIXES: Final = (".py", *EXTENSION_SUFFIXES, *BYTECODE_SUFFIXES)


@dataclass(frozen=True, slots=True)
class AnswerCache:
    """Keeps answers.

    Args:
        folder: Where to keep them; `None` to keep none.
    """

    folder: Path | None

    def get(self, spec: MapSpec, program: Program) -> Any | None:  # noqa: ANN401 - what was put
        """Give the answer for a map, if all that it was made of is as it was."""
        if self.folder is None:
            return None
        try:
            stamps, answer = marshal.loads((self.folder / _name(spec, program)).read_bytes())  # noqa: S302 - our own, and data
            is_same = all(_stamp(path) == stamp for path, stamp in stamps.items())
        except (OSError, EOFError, ValueError, TypeError, AttributeError):
            return None
        return answer if is_same else None

    def put(self, spec: MapSpec, program: Program, answer: Any) -> None:  # noqa: ANN401 - plain data
        """Keep an answer, of which `marshal` knows every part."""
        if self.folder is None:
            return
        stamps = {path: _stamp(path) for path in program.looked_at}
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, temporary = tempfile.mkstemp(dir=self.folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(marshal.dumps((stamps, answer)))
                Path(temporary).replace(self.folder / _name(spec, program))
            finally:
                Path(temporary).unlink(missing_ok=True)
            clear(self.folder)


def _name(spec: MapSpec, program: Program) -> str:
    parts = FORM, sys.version, program.finder.path, _plain(spec)
    return hashlib.sha256(repr(parts).encode(errors="replace")).hexdigest()[:32]


def _plain(part: object) -> object:
    """Give what a map says, and where; an expression is its text."""
    if isinstance(part, Expression):
        return part.source
    if isinstance(part, tuple):
        return [*map(_plain, part)]
    if is_dataclass(part):
        return [_plain(getattr(part, each.name)) for each in fields(part)]
    return str(part)


def _stamp(path: str) -> _Stamp:
    """Tell of a file when it was written, and of a folder what may be modules in it."""
    try:
        about = os.stat(path)  # noqa: PTH116 - many of them
        if not S_ISDIR(about.st_mode):
            return stamp_of(about)
        names = os.listdir(path)  # noqa: PTH208 - names alone are wanted
    except OSError:
        return _NOTHING
    modules = sorted(each for each in names if "." not in each or each.endswith(_SUFFIXES))
    return crc32("/".join(modules).encode(errors="replace")), len(modules)
