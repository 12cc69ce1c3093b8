"""A code object comes in, the text that it was compiled from goes out, if it can be had.

Whether the text is the right one is not known here; the weaver proves it by compiling it.
"""

from __future__ import annotations

import io
import linecache
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType

__all__ = ["Source", "source_of"]


class Source:
    """The text that some codes come from; it is read when it is needed.

    Args:
        read: Gives the text, or None where there is none.
        module: The code of the whole module, where it is about to be executed.
    """

    def __init__(self, read: Callable[[], str | None], module: CodeType | None = None) -> None:
        self._read = read
        self.module = module

    @cached_property
    def text(self) -> str | None:
        """The text, or None where there is none."""
        return self._read()


def source_of(code: CodeType, namespace: Mapping[str, Any]) -> str | None:
    """Find the source of a function.

    Args:
        code: Its code, which names the file.
        namespace: Its globals, which name the module's loader: for what lies in an archive.

    Returns:
        The text, or None where there is none.
    """
    filename = code.co_filename
    cached = linecache.cache.get(filename)
    # What is in the cache without a time was put there by who made the text, as IPython does.
    if cached is not None and len(cached) > 1 and cached[1] is None:
        return "".join(cached[2])
    try:
        return _read(filename)
    except (OSError, SyntaxError, UnicodeDecodeError, ValueError):
        return _from_loader(namespace)


def _read(filename: str) -> str:
    """Read a file as Python does.

    Raises:
        OSError, SyntaxError, ValueError: It cannot be read.
    """
    with open(filename, "rb") as stream:  # noqa: PTH123  as the code names it
        data = stream.read()
    if b"coding" not in b"".join(data.split(b"\n", 2)[:2]):
        return _translated(data.decode("utf-8-sig"))
    # Which takes a program longer to import than to read its source, and few say an encoding.
    from tokenize import open as open_source  # noqa: PLC0415

    with open_source(filename) as text:
        return text.read()


def _from_loader(namespace: Mapping[str, Any]) -> str | None:
    loader, name = namespace.get("__loader__"), namespace.get("__name__")
    try:
        text = loader.get_source(name)  # type: ignore[union-attr]  # what has none is caught
    except Exception:  # noqa: BLE001 - a foreign loader may raise anything
        return None
    return _translated(text) if text else None


def _translated(text: str) -> str:
    return io.IncrementalNewlineDecoder(None, translate=True).decode(text, final=True)
