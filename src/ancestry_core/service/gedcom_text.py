"""The bytes of a GEDCOM file as text that a strict parser takes.

In: bytes in any encoding that genealogy programs have written, with whatever happened to them
since. Out: well-nested lines in UTF-8 without the header's claim about the encoding, and warnings
about what was found. The meaning of the lines is of no interest here.

The line grammar and the encodings are those of the GEDCOM 5.5.1 standard, chapters 1 and 3, and
what programs write instead.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from unicodedata import normalize

import ged4py  # noqa: F401 - registers the "gedcom" codec, which is ANSEL

if TYPE_CHECKING:
    from collections.abc import Iterator

_CODECS = {
    "ansel": "gedcom",
    "ansi": "cp1252",
    "ascii": "ascii",
    "ibmpc": "cp437",
    "latin1": "cp1252",
    "macintosh": "mac-roman",
    "msdos": "cp850",
    "unicode": "utf-8",  # without the marks of UTF-16 it can only be this
    "windows": "cp1252",
}
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARATION = re.compile(rb"^\s*1[ \t]+CHAR[ \t]+([^\r\n]+)", re.MULTILINE)
_HEADER_BYTES = 20_000
_LINE_ENDS = re.compile(r"\r\n?|\n")
_LINE = re.compile(r"(\d{1,2}) *(?:@[A-Za-z0-9-][^@]*@)? *([A-Za-z0-9_-]+)(?: .*)?")


@dataclass(slots=True)
class CleanGedcom:
    """Lines that a strict parser takes.

    Args:
        data: The lines, in UTF-8.
        warnings: What was not right, a line each.
    """

    data: bytes
    warnings: list[str] = field(default_factory=list)


def clean_gedcom(raw: bytes) -> CleanGedcom:
    r"""Decode a GEDCOM file and leave out the lines that no parser could place.

    Args:
        raw: The file's bytes.

    Returns:
        The lines that are left, and what was wrong.

    Example:
        >>> clean_gedcom(b"0 HEAD\n1 CHAR ANSI\n0 TRLR").data
        b'0 HEAD\n0 TRLR\n'
    """
    text, warnings = _decode(raw)
    result = CleanGedcom(b"", warnings)
    lines = list(_placeable_lines(text, result.warnings))
    if not lines or lines[-1] != "0 TRLR":
        result.warnings.append("the end is missing (no TRLR line); read as far as it goes")
        lines.append("0 TRLR")
    # ANSEL writes an accent as a mark of its own; a name is to be the same from any encoding.
    result.data = normalize("NFC", "".join(f"{line}\n" for line in lines)).encode()
    return result


def _decode(raw: bytes) -> tuple[str, list[str]]:
    for mark, codec in _BYTE_ORDER_MARKS:
        if raw.startswith(mark):
            return raw[len(mark) :].decode(codec, "replace"), []
    if raw[:4].count(0) > 1:  # "0 " with two bytes a character and no mark
        codec = "utf-16-be" if raw[:1] == b"\0" else "utf-16-le"
        return raw.decode(codec, "replace"), []
    declared = _DECLARATION.search(raw, 0, _HEADER_BYTES)
    name = declared.group(1).decode("ascii", "replace").strip() if declared else "ANSEL"
    return _decode_declared(raw, name)


def _decode_declared(raw: bytes, name: str) -> tuple[str, list[str]]:
    """Decode what has no byte order mark, with doubts about what the header says."""
    codec = _codec_for(name)
    # Hardly any text in another encoding happens to be valid UTF-8, and programs that write UTF-8
    # under an older name are common: so UTF-8 is believed before the header is.
    for candidate in ("utf-8", codec):
        try:
            text = _decode_lines(raw, candidate)
        except UnicodeDecodeError:
            continue
        return text, _doubts(raw, name, codec, candidate)
    return raw.decode("cp1252", "replace"), [
        f"the text is not in {name} as the header says; read as Windows-1252"
    ]


def _codec_for(name: str) -> str | None:
    key = re.sub(r"[^a-z0-9]", "", name.lower())
    try:
        return codecs.lookup(_CODECS.get(key, name)).name
    except LookupError:
        return None


def _decode_lines(raw: bytes, codec: str | None) -> str:
    if codec is None:
        raise UnicodeDecodeError("unknown", raw, 0, 1, "no such encoding")
    if raw.isascii():  # the ANSEL codec is slow, and most files need no codec at all
        return raw.decode("ascii")
    return b"\n".join(raw.splitlines()).decode(codec)


def _doubts(raw: bytes, name: str, declared: str | None, used: str | None) -> list[str]:
    if raw.isascii() or used == declared:
        return []
    return [f"the header says {name}, but the text is UTF-8; read as that"]


def _placeable_lines(text: str, warnings: list[str]) -> Iterator[str]:
    """Yield the lines that follow the grammar and whose level fits the line before."""
    level, tag = -1, ""
    unplaceable: list[int] = []
    for number, raw_line in enumerate(_LINE_ENDS.split(text), start=1):
        line = raw_line.strip("\ufeff\0 \t")
        if not line or re.match(r"1 +CHAR\b", line):
            continue
        match = _LINE.fullmatch(line)
        if match is None or not _fits(int(match[1]), match[2], level, tag):
            unplaceable.append(number)
            continue
        level, tag = int(match[1]), match[2]
        yield line
    if unplaceable:
        warnings.append(
            f"{len(unplaceable)} line(s) are no GEDCOM, the first is line {unplaceable[0]}; "
            "left out"
        )


def _fits(level: int, tag: str, level_before: int, tag_before: str) -> bool:
    continuations = {"CONT", "CONC"}
    if tag in continuations:
        return level == level_before + (tag_before not in continuations)
    return level <= level_before + 1
