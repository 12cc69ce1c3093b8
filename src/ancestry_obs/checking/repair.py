"""A map's text and the new names of targets -> the text with them, all else as it was."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["renamed"]

# Comments and strings as TOML has them; a quote in a comment begins no string.
_TOKEN: Final = re.compile(
    r"#[^\n]*"
    r'|"""(?:\\.|[^\\])*?"""(?:"(?!")|""(?!"))?'
    r"|'''.*?'''(?:'(?!')|''(?!'))?"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)


def renamed(text: str, names: Mapping[str, str]) -> str:
    """Write new names of targets into a map.

    Args:
        text: The map, which `tomllib` accepts.
        names: The new name of each target, by the text that stands there now.

    Returns:
        The map with each string that is such a target exchanged, in the quotes that it has.
    """

    def exchanged(match: re.Match[str]) -> str:
        token = match[0]
        if token.startswith("#"):
            return token
        value = tomllib.loads(f"key = {token}")["key"]
        if value not in names:
            return token
        # A target has letters, digits, dots, colons and underscores: no quotes, and no escapes.
        quotes = re.match(r"\"\"\"|'''|\"|'", token)
        mark = quotes[0] if quotes else '"'
        return f"{mark}{names[value]}{mark}"

    return _TOKEN.sub(exchanged, text)
