"""A parameter's name -> whether it holds what must not become a label: ids, secrets, free text."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_personal"]

_WORDS: Final = frozenset(
    {"account", "address", "auth", "author", "birth", "body", "card", "client", "comment",
     "content", "cookie", "credential", "credentials", "customer", "data", "description",
     "digest", "email", "filename", "first", "firstname", "folder", "guid", "hash", "host",
     "iban", "id", "identifier", "ids", "ip", "key", "keys", "last", "lastname", "line",
     "login", "mail", "message", "mobile", "name", "names", "nick", "number", "owner",
     "passphrase", "passwd", "password", "path", "payload", "person", "phone", "pin", "prompt",
     "pwd", "query", "salt", "secret", "secrets", "seed", "session", "signature", "sql", "ssn",
     "subject", "surname", "text", "title", "token", "tokens", "uri", "url", "user", "username",
     "users", "uuid", "value", "word", "words"}
)  # fmt: skip
_PARTS: Final = re.compile("[A-Z]?[a-z]+|[A-Z]+")


def is_personal(name: str) -> bool:
    """Tell whether a parameter's name says that its values are nobody else's business.

    Example:
        >>> is_personal("user_id"), is_personal("method")
        (True, False)
    """
    parts = _PARTS.findall(name)
    return any(each.lower() in _WORDS for each in parts) or name.lower() in _WORDS
