"""Text comes in, text of exactly so many columns of a terminal goes out."""

from __future__ import annotations

import unicodedata
from typing import Final

__all__ = ["columns_of", "fitted", "printable"]

# Two columns each (Unicode Standard Annex #11, "East Asian Width").
_WIDE: Final = frozenset("WF")
# No column of their own: they join what stands before them.
_JOINED: Final = frozenset({"Mn", "Me"})
# What would move the cursor, turn the direction of the text, or be no text at all.
_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_CUT: Final = "…"


def printable(text: str) -> str:
    """Give a text with a question mark for each character that a terminal might obey."""
    if text.isascii() and text.isprintable():
        return text
    return "".join("?" if unicodedata.category(c) in _UNPRINTABLE else c for c in text)


def columns_of(text: str) -> int:
    """Give how many columns a printable text takes.

    Example:
        >>> columns_of("añ"), columns_of("価格")
        (2, 4)
    """
    return len(text) if text.isascii() else sum(map(_columns, text))


def fitted(text: str, width: int, *, keep_end: bool = False) -> str:
    """Cut or fill up a text.

    Args:
        text: Whatever a label may be.
        width: How many columns it is to take.
        keep_end: Whether its beginning is cut off, and not its end.

    Example:
        >>> fitted("shop:charge", 6), fitted("shop:charge", 6, keep_end=True), fitted("a", 2)
        ('shop:…', '…harge', 'a ')
    """
    shown = printable(text)
    missing = width - columns_of(shown)
    if missing >= 0:
        return shown + " " * missing
    if width <= 0:
        return ""
    return _last(shown, width) if keep_end else _first(shown, width)


def _first(text: str, width: int) -> str:
    kept, left = "", width - 1
    for character in text:
        left -= _columns(character)
        if left < 0:
            break
        kept += character
    return _filled(kept + _CUT, width)


def _last(text: str, width: int) -> str:
    kept, left = "", width - 1
    for character in reversed(text):
        if _columns(character) > left:
            break
        left -= _columns(character)
        kept = character + kept
    # What joins a character that is cut off would join the mark.
    while kept and not _columns(kept[0]):
        kept = kept[1:]
    return _filled(_CUT + kept, width)


def _filled(text: str, width: int) -> str:
    return text + " " * (width - columns_of(text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in _JOINED:
        return 0
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1
