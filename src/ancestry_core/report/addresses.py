"""Shorten the addresses in a text, for a person who reads it on a terminal.

In: a line of the log. Out: the same with each URL reduced to the end of its path, and with long
ids reduced to their beginning. Paths of files stay: a person needs them whole.
"""

from __future__ import annotations

import re

_URL = re.compile(r"https?://[^/\s]+(?P<path>[^\s:;,]*)")
_UUID = re.compile(r"\b([0-9a-fA-F]{8})-[0-9a-fA-F]{4}-[0-9a-fA-F-]{22}\b")
_KEPT_PARTS = 2


def shortened(text: str) -> str:
    """Shorten the addresses in a text.

    Args:
        text: Such as a line of the log.

    Returns:
        The same, with addresses that are shorter.

    Example:
        >>> shortened("not read: GET http://127.0.0.1:8080/api/v2/profiles/details: 404")
        'not read: GET .../profiles/details: 404'
    """
    return _UUID.sub(r"\1", _URL.sub(_end_of_path, text))


def _end_of_path(address: re.Match[str]) -> str:
    path = address["path"]
    parts = path.strip("/").split("/")
    if not path.strip("/"):
        return address[0]
    if len(parts) <= _KEPT_PARTS:
        return path
    return ".../" + "/".join(parts[-_KEPT_PARTS:])
