"""Reads the text of a file that people write; what has no end, as a device, is refused."""

from __future__ import annotations

import errno
from typing import IO, TYPE_CHECKING, AnyStr, Final

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_stream", "read_text"]

_MOST: Final = 16 * 1024 * 1024
"""Characters; the largest maps there are have some hundred thousand."""


def read_text(path: Path) -> str:
    """Give the text of a file, without the byte order mark that editors on Windows begin it with.

    Raises:
        OSError: It cannot be read, or has more than 16 million characters, as a device has.
        UnicodeDecodeError: It is not UTF-8.
        ValueError: There cannot be a file of this name.
    """
    with path.open(encoding="utf-8-sig") as file:
        return read_stream(file)


def read_stream(file: IO[AnyStr]) -> AnyStr:
    """Give what an open file has, up to its end.

    Raises:
        OSError: It cannot be read, or has more than 16 million characters or bytes.
        UnicodeDecodeError: It is text, and not in the file's encoding.
    """
    text = file.read(_MOST + 1)
    if len(text) > _MOST:
        raise OSError(errno.EFBIG, "it has more than 16 million characters; is it a map?")
    return text
