"""What one process compiled comes in, for the next one to find it.

An entry's name follows from all that it depends on, so that none is ever out of date; what is no
longer asked for goes when the folder is full. Python's own imports never see any of it. What cannot
be read or written is as good as not there. Where no folder is named it is one in the user's cache
folder, as Python keeps its bytecode without being asked, and it is not spoken of.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import stat
import sys

# What `hashlib` has, without OpenSSL, which takes longer to load than all of this package.
from _blake2 import blake2b
from binascii import crc32
from functools import cache
from importlib.util import MAGIC_NUMBER
from time import time
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.notices import Notices
from ancestry_obs.user_cache import user_cache
from ancestry_obs.variables import NO_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType

__all__ = ["CodeCache", "open_code_cache", "written_out"]

_LOG: Final = Notices()
_MOST_BYTES: Final = 64 * 1024 * 1024
_DIGEST_SIZE: Final = 20
_SUM_SIZE: Final = 4
_LONG: Final = 3600.0
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
# Later formats write one thing that is there twice once, if it happens to be one object.
_PLAIN_FORMAT: Final = 2


def open_code_cache(
    folder: str | None, version: str, *, is_quiet: bool = False
) -> CodeCache | None:
    """Give the cache that a setting asks for, if any can be had.

    Args:
        folder: The setting; `None` for the default folder, which is used as Python's own bytecode
            files are.
        version: The toolkit's.
        is_quiet: Whether nobody is to be told why a folder that was named is not used.
    """
    if folder is not None:
        is_off = folder.strip().lower() in {"", NO_FOLDER}
        cache = None if is_off else CodeCache(folder, version, is_named=not is_quiet)
    else:
        default = None if sys.dont_write_bytecode else user_cache("code")
        cache = None if default is None else CodeCache(default, version, is_named=False)
    return cache if cache is not None and cache.is_open else None


class CodeCache:
    """A folder of values that `marshal` can write, such as code.

    Args:
        folder: Where; it is made if it is not there. Whoever can write to it can run code in this
            program, so that one to which others can write is not used.
        version: The toolkit's.
        most_bytes: What the entries may come to; the oldest ones go first.
        is_named: Whether the user named the folder, and is to be told why it is not used.

    Attributes:
        is_open: Whether the folder is used.
    """

    def __init__(
        self, folder: str, version: str, most_bytes: int = _MOST_BYTES, *, is_named: bool = True
    ) -> None:
        self._say = _LOG.warning if is_named else _LOG.debug
        # Made absolute now: the program may go to another folder.
        self._folder = os.path.join(os.getcwd(), os.path.expanduser(folder))  # noqa: PTH109, PTH111, PTH118 - pathlib costs more
        self._depends_on = f"{version} {_files()} {sys.flags.optimize} ".encode() + MAGIC_NUMBER
        self._most_bytes = most_bytes
        self._has_pruned = False
        self.is_open = self._open()

    def name(self, depends_on: Iterable[bytes]) -> str:
        """Name an entry.

        Args:
            depends_on: What it depends on besides Python and the toolkit.
        """
        parts = [self._depends_on, *depends_on]
        lengths = b" ".join([b"%d" % len(each) for each in parts])
        return blake2b(b"\n".join([lengths, *parts]), digest_size=_DIGEST_SIZE).hexdigest()

    def read(self, name: str) -> Any:  # noqa: ANN401 - whatever was written
        """Give an entry; `None` if there is none that is whole."""
        if not self.is_open:
            return None
        try:
            # Half the time of pathlib's, and a buffer is of no use for what is read at once.
            with open(f"{self._folder}/{name}", "rb", buffering=0) as file:  # noqa: PTH123
                data = file.read()
        except OSError:
            return None
        content = data[_SUM_SIZE:]
        return marshal.loads(content) if data[:_SUM_SIZE] == _sum(content) else None  # noqa: S302 - ours

    def write(self, name: str, value: Any) -> None:  # noqa: ANN401 - whatever marshal takes
        """Keep an entry.

        Args:
            name: Its name.
            value: What it holds.
        """
        if not self.is_open:
            return
        try:
            content = marshal.dumps(value)
        except ValueError:  # code that a tool has made may have any object among its constants
            return
        path = f"{self._folder}/{name}"
        temporary = f"{path}.{os.getpid()}.tmp"
        try:
            if not self._has_pruned:
                self._has_pruned = True
                self._prune()
            with open(temporary, "wb") as file:  # noqa: PTH123 - pathlib costs more
                file.write(_sum(content) + content)
            os.replace(temporary, path)  # noqa: PTH105 - as above
        except OSError as error:
            self.is_open = False
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108 - as above
            reason = error.strerror or str(error)
            self._say("code cache %s is not used any more: %s", self._folder, reason)

    def _open(self) -> bool:
        """Make the folder, and tell once if it cannot be used."""
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)  # noqa: PTH103 - pathlib costs more
            status = os.stat(self._folder)  # noqa: PTH116 - as above
        except OSError as error:
            reason = error.strerror or str(error)
        else:
            if hasattr(os, "getuid") and status.st_uid != os.getuid():
                reason = "it is another user's; name one of your own"
            elif status.st_mode & _OTHERS_WRITE:
                reason = "others can write to it; take that right from them (chmod go-w)"
            else:
                return True
        self._say("code cache %s is not used: %s", self._folder, reason)
        return False

    def _prune(self) -> None:
        """Drop the oldest entries, and what a process left half-written that was killed."""
        entries = []
        with os.scandir(self._folder) as found:
            for each in found:
                with contextlib.suppress(FileNotFoundError):  # another process prunes, too
                    entries.append((each.stat().st_mtime, each.stat().st_size, each.path))
        entries.sort(reverse=True)
        total = 0
        for written, size, path in entries:
            is_left = path.endswith(".tmp") and written < time() - _LONG
            total += size
            if is_left or total > self._most_bytes:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)  # noqa: PTH108 - as above


def written_out(code: CodeType) -> bytes:
    """Write out code with all that is in it: names, bytecode, constants, lines, its file's name.

    Args:
        code: The code. Equal bytes mean equal code.

    Raises:
        ValueError: It has constants that no compiler puts there.
    """
    return marshal.dumps(code, _PLAIN_FORMAT)


@cache
def _files() -> str:
    """Tell this toolkit from another one of the same version, on which somebody works."""
    toolkit = os.path.dirname(__file__)  # noqa: PTH120 - as it is
    files: list[tuple[str, int, int]] = []
    for folder in ("", "/compiler", "/expressions", "/mapfile"):
        with contextlib.suppress(OSError), os.scandir(toolkit + folder) as found:
            for each in found:
                if each.name.endswith(".py"):
                    status = each.stat()
                    files.append((each.name, status.st_mtime_ns, status.st_size))
    return repr(sorted(files))


def _sum(content: bytes) -> bytes:
    # Against a failing disk; that it is the right entry, its name tells.
    return crc32(content).to_bytes(_SUM_SIZE)
