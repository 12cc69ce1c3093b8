"""URLs and paths go in, endpoint templates without ids or personal data come out.

    https://user:secret@host/app-api/express/v2/conversations/8841/messages?limit=5
    /app-api/express/v2/conversations/:id/messages

A path segment is kept only if it looks like a word that a programmer chose; everything else becomes
``:id``. That way round, an id in a form that nobody thought of is hidden rather than shown. What
this cannot see is a plain word that is a person's name: a service with names in its paths needs a
label function of its own.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["endpoint"]

_LONGEST: Final = 200
# Each segment that is looked at is two characters of the template, or is empty.
_MOST_SEGMENTS: Final = 200
# What is remembered, in number and in characters: a megabyte of ASCII at the most.
_KNOWN_URLS: Final = 1024
_KNOWN_WORDS: Final = 1024
_LONGEST_KNOWN_URL: Final = 512
_LONGEST_KNOWN_WORD: Final = 64

_SCHEME_AND_HOST: Final = r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//[^/]*"

# Words in lower case, camelCase or UPPER case. Lengths and shape keep out random letters, such as
# a base64 token's; two-letter words in the middle are listed, since random letters have many.
_LETTERS: Final = (
    r"(?>[A-Z]{0,6}[a-z]{1,24}(?:[A-Z]{1,6}[a-z]{2,24}|As|At|By|Id|In|Is|My|Of|On|Or|To|Up){0,6}"
    r"[A-Z]{0,5}|[A-Z]{1,16})"
)
# One word of a segment may have up to two digits: v2, p13n, oauth2.
_WORDS: Final = (
    rf"[_.-]{{0,2}}{_LETTERS}(?:[_.-]{{1,2}}{_LETTERS}){{0,6}}"
    rf"(?:[0-9]{{1,2}}[a-z]{{0,8}}(?:[_.-]{{1,2}}{_LETTERS}){{0,6}})?_{{0,2}}"
)
_HEXADECIMAL: Final = r"[0-9A-Fa-f]{8}"


class _Templates(dict[str, str]):
    """The templates of URLs; a URL that is known costs one look-up in C."""

    def __missing__(self, url: str) -> str:
        path = url
        if "?" in path or "#" in path:
            path = path.partition("?")[0].partition("#")[0]
        # What nobody has seen yet most often ends in a number below a path that is known: whatever
        # the number is, the template is the same.
        above, template = "", None
        if path[-1:].isdigit():
            above, _, last = path.rpartition("/")
            if last[0].isdigit():
                template = _numbered.get(above)
            else:
                above = ""
        if template is None:
            rest = path
            if "//" in rest:
                # The scheme that nearly all URLs have, without a call.
                begin = rest.find("/", 8) if rest.startswith("https://") else -1
                rest = rest[begin:] if begin > 0 else _without_origin(rest)
            # No word begins with a digit, and nearly all ids do.
            segments = [
                _words.get(part) or ("/:id" if part[0].isdigit() else _segment(part))
                for part in rest.split("/", _MOST_SEGMENTS)
                if part
            ]
            template = "".join(segments) or "/"
            if len(template) > _LONGEST:
                template = template[:_LONGEST].rpartition("/")[0] + "/:rest"
            elif above and template.find(":id") == len(template) - 3 and type(url) is str:
                _remember_numbered(above, template)
        # A text of another class may have anything as its attributes, which would be kept too.
        if len(url) <= _LONGEST_KNOWN_URL and type(url) is str:
            if len(self) >= _KNOWN_URLS:
                self.clear()
            self[url] = template
        return template


# Remembered on their own, with the slash before them: ids differ from call to call, the words
# around them do not.
_words: Final[dict[str, str]] = {}
# The templates of numbers, by what is above them, if that has no id itself.
_numbered: Final[dict[str, str]] = {}


def _remember_numbered(above: str, template: str) -> None:
    if len(above) <= _LONGEST_KNOWN_URL:
        if len(_numbered) >= _KNOWN_WORDS:
            _numbered.clear()
        _numbered[above] = template


def _without_origin(path: str) -> str:
    begin = 8 if path.startswith("https://") else 7 if path.startswith("http://") else 0
    if begin:
        return path[end:] if (end := path.find("/", begin)) >= 0 else ""
    origin = _compiled(_SCHEME_AND_HOST).match(path)
    return path[origin.end() :] if origin else path


# At the first URL that needs it: most maps have none, and every start would pay for it.
@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _segment(part: str) -> str:
    if not _compiled(_WORDS).fullmatch(part) or _compiled(_HEXADECIMAL).search(part):
        return "/:id"
    word = f"/{part}"
    if len(part) <= _LONGEST_KNOWN_WORD:
        if len(_words) >= _KNOWN_WORDS:
            _words.clear()
        _words[part] = word
    return word


endpoint: Final[Callable[[str], str]] = _Templates().__getitem__
"""Reduce a URL to the template of its endpoint.

Args:
    url: A full URL or a path, with or without a leading slash.

Returns:
    The path with a leading slash: no scheme, user, host, query or fragment, no empty segments, and
    ``:id`` for each segment that is a number, uuid, date, token, e-mail address, percent-encoded
    text or anything else that is no plain word. At most 200 characters and ``/:rest``.

Raises:
    TypeError, AttributeError: It is no text.

Example:
    >>> endpoint("https://example.org/api/v2/samples/0B1C2D3E-0006/matches?page=2")
    '/api/v2/samples/:id/matches'
"""
